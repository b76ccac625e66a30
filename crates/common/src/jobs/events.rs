use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::PortResult;
use crate::{JobId, Timestamp, UserId};

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobEventKind {
    /// It came, or was told to be tried again.
    Enqueue,
    /// An attempt began.
    Start,
    /// Its delay is over: it is ready.
    Promotion,
    /// Its worker reported progress; data: `{progress, data}`.
    Progress,
    /// An attempt failed, and another one follows; data: `{error, attempt}`.
    FailedAttempt,
    /// It is given up; data: `{error, attempt}`.
    Failed,
    /// It is done; data: `{result}`.
    Complete,
    /// It was called off.
    Cancel,
    /// It has another priority; data: `{priority}`.
    Priority,
    /// Its worker gave it back untouched: it is ready again.
    Return,
    /// It is gone.
    Remove,
}

impl JobEventKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Enqueue,
        Self::Start,
        Self::Promotion,
        Self::Progress,
        Self::FailedAttempt,
        Self::Failed,
        Self::Complete,
        Self::Cancel,
        Self::Priority,
        Self::Return,
        Self::Remove,
    ];

    /// Those after which a job is worked no more.
    pub const ENDS: [Self; 2] = [Self::Failed, Self::Complete];

    /// The word in stores and streams.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Start => "start",
            Self::Promotion => "promotion",
            Self::Progress => "progress",
            Self::FailedAttempt => "failed-attempt",
            Self::Failed => "failed",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::Priority => "priority",
            Self::Return => "return",
            Self::Remove => "remove",
        }
    }

    /// Reads [`JobEventKind::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    /// Its place in the order of all events, from 1; nothing with a smaller one comes later.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Which job.
    pub job: JobId,
    /// Its type.
    pub kind: String,
    /// Whose it is, if anybody's.
    pub user: Option<UserId>,
    /// What happened.
    pub event: JobEventKind,
    /// More about it, as [`JobEventKind`] says.
    pub data: Option<Value>,
}

/// Whose events to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobEventFilter {
    /// Of this user's jobs.
    pub user: Option<UserId>,
    /// Of this job.
    pub job: Option<JobId>,
    /// Of this type.
    pub kind: Option<String>,
    /// Only what says how a job ended: `complete` and `failed`.
    pub only_ends: bool,
}

impl JobEventFilter {
    /// Whether it lets this one through.
    pub fn passes(&self, event: &JobEvent) -> bool {
        self.user.is_none_or(|user| event.user == Some(user))
            && self.job.is_none_or(|job| event.job == job)
            && self.kind.as_ref().is_none_or(|kind| event.kind == *kind)
            && (!self.only_ends || JobEventKind::ENDS.contains(&event.event))
    }
}

/// Events in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobEventPage {
    /// Those that the filter lets through.
    pub events: Vec<JobEvent>,
    /// Where to go on: all events up to here were looked at.
    pub last: u64,
    /// Events after the asked place have been forgotten: the reader has to look at the jobs themselves.
    pub gap: bool,
}

/// What happened to jobs, kept for a while so that readers can go on where they were. An event is written with the change that it tells of: a change that
/// was answered is told, one that failed is not.
#[async_trait]
pub trait JobEvents: Send + Sync {
    /// Up to `limit` events after `after`, oldest first.
    async fn events_after(&self, after: u64, filter: &JobEventFilter, limit: u32)
    -> PortResult<JobEventPage>;

    /// The place of the newest event; 0 if there was none.
    async fn last_event(&self) -> PortResult<u64>;

    /// Gives up to `limit` events that were written without one their place, where the store does that later; how many. Exactly once for each, however many call.
    async fn order_events(&self, limit: u32, now: Timestamp) -> PortResult<u32>;

    /// Forgets up to `limit` events from before `before`, oldest first; how many.
    async fn forget_events(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}
