//! Jobs come, are promoted, and are removed.

use std::time::Duration;

use common::jobs::{InsertOutcome, JobState, NewJob};
use common::{JobId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::job::{state_number, to_json, user_bytes};
use super::moves::{Moves, PLACE_COLUMNS, Place};
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

/// How long ids of removed jobs stay known: longer than any relay or broker holds a job.
const KNOWN_FOR: Duration = Duration::from_secs(86_400);

/// Ids that are forgotten in one go.
const FORGET: u32 = 500;

pub(super) fn insert(tx: &Tx<'_>, jobs: &[NewJob], now: Timestamp) -> rusqlite::Result<Vec<InsertOutcome>> {
    let mut moves = Moves::new(tx);
    let outcomes = jobs.iter().map(|job| insert_one(tx, job, now, &mut moves)).collect::<Result<_, _>>()?;
    moves.finish()?;
    Ok(outcomes)
}

fn insert_one(
    tx: &Tx<'_>,
    job: &NewJob,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<InsertOutcome> {
    if is_removed(tx, job.id, now)? {
        return Ok(InsertOutcome::Known);
    }
    let due_at = job.run_at.filter(|run_at| *run_at > now);
    let state = if due_at.is_some() { JobState::Delayed } else { JobState::Inactive };
    let number = tx
        .prepare_cached(
            "INSERT INTO jobs (id, type, data, priority, user, max_attempts, backoff, ttl_ms, run_at, created_at, request_id, trace,
                               state, inserted_at, updated_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15)
             ON CONFLICT (id) DO NOTHING RETURNING number",
        )?
        .query_row(
            (
                job.id.bytes(),
                &job.kind,
                to_json(&job.data)?,
                job.priority.0,
                user_bytes(job.user.as_ref()),
                job.max_attempts,
                to_json(&job.backoff)?,
                int(job.ttl_ms),
                job.run_at.map(Timestamp::millis),
                job.created_at.millis(),
                &job.request_id,
                job.trace.map(|trace| trace.to_string()),
                state_number(state),
                now.millis(),
                due_at.map(Timestamp::millis),
            ),
            |row| row.count(0),
        )
        .optional()?;
    let Some(number) = number else { return Ok(InsertOutcome::Known) };
    let place = Place { number, kind: job.kind.clone(), priority: job.priority.0, user: job.user };
    moves.enter(&place, state)?;
    Ok(InsertOutcome::Inserted)
}

fn is_removed(tx: &Tx<'_>, id: JobId, now: Timestamp) -> rusqlite::Result<bool> {
    let removed = tx
        .prepare_cached("SELECT at FROM removed WHERE id = ?1")?
        .query_row([id.bytes()], |row| row.time_opt(0))
        .optional()?;
    let Some(at) = removed else { return Ok(false) };
    if at.is_none_or(|at| at + KNOWN_FOR > now) {
        return Ok(true);
    }
    tx.prepare_cached("DELETE FROM removed WHERE id = ?1")?.execute([id.bytes()])?;
    Ok(false)
}

pub(super) fn known(connection: &Connection, ids: &[JobId]) -> rusqlite::Result<Vec<JobId>> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1) OR EXISTS (SELECT 1 FROM removed WHERE id = ?1)",
    )?;
    let mut known = Vec::new();
    for id in ids {
        if select.query_row([id.bytes()], |row| row.get(0))? {
            known.push(*id);
        }
    }
    Ok(known)
}

pub(super) fn promote_due(tx: &Tx<'_>, limit: u32, now: Timestamp) -> rusqlite::Result<Vec<String>> {
    forget_removed(tx, now)?;
    let due: Vec<Place> = tx
        .prepare_cached(&format!(
            "SELECT {PLACE_COLUMNS} FROM jobs INDEXED BY jobs_due WHERE state = 4 AND due_at <= ?1 ORDER BY due_at LIMIT ?2"
        ))?
        .query_map((now.millis(), limit), Place::read)?
        .collect::<Result<_, _>>()?;
    let mut moves = Moves::new(tx);
    for place in &due {
        tx.prepare_cached("UPDATE jobs SET state = 0, due_at = NULL, updated_at = ?2 WHERE number = ?1")?
            .execute((int(place.number), now.millis()))?;
        moves.change(place, JobState::Delayed, JobState::Inactive)?;
    }
    moves.finish()?;
    Ok(due.into_iter().map(|place| place.kind).collect())
}

