//! What the full-text indexes have for a question, the latest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::seen::{At, Seen, Sql};
use crate::row::{RowExt as _, int};

/// A question to a full-text index.
#[derive(Debug)]
pub(super) enum Question {
    /// To that of names and tags.
    Names(String),
    /// To that of texts: the nodes that have their contents.
    Texts(String),
}

/// From names and tags to nodes. The row that says when a node last changed is small, and spares a look at the node.
const NAMES: &str = "name_words CROSS JOIN search_nodes s ON s.id = name_words.rowid";
const OF_NAMES: &str = "name_words MATCH ? AND (s.modified_at, s.node) < (?, ?)";

/// From texts to nodes.
const TEXTS: &str = "text_words CROSS JOIN texts t ON t.id = text_words.rowid
     CROSS JOIN nodes n INDEXED BY nodes_blob ON n.blob = t.blob AND n.space = t.space";
const OF_TEXTS: &str = "text_words MATCH ? AND (n.modified_at, n.id) < (?, ?)";

/// How many names and tags have what is asked for, counted no further than to `most`.
pub(super) fn count_names(connection: &Connection, question: &str, most: u64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM name_words WHERE name_words MATCH ?1 LIMIT ?2)")?
        .query_row(params![question, int(most)], |row| row.count(0))
}

/// The first rows of names and tags that have what is asked for, in ascending order, at most so many. Eight bytes for each.
pub(super) fn rows_of_names(
    connection: &Connection,
    question: &str,
    most: u64,
) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("SELECT rowid FROM name_words WHERE name_words MATCH ?1 ORDER BY rowid LIMIT ?2")?
        .query_map(params![question, int(most)], |row| row.get(0))?
        .collect()
}

/// The latest of what it was given, in room for so many.
struct Latest {
    most: usize,
    /// Its greatest is the earliest of them, the first to go.
    heap: BinaryHeap<Reverse<At>>,
}

impl Latest {
    fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::with_capacity(most + 1) }
    }

    fn wants(&self, at: At) -> bool {
        self.heap.len() < self.most || self.heap.peek().is_some_and(|earliest| at > earliest.0)
    }

    fn take(&mut self, at: At) {
        self.heap.push(Reverse(at));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    /// In order.
    fn all(self) -> Vec<At> {
        let mut all: Vec<At> = self.heap.into_iter().map(|at| at.0).collect();
        all.sort_unstable_by_key(|at| Reverse(*at));
        all
    }
}

/// The latest nodes for any of these questions that come after one, in order and each once: all of them if that is so, or at most so many. Goes through all that
/// is found, in room for those; looks at none of them.
pub(super) fn latest(
    connection: &Connection,
    questions: &[Question],
    after: At,
    most: usize,
) -> rusqlite::Result<(Vec<At>, bool)> {
    let mut latest = Latest::new(most);
    for question in questions {
        let (select, question) = match question {
            Question::Names(question) => {
                (format!("SELECT s.modified_at, s.node FROM {NAMES} WHERE {OF_NAMES}"), question)
            }
            Question::Texts(question) => {
                (format!("SELECT n.modified_at, n.id FROM {TEXTS} WHERE {OF_TEXTS}"), question)
            }
        };
        let mut select = connection.prepare_cached(&select)?;
        let mut rows = select.query(params![question, after.0.millis(), after.1.bytes()])?;
        while let Some(row) = rows.next()? {
            let at = (row.time(0)?, row.id(1)?);
            if latest.wants(at) {
                latest.take(at);
            }
        }
    }
    let is_all = latest.heap.len() < most;
    let mut latest = latest.all();
    latest.dedup();
    Ok((latest, is_all))
}

/// The latest nodes for any of these questions that come after one and are wanted, in order and each once, at most so many. Looks at each node that would be among
/// them, in the order of the index.
pub(super) fn sifted(
    connection: &Connection,
    (questions, columns): (&[Question], &Sql),
    after: At,
    most: usize,
    mut is_wanted: impl FnMut(&Seen<'_>) -> rusqlite::Result<bool>,
) -> rusqlite::Result<Vec<At>> {
    let mut found = Vec::new();
    for question in questions {
        let (from, question) = match question {
            Question::Names(question) => {
                (format!("{NAMES} CROSS JOIN nodes n ON n.id = s.node WHERE {OF_NAMES}"), question)
            }
            Question::Texts(question) => (format!("{TEXTS} WHERE {OF_TEXTS}"), question),
        };
        let mut select = connection.prepare_cached(&format!("SELECT {} FROM {from}", columns.text))?;
        let mut values = columns.values.clone();
        values.push(question.clone().into());
        values.push(after.0.millis().into());
        values.push(Value::Blob(after.1.bytes().to_vec()));
        let mut rows = select.query(params_from_iter(values))?;
        let mut latest = Latest::new(most);
        while let Some(row) = rows.next()? {
            let seen = Seen(row);
            let at = seen.at()?;
            if latest.wants(at) && is_wanted(&seen)? {
                latest.take(at);
            }
        }
        found.append(&mut latest.all());
    }
    found.sort_unstable_by_key(|at| Reverse(*at));
    found.dedup();
    found.truncate(most);
    Ok(found)
}
