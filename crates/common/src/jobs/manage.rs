use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::{Job, JobState, Priority};
use crate::error::{PortError, PortResult};
use crate::{JobId, Timestamp, UserId};

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only this user's.
    pub user: Option<UserId>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only with all of these words in type or data, whatever their case and accents; the last one may be the beginning of a word.
    pub text: Option<String>,
    /// Only those that the store got at this time or later.
    pub from: Option<Timestamp>,
    /// Only those that the store got before this time.
    pub until: Option<Timestamp>,
}

/// By the store's numbers, which is by arrival.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JobOrder {
    /// Oldest first.
    Ascending,
    /// Newest first.
    #[default]
    Descending,
}

/// A page of a list of jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<Job>,
    /// Others come after them.
    pub more: bool,
}

impl JobPage {
    /// Bytes of data, results, progress and errors that a page has at most, unless its first job has more: as many jobs as a page may have would be hundreds of
    /// megabytes.
    pub const MOST_BYTES: usize = 4 * 1024 * 1024;
}

/// How full a page is, for stores.
#[derive(Debug, Default)]
pub struct PageBytes(usize);

impl PageBytes {
    /// Whether a job with so many bytes of data, result, progress and errors is still on the page.
    pub fn takes(&mut self, bytes: usize) -> bool {
        let is_first = self.0 == 0;
        self.0 = self.0.saturating_add(bytes.max(1));
        is_first || self.0 <= JobPage::MOST_BYTES
    }

    /// Whether no more is on the page, since there was one that it did not take, or that went beyond it.
    pub fn is_full(&self) -> bool {
        self.0 > JobPage::MOST_BYTES
    }
}

/// How many jobs are in each state.
pub type JobCounts = BTreeMap<JobState, u64>;

/// How old figures of jobs that have ended may be, where each count looks at all of them: see [`JobAdmin::depths`], [`JobAdmin::types`] and
/// [`JobAdmin::total`].
pub const ENDED_COUNTED_EVERY: Duration = Duration::from_secs(300);

/// Up to so many jobs are counted exactly whenever figures are asked for: that takes some milliseconds. Of more, see [`ENDED_COUNTED_EVERY`].
pub const COUNTED_EXACTLY: u64 = 10_000;

/// What can be done with a job from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobChange {
    /// A live job gets another priority, and with it another place in the line.
    Priority(Priority),
    /// A `delayed` job is ready now.
    Promote,
    /// A live job is `cancelled`; whoever works it loses the lease.
    Cancel,
    /// As `Cancel`, but an `active` job stays as it is.
    CancelIdle,
    /// A `failed` or `cancelled` job is ready again, as if it had never been tried; its log stays.
    Retry,
}

/// A job that stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeJobError {
    /// There is no such job.
    #[error("there is no such job")]
    NotFound,
    /// A job in this state cannot be changed so.
    #[error("the job is {}", .0.word())]
    State(JobState),
    /// This live job has its unique key now.
    #[error("another job has its unique key")]
    Taken(JobId),
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What [`JobAdmin::retry_dead`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetriedDead {
    /// So many are ready again.
    pub retried: u32,
    /// So many were left, since another live job has their unique key.
    pub left: u32,
    /// Where to go on; none at the end.
    pub next: Option<u64>,
}

/// At most `max` jobs are begun within a window of `per`, which begins with the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeLimit {
    /// From 1.
    pub max: u32,
    /// From 1 ms.
    pub per: Duration,
}

/// A type of jobs: one that has jobs, had some, or has settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobType {
    /// Its name.
    pub kind: String,
    /// How many jobs are in each state.
    pub counts: JobCounts,
    /// Its jobs wait, whatever all types do.
    pub paused: bool,
    /// How many may begin.
    pub limit: Option<TypeLimit>,
    /// How long attempts that completed a job took, in all, since ever.
    pub work_time: Duration,
}

impl JobType {
    /// A type without jobs and settings.
    pub fn new(kind: String) -> Self {
        let counts = JobState::ALL.into_iter().map(|state| (state, 0)).collect();
        Self { kind, counts, paused: false, limit: None, work_time: Duration::ZERO }
    }
}

/// Whether a type is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeUse {
    /// It has no jobs, and none of it was ever completed.
    Never,
    /// It has, or had, jobs, none of which is live.
    Before,
    /// It has live jobs.
    Live,
}

