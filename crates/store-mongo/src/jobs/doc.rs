//! The documents of jobs.

use common::jobs::{Attempt, Job, JobEventKind, JobState, NewJob, Priority};
use common::{JobId, Timestamp};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::schema::JOBS;
use super::tell::{self, Told};
use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, count, id, int};

pub(super) const fn state_number(state: JobState) -> i32 {
    match state {
        JobState::Inactive => 0,
        JobState::Active => 1,
        JobState::Complete => 2,
        JobState::Failed => 3,
        JobState::Delayed => 4,
        JobState::Cancelled => 5,
    }
}

/// The state of a job that was removed and has not told all of it: see `events.rs`. Nothing but its id is known of it.
pub(super) const GONE: i32 = 6;

/// What is read of a job: all but what may be long and only serves events and searches.
pub(super) fn seen() -> Document {
    doc! { "events": 0, "words": 0 }
}

/// Any state that a job can be seen in.
pub(super) fn any_state() -> Document {
    doc! { "$in": JobState::ALL.map(state_number).to_vec() }
}

/// States of jobs that may still be worked.
pub(super) fn live() -> Document {
    let live = JobState::ALL.into_iter().filter(|state| state.is_live());
    doc! { "$in": live.map(state_number).collect::<Vec<_>>() }
}

pub(super) fn read_state(number: i32) -> Result<JobState, Fault> {
    JobState::ALL
        .into_iter()
        .find(|state| state_number(*state) == number)
        .ok_or(Fault::Damaged("an unknown state of a job"))
}

/// Times to live beyond this are the same: a sum with the present stays far from the ends of the integers.
pub(super) const LONGEST_TTL_MS: i64 = 1_000_000_000_000_000;

/// A job. What only people read, or is read whole, is JSON text: it comes back as it went.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JobDoc {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    /// Arrival; never given twice.
    pub(super) number: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    data: String,
    pub(super) priority: i32,
    /// Null for nobody's.
    pub(super) user: Option<ObjectId>,
    pub(super) max_attempts: u32,
    backoff: String,
    ttl_ms: i64,
    run_at: Option<i64>,
    created_at: i64,
    request_id: Option<String>,
    /// A `traceparent`. Documents from before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(default)]
    pub(super) unique_key: Option<String>,
    #[serde(default)]
    remove_on_complete: bool,
    pub(super) state: i32,
    progress: u8,
    #[serde(default)]
    progress_data: Option<String>,
    result: Option<String>,
    error: Option<String>,
    pub(super) attempts_made: u32,
    failures: Vec<AttemptDoc>,
    inserted_at: i64,
    started_at: Option<i64>,
    updated_at: i64,
    finished_at: Option<i64>,
    /// Whether `finished_at` is a time: what the index of finished jobs goes by.
    finished: bool,
    worker: Option<String>,
    /// Of the last claim; 0 before the first one. The field has its name from when it counted the claims.
    #[serde(rename = "generation")]
    pub(super) mark: u64,
    lease_until: Option<i64>,
    ttl_until: Option<i64>,
    /// The earlier of both.
    ends_at: Option<i64>,
    due_at: Option<i64>,
    /// Since when it is or was ready: what its wait is counted from.
    #[serde(default)]
    pub(super) ready_at: Option<i64>,
    /// Lines that were ever logged.
    log_lines: i64,
    /// Whether its words are still to be brought into the index of texts.
    #[serde(default)]
    to_index: bool,
    /// How many of its events have their place.
    #[serde(default)]
    told: i64,
    /// Those that have not, oldest first.
    #[serde(default)]
    events: Vec<Told>,
    /// Whether there are any: what their index goes by.
    #[serde(default)]
    untold: bool,
    /// The time of the first of them.
    #[serde(default)]
    untold_since: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct AttemptDoc {
    number: u32,
    at: i64,
    error: String,
}

impl JobDoc {
    /// A job that arrives, and tells it: delayed until `due_at`, if there is one.
    pub(super) fn of(
        job: &NewJob,
        number: u64,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let state = if due_at.is_some() { JobState::Delayed } else { JobState::Inactive };
        Ok(Self {
            id: job.id.oid(),
            number,
            kind: job.kind.clone(),
            data: to_json(&job.data)?,
            priority: job.priority.0,
            user: job.user.map(|user| user.oid()),
            max_attempts: job.max_attempts,
            backoff: to_json(&job.backoff)?,
            ttl_ms: int(job.ttl_ms),
            run_at: job.run_at.map(Timestamp::millis),
            created_at: job.created_at.millis(),
            request_id: job.request_id.clone(),
            trace: job.trace.map(|trace| trace.to_string()),
            unique_key: job.unique_key.clone(),
            remove_on_complete: job.remove_on_complete,
            state: state_number(state),
            progress: 0,
            progress_data: None,
            result: None,
            error: None,
            attempts_made: 0,
            failures: Vec::new(),
            inserted_at: now.millis(),
            started_at: None,
            updated_at: now.millis(),
            finished_at: None,
            finished: false,
            worker: None,
            mark: 0,
            lease_until: None,
            ttl_until: None,
            ends_at: None,
            due_at: due_at.map(Timestamp::millis),
            ready_at: due_at.is_none().then_some(now.millis()),
            log_lines: 0,
            to_index: true,
            told: 0,
            events: vec![Told::plain(JobEventKind::Enqueue, now)],
            untold: true,
            untold_since: now.millis(),
        })
    }

