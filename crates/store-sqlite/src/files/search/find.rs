//! The queries of a search: one for each rank and scope, until there is enough. A rank takes in those before it, which are left out.

use common::files::Kind;
use common::files::search::{MimeFilter, Rank, Ranked, SearchFilter, SearchQuery, SearchScope};
use common::{FileId, SpaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::node::kind_number;
use crate::row::{RowExt as _, int};

/// A piece of SQL, and the values of its parameters in their order.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn push(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(text);
        self.values.extend(values);
    }

    fn and(&mut self, text: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(" AND ", []);
            self.push(text, [value.into()]);
        }
    }
}

/// The words of a search in one space.
struct Words<'q> {
    space: String,
    words: &'q [String],
}

impl Words<'_> {
    /// A word as the full-text index is asked for it: it has letters and digits alone, so that nothing in it is part of that language.
    fn phrase(&self, word: &str, is_prefix: bool) -> String {
        format!("\"{}{word}\"{}", self.space, if is_prefix { " *" } else { "" })
    }

    /// Where the names and tags have a word, at this rank or a better one.
    fn in_names(&self, word: &str, rank: Rank) -> String {
        let (whole, prefix) = (self.phrase(word, false), self.phrase(word, true));
        match rank {
            Rank::Name => format!("(name : {whole})"),
            Rank::NamePrefix => format!("(name : {prefix})"),
            Rank::Tag => format!("((name : {prefix}) OR (tags : {whole}))"),
            Rank::TagPrefix | Rank::Text | Rank::TextPrefix => format!("({prefix})"),
        }
    }

    fn all_in_names(&self, rank: Rank) -> String {
        let each: Vec<String> = self.words.iter().map(|word| self.in_names(word, rank)).collect();
        each.join(" AND ")
    }

    /// Nodes in whose names and tags all words stand, at this rank and at no better one.
    fn by_names(&self, rank: Rank) -> Sql {
        let mut question = format!("({})", self.all_in_names(rank));
        if let Some(better) = rank.better() {
            question = format!("{question} NOT ({})", self.all_in_names(better));
        }
        named(question)
    }

    /// Nodes with all words at this rank of texts or a better one.
    fn by_texts(&self, rank: Rank) -> Sql {
        let mut nodes = Sql::default();
        for (number, word) in self.words.iter().enumerate() {
            let names = named(self.in_names(word, rank));
            nodes.push(if number > 0 { " INTERSECT " } else { "" }, []);
            nodes.push("SELECT node FROM (", []);
            nodes.push(&names.text, names.values);
            nodes.push(
                " UNION SELECT n.id FROM text_words JOIN texts t ON t.id = text_words.rowid
                  JOIN nodes n ON n.blob = t.blob AND n.space = t.space WHERE text_words MATCH ?)",
                [self.phrase(word, rank == Rank::TextPrefix).into()],
            );
        }
        nodes
    }

    /// Nodes of this rank.
    fn of_rank(&self, rank: Rank) -> Sql {
        let mut nodes = match rank {
            Rank::Name | Rank::NamePrefix | Rank::Tag | Rank::TagPrefix => return self.by_names(rank),
            Rank::Text | Rank::TextPrefix => self.by_texts(rank),
        };
        let better = match rank {
            Rank::TextPrefix => self.by_texts(Rank::Text),
            _ => named(self.all_in_names(Rank::TagPrefix)),
        };
        nodes.push(" EXCEPT SELECT node FROM (", []);
        nodes.push(&better.text, better.values);
        nodes.push(")", []);
        nodes
    }
}

/// Nodes that the index of names and tags has for a question.
fn named(question: String) -> Sql {
    Sql {
        text: "SELECT s.node FROM name_words JOIN search_nodes s ON s.id = name_words.rowid WHERE name_words MATCH ?"
            .to_owned(),
        values: vec![question.into()],
    }
}

fn bytes(id: FileId) -> Value {
    Value::Blob(id.bytes().to_vec())
}

