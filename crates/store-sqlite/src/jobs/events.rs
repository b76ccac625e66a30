//! What happened to jobs: written in the transaction that made it happen.

use std::sync::LazyLock;

use common::jobs::{JobEvent, JobEventFilter, JobEventKind, JobEventPage};
use common::{JobId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::job::{from_json_opt, user, user_bytes};
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

/// Most events of one statement. What is kept until it is run is bounded by it, too: data may be long.
pub(super) const MOST_AT_ONCE: usize = 16;

/// An event that has no number yet.
pub(super) struct Told {
    at: Timestamp,
    job: JobId,
    kind: String,
    user: Option<UserId>,
    event: JobEventKind,
    data: Option<String>,
}

impl Told {
    /// `data` are JSON.
    pub(super) fn of(place: &Place, event: JobEventKind, data: Option<String>, now: Timestamp) -> Self {
        Self { at: now, job: place.id, kind: place.kind.clone(), user: place.user, event, data }
    }
}

/// Writes events in this order. Each statement costs something beside its rows, such as a change of the sequence of numbers: so it has as many rows as there are,
/// but for the few sizes that statements are kept prepared in.
pub(super) fn write(tx: &Tx<'_>, events: &[Told]) -> rusqlite::Result<()> {
    let mut rest = events;
    while !rest.is_empty() {
        let (rows, later) = rest.split_at(1_usize << rest.len().min(MOST_AT_ONCE).ilog2());
        write_rows(tx, rows)?;
        rest = later;
    }
    Ok(())
}

/// By the logarithm of how many rows each writes.
static INSERTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let insert = |power| {
        let rows = vec!["(?, ?, ?, ?, ?, ?)"; 1_usize << power].join(", ");
        format!("INSERT INTO events (at, job, type, user, event, data) VALUES {rows}")
    };
    (0..=MOST_AT_ONCE.ilog2()).map(insert).collect()
});

fn write_rows(tx: &Tx<'_>, events: &[Told]) -> rusqlite::Result<()> {
    const COLUMNS: usize = 6;
    let mut insert = tx.prepare_cached(&INSERTS[events.len().ilog2() as usize])?;
    for (row, told) in events.iter().enumerate() {
        let first = row * COLUMNS + 1;
        insert.raw_bind_parameter(first, told.at.millis())?;
        insert.raw_bind_parameter(first + 1, told.job.bytes())?;
        insert.raw_bind_parameter(first + 2, &told.kind)?;
        insert.raw_bind_parameter(first + 3, user_bytes(told.user.as_ref()))?;
        insert.raw_bind_parameter(first + 4, kind_number(told.event))?;
        insert.raw_bind_parameter(first + 5, &told.data)?;
    }
    insert.raw_execute().map(drop)
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
    // a user's are few among all; those of a job or a type are looked for among the events, whose data are not read for it
    let (select, user) = match &filter.user {
        Some(user) => (
            "SELECT seq, at, job, type, user, event, data FROM events INDEXED BY events_user
             WHERE user = ?3 AND user <> x'' AND seq > ?1 ORDER BY seq LIMIT ?2",
            Some(user.bytes()),
        ),
        None => (
            "SELECT seq, at, job, type, user, event, data FROM events
             WHERE ?3 IS NULL AND seq > ?1 ORDER BY seq LIMIT ?2",
            None,
        ),
    };
    let mut select = connection.prepare_cached(select)?;
    let most = LOOKED_AT.max(limit);
    let (mut looked_at, mut at) = (0, page.last);
    let mut rows = select.query((int(page.last), most, user))?;
    while page.events.len() < limit as usize {
        let Some(row) = rows.next()? else {
            // there is no other, whatever stands behind the last one
            if looked_at < most {
                at = at.max(newest);
            }
            break;
        };
        looked_at += 1;
        let event = without_data(row)?;
        at = event.seq;
        if filter.passes(&event) {
            page.events.push(JobEvent { data: from_json_opt(row, 6)?, ..event });
        }
    }
    page.last = at;
    Ok(page)
}

fn without_data(row: &Row<'_>) -> rusqlite::Result<JobEvent> {
    let kind = usize::try_from(row.count(5)?).ok().and_then(|place| JobEventKind::ALL.get(place));
    Ok(JobEvent {
        seq: row.count(0)?,
        at: row.time(1)?,
        job: row.id(2)?,
        kind: row.get(3)?,
        user: user(row, 4)?,
        event: *kind.ok_or_else(|| damaged("an event of an unknown kind"))?,
        data: None,
    })
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
