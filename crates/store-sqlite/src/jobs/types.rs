//! Types of jobs: what was set for them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use common::Timestamp;
use common::jobs::{JobState, JobType, JobTypes, TypeLimit, TypeUse};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::job::state;
use super::turns;
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

pub(super) fn all_paused(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM meta WHERE key = 'paused'")?.exists([])
}

pub(super) fn set_paused(tx: &Tx<'_>, kind: Option<&str>, paused: bool) -> rusqlite::Result<()> {
    match kind {
        Some(kind) => tx
            .prepare_cached(
                "INSERT INTO types (type, paused) VALUES (?1, ?2) ON CONFLICT (type) DO UPDATE SET paused = excluded.paused",
            )?
            .execute((kind, paused)),
        None if paused => {
            tx.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('paused', '')")?.execute([])
        }
        None => tx.prepare_cached("DELETE FROM meta WHERE key = 'paused'")?.execute([]),
    }
    .map(drop)
}

pub(super) fn set_limit(tx: &Tx<'_>, kind: &str, limit: Option<TypeLimit>) -> rusqlite::Result<()> {
    let per_ms = limit.map(|limit| int(u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX)));
    tx.prepare_cached(
        "INSERT INTO types (type, max, per_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (type) DO UPDATE SET max = excluded.max, per_ms = excluded.per_ms, window_at = 0, window_count = 0",
    )?
    .execute((kind, limit.map(|limit| limit.max), per_ms))
    .map(drop)
}

fn limit(row: &Row<'_>, max: usize, per_ms: usize) -> rusqlite::Result<Option<TypeLimit>> {
    let Some(max) = row.get::<_, Option<u32>>(max)? else { return Ok(None) };
    Ok(Some(TypeLimit { max, per: Duration::from_millis(row.count(per_ms)?) }))
}

/// How many jobs of each type one claim may begin.
pub(super) struct Allowance<'a> {
    limits: HashMap<&'a str, Window>,
    held: Vec<&'a str>,
}

struct Window {
    limit: TypeLimit,
    began_at: Timestamp,
    begun: u32,
    changed: bool,
}

impl<'a> Allowance<'a> {
    /// Of types that are asked for; none of those that are paused.
    pub(super) fn of(tx: &Tx<'_>, types: &'a [String], now: Timestamp) -> rusqlite::Result<Self> {
        let mut allowance = Self { limits: HashMap::new(), held: Vec::new() };
        let mut select = tx.prepare_cached(
            "SELECT paused, max, per_ms, window_at, window_count FROM types WHERE type = ?1",
        )?;
        for kind in types {
            let found = select
                .query_row([kind], |row| {
                    Ok((row.get::<_, bool>(0)?, limit(row, 1, 2)?, row.time(3)?, row.get::<_, u32>(4)?))
                })
                .optional()?;
            match found {
                Some((true, ..)) => allowance.held.push(kind),
                Some((false, Some(limit), began_at, begun)) => {
                    let over = began_at + limit.per <= now;
                    let window = if over {
                        Window { limit, began_at: now, begun: 0, changed: false }
                    } else {
                        Window { limit, began_at, begun, changed: false }
                    };
                    allowance.limits.insert(kind, window);
                }
                _ => {}
            }
        }
        Ok(allowance)
    }

    /// Whether one more of this type may begin.
    pub(super) fn lets(&self, kind: &str) -> bool {
        !self.held.contains(&kind)
            && self.limits.get(kind).is_none_or(|window| window.begun < window.limit.max)
    }

    pub(super) fn count(&mut self, kind: &str) {
        if let Some(window) = self.limits.get_mut(kind) {
            window.begun += 1;
            window.changed = true;
        }
    }

    /// Writes what was begun; when a limit that holds ready jobs back lets more through.
    pub(super) fn finish(self, tx: &Tx<'_>) -> rusqlite::Result<Option<Timestamp>> {
        let mut again_at = None;
        for (kind, window) in self.limits {
            if window.changed {
                tx.prepare_cached("UPDATE types SET window_at = ?2, window_count = ?3 WHERE type = ?1")?
                    .execute((kind, window.began_at.millis(), window.begun))?;
            }
            let waits = window.begun >= window.limit.max && turns::waits(tx, kind)?;
            if waits {
                let at = window.began_at + window.limit.per;
                again_at = Some(again_at.map_or(at, |other: Timestamp| other.min(at)));
            }
        }
        Ok(again_at)
    }
}

pub(super) fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT type FROM types UNION SELECT type FROM type_counts")?
        .query_map([], |row| row.get(0))?
        .collect()
}

pub(super) fn type_use(connection: &Connection, kind: &str) -> rusqlite::Result<TypeUse> {
    let has_jobs = |states: &str| {
        connection
            .prepare_cached(&format!(
                "SELECT 1 FROM type_counts WHERE type = ?1 AND count > 0 AND state IN ({states})"
            ))?
            .exists([kind])
    };
    if has_jobs("0, 1, 4")? {
        return Ok(TypeUse::Live);
    }
    let was_worked =
        connection.prepare_cached("SELECT 1 FROM types WHERE type = ?1 AND work_ms > 0")?.exists([kind])?;
    Ok(if was_worked || has_jobs("2, 3, 5")? { TypeUse::Before } else { TypeUse::Never })
}

/// All types, or one.
pub(super) fn all(connection: &Connection, only: Option<&str>) -> rusqlite::Result<JobTypes> {
    let mut types: BTreeMap<String, JobType> = BTreeMap::new();
    let mut settings = connection.prepare_cached(
        "SELECT type, paused, max, per_ms, work_ms FROM types WHERE ?1 IS NULL OR type = ?1 ORDER BY type",
    )?;
    let mut rows = settings.query([only])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let found = JobType {
            paused: row.get(1)?,
            limit: limit(row, 2, 3)?,
            work_time: Duration::from_millis(row.count(4)?),
            ..JobType::new(kind.clone())
        };
        types.insert(kind, found);
    }
    let mut counts = connection
        .prepare_cached("SELECT type, state, count FROM type_counts WHERE ?1 IS NULL OR type = ?1")?;
    let mut rows = counts.query([only])?;
    while let Some(row) = rows.next()? {
        let (kind, state, count): (String, JobState, u64) = (row.get(0)?, state(row, 1)?, row.count(2)?);
        types.entry(kind.clone()).or_insert_with(|| JobType::new(kind)).counts.insert(state, count);
    }
    Ok(JobTypes { types: types.into_values().collect(), paused: all_paused(connection)? })
}
