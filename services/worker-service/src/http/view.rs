//! Jobs as JSON.

use common::Timestamp;
use common::jobs::{Backoff, Job as StoredJob, JobCounts, JobState as State, short_error, types};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A background job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    /// Its id.
    #[schema(example = "5f1e8896c7ba06511e683b25")]
    id: String,
    /// What it does.
    #[serde(rename = "type")]
    #[schema(example = "thumbnails")]
    kind: String,
    /// Where it is in its life.
    #[schema(value_type = JobState)]
    state: State,
    /// How urgent it is: lower is sooner. Low 10, normal 0, medium -5, high -10, critical -15.
    priority: i32,
    /// How far it has come, 0 to 100.
    #[schema(maximum = 100)]
    progress: u8,
    /// What its worker said with the last progress.
    #[schema(value_type = Option<Object>, required)]
    progress_data: Option<Value>,
    /// What it is about, such as `fileId`.
    #[schema(value_type = Object)]
    data: Value,
    /// What it gave.
    #[schema(value_type = Option<Object>, required)]
    result: Option<Value>,
    /// Why its last attempt failed, if one did: to administrators and to its worker as that was reported, to its owner in a line, without a stack.
    #[schema(required)]
    error: Option<String>,
    /// How often it was tried.
    attempts: Attempts,
    /// The attempts that failed, oldest first.
    failures: Vec<Failure>,
    /// How long it waits between attempts.
    #[schema(value_type = JobBackoff)]
    backoff: Backoff,
    /// Longest time that an attempt may be active without progress, in milliseconds.
    ttl_ms: u64,
    /// How long after it was made it became ready, in milliseconds, if it was told to wait.
    #[schema(required)]
    delay_ms: Option<u64>,
    /// No two live jobs have the same one.
    #[schema(required)]
    unique_key: Option<String>,
    /// It is removed when it is complete.
    remove_on_complete: bool,
    /// Whose it is, if anybody's.
    #[schema(required)]
    user_id: Option<String>,
    /// Who works it, or did last.
    #[schema(required)]
    worker_id: Option<String>,
    /// The request that caused it.
    #[schema(required)]
    request_id: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its last attempt began.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    started_at: Option<Timestamp>,
    /// When anything of it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When its last attempt that failed did.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    failed_at: Option<Timestamp>,
    /// When it becomes ready, while it is delayed.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    promote_at: Option<Timestamp>,
    /// When it was complete, failed for good, or was called off.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    finished_at: Option<Timestamp>,
    /// How long its last attempt took, in milliseconds, when it is over.
    #[schema(required)]
    duration_ms: Option<u64>,
}

/// How often a job was tried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobAttempts)]
pub(super) struct Attempts {
    /// Begun so far, but for those that ended since what the job needs was away.
    made: u32,
    /// Left.
    remaining: u32,
    /// In all.
    max: u32,
}

/// An attempt that failed. The last one may be one that does not count, since what the job needs is away.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobFailure)]
pub(super) struct Failure {
    /// Counts from 1.
    number: u32,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why it failed.
    error: String,
}

/// Where a job is in its life.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the words of the domain's type, which knows no HTTP")]
pub(super) enum JobState {
    Inactive,
    Active,
    Complete,
    Failed,
    Delayed,
    Cancelled,
}

/// How long a job waits between attempts.
#[derive(ToSchema, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[expect(dead_code, reason = "documents the domain's type, which knows no HTTP")]
pub(super) enum JobBackoff {
    /// Not at all.
    None,
    /// Always as long.
    Fixed {
        /// Milliseconds.
        // each by itself: the document's maker does not read `rename_all_fields`
        #[serde(rename = "delayMs")]
        delay_ms: u64,
    },
    /// Twice as long each time.
    Exponential {
        /// Milliseconds before the second attempt.
        #[serde(rename = "delayMs")]
        delay_ms: u64,
        /// At most so many milliseconds.
        #[serde(rename = "maxDelayMs")]
        max_delay_ms: u64,
    },
}

/// How many jobs are in each state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobSummary {
    inactive: u64,
    active: u64,
    complete: u64,
    failed: u64,
    delayed: u64,
    cancelled: u64,
}

impl From<StoredJob> for Job {
    fn from(job: StoredJob) -> Self {
        let StoredJob { spec, attempts_made: made, failures, .. } = job;
        let mut data = spec.data;
        if let Value::Object(members) = &mut data
            && types::BUILT_IN.contains(&&*spec.kind)
        {
            // where a content lies is nobody's business
            members.remove("blob");
        }
        let max = spec.max_attempts;
        let delay = spec.run_at.map(|at| at.since(spec.created_at));
        let took = job.finished_at.zip(job.started_at).map(|(end, start)| end.since(start));
        Self {
            id: spec.id.to_string(),
            kind: spec.kind,
            state: job.state,
            priority: spec.priority.0,
            progress: job.progress,
            progress_data: job.progress_data,
            data,
            result: job.result,
            error: job.error,
            attempts: Attempts { made, remaining: max.saturating_sub(made), max },
            failed_at: failures.last().map(|attempt| attempt.at),
            failures: failures
                .into_iter()
                .map(|attempt| Failure { number: attempt.number, at: attempt.at, error: attempt.error })
                .collect(),
            backoff: spec.backoff,
            ttl_ms: spec.ttl_ms,
            delay_ms: delay.map(millis),
            unique_key: spec.unique_key,
            remove_on_complete: spec.remove_on_complete,
            user_id: spec.user.map(|user| user.to_string()),
            worker_id: job.worker,
            request_id: spec.request_id,
            created_at: spec.created_at,
            started_at: job.started_at,
            updated_at: job.updated_at,
            promote_at: job.due_at,
            finished_at: job.finished_at,
            duration_ms: took.map(millis),
        }
    }
}

impl Job {
    /// As its owner sees it: errors without stacks.
    pub(super) fn for_owner(job: StoredJob) -> Self {
        let mut shown = Self::from(job);
        if let Some(error) = &mut shown.error {
            *error = short_error(error);
        }
        for failure in &mut shown.failures {
            failure.error = short_error(&failure.error);
        }
        shown
    }
}

impl From<&JobCounts> for JobSummary {
    fn from(counts: &JobCounts) -> Self {
        let of = |state| counts.get(&state).copied().unwrap_or(0);
        Self {
            inactive: of(State::Inactive),
            active: of(State::Active),
            complete: of(State::Complete),
            failed: of(State::Failed),
            delayed: of(State::Delayed),
            cancelled: of(State::Cancelled),
        }
    }
}

/// Whole milliseconds.
pub(super) fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
