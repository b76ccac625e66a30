//! How long one request may wait, in all, for stores and other services.
//!
//! Each of them has a deadline for each question. A request that asks several questions has this allowance beside: what it has waited for one
//! is not left for the next, so that its answer comes in time however many there are. It goes with the task, as a trace does, and with what
//! is spawned for the request through [`carried`]. Work that belongs to no request, such as a job, has none, and only the deadlines count.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// What a request of a person has: a second less than [`crate::ANSWER_WITHIN`], for all that is no wait, and for a busy machine.
pub const WAITS: Duration = Duration::from_secs(4);
const _: () = assert!(WAITS.as_millis() + 10 * UNNOTICED.as_millis() <= crate::ANSWER_WITHIN.as_millis());

/// So much of each wait does not count. Questions that are answered as they should be use nothing up, be they thousands; and what still works can be
/// asked when nothing is left.
pub const UNNOTICED: Duration = Duration::from_millis(100);

/// A time that never comes.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

tokio::task_local! {
    static CURRENT: Allowance;
}

/// The allowance of one request. Clones are the same one.
#[derive(Clone)]
pub struct Allowance(Arc<Inner>);

struct Inner {
    whole: Duration,
    state: Mutex<State>,
}

struct State {
    spent: Duration,
    /// Everything before is in `spent`.
    counted_until: Instant,
    /// When each wait that is under way begins to count. Time counts once, however many there are.
    running: Vec<Instant>,
}

impl State {
    fn settle(&mut self, now: Instant) {
        let Some(first) = self.running.iter().min() else { return };
        let from = (*first).max(self.counted_until);
        if now > from {
            self.spent += now - from;
            self.counted_until = now;
        }
    }
}

impl Allowance {
    /// One that nothing was taken from yet.
    pub fn new(whole: Duration) -> Self {
        let state = State { spent: Duration::ZERO, counted_until: Instant::now(), running: Vec::new() };
        Self(Arc::new(Inner { whole, state: Mutex::new(state) }))
    }

    /// What is left of it now.
    pub fn left(&self) -> Duration {
        let mut state = self.state();
        state.settle(Instant::now());
        self.0.whole.saturating_sub(state.spent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State, Instant)) {
        let now = Instant::now();
        let mut state = self.state();
        state.settle(now);
        change(&mut state, now);
    }
}

impl fmt::Debug for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Allowance({:?} of {:?} left)", self.left(), self.0.whole)
    }
}

/// The allowance that the present task uses up. None in tasks that were spawned apart.
pub fn current() -> Option<Allowance> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs a future under an allowance, if there is one.
pub async fn scope<F: Future>(allowance: Option<Allowance>, future: F) -> F::Output {
    match allowance {
        Some(allowance) => CURRENT.scope(allowance, future).await,
        None => future.await,
    }
}

/// The same work under the present allowance, for a task of its own that a request waits for.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    scope(current(), work)
}

/// Gives back so much of what was used up, for progress that a client made or caused.
pub fn give_back(time: Duration) {
    if let Some(allowance) = current() {
        allowance.change(|state, _| state.spent = state.spent.saturating_sub(time));
    }
}

/// Gives back all that was used up: for a request that goes on for as long as its client wishes, at each of its steps.
pub fn renew() {
    give_back(NEVER);
}

/// A wait that has begun, and counts until it is dropped.
#[derive(Debug)]
pub struct Waiting {
    given: Duration,
    until: Instant,
    is_cut_short: bool,
    counts: Option<(Allowance, Instant)>,
}

impl Waiting {
    /// Begins one of at most `limit`, of which `expected` does not count: what is asked for takes that long when all is well.
    pub fn begin(limit: Duration, expected: Duration) -> Self {
        let now = Instant::now();
        let (mut given, mut counts) = (limit.min(NEVER), None);
        if let Some(allowance) = current() {
            let free = expected.saturating_add(UNNOTICED).min(NEVER);
            let since = now + free;
            let left = allowance.left();
            allowance.change(|state, _| state.running.push(since));
            given = given.min(free.saturating_add(left));
            counts = Some((allowance, since));
        }
        Self { given, until: now + given, is_cut_short: given < limit.min(NEVER), counts }
    }

    /// When it ends at the latest.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// What to say when that is over.
    pub fn late(&self) -> Late {
        Late { given: self.given, is_cut_short: self.is_cut_short }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((allowance, since)) = self.counts.take() {
            allowance.change(|state, _| {
                if let Some(at) = state.running.iter().position(|running| *running == since) {
                    state.running.swap_remove(at);
                }
            });
        }
    }
}

