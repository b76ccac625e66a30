//! What follows from a job's change of state: counts, and who is next.

use std::collections::HashMap;

use common::jobs::{Job, JobEventKind, JobState};
use common::{JobId, Timestamp, UserId};
use rusqlite::{OptionalExtension as _, Row};
use serde_json::Value;

use super::events::{self, Told};
use super::history::{self, Ended};
use super::job::{state_number, to_json, user, user_bytes};
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

/// The moves of one transaction. The rows of the jobs are changed by the caller, before each call. What several jobs change alike is written once, at the end.
pub(super) struct Moves<'t, 'c> {
    tx: &'t Tx<'c>,
    /// By type.
    kinds: HashMap<String, Changes>,
    /// What is yet to be told.
    told: Vec<Told>,
}

/// What changed for one type.
#[derive(Default)]
struct Changes {
    counts: HashMap<(Option<UserId>, JobState), i64>,
    /// How many more jobs of a user are active.
    active: HashMap<Option<UserId>, i64>,
    /// The first of those who were lined up here: others behind it change nothing.
    first: HashMap<Option<UserId>, (i32, u64)>,
    /// Attempts that ended, and when.
    ended: Option<(Ended, Timestamp)>,
}

impl<'t, 'c> Moves<'t, 'c> {
    pub(super) fn new(tx: &'t Tx<'c>) -> Self {
        Self { tx, kinds: HashMap::new(), told: Vec::new() }
    }

    /// A job has come into being.
    pub(super) fn enter(&mut self, place: &Place, state: JobState) -> rusqlite::Result<()> {
        self.count(place, state, 1);
        match state {
            JobState::Inactive => self.line_up(place),
            JobState::Active => {
                self.count_active(place, 1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A job has gone from this state.
    pub(super) fn leave(&mut self, place: &Place, state: JobState) -> rusqlite::Result<()> {
        self.count(place, state, -1);
        match state {
            JobState::Inactive => {
                self.changes(place).first.remove(&place.user);
                turns::step_out(self.tx, place)
            }
            JobState::Active => {
                self.count_active(place, -1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A job that was ready is begun. Whose turn is next after that is the affair of the claim.
    pub(super) fn begin(&mut self, place: &Place) {
        self.count(place, JobState::Inactive, -1);
        self.count(place, JobState::Active, 1);
        self.changes(place).first.remove(&place.user);
    }

    /// A job has changed its state.
    pub(super) fn change(&mut self, place: &Place, from: JobState, to: JobState) -> rusqlite::Result<()> {
        self.leave(place, from)?;
        self.enter(place, to)
    }

    /// An attempt has ended.
    pub(super) fn end(&mut self, place: &Place, attempt: Ended, now: Timestamp) {
        let (ended, _) = self.changes(place).ended.get_or_insert_with(|| (Ended::default(), now));
        ended.add(&attempt);
    }

    /// Something has happened to a job, after all that was told before.
    pub(super) fn tell(
        &mut self,
        place: &Place,
        event: JobEventKind,
        data: Option<&Value>,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let data = data.map(to_json).transpose()?;
        self.take_told(Told::of(place, event, data, now))
    }

    /// The same with data that are JSON already.
    pub(super) fn tell_text(
        &mut self,
        place: &Place,
        event: JobEventKind,
        data: String,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        self.take_told(Told::of(place, event, Some(data), now))
    }

    fn take_told(&mut self, told: Told) -> rusqlite::Result<()> {
        self.told.push(told);
        if self.told.len() >= events::MOST_AT_ONCE {
            self.write_told()?;
        }
        Ok(())
    }

    fn write_told(&mut self) -> rusqlite::Result<()> {
        events::write(self.tx, &self.told)?;
        self.told.clear();
        Ok(())
    }

    fn changes(&mut self, place: &Place) -> &mut Changes {
        if !self.kinds.contains_key(&place.kind) {
            self.kinds.insert(place.kind.clone(), Changes::default());
        }
        self.kinds.get_mut(&place.kind).expect("it is there now")
    }

    fn count(&mut self, place: &Place, state: JobState, change: i64) {
        *self.changes(place).counts.entry((place.user, state)).or_default() += change;
    }

    fn count_active(&mut self, place: &Place, change: i64) {
        *self.changes(place).active.entry(place.user).or_default() += change;
    }

    fn line_up(&mut self, place: &Place) -> rusqlite::Result<()> {
        let here = (place.priority, place.number);
        let first = self.changes(place).first.entry(place.user).or_insert((i32::MAX, u64::MAX));
        if *first <= here {
            return Ok(());
        }
        *first = here;
        turns::line_up(self.tx, place)
    }

    /// Writes how many jobs are active: whose turn is next depends on it.
    pub(super) fn write_active(&mut self) -> rusqlite::Result<()> {
        for (kind, changes) in &mut self.kinds {
            for (user, change) in changes.active.drain().filter(|(_, change)| *change != 0) {
                turns::count_active(self.tx, kind, user_bytes(user.as_ref()), change)?;
            }
        }
        Ok(())
    }

    /// Writes what is counted, and the rest of what is told.
    pub(super) fn finish(mut self) -> rusqlite::Result<()> {
        self.write_told()?;
        self.write_active()?;
        for (kind, changes) in &self.kinds {
            if let Some((ended, now)) = &changes.ended {
                history::note(self.tx, kind, ended, *now)?;
            }
            let mut all: HashMap<JobState, i64> = HashMap::new();
            for ((user, state), change) in changes.counts.iter().filter(|(_, change)| **change != 0) {
                *all.entry(*state).or_default() += change;
                // nobody asks how many are nobody's
                if let Some(user) = user {
                    self.count_for_user(user.bytes(), kind, state_number(*state), *change)?;
                }
            }
            for (state, change) in all.into_iter().filter(|(_, change)| *change != 0) {
                self.count_for_type(kind, state_number(state), change)?;
            }
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
