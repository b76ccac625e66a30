//! Passwords of links that were right a moment ago, so that a program which says its password with each request does not seem to guess.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{Clock, Timestamp};
use sha2::{Digest as _, Sha256};

/// For so long after it was right, or was asked for last.
const KEPT: Duration = Duration::from_secs(60);

/// Most that are kept; more than these are proven anew.
const MOST: usize = 10_000;

type Print = [u8; 32];

/// What was right, by digests that are of no use outside of this process.
pub(crate) struct Proven {
    clock: Arc<dyn Clock>,
    secret: [u8; 32],
    until: Mutex<HashMap<Print, Timestamp>>,
}

impl Proven {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, secret: rand::random(), until: Mutex::default() }
    }

    /// Whether this was right a moment ago: the same password, for the same hash, in the same `place`.
    pub(crate) fn has(&self, place: &str, hash: &str, password: &str) -> bool {
        let (print, now) = (self.print([place, hash, password]), self.clock.now());
        match self.locked().get_mut(&print) {
            Some(until) if now < *until => {
                *until = now + KEPT;
                true
            }
            _ => false,
        }
    }

    /// It is right.
    pub(crate) fn keep(&self, place: &str, hash: &str, password: &str) {
        let (print, now) = (self.print([place, hash, password]), self.clock.now());
        let mut kept = self.locked();
        if kept.len() >= MOST {
            kept.retain(|_, until| now < *until);
        }
        if kept.len() < MOST {
            kept.insert(print, now + KEPT);
        }
    }

    fn print(&self, parts: [&str; 3]) -> Print {
        let mut digest = Sha256::new().chain_update(self.secret);
        for part in parts {
            // the length keeps one row of parts from passing for another
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Print, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::TestClock;

    #[test]
    fn what_was_right_is_known_for_a_minute_after_it_was_asked_for_last() {
        let clock = Arc::new(TestClock::default());
        let proven = Proven::new(clock.clone());
        assert!(!proven.has("here", "hash", "right"));
        proven.keep("here", "hash", "right");
        for (place, hash, password) in [
            ("there", "hash", "right"),
            ("here", "another", "right"),
            ("here", "hash", "righ"),
            ("her", "ehash", "right"),
        ] {
            assert!(!proven.has(place, hash, password), "{place} {hash} {password}");
        }
        for _ in 0..3 {
            clock.advance(KEPT - Duration::from_secs(1));
            assert!(proven.has("here", "hash", "right"));
        }
        clock.advance(KEPT);
        assert!(!proven.has("here", "hash", "right"));
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let clock = Arc::new(TestClock::default());
        let proven = Proven::new(clock.clone());
        for number in 0..MOST + 5 {
            proven.keep(&number.to_string(), "hash", "right");
        }
        assert_eq!(proven.locked().len(), MOST);
        clock.advance(KEPT);
        proven.keep("here", "hash", "right");
        assert_eq!(proven.locked().len(), 1);
    }
}
