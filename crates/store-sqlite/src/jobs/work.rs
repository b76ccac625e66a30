//! Claims and their results.

use std::time::Duration;

use common::Timestamp;
use common::jobs::{
    Attempt, Backoff, ClaimRequest, Claimed, Claims, FailOutcome, Failure, JobEventKind, JobState,
    LeaseHolder, LostLease, MOST_FAILURES, PageBytes,
};
use rusqlite::{OptionalExtension as _, Row};
use serde_json::{Value, json};

use super::history::{self, Ended};
use super::job::{COLUMN_COUNT, COLUMNS, bytes, from_json, job, state_number, to_json};
use super::moves::{Moves, PLACE_COLUMNS, PLACE_COUNT, Place};
use super::turns::{self, Turn};
use super::types::{self, Allowance};
use super::{events, remove};
use crate::engine::{Tx, TxResult, damaged};
use crate::row::{RowExt as _, int};

pub(super) fn claim(tx: &Tx<'_>, request: &ClaimRequest, now: Timestamp) -> rusqlite::Result<Claims> {
    if types::all_paused(tx)? {
        return Ok(Claims::default());
    }
    let mut allowance = Allowance::of(tx, &request.types, now)?;
    let mut moves = Moves::new(tx);
    let (mut claimed, mut in_all) = (Vec::new(), PageBytes::default());
    while claimed.len() < request.max as usize && !in_all.is_full() {
        let lets = request.types.iter().filter(|kind| allowance.lets(kind));
        let Some(Turn { head, .. }) = turns::next(tx, lets)? else { break };
        let lease_until = now + request.lease;
        let (job, mark) = tx
            .prepare_cached(&format!(
                "UPDATE jobs SET state = 1, attempts_made = attempts_made + 1, generation = {MARK}, progress = 0,
                                 lease_until = ?2, ttl_until = ?3 + ttl_ms, started_at = ?3, updated_at = ?3, worker = ?4
                 WHERE number = ?1 AND state = 0 RETURNING {COLUMNS}, generation"
            ))?
            .query_row((head, lease_until.millis(), now.millis(), &request.worker), |row| {
                in_all.takes(bytes(row)?);
                Ok((job(row)?, row.count(COLUMN_COUNT)?))
            })
            .optional()?
            .ok_or_else(|| damaged("the first in line is not ready"))?;
        let place = Place::of(&job);
        moves.begin(&place, now)?;
        allowance.count(&place.kind);
        events::write(tx, &place, JobEventKind::Start, None, now)?;
        let holder = LeaseHolder { job: job.spec.id, mark };
        claimed.push(Claimed { job, holder, lease_until });
    }
    moves.finish()?;
    Ok(Claims { jobs: claimed, again_at: allowance.finish(tx)? })
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
            attempts_made: row.get(PLACE_COUNT)?,
            max_attempts: row.get(PLACE_COUNT + 1)?,
            backoff: from_json(row, PLACE_COUNT + 2)?,
            failures: from_json(row, PLACE_COUNT + 3)?,
        })
    }
}

/// A mark of [`LeaseHolder::MARKS`], drawn by lot. The column has its name from when it counted the claims.
const MARK: &str = "1 + (random() & ((1 << 62) - 1))";

/// Held by this claim, whose lease and time to live have not ended.
const HOLDS: &str = "id = ?1 AND state = 1 AND generation = ?2 AND ends_at > ?3";

fn holds(holder: LeaseHolder, now: Timestamp) -> ([u8; 12], i64, i64) {
    (*holder.job.bytes(), int(holder.mark), now.millis())
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
    let (id, mark, at) = holds(holder, now);
    let lease_until = now + lease;
    let mut update = tx.prepare_cached(&format!("UPDATE jobs SET lease_until = ?4 WHERE {HOLDS}"))?;
    held(update.execute((id, mark, at, lease_until.millis()))?)?;
    Ok(lease_until)
}

