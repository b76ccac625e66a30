//! Jobs are removed.

use common::Timestamp;
use common::jobs::{JobEventKind, JobState};

use super::job::state_number;
use super::moves::{Moves, PLACE_COLUMNS, Place};
use super::texts;
use crate::engine::Tx;
use crate::row::int;

/// Removes a job with its log. Its id stays known.
pub(super) fn one(
    tx: &Tx<'_>,
    place: &Place,
    state: JobState,
    now: Timestamp,
    moves: &mut Moves<'_, '_>,
) -> rusqlite::Result<()> {
    let number = int(place.number);
    tx.prepare_cached("INSERT OR IGNORE INTO removed (id, at) VALUES (?1, ?2)")?
        .execute((place.id.bytes(), now.millis()))?;
    tx.prepare_cached("DELETE FROM job_log WHERE number = ?1")?.execute([number])?;
    tx.prepare_cached("DELETE FROM jobs WHERE number = ?1")?.execute([number])?;
    texts::forget(tx, number)?;
    moves.tell(place, JobEventKind::Remove, None, now)?;
    moves.leave(place, state)
}

pub(super) fn finished(
    tx: &Tx<'_>,
    state: JobState,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> rusqlite::Result<u32> {
    let finished: Vec<Place> = tx
        .prepare_cached(&format!(
            "SELECT {PLACE_COLUMNS} FROM jobs INDEXED BY jobs_finished
             WHERE state = ?1 AND finished_at IS NOT NULL AND finished_at < ?2 ORDER BY finished_at LIMIT ?3"
        ))?
        .query_map((state_number(state), before.millis(), limit), Place::read)?
        .collect::<Result<_, _>>()?;
    let mut moves = Moves::new(tx);
    for place in &finished {
        one(tx, place, state, now, &mut moves)?;
    }
    moves.finish()?;
    Ok(u32::try_from(finished.len()).unwrap_or(u32::MAX))
}
