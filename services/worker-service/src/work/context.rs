use std::sync::Arc;

use common::Clock;
use common::jobs::{Job, JobStore, LeaseHolder, LostLease};
use serde_json::Value;
use tokio::sync::Notify;

use super::{Bells, HandlerError};

/// One attempt at one job, as its handler sees it.
pub struct JobContext {
    job: Job,
    holder: LeaseHolder,
    store: Arc<dyn JobStore>,
    clock: Arc<dyn Clock>,
    progressed: Arc<Notify>,
    bells: Bells,
}

impl JobContext {
    pub(super) fn new(
        job: Job,
        holder: LeaseHolder,
        store: Arc<dyn JobStore>,
        clock: Arc<dyn Clock>,
        progressed: Arc<Notify>,
        bells: Bells,
    ) -> Self {
        Self { job, holder, store, clock, progressed, bells }
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
    /// `Retry` if the lease is lost, or the store does not answer.
    pub async fn log(&self, line: &str) -> Result<(), HandlerError> {
        self.store.log(self.holder, line, self.clock.now()).await.map_err(failed)
    }

    /// Sets the progress (0 to 100) and gives the attempt its whole time to live again.
    ///
    /// # Errors
    /// `Retry` if the lease is lost, or the store does not answer.
    pub async fn progress(&self, percent: u8) -> Result<(), HandlerError> {
        self.set_progress(percent, None).await
    }

    /// As [`JobContext::progress`], with data that stand in the job, also for its next attempt.
    ///
    /// # Errors
    /// As [`JobContext::progress`].
    pub async fn progress_with(&self, percent: u8, data: &Value) -> Result<(), HandlerError> {
        self.set_progress(percent, Some(data)).await
    }

    async fn set_progress(&self, percent: u8, data: Option<&Value>) -> Result<(), HandlerError> {
        self.store.progress(self.holder, percent, data, self.clock.now()).await.map_err(failed)?;
        self.progressed.notify_one();
        self.bells.changed();
        Ok(())
    }
}

fn failed(error: LostLease) -> HandlerError {
    match error {
        LostLease::Lost => HandlerError::Retry("the lease is lost".to_owned()),
        LostLease::Port(error) => error.into(),
    }
}