pub(super) fn progress(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    percent: u8,
    data: Option<&Value>,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let (id, mark, at) = holds(holder, now);
    let percent = percent.min(100);
    let place = tx
        .prepare_cached(&format!(
            "UPDATE jobs SET progress = ?4, progress_data = ?5, ttl_until = ?3 + ttl_ms, updated_at = ?3
             WHERE {HOLDS} RETURNING {PLACE_COLUMNS}"
        ))?
        .query_row((id, mark, at, percent, data.map(to_json).transpose()?), Place::read)
        .optional()?
        .ok_or(LostLease::Lost)?;
    let told = json!({"progress": percent, "data": data});
    Ok(events::write(tx, &place, JobEventKind::Progress, Some(&told), now)?)
}

pub(super) fn complete(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    result: Option<&Value>,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let (id, mark, at) = holds(holder, now);
    let (place, removes, started_at, ready_at) = tx
        .prepare_cached(&format!(
            "UPDATE jobs SET state = 2, progress = 100, result = ?4, error = NULL, finished_at = ?3, updated_at = ?3,
                             lease_until = NULL, ttl_until = NULL
             WHERE {HOLDS} RETURNING {PLACE_COLUMNS}, remove_on_complete, started_at, ready_at"
        ))?
        .query_row((id, mark, at, result.map(to_json).transpose()?), |row| {
            let (removes, started_at) = (row.get::<_, bool>(PLACE_COUNT)?, row.time_opt(PLACE_COUNT + 1)?);
            Ok((Place::read(row)?, removes, started_at, row.time_opt(PLACE_COUNT + 2)?))
        })
        .optional()?
        .ok_or(LostLease::Lost)?;
    let started_at = started_at.unwrap_or(now);
    let ended = Ended {
        completed: true,
        waited: started_at.since(ready_at.unwrap_or(started_at)),
        worked: now.since(started_at),
    };
    history::note(tx, &place.kind, &ended, now)?;
    let told = json!({ "result": result });
    events::write(tx, &place, JobEventKind::Complete, Some(&told), now)?;
    let mut moves = Moves::new(tx);
    moves.change(&place, JobState::Active, JobState::Complete)?;
    if removes {
        remove::one(tx, &place, JobState::Complete, now, &mut moves)?;
    }
    Ok(moves.finish()?)
}

pub(super) fn fail(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    failure: &Failure,
    now: Timestamp,
) -> TxResult<FailOutcome, LostLease> {
    let (id, mark, at) = holds(holder, now);
    let job = tx
        .prepare_cached(&format!("SELECT {PLACE_COLUMNS}, {HELD_COLUMNS} FROM jobs WHERE {HOLDS}"))?
        .query_row((id, mark, at), Held::read)
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
    let attempt = Attempt { number: job.attempts_made, at: now, error: failure.error.clone() };
    match job.failures.last_mut().filter(|last| last.number == attempt.number) {
        // what it needs is still away
        Some(_) if failure.uncounted => {}
        Some(last) => *last = attempt,
        None => job.failures.push(attempt),
    }
    job.failures.drain(..job.failures.len().saturating_sub(MOST_FAILURES));
    let outcome = if failure.lets_come_again(job.attempts_made, job.max_attempts) {
        let jitter = f64::from(failure.jitter_percent) / 100.0;
        FailOutcome::Retry(failure.due(now + job.backoff.delay(job.attempts_made, jitter)))
    } else {
        FailOutcome::Dead
    };
    let (state, due_at) = match outcome {
        FailOutcome::Retry(due_at) => (JobState::Delayed, Some(due_at.millis())),
        FailOutcome::Dead => (JobState::Failed, None),
    };
    tx.prepare_cached(
        "UPDATE jobs SET state = ?2, error = ?3, failures = ?4, due_at = ?5, updated_at = ?6, attempts_made = ?7,
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
        job.attempts_made - u32::from(failure.uncounted),
    ))?;
    moves.change(&job.place, JobState::Active, state)?;
    if !failure.uncounted {
        let ended = Ended { completed: false, waited: Duration::ZERO, worked: Duration::ZERO };
        history::note(tx, &job.place.kind, &ended, now)?;
    }
    let event = match outcome {
        FailOutcome::Retry(_) => JobEventKind::FailedAttempt,
        FailOutcome::Dead => JobEventKind::Failed,
    };
    let told = json!({"error": failure.error, "attempt": job.attempts_made});
    events::write(tx, &job.place, event, Some(&told), now)?;
    Ok(outcome)
}

