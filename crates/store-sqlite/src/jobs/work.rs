//! Claims and their results.

use std::time::Duration;

use common::Timestamp;
use common::jobs::{
    Attempt, Backoff, ClaimRequest, Claimed, FailOutcome, Failure, JobState, LeaseHolder, LostLease,
};
use rusqlite::{OptionalExtension as _, Row};
use serde_json::Value;

use super::job::{COLUMN_COUNT, COLUMNS, from_json, job, state_number, to_json};
use super::moves::{Moves, PLACE_COLUMNS, Place};
use crate::engine::{Tx, TxResult, damaged};
use crate::row::{RowExt as _, int};

/// Priority, active jobs of the user, number: the least is next.
type Turn = (i32, u64, u64);

pub(super) fn claim(tx: &Tx<'_>, request: &ClaimRequest, now: Timestamp) -> rusqlite::Result<Vec<Claimed>> {
    let mut moves = Moves::new(tx);
    let mut claimed = Vec::new();
    while claimed.len() < request.max as usize {
        let Some((_, _, number)) = next(tx, &request.types)? else { break };
        let lease_until = now + request.lease;
        let (job, generation) = tx
            .prepare_cached(&format!(
                "UPDATE jobs SET state = 1, attempts_made = attempts_made + 1, generation = generation + 1, progress = 0,
                                 lease_until = ?2, ttl_until = ?3 + ttl_ms, started_at = ?3, updated_at = ?3, worker = ?4
                 WHERE number = ?1 AND state = 0 RETURNING {COLUMNS}, generation"
            ))?
            .query_row((int(number), lease_until.millis(), now.millis(), &request.worker), |row| {
                Ok((job(row)?, row.count(COLUMN_COUNT)?))
            })
            .optional()?
            .ok_or_else(|| damaged("the first in line is not ready"))?;
        moves.change(&Place::of(&job), JobState::Inactive, JobState::Active)?;
        let holder = LeaseHolder { job: job.spec.id, generation };
        claimed.push(Claimed { job, holder, lease_until });
    }
    moves.finish()?;
    Ok(claimed)
}

fn next(tx: &Tx<'_>, types: &[String]) -> rusqlite::Result<Option<Turn>> {
    let mut first: Option<Turn> = None;
    let mut select = tx.prepare_cached(
        "SELECT priority, active, head FROM ready INDEXED BY ready_order WHERE type = ?1 ORDER BY priority, active, head LIMIT 1",
    )?;
    for kind in types {
        let turn =
            select.query_row([kind], |row| Ok((row.get(0)?, row.count(1)?, row.count(2)?))).optional()?;
        first = match (first, turn) {
            (Some(first), Some(turn)) => Some(first.min(turn)),
            (first, turn) => first.or(turn),
        };
    }
    Ok(first)
}

/// An active job, as its results need it.
struct Held {
    place: Place,
    attempts_made: u32,
    max_attempts: u32,
    backoff: Backoff,
    failures: Vec<Attempt>,
}

const HELD_COLUMNS: &str = "attempts_made, max_attempts, backoff, failures";

impl Held {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            place: Place::read(row)?,
            attempts_made: row.get(4)?,
            max_attempts: row.get(5)?,
            backoff: from_json(row, 6)?,
            failures: from_json(row, 7)?,
        })
    }
}

/// Held by this claim, whose lease and time to live have not ended.
const HOLDS: &str = "id = ?1 AND state = 1 AND generation = ?2 AND ends_at > ?3";

fn holds(holder: LeaseHolder, now: Timestamp) -> ([u8; 12], i64, i64) {
    (*holder.job.bytes(), int(holder.generation), now.millis())
}

fn held(changed: usize) -> TxResult<(), LostLease> {
    if changed == 1 { Ok(()) } else { Err(LostLease::Lost.into()) }
}

pub(super) fn heartbeat(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    lease: Duration,
    now: Timestamp,
) -> TxResult<Timestamp, LostLease> {
    let (id, generation, at) = holds(holder, now);
    let lease_until = now + lease;
    let mut update = tx.prepare_cached(&format!("UPDATE jobs SET lease_until = ?4 WHERE {HOLDS}"))?;
    held(update.execute((id, generation, at, lease_until.millis()))?)?;
    Ok(lease_until)
}

pub(super) fn progress(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    percent: u8,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let (id, generation, at) = holds(holder, now);
    let mut update = tx.prepare_cached(&format!(
        "UPDATE jobs SET progress = ?4, ttl_until = ?3 + ttl_ms, updated_at = ?3 WHERE {HOLDS}"
    ))?;
    held(update.execute((id, generation, at, percent.min(100)))?)
}

