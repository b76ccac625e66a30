//! Attempts whose jobs need what does not answer: they wait for it, and are put off without being counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::Timestamp;
use common::jobs::Job;
use runtime::retry::RetryDelay;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{HandlerError, JobContext, JobHandler};

/// How long outages may put one attempt off, before it counts after all: jobs that nothing helps end some time.
const LONGEST_OUTAGE: Duration = Duration::from_secs(24 * 3600);

/// Why the last run of a handler broke off, if what it needs was away; none once it has made progress since.
#[derive(Default)]
pub(super) struct Outage(Mutex<Option<String>>);

impl Outage {
    pub(super) fn set(&self, error: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How much of its time to live an attempt waits for what it needs: what is left is for saying so, since nothing is taken from an attempt whose time is up.
pub(super) fn patience(ttl: Duration) -> Duration {
    ttl - ttl / 4
}

/// Whether an outage may put this attempt off once more: the first time stands among the failures.
pub(super) fn may_be_put_off(job: &Job, now: Timestamp) -> bool {
    let first = job.failures.last().filter(|last| last.number == job.attempts_made);
    first.is_none_or(|first| now.since(first.at) < LONGEST_OUTAGE)
}

/// Runs a handler, and again while what it needs does not answer. The job's place stays taken meanwhile, so that others are not begun in vain.
pub(super) async fn run_through_outages(
    handler: &dyn JobHandler,
    context: &JobContext,
    outage: &Outage,
) -> Result<Option<Value>, HandlerError> {
    let until = Instant::now() + patience(Duration::from_millis(context.job().spec.ttl_ms));
    let mut delay = RetryDelay::default();
    loop {
        let outcome = handler.run(context).await;
        let next = Instant::now() + delay.next_delay();
        match &outcome {
            Err(HandlerError::Unavailable(error)) if next < until => outage.set(Some(error.clone())),
            _ => return outcome,
        }
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use common::JobId;
    use common::jobs::{Attempt, JobState, NewJob};

    use super::*;

    #[test]
    fn an_outage_puts_an_attempt_off_for_a_day() {
        let at = Timestamp::from_millis(1_000_000_000);
        let spec = NewJob::new(JobId::from_bytes([1; 12]), "t", Value::Null, at);
        let job = |attempts_made, failures: &[(u32, Timestamp)]| Job {
            spec: spec.clone(),
            number: 1,
            state: JobState::Active,
            progress: 0,
            progress_data: None,
            result: None,
            error: None,
            attempts_made,
            failures: failures
                .iter()
                .map(|(number, at)| Attempt { number: *number, at: *at, error: String::new() })
                .collect(),
            inserted_at: at,
            started_at: None,
            updated_at: at,
            due_at: None,
            finished_at: None,
            worker: None,
        };
        let later = at + LONGEST_OUTAGE;
        assert!(may_be_put_off(&job(1, &[]), later));
        assert!(may_be_put_off(&job(2, &[(1, at)]), later), "that was the attempt before");
        assert!(may_be_put_off(&job(1, &[(1, at)]), later - Duration::from_millis(1)));
        assert!(!may_be_put_off(&job(2, &[(1, at), (2, at)]), later));
    }
}
