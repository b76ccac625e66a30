//! Searches: rank by rank, and in each from what changed last, until there is enough.
//!
//! Where few nodes have the words, the full-text index says which, and these are put in order. Where many have, looking each of them up would take long, and the
//! page is full soon when the space is gone through from its latest change on: the rows that say so are held against those of the index or, where even these are
//! too many to be listed, each node against the words. Of several words, those that very many names have are left to a look at what the others find. Which of these
//! ways it is only decides how long a search takes.

use common::files::search::{Found, Rank, Ranked, SearchQuery};
use common::{FileId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use super::bounds::Bounds;
use super::candidates::{self, Question};
use super::frequent::Sample;
use super::place::Place;
use super::seen::{self, At, Seen, Sql};
use super::texts::Texts;
use super::words::Words;
use crate::engine::deadline::{in_time, within};
use crate::row::RowExt as _;

mod led;

use led::Held;

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
                // what it had found before its time was over comes first there, and is kept
                if in_time(|| look.at(rank, &mut of_rank))?.is_none() {
                    found.incomplete = true;
                    break;
                }
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

/// Characters of words with which so many others begin that the latest names are likely to have them.
const SHORT_WORD: usize = 4;

/// Rows of one index after another that are read in the time in which one node is looked up.
const ROWS_FOR_A_LOOK_UP: usize = 8;

/// How much an index has for a question.
enum HowMany {
    /// Little enough to look all of it up.
    Few,
    /// Little enough to be listed: these rows.
    Many(Vec<i64>),
    /// More.
    VeryMany,
}

/// A search in one place.
struct Look<'q> {
    connection: &'q Connection,
    query: &'q SearchQuery,
    bounds: &'q Bounds,
    place: Place,
    words: Words<'q>,
    columns: Sql,
    /// Taken once it is needed.
    sample: Option<Sample>,
    /// Whether the words that are not frequent led to too much that has not all of them.
    is_led_astray: bool,
    /// Found once the search comes to the ranks of texts.
    texts: Option<Texts>,
}

impl<'q> Look<'q> {
    fn new(connection: &'q Connection, query: &'q SearchQuery, bounds: &'q Bounds, place: Place) -> Self {
        let words = Words::new(place.space, &query.words);
        let columns = seen::columns(place.space, &query.filter);
        Self {
            connection,
            query,
            bounds,
            place,
            words,
            columns,
            sample: None,
            is_led_astray: false,
            texts: None,
        }
    }

    /// Adds what is there at a rank, in order, at most a page.
    fn at(&mut self, rank: Rank, found: &mut Vec<At>) -> rusqlite::Result<()> {
        let after = self.query.after.filter(|after| after.rank == rank);
        let after = after.map_or(FIRST, |after| (after.modified_at, after.node));
        // the index collects all that begins so before it says the first
        if rank == Rank::NamePrefix
            && self.latest_may_have_all()?
            && let Some(page) = self.walk(rank, after, self.bounds.peek)?
        {
            found.extend(page);
            return Ok(());
        }
        if rank < Rank::Text && self.led(rank, after, found)? {
            return Ok(());
        }
        let (questions, how_many) = self.questions(rank)?;
        let page = match how_many {
            HowMany::Few => return self.gather(rank, &questions, after, found),
            HowMany::Many(rows) => {
                let held = |seen: &Seen<'_>| Ok(if self.has(seen)? { Held::Wanted } else { Held::Missed });
                self.among(&rows, after, usize::MAX, held)?
            }
            HowMany::VeryMany => self.walk(rank, after, self.bounds.walk)?,
        };
        found.extend(match page {
            Some(page) => page,
            None => self.sift(rank, &questions, after, self.query.limit as usize)?,
        });
        Ok(())
    }

    /// What the indexes are asked for, and how much they have for it.
    fn questions(&mut self, rank: Rank) -> rusqlite::Result<(Vec<Question>, HowMany)> {
        let &Bounds { many, very_many, many_texts, .. } = self.bounds;
        if rank < Rank::Text {
            let question = self.words.by_names(rank);
            let rows = candidates::rows_of_names(self.connection, &question, very_many)?;
            let count = rows.len() as u64;
            let how_many = if count >= very_many {
                HowMany::VeryMany
            } else if count >= many {
                HowMany::Many(rows)
            } else {
                HowMany::Few
            };
            return Ok((vec![Question::Names(question)], how_many));
        }
        let is_prefix = rank == Rank::TextPrefix;
        let found = self.texts.insert(Texts::find(self.connection, &self.words, is_prefix)?);
        // each word is in the texts or the names of all that is found; the one that the fewest have leads there
        let in_texts: Vec<u64> = (0..self.query.words.len()).map(|number| found.count(number)).collect();
        let (count, word) = if let [count] = *in_texts { (count, 0) } else { self.rarest(&in_texts)? };
        let mut questions = vec![Question::Texts(self.words.phrase(&self.query.words[word], is_prefix))];
        if self.query.words.len() > 1 {
            questions.push(Question::Names(self.words.in_any_name(word)));
        }
        Ok((questions, if count >= many_texts { HowMany::VeryMany } else { HowMany::Few }))
    }

