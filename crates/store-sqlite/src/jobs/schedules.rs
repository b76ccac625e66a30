//! Schedules.

use common::jobs::{ChangeScheduleError, NewJob, PageBytes, Schedule, SchedulePage, SchedulePlace};
use common::{ScheduleId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::arrive;
use super::job::{from_json, to_json, user, user_bytes};
use crate::engine::{Tx, TxResult};
use crate::row::{RowExt as _, int};

const COLUMNS: &str = "id, spec, paused, next_at, last_at, user, created_at, revision";

fn read(row: &Row<'_>) -> rusqlite::Result<Schedule> {
    Ok(Schedule {
        id: row.id(0)?,
        spec: from_json(row, 1)?,
        paused: row.get(2)?,
        next_at: row.time_opt(3)?,
        last_at: row.time_opt(4)?,
        user: user(row, 5)?,
        created_at: row.time(6)?,
        revision: row.count(7)?,
    })
}

pub(super) fn create(tx: &Tx<'_>, schedule: &Schedule) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!(
        "INSERT OR IGNORE INTO schedules ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?
    .execute((
        schedule.id.bytes(),
        to_json(&schedule.spec)?,
        schedule.paused,
        schedule.next_at.map(Timestamp::millis),
        schedule.last_at.map(Timestamp::millis),
        user_bytes(schedule.user.as_ref()),
        schedule.created_at.millis(),
        int(schedule.revision),
    ))
    .map(drop)
}

pub(super) fn list(
    connection: &Connection,
    after: Option<SchedulePlace>,
    limit: u32,
) -> rusqlite::Result<SchedulePage> {
    let (at, id) = after.map_or((i64::MIN, [0; 12]), |(at, id)| (at.millis(), *id.bytes()));
    // their places first: what is sorted must not be long
    let mut ids = connection.prepare_cached(
        "SELECT id FROM schedules WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3",
    )?;
    let ids: Vec<ScheduleId> =
        ids.query_map((at, id, i64::from(limit) + 1), |row| row.id(0))?.collect::<Result<_, _>>()?;
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM schedules WHERE id = ?1"))?;
    let (mut items, mut on_page): (Vec<Schedule>, _) = (Vec::new(), PageBytes::default());
    for id in ids {
        let next = select.query_row([id.bytes()], |row| {
            let bytes = row.get_ref(1)?.as_str()?.len();
            let fits = items.len() < limit as usize && on_page.takes(bytes);
            fits.then(|| read(row)).transpose()
        })?;
        match next {
            Some(schedule) => items.push(schedule),
            None => return Ok(SchedulePage { items, more: true }),
        }
    }
    Ok(SchedulePage { items, more: false })
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT count(*) FROM schedules")?.query_row([], |row| row.count(0))
}

pub(super) fn find(connection: &Connection, id: ScheduleId) -> rusqlite::Result<Option<Schedule>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM schedules WHERE id = ?1"))?
        .query_row([id.bytes()], read)
        .optional()
}

pub(super) fn update(tx: &Tx<'_>, schedule: &Schedule) -> TxResult<(), ChangeScheduleError> {
    let updated = tx
        .prepare_cached(
            "UPDATE schedules SET spec = ?3, paused = ?4, next_at = ?5, last_at = ?6, revision = revision + 1
             WHERE id = ?1 AND revision = ?2",
        )?
        .execute((
            schedule.id.bytes(),
            int(schedule.revision),
            to_json(&schedule.spec)?,
            schedule.paused,
            schedule.next_at.map(Timestamp::millis),
            schedule.last_at.map(Timestamp::millis),
        ))?;
    if updated == 1 {
        return Ok(());
    }
    Err(match find(tx, schedule.id)? {
        Some(_) => ChangeScheduleError::Changed,
        None => ChangeScheduleError::NotFound,
    }
    .into())
}

pub(super) fn delete(tx: &Tx<'_>, id: ScheduleId) -> rusqlite::Result<bool> {
    Ok(tx.prepare_cached("DELETE FROM schedules WHERE id = ?1")?.execute([id.bytes()])? == 1)
}

pub(super) fn due(connection: &Connection, limit: u32, now: Timestamp) -> rusqlite::Result<Vec<Schedule>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM schedules WHERE next_at <= ?1 ORDER BY next_at LIMIT ?2"
        ))?
        .query_map((now.millis(), limit), read)?
        .collect()
}

pub(super) fn next(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection.prepare_cached("SELECT min(next_at) FROM schedules")?.query_row([], |row| row.time_opt(0))
}

pub(super) fn fire(
    tx: &Tx<'_>,
    schedule: &Schedule,
    jobs: &[(Timestamp, NewJob)],
    next_at: Option<Timestamp>,
    now: Timestamp,
) -> TxResult<(), ChangeScheduleError> {
    update(tx, &Schedule { next_at, ..schedule.clone() })?;
    let (times, jobs): (Vec<Timestamp>, Vec<NewJob>) = jobs.iter().cloned().unzip();
    let outcomes = arrive::insert(tx, &jobs, now)?;
    let last =
        times.into_iter().zip(outcomes).filter(|(_, outcome)| outcome.has_job()).map(|(at, _)| at).max();
    if let Some(last_at) = last {
        tx.prepare_cached("UPDATE schedules SET last_at = ?2 WHERE id = ?1")?
            .execute((schedule.id.bytes(), last_at.millis()))?;
    }
    Ok(())
}
