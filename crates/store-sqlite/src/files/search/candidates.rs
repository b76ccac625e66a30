//! What the full-text indexes have for a question, the latest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rusqlite::{Connection, params};

use super::seen::At;
use crate::row::{RowExt as _, int};

/// A question to a full-text index.
#[derive(Debug)]
pub(super) enum Question {
    /// To that of names and tags.
    Names(String),
    /// To that of texts: the nodes that have their contents.
    Texts(String),
}

/// Nodes for a question, with the time and id below which they lie. A node is not looked at where its words are: the row that says when it last changed is small.
const NAMES: &str =
    "SELECT s.modified_at, s.node FROM name_words CROSS JOIN search_nodes s ON s.id = name_words.rowid
     WHERE name_words MATCH ?1 AND (s.modified_at, s.node) < (?2, ?3)";

const TEXTS: &str = "SELECT n.modified_at, n.id FROM text_words CROSS JOIN texts t ON t.id = text_words.rowid
     CROSS JOIN nodes n INDEXED BY nodes_blob ON n.blob = t.blob AND n.space = t.space
     WHERE text_words MATCH ?1 AND (n.modified_at, n.id) < (?2, ?3)";

/// How many names and tags have what is asked for, counted no further than to `most`.
pub(super) fn count_names(connection: &Connection, question: &str, most: u64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM name_words WHERE name_words MATCH ?1 LIMIT ?2)")?
        .query_row(params![question, int(most)], |row| row.count(0))
}

/// The rows of names and tags that have what is asked for, in ascending order. Eight bytes for each.
pub(super) fn rows_of_names(connection: &Connection, question: &str) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("SELECT rowid FROM name_words WHERE name_words MATCH ?1 ORDER BY rowid")?
        .query_map([question], |row| row.get(0))?
        .collect()
}

/// The latest nodes for any of these questions that come after one, each once: all of them if that is so, or at most so many. Goes through all that is found, in
/// room for those.
pub(super) fn latest(
    connection: &Connection,
    questions: &[Question],
    after: At,
    most: usize,
) -> rusqlite::Result<(Vec<At>, bool)> {
    // its greatest is the earliest of them, the first to go
    let mut latest: BinaryHeap<Reverse<At>> = BinaryHeap::with_capacity(most + 1);
    for question in questions {
        let (select, question) = match question {
            Question::Names(question) => (NAMES, question),
            Question::Texts(question) => (TEXTS, question),
        };
        let mut select = connection.prepare_cached(select)?;
        let mut rows = select.query(params![question, after.0.millis(), after.1.bytes()])?;
        while let Some(row) = rows.next()? {
            let at = (row.time(0)?, row.id(1)?);
            if latest.len() < most {
                latest.push(Reverse(at));
            } else if latest.peek().is_some_and(|earliest| at > earliest.0) {
                latest.pop();
                latest.push(Reverse(at));
            }
        }
    }
    let is_all = latest.len() < most;
    let mut latest: Vec<At> = latest.into_iter().map(|at| at.0).collect();
    latest.sort_unstable_by_key(|at| Reverse(*at));
    latest.dedup();
    Ok((latest, is_all))
}