/// The query for one rank in one scope.
fn of(query: &SearchQuery, scope: &SearchScope, rank: Rank, after: Option<Ranked>) -> Sql {
    let space: SpaceId = scope.space;
    let words = Words { space: space.to_string(), words: &query.words };
    let mut sql = Sql::default();
    if let Some(below) = &scope.below {
        let marks = vec!["(?)"; below.len()].join(", ");
        sql.push(&format!("WITH RECURSIVE below (id) AS (VALUES {marks}"), below.iter().copied().map(bytes));
        sql.push(
            " UNION SELECT f.id FROM below JOIN nodes f INDEXED BY nodes_folders
                ON f.parent = below.id AND f.kind = 0 AND f.deleted_at IS NULL) ",
            [],
        );
    }
    sql.push("SELECT n.modified_at, n.id FROM nodes n WHERE n.id IN (", []);
    let nodes = words.of_rank(rank);
    sql.push(&nodes.text, nodes.values);
    sql.push(") AND n.space = ? AND n.live = 1", [Value::Blob(space.bytes().to_vec())]);
    if scope.below.is_some() {
        sql.push(" AND (n.parent IN (SELECT id FROM below) OR n.id IN (SELECT id FROM below))", []);
    }
    filter(&mut sql, &query.filter);
    if let Some(after) = after {
        sql.push(
            " AND (n.modified_at, n.id) < (?, ?)",
            [after.modified_at.millis().into(), bytes(after.node)],
        );
    }
    sql.push(" ORDER BY n.modified_at DESC, n.id DESC LIMIT ?", [i64::from(query.limit).into()]);
    sql
}

fn filter(sql: &mut Sql, filter: &SearchFilter) {
    sql.and("n.kind = ?", filter.kind.map(kind_number));
    match &filter.mime {
        None => {}
        Some(MimeFilter::Is(mime)) => sql.and("n.mime = ?", Some(mime.clone())),
        Some(MimeFilter::Begins(start)) => {
            sql.push(
                " AND n.mime >= ? AND n.mime < ?",
                [start.clone().into(), format!("{start}\u{10FFFF}").into()],
            );
        }
    }
    let tag = filter.tag.as_ref().map(|tag| tag.folded());
    sql.and(
        "EXISTS (SELECT 1 FROM node_tags t WHERE t.space = n.space AND t.folded = ? AND t.node = n.id)",
        tag,
    );
    sql.and("n.modified_at >= ?", filter.from.map(|from| from.millis()));
    sql.and("n.modified_at < ?", filter.to.map(|to| to.millis()));
    if filter.min_size.is_some() || filter.max_size.is_some() {
        sql.push(&format!(" AND n.kind = {}", kind_number(Kind::File)), []);
    }
    sql.and("n.size >= ?", filter.min_size.map(int));
    sql.and("n.size <= ?", filter.max_size.map(int));
}

/// What is found, the best first.
pub(super) fn search(connection: &Connection, query: &SearchQuery) -> rusqlite::Result<Vec<Ranked>> {
    let mut found = Vec::new();
    if query.words.is_empty() {
        return Ok(found);
    }
    let first = query.after.map_or(Rank::Name, |after| after.rank);
    for rank in Rank::ALL.into_iter().filter(|rank| *rank >= first) {
        let after = query.after.filter(|after| after.rank == rank);
        let mut of_rank: Vec<Ranked> = Vec::new();
        // below nothing lies nothing
        for scope in
            query.scopes.iter().filter(|scope| scope.below.as_ref().is_none_or(|below| !below.is_empty()))
        {
            let Sql { text, values } = of(query, scope, rank, after);
            let mut select = connection.prepare_cached(&text)?;
            let rows = select.query_map(params_from_iter(values), |row| {
                Ok(Ranked { rank, modified_at: row.time(0)?, node: row.id(1)? })
            })?;
            for row in rows {
                of_rank.push(row?);
            }
        }
        of_rank.sort_unstable_by_key(|found| std::cmp::Reverse((found.modified_at, found.node)));
        of_rank.dedup_by_key(|found| found.node);
        found.append(&mut of_rank);
        if found.len() >= query.limit as usize {
            found.truncate(query.limit as usize);
            break;
        }
    }
    Ok(found)
}
