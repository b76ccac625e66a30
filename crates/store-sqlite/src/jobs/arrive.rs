//! Jobs come, are promoted, and are removed.

use std::time::Duration;

use common::jobs::{InsertOutcome, JobEventKind, JobState, NewJob};
use common::{JobId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::job::{state_number, to_json, user_bytes};
use super::moves::{Moves, PLACE_COLUMNS, Place};
use super::{history, turns};
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

/// How long ids of removed jobs stay known: longer than any relay or broker holds a job.
const KNOWN_FOR: Duration = Duration::from_secs(86_400);

/// Ids that are forgotten in one go.
const FORGET: u32 = 500;

pub(super) fn insert(tx: &Tx<'_>, jobs: &[NewJob], now: Timestamp) -> rusqlite::Result<Vec<InsertOutcome>> {
    let mut moves = Moves::new(tx);
    let outcomes = insert_by(tx, jobs, now, &mut moves)?;
    moves.finish()?;
    Ok(outcomes)
}

/// The same, together with others.
pub(super) fn insert_by(
    tx: &Tx<'_>,
    jobs: &[NewJob],
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<Vec<InsertOutcome>> {
    let mut any_removed = tx.prepare_cached("SELECT 1 FROM removed LIMIT 1")?.exists([])?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        let outcome = if any_removed && is_removed(tx, job.id, now)? {
            InsertOutcome::Known
        } else {
            insert_one(tx, job, now, moves)?
        };
        // its id is among the removed ones now
        any_removed |= matches!(outcome, InsertOutcome::Taken(_));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn insert_one(
    tx: &Tx<'_>,
    job: &NewJob,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<InsertOutcome> {
    if let Some(key) = &job.unique_key
        && let Some(holder) = holder_of(tx, key)?
    {
        if is_there(tx, job.id)? {
            return Ok(InsertOutcome::Known);
        }
        tx.prepare_cached("INSERT OR IGNORE INTO removed (id, at) VALUES (?1, ?2)")?
            .execute((job.id.bytes(), now.millis()))?;
        return Ok(InsertOutcome::Taken(holder));
    }
    let due_at = job.run_at.filter(|run_at| *run_at > now);
    let state = if due_at.is_some() { JobState::Delayed } else { JobState::Inactive };
    let inserted = tx
        .prepare_cached(
            "INSERT INTO jobs (id, type, data, priority, user, max_attempts, backoff, ttl_ms, run_at, created_at, request_id,
                               state, inserted_at, updated_at, due_at, trace, unique_key, remove_on_complete, ready_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16, ?17,
                     CASE WHEN ?14 IS NULL THEN ?13 END)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
                job.id.bytes(),
                job.kind,
                to_json(&job.data)?,
                job.priority.0,
                user_bytes(job.user.as_ref()),
                job.max_attempts,
                to_json(&job.backoff)?,
                int(job.ttl_ms),
                job.run_at.map(Timestamp::millis),
                job.created_at.millis(),
                job.request_id,
                state_number(state),
                now.millis(),
                due_at.map(Timestamp::millis),
                job.trace.map(|trace| trace.to_string()),
                job.unique_key,
                job.remove_on_complete,
        ])?;
    if inserted == 0 {
        return Ok(InsertOutcome::Known);
    }
    // the key of the row: `RETURNING` would make a table for it
    let number = tx.last_insert_rowid().unsigned_abs();
    let place =
        Place { number, id: job.id, kind: job.kind.clone(), priority: job.priority.0, user: job.user };
    moves.enter(&place, state)?;
    moves.tell(&place, JobEventKind::Enqueue, None, now)?;
    Ok(InsertOutcome::Inserted)
}

fn is_there(tx: &Tx<'_>, id: JobId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?.exists([id.bytes()])
}

/// The live job with this unique key.
pub(super) fn holder_of(tx: &Tx<'_>, key: &str) -> rusqlite::Result<Option<JobId>> {
    tx.prepare_cached("SELECT id FROM jobs INDEXED BY jobs_key WHERE unique_key = ?1 AND state IN (0, 1, 4)")?
        .query_row([key], |row| row.id(0))
        .optional()
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
    turns::forget(tx, now)?;
    history::forget(tx, now)?;
    let due: Vec<Place> = tx
        .prepare_cached(&format!(
            "SELECT {PLACE_COLUMNS} FROM jobs INDEXED BY jobs_due WHERE state = 4 AND due_at <= ?1 ORDER BY due_at LIMIT ?2"
        ))?
        .query_map((now.millis(), limit), Place::read)?
        .collect::<Result<_, _>>()?;
    let mut moves = Moves::new(tx);
    for place in &due {
        promote(tx, place, now, &mut moves)?;
    }
    moves.finish()?;
    Ok(due.into_iter().map(|place| place.kind).collect())
}

/// Makes a delayed job ready.
pub(super) fn promote(
    tx: &Tx<'_>,
    place: &Place,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE jobs SET state = 0, due_at = NULL, updated_at = ?2, ready_at = ?2 WHERE number = ?1",
    )?
    .execute((int(place.number), now.millis()))?;
    moves.change(place, JobState::Delayed, JobState::Inactive)?;
    moves.tell(place, JobEventKind::Promotion, None, now)
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

pub(super) fn list_log(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<(Timestamp, String)>> {
    connection
        .prepare_cached("SELECT l.at, l.line FROM jobs j JOIN job_log l ON l.number = j.number WHERE j.id = ?1 ORDER BY l.seq")?
        .query_map([id.bytes()], |row| Ok((row.time(0)?, row.get(1)?)))?
        .collect()
}
