use std::time::Duration;

use async_trait::async_trait;

use super::NewJob;
use crate::error::PortResult;
use crate::{JobId, Timestamp};

/// A job on its way from the commit that caused it to the job store.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// The job.
    pub job: NewJob,
    /// How often it was published.
    pub sent: u32,
}

/// Jobs that were committed together with what caused them. Rows enter by the commits of the store that this belongs to.
///
/// A row goes only when the job store says that it has the job: the broker may lose everything. Any number of relays may run at once.
///
/// A row that this program cannot read, as one of a newer version may be after a step back to an older one, holds up no other: it is passed over, logged,
/// counted in `fm_outbox_unreadable_total`, and looked at again after [`UNREADABLE_RESTS`], perhaps by a program that can read it.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes up to `limit` rows, oldest first, that were never published (or whose relay died), leased to this relay for `lease`.
    /// Need not be durable: a lost lease only means a second delivery.
    async fn lease_unsent(&self, limit: u32, lease: Duration, now: Timestamp) -> PortResult<Vec<OutboxRow>>;

    /// Notes that these were published, confirmed by the bus. Need not be durable.
    async fn mark_sent(&self, ids: &[JobId], at: Timestamp) -> PortResult<()>;

    /// Up to `limit` rows that were published before `before` and not settled since: to be held against the job store.
    async fn list_sent(&self, before: Timestamp, limit: u32) -> PortResult<Vec<JobId>>;

    /// The job store has these: their rows go. Safe to repeat.
    async fn settle(&self, ids: &[JobId]) -> PortResult<()>;

    /// The job store does not know these: they are unsent again. Safe to repeat.
    async fn unsend(&self, ids: &[JobId]) -> PortResult<()>;

    /// How many rows wait, sent or not.
    async fn depth(&self) -> PortResult<u64>;

    /// Returns when a commit may have brought rows in since the last call returned; may return for nothing, must not miss one of this process.
    async fn wait(&self);
}

/// How long a row of an outbox rests that could not be read.
pub const UNREADABLE_RESTS: Duration = Duration::from_secs(60 * 60);

/// Answers which jobs the job store has: worker-service, in process or over its internal API. What relays ask before they let a row go.
#[async_trait]
pub trait KnownJobs: Send + Sync {
    /// Which of these ids the job store has, or had within the last day. At most [`MAX_KNOWN_IDS`] at once.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be asked; then nothing may be concluded about any of them.
    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>>;
}

/// How many ids one question to [`KnownJobs`] may hold.
pub const MAX_KNOWN_IDS: usize = 1000;
