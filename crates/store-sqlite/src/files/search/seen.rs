//! Nodes as a search sees them one by one: whether they pass, and how well the words find them.

use std::fmt::Write as _;

use common::files::search::{MimeFilter, Rank, SearchFilter, words_of};
use common::files::{Kind, Tag};
use common::{FileId, SpaceId, Timestamp};
use rusqlite::Row;
use rusqlite::types::Value;

use super::super::node::kind_number;
use super::texts::Texts;
use crate::engine::damaged;
use crate::row::{RowExt as _, int};

/// A piece of SQL, and the values of its parameters in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
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

/// What [`Seen`] reads of `nodes n`.
pub(super) fn columns(space: SpaceId, filter: &SearchFilter) -> Sql {
    let mut sql = Sql::default();
    sql.push("n.modified_at, n.id, n.parent, n.name, n.tags, n.blob, ", []);
    sql.push("(n.live = 1 AND n.space = ?", [Value::Blob(space.bytes().to_vec())]);
    passes(&mut sql, filter);
    sql.push(")", []);
    sql
}

fn passes(sql: &mut Sql, filter: &SearchFilter) {
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
        write!(sql.text, " AND n.kind = {}", kind_number(Kind::File))
            .expect("a string takes what is written");
    }
    sql.and("n.size >= ?", filter.min_size.map(int));
    sql.and("n.size <= ?", filter.max_size.map(int));
}

/// Where a node stands in a list of one rank: the latest first, then by descending ids.
pub(super) type At = (Timestamp, FileId);

/// A row of [`columns`].
pub(super) struct Seen<'r>(pub(super) &'r Row<'r>);

impl Seen<'_> {
    pub(super) fn at(&self) -> rusqlite::Result<At> {
        Ok((self.0.time(0)?, self.0.id(1)?))
    }

    pub(super) fn parent(&self) -> rusqlite::Result<Option<FileId>> {
        self.0.id_opt(2)
    }

    /// Whether it is live, of that space, and not left out.
    pub(super) fn passes(&self) -> rusqlite::Result<bool> {
        self.0.get(6)
    }

    /// How well it is found by words; by those of texts too if they are there, of which `text_of` finds the one of a content. None if a word is not found.
    pub(super) fn rank(
        &self,
        words: &[String],
        texts: Option<&Texts>,
        text_of: impl FnOnce(&[u8]) -> rusqlite::Result<Option<i64>>,
    ) -> rusqlite::Result<Option<Rank>> {
        let (name, tags) = names_and_tags(self.0, 3)?;
        let (mut worst, mut others) = (Rank::Name, Vec::new());
        for (number, word) in words.iter().enumerate() {
            match in_names(word, &name, &tags) {
                Some(rank) => worst = worst.max(rank),
                None => others.push(number),
            }
        }
        if others.is_empty() {
            return Ok(Some(worst));
        }
        let (Some(texts), Some(blob)) = (texts, self.0.get_ref(5)?.as_blob_or_null()?) else {
            return Ok(None);
        };
        let Some(text) = text_of(blob)? else { return Ok(None) };
        for word in others {
            if texts.has_whole(word, text) {
                worst = worst.max(Rank::Text);
            } else if texts.has(word, text) {
                worst = Rank::TextPrefix;
            } else {
                return Ok(None);
            }
        }
        Ok(Some(worst))
    }
}

/// The words of a name and of the tags in the column after it.
pub(super) fn names_and_tags(row: &Row<'_>, name: usize) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
    let tags = Tag::split(row.get_ref(name + 1)?.as_str()?).map_err(|_| damaged("a tag that is none"))?;
    Ok((words_of([row.get_ref(name)?.as_str()?]), words_of(tags.iter().map(Tag::as_str))))
}

/// How well a name and tags of these words have a word.
pub(super) fn in_names(word: &str, name: &[String], tags: &[String]) -> Option<Rank> {
    let has = |words: &[String]| words.iter().any(|other| other == word);
    let begins = |words: &[String]| words.iter().any(|other| other.starts_with(word));
    if has(name) {
        Some(Rank::Name)
    } else if begins(name) {
        Some(Rank::NamePrefix)
    } else if has(tags) {
        Some(Rank::Tag)
    } else {
        begins(tags).then_some(Rank::TagPrefix)
    }
}
