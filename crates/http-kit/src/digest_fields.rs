//! `Content-Digest` and `Repr-Digest` (RFC 9530), of which SHA-256 is checked.

use actix_web::http::header::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Code, Sha256};

use crate::problem::Problem;

/// Digest of the bytes of the message's content.
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Digest of the selected representation, whatever part of it is sent.
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

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
        for member in field.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            // RFC 8941, 4.2.2: keys are lower case, values here byte sequences; the last of equal keys counts
            let (key, value) = member.split_once('=').ok_or(InvalidDigest)?;
            let bytes = bytes_of(value)?;
            if key == "sha-256" {
                found = Some(Sha256(bytes.try_into().map_err(|_| InvalidDigest)?));
            }
        }
    }
    Ok(found)
}

fn bytes_of(value: &str) -> Result<Vec<u8>, InvalidDigest> {
    let (encoded, rest) =
        value.strip_prefix(':').and_then(|rest| rest.split_once(':')).ok_or(InvalidDigest)?;
    if !rest.is_empty() && !rest.trim_start_matches([' ', '\t']).starts_with(';') {
        return Err(InvalidDigest);
    }
    STANDARD.decode(encoded).map_err(|_| InvalidDigest)
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

    proptest! {
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
