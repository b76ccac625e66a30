//! Base64 as Node reads it (`Buffer.from(text, 'base64')`): the standard and the URL-safe alphabet, also mixed; padding optional; the first
//! `=` ends the text; every other character that is of neither alphabet is skipped, white space among them; a single character that is left over at the
//! end gives nothing. So there is no text that cannot be read.

const SKIP: u8 = 64;
const END: u8 = 65;

/// What each byte stands for.
static VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [SKIP; 256];
    let mut i = 0;
    while i < alphabet.len() {
        values[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values[b'=' as usize] = END;
    values
}

/// Decodes `text` over itself and returns how many bytes at its start are the result now. Takes no memory, as what it is used on may be
/// dozens of megabytes.
pub(super) fn decode_in_place(text: &mut [u8]) -> usize {
    let (mut read, mut written) = (0, 0);
    // bits that are read and not written yet: at most six of them between two characters
    let (mut bits, mut have) = (0u32, 0u32);
    while read < text.len() {
        if have == 0 && read + 4 <= text.len() {
            let [a, b, c, d] = [text[read], text[read + 1], text[read + 2], text[read + 3]]
                .map(|byte| VALUES[usize::from(byte)]);
            if (a | b | c | d) < SKIP {
                let group = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
                let [_, first, second, third] = group.to_be_bytes();
                text[written] = first;
                text[written + 1] = second;
                text[written + 2] = third;
                read += 4;
                written += 3;
                continue;
            }
        }
        let value = VALUES[usize::from(text[read])];
        read += 1;
        match value {
            SKIP => {}
            END => break,
            value => {
                bits = bits << 6 | u32::from(value);
                have += 6;
                if have >= 8 {
                    have -= 8;
                    // three bytes are written for every four that were read, so this is behind `read`
                    text[written] = (bits >> have) as u8;
                    written += 1;
                    bits &= (1 << have) - 1;
                }
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    fn decode(text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        let len = decode_in_place(&mut bytes);
        bytes.truncate(len);
        bytes
    }

    /// The same rule, said in another way: keep what counts, then decode group by group.
    fn model(text: &str) -> Vec<u8> {
        let before_padding = text.split('=').next().unwrap_or_default();
        let mut clean: String = before_padding
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "+/-_".contains(*c))
            .map(|c| {
                if c == '-' {
                    '+'
                } else if c == '_' {
                    '/'
                } else {
                    c
                }
            })
            .collect();
        if clean.len() % 4 == 1 {
            clean.pop();
        }
        clean
            .as_bytes()
            .chunks(4)
            .flat_map(|group| {
                let mut padded = group.to_vec();
                padded.resize(4, b'A');
                let bytes = STANDARD.decode(padded).unwrap();
                bytes[..group.len() * 6 / 8].to_vec()
            })
            .collect()
    }

    #[test]
    fn it_reads_as_node_does() {
        // each answer was taken from Node 20
        for (text, hex) in [
            ("", ""),
            ("A", ""),
            ("=", ""),
            ("====", ""),
            ("%%%%", ""),
            ("=bad", ""),
            ("Y=Q", ""),
            ("a=b=c=", ""),
            ("YQ==", "61"),
            ("YQ=", "61"),
            ("YQ", "61"),
            ("YR==", "61"),
            ("YWI=", "6162"),
            ("YWI", "6162"),
            ("YWJ=", "6162"),
            ("YQ==YQ==", "61"),
            ("YW=Jj", "61"),
            ("YQ = =ab", "61"),
            ("YWJj=ZGVm", "616263"),
            ("YWJjZGVm", "616263646566"),
            ("Y W\nJ\tj", "616263"),
            ("YW*Jj", "616263"),
            ("\u{0}YWJj", "616263"),
            ("YW\u{7f}Jj", "616263"),
            ("YWéJj", "616263"),
            ("YW日Jj", "616263"),
            ("-_-_", "fbffbf"),
            ("+/+/", "fbffbf"),
            ("-/+_", "fbffbf"),
            ("YWJjZ", "616263"),
            ("YWJjZG", "61626364"),
            ("YWJjZGV", "6162636465"),
            ("YWJjZA==\nZGVm", "61626364"),
            ("data:image/png;base64,AAAA", "75ab5a8a66a07bfa6781b6ac7bae000000"),
        ] {
            assert_eq!(hex::encode(decode(text)), hex, "{text:?}");
            assert_eq!(hex::encode(model(text)), hex, "the model of {text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_decodes_as_the_model_says(text in "([A-Za-z0-9+/]{0,9}|[-_=]|\\s|\\PC){0,12}") {
            prop_assert_eq!(decode(&text), model(&text));
        }

        #[test]
        fn what_was_encoded_comes_back(bytes: Vec<u8>, every in 1usize..80) {
            let text = STANDARD.encode(&bytes);
            prop_assert_eq!(&decode(&text), &bytes);
            prop_assert_eq!(&decode(text.trim_end_matches('=')), &bytes);
            prop_assert_eq!(&decode(&URL_SAFE_NO_PAD.encode(&bytes)), &bytes);
            let lines: Vec<String> = text.as_bytes().chunks(every).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            prop_assert_eq!(&decode(&lines.join("\r\n")), &bytes);
        }
    }
}
