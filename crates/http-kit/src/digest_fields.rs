//! `Content-Digest` and `Repr-Digest` (RFC 9530), of which SHA-256 is checked and sent, and the fields that ask for them.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Code, Sha256};

use crate::problem::Problem;

/// Digest of the bytes of the message's content.
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Digest of the selected representation, whatever part of it is sent.
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Asks whoever gets it for [`CONTENT_DIGEST`].
pub const WANT_CONTENT_DIGEST: HeaderName = HeaderName::from_static("want-content-digest");

/// Asks whoever gets it for [`REPR_DIGEST`].
pub const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");

/// The algorithm that is checked and sent.
const SHA_256: &str = "sha-256";

/// What is asked for where a field held nothing that is checked: the one algorithm, as much as can be.
const WANTED: HeaderValue = HeaderValue::from_static("sha-256=10");

/// Highest preference of the `Want-…` fields (RFC 9530, 4).
const MOST_WANTED: u8 = 10;

/// A field that is not a dictionary of byte sequences, or whose SHA-256 has not 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the digest cannot be read")]
pub struct InvalidDigest;

impl From<InvalidDigest> for Problem {
    fn from(_: InvalidDigest) -> Self {
        Self::new(Code::InvalidRequest).detail("A digest field must look like sha-256=:<base64>:")
    }
}

/// The SHA-256 that a field claims; none if the field is missing or has other algorithms only, which a receiver may pass over.
///
/// # Errors
/// [`InvalidDigest`].
pub fn parse(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Sha256>, InvalidDigest> {
    let mut found = None;
    for field in headers.get_all(name) {
        let field = field.to_str().map_err(|_| InvalidDigest)?;
        for member in members(field) {
            // RFC 8941, 4.2.2: keys are lower case, values here byte sequences; the last of equal keys counts
            let (key, value) = member.split_once('=').ok_or(InvalidDigest)?;
            let bytes = bytes_of(value)?;
            if key == SHA_256 {
                found = Some(Sha256(bytes.try_into().map_err(|_| InvalidDigest)?));
            }
        }
    }
    Ok(found)
}

fn members(field: &str) -> impl Iterator<Item = &str> {
    field.split(',').map(|member| member.trim_matches([' ', '\t']))
}

fn bytes_of(value: &str) -> Result<Vec<u8>, InvalidDigest> {
    let (encoded, rest) =
        value.strip_prefix(':').and_then(|rest| rest.split_once(':')).ok_or(InvalidDigest)?;
    if !is_end(rest) {
        return Err(InvalidDigest);
    }
    STANDARD.decode(encoded).map_err(|_| InvalidDigest)
}

/// Whether a value is followed by nothing or by parameters, which mean nothing here.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.trim_start_matches([' ', '\t']).starts_with(';')
}

/// How much SHA-256 is wanted by a `Want-…` field: 1 (least) to 10 (most), 0 for not at all. None if the field says nothing of it; a field that cannot be
/// read says nothing, nor does one whose parameters have commas in them.
pub fn preference(headers: &HeaderMap, name: &HeaderName) -> Option<u8> {
    let mut found = None;
    for field in headers.get_all(name) {
        let field = field.to_str().ok()?;
        if field.trim_matches([' ', '\t']).is_empty() {
            continue;
        }
        for member in members(field) {
            let (key, value) = member.split_once('=')?;
            let preference = preference_of(value)?;
            if !is_key(key) {
                return None;
            }
            if key == SHA_256 {
                found = Some(preference);
            }
        }
    }
    found
}

/// RFC 8941, 3.1.2.
fn is_key(key: &str) -> bool {
    let begins = |byte: u8| byte.is_ascii_lowercase() || byte == b'*';
    let goes_on = |byte: u8| begins(byte) || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.');
    key.bytes().next().is_some_and(begins) && key.bytes().all(goes_on)
}

/// An integer of 0 to 10. Structured fields have `-0`, and zeros in front of up to 15 digits.
fn preference_of(value: &str) -> Option<u8> {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let end = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = unsigned.split_at(end);
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 15 && is_end(rest))?;
    let number = u8::try_from(number).ok().filter(|number| *number <= MOST_WANTED)?;
    (number == 0 || unsigned.len() == value.len()).then_some(number)
}

/// Which digest fields of a request held algorithms alone that are not checked: what they claim is as good as not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unchecked {
    content: bool,
    repr: bool,
}

impl Unchecked {
    /// Both fields as they stand there. One that is missing is not among them, nor one that cannot be read, which is refused by [`parse`].
    pub fn of(headers: &HeaderMap) -> Self {
        let is_unchecked = |name| headers.contains_key(name) && parse(headers, name) == Ok(None);
        Self { content: is_unchecked(&CONTENT_DIGEST), repr: is_unchecked(&REPR_DIGEST) }
    }

    /// Without `Content-Digest`, for requests of which it is not read.
    #[must_use]
    pub fn repr_alone(self) -> Self {
        Self { content: false, ..self }
    }

