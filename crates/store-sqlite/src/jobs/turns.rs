//! Whose turn it is. There is one row for each type and user, so that what a claim costs depends neither on how many jobs wait nor on how many priorities
//! they have. Of those whose next job is the most urgent, the one with the fewest active jobs of the type is next, then the one who was served longest ago.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use common::Timestamp;
use common::jobs::SERVED_KEPT;

use super::moves::Place;
use crate::engine::Tx;
use crate::row::int;

/// Rows that are forgotten in one go.
const FORGET: u32 = 500;

/// Steps of `served` in a millisecond: so many can be served within one and still have an order. With more the order runs ahead of the clock.
const STEPS: i64 = 1000;

/// What decides who is next: the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    priority: i64,
    active: i64,
    served: i64,
    /// The number of the job.
    head: i64,
}

/// A user who waits for jobs of a type.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    turn: Turn,
    kind: String,
    user: Vec<u8>,
    /// Priorities and numbers of the jobs behind the first one, as far as they were looked up.
    behind: VecDeque<(i64, i64)>,
    served: bool,
}

/// The head of the line, as far as one claim can come. Rows change once each, at the end, since every change of one goes into its indexes.
pub(super) struct Line {
    /// The least first.
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Those who are not asked any more: with whether they still wait, since their type is held back, or have no more jobs.
    out: Vec<(Waiting, bool)>,
    last_served: i64,
}

impl Line {
    /// Those who wait for these types, for a claim of at most so many jobs: each job that is begun puts its user further back, so that nobody behind the
    /// first `most` of a type is reached.
    pub(super) fn of<'a>(
        tx: &Tx<'_>,
        types: impl Iterator<Item = &'a String>,
        most: u32,
    ) -> rusqlite::Result<Self> {
        let mut select = tx.prepare_cached(
            "SELECT priority, active, served, head, user FROM turns INDEXED BY turns_order
             WHERE type = ?1 AND head IS NOT NULL ORDER BY priority, active, served, head LIMIT ?2",
        )?;
        let (mut waiting, mut seen) = (BinaryHeap::new(), HashSet::new());
        for kind in types.filter(|kind| seen.insert(*kind)) {
            let mut rows = select.query((kind, most))?;
            while let Some(row) = rows.next()? {
                let turn = Turn {
                    priority: row.get(0)?,
                    active: row.get(1)?,
                    served: row.get(2)?,
                    head: row.get(3)?,
                };
                let (kind, user) = (kind.clone(), row.get(4)?);
                waiting.push(Reverse(Waiting { turn, kind, user, behind: VecDeque::new(), served: false }));
            }
        }
        let last_served = if waiting.is_empty() {
            0
        } else {
            tx.prepare_cached("SELECT max(served) FROM turns")?.query_row([], |row| row.get(0))?
        };
        Ok(Self { waiting, out: Vec::new(), last_served })
    }

    /// The number of the next job whose type is let through. Of types that are not, nobody is asked for again.
    pub(super) fn first(&mut self, lets: impl Fn(&str) -> bool) -> Option<i64> {
        loop {
            let Reverse(first) = self.waiting.peek()?;
            if lets(&first.kind) {
                return Some(first.turn.head);
            }
            let Reverse(held) = self.waiting.pop()?;
            self.out.push((held, true));
        }
    }

    /// The first job is begun: its user's next one comes first now, and everybody else is served before them, among those with as few active jobs. At most
    /// `left` jobs more are asked for.
    pub(super) fn serve(&mut self, tx: &Tx<'_>, left: usize, now: Timestamp) -> rusqlite::Result<()> {
        let Some(Reverse(mut first)) = self.waiting.pop() else { return Ok(()) };
        self.last_served = now.millis().saturating_mul(STEPS).max(self.last_served + 1);
        first.served = true;
        first.turn.served = self.last_served;
        first.turn.active += 1;
        if first.behind.is_empty() {
            // as many as come to one user; one at least, for the row
            let share = left / (self.waiting.len() + 1) + 1;
            first.behind = next_of_user(tx, &first.kind, &first.user, share)?;
        }
        match first.behind.pop_front() {
            Some((priority, head)) => {
                (first.turn.priority, first.turn.head) = (priority, head);
                self.waiting.push(Reverse(first));
            }
            None => self.out.push((first, false)),
        }
        Ok(())
    }

    /// Writes who was served.
    pub(super) fn finish(self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        let waiting = self.waiting.into_iter().map(|Reverse(waiting)| (waiting, true));
        for (Waiting { turn, kind, user, .. }, waits) in
            self.out.into_iter().chain(waiting).filter(|(waiting, _)| waiting.served)
        {
            let next = waits.then_some((turn.priority, turn.head));
            tx.prepare_cached(
                "UPDATE turns SET priority = ?3, head = ?4, active = ?5, served = ?6 WHERE type = ?1 AND user = ?2",
            )?
            .execute((kind, user, next.map(|next| next.0), next.map(|next| next.1), turn.active, turn.served))?;
        }
        Ok(())
    }
}

