//! How attempts end.

use std::sync::LazyLock;

use common::Timestamp;
use common::jobs::{
    Attempt, AttemptEnd, Backoff, Ended, Ending, FailOutcome, Failure, JobEventKind, JobState, LeaseHolder,
    LostLease, MOST_FAILURES,
};
use rusqlite::{OptionalExtension as _, Row};
use serde_json::{Value, json};

use super::job::{from_json, state_number, to_json};
use super::moves::{Moves, PLACE_COLUMNS, PLACE_COUNT, Place};
use super::work::{HOLDS, holds};
use super::{history, remove};
use crate::engine::{Tx, TxResult};
use crate::row::{RowExt as _, int};

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

/// Ends several attempts; a lost one changes nothing.
pub(super) fn end(
    tx: &Tx<'_>,
    ends: &[AttemptEnd],
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<Vec<Option<Ended>>> {
    let end = |AttemptEnd { holder, ending }: &AttemptEnd| match ending {
        Ending::Complete(result) => complete(tx, *holder, result.as_ref(), now, moves),
        Ending::Failed(failure) => fail(tx, *holder, failure, now, moves),
    };
    ends.iter().map(end).collect()
}

static COMPLETE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE jobs SET state = 2, progress = 100, result = ?4, error = NULL, finished_at = ?3, updated_at = ?3,
                         lease_until = NULL, ttl_until = NULL
         WHERE {HOLDS} RETURNING {PLACE_COLUMNS}, remove_on_complete, started_at, ready_at"
    )
});

/// None if the lease is lost.
fn complete(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    result: Option<&Value>,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<Option<Ended>> {
    let (id, mark, at) = holds(holder, now);
    let result = result.map(to_json).transpose()?;
    let held = tx
        .prepare_cached(&COMPLETE)?
        .query_row((id, mark, at, &result), |row| {
            let (removes, started_at) = (row.get::<_, bool>(PLACE_COUNT)?, row.time_opt(PLACE_COUNT + 1)?);
            Ok((Place::read(row)?, removes, started_at, row.time_opt(PLACE_COUNT + 2)?))
        })
        .optional()?;
    let Some((place, removes, started_at, ready_at)) = held else { return Ok(None) };
    let started_at = started_at.unwrap_or(now);
    let waited = started_at.since(ready_at.unwrap_or(started_at));
    moves.end(&place, history::Ended::completed(waited, now.since(started_at)), now);
    let told = format!(r#"{{"result":{}}}"#, result.as_deref().unwrap_or("null"));
    moves.tell_text(&place, JobEventKind::Complete, told, now)?;
    moves.change(&place, JobState::Active, JobState::Complete)?;
    if removes {
        remove::one(tx, &place, JobState::Complete, now, moves)?;
    }
    Ok(Some(Ended::Complete))
}

/// None if the lease is lost.
fn fail(
    tx: &Tx<'_>,
    holder: LeaseHolder,
    failure: &Failure,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<Option<Ended>> {
    let (id, mark, at) = holds(holder, now);
    let job = tx
        .prepare_cached(&format!("SELECT {PLACE_COLUMNS}, {HELD_COLUMNS} FROM jobs WHERE {HOLDS}"))?
        .query_row((id, mark, at), Held::read)
        .optional()?;
    let Some(job) = job else { return Ok(None) };
    Ok(Some(Ended::Failed(end_attempt(tx, job, failure, now, moves)?)))
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
        moves.end(&job.place, history::Ended::failed(), now);
    }
    let event = match outcome {
        FailOutcome::Retry(_) => JobEventKind::FailedAttempt,
        FailOutcome::Dead => JobEventKind::Failed,
    };
    let told = json!({"error": failure.error, "attempt": job.attempts_made});
    moves.tell(&job.place, event, Some(&told), now)?;
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
    moves.tell(&place, JobEventKind::Return, None, now)?;
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
