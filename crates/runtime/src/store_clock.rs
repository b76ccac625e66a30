//! The clock of processes that share a store: the store's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use common::{Causes, Clock, PortError, PortResult, TimeSource, Timestamp};
use metrics::gauge;
use tokio::time::{Instant, sleep};

use crate::SystemClock;
use crate::retry::RetryDelay;

/// How often the store is asked. Clocks of quartz drift by a second in some hours.
const EVERY: Duration = Duration::from_secs(10);
/// Differences that are left as they are, beside half of what the answer took: time does not jitter with the network.
const LEFT: Duration = Duration::from_millis(100);
/// An answer that took longer says too little, if there was one before.
const SLOWEST: Duration = Duration::from_secs(2);
/// From here on the host's clock is wrong, and somebody should know.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// The clock of a store, as a process that shares it with others knows it. Leases and due times are compared between processes: by its own clock, a host that is
/// an hour ahead would take every job from its neighbours, and lose its own if it is an hour late.
///
/// Between two questions it goes on by the local clock, which is all that it is before the first answer.
pub struct StoreClock {
    local: Arc<dyn Clock>,
    ahead_ms: AtomicI64,
    is_set: AtomicBool,
}

impl Default for StoreClock {
    /// Over this process's own clock, which is not moved by what sets the system's.
    fn default() -> Self {
        Self::over(Arc::new(Steady { start: SystemClock.now(), since: Instant::now() }))
    }
}

impl StoreClock {
    /// Over another local clock.
    pub fn over(local: Arc<dyn Clock>) -> Self {
        Self { local, ahead_ms: AtomicI64::new(0), is_set: AtomicBool::new(false) }
    }

    /// Whether the store has told the time. Until then it is the local clock.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// Asks the store what time it is.
    ///
    /// # Errors
    /// What the source says; `Unavailable` if it was too slow to be of use. Then it goes on as before.
    pub async fn ask(&self, source: &dyn TimeSource) -> PortResult<()> {
        let before = self.local.now();
        let theirs = source.time().await?;
        let took = self.local.now().since(before);
        if took > SLOWEST && self.is_set() {
            return Err(PortError::unavailable("store", "it told the time too slowly"));
        }
        let ahead = theirs.millis() - (before + took / 2).millis();
        let known = self.ahead_ms.load(Ordering::Relaxed);
        let change = Duration::from_millis(ahead.abs_diff(known));
        if change > LEFT + took / 2 {
            self.ahead_ms.store(ahead, Ordering::Relaxed);
            if change > WORTH_A_WORD {
                tracing::warn!(
                    ahead_ms = ahead,
                    "the store's clock is another than this host's, going by the store's"
                );
            }
        }
        self.is_set.store(true, Ordering::Relaxed);
        gauge!("fm_store_clock_ahead_seconds").set(
            Duration::from_millis(ahead.unsigned_abs()).as_secs_f64() * if ahead < 0 { -1.0 } else { 1.0 },
        );
        Ok(())
    }

    /// Asks again and again, and soon after the store has come back. Never ends; may be dropped at any point.
    pub async fn follow(&self, source: &dyn TimeSource) {
        let mut delay = RetryDelay::default();
        loop {
            let wait = match self.ask(source).await {
                Ok(()) => {
                    delay.reset();
                    EVERY
                }
                Err(error) => {
                    tracing::debug!(cause = %Causes(&error), "the store does not tell the time");
                    delay.next_delay()
                }
            };
            sleep(wait).await;
        }
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(self.local.now().millis().saturating_add(ahead))
    }
}

/// The system's time at the start, and what has passed since: nobody sets it.
struct Steady {
    start: Timestamp,
    since: Instant,
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use common::PortError;
    use testkit::TestClock;

    use super::*;

    /// A store that tells the time of `clock`, and takes a while.
    struct Store {
        clock: Arc<TestClock>,
        takes: Duration,
        local: Arc<TestClock>,
        is_away: AtomicBool,
    }

    #[async_trait]
    impl TimeSource for Store {
        async fn time(&self) -> PortResult<Timestamp> {
            if self.is_away.load(Ordering::Relaxed) {
                return Err(PortError::unavailable("store", "the test says so"));
            }
            for clock in [&self.clock, &self.local] {
                clock.advance(self.takes / 2);
            }
            let now = self.clock.now();
            for clock in [&self.clock, &self.local] {
                clock.advance(self.takes / 2);
            }
            Ok(now)
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn apart(local: impl FnOnce(Timestamp) -> Timestamp) -> (StoreClock, Store) {
        let clock = Arc::new(TestClock::default());
        let local = Arc::new(TestClock::new(local(clock.now())));
        let (takes, is_away) = (Duration::from_millis(40), AtomicBool::new(false));
        let source = Store { clock, takes, local: Arc::clone(&local), is_away };
        (StoreClock::over(local), source)
    }

    #[tokio::test]
    async fn a_host_that_is_an_hour_off_goes_by_the_store() {
        for early in [true, false] {
            let (clock, store) = apart(|now| if early { now + HOUR } else { now - HOUR });
            assert_eq!((clock.now(), clock.is_set()), (store.local.now(), false));
            clock.ask(&store).await.unwrap();
            assert_eq!(clock.now(), store.clock.now());
            // it goes on by itself while the store is away
            store.is_away.store(true, Ordering::Relaxed);
            clock.ask(&store).await.unwrap_err();
            store.local.advance(HOUR);
            assert_eq!(clock.now(), store.clock.now() + HOUR);
            store.is_away.store(false, Ordering::Relaxed);
            clock.ask(&store).await.unwrap();
            assert_eq!(clock.now(), store.clock.now());
        }
    }

    #[tokio::test]
    async fn time_does_not_jitter_with_the_network() {
        let (clock, mut store) = apart(|now| now + HOUR);
        clock.ask(&store).await.unwrap();
        // within what the answer leaves open
        store.clock.advance(Duration::from_millis(90));
        clock.ask(&store).await.unwrap();
        assert_eq!(store.clock.now().since(clock.now()), Duration::from_millis(90));
        // an answer that took very long says nothing
        store.takes = Duration::from_secs(6);
        store.clock.advance(HOUR);
        clock.ask(&store).await.unwrap_err();
        assert!(store.clock.now().since(clock.now()) > HOUR);
    }

    #[tokio::test]
    async fn a_slow_first_answer_is_better_than_a_wrong_clock() {
        let (clock, mut store) = apart(|now| now + HOUR);
        store.takes = Duration::from_secs(6);
        clock.ask(&store).await.unwrap();
        assert_eq!(clock.now(), store.clock.now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_at_first_is_asked_until_it_is_there_and_then_now_and_then() {
        let (clock, store) = apart(|now| now - HOUR);
        store.is_away.store(true, Ordering::Relaxed);
        let tells = async {
            sleep(60 * EVERY).await;
            assert!(!clock.is_set());
            store.is_away.store(false, Ordering::Relaxed);
            sleep(RetryDelay::MOST).await;
            assert_eq!(clock.now(), store.clock.now());
            // somebody sets the store's clock
            store.clock.advance(HOUR);
            sleep(EVERY).await;
            assert_eq!(clock.now(), store.clock.now());
        };
        tokio::select! {
            () = clock.follow(&store) => unreachable!("it goes on"),
            () = tells => {}
        }
    }
}
