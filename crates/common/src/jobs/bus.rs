use async_trait::async_trait;

use super::NewJob;
use crate::error::PortResult;

/// Carries new jobs to the job store, and doorbells to workers. May lose, double and reorder anything: the outbox, the job store's idempotent
/// insert and the workers' own look-around make that harmless.
#[async_trait]
pub trait JobBus: Send + Sync {
    /// Publishes jobs as `job.submit`, each confirmed on return: some consumer will get it, or the bus lost it after it had taken it.
    ///
    /// # Errors
    /// `Unavailable` if any of them was not confirmed, or could not be routed; some may have gone through.
    async fn submit(&self, jobs: &[NewJob]) -> PortResult<()>;

    /// Consumes submissions. Each goes to one of the consumers.
    async fn submissions(&self) -> PortResult<Box<dyn Submissions>>;

    /// Rings for these types: there may be something to claim. Best effort.
    async fn ring(&self, types: &[String]);

    /// Whether others than this process hear what it rings.
    fn is_shared(&self) -> bool {
        true
    }

    /// Hears the doorbells of all types. Rings that come while nobody listens are lost.
    async fn doorbells(&self) -> PortResult<Box<dyn Doorbells>>;

    /// Answers if messages can be sent.
    async fn ping(&self) -> PortResult<()>;
}

/// A stream of submissions.
#[async_trait]
pub trait Submissions: Send {
    /// The next one; waits for it. What was taken and never acknowledged is delivered again to somebody (or, on a bus without memory, sent again
    /// by its relay).
    ///
    /// # Errors
    /// `Unavailable` when the connection broke: ask the bus for a new consumer.
    async fn next(&mut self) -> PortResult<Box<dyn Submission>>;

    /// Another one, if one is there already; does not wait.
    fn try_next(&mut self) -> Option<Box<dyn Submission>>;
}

/// One delivered job.
#[async_trait]
pub trait Submission: Send {
    /// The job.
    fn job(&self) -> &NewJob;

    /// It is in the job store.
    async fn acknowledge(self: Box<Self>) -> PortResult<()>;
}

/// A stream of doorbells.
#[async_trait]
pub trait Doorbells: Send {
    /// Waits for a ring; the type that it is for. Rings for one type may be merged.
    ///
    /// # Errors
    /// `Unavailable` when the connection broke.
    async fn next(&mut self) -> PortResult<String>;
}