    /// Goes through the space from its latest change on, for wanted nodes whose names and tags are these rows. None if that takes longer than to look them all up, or
    /// if those that are not wanted cost more than there is patience.
    fn among(
        &self,
        rows: &[i64],
        after: At,
        mut patience: usize,
        held: impl Fn(&Seen<'_>) -> rusqlite::Result<Held> + Copy,
    ) -> rusqlite::Result<Option<Vec<At>>> {
        let mut select = self.connection.prepare_cached(
            "SELECT modified_at, node, id FROM search_nodes INDEXED BY search_latest
             WHERE space = ?1 AND (modified_at, node) < (?2, ?3) ORDER BY modified_at DESC, node DESC",
        )?;
        let (mut found, mut looked) = (Vec::new(), 0);
        let mut all = select.query(params![self.place.space.bytes(), after.0.millis(), after.1.bytes()])?;
        while let Some(row) = all.next()? {
            looked += 1;
            if looked > ROWS_FOR_A_LOOK_UP * rows.len() {
                return Ok(None);
            }
            if rows.binary_search(&row.get(2)?).is_err() {
                continue;
            }
            let at = (row.time(0)?, row.id(1)?);
            let held = self.look_up(at, held)?.unwrap_or(Held::Missed);
            if !held.is_borne(&mut patience) {
                return Ok(None);
            }
            if held == Held::Wanted {
                found.push(at);
                if found.len() >= self.query.limit as usize {
                    break;
                }
            }
        }
        Ok(Some(found))
    }

    /// What is seen of a node, if it is there.
    fn look_up<T>(
        &self,
        at: At,
        look: impl FnOnce(&Seen<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        let mut values = self.columns.values.clone();
        values.push(Value::Blob(at.1.bytes().to_vec()));
        self.connection
            .prepare_cached(&format!("SELECT {} FROM nodes n WHERE n.id = ?", self.columns.text))?
            .query_row(params_from_iter(values), |row| look(&Seen(row)))
            .optional()
    }

    /// Goes through the space from its latest change on, for nodes that have the words. None if that is not over after so many nodes.
    fn walk(&self, rank: Rank, after: At, most: usize) -> rusqlite::Result<Option<Vec<At>>> {
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {} FROM search_nodes s INDEXED BY search_latest CROSS JOIN nodes n ON n.id = s.node
             WHERE s.space = ? AND (s.modified_at, s.node) < (?, ?) ORDER BY s.modified_at DESC, s.node DESC LIMIT ?",
            self.columns.text
        ))?;
        let mut values = self.columns.values.clone();
        values.push(Value::Blob(self.place.space.bytes().to_vec()));
        values.push(after.0.millis().into());
        values.push(Value::Blob(after.1.bytes().to_vec()));
        values.push(Value::Integer(i64::try_from(most).unwrap_or(i64::MAX)));
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
        Ok((looked < most).then_some(found))
    }

    /// Puts the latest of what the indexes have in order, and adds what lies there; and of the others, if that is no page.
    fn gather(
        &self,
        rank: Rank,
        questions: &[Question],
        after: At,
        found: &mut Vec<At>,
    ) -> rusqlite::Result<()> {
        let full = found.len() + self.query.limit as usize;
        let (batch, is_all) = candidates::latest(self.connection, questions, after, self.bounds.batch)?;
        for at in &batch {
            if self.look_up(*at, |seen| self.is_found(rank, seen))? == Some(true) {
                found.push(*at);
                if found.len() >= full {
                    return Ok(());
                }
            }
        }
        if let Some(last) = batch.last().filter(|_| !is_all) {
            found.extend(self.sift(rank, questions, *last, full - found.len())?);
        }
        Ok(())
    }

    /// Looks at all that the indexes have: most of it is left out, or lies elsewhere.
    fn sift(&self, rank: Rank, questions: &[Question], after: At, most: usize) -> rusqlite::Result<Vec<At>> {
        let wanted = |seen: &Seen<'_>| self.is_found(rank, seen);
        candidates::sifted(self.connection, (questions, &self.columns), after, most, wanted)
    }

    /// Whether a node for which the index was asked is there, at this rank; what has the words in names and tags has it.
    fn is_found(&self, rank: Rank, seen: &Seen<'_>) -> rusqlite::Result<bool> {
        Ok(self.has(seen)? && (rank < Rank::Text || self.rank(seen)? == Some(rank)))
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