pub(super) fn give_back(tx: &Tx<'_>, holder: LeaseHolder, now: Timestamp) -> TxResult<(), LostLease> {
    let (id, mark, at) = holds(holder, now);
    let place = tx
        .prepare_cached(&format!(
            "UPDATE jobs SET state = 0, attempts_made = attempts_made - 1, progress = 0, started_at = NULL,
                             updated_at = ?3, ready_at = ?3,
                             worker = NULL, lease_until = NULL, ttl_until = NULL
             WHERE {HOLDS} RETURNING {PLACE_COLUMNS}"
        ))?
        .query_row((id, mark, at), Place::read)
        .optional()?
        .ok_or(LostLease::Lost)?;
    let mut moves = Moves::new(tx);
    moves.change(&place, JobState::Active, JobState::Inactive)?;
    events::write(tx, &place, JobEventKind::Return, None, now)?;
    Ok(moves.finish()?)
}

pub(super) fn reap(tx: &Tx<'_>, limit: u32, now: Timestamp) -> rusqlite::Result<Vec<String>> {
    let ended: Vec<(i64, bool)> = tx
        .prepare_cached(
            "SELECT number, ttl_until <= ?1 FROM jobs INDEXED BY jobs_active
             WHERE state = 1 AND ends_at <= ?1 ORDER BY ends_at LIMIT ?2",
        )?
        .query_map((now.millis(), limit), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut moves = Moves::new(tx);
    let mut types = Vec::with_capacity(ended.len());
    // one after another: what each has failed with before may be long
    let mut select =
        tx.prepare_cached(&format!("SELECT {PLACE_COLUMNS}, {HELD_COLUMNS} FROM jobs WHERE number = ?1"))?;
    for (number, ttl_ended) in ended {
        let job = select.query_row([number], Held::read)?;
        types.push(job.place.kind.clone());
        let failure = Failure {
            error: if ttl_ended { "TTL exceeded" } else { "lease lost" }.to_owned(),
            retryable: true,
            // jobs of a worker that died come back one after another
            jitter_percent: u8::try_from(job.place.number % 101).unwrap_or(0),
            not_before: None,
            uncounted: false,
        };
        end_attempt(tx, job, &failure, now, &mut moves)?;
    }
    moves.finish()?;
    Ok(types)
}

/// Lines that a job keeps, and the longest line.
const LOG_LINES: i64 = 1000;
const LOG_LINE_BYTES: usize = 4096;

pub(super) fn log(tx: &Tx<'_>, holder: LeaseHolder, line: &str, now: Timestamp) -> TxResult<(), LostLease> {
    let mut end = line.len().min(LOG_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let (id, mark, at) = holds(holder, now);
    let (number, seq) = tx
        .prepare_cached(&format!(
            "INSERT INTO job_log (number, seq, at, line)
             SELECT number, coalesce((SELECT max(seq) FROM job_log l WHERE l.number = jobs.number), 0) + 1, ?3, ?4
             FROM jobs WHERE {HOLDS} RETURNING number, seq"
        ))?
        .query_row((id, mark, at, &line[..end]), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?
        .ok_or(LostLease::Lost)?;
    tx.prepare_cached("DELETE FROM job_log WHERE number = ?1 AND seq <= ?2")?
        .execute((number, seq - LOG_LINES))?;
    Ok(())
}
