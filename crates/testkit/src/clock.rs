//! A clock that tests move, and ids that tests foresee.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use common::trace::{SpanId, TraceContext, TraceId};
use common::{BlobKey, Clock, IdGen, ObjectId, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct TestClock {
    now_ms: AtomicI64,
    tick_ms: AtomicI64,
}

impl TestClock {
    /// A clock that shows `start`.
    pub const fn new(start: Timestamp) -> Self {
        Self { now_ms: AtomicI64::new(start.millis()), tick_ms: AtomicI64::new(0) }
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }

    /// From now on each look at it moves it on by so much, as if what is done between two looks took that long.
    pub fn tick(&self, span: Duration) {
        self.tick_ms.store(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Moves it anywhere.
    pub fn set(&self, now: Timestamp) {
        self.now_ms.store(now.millis(), Ordering::SeqCst);
    }
}

impl Default for TestClock {
    /// 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_767_225_600_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let tick = self.tick_ms.load(Ordering::SeqCst);
        Timestamp::from_millis(self.now_ms.fetch_add(tick, Ordering::SeqCst))
    }
}

/// Ids that ascend from 1; blob keys do too, in a range of their own.
#[derive(Debug)]
pub struct TestIds {
    seed: u32,
    next: AtomicU64,
}

impl TestIds {
    /// Ids that start from 1.
    pub const fn new() -> Self {
        Self::seeded(0)
    }

    /// As [`TestIds::new`], in a range of its own for each seed.
    pub const fn seeded(seed: u32) -> Self {
        Self { seed, next: AtomicU64::new(1) }
    }

    /// A new id of any kind.
    pub fn next<T: From<ObjectId>>(&self) -> T {
        self.object_id().into()
    }
}

impl Default for TestIds {
    fn default() -> Self {
        Self::new()
    }
}

impl IdGen for TestIds {
    fn object_id(&self) -> ObjectId {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0; ObjectId::LEN];
        bytes[..4].copy_from_slice(&self.seed.to_be_bytes());
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        ObjectId::from_bytes(bytes)
    }

    fn blob_key(&self) -> BlobKey {
        let mut bytes = [0xb1; 16];
        bytes[4..].copy_from_slice(self.object_id().bytes());
        BlobKey::from_bytes(bytes)
    }
}

/// Some step of some trace.
pub fn a_trace() -> TraceContext {
    TraceContext::begin(TraceId::from_random([7; 16]), SpanId::from_random([8; 8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_ranges_differ() {
        let ids = TestIds::new();
        assert!(ids.object_id() < ids.object_id());
        assert_ne!(TestIds::seeded(1).object_id(), TestIds::seeded(2).object_id());
        assert!(ids.blob_key() < ids.blob_key());
    }

    #[test]
    fn the_clock_moves_only_when_it_is_moved() {
        let clock = TestClock::default();
        let before = clock.now();
        assert_eq!(clock.now(), before);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now().since(before), Duration::from_secs(1));
    }
}
