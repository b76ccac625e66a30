//! What follows from a job's change of state: counts, and who is next.

use std::collections::HashMap;

use common::jobs::{Job, JobState};
use common::{JobId, Timestamp, UserId};
use rusqlite::{OptionalExtension as _, Row};

use super::job::{state_number, user, user_bytes};
use super::turns;
use crate::engine::Tx;
use crate::row::RowExt as _;

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

    pub(super) fn user_bytes(&self) -> &[u8] {
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
            JobState::Inactive => turns::line_up(self.tx, place),
            JobState::Active => turns::count_active(self.tx, place, 1),
            _ => Ok(()),
        }
    }

    /// A job has gone from this state.
    pub(super) fn leave(&mut self, place: &Place, state: JobState) -> rusqlite::Result<()> {
        self.count(place, state, -1);
        match state {
            JobState::Inactive => turns::step_out(self.tx, place),
            JobState::Active => turns::count_active(self.tx, place, -1),
            _ => Ok(()),
        }
    }

    /// A job that was ready is begun: it is its user's turn.
    pub(super) fn begin(&mut self, place: &Place, now: Timestamp) -> rusqlite::Result<()> {
        self.count(place, JobState::Inactive, -1);
        self.count(place, JobState::Active, 1);
        turns::serve(self.tx, place, now)
    }

    /// A job has changed its state.
    pub(super) fn change(&mut self, place: &Place, from: JobState, to: JobState) -> rusqlite::Result<()> {
        self.leave(place, from)?;
        self.enter(place, to)
    }

    fn count(&mut self, place: &Place, state: JobState, change: i64) {
        *self.counts.entry((place.user, place.kind.clone(), state)).or_default() += change;
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