    /// Those of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { content: self.content || other.content, repr: self.repr || other.repr }
    }

    /// Asks in an answer for what would have been checked, field by field.
    pub fn tell(self, answer: &mut HeaderMap) {
        if self.content {
            answer.insert(WANT_CONTENT_DIGEST, WANTED);
        }
        if self.repr {
            answer.insert(WANT_REPR_DIGEST, WANTED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    fn read(fields: &[&str]) -> Result<Option<Sha256>, InvalidDigest> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(CONTENT_DIGEST, HeaderValue::from_str(field).unwrap());
        }
        parse(&headers, &CONTENT_DIGEST)
    }

    #[test]
    fn sha_256_is_found_among_others() {
        let digest = Sha256::of(b"x");
        let own = digest.to_field();
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[&own]), Ok(Some(digest)));
        assert_eq!(read(&[&format!("sha-512=:AAAA:, {own}")]), Ok(Some(digest)));
        assert_eq!(read(&["sha-512=:AAAA:", &format!("{own};x=1")]), Ok(Some(digest)));
        assert_eq!(read(&["sha-512=:AAAA:"]), Ok(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for field in [
            "",
            "sha-256",
            "sha-256=",
            "sha-256=AAAA",
            "sha-256=:AAAA:",
            "sha-256=:!:",
            "sha-256=:AAAA",
            "x=:AAAA:y",
            "SHA-256=abc",
        ] {
            assert_eq!(read(&[field]), Err(InvalidDigest), "{field}");
        }
    }

    fn preferred(fields: &[&str]) -> Option<u8> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WANT_REPR_DIGEST, HeaderValue::from_str(field).unwrap());
        }
        preference(&headers, &WANT_REPR_DIGEST)
    }

    #[test]
    fn preferences_for_sha_256_are_found_among_others() {
        for (fields, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["sha-512=3"], None),
            (&["sha-256=0"], Some(0)),
            (&["sha-256=-0"], Some(0)),
            (&["sha-256=10"], Some(10)),
            (&["sha-256=010"], Some(10)),
            (&["sha-512=3, sha-256=7 , unixsum=0"], Some(7)),
            (&["sha-512=3,sha-256=7;a=1;b"], Some(7)),
            (&["sha-256=1, sha-256=2"], Some(2)),
            (&["sha-256=1", "sha-512=10"], Some(1)),
            (&["sha-256=1", "", "sha-256=0"], Some(0)),
        ] {
            assert_eq!(preferred(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_field_of_preferences_that_cannot_be_read_says_nothing() {
        for field in [
            "sha-256",
            "sha-256=",
            "sha-256=11",
            "sha-256=-1",
            "sha-256=--0",
            "sha-256=+1",
            "sha-256=1.0",
            "sha-256= 1",
            "sha-256=x",
            "sha-256=\"1\"",
            "sha-256=:AAAA:",
            "sha-256=99999999999999999999",
            "sha-256=0000000000000001",
            "sha-256=1 2",
            "sha-256=1,",
            ",sha-256=1",
            "sha-256=1,,sha-512=1",
            "sha-256=1, sha-512=11",
            "sha-256=1, SHA-512=1",
            "sha-256=1, =1",
            "sha-256=1;x=\"a,b\"",
        ] {
            assert_eq!(preferred(&[field]), None, "{field}");
            assert_eq!(preferred(&["sha-256=5", field]), None, "{field}");
        }
    }

    #[test]
    fn what_is_not_checked_is_told_field_by_field() {
        let own = Sha256::of(b"x").to_field();
        let other = "sha-512=:AAAA:";
        let told = |content: Option<&str>, repr: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONTENT_DIGEST, content), (REPR_DIGEST, repr)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_str(value).unwrap());
                }
            }
            let unchecked = Unchecked::of(&headers);
            let wants = |unchecked: Unchecked| {
                let mut answer = HeaderMap::new();
                unchecked.tell(&mut answer);
                let is_wanted = |name| answer.get(name).is_some_and(|value| value == "sha-256=10");
                (is_wanted(WANT_CONTENT_DIGEST), is_wanted(WANT_REPR_DIGEST))
            };
            assert_eq!(wants(unchecked.repr_alone()), (false, wants(unchecked).1));
            assert_eq!(unchecked.or(Unchecked::default()), Unchecked::default().or(unchecked));
            wants(unchecked)
        };
        assert_eq!(told(None, None), (false, false));
        assert_eq!(told(Some(&own), Some(&own)), (false, false));
        assert_eq!(told(Some(other), None), (true, false));
        assert_eq!(told(Some(&own), Some(other)), (false, true));
        assert_eq!(told(Some(other), Some(other)), (true, true));
        assert_eq!(told(Some(&format!("{other}, {own}")), Some("nonsense")), (false, false));
    }

    proptest! {
        #[test]
        fn every_preference_comes_back(wanted in 0..=MOST_WANTED, other in 0..=MOST_WANTED) {
            prop_assert_eq!(preferred(&[&format!("sha-512={other}, sha-256={wanted}")]), Some(wanted));
        }

        #[test]
        fn no_field_of_preferences_upsets_it(field in "[-a-z0-9=:;., ]{0,60}") {
            prop_assert!(preferred(&[&field]).is_none_or(|wanted| wanted <= MOST_WANTED));
        }

        #[test]
        fn every_digest_comes_back(bytes in any::<[u8; 32]>()) {
            prop_assert_eq!(read(&[&Sha256(bytes).to_field()]), Ok(Some(Sha256(bytes))));
        }

        #[test]
        fn no_field_upsets_it(field in "[-a-z0-9=:;, ]{0,60}") {
            let _ = read(&[&field]);
        }
    }
}
