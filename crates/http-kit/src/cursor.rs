//! Cursors of lists: sealed, since the place where a page ended may be at something that its reader must not know of; safe against tampering, good for their
//! own query only. And texts that are signed alone, such as tickets, whose readers may know what they say.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Bytes of the tag that are sent with a signed text: half of SHA-256, the least that RFC 2104, 5, allows.
const TAG_BYTES: usize = 16;

/// From what the key that seals is made. No text that is signed is so short.
const SEALING: &[u8] = b"seal";

/// A cursor that was altered, made by another installation, or made for another query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not belong to this list")]
pub struct InvalidCursor;

impl From<InvalidCursor> for Problem {
    fn from(_: InvalidCursor) -> Self {
        Self::new(Code::InvalidCursor)
    }
}

/// The key that seals cursors and signs texts; derived from the master key, with a label of its own.
///
/// Sealing is AES-256-GCM-SIV (RFC 8452), under a key made from this one, with a random nonce in front: cursors are made by the billion, too many for the
/// random nonces of GCM.
#[derive(Clone)]
pub struct CursorKey {
    signing: hmac::Key,
    sealing: Arc<LessSafeKey>,
}

impl CursorKey {
    /// The key made of these random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let signing = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let sealing = hmac::sign(&signing, SEALING);
        let sealing = UnboundKey::new(&AES_256_GCM_SIV, sealing.as_ref()).expect("HMAC-SHA-256 has 32 bytes");
        Self { signing, sealing: Arc::new(LessSafeKey::new(sealing)) }
    }

    fn tag(&self, query: &str, position: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.signing);
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

/// Makes a cursor for `position` in the list of `query`: a text that names the list, its owner, filters and order, and not the page. Each call gives another one.
pub fn encode<T: Serialize>(key: &CursorKey, query: &str, position: &T) -> String {
    let mut sealed = json(position);
    let mut nonce = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut nonce).expect("the system has random bytes");
    key.sealing
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(query.as_bytes()),
            &mut sealed,
        )
        .expect("AES-256-GCM-SIV seals whatever fits into memory");
    URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())
}

/// Reads a cursor that [`encode`] made for the same query.
///
/// # Errors
/// [`InvalidCursor`].
pub fn decode<T: DeserializeOwned>(key: &CursorKey, query: &str, cursor: &str) -> Result<T, InvalidCursor> {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
    let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(InvalidCursor)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| InvalidCursor)?;
    let query = Aad::from(query.as_bytes());
    let position = key.sealing.open_in_place(nonce, query, sealed).map_err(|_| InvalidCursor)?;
    serde_json::from_slice(position).map_err(|_| InvalidCursor)
}

/// Signs what is said of `subject`, for a text whose reader may know it.
pub fn sign<T: Serialize>(key: &CursorKey, subject: &str, said: &T) -> String {
    let said = json(said);
    let tag = key.tag(subject, &said);
    URL_SAFE_NO_PAD.encode([&tag.as_ref()[..TAG_BYTES], &said].concat())
}

/// Reads a text that [`sign`] made of the same subject.
///
/// # Errors
/// [`InvalidCursor`].
pub fn verify<T: DeserializeOwned>(key: &CursorKey, subject: &str, text: &str) -> Result<T, InvalidCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
    let (tag, said) = bytes.split_at_checked(TAG_BYTES).ok_or(InvalidCursor)?;
    let own = key.tag(subject, said);
    aws_lc_rs::constant_time::verify_slices_are_equal(tag, &own.as_ref()[..TAG_BYTES])
        .map_err(|_| InvalidCursor)?;
    serde_json::from_slice(said).map_err(|_| InvalidCursor)
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a position is plain data")
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
            let (key, others) = (CursorKey::new(&[1; 32]), CursorKey::new(&[2; 32]));
            let position = (name, number);
            let forms: [(String, Read); 2] = [
                (encode(&key, &query, &position), decode::<(String, u64)>),
                (sign(&key, &query, &position), verify::<(String, u64)>),
            ];
            for (cursor, read) in forms {
                prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
                prop_assert_eq!(read(&key, &query, &cursor), Ok(position.clone()));
                if other != query {
                    prop_assert_eq!(read(&key, &other, &cursor), Err(InvalidCursor));
                }
                prop_assert_eq!(read(&others, &query, &cursor), Err(InvalidCursor));
                let mut altered = cursor.clone().into_bytes();
                altered[at.index(cursor.len())] ^= flip;
                if let Ok(altered) = String::from_utf8(altered) {
                    prop_assert_eq!(read(&key, &query, &altered), Err(InvalidCursor));
                }
                prop_assert_eq!(read(&key, &query, &cursor[..at.index(cursor.len())]), Err(InvalidCursor));
            }
        }
    }

    /// [`decode`] or [`verify`].
    type Read = fn(&CursorKey, &str, &str) -> Result<(String, u64), InvalidCursor>;

    #[test]
    fn a_cursor_does_not_tell_where_its_page_ended() {
        let key = CursorKey::new(&[1; 32]);
        let place = "a name that nobody may know";
        let (cursor, again) = (encode(&key, "a", &place), encode(&key, "a", &place));
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("name"));
        assert_ne!(cursor, again, "nor whether two pages ended at one place");
        assert_eq!(decode::<String>(&key, "a", &again).unwrap(), place);
        assert_eq!(decode::<u64>(&key, "a", &cursor), Err(InvalidCursor), "a position of another form");
        assert_eq!(decode::<String>(&key, "a", &sign(&key, "a", &place)), Err(InvalidCursor), "of before");
        assert_eq!(verify::<String>(&key, "a", &cursor), Err(InvalidCursor));
    }

    #[test]
    fn query_and_position_cannot_trade_bytes() {
        let key = CursorKey::new(&[1; 32]);
        assert_eq!(decode::<u64>(&key, "a1", &encode(&key, "a", &1)), Err(InvalidCursor));
        assert_eq!(verify::<u64>(&key, "a1", &sign(&key, "a", &1)), Err(InvalidCursor));
        assert_eq!(decode::<u64>(&key, "", ""), Err(InvalidCursor));
        assert_eq!(verify::<u64>(&key, "", ""), Err(InvalidCursor));
    }
}
