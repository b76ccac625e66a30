use std::time::Duration;

use common::{Clock, Timestamp};

/// Bytes after which a step ends, within a content too: it goes on from the state of the hash.
const STEP_BYTES: u64 = 64 * 1024 * 1024;
/// Time after which a step ends, for stores that are slow. Together with what it does last, which has the deadlines of its stores, it ends long before its
/// caller gives up, and another one is asked for.
const STEP_TIME: Duration = Duration::from_secs(2);

/// What a step of upkeep may still do. Ask whether it is spent after each piece of work, so that every step does some.
pub(super) struct Budget<'a> {
    clock: &'a dyn Clock,
    begun: Timestamp,
    pub(super) read_bytes: u64,
}

impl<'a> Budget<'a> {
    pub(super) fn begin(clock: &'a dyn Clock) -> Self {
        Self { clock, begun: clock.now(), read_bytes: 0 }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.read_bytes >= STEP_BYTES || self.clock.now().since(self.begun) >= STEP_TIME
    }
}
