use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mongodb::bson::oid::ObjectId;
use tokio::sync::OwnedMutexGuard;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A lock for each key that someone holds or waits for, first come first served. It keeps the transactions of one process that would meet in
/// the same documents from being repeated; those of other processes still may be.
#[derive(Default)]
pub(crate) struct KeyedLocks {
    locks: Mutex<HashMap<ObjectId, Weak<tokio::sync::Mutex<()>>>>,
}

/// Forgotten locks that may stand in the map before it is swept.
const SWEEP_FROM: usize = 1024;

impl KeyedLocks {
    /// Waits until nobody else holds any of these keys. They are taken in one order, whoever asks, so that two callers cannot wait for one another.
    pub(crate) async fn lock(&self, keys: &[ObjectId]) -> Vec<OwnedMutexGuard<()>> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut guards = Vec::with_capacity(keys.len());
        for key in keys {
            guards.push(self.of(key).lock_owned().await);
        }
        guards
    }

    fn of(&self, key: ObjectId) -> Lock {
        // nothing in here can fail half way
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= SWEEP_FROM {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Lock::default();
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_key_has_one_holder() {
        let locks = KeyedLocks::default();
        let (a, b) = (ObjectId::from_bytes([1; 12]), ObjectId::from_bytes([2; 12]));
        let held = locks.lock(&[b, a, a]).await;
        assert_eq!(held.len(), 2);
        let again = [a];
        let mut waiting = locks.lock(&again).boxed();
        assert!((&mut waiting).now_or_never().is_none());
        assert!(locks.lock(&[ObjectId::from_bytes([3; 12])]).now_or_never().is_some());
        drop(held);
        assert!(waiting.now_or_never().is_some());
    }

    #[tokio::test]
    async fn keys_that_nobody_holds_are_forgotten() {
        let locks = KeyedLocks::default();
        for n in 0..3 * SWEEP_FROM as u64 {
            let mut bytes = [0; 12];
            bytes[4..].copy_from_slice(&n.to_be_bytes());
            drop(locks.lock(&[ObjectId::from_bytes(bytes)]).await);
        }
        assert!(locks.locks.lock().unwrap().len() <= SWEEP_FROM);
    }
}
