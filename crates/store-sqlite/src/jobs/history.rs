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

/// Attempts that ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// How many completed their jobs.
    completed: u32,
    /// How many failed.
    failed: u32,
    /// How long the completed jobs had been ready, together.
    waited: Duration,
    /// How long the attempts took that completed them.
    worked: Duration,
}

impl Ended {
    /// One that completed its job.
    pub(super) fn completed(waited: Duration, worked: Duration) -> Self {
        Self { completed: 1, waited, worked, ..Self::default() }
    }

    /// One that failed.
    pub(super) fn failed() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.completed += more.completed;
        self.failed += more.failed;
        self.waited = self.waited.saturating_add(more.waited);
        self.worked = self.worked.saturating_add(more.worked);
    }
}

pub(super) fn note(tx: &Tx<'_>, kind: &str, ended: &Ended, now: Timestamp) -> rusqlite::Result<()> {
    let millis = |time: Duration| int(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let worked = millis(ended.worked);
    tx.prepare_cached(
        "INSERT INTO minutes (minute, type, completed, failed, waited_ms, worked_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (minute, type) DO UPDATE SET completed = completed + excluded.completed, failed = failed + excluded.failed,
             waited_ms = waited_ms + excluded.waited_ms, worked_ms = worked_ms + excluded.worked_ms",
    )?
    .execute((
        now.millis().div_euclid(MINUTE_MS),
        kind,
        ended.completed,
        ended.failed,
        millis(ended.waited),
        worked,
    ))?;
    if ended.completed > 0 {
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
