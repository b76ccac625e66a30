//! `Authorization: Basic` (RFC 7617).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The two parts of a field value: UTF-8, split at the first colon, so that a password may hold colons.
pub fn parse(value: &[u8]) -> Option<(String, String)> {
    let (scheme, rest) = value.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || !rest.first().is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    let decoded = LENIENT.decode(rest.trim_ascii()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD as PADDED, STANDARD_NO_PAD};
    use proptest::prelude::*;

    #[test]
    fn other_fields_are_nobody() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Bearer Ym9iOng=",
            "BasicYm9iOng=",
            "Basic Ym9i",
            "Basic /w==",
        ] {
            assert_eq!(parse(value.as_bytes()), None, "{value:?}");
        }
        // RFC 7617, 2: the scheme in any case, and a password in UTF-8
        assert_eq!(parse(b"bASIC  dGVzdDoxMjPCow== "), Some(("test".into(), "123£".into())));
    }

    proptest! {
        #[test]
        fn what_was_joined_comes_apart(name in "[^:]{0,30}", password in "\\PC{0,30}", padded in any::<bool>()) {
            let joined = format!("{name}:{password}");
            let encoded = if padded { PADDED.encode(&joined) } else { STANDARD_NO_PAD.encode(&joined) };
            prop_assert_eq!(parse(format!("Basic {encoded}").as_bytes()), Some((name, password)));
        }

        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some((name, _)) = parse(&value) {
                prop_assert!(!name.contains(':'));
            }
        }
    }
}
