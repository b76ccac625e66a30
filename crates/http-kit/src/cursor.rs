//! Cursors of lists: opaque to clients, safe against tampering, good for their own query only.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Bytes of the tag that are sent: half of SHA-256, the least that RFC 2104, 5, allows.
const TAG_BYTES: usize = 16;

/// A cursor that was altered, made by another installation, or made for another query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not belong to this list")]
pub struct InvalidCursor;

impl From<InvalidCursor> for Problem {
    fn from(_: InvalidCursor) -> Self {
        Self::new(Code::InvalidCursor)
    }
}

/// The key that authenticates cursors; derived from the master key, with a label of its own.
#[derive(Clone)]
pub struct CursorKey(hmac::Key);

impl CursorKey {
    /// The key made of these random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    fn tag(&self, query: &str, position: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        // the length keeps one pair of texts from passing for another
        context.update(&(query.len() as u64).to_be_bytes());
        context.update(query.as_bytes());
        context.update(position);
        context.sign()
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

/// Makes a cursor for `position` in the list of `query`: a text that names the list, its owner, filters and order, and not the page.
pub fn encode<T: Serialize>(key: &CursorKey, query: &str, position: &T) -> String {
    let position = serde_json::to_vec(position).expect("a position is plain data");
    let tag = key.tag(query, &position);
    URL_SAFE_NO_PAD.encode([&tag.as_ref()[..TAG_BYTES], &position].concat())
}

/// Reads a cursor that [`encode`] made for the same query.
///
/// # Errors
/// [`InvalidCursor`].
pub fn decode<T: DeserializeOwned>(key: &CursorKey, query: &str, cursor: &str) -> Result<T, InvalidCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
    let (tag, position) = bytes.split_at_checked(TAG_BYTES).ok_or(InvalidCursor)?;
    let own = key.tag(query, position);
    aws_lc_rs::constant_time::verify_slices_are_equal(tag, &own.as_ref()[..TAG_BYTES])
        .map_err(|_| InvalidCursor)?;
    serde_json::from_slice(position).map_err(|_| InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_for_its_query_only(
            name in ".{0,40}", number in any::<u64>(), query in ".{0,20}", other in ".{0,20}", at in any::<prop::sample::Index>(), flip in 1u8..128,
        ) {
            let key = CursorKey::new(&[1; 32]);
            let position = (name, number);
            let cursor = encode(&key, &query, &position);
            prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            prop_assert_eq!(decode::<(String, u64)>(&key, &query, &cursor), Ok(position));
            if other != query {
                prop_assert_eq!(decode::<(String, u64)>(&key, &other, &cursor), Err(InvalidCursor));
            }
            prop_assert_eq!(decode::<(String, u64)>(&CursorKey::new(&[2; 32]), &query, &cursor), Err(InvalidCursor));
            prop_assert_eq!(decode::<u64>(&key, &query, &cursor), Err(InvalidCursor));
            let mut altered = cursor.clone().into_bytes();
            altered[at.index(cursor.len())] ^= flip;
            if let Ok(altered) = String::from_utf8(altered) {
                prop_assert_eq!(decode::<(String, u64)>(&key, &query, &altered), Err(InvalidCursor));
            }
            prop_assert_eq!(decode::<(String, u64)>(&key, &query, &cursor[..at.index(cursor.len())]), Err(InvalidCursor));
        }
    }

    #[test]
    fn query_and_position_cannot_trade_bytes() {
        let key = CursorKey::new(&[1; 32]);
        let cursor = encode(&key, "a", &1);
        assert_eq!(decode::<u64>(&key, "a1", &cursor), Err(InvalidCursor));
        assert_eq!(decode::<u64>(&key, "", ""), Err(InvalidCursor));
    }
}
