//! The queries of a search: one for each rank and scope, until there is enough. A rank takes in those before it, which are left out.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use common::files::search::{Found, MimeFilter, Rank, Ranked, SearchFilter, SearchQuery, SearchScope};
use common::files::{Kind, MAX_DEPTH};
use common::{FileId, SpaceId};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::node::kind_number;
use crate::engine::deadline::{in_time, within};
use crate::row::{RowExt as _, int};

/// Longest time that a search takes a reader for.
pub(super) const MOST_TIME: Duration = Duration::from_secs(3);

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

/// Ids as one value, so that neither a statement's text nor SQLite's limits depend on how many they are.
fn list_of(ids: &[FileId]) -> String {
    let mut list = String::with_capacity(2 + 27 * ids.len());
    list.push('[');
    for (number, id) in ids.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        write!(list, "{comma}\"{id}\"").expect("a string takes what is written");
    }
    list.push(']');
    list
}

/// Those of some nodes of a space that are live, with nothing above them in the trash or gone, and the folders below them of which that is true. The bound only
/// keeps a damaged file from running for ever.
static BELOW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH RECURSIVE up (root, level, parent, live) AS (
             SELECT n.id, 0, n.parent, n.live FROM json_each(?1) given CROSS JOIN nodes n ON n.id = unhex(given.value)
             WHERE n.space = ?2
             UNION ALL
             SELECT up.root, up.level + 1, p.parent, p.live
             FROM up JOIN nodes p ON p.id = up.parent WHERE up.level < 2 * {MAX_DEPTH}),
         below (id) AS (
             SELECT root FROM up GROUP BY root HAVING min(live) = 1
             UNION
             SELECT f.id FROM below JOIN nodes f INDEXED BY nodes_folders
                 ON f.parent = below.id AND f.kind = 0 AND f.deleted_at IS NULL
             WHERE f.live = 1)
         SELECT id FROM below"
    )
});

/// Folders of a space that are in the trash or gone, by themselves or because of one above them.
const HIDDEN: &str = "WITH RECURSIVE hidden (id) AS (
         SELECT id FROM nodes INDEXED BY nodes_hidden WHERE space = ?1 AND kind = 0 AND live = 0
         UNION
         SELECT f.id FROM hidden JOIN nodes f INDEXED BY nodes_folders
             ON f.parent = hidden.id AND f.kind = 0 AND f.deleted_at IS NULL)
     SELECT id FROM hidden";

/// Where to look by one query.
struct Place {
    space: SpaceId,
    extent: Extent,
}

/// What of a space; ids as [`list_of`] them.
enum Extent {
    /// All but what lies in these folders.
    AllBut(Option<String>),
    /// These nodes, and what lies in those of them that are folders.
    Below(String),
}

/// None if nothing can be there.
fn place(connection: &Connection, scope: &SearchScope) -> rusqlite::Result<Option<Place>> {
    let space = scope.space;
    let ids = |select: &str, values: Vec<Value>| -> rusqlite::Result<Vec<FileId>> {
        connection.prepare_cached(select)?.query_map(params_from_iter(values), |row| row.id(0))?.collect()
    };
    let of_space = Value::Blob(space.bytes().to_vec());
    let extent = match &scope.below {
        None => {
            let hidden = ids(HIDDEN, vec![of_space])?;
            Extent::AllBut((!hidden.is_empty()).then(|| list_of(&hidden)))
        }
        Some(roots) => {
            let below = ids(&BELOW, vec![list_of(roots).into(), of_space])?;
            if below.is_empty() {
                return Ok(None);
            }
            Extent::Below(list_of(&below))
        }
    };
    Ok(Some(Place { space, extent }))
}

/// The query for one rank in one place.
fn of(query: &SearchQuery, place: &Place, rank: Rank, after: Option<Ranked>) -> Sql {
    let space = place.space;
    let words = Words { space: space.to_string(), words: &query.words };
    let mut sql = Sql::default();
    if let Extent::Below(list) = &place.extent {
        sql.push(
            "WITH below (id) AS MATERIALIZED (SELECT unhex(value) FROM json_each(?)) ",
            [list.clone().into()],
        );
    }
    sql.push("SELECT n.modified_at, n.id FROM nodes n WHERE n.id IN (", []);
    let nodes = words.of_rank(rank);
    sql.push(&nodes.text, nodes.values);
    sql.push(") AND n.space = ? AND n.live = 1", [Value::Blob(space.bytes().to_vec())]);
    match &place.extent {
        Extent::AllBut(None) => {}
        Extent::AllBut(Some(list)) => sql.push(
            " AND (n.parent IS NULL OR n.parent NOT IN (SELECT unhex(value) FROM json_each(?)))",
            [list.clone().into()],
        ),
        Extent::Below(_) => {
            sql.push(" AND (n.parent IN (SELECT id FROM below) OR n.id IN (SELECT id FROM below))", []);
        }
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

/// What is found, the best first, within this time.
pub(super) fn search(
    connection: &Connection,
    query: &SearchQuery,
    limit: Duration,
) -> rusqlite::Result<Found> {
    if query.words.is_empty() {
        return Ok(Found::default());
    }
    within(limit, || {
        let mut found = Found::default();
        let mut places = Vec::with_capacity(query.scopes.len());
        for scope in &query.scopes {
            let Some(place) = in_time(|| place(connection, scope))? else {
                found.incomplete = true;
                break;
            };
            places.extend(place);
        }
        let first = query.after.map_or(Rank::Name, |after| after.rank);
        for rank in Rank::ALL.into_iter().filter(|rank| *rank >= first) {
            let mut of_rank = Vec::new();
            for place in &places {
                if in_time(|| look(connection, query, (place, rank), &mut of_rank))?.is_none() {
                    found.incomplete = true;
                    break;
                }
            }
            of_rank.sort_unstable_by_key(|found| std::cmp::Reverse((found.modified_at, found.node)));
            of_rank.dedup_by_key(|found| found.node);
            found.nodes.append(&mut of_rank);
            if found.incomplete || found.nodes.len() >= query.limit as usize {
                break;
            }
        }
        found.nodes.truncate(query.limit as usize);
        Ok(found)
    })
}

/// Adds what is found at one rank in one place.
fn look(
    connection: &Connection,
    query: &SearchQuery,
    (place, rank): (&Place, Rank),
    found: &mut Vec<Ranked>,
) -> rusqlite::Result<()> {
    let after = query.after.filter(|after| after.rank == rank);
    let Sql { text, values } = of(query, place, rank, after);
    let mut select = connection.prepare_cached(&text)?;
    let rows = select.query_map(params_from_iter(values), |row| {
        Ok(Ranked { rank, modified_at: row.time(0)?, node: row.id(1)? })
    })?;
    for row in rows {
        found.push(row?);
    }
    Ok(())
}
