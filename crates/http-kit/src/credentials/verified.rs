use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use super::token::Verified;

const SHARDS: usize = 16;

/// Entries per shard and generation: with 16 shards of two generations at most 16,384 entries, about 2 MiB.
const GENERATION: usize = 512;

/// Remembers tokens whose signature was checked, by their SHA-256: a check costs some 50 µs, a hash less than one.
///
/// Each shard has two generations. When the young one is full it becomes the old one; what is used in the old one moves back to the
/// young one. That keeps what is in use and bounds memory without a list.
pub(super) struct VerifiedTokens {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: HashMap<TokenHash, Verified>,
    old: HashMap<TokenHash, Verified>,
}

/// SHA-256 of a token.
pub(super) type TokenHash = [u8; 32];

pub(super) fn hash(token: &str) -> TokenHash {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl VerifiedTokens {
    pub(super) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    pub(super) fn find(&self, hash: &TokenHash) -> Option<Verified> {
        let mut shard = self.shard(hash);
        if let Some(found) = shard.young.get(hash) {
            return Some(*found);
        }
        let found = shard.old.remove(hash)?;
        shard.keep(*hash, found);
        Some(found)
    }

    pub(super) fn keep(&self, hash: TokenHash, verified: Verified) {
        self.shard(&hash).keep(hash, verified);
    }

    pub(super) fn forget(&self, hash: &TokenHash) {
        let mut shard = self.shard(hash);
        shard.young.remove(hash);
        shard.old.remove(hash);
    }

    fn shard(&self, hash: &TokenHash) -> std::sync::MutexGuard<'_, Shard> {
        // a panic cannot leave a map of copies in a bad state
        self.shards[usize::from(hash[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn keep(&mut self, hash: TokenHash, verified: Verified) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, verified);
    }
}
