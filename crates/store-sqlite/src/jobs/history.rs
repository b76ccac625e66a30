//! What ended in each minute, and how long work took.

use std::time::Duration;

use common::Timestamp;
use common::jobs::JobMinute;
use rusqlite::Connection;

use crate::engine::Tx;
use crate::row::{RowExt as _, int};

const MINUTE_MS: i64 = 60_000;

/// How long minutes are kept: two days, in minutes.
const KEPT: i64 = 2 * 24 * 60;

/// An attempt that ended.
pub(super) struct Ended {
    /// It completed its job.
    pub(super) completed: bool,
    /// How long the job had been ready.
    pub(super) waited: Duration,
    /// How long the attempt took.
    pub(super) worked: Duration,
}

pub(super) fn note(tx: &Tx<'_>, kind: &str, ended: &Ended, now: Timestamp) -> rusqlite::Result<()> {
    let millis = |time: Duration| int(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    // waiting and working are told of what was completed
    let (waited, worked) =
        if ended.completed { (millis(ended.waited), millis(ended.worked)) } else { (0, 0) };
    tx.prepare_cached(
        "INSERT INTO minutes (minute, type, completed, failed, waited_ms, worked_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (minute, type) DO UPDATE SET completed = completed + excluded.completed, failed = failed + excluded.failed,
             waited_ms = waited_ms + excluded.waited_ms, worked_ms = worked_ms + excluded.worked_ms",
    )?
    .execute((
        now.millis().div_euclid(MINUTE_MS),
        kind,
        i64::from(ended.completed),
        i64::from(!ended.completed),
        waited,
        worked,
    ))?;
    if ended.completed {
        tx.prepare_cached(
            "INSERT INTO types (type, work_ms) VALUES (?1, ?2) ON CONFLICT (type) DO UPDATE SET work_ms = work_ms + excluded.work_ms",
        )?
        .execute((kind, worked))?;
    }
    Ok(())
}

pub(super) fn since(
    connection: &Connection,
    kind: Option<&str>,
    since: Timestamp,
) -> rusqlite::Result<Vec<JobMinute>> {
    connection
        .prepare_cached(
            "SELECT minute, sum(completed), sum(failed), sum(waited_ms), sum(worked_ms) FROM minutes
             WHERE minute >= ?1 AND (?2 IS NULL OR type = ?2) GROUP BY minute ORDER BY minute",
        )?
        .query_map((since.millis().div_euclid(MINUTE_MS), kind), |row| {
            Ok(JobMinute {
                at: Timestamp::from_millis(row.get::<_, i64>(0)?.saturating_mul(MINUTE_MS)),
                completed: row.count(1)?,
                failed: row.count(2)?,
                waited: Duration::from_millis(row.count(3)?),
                worked: Duration::from_millis(row.count(4)?),
            })
        })?
        .collect()
}

/// Forgets minutes that are too old.
pub(super) fn forget(tx: &Tx<'_>, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM minutes WHERE minute < ?1")?
        .execute([now.millis().div_euclid(MINUTE_MS) - KEPT])
        .map(drop)
}
