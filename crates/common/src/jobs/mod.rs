//! Background jobs: the job store is the truth; messages only carry new jobs and ring doorbells.

mod bus;
mod error_text;
mod events;
pub mod internal;
mod job;
mod manage;
mod outbox;
mod schedule;
mod store;
pub mod text;
pub mod types;

pub use bus::{Doorbells, JobBus, Submission, Submissions};
pub use error_text::short_error;
pub use events::{JobEvent, JobEventFilter, JobEventKind, JobEventPage, JobEvents};
pub use job::{Attempt, Backoff, Cause, InvalidJob, Job, JobState, MOST_FAILURES, NewJob, Priority};
pub use manage::{
    COUNTED_EXACTLY, ChangeJobError, ENDED_COUNTED_EVERY, JobAdmin, JobChange, JobCounts, JobFilter,
    JobMinute, JobOrder, JobPage, JobType, JobTypes, PageBytes, RetriedDead, TypeLimit, TypeUse,
};
pub use outbox::{KnownJobs, MAX_KNOWN_IDS, Outbox, OutboxRow, UNREADABLE_RESTS};
pub use schedule::{
    CatchUp, ChangeScheduleError, MAX_SCHEDULES, Schedule, SchedulePage, SchedulePlace, ScheduleSpec,
    ScheduleStore,
};
pub use store::{
    AttemptEnd, ClaimRequest, Claimed, Claims, Ended, Ending, EndsTaken, FailOutcome, Failure, InsertOutcome,
    JobStore, LeaseHolder, LostLease, SERVED_KEPT,
};