/// Notes since when ids are removed, and forgets those that were long enough.
fn forget_removed(tx: &Tx<'_>, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE removed SET at = ?1 WHERE at IS NULL")?.execute([now.millis()])?;
    tx.prepare_cached("DELETE FROM removed WHERE id IN (SELECT id FROM removed WHERE at <= ?1 LIMIT ?2)")?
        .execute(((now - KNOWN_FOR).millis(), FORGET))
        .map(drop)
}

pub(super) fn next_due(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT min(due_at) FROM jobs INDEXED BY jobs_due WHERE state = 4")?
        .query_row([], |row| row.time_opt(0))
}

/// Tries a job again from its first attempt. None if there is no such job, false if its state does not allow it.
pub(super) fn retry(tx: &Tx<'_>, id: JobId, now: Timestamp) -> rusqlite::Result<Option<bool>> {
    let found = tx
        .prepare_cached(&format!("SELECT {PLACE_COLUMNS}, state FROM jobs WHERE id = ?1"))?
        .query_row([id.bytes()], |row| Ok((Place::read(row)?, super::job::state(row, 4)?)))
        .optional()?;
    let Some((place, state)) = found else { return Ok(None) };
    if !matches!(state, JobState::Failed | JobState::Cancelled) {
        return Ok(Some(false));
    }
    tx.prepare_cached(
        "UPDATE jobs SET state = 0, progress = 0, result = NULL, error = NULL, attempts_made = 0, failures = '[]', started_at = NULL,
                         finished_at = NULL, worker = NULL, updated_at = ?2
         WHERE number = ?1",
    )?
    .execute((int(place.number), now.millis()))?;
    let mut moves = Moves::new(tx);
    moves.change(&place, state, JobState::Inactive)?;
    moves.finish()?;
    Ok(Some(true))
}

pub(super) fn remove_finished(
    tx: &Tx<'_>,
    state: JobState,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<u32> {
    let finished: Vec<Place> = tx
        .prepare_cached(&format!(
            "SELECT {PLACE_COLUMNS} FROM jobs INDEXED BY jobs_finished
             WHERE state = ?1 AND finished_at IS NOT NULL AND finished_at < ?2 ORDER BY finished_at LIMIT ?3"
        ))?
        .query_map((state_number(state), before.millis(), limit), Place::read)?
        .collect::<Result<_, _>>()?;
    let mut moves = Moves::new(tx);
    let mut removed = 0;
    for place in &finished {
        let number = int(place.number);
        tx.prepare_cached(
            "INSERT OR IGNORE INTO removed (id, at) SELECT id, NULL FROM jobs WHERE number = ?1",
        )?
        .execute([number])?;
        tx.prepare_cached("DELETE FROM job_log WHERE number = ?1")?.execute([number])?;
        tx.prepare_cached("DELETE FROM jobs WHERE number = ?1")?.execute([number])?;
        moves.leave(place, state)?;
        removed += 1;
    }
    moves.finish()?;
    Ok(removed)
}

/// Lines that a job keeps, and the longest line.
const LOG_LINES: i64 = 1000;
const LOG_LINE_BYTES: usize = 4096;

pub(super) fn log(tx: &Tx<'_>, id: JobId, line: &str, now: Timestamp) -> rusqlite::Result<()> {
    let mut end = line.len().min(LOG_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let written = tx
        .prepare_cached(
            "INSERT INTO job_log (number, seq, at, line)
             SELECT number, coalesce((SELECT max(seq) FROM job_log l WHERE l.number = jobs.number), 0) + 1, ?2, ?3
             FROM jobs WHERE id = ?1 RETURNING number, seq",
        )?
        .query_row((id.bytes(), now.millis(), &line[..end]), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    if let Some((number, seq)) = written {
        tx.prepare_cached("DELETE FROM job_log WHERE number = ?1 AND seq <= ?2")?
            .execute((number, seq - LOG_LINES))?;
    }
    Ok(())
}

pub(super) fn list_log(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<(Timestamp, String)>> {
    connection
        .prepare_cached("SELECT l.at, l.line FROM jobs j JOIN job_log l ON l.number = j.number WHERE j.id = ?1 ORDER BY l.seq")?
        .query_map([id.bytes()], |row| Ok((row.time(0)?, row.get(1)?)))?
        .collect()
}
