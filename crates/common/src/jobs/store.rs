use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::Value;

use super::{Job, JobState, NewJob};
use crate::error::{PortError, PortResult};
use crate::{JobId, Timestamp};

/// How long it is remembered that a user was served with a type: that they had a job of it begun. Afterwards they count as never served, unless they still
/// wait.
pub const SERVED_KEPT: Duration = Duration::from_secs(3600);

/// What became of an inserted job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It is new.
    Inserted,
    /// The id is known, perhaps of a job that has been removed: nothing changed.
    Known,
    /// This live job has the same unique key: nothing changed but that the id is known.
    Taken(JobId),
}

impl InsertOutcome {
    /// Whether the job exists, or did until lately.
    pub fn has_job(&self) -> bool {
        !matches!(self, Self::Taken(_))
    }
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Types that it can work.
    pub types: Vec<String>,
    /// Its name, for people.
    pub worker: String,
    /// At most so many.
    pub max: u32,
    /// How long it may be silent.
    pub lease: Duration,
}

/// Names one claim of one job. A result must carry it: after the lease was lost, and the job claimed again, the mark is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseHolder {
    /// The job.
    pub job: JobId,
    /// Tells the claim from all others of the job. Stores draw it by lot from [`LeaseHolder::MARKS`]: one that was brought back from a backup could count
    /// once more what it had counted before, and take what the holder of back then says.
    pub mark: u64,
}

impl LeaseHolder {
    /// All marks. None is 0, what jobs have that were never claimed, and no column or document has more bits for a count.
    pub const MARKS: std::ops::RangeInclusive<u64> = 1..=(1 << 62);
}

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The job, `active` now.
    pub job: Job,
    /// What its result must carry.
    pub holder: LeaseHolder,
    /// When the lease ends, by the store's clock.
    pub lease_until: Timestamp,
}

/// What a claim brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    /// The jobs.
    pub jobs: Vec<Claimed>,
    /// A rate limit held back at least one job that is ready; it lets more through at this time.
    pub again_at: Option<Timestamp>,
}

/// A failure, as the worker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub error: String,
    /// Trying again could help. If not, the job is `failed` at once.
    pub retryable: bool,
    /// 0 to 100, for the backoff; see `Backoff::delay`.
    pub jitter_percent: u8,
    /// It does not come again before this time, also where its backoff is shorter.
    pub not_before: Option<Timestamp>,
    /// What it needs was away, which says nothing about the job: it comes again after its backoff, however often it was tried, and the attempt is not counted.
    /// Of several such attempts on end the first one stands among the job's failures, under the number of the attempt that they all were, until that fails
    /// otherwise.
    pub uncounted: bool,
}

impl Failure {
    /// When a job comes again whose backoff ends then.
    pub fn due(&self, backoff_ends: Timestamp) -> Timestamp {
        self.not_before.map_or(backoff_ends, |not_before| not_before.max(backoff_ends))
    }

    /// Whether the job comes again, in whose attempt so many were made.
    pub fn lets_come_again(&self, attempts_made: u32, max_attempts: u32) -> bool {
        self.uncounted || self.retryable && attempts_made < max_attempts
    }
}

/// What a failure led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOutcome {
    /// It comes again at this time.
    Retry(Timestamp),
    /// It was the last attempt, or a permanent failure: it is in the dead-letter list.
    Dead,
}

/// How an attempt ended, as its worker says.
#[derive(Debug, Clone)]
pub enum Ending {
    /// The job is done, and gave this.
    Complete(Option<Value>),
    /// The attempt failed.
    Failed(Failure),
}

/// The end of an attempt that a worker reports.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// Who held the job.
    pub holder: LeaseHolder,
    /// How it ended.
    pub ending: Ending,
}

/// What became of a reported end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The job is complete.
    Complete,
    /// The attempt failed.
    Failed(FailOutcome),
}

/// What became of several reported ends, and what was claimed with them.
#[derive(Debug)]
pub struct EndsTaken {
    /// Of each end, in their order.
    pub ended: Vec<Result<Ended, LostLease>>,
    /// What the claim brought; nothing where none was asked for.
    pub claims: PortResult<Claims>,
}

impl EndsTaken {
    /// What became of the only end.
    ///
    /// # Errors
    /// Those of the end; `Lost` where there was none.
    pub fn only(mut self) -> Result<Ended, LostLease> {
        self.ended.pop().unwrap_or(Err(LostLease::Lost))
    }
}

/// The caller no longer holds the job: its lease ended, or the job was cancelled or removed. Its result was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LostLease {
    /// Somebody else's business now.
    #[error("the lease is lost")]
    Lost,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// All jobs: the truth about them. Leases and due times follow `now`, which callers take from the store's clock.