/// Whether anybody waits for a job of this type to begin.
pub(super) fn waits(tx: &Tx<'_>, kind: &str) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT 1 FROM turns INDEXED BY turns_order WHERE type = ?1 AND head IS NOT NULL LIMIT 1",
    )?
    .exists([kind])
}

/// A job is ready.
pub(super) fn line_up(tx: &Tx<'_>, place: &Place) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO turns (type, user, active, served, priority, head) VALUES (?1, ?2, 0, 0, ?3, ?4)
         ON CONFLICT (type, user) DO UPDATE SET priority = excluded.priority, head = excluded.head
         WHERE head IS NULL OR (excluded.priority, excluded.head) < (priority, head)",
    )?
    .execute((&place.kind, place.user_bytes(), place.priority, int(place.number)))
    .map(drop)
}

/// A job is not ready any more: the user's next one comes first now.
pub(super) fn step_out(tx: &Tx<'_>, place: &Place) -> rusqlite::Result<()> {
    let next = next_of_user(tx, &place.kind, place.user_bytes(), 1)?.pop_front();
    let (priority, head) = next.unzip();
    tx.prepare_cached(
        "UPDATE turns SET priority = ?3, head = ?4
         WHERE type = ?1 AND user = ?2 AND (head IS NOT ?4 OR priority IS NOT ?3)",
    )?
    .execute((&place.kind, place.user_bytes(), priority, head))
    .map(drop)
}

/// Priorities and numbers of the jobs of this type that are the user's next.
fn next_of_user(tx: &Tx<'_>, kind: &str, user: &[u8], most: usize) -> rusqlite::Result<VecDeque<(i64, i64)>> {
    tx.prepare_cached(
        "SELECT priority, number FROM jobs INDEXED BY jobs_line
         WHERE state = 0 AND type = ?1 AND user = ?2 ORDER BY priority, number LIMIT ?3",
    )?
    .query_map((kind, user, int(most as u64)), |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// So many more jobs of the user are active.
pub(super) fn count_active(tx: &Tx<'_>, kind: &str, user: &[u8], change: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE turns SET active = active + ?3 WHERE type = ?1 AND user = ?2")?
        .execute((kind, user, change))
        .map(drop)
}

/// Forgets users who have nothing to do with a type any more, when they were served long enough ago.
pub(super) fn forget(tx: &Tx<'_>, now: Timestamp) -> rusqlite::Result<()> {
    // within that millisecond, too
    let before = (now - SERVED_KEPT).millis().saturating_add(1).saturating_mul(STEPS);
    tx.prepare_cached(
        "DELETE FROM turns WHERE (type, user) IN (
             SELECT type, user FROM turns INDEXED BY turns_idle
             WHERE active = 0 AND head IS NULL AND served < ?1 LIMIT ?2
         )",
    )?
    .execute((before, FORGET))
    .map(drop)
}
