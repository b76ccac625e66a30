//! What follows from a job's change of state: counts, and who is next.

use std::collections::HashMap;

use common::jobs::{Job, JobState};
use common::{JobId, UserId};
use rusqlite::{OptionalExtension as _, Row};

use super::job::{state_number, user, user_bytes};
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

/// What of a job decides its place in the order.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) priority: i32,
    pub(super) user: Option<UserId>,
}

/// What [`Place::read`] reads.
pub(super) const PLACE_COLUMNS: &str = "number, type, priority, user, id";

/// How many columns those are.
pub(super) const PLACE_COUNT: usize = 5;

impl Place {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.count(0)?,
            kind: row.get(1)?,
            priority: row.get(2)?,
            user: user(row, 3)?,
            id: row.id(4)?,
        })
    }

    pub(super) fn of(job: &Job) -> Self {
        Self {
            number: job.number,
            id: job.spec.id,
            kind: job.spec.kind.clone(),
            priority: job.spec.priority.0,
            user: job.spec.user,
        }
    }

    fn user_bytes(&self) -> &[u8] {
        user_bytes(self.user.as_ref())
    }
}

/// The moves of one transaction. The rows of the jobs are changed by the caller, before each call.
pub(super) struct Moves<'t, 'c> {
    tx: &'t Tx<'c>,
    counts: HashMap<(Option<UserId>, String, JobState), i64>,
}

impl<'t, 'c> Moves<'t, 'c> {
    pub(super) fn new(tx: &'t Tx<'c>) -> Self {
        Self { tx, counts: HashMap::new() }
    }

    /// A job has come into being.
    pub(super) fn enter(&mut self, place: &Place, state: JobState) -> rusqlite::Result<()> {
        self.count(place, state, 1);
        match state {
            JobState::Inactive => self.line_up(place),
            JobState::Active => self.count_active(place.user_bytes(), 1),
            _ => Ok(()),
        }
    }

    /// A job has gone from this state.
    pub(super) fn leave(&mut self, place: &Place, state: JobState) -> rusqlite::Result<()> {
        self.count(place, state, -1);
        match state {
            JobState::Inactive => self.step_out(place),
            JobState::Active => self.count_active(place.user_bytes(), -1),
            _ => Ok(()),
        }
    }

    /// A job has changed its state.
    pub(super) fn change(&mut self, place: &Place, from: JobState, to: JobState) -> rusqlite::Result<()> {
        self.leave(place, from)?;
        self.enter(place, to)
    }

    fn count(&mut self, place: &Place, state: JobState, change: i64) {
        *self.counts.entry((place.user, place.kind.clone(), state)).or_default() += change;
    }

    fn line_up(&self, place: &Place) -> rusqlite::Result<()> {
        self.tx
            .prepare_cached(
                "INSERT INTO ready (user, type, priority, head, active)
                 VALUES (?1, ?2, ?3, ?4, coalesce((SELECT count FROM active_users WHERE user = ?1), 0))
                 ON CONFLICT (user, type, priority) DO UPDATE SET head = excluded.head WHERE excluded.head < head",
            )?
            .execute((place.user_bytes(), &place.kind, place.priority, int(place.number)))
            .map(drop)
    }

    /// The next job of the same user, type and priority comes first now.
    fn step_out(&self, place: &Place) -> rusqlite::Result<()> {
        let head = self
            .tx
            .prepare_cached(
                "SELECT min(number) FROM jobs INDEXED BY jobs_ready
                 WHERE state = 0 AND type = ?2 AND priority = ?3 AND user = ?1",
            )?
            .query_row((place.user_bytes(), &place.kind, place.priority), |row| {
                row.get::<_, Option<i64>>(0)
            })?;
        match head {
            Some(head) => self
                .tx
                .prepare_cached("UPDATE ready SET head = ?4 WHERE user = ?1 AND type = ?2 AND priority = ?3 AND head <> ?4")?
                .execute((place.user_bytes(), &place.kind, place.priority, head)),
            None => self
                .tx
                .prepare_cached("DELETE FROM ready WHERE user = ?1 AND type = ?2 AND priority = ?3")?
                .execute((place.user_bytes(), &place.kind, place.priority)),
        }
        .map(drop)
    }

    fn count_active(&self, user: &[u8], change: i64) -> rusqlite::Result<()> {
        let before = self
            .tx
            .prepare_cached("SELECT count FROM active_users WHERE user = ?1")?
            .query_row([user], |row| row.get::<_, i64>(0))
            .optional()?
            .unwrap_or(0);
        let now = before + change;
        if now <= 0 {
            self.tx.prepare_cached("DELETE FROM active_users WHERE user = ?1")?.execute([user])?;
        } else {
            self.tx
                .prepare_cached(
                    "INSERT INTO active_users (user, count) VALUES (?1, ?2)
                     ON CONFLICT (user) DO UPDATE SET count = excluded.count",
                )?
                .execute((user, now))?;
        }
        self.tx
            .prepare_cached("UPDATE ready SET active = ?2 WHERE user = ?1")?
            .execute((user, now.max(0)))
            .map(drop)
    }

    /// Writes the counts.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        let mut types: HashMap<(&str, JobState), i64> = HashMap::new();
        for ((user, kind, state), change) in self.counts.iter().filter(|(_, change)| **change != 0) {
            *types.entry((kind, *state)).or_default() += change;
            self.count_for_user(user_bytes(user.as_ref()), kind, state_number(*state), *change)?;
        }
        for ((kind, state), change) in types.into_iter().filter(|(_, change)| *change != 0) {
            self.count_for_type(kind, state_number(state), change)?;
        }
        Ok(())
    }

    /// Rows that come to nothing go: there are many users.
    fn count_for_user(&self, user: &[u8], kind: &str, state: i64, change: i64) -> rusqlite::Result<()> {
        let left = self
            .tx
            .prepare_cached(
                "UPDATE user_counts SET count = count + ?4 WHERE user = ?1 AND type = ?2 AND state = ?3 RETURNING count",
            )?
            .query_row((user, kind, state, change), |row| row.get::<_, i64>(0))
            .optional()?;
        match left {
            Some(0) => self
                .tx
                .prepare_cached("DELETE FROM user_counts WHERE user = ?1 AND type = ?2 AND state = ?3")?
                .execute((user, kind, state))
                .map(drop),
            Some(_) => Ok(()),
            None => self
                .tx
                .prepare_cached("INSERT INTO user_counts (user, type, state, count) VALUES (?1, ?2, ?3, ?4)")?
                .execute((user, kind, state, change))
                .map(drop),
        }
    }

    fn count_for_type(&self, kind: &str, state: i64, change: i64) -> rusqlite::Result<()> {
        let updated = self
            .tx
            .prepare_cached("UPDATE type_counts SET count = count + ?3 WHERE type = ?1 AND state = ?2")?
            .execute((kind, state, change))?;
        if updated == 0 {
            self.tx
                .prepare_cached("INSERT INTO type_counts (type, state, count) VALUES (?1, ?2, ?3)")?
                .execute((kind, state, change))?;
        }
        Ok(())
    }
}
