//! Background jobs: the job store is the truth; messages only carry new jobs and ring doorbells.

mod bus;
pub mod internal;
mod job;
mod outbox;
mod store;
pub mod types;

pub use bus::{Doorbells, JobBus, Submission, Submissions};
pub use job::{Attempt, Backoff, Cause, Job, JobState, NewJob, Priority};
pub use outbox::{KnownJobs, MAX_KNOWN_IDS, Outbox, OutboxRow};
pub use store::{
    ClaimRequest, Claimed, FailOutcome, Failure, InsertOutcome, JobCounts, JobFilter, JobStore, LeaseHolder,
    LostLease,
};