///
/// Inserting, completing and failing are durable when they return. Claims, heartbeats and progress need not be: their loss means a second delivery.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Inserts jobs by their ids, numbering them in this order; one commit. Safe to repeat: a known id changes nothing, even when its job was removed
    /// within the last day. A job whose unique key a live job has is not inserted, also when that one stands before it in `jobs`.
    async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>>;

    /// Claims the next eligible jobs: by priority, then of the user with the fewest active jobs of the type, then of the one who was served with the type
    /// longest ago, where those who were not served within [`SERVED_KEPT`] come first, then by number. Jobs without a user are one user's. A turn counts when the
    /// job is begun, whatever becomes of it. Callers that claim at the same moment may see the same user as next; what they begin counts for all.
    ///
    /// One claim brings no more jobs once those that it has have more than [`JobPage::MOST_BYTES`](super::JobPage::MOST_BYTES) of data, progress and errors.
    ///
    /// No job is ever claimed twice at once, by any number of callers. Types that are paused bring nothing to claims that begin after the pause was
    /// answered; of a type with a rate limit no more jobs are begun than it says.
    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> PortResult<Claims>;

    /// Renews a lease.
    ///
    /// # Errors
    /// `Lost`.
    async fn heartbeat(
        &self,
        holder: LeaseHolder,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Timestamp, LostLease>;

    /// Sets the progress (0 to 100) and what goes with it, and renews the attempt's time to live.
    ///
    /// # Errors
    /// `Lost`.
    async fn progress(
        &self,
        holder: LeaseHolder,
        percent: u8,
        data: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease>;

    /// Adds a line to the job's log, cut to 4 KiB; a job keeps its last 1,000 lines.
    ///
    /// # Errors
    /// `Lost`.
    async fn log(&self, holder: LeaseHolder, line: &str, now: Timestamp) -> Result<(), LostLease>;

    /// The job's log, oldest first.
    async fn list_log(&self, job: JobId) -> PortResult<Vec<(Timestamp, String)>>;

    /// Completes a job, and removes it if it was made so. Waiting callers share one sync.
    ///
    /// # Errors
    /// `Lost`.
    async fn complete(
        &self,
        holder: LeaseHolder,
        result: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease>;

    /// Ends an attempt: `delayed` until its backoff has passed, or `failed`.
    ///
    /// # Errors
    /// `Lost`.
    async fn fail(
        &self,
        holder: LeaseHolder,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailOutcome, LostLease>;

    /// Ends several attempts, each as [`JobStore::complete`] or [`JobStore::fail`] would and for itself. Then claims, if that is asked for: a program
    /// that has places again needs one call and not two. Stores that have commits of several jobs use one for all of it.
    ///
    /// # Errors
    /// As the store, where nothing of it was taken. A claim that fails behind ends that were taken says so in its own place.
    async fn end(
        &self,
        ends: &[AttemptEnd],
        claim: Option<&ClaimRequest>,
        now: Timestamp,
    ) -> PortResult<EndsTaken> {
        let ended = join_all(ends.iter().map(|AttemptEnd { holder, ending }| async move {
            match ending {
                Ending::Complete(result) => {
                    self.complete(*holder, result.as_ref(), now).await.map(|()| Ended::Complete)
                }
                Ending::Failed(failure) => self.fail(*holder, failure, now).await.map(Ended::Failed),
            }
        }))
        .await;
        let claims = match claim {
            Some(request) => self.claim(request, now).await,
            None => Ok(Claims::default()),
        };
        Ok(EndsTaken { ended, claims })
    }

    /// Gives a claimed job back untouched, as at shut-down: `inactive`, the attempt not counted.
    ///
    /// # Errors
    /// `Lost`.
    async fn give_back(&self, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease>;

    /// Makes due jobs ready; their types, for the doorbell. Exactly once for each, however many call.
    async fn promote_due(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>>;

    /// When the next delayed job is due.
    async fn next_due(&self) -> PortResult<Option<Timestamp>>;

    /// Takes jobs whose lease or time to live ended from their workers: a failed attempt ("lease lost" or "TTL exceeded"), with its backoff or end. Their types.
    async fn reap(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>>;

    /// Which of these ids the store has, or had within the last day.
    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>>;

    /// The job with this id.
    async fn find(&self, id: JobId) -> PortResult<Option<Job>>;

    /// Removes jobs that finished before `before` in this state; how many. Their ids stay known for a day.
    async fn remove_finished(
        &self,
        state: JobState,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<u32>;

    /// Answers if the store can read and write.
    async fn ping(&self) -> PortResult<()>;
}
