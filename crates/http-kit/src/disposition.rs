//! `Content-Disposition` (RFC 6266) for names of any kind.

use std::fmt::Write as _;

use actix_web::http::header::HeaderValue;

/// What a browser should do with a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Show it.
    Inline,
    /// Save it.
    Attachment,
}

/// The value of the field for a content with this name. A name that is not plain ASCII is given twice: changed for old clients
/// (`filename`) and exactly (`filename*`, RFC 8187). Never fails because of a name.
pub fn content_disposition(kind: Disposition, name: &str) -> HeaderValue {
    let mut value = String::from(match kind {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    });
    let plain = |c: char| (' '..='~').contains(&c) && !matches!(c, '"' | '\\' | '%');
    // quotes and backslashes can be escaped, but clients differ in undoing it; percent signs some undo wrongly
    let fallback: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    write!(value, "; filename=\"{fallback}\"").expect("a String takes everything");
    if fallback != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if is_attr_char(byte) {
                value.push(char::from(byte));
            } else {
                write!(value, "%{byte:02X}").expect("a String takes everything");
            }
        }
    }
    HeaderValue::from_str(&value).expect("the value is visible ASCII")
}

/// RFC 8187, 3.2.1.
fn is_attr_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attachment(name: &str) -> String {
        content_disposition(Disposition::Attachment, name).to_str().unwrap().to_owned()
    }

    #[test]
    fn plain_names_stand_as_they_are() {
        assert_eq!(attachment("a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(content_disposition(Disposition::Inline, "x"), "inline; filename=\"x\"");
    }

    #[test]
    fn c017_c020_other_names_are_given_exactly_too() {
        assert_eq!(
            attachment("naïve “quote” 日本.txt"),
            "attachment; filename=\"na_ve _quote_ __.txt\"; \
             filename*=UTF-8''na%C3%AFve%20%E2%80%9Cquote%E2%80%9D%20%E6%97%A5%E6%9C%AC.txt"
        );
        assert_eq!(
            attachment("Über uns.txt"),
            "attachment; filename=\"_ber uns.txt\"; filename*=UTF-8''%C3%9Cber%20uns.txt"
        );
        assert_eq!(attachment("100%.txt"), "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt");
        assert_eq!(
            attachment("a\"b\\c\r\nSet-Cookie: x"),
            "attachment; filename=\"a_b_c__Set-Cookie: x\"; filename*=UTF-8''a%22b%5Cc%0D%0ASet-Cookie%3A%20x"
        );
        assert_eq!(attachment("🎉"), "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%8E%89");
    }

    proptest! {
        #[test]
        fn every_name_comes_back_exactly(name in ".{0,60}") {
            let value = attachment(&name);
            prop_assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            let back = match value.split_once("; filename*=UTF-8''") {
                Some((_, encoded)) => {
                    let mut bytes = Vec::new();
                    let mut rest = encoded.as_bytes();
                    while let Some((first, tail)) = rest.split_first() {
                        if *first == b'%' {
                            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                            rest = &tail[2..];
                        } else {
                            bytes.push(*first);
                            rest = tail;
                        }
                    }
                    String::from_utf8(bytes).unwrap()
                }
                None => value.strip_prefix("attachment; filename=\"").unwrap().strip_suffix('"').unwrap().to_owned(),
            };
            prop_assert_eq!(back, name);
        }
    }
}
