//! The one home of the system's clock and of random ids.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{BlobKey, Clock, IdGen, ObjectId, Timestamp};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others are handed")]
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Timestamp::from_millis(millis)
    }
}

/// Ids as MongoDB makes them: four bytes of seconds, five random bytes of this process, a counter of three bytes.
#[derive(Debug)]
pub struct RandomIds {
    process: [u8; 5],
    /// Seconds (upper) and counter (lower 24 bits) as one number that only grows, so that ids ascend even when the clock steps back.
    last: AtomicU64,
}

impl Default for RandomIds {
    fn default() -> Self {
        Self { process: rand::random(), last: AtomicU64::new(0) }
    }
}

impl IdGen for RandomIds {
    fn object_id(&self) -> ObjectId {
        let seconds = u64::try_from(SystemClock.now().seconds()).unwrap_or(0) & 0xffff_ffff;
        let fresh = seconds << 24;
        let next = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some((last + 1).max(fresh)))
            .map_or(fresh, |last| (last + 1).max(fresh));
        let bytes = next.to_be_bytes();
        let mut id = [0; 12];
        // seven significant bytes: four of seconds, three of the counter
        id[..4].copy_from_slice(&bytes[1..5]);
        id[4..9].copy_from_slice(&self.process);
        id[9..].copy_from_slice(&bytes[5..]);
        ObjectId::from_bytes(id)
    }

    fn blob_key(&self) -> BlobKey {
        BlobKey::from_bytes(rand::random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_differ() {
        let ids = RandomIds::default();
        let made: Vec<_> = (0..10_000).map(|_| ids.object_id()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert_ne!(ids.blob_key(), ids.blob_key());
        assert_ne!(ids.object_id().bytes()[4..9], RandomIds::default().object_id().bytes()[4..9]);
    }
}
