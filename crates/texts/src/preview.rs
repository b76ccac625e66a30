//! Pieces of a text, decoded one after another.

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use crate::Encoding;

/// Types of text as it is written that do not say so by `text/`.
const PLAIN: [&str; 13] = [
    "application/json",
    "application/geo+json",
    "application/x-ndjson",
    "application/yaml",
    "application/toml",
    "application/sql",
    "application/x-subrip",
    "application/x-pem-file",
    "application/javascript",
    "application/xml",
    "application/xhtml+xml",
    "image/svg+xml",
    "message/rfc822",
];

/// Whether contents of this type are text as they are, markup too.
pub fn is_plain(mime: &str) -> bool {
    mime.starts_with("text/") || PLAIN.contains(&mime)
}

/// Text, and of how many bytes it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What the bytes say; what cannot be decoded is U+FFFD.
    pub text: String,
    /// How many bytes were decoded: fewer than there were, where the last ones are the beginning of a character.
    pub used: usize,
}

/// Decodes bytes from the middle of a text, of which none is a byte order mark. With `more` behind them, the piece ends after a whole character, and after a line
/// where one ends in its second half: that is the end of a character in any encoding.
pub fn decode_piece(encoding: &'static Encoding, bytes: &[u8], more: bool) -> Piece {
    let used = if more { whole_characters(encoding, bytes) } else { bytes.len() };
    let text = encoding.decode_without_bom_handling(&bytes[..used]).0.into_owned();
    Piece { text, used }
}

/// Longest character in bytes, of any encoding; a piece of fewer may have none that is whole.
const LONGEST_CHARACTER: usize = 4;

fn whole_characters(encoding: &'static Encoding, bytes: &[u8]) -> usize {
    if encoding == UTF_16LE || encoding == UTF_16BE {
        return whole_units(
            bytes,
            if encoding == UTF_16LE { u16::from_le_bytes } else { u16::from_be_bytes },
        );
    }
    let half = bytes.len() / 2;
    if let Some(end) = bytes[half..].iter().rposition(|byte| *byte == b'\n') {
        return half + end + 1;
    }
    if encoding.is_single_byte() {
        return bytes.len();
    }
    // no character of several bytes has one below `0` in it
    let safe = bytes.iter().rposition(|byte| *byte < b'0').map_or(0, |at| at + 1);
    for cut in 0..LONGEST_CHARACTER.min(bytes.len()) {
        let end = bytes.len() - cut;
        if end <= safe {
            return safe.max(1);
        }
        let tail = &bytes[safe..end];
        if encoding.decode_without_bom_handling_and_without_replacement(tail).is_some() {
            return end;
        }
    }
    // it is damaged anyway; but what UTF-8 cuts is not
    match std::str::from_utf8(bytes) {
        Err(error) if encoding == UTF_8 && error.valid_up_to() + LONGEST_CHARACTER > bytes.len() => {
            error.valid_up_to().max(1)
        }
        _ => bytes.len(),
    }
}

fn whole_units(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> usize {
    let even = bytes.len() & !1;
    let ends_in_half = even >= 4 && matches!(unit([bytes[even - 2], bytes[even - 1]]), 0xD800..=0xDBFF);
    if ends_in_half { even - 2 } else { even.max(bytes.len().min(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{GB18030, SHIFT_JIS, WINDOWS_1252};
    use proptest::prelude::*;

    /// The text of all pieces of this length.
    fn pieced(encoding: &'static Encoding, bytes: &[u8], length: usize) -> String {
        let (mut at, mut text) = (0, String::new());
        while at < bytes.len() {
            let end = (at + length).min(bytes.len());
            let piece = decode_piece(encoding, &bytes[at..end], end < bytes.len());
            assert!(piece.used > 0, "it goes on");
            text.push_str(&piece.text);
            at += piece.used;
        }
        text
    }

    #[test]
    fn pieces_make_the_whole() {
        let text = "Grüße 日本語のテキスト 𝄞 と、もう一行\nnoch eine\n".repeat(3);
        for encoding in [UTF_8, GB18030] {
            let bytes = encoding.encode(&text).0;
            for length in 4..40 {
                assert_eq!(pieced(encoding, &bytes, length), text, "{} {length}", encoding.name());
            }
        }
        let units =
            |to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>();
        for length in 4..40 {
            assert_eq!(pieced(UTF_16LE, &units(u16::to_le_bytes), length), text);
            assert_eq!(pieced(UTF_16BE, &units(u16::to_be_bytes), length), text);
        }
        let text = "日本語のテキスト、表示能力\n".repeat(3);
        for length in 2..20 {
            assert_eq!(pieced(SHIFT_JIS, &SHIFT_JIS.encode(&text).0, length), text, "{length}");
        }
        assert_eq!(pieced(WINDOWS_1252, b"caf\xE9", 1), "café");
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 1usize..20) {
            for encoding in [UTF_8, UTF_16LE, SHIFT_JIS, GB18030, WINDOWS_1252] {
                pieced(encoding, &bytes, length);
            }
        }
    }
}
