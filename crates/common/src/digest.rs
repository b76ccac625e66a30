//! Digests of contents, taken while bytes stream.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest as a structured-field byte sequence, `:<base64>:`, for `Repr-Digest` (RFC 9530).
    pub fn to_field(self) -> String {
        format!("sha-256=:{}:", STANDARD.encode(self.0))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&*text, &mut bytes).map_err(de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// A CRC-32 (IEEE), as archives want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Crc32(pub u32);

/// Takes both digests and the length in one pass.
#[derive(Clone, Default)]
pub struct Hasher {
    sha256: sha2::Sha256,
    crc32: crc32fast::Hasher,
    size_bytes: u64,
}

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        use sha2::Digest as _;
        self.sha256.update(bytes);
        self.crc32.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    /// What a later [`Hasher::resume`] goes on from, as hexadecimal digits. Other versions of the hash's implementation may not understand it.
    pub fn state(&self) -> String {
        use sha2::digest::common::hazmat::SerializableState as _;
        let crc32 = self.crc32.clone().finalize();
        format!("{:016x}{crc32:08x}{}", self.size_bytes, hex::encode(self.sha256.serialize()))
    }

    /// Goes on where the hasher stood that gave this [`Hasher::state`]; none if the text is none.
    pub fn resume(state: &str) -> Option<Self> {
        use sha2::digest::common::hazmat::SerializableState as _;
        let bytes = hex::decode(state).ok()?;
        let (size, rest) = bytes.split_first_chunk()?;
        let (crc32, sha256) = rest.split_first_chunk()?;
        Some(Self {
            sha256: sha2::Sha256::deserialize(&sha256.try_into().ok()?).ok()?,
            crc32: crc32fast::Hasher::new_with_initial(u32::from_be_bytes(*crc32)),
            size_bytes: u64::from_be_bytes(*size),
        })
    }

    /// How many bytes were taken in.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Length in bytes and both digests of all that was taken in.
    pub fn finish(self) -> (u64, Sha256, Crc32) {
        use sha2::Digest as _;
        (self.size_bytes, Sha256(self.sha256.finalize().into()), Crc32(self.crc32.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hasher_agrees_with_known_digests() {
        let mut hasher = Hasher::default();
        hasher.update(b"Hello ");
        hasher.update(b"Webstack!\n");
        let (size, sha256, crc32) = hasher.finish();
        assert_eq!(size, 16);
        assert_eq!(sha256, Sha256::of(b"Hello Webstack!\n"));
        assert_eq!(crc32, Crc32(crc32fast::hash(b"Hello Webstack!\n")));
        assert_eq!(
            Sha256::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Sha256::of(b"").to_field(), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    }
    #[test]
    fn a_hasher_goes_on_from_its_state() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n * 31 % 251) as u8).collect();
        let mut whole = Hasher::default();
        whole.update(&bytes);
        for at in [0, 1, 63, 64, 65, 5_000, 99_999, 100_000] {
            let mut first = Hasher::default();
            first.update(&bytes[..at]);
            let mut second = Hasher::resume(&first.state()).unwrap();
            assert_eq!(second.size_bytes(), at as u64);
            second.update(&bytes[at..]);
            assert_eq!(second.finish(), whole.clone().finish());
        }
        let state = whole.state();
        for wrong in ["", "00", &state[2..], &format!("{state}00"), &state.replace('0', "x")] {
            assert!(Hasher::resume(wrong).is_none(), "{wrong}");
        }
    }
}