/// What was waited for did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {given:?}")]
pub struct Late {
    /// How long it had.
    pub given: Duration,
    /// Whether that is less than its limit, since the request has waited before: then it says nothing of who was waited for.
    pub is_cut_short: bool,
}

/// Waits for an answer, no longer than `limit` and than is left of the allowance.
///
/// # Errors
/// [`Late`].
pub async fn wait<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Late> {
    wait_beyond(Duration::ZERO, limit, work).await
}

/// As [`wait`], where `expected` of it does not count.
///
/// # Errors
/// [`Late`].
pub async fn wait_beyond<T>(
    expected: Duration,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Late> {
    let waiting = Waiting::begin(limit, expected);
    timeout_at(waiting.until, work).await.map_err(|_| waiting.late())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn under<F: Future>(whole: Duration, work: F) -> (F::Output, Duration) {
        let begun = Instant::now();
        (scope(Some(Allowance::new(whole)), work).await, begun.elapsed())
    }

    fn left() -> Duration {
        current().expect("there is one").left()
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_wait_takes_is_not_left_for_the_next() {
        let (outcome, took) = under(4 * SECOND, async {
            // as the first question of an upload that began in an outage, and its commit
            wait(SECOND * 7 / 2, sleep(SECOND * 28 / 10)).await.expect("it came in time");
            wait(SECOND * 7 / 2, pending::<()>()).await
        })
        .await;
        let late = outcome.expect_err("it never comes");
        assert!(late.is_cut_short);
        assert_eq!(took, 4 * SECOND + 2 * UNNOTICED);
    }

    #[tokio::test(start_paused = true)]
    async fn without_one_only_the_deadlines_count() {
        for _ in 0..5 {
            let late = wait(3 * SECOND, pending::<()>()).await.expect_err("it never comes");
            assert_eq!(late, Late { given: 3 * SECOND, is_cut_short: false });
        }
        renew();
        assert!(current().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn short_waits_use_nothing_up_and_can_be_made_when_nothing_is_left() {
        under(SECOND, async {
            for _ in 0..1000 {
                wait(SECOND, sleep(UNNOTICED)).await.expect("it came in time");
            }
            assert_eq!(left(), SECOND);
            wait(9 * SECOND, pending::<()>()).await.expect_err("it never comes");
            assert_eq!(left(), Duration::ZERO);
            wait(SECOND, sleep(UNNOTICED / 2)).await.expect("it came in time");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn waits_at_the_same_time_count_once() {
        under(4 * SECOND, async {
            let all = (0..10).map(|number| wait(9 * SECOND, sleep(SECOND * (1 + number % 2))));
            futures_util::future::join_all(all).await;
            assert_eq!(left(), 2 * SECOND + UNNOTICED);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_dropped_counts_until_then() {
        under(4 * SECOND, async {
            let waited = tokio::time::timeout(SECOND, wait(9 * SECOND, pending::<()>())).await;
            assert!(waited.is_err());
            sleep(9 * SECOND).await;
            assert_eq!(left(), 3 * SECOND + UNNOTICED, "time that is no wait does not count");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_expected_does_not_count() {
        under(4 * SECOND, async {
            wait_beyond(8 * SECOND, 11 * SECOND, sleep(8 * SECOND)).await.expect("it came in time");
            assert_eq!(left(), 4 * SECOND);
            let late = wait_beyond(8 * SECOND, 20 * SECOND, pending::<()>()).await;
            assert_eq!(late.expect_err("it never comes").given, 12 * SECOND + UNNOTICED);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn progress_gives_it_back_but_never_more_than_all_of_it() {
        under(4 * SECOND, async {
            wait(9 * SECOND, sleep(2 * SECOND + UNNOTICED)).await.expect("it came in time");
            give_back(SECOND);
            assert_eq!(left(), 3 * SECOND);
            renew();
            assert_eq!(left(), 4 * SECOND);
            give_back(SECOND);
            assert_eq!(left(), 4 * SECOND);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_of_the_same_request_shares_it() {
        under(4 * SECOND, async {
            #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
            let task = tokio::spawn(carried(wait(9 * SECOND, sleep(SECOND + UNNOTICED))));
            task.await.expect("it ends").expect("it came in time");
            assert_eq!(left(), 3 * SECOND);
            #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
            let apart = tokio::spawn(async { current().is_none() });
            assert!(apart.await.expect("it ends"));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_without_end_is_none() {
        under(SECOND, async {
            wait(Duration::MAX, sleep(SECOND)).await.expect("it came in time");
        })
        .await;
        wait(Duration::MAX, sleep(SECOND)).await.expect("it came in time");
    }
}
