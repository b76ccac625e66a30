//! The master key: what must be read again is sealed under it, and other keys are derived from it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use common::idempotency::KeySeal;
use common::portable::Keys;
use sha2::{Digest as _, Sha256};

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 4;

/// A master key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits")]
pub struct InvalidMasterKey;

/// The key of the installation, and the one before it while that is being replaced.
///
/// Sealing is AES-256-GCM with a random nonce and the label as associated data, under a key derived for sealing; the id of the master key stands in
/// front, so that what the previous key sealed can still be opened. Derivation is HKDF-SHA-256 with one label for each use.
pub struct MasterKey {
    current: Key,
    previous: Option<Key>,
}

struct Key {
    id: [u8; ID_BYTES],
    bytes: [u8; KEY_BYTES],
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", hex::encode(self.current.id))
    }
}

/// A fresh secret of 32 random bytes as 64 hexadecimal digits: what master keys and internal secrets are.
pub fn random_secret() -> String {
    hex::encode(rand::random::<[u8; KEY_BYTES]>())
}

impl MasterKey {
    /// Reads the keys as they stand in settings and files.
    ///
    /// # Errors
    /// [`InvalidMasterKey`].
    pub fn parse(current: &str, previous: Option<&str>) -> Result<Self, InvalidMasterKey> {
        let previous = previous.map(Key::parse).transpose()?;
        Ok(Self { current: Key::parse(current)?, previous })
    }

    /// Seals `plain` for the use that `label` names. Each call gives another text.
    pub fn seal(&self, label: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = plain.to_vec();
        self.current
            .sealing()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(label.as_bytes()),
                &mut sealed,
            )
            .expect("AES-256-GCM seals whatever fits into memory");
        [self.current.id.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens what was sealed under this or the previous key with the same label; none if it was not, or was altered.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_at_checked(ID_BYTES)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN)?;
        let key =
            [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|key| key.id == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = rest.to_vec();
        let len = key.sealing().open_in_place(nonce, Aad::from(label.as_bytes()), &mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }

    /// Whether a key before this one is at hand, since what it sealed may still be there.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// Whether this key sealed that, and not the one before (or another one).
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.current.id)
    }

    /// Seals anew what the previous key sealed for this use; none if it was this one, or if it cannot be opened.
    pub fn reseal(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        if self.is_current(sealed) {
            return None;
        }
        Some(self.seal(label, &self.open(label, sealed)?))
    }

    /// The key for the use that `label` names, from the current master key.
    pub fn derive(&self, label: &str) -> [u8; KEY_BYTES] {
        self.current.derive(label)
    }
}

/// Under which label it seals what is kept of requests with a key.
const IDEMPOTENCY_LABEL: &str = "idempotency";

impl KeySeal for MasterKey {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        Self::seal(self, IDEMPOTENCY_LABEL, plain)
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        Self::open(self, IDEMPOTENCY_LABEL, sealed)
    }
}

impl Keys for MasterKey {
    fn seal(&self, label: &str, plain: &[u8]) -> Vec<u8> {
        Self::seal(self, label, plain)
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        Self::open(self, label, sealed)
    }

    fn is_former(&self, sealed: &[u8]) -> bool {
        self.has_previous() && !self.is_current(sealed)
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let mut bytes = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| InvalidMasterKey)?;
        let digest = Sha256::digest(bytes);
        let mut id = [0; ID_BYTES];
        // a digest of 256 random bits tells nothing about them
        id.copy_from_slice(&digest[..ID_BYTES]);
        Ok(Self { id, bytes })
    }

    fn derive(&self, label: &str) -> [u8; KEY_BYTES] {
        let mut derived = [0; KEY_BYTES];
        Salt::new(HKDF_SHA256, b"files-manager")
            .extract(&self.bytes)
            .expand(&[label.as_bytes()], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut derived))
            .expect("HKDF-SHA-256 gives 32 bytes");
        derived
    }

    fn sealing(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.derive("seal")).expect("AES-256-GCM takes 32 bytes");
        LessSafeKey::new(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_with_its_label_only() {
        let key = MasterKey::parse(&random_secret(), None).unwrap();
        let sealed = key.seal("totp", b"secret");
        assert_eq!(key.open("totp", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(key.open("webhook", &sealed), None);
        assert_ne!(sealed, key.seal("totp", b"secret"));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(key.open("totp", &altered), None, "byte {at}");
            assert_eq!(key.open("totp", &sealed[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_rotated_key_still_opens_and_seals_anew() {
        let (old, new) = (random_secret(), random_secret());
        let sealed = MasterKey::parse(&old, None).unwrap().seal("totp", b"secret");
        let rotated = MasterKey::parse(&new, Some(&old)).unwrap();
        assert_eq!(rotated.open("totp", &sealed).as_deref(), Some(&b"secret"[..]));
        let again = rotated.seal("totp", b"secret");
        assert_eq!(
            MasterKey::parse(&new, None).unwrap().open("totp", &again).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(MasterKey::parse(&old, None).unwrap().open("totp", &again), None);
        assert!(rotated.has_previous() && !rotated.is_current(&sealed) && rotated.is_current(&again));
        let resealed = rotated.reseal("totp", &sealed).unwrap();
        let alone = MasterKey::parse(&new, None).unwrap();
        assert_eq!(alone.open("totp", &resealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(rotated.reseal("totp", &again), None, "it is sealed by this one");
        assert_eq!(rotated.reseal("webhook", &sealed), None, "it was sealed for another use");
        assert_eq!(alone.reseal("totp", &sealed), None, "the key before is not at hand");
    }

    #[test]
    fn derived_keys_differ_by_label_and_stay_the_same() {
        let key = MasterKey::parse(&"07".repeat(32), None).unwrap();
        assert_ne!(key.derive("cursor"), key.derive("ticket"));
        assert_eq!(key.derive("cursor"), MasterKey::parse(&"07".repeat(32), None).unwrap().derive("cursor"));
    }

    #[test]
    fn only_64_hexadecimal_digits_are_a_key() {
        for wrong in ["", "07", &"0g".repeat(32), &"07".repeat(33)] {
            assert_eq!(MasterKey::parse(wrong, None).unwrap_err(), InvalidMasterKey);
        }
        assert!(MasterKey::parse(&format!("{}\n", "07".repeat(32)), None).is_ok());
    }
}
