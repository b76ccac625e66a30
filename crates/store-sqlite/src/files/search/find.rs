//! Searches: rank by rank, and in each from what changed last, until there is enough.
//!
//! Where few nodes have the words, the full-text index says which, and these are put in order. Where very many have, that would take long, and the page is full
//! soon when the space is gone through from its latest change on, each node held against the words. Which of the two it is only decides how long a search takes.

use std::time::Duration;

use common::files::search::{Found, Rank, Ranked, SearchQuery};
use common::{FileId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use super::candidates::{self, Question};
use super::place::Place;
use super::seen::{self, At, Seen, Sql};
use super::texts::Texts;
use super::words::Words;
use crate::engine::deadline::{in_time, within};

/// What a search goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Longest time that it takes a reader for.
    pub(super) time: Duration,
    /// Nodes with the words from which the space is gone through instead: putting so many in order takes some ten milliseconds.
    pub(super) many: u64,
    /// Nodes that are then looked at before it is given up: those that have the words may all be old, or be left out.
    pub(super) walk: usize,
    /// Nodes that are put in order at once.
    pub(super) batch: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { time: Duration::from_secs(3), many: 20_000, walk: 20_000, batch: 4_096 }
    }
}

/// Before all others.
const FIRST: At = (Timestamp::from_millis(i64::MAX), FileId::from_bytes([0xFF; 12]));

/// What is found, the best first.
pub(super) fn search(
    connection: &Connection,
    query: &SearchQuery,
    bounds: &Bounds,
) -> rusqlite::Result<Found> {
    if query.words.is_empty() || query.limit == 0 {
        return Ok(Found::default());
    }
    within(bounds.time, || {
        let mut found = Found::default();
        let mut looks = Vec::with_capacity(query.scopes.len());
        for scope in &query.scopes {
            let Some(place) = in_time(|| Place::find(connection, scope))? else {
                found.incomplete = true;
                break;
            };
            looks.extend(place.map(|place| Look::new(connection, query, bounds, place)));
        }
        let first = query.after.map_or(Rank::Name, |after| after.rank);
        for rank in Rank::ALL.into_iter().filter(|rank| *rank >= first) {
            let mut of_rank = Vec::new();
            for look in &mut looks {
                let Some(more) = in_time(|| look.at(rank))? else {
                    found.incomplete = true;
                    break;
                };
                of_rank.extend(more);
            }
            of_rank.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
            of_rank.dedup();
            found.nodes.extend(of_rank.into_iter().map(|(modified_at, node)| Ranked {
                rank,
                modified_at,
                node,
            }));
            if found.incomplete || found.nodes.len() >= query.limit as usize {
                break;
            }
        }
        found.nodes.truncate(query.limit as usize);
        Ok(found)
    })
}

/// A search in one place.
struct Look<'q> {
    connection: &'q Connection,
    query: &'q SearchQuery,
    bounds: &'q Bounds,
    place: Place,
    words: Words<'q>,
    columns: Sql,
    /// Found once the search comes to the ranks of texts.
    texts: Option<Texts>,
}

impl<'q> Look<'q> {
    fn new(connection: &'q Connection, query: &'q SearchQuery, bounds: &'q Bounds, place: Place) -> Self {
        let words = Words::new(place.space, &query.words);
        let columns = seen::columns(place.space, &query.filter);
        Self { connection, query, bounds, place, words, columns, texts: None }
    }

    /// What is there at a rank, in order, at most a page.
    fn at(&mut self, rank: Rank) -> rusqlite::Result<Vec<At>> {
        let after = self.query.after.filter(|after| after.rank == rank);
        let after = after.map_or(FIRST, |after| (after.modified_at, after.node));
        let (questions, is_common) = self.questions(rank)?;
        if is_common && let Some(found) = self.walk(rank, after)? {
            return Ok(found);
        }
        self.gather(rank, &questions, after)
    }

