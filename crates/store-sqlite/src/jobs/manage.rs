//! Jobs are changed from outside.

use common::jobs::{ChangeJobError, Job, JobChange, JobEventKind, JobState, Priority, RetriedDead};
use common::{JobId, Timestamp};
use rusqlite::OptionalExtension as _;
use serde_json::json;

use super::job;
use super::list::{self, Bounds};
use super::moves::{Moves, PLACE_COLUMNS, PLACE_COUNT, Place};
use super::{arrive, remove};
use crate::engine::{Tx, TxResult, damaged};
use crate::row::int;

/// A job, as changes need it.
struct Found {
    place: Place,
    state: JobState,
    key: Option<String>,
}

fn find(tx: &Tx<'_>, column: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<Option<Found>> {
    tx.prepare_cached(&format!("SELECT {PLACE_COLUMNS}, state, unique_key FROM jobs WHERE {column} = ?1"))?
        .query_row([value], |row| {
            Ok(Found {
                place: Place::read(row)?,
                state: job::state(row, PLACE_COUNT)?,
                key: row.get(PLACE_COUNT + 1)?,
            })
        })
        .optional()
}

pub(super) fn change(
    tx: &Tx<'_>,
    id: JobId,
    change: JobChange,
    now: Timestamp,
) -> TxResult<Job, ChangeJobError> {
    let found = find(tx, "id", id.bytes())?.ok_or(ChangeJobError::NotFound)?;
    let mut moves = Moves::new(tx);
    match (change, found.state) {
        (JobChange::Priority(priority), state) if state.is_live() => {
            set_priority(tx, &found, priority, now, &mut moves)?;
        }
        (JobChange::Promote, JobState::Delayed) => arrive::promote(tx, &found.place, now, &mut moves)?,
        (JobChange::Cancel, state) if state.is_live() => cancel(tx, &found, now, &mut moves)?,
        (JobChange::CancelIdle, JobState::Inactive | JobState::Delayed) => {
            cancel(tx, &found, now, &mut moves)?;
        }
        (JobChange::Retry, JobState::Failed | JobState::Cancelled) => {
            if let Some(holder) = key_holder(tx, &found)? {
                return Err(ChangeJobError::Taken(holder).into());
            }
            retry(tx, &found, now, &mut moves)?;
        }
        (_, state) => return Err(ChangeJobError::State(state).into()),
    }
    moves.finish()?;
    Ok(job::find(tx, id)?.ok_or_else(|| damaged("a job that was changed is gone"))?)
}

fn set_priority(
    tx: &Tx<'_>,
    found: &Found,
    priority: Priority,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<()> {
    let Found { place, state, .. } = found;
    tx.prepare_cached("UPDATE jobs SET priority = ?2, updated_at = ?3 WHERE number = ?1")?.execute((
        int(place.number),
        priority.0,
        now.millis(),
    ))?;
    let moved = Place { priority: priority.0, ..place.clone() };
    moves.leave(place, *state)?;
    moves.enter(&moved, *state)?;
    moves.tell(place, JobEventKind::Priority, Some(&json!({ "priority": priority })), now)
}

fn cancel(tx: &Tx<'_>, found: &Found, now: Timestamp, moves: &mut Moves<'_, '_>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE jobs SET state = 5, due_at = NULL, lease_until = NULL, ttl_until = NULL, finished_at = ?2, updated_at = ?2
         WHERE number = ?1",
    )?
    .execute((int(found.place.number), now.millis()))?;
    moves.change(&found.place, found.state, JobState::Cancelled)?;
    moves.tell(&found.place, JobEventKind::Cancel, None, now)
}

/// The live job that has the key which this one had.
fn key_holder(tx: &Tx<'_>, found: &Found) -> rusqlite::Result<Option<JobId>> {
    found.key.as_deref().map_or(Ok(None), |key| arrive::holder_of(tx, key))
}

fn retry(tx: &Tx<'_>, found: &Found, now: Timestamp, moves: &mut Moves<'_, '_>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE jobs SET state = 0, progress = 0, progress_data = NULL, result = NULL, error = NULL, attempts_made = 0, failures = '[]',
                         started_at = NULL, finished_at = NULL, worker = NULL, updated_at = ?2, ready_at = ?2
         WHERE number = ?1",
    )?
    .execute((int(found.place.number), now.millis()))?;
    moves.change(&found.place, found.state, JobState::Inactive)?;
    moves.tell(&found.place, JobEventKind::Enqueue, None, now)
}

pub(super) fn remove(tx: &Tx<'_>, id: JobId, now: Timestamp) -> TxResult<(), ChangeJobError> {
    let found = find(tx, "id", id.bytes())?.ok_or(ChangeJobError::NotFound)?;
    if found.state == JobState::Active {
        return Err(ChangeJobError::State(found.state).into());
    }
    let mut moves = Moves::new(tx);
    remove::one(tx, &found.place, found.state, now, &mut moves)?;
    Ok(moves.finish()?)
}

pub(super) fn retry_dead(
    tx: &Tx<'_>,
    kind: Option<&str>,
    after: Option<u64>,
    limit: u32,
    now: Timestamp,
) -> rusqlite::Result<RetriedDead> {
    let bounds = Bounds::ascending(after);
    let mut numbers = list::numbers_of(tx, kind, &[JobState::Failed], &bounds, i64::from(limit) + 1)?;
    numbers.sort_unstable();
    let mut done = RetriedDead::default();
    if numbers.len() > limit as usize {
        numbers.truncate(limit as usize);
        done.next = numbers.last().map(|number| number.unsigned_abs());
    }
    let mut moves = Moves::new(tx);
    for number in numbers {
        let found = find(tx, "number", number)?.ok_or_else(|| damaged("a job of an index is gone"))?;
        if key_holder(tx, &found)?.is_some() {
            done.left += 1;
        } else {
            retry(tx, &found, now, &mut moves)?;
            done.retried += 1;
        }
    }
    moves.finish()?;
    Ok(done)
}
