//! What happened to jobs: written in the transaction that made it happen.

use common::Timestamp;
use common::jobs::{JobEvent, JobEventFilter, JobEventKind, JobEventPage};
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::Value;

use super::job::{from_json_opt, to_json, user, user_bytes};
use super::moves::Place;
use crate::engine::{Tx, damaged};
use crate::row::{RowExt as _, int};

/// Events that one page looks at, at most: a filter may let few through.
const LOOKED_AT: u32 = 5000;

/// The number of a kind in the table: its place among all.
fn kind_number(kind: JobEventKind) -> i64 {
    let place = JobEventKind::ALL.iter().position(|other| *other == kind);
    int(place.expect("every kind is among all") as u64)
}

/// Writes one event.
pub(super) fn write(
    tx: &Tx<'_>,
    place: &Place,
    event: JobEventKind,
    data: Option<&Value>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO events (at, job, type, user, event, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        now.millis(),
        place.id.bytes(),
        &place.kind,
        user_bytes(place.user.as_ref()),
        kind_number(event),
        data.map(to_json).transpose()?,
    ))
    .map(drop)
}

pub(super) fn after(
    connection: &Connection,
    after: u64,
    filter: &JobEventFilter,
    limit: u32,
) -> rusqlite::Result<JobEventPage> {
    let newest = last(connection)?;
    let oldest: Option<u64> = connection
        .prepare_cached("SELECT min(seq) FROM events")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?
        .map(i64::unsigned_abs);
    let first_kept = oldest.unwrap_or(newest + 1);
    // a place beyond the newest event is one of another store
    let gap = after.saturating_add(1) < first_kept || after > newest;
    let mut page = JobEventPage { events: Vec::new(), last: if gap { first_kept - 1 } else { after }, gap };
    let mut select = connection.prepare_cached(
        "SELECT seq, at, job, type, user, event, data FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = select.query((int(page.last), LOOKED_AT.max(limit)))?;
    while page.events.len() < limit as usize
        && let Some(row) = rows.next()?
    {
        let kind = usize::try_from(row.count(5)?).ok().and_then(|place| JobEventKind::ALL.get(place));
        let kind = *kind.ok_or_else(|| damaged("an event of an unknown kind"))?;
        if filter.only_ends && !JobEventKind::ENDS.contains(&kind) {
            // before its data are read
            page.last = row.count(0)?;
            continue;
        }
        let event = JobEvent {
            seq: row.count(0)?,
            at: row.time(1)?,
            job: row.id(2)?,
            kind: row.get(3)?,
            user: user(row, 4)?,
            event: kind,
            data: from_json_opt(row, 6)?,
        };
        page.last = event.seq;
        if filter.passes(&event) {
            page.events.push(event);
        }
    }
    Ok(page)
}

pub(super) fn last(connection: &Connection) -> rusqlite::Result<u64> {
    let last = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?
        .query_row([], |row| row.count(0))
        .optional()?;
    Ok(last.unwrap_or(0))
}

pub(super) fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    // events are in the order of their times, but for clocks that were set back; none is looked at that stands behind the first one kept
    let oldest = "SELECT seq, at FROM events ORDER BY seq LIMIT ?2";
    let end: Option<i64> = tx
        .prepare_cached(&format!(
            "SELECT coalesce((SELECT min(seq) FROM ({oldest}) WHERE at >= ?1), (SELECT max(seq) + 1 FROM ({oldest})))"
        ))?
        .query_row((before.millis(), limit), |row| row.get(0))?;
    let Some(end) = end else { return Ok(0) };
    let forgotten = tx.prepare_cached("DELETE FROM events WHERE seq < ?1")?.execute([end])?;
    Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
}