    /// What the indexes are asked for, and whether they have very much for it.
    fn questions(&mut self, rank: Rank) -> rusqlite::Result<(Vec<Question>, bool)> {
        let many = self.bounds.many;
        if rank < Rank::Text {
            let question = self.words.by_names(rank);
            let count = candidates::count_names(self.connection, &question, many)?;
            return Ok((vec![Question::Names(question)], count >= many));
        }
        let is_prefix = rank == Rank::TextPrefix;
        let texts = self.texts.insert(Texts::find(self.connection, &self.words, is_prefix)?);
        // each word is in the texts or the names of all that is found; the one that the fewest have leads there
        let mut rarest = (u64::MAX, 0);
        for number in 0..self.query.words.len() {
            let in_names = if self.query.words.len() > 1 {
                candidates::count_names(self.connection, &self.words.in_any_name(number), many)?
            } else {
                0
            };
            rarest = rarest.min((in_names + texts.count(number), number));
        }
        let (count, word) = rarest;
        let mut questions = vec![Question::Texts(self.words.phrase(&self.query.words[word], is_prefix))];
        if self.query.words.len() > 1 {
            questions.push(Question::Names(self.words.in_any_name(word)));
        }
        Ok((questions, count >= many))
    }

    /// Goes through the space from its latest change on. None if too much of it is something else.
    fn walk(&self, rank: Rank, after: At) -> rusqlite::Result<Option<Vec<At>>> {
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {} FROM search_nodes s INDEXED BY search_latest CROSS JOIN nodes n ON n.id = s.node
             WHERE s.space = ? AND (s.modified_at, s.node) < (?, ?) ORDER BY s.modified_at DESC, s.node DESC LIMIT ?",
            self.columns.text
        ))?;
        let mut values = self.columns.values.clone();
        values.push(Value::Blob(self.place.space.bytes().to_vec()));
        values.push(after.0.millis().into());
        values.push(Value::Blob(after.1.bytes().to_vec()));
        values.push(Value::Integer(i64::try_from(self.bounds.walk).unwrap_or(i64::MAX)));
        let (mut found, mut looked) = (Vec::new(), 0);
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            looked += 1;
            let seen = Seen(row);
            if self.has(&seen)? && self.rank(&seen)? == Some(rank) {
                found.push(seen.at()?);
                if found.len() >= self.query.limit as usize {
                    return Ok(Some(found));
                }
            }
        }
        Ok((looked < self.bounds.walk).then_some(found))
    }

    /// Puts what the indexes have in order, and takes what lies there.
    fn gather(&self, rank: Rank, questions: &[Question], mut after: At) -> rusqlite::Result<Vec<At>> {
        let mut select = self
            .connection
            .prepare_cached(&format!("SELECT {} FROM nodes n WHERE n.id = ?", self.columns.text))?;
        let mut found = Vec::new();
        loop {
            let (batch, is_all) = candidates::latest(self.connection, questions, after, self.bounds.batch)?;
            for at in &batch {
                let mut values = self.columns.values.clone();
                values.push(Value::Blob(at.1.bytes().to_vec()));
                let is_found = |row: &rusqlite::Row<'_>| {
                    let seen = Seen(row);
                    // what has the words in names and tags has this rank
                    Ok(self.has(&seen)? && (rank < Rank::Text || self.rank(&seen)? == Some(rank)))
                };
                if select.query_row(params_from_iter(values), is_found).optional()?.unwrap_or(false) {
                    found.push(*at);
                    if found.len() >= self.query.limit as usize {
                        return Ok(found);
                    }
                }
            }
            match batch.last() {
                Some(last) if !is_all => after = *last,
                _ => return Ok(found),
            }
        }
    }

    fn has(&self, seen: &Seen<'_>) -> rusqlite::Result<bool> {
        Ok(seen.passes()? && self.place.has(seen.at()?.1, seen.parent()?))
    }

    fn rank(&self, seen: &Seen<'_>) -> rusqlite::Result<Option<Rank>> {
        seen.rank(&self.query.words, self.texts.as_ref(), |blob| {
            self.connection
                .prepare_cached("SELECT id FROM texts WHERE blob = ?1 AND space = ?2")?
                .query_row(params![blob, self.place.space.bytes()], |row| row.get(0))
                .optional()
        })
    }
}
