//! Checksums of what one request brings.

use aws_lc_rs::digest::{self, Context};
use common::Sha256;

/// What a client says that the bytes of its request add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checksum {
    Sha1([u8; 20]),
    Sha256(Sha256),
    Crc32(u32),
}

impl Checksum {
    /// Names of the algorithms, as tus has them.
    pub(crate) const ALGORITHMS: &str = "sha1,sha256,crc32";

    /// The checksum of an algorithm by its name; none if there is no such algorithm here, or its value is of another length. A CRC-32 is its four bytes, the
    /// highest first.
    pub(crate) fn parse(algorithm: &str, value: &[u8]) -> Option<Self> {
        match algorithm {
            "sha1" => value.try_into().map(Self::Sha1).ok(),
            "sha256" => value.try_into().map(|bytes| Self::Sha256(Sha256(bytes))).ok(),
            "crc32" => value.try_into().map(|bytes| Self::Crc32(u32::from_be_bytes(bytes))).ok(),
            _ => None,
        }
    }

    /// Whether there is an algorithm of this name.
    pub(crate) fn is_known(algorithm: &str) -> bool {
        Self::ALGORITHMS.split(',').any(|known| known == algorithm)
    }

    pub(super) fn checker(&self) -> Checker {
        Checker {
            expected: self.clone(),
            running: match self {
                Self::Sha1(_) => Running::Digest(Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
                Self::Sha256(_) => Running::Digest(Context::new(&digest::SHA256)),
                Self::Crc32(_) => Running::Crc32(crc32fast::Hasher::new()),
            },
        }
    }
}

enum Running {
    Digest(Context),
    Crc32(crc32fast::Hasher),
}

/// Takes a checksum while bytes come.
pub(super) struct Checker {
    expected: Checksum,
    running: Running,
}

impl Checker {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.running {
            Running::Digest(context) => context.update(bytes),
            Running::Crc32(hasher) => hasher.update(bytes),
        }
    }

    /// Whether the bytes are those that were announced.
    pub(super) fn holds(self) -> bool {
        match (self.running, self.expected) {
            (Running::Digest(context), Checksum::Sha1(expected)) => context.finish().as_ref() == expected,
            (Running::Digest(context), Checksum::Sha256(expected)) => context.finish().as_ref() == expected.0,
            (Running::Crc32(hasher), Checksum::Crc32(expected)) => hasher.finalize() == expected,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_knows_its_bytes() {
        let sha1 = hex::decode("2fd4e1c67a2d28fced849ee1bb76e7391b93eb12").unwrap();
        let text: &[u8] = b"The quick brown fox jumps over the lazy dog";
        for (algorithm, value) in [
            ("sha1", sha1),
            ("sha256", Sha256::of(text).0.to_vec()),
            ("crc32", 0x414f_a339_u32.to_be_bytes().to_vec()),
        ] {
            let checksum = Checksum::parse(algorithm, &value).unwrap();
            for (pieces, holds) in [
                (vec![text], true),
                (vec![&text[..7], &text[7..]], true),
                (vec![&text[1..]], false),
                (vec![], false),
            ] {
                let mut checker = checksum.checker();
                pieces.iter().for_each(|piece| checker.update(piece));
                assert_eq!(checker.holds(), holds, "{algorithm}");
            }
            assert_eq!(Checksum::parse(algorithm, &value[1..]), None);
            assert!(Checksum::is_known(algorithm));
        }
        assert!(!Checksum::is_known("md5") && Checksum::parse("md5", &[0; 16]).is_none());
    }
}
