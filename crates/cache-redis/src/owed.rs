//! Tombstones that Redis has not taken yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::retry::RetryDelay;
use common::{PortError, PortResult};
use metrics::gauge;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::RedisLink;

/// Most tombstones that are kept for later: some 2 MiB.
const MOST: usize = 10_000;
/// Tombstones written in one go.
const AT_ONCE: usize = 500;

/// What was revoked while Redis was away. Each tombstone is written as soon as Redis takes it, for as long as an entry may live that it must hide.
///
/// Kept in memory: who ends with tombstones owed leaves entries that live on for what is left of their minute.
pub(crate) struct Owed {
    list: Arc<List>,
    _payer: JoinSet<()>,
}

#[derive(Default)]
struct List {
    tombstones: Mutex<HashMap<String, Tombstone>>,
    more: Notify,
}

#[derive(Clone, PartialEq)]
struct Tombstone {
    value: Vec<u8>,
    until: Instant,
}

impl List {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Tombstone>> {
        self.tombstones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some that are still of use.
    fn next(&self) -> Vec<(String, Tombstone)> {
        let mut tombstones = self.locked();
        let now = Instant::now();
        tombstones.retain(|_, tombstone| tombstone.until > now);
        tombstones.iter().take(AT_ONCE).map(|(key, tombstone)| (key.clone(), tombstone.clone())).collect()
    }

    /// These were written. One that came meanwhile for the same key is still owed.
    fn paid(&self, written: &[(String, Tombstone)]) {
        let mut tombstones = self.locked();
        for (key, tombstone) in written {
            if tombstones.get(key) == Some(tombstone) {
                tombstones.remove(key);
            }
        }
    }
}

impl Owed {
    /// Begins to pay over this link, each tombstone for `life`.
    pub(crate) fn start(link: Arc<RedisLink>, life: Duration) -> Self {
        let list = Arc::<List>::default();
        let mut payer = JoinSet::new();
        payer.spawn(pay(Arc::clone(&list), link, life));
        Self { list, _payer: payer }
    }

    /// Notes a tombstone that Redis did not take for this reason.
    ///
    /// # Errors
    /// The reason, if too many are owed already.
    pub(crate) fn owe(
        &self,
        key: String,
        value: Vec<u8>,
        life: Duration,
        reason: PortError,
    ) -> PortResult<()> {
        let mut tombstones = self.list.locked();
        if tombstones.len() >= MOST && !tombstones.contains_key(&key) {
            return Err(reason);
        }
        tombstones.insert(key, Tombstone { value, until: Instant::now() + life });
        gauge!("fm_redis_tombstones_owed").set(count(tombstones.len()));
        drop(tombstones);
        self.list.more.notify_one();
        Ok(())
    }

    /// Whether a tombstone is owed to this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.list.locked().contains_key(key)
    }
}

#[allow(clippy::cast_precision_loss, reason = "at most ten thousand")]
fn count(tombstones: usize) -> f64 {
    tombstones as f64
}

async fn pay(list: Arc<List>, link: Arc<RedisLink>, life: Duration) {
    let mut delay = RetryDelay::for_connections();
    loop {
        let next = list.next();
        gauge!("fm_redis_tombstones_owed").set(count(list.locked().len()));
        if next.is_empty() {
            delay.reset();
            list.more.notified().await;
            continue;
        }
        let mut all = redis::pipe();
        for (key, tombstone) in &next {
            all.cmd("SET").arg(key).arg(&tombstone.value).arg("PX").arg(crate::cache::millis(life)).ignore();
        }
        link.is_up().await;
        match link.run(async |connection| all.query_async::<()>(connection).await).await {
            Ok(()) => list.paid(&next),
            Err(_) => sleep(delay.next_delay()).await,
        }
    }
}
