//! Whose turn it is. There is one row for each type and user, so that what a claim costs depends neither on how many jobs wait nor on how many priorities
//! they have. Of those whose next job is the most urgent, the one with the fewest active jobs of the type is next, then the one who was served longest ago.

use common::Timestamp;
use common::jobs::SERVED_KEPT;
use rusqlite::{OptionalExtension as _, Row};

use super::moves::Place;
use crate::engine::Tx;
use crate::row::int;

/// Rows that are forgotten in one go.
const FORGET: u32 = 500;

/// Steps of `served` in a millisecond: so many can be served within one and still have an order. With more the order runs ahead of the clock.
const STEPS: i64 = 1000;

/// What decides who is next: the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    priority: i64,
    active: i64,
    served: i64,
    /// The number of the job.
    pub(super) head: i64,
}

impl Turn {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { priority: row.get(0)?, active: row.get(1)?, served: row.get(2)?, head: row.get(3)? })
    }
}

/// The next turn of these types.
pub(super) fn next<'a>(
    tx: &Tx<'_>,
    types: impl Iterator<Item = &'a String>,
) -> rusqlite::Result<Option<Turn>> {
    let mut first: Option<Turn> = None;
    let mut select = tx.prepare_cached(
        "SELECT priority, active, served, head FROM turns INDEXED BY turns_order
         WHERE type = ?1 AND head IS NOT NULL ORDER BY priority, active, served, head LIMIT 1",
    )?;
    for kind in types {
        let turn = select.query_row([kind], Turn::read).optional()?;
        first = match (first, turn) {
            (Some(first), Some(turn)) => Some(first.min(turn)),
            (first, turn) => first.or(turn),
        };
    }
    Ok(first)
}

/// Whether anybody waits for a job of this type to begin.
pub(super) fn waits(tx: &Tx<'_>, kind: &str) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT 1 FROM turns INDEXED BY turns_order WHERE type = ?1 AND head IS NOT NULL LIMIT 1",
    )?
    .exists([kind])
}

/// A job is ready.
pub(super) fn line_up(tx: &Tx<'_>, place: &Place) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO turns (type, user, active, served, priority, head) VALUES (?1, ?2, 0, 0, ?3, ?4)
         ON CONFLICT (type, user) DO UPDATE SET priority = excluded.priority, head = excluded.head
         WHERE head IS NULL OR (excluded.priority, excluded.head) < (priority, head)",
    )?
    .execute((&place.kind, place.user_bytes(), place.priority, int(place.number)))
    .map(drop)
}

/// A job is not ready any more: the user's next one comes first now.
pub(super) fn step_out(tx: &Tx<'_>, place: &Place) -> rusqlite::Result<()> {
    let (priority, head) = next_of_user(tx, place)?;
    tx.prepare_cached(
        "UPDATE turns SET priority = ?3, head = ?4
         WHERE type = ?1 AND user = ?2 AND (head IS NOT ?4 OR priority IS NOT ?3)",
    )?
    .execute((&place.kind, place.user_bytes(), priority, head))
    .map(drop)
}

/// Priority and number of the job of this type that is the user's next.
fn next_of_user(tx: &Tx<'_>, place: &Place) -> rusqlite::Result<(Option<i64>, Option<i64>)> {
    let next: Option<(i64, i64)> = tx
        .prepare_cached(
            "SELECT priority, number FROM jobs INDEXED BY jobs_line
             WHERE state = 0 AND type = ?1 AND user = ?2 ORDER BY priority, number LIMIT 1",
        )?
        .query_row((&place.kind, place.user_bytes()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(next.unzip())
}

/// So many more jobs of the user are active.
pub(super) fn count_active(tx: &Tx<'_>, place: &Place, change: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE turns SET active = active + ?3 WHERE type = ?1 AND user = ?2")?
        .execute((&place.kind, place.user_bytes(), change))
        .map(drop)
}

/// A job that was ready is begun: the user's next one comes first now, and everybody else is served before them, among those with as few active jobs. One
/// change of the row, since each goes into its indexes.
pub(super) fn serve(tx: &Tx<'_>, place: &Place, now: Timestamp) -> rusqlite::Result<()> {
    let (priority, head) = next_of_user(tx, place)?;
    tx.prepare_cached(
        "UPDATE turns SET priority = ?4, head = ?5, active = active + 1,
                          served = max(?3, (SELECT max(served) FROM turns) + 1)
         WHERE type = ?1 AND user = ?2",
    )?
    .execute((&place.kind, place.user_bytes(), now.millis().saturating_mul(STEPS), priority, head))
    .map(drop)
}

/// Forgets users who have nothing to do with a type any more, when they were served long enough ago.
pub(super) fn forget(tx: &Tx<'_>, now: Timestamp) -> rusqlite::Result<()> {
    // within that millisecond, too
    let before = (now - SERVED_KEPT).millis().saturating_add(1).saturating_mul(STEPS);
    tx.prepare_cached(
        "DELETE FROM turns WHERE (type, user) IN (
             SELECT type, user FROM turns INDEXED BY turns_idle
             WHERE active = 0 AND head IS NULL AND served < ?1 LIMIT ?2
         )",
    )?
    .execute((before, FORGET))
    .map(drop)
}
