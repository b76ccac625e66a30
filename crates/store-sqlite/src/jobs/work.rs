//! What workers report of the jobs that they hold.

use std::time::Duration;

use common::Timestamp;
use common::jobs::{JobEventKind, LeaseHolder, LostLease};
use rusqlite::OptionalExtension as _;
use serde_json::{Value, json};

use super::events::{self, Told};
use super::job::to_json;
use super::moves::{PLACE_COLUMNS, Place};
use crate::engine::{Tx, TxResult};
use crate::row::int;

/// Held by this claim, whose lease and time to live have not ended.
pub(super) const HOLDS: &str = "id = ?1 AND state = 1 AND generation = ?2 AND ends_at > ?3";

pub(super) fn holds(holder: LeaseHolder, now: Timestamp) -> ([u8; 12], i64, i64) {
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
    Ok(events::write(tx, &[Told::of(&place, JobEventKind::Progress, Some(to_json(&told)?), now)])?)
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
