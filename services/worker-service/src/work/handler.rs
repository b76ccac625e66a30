use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::PortError;
use common::jobs::{Job, JobState};
use serde_json::Value;

use super::JobContext;

/// Works jobs of one type.
///
/// Delivery is at least once: a handler may run again for a job that it had worked already, also while the first run still goes on somewhere else.
/// It must be idempotent by the job's id or by what the job is about. It may be dropped at any await, when the lease is lost or time is up.
#[async_trait]
pub trait JobHandler: Send + Sync {
    /// The type of jobs that it works.
    fn kind(&self) -> &'static str;

    /// How many jobs it works at once in this process, at least 1.
    fn concurrency(&self) -> usize;

    /// Works one job; what it gives is kept as the job's result.
    ///
    /// # Errors
    /// [`HandlerError`], by what is to become of the job. A panic counts as `Retry`.
    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError>;

    /// Whether somebody or something waits for what its jobs bring, so that it has to learn of those that end without: see [`JobHandler::given_up`].
    fn hears_of_ends(&self) -> bool {
        false
    }

    /// Learns that a job has failed for good, was called off or is about to be removed. Must be idempotent: it is called at least once, also for jobs whose
    /// worker died, perhaps while the job is still worked somewhere for a moment, and perhaps after somebody had it tried again.
    ///
    /// # Errors
    /// Any error: it is called again later.
    async fn given_up(&self, _job: &Job, _ending: Ending<'_>) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// How a job ended that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    /// Its attempts are used up, or the failure is permanent, for this reason.
    Failed(&'a str),
    /// Somebody called it off, or removes it.
    CalledOff,
}

impl<'a> Ending<'a> {
    /// How this job ended, as its state says.
    pub(crate) fn of(job: &'a Job) -> Self {
        match job.state {
            JobState::Failed => Self::Failed(job.error.as_deref().unwrap_or("It failed")),
            _ => Self::CalledOff,
        }
    }

    /// The reason in a sentence, for whoever waits for the job.
    pub fn reason(self) -> &'a str {
        match self {
            Self::Failed(reason) => reason,
            Self::CalledOff => "It was called off",
        }
    }
}

/// How an attempt failed. Its text stands in the job, where its owner can read it: nothing internal goes in.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Trying again gives the same: the job is `failed` at once.
    #[error("{0}")]
    Permanent(String),
    /// Trying again may help.
    #[error("{0}")]
    Retry(String),
    /// Trying again may help, but not before so much time has passed, also where the job's backoff is shorter.
    #[error("{0}")]
    RetryAfter(String, Duration),
    /// What it needs does not answer, which says nothing about the job: its worker begins again until it does, and all of that is one attempt. One that has
    /// waited for most of its time to live is given up for the job's pause, and not counted, for up to a day; then it is a failure to be retried.
    #[error("{0}")]
    Unavailable(String),
    /// What the job is about is gone: there is nothing to do any more, and the job completes.
    #[error("{0}")]
    Obsolete(String),
}

impl From<PortError> for HandlerError {
    /// Logs the causes and keeps what its owner may see.
    fn from(error: PortError) -> Self {
        tracing::warn!(cause = %common::Causes(&error), "a job needs what does not answer");
        match error {
            PortError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            PortError::Full { .. } | PortError::Broken { .. } => Self::Retry(error.to_string()),
        }
    }
}

/// The handlers of this process, by type.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn JobHandler>>);

impl Registry {
    /// Adds a handler, in place of one of the same type.
    #[must_use]
    pub fn with(mut self, handler: Arc<dyn JobHandler>) -> Self {
        self.0.insert(handler.kind(), handler);
        self
    }

    /// The handler of a type.
    pub fn find(&self, kind: &str) -> Option<&Arc<dyn JobHandler>> {
        self.0.get(kind)
    }

    /// All handlers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn JobHandler>> {
        self.0.values()
    }
}