/// All types, and whether all of them wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobTypes {
    /// In the order of their names.
    pub types: Vec<JobType>,
    /// Everything waits.
    pub paused: bool,
}

/// What ended within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobMinute {
    /// Its beginning.
    pub at: Timestamp,
    /// Jobs that were completed.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// How long the completed ones had been ready before their attempt, in all.
    pub waited: Duration,
    /// How long these attempts took, in all.
    pub worked: Duration,
}

/// Jobs as people look after them. Changes are durable when they return.
#[async_trait]
pub trait JobAdmin: Send + Sync {
    /// A page of jobs; `after` is the last number of the page before. It has up to `limit` jobs, and ends before the one with which it would have more than
    /// [`JobPage::MOST_BYTES`].
    ///
    /// What is searched for by text is found once [`JobAdmin::index_text`] has seen it.
    async fn list(
        &self,
        filter: &JobFilter,
        order: JobOrder,
        after: Option<u64>,
        limit: u32,
    ) -> PortResult<JobPage>;

    /// How many jobs the filter lets through. None for texts and times, and for more than [`COUNTED_EXACTLY`] jobs of one user, where they would have to be
    /// counted; of more jobs of anybody's, those that have ended may be as many as there were [`ENDED_COUNTED_EVERY`] ago.
    async fn total(&self, filter: &JobFilter) -> PortResult<Option<u64>>;

    /// Counts by state, of one user or of all, from counters or an index. Exact, but for more than [`COUNTED_EXACTLY`] jobs of one user where they would have
    /// to be counted: then at most so many in each state.
    async fn counts(&self, user: Option<UserId>) -> PortResult<JobCounts>;

    /// Counts by state of all jobs, for figures that are asked for every few seconds: those of live jobs are exact, and those of jobs that have ended may be
    /// [`ENDED_COUNTED_EVERY`] old where each count looks at all of them.
    async fn depths(&self, now: Timestamp) -> PortResult<JobCounts>;

    /// Changes a job; how it is then. Of two that exclude one another one succeeds.
    ///
    /// # Errors
    /// [`ChangeJobError`]
    async fn change(&self, id: JobId, change: JobChange, now: Timestamp) -> Result<Job, ChangeJobError>;

    /// Removes a job that is not `active`, with its log. Its id stays known for a day.
    ///
    /// # Errors
    /// `NotFound`; `State` if it is active.
    async fn remove(&self, id: JobId, now: Timestamp) -> Result<(), ChangeJobError>;

    /// Has up to `limit` failed jobs (of one type or of all) tried again as by [`JobChange::Retry`], by ascending numbers after `after`.
    async fn retry_dead(
        &self,
        kind: Option<&str>,
        after: Option<u64>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<RetriedDead>;

    /// All types with their counts and settings, or the one of this name, if there is such a type. Counts of live jobs are exact; where more than
    /// [`COUNTED_EXACTLY`] of these jobs have ended, their counts may be [`ENDED_COUNTED_EVERY`] old.
    async fn types(&self, only: Option<&str>) -> PortResult<JobTypes>;

    /// The names of all types, in no order. Costs as much as there are types, however many jobs there are.
    async fn type_names(&self) -> PortResult<Vec<String>>;

    /// Whether a type is used, exactly. Looks at some jobs at most, however many there are.
    async fn type_use(&self, kind: &str) -> PortResult<TypeUse>;

    /// Pauses or resumes a type, or all (which leaves alone what single types were told). Survives restarts. Safe to repeat.
    async fn set_paused(&self, kind: Option<&str>, paused: bool) -> PortResult<()>;

    /// Sets or lifts the rate limit of a type, and begins to count anew.
    async fn set_type_limit(&self, kind: &str, limit: Option<TypeLimit>) -> PortResult<()>;

    /// What ended in each minute from `since` on (of one type or of all), oldest first, minutes without anything left out. Kept for two days.
    /// A crash may lose some of it.
    async fn history(&self, kind: Option<&str>, since: Timestamp) -> PortResult<Vec<JobMinute>>;

    /// Brings up to `limit` jobs into the index of texts; how many. Zero when all are.
    async fn index_text(&self, limit: u32) -> PortResult<u32>;
}
