use std::sync::Arc;

use common::jobs::{Job, JobStore, LeaseHolder, LostLease};
use common::{Clock, PortResult};
use serde_json::Value;
use tokio::sync::Notify;

use super::HandlerError;

/// One attempt at one job, as its handler sees it.
pub struct JobContext {
    job: Job,
    holder: LeaseHolder,
    store: Arc<dyn JobStore>,
    clock: Arc<dyn Clock>,
    progressed: Arc<Notify>,
}

impl JobContext {
    pub(super) fn new(
        job: Job,
        holder: LeaseHolder,
        store: Arc<dyn JobStore>,
        clock: Arc<dyn Clock>,
        progressed: Arc<Notify>,
    ) -> Self {
        Self { job, holder, store, clock, progressed }
    }

    /// The job, as it was claimed.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// A member of the job's data, if it is there and not null.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.job.spec.data.get(name).filter(|value| !value.is_null())
    }

    /// A text of the job's data; none if it is missing, empty or no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Whether a failure that could be tried again will not be.
    pub fn is_last_attempt(&self) -> bool {
        self.job.attempts_made >= self.job.spec.max_attempts
    }

    /// Adds a line to the job's log.
    ///
    /// # Errors
    /// As [`JobStore::log`].
    pub async fn log(&self, line: &str) -> PortResult<()> {
        self.store.log(self.job.spec.id, line, self.clock.now()).await
    }

    /// Sets the progress (0 to 100) and gives the attempt its whole time to live again.
    ///
    /// # Errors
    /// `Retry` if the lease is lost, or the store does not answer.
    pub async fn progress(&self, percent: u8) -> Result<(), HandlerError> {
        match self.store.progress(self.holder, percent, self.clock.now()).await {
            Ok(()) => {
                self.progressed.notify_one();
                Ok(())
            }
            Err(LostLease::Lost) => Err(HandlerError::Retry("the lease is lost".to_owned())),
            Err(LostLease::Port(error)) => Err(error.into()),
        }
    }
}