    /// A job that is kept as it was in another store, ready or delayed, and arrives here.
    pub(super) fn as_it_was(job: &Job, number: u64, log_lines: u64) -> Result<Self, Fault> {
        let failures = job.failures.iter().map(|attempt| AttemptDoc {
            number: attempt.number,
            at: attempt.at.millis(),
            error: attempt.error.clone(),
        });
        Ok(Self {
            state: state_number(job.state),
            progress: job.progress,
            progress_data: job.progress_data.as_ref().map(to_json).transpose()?,
            result: job.result.as_ref().map(to_json).transpose()?,
            error: job.error.clone(),
            attempts_made: job.attempts_made,
            failures: failures.collect(),
            inserted_at: job.inserted_at.millis(),
            started_at: job.started_at.map(Timestamp::millis),
            log_lines: int(log_lines),
            ..Self::of(&job.spec, number, job.due_at, job.updated_at)?
        })
    }

    pub(super) fn state(&self) -> Result<JobState, Fault> {
        read_state(self.state)
    }

    /// Begins an attempt; the change that this is. `mark` tells it from all others, also where its answer is lost.
    pub(super) fn begin(
        &mut self,
        worker: &str,
        mark: u64,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Document {
        let ttl_until = now.millis() + self.ttl_ms.min(LONGEST_TTL_MS);
        self.state = state_number(JobState::Active);
        self.attempts_made += 1;
        self.mark = mark;
        self.progress = 0;
        self.started_at = Some(now.millis());
        self.updated_at = now.millis();
        self.worker = Some(worker.to_owned());
        let begun = doc! {
            "state": self.state, "attempts_made": self.attempts_made, "generation": int(mark), "progress": 0,
            "started_at": now.millis(), "updated_at": now.millis(), "worker": worker,
            "lease_until": lease_until.millis(), "ttl_until": ttl_until, "ends_at": ttl_until.min(lease_until.millis()),
        };
        tell::with(doc! { "$set": begun }, Told::plain(JobEventKind::Start, now))
    }

    pub(super) fn read(self) -> Result<Job, Fault> {
        let failures = self.failures.into_iter().map(|attempt| Attempt {
            number: attempt.number,
            at: Timestamp::from_millis(attempt.at),
            error: attempt.error,
        });
        Ok(Job {
            spec: NewJob {
                id: id::<JobId>(self.id),
                kind: self.kind,
                data: from_json(&self.data)?,
                priority: Priority(self.priority),
                user: self.user.map(id),
                max_attempts: self.max_attempts,
                backoff: from_json(&self.backoff)?,
                ttl_ms: count(self.ttl_ms)?,
                run_at: self.run_at.map(Timestamp::from_millis),
                created_at: Timestamp::from_millis(self.created_at),
                request_id: self.request_id,
                // no job may fail for its trace
                trace: self.trace.and_then(|trace| trace.parse().ok()),
                unique_key: self.unique_key,
                remove_on_complete: self.remove_on_complete,
            },
            number: self.number,
            state: read_state(self.state)?,
            progress: self.progress,
            progress_data: self.progress_data.as_deref().map(from_json).transpose()?,
            result: self.result.as_deref().map(from_json).transpose()?,
            error: self.error,
            attempts_made: self.attempts_made,
            failures: failures.collect(),
            inserted_at: Timestamp::from_millis(self.inserted_at),
            started_at: self.started_at.map(Timestamp::from_millis),
            updated_at: Timestamp::from_millis(self.updated_at),
            due_at: self.due_at.map(Timestamp::from_millis),
            finished_at: self.finished_at.map(Timestamp::from_millis),
            worker: self.worker,
        })
    }

    /// Bytes of what may be long: data, result, error, failures, and data of the progress.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.result, &self.error, &self.progress_data].into_iter().flatten();
        let failures = self.failures.iter().map(|attempt| &attempt.error);
        texts.chain(failures).chain([&self.data]).map(String::len).sum()
    }
}

/// What of a job decides its place in the order: what many jobs at once are read by, since the rest of each may be long.
#[derive(Debug, Deserialize)]
pub(super) struct Placed {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) number: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) priority: i32,
    pub(super) user: Option<ObjectId>,
    #[serde(default)]
    pub(super) unique_key: Option<String>,
}

impl Placed {
    pub(super) fn fields() -> Document {
        doc! { "number": 1, "type": 1, "priority": 1, "user": 1, "unique_key": 1 }
    }
}

/// A job that has a place in the order.
pub(super) trait InOrder {
    /// Its type, priority, user and number.
    fn place(&self) -> (&str, i32, Option<ObjectId>, u64);
}

impl InOrder for Placed {
    fn place(&self) -> (&str, i32, Option<ObjectId>, u64) {
        (&self.kind, self.priority, self.user, self.number)
    }
}

impl InOrder for JobDoc {
    fn place(&self) -> (&str, i32, Option<ObjectId>, u64) {
        (&self.kind, self.priority, self.user, self.number)
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_| Fault::Damaged("a job does not become JSON"))
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Damaged("a job whose JSON cannot be read"))
}

pub(super) async fn find(engine: &Engine, id: JobId) -> Result<Option<Job>, Fault> {
    let there = doc! { "_id": id.oid(), "state": any_state() };
    let found = engine.collection::<JobDoc>(JOBS).find_one(there).projection(seen()).await?;
    found.map(JobDoc::read).transpose()
}