pub(super) fn complete(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    result: Option<&Value>,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let (id, generation, at) = holds(holder, now);
    let result = result.map(to_json).transpose()?;
    let place = tx
        .prepare_cached(&format!(
            "UPDATE jobs SET state = 2, progress = 100, result = ?4, error = NULL, finished_at = ?3, updated_at = ?3,
                             lease_until = NULL, ttl_until = NULL
             WHERE {HOLDS} RETURNING {PLACE_COLUMNS}"
        ))?
        .query_row((id, generation, at, result), Place::read)
        .optional()?
        .ok_or(LostLease::Lost)?;
    let mut moves = Moves::new(tx);
    moves.change(&place, JobState::Active, JobState::Complete)?;
    Ok(moves.finish()?)
}

pub(super) fn fail(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    failure: &Failure,
    now: Timestamp,
) -> TxResult<FailOutcome, LostLease> {
    let (id, generation, at) = holds(holder, now);
    let job = tx
        .prepare_cached(&format!("SELECT {PLACE_COLUMNS}, {HELD_COLUMNS} FROM jobs WHERE {HOLDS}"))?
        .query_row((id, generation, at), Held::read)
        .optional()?
        .ok_or(LostLease::Lost)?;
    let mut moves = Moves::new(tx);
    let outcome = end_attempt(tx, job, failure, now, &mut moves)?;
    moves.finish()?;
    Ok(outcome)
}

fn end_attempt(
    tx: &Tx<'_>,
    mut job: Held,
    failure: &Failure,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<FailOutcome> {
    job.failures.push(Attempt { number: job.attempts_made, at: now, error: failure.error.clone() });
    let outcome = if failure.retryable && job.attempts_made < job.max_attempts {
        FailOutcome::Retry(
            now + job.backoff.delay(job.attempts_made, f64::from(failure.jitter_percent) / 100.0),
        )
    } else {
        FailOutcome::Dead
    };
    let (state, due_at) = match outcome {
        FailOutcome::Retry(due_at) => (JobState::Delayed, Some(due_at.millis())),
        FailOutcome::Dead => (JobState::Failed, None),
    };
    tx.prepare_cached(
        "UPDATE jobs SET state = ?2, error = ?3, failures = ?4, due_at = ?5, updated_at = ?6,
                         finished_at = CASE WHEN ?5 IS NULL THEN ?6 END, lease_until = NULL, ttl_until = NULL
         WHERE number = ?1",
    )?
    .execute((
        int(job.place.number),
        state_number(state),
        &failure.error,
        to_json(&job.failures)?,
        due_at,
        now.millis(),
    ))?;
    moves.change(&job.place, JobState::Active, state)?;
    Ok(outcome)
}

pub(super) fn give_back(tx: &Tx<'_>, holder: LeaseHolder, now: Timestamp) -> TxResult<(), LostLease> {
    let (id, generation, at) = holds(holder, now);
    let place = tx
        .prepare_cached(&format!(
            "UPDATE jobs SET state = 0, attempts_made = attempts_made - 1, progress = 0, started_at = NULL, updated_at = ?3,
                             worker = NULL, lease_until = NULL, ttl_until = NULL
             WHERE {HOLDS} RETURNING {PLACE_COLUMNS}"
        ))?
        .query_row((id, generation, at), Place::read)
        .optional()?
        .ok_or(LostLease::Lost)?;
    let mut moves = Moves::new(tx);
    moves.change(&place, JobState::Active, JobState::Inactive)?;
    Ok(moves.finish()?)
}

pub(super) fn reap(tx: &Tx<'_>, limit: u32, now: Timestamp) -> rusqlite::Result<Vec<String>> {
    let ended: Vec<(Held, bool)> = tx
        .prepare_cached(&format!(
            "SELECT {PLACE_COLUMNS}, {HELD_COLUMNS}, ttl_until <= ?1 FROM jobs INDEXED BY jobs_active
             WHERE state = 1 AND ends_at <= ?1 ORDER BY ends_at LIMIT ?2"
        ))?
        .query_map((now.millis(), limit), |row| Ok((Held::read(row)?, row.get(8)?)))?
        .collect::<Result<_, _>>()?;
    let mut moves = Moves::new(tx);
    let mut types = Vec::with_capacity(ended.len());
    for (job, ttl_ended) in ended {
        types.push(job.place.kind.clone());
        let failure = Failure {
            error: if ttl_ended { "TTL exceeded" } else { "lease lost" }.to_owned(),
            retryable: true,
            // jobs of a worker that died come back one after another
            jitter_percent: u8::try_from(job.place.number % 101).unwrap_or(0),
        };
        end_attempt(tx, job, &failure, now, &mut moves)?;
    }
    moves.finish()?;
    Ok(types)
}
