//! The rows of jobs.

use common::jobs::{Job, JobState, NewJob, Priority};
use common::{JobId, TraceContext, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::damaged;
use crate::row::RowExt as _;

/// What [`job`] reads.
pub(super) const COLUMNS: &str = "number, id, type, data, priority, user, max_attempts, backoff, ttl_ms, run_at, created_at, \
     request_id, state, progress, result, error, attempts_made, failures, inserted_at, started_at, updated_at, finished_at, worker, trace, \
     unique_key, remove_on_complete, progress_data, due_at";

/// How many those are.
pub(super) const COLUMN_COUNT: usize = 28;

pub(super) const fn state_number(state: JobState) -> i64 {
    match state {
        JobState::Inactive => 0,
        JobState::Active => 1,
        JobState::Complete => 2,
        JobState::Failed => 3,
        JobState::Delayed => 4,
        JobState::Cancelled => 5,
    }
}

pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<JobState> {
    let number = row.get::<_, i64>(column)?;
    JobState::ALL
        .into_iter()
        .find(|state| state_number(*state) == number)
        .ok_or_else(|| damaged("an unknown state of a job"))
}

/// A user as the column has it: jobs without one belong to nobody, who counts as one user.
pub(super) fn user_bytes(user: Option<&UserId>) -> &[u8] {
    user.map_or(&[], |user| user.bytes())
}

pub(super) fn user(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UserId>> {
    if row.get_ref(column)?.as_blob()?.is_empty() { Ok(None) } else { row.id(column).map(Some) }
}

pub(super) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|_| damaged("a job whose JSON cannot be read"))
}

pub(super) fn from_json_opt<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(_) => from_json(row, column).map(Some),
        None => Ok(None),
    }
}

/// None as well if it cannot be read: no job may fail for its trace.
fn trace(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<TraceContext>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    Ok(text.and_then(|text| TraceContext::parse(text).ok()))
}

/// Reads a job from the columns of [`COLUMNS`].
pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        spec: NewJob {
            id: row.id(1)?,
            kind: row.get(2)?,
            data: from_json(row, 3)?,
            priority: Priority(row.get(4)?),
            user: user(row, 5)?,
            max_attempts: row.get(6)?,
            backoff: from_json(row, 7)?,
            ttl_ms: row.count(8)?,
            run_at: row.time_opt(9)?,
            created_at: row.time(10)?,
            request_id: row.get(11)?,
            trace: trace(row, 23)?,
            unique_key: row.get(24)?,
            remove_on_complete: row.get(25)?,
        },
        number: row.count(0)?,
        state: state(row, 12)?,
        progress: row.get(13)?,
        progress_data: from_json_opt(row, 26)?,
        result: from_json_opt(row, 14)?,
        error: row.get(15)?,
        attempts_made: row.get(16)?,
        failures: from_json(row, 17)?,
        inserted_at: row.time(18)?,
        started_at: row.time_opt(19)?,
        updated_at: row.time(20)?,
        finished_at: row.time_opt(21)?,
        due_at: row.time_opt(27)?,
        worker: row.get(22)?,
    })
}

/// Bytes of what may be long in these columns: data, result, error, failures, and data of the progress.
pub(super) fn bytes(row: &Row<'_>) -> rusqlite::Result<usize> {
    let length = |column: usize| -> rusqlite::Result<usize> {
        Ok(row.get_ref(column)?.as_str_or_null()?.map_or(0, str::len))
    };
    [3, 14, 15, 17, 26].into_iter().map(length).sum()
}

pub(super) fn find(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1"))?
        .query_row([id.bytes()], job)
        .optional()
}
