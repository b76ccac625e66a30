//! Lists: children in their four orders, the classic list, the trash.

use std::collections::HashMap;

use common::files::{Kind, ListQuery, Node, Order, Page, Position, Sort, SortValue};
use common::{FileId, SpaceId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::places::{Key, Line, Places};
use super::{node, path};
use crate::engine::damaged;
use crate::row::{RowExt as _, int};

/// The index of a sort, and its columns between `kind` and `id`.
const fn index(sort: Sort) -> (&'static str, &'static [&'static str]) {
    match sort {
        Sort::Name => ("nodes_by_name", &["sort_key"]),
        Sort::Size => ("nodes_by_size", &["size"]),
        Sort::ModifiedAt => ("nodes_by_time", &["modified_at"]),
        Sort::Type => ("nodes_by_type", &["mime", "sort_key"]),
    }
}

fn key_of(position: &Position) -> Key {
    let mut key = match &position.value {
        SortValue::Name(name) => vec![Value::Text(name.clone())],
        SortValue::Size(size) => vec![Value::Integer(int(*size))],
        SortValue::ModifiedAt(at) => vec![Value::Integer(at.millis())],
        SortValue::Type(mime, name) => vec![Value::Text(mime.clone()), Value::Text(name.clone())],
    };
    key.push(Value::Blob(position.id.bytes().to_vec()));
    key
}

/// What is selected from the index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Select {
    /// Whole nodes.
    Nodes,
    /// Sort value and id alone, which the index itself holds.
    Keys,
    /// How many, up to the limit.
    Count,
}

/// The query for one kind, or for both in one order: then two ranges of one index are merged, without sorting.
/// Parameters: parent, limit, offset, then those of the key if `after`.
pub(super) fn sql(select: Select, sort: Sort, order: Order, kinds: &[Kind], after: bool) -> String {
    let (index, columns) = index(sort);
    let (compare, direction) = match order {
        Order::Asc => (">", "ASC"),
        Order::Desc => ("<", "DESC"),
    };
    let prefixed =
        columns.iter().chain(&["id"]).map(|column| format!("n.{column}")).collect::<Vec<_>>().join(", ");
    let (result, join) = match select {
        Select::Nodes => (format!("{prefixed}, {}", node::COLUMNS), " LEFT JOIN blobs b ON b.key = n.blob"),
        Select::Keys | Select::Count => (prefixed.clone(), ""),
    };
    let after = if after {
        let parameters = (0..=columns.len()).map(|n| format!("?{}", n + 4)).collect::<Vec<_>>().join(", ");
        format!(" AND ({prefixed}) {compare} ({parameters})")
    } else {
        String::new()
    };
    let ranges: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let kind = node::kind_number(*kind);
            format!(
                "SELECT {result} FROM nodes n INDEXED BY {index}{join} WHERE n.parent = ?1 AND n.live = 1 AND n.kind = {kind}{after}"
            )
        })
        .collect();
    let order_by = (1..=columns.len() + 1).map(|n| format!("{n} {direction}")).collect::<Vec<_>>().join(", ");
    let list = format!("{} ORDER BY {order_by} LIMIT ?2 OFFSET ?3", ranges.join(" UNION ALL "));
    if select == Select::Count { format!("SELECT count(*) FROM ({list})") } else { list }
}

struct List<'c, 'q> {
    connection: &'c Connection,
    places: &'c Places,
    parent: FileId,
    query: &'q ListQuery,
}

pub(super) fn children(
    connection: &Connection,
    places: &Places,
    parent: FileId,
    query: &ListQuery,
) -> rusqlite::Result<Page<Node>> {
    let counts = connection
        .prepare_cached("SELECT folder_count, file_count FROM nodes WHERE id = ?1")?
        .query_row([parent.bytes()], |row| Ok((row.count(0)?, row.count(1)?)))
        .optional()?;
    let Some((folders, files)) = counts else {
        return Ok(Page { items: Vec::new(), more: false, total: 0 });
    };
    if !path::exists(connection, parent)? {
        return Ok(Page { items: Vec::new(), more: false, total: 0 });
    }
    let (ranges, total): (&[&'static [Kind]], u64) = match (query.kind, query.folders_first) {
        (Some(Kind::Folder), _) => (&[&[Kind::Folder]], folders),
        (Some(Kind::File), _) => (&[&[Kind::File]], files),
        (None, true) => (&[&[Kind::Folder], &[Kind::File]], folders + files),
        (None, false) => (&[&[Kind::Folder, Kind::File]], folders + files),
    };
    let list = List { connection, places, parent, query };
    let (items, more) = list.page(ranges)?;
    Ok(Page { items, more, total })
}

impl List<'_, '_> {
    /// A page of ranges that follow one another.
    fn page(&self, ranges: &[&'static [Kind]]) -> rusqlite::Result<(Vec<Node>, bool)> {
        let wanted = self.query.limit as usize + 1;
        let mut items = Vec::new();
        let mut offset = self.query.offset;
        let mut after = match &self.query.after {
            Some(position) => Some((position.kind, self.checked(position)?)),
            None => None,
        };
        for &kinds in ranges {
            // a position lies in the range of its kind: those before are done, those after untouched
            let mut key = None;
            if let Some((kind, position)) = after.take() {
                if kinds.contains(&kind) {
                    key = Some(position);
                } else if kinds.iter().all(|of| *of < kind) {
                    after = Some((kind, position));
                    continue;
                }
            }
            if offset > 0 {
                let skipped = match &key {
                    Some(key) => self.pass_by(kinds, Some(key), offset),
                    None => self.skip(kinds, offset),
                };
                match skipped? {
                    Ok(last) => (key, offset) = (Some(last), 0),
                    Err(shorter) => {
                        offset -= shorter;
                        continue;
                    }
                }
            }
            self.take(kinds, key.as_ref(), wanted - items.len(), &mut items)?;
            if items.len() == wanted {
                items.pop();
                return Ok((items, true));
            }
        }
        Ok((items, false))
    }

    fn checked(&self, position: &Position) -> rusqlite::Result<Key> {
        match (self.query.sort, &position.value) {
            (Sort::Name, SortValue::Name(_))
            | (Sort::Size, SortValue::Size(_))
            | (Sort::ModifiedAt, SortValue::ModifiedAt(_))
            | (Sort::Type, SortValue::Type(..)) => Ok(key_of(position)),
            _ => Err(damaged("a position of another sort")),
        }
    }

    fn parameters(&self, limit: u64, offset: u64, key: Option<&Key>) -> impl Iterator<Item = Value> {
        let parent = Value::Blob(self.parent.bytes().to_vec());
        [parent, Value::Integer(int(limit)), Value::Integer(int(offset))]
            .into_iter()
            .chain(key.cloned().unwrap_or_default())
    }

    fn sql(&self, select: Select, kinds: &[Kind], key: Option<&Key>) -> String {
        sql(select, self.query.sort, self.query.order, kinds, key.is_some())
    }

    /// As [`List::pass_by`] from the beginning.
    fn skip(&self, kinds: &'static [Kind], offset: u64) -> rusqlite::Result<Result<Key, u64>> {
        let line = Line::Sorted { sort: self.query.sort, order: self.query.order, kinds };
        self.places.skip(self.connection, (self.parent, line), offset, |key, offset| {
            self.pass_by(kinds, key, offset)
        })
    }

    /// The key of the last one of `offset` that are left out, read from the index alone; or how many there are, if they are fewer.
    fn pass_by(&self, kinds: &[Kind], key: Option<&Key>, offset: u64) -> rusqlite::Result<Result<Key, u64>> {
        let mut select = self.connection.prepare_cached(&self.sql(Select::Keys, kinds, key))?;
        let columns = select.column_count();
        let last = select
            .query_row(params_from_iter(self.parameters(1, offset - 1, key)), |row| {
                (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Key>>()
            })
            .optional()?;
        if let Some(last) = last {
            return Ok(Ok(last));
        }
        let mut count = self.connection.prepare_cached(&self.sql(Select::Count, kinds, key))?;
        count.query_row(params_from_iter(self.parameters(offset, 0, key)), |row| row.count(0)).map(Err)
    }

    fn take(
        &self,
        kinds: &[Kind],
        key: Option<&Key>,
        limit: usize,
        items: &mut Vec<Node>,
    ) -> rusqlite::Result<()> {
        let first = index(self.query.sort).1.len() + 1;
        let mut select = self.connection.prepare_cached(&self.sql(Select::Nodes, kinds, key))?;
        let mut rows = select.query(params_from_iter(self.parameters(limit as u64, 0, key)))?;
        while let Some(row) = rows.next()? {
            items.push(node::node(row, first)?);
        }
        Ok(())
    }
}

/// The classic list.
pub(super) fn children_by_id(
    connection: &Connection,
    places: &Places,
    parent: FileId,
    offset: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Node>> {
    if !path::exists(connection, parent)? {
        return Ok(Vec::new());
    }
    let mut after = FileId::from_bytes([0xff; 12]).bytes().to_vec();
    if offset > 0 {
        let skipped = places.skip(connection, (parent, Line::ById), offset, |key, offset| {
            pass_by_ids(connection, parent, key, offset)
        })?;
        match skipped.as_deref() {
            Ok([Value::Blob(last)]) => after.clone_from(last),
            _ => return Ok(Vec::new()),
        }
    }
    let mut select = connection.prepare_cached(&format!(
        "SELECT {} FROM nodes n INDEXED BY nodes_parent LEFT JOIN blobs b ON b.key = n.blob
         WHERE n.parent = ?1 AND n.live = 1 AND n.id < ?2 ORDER BY n.id DESC LIMIT ?3",
        node::COLUMNS
    ))?;
    select.query_map((parent.bytes(), after, limit), |row| node::node(row, 0))?.collect()
}

/// The id of the last one of `offset` that are left out, read from the index alone; or how many there are, if they are fewer.
fn pass_by_ids(
    connection: &Connection,
    parent: FileId,
    after: Option<&Key>,
    offset: u64,
) -> rusqlite::Result<Result<Key, u64>> {
    let first = Value::Blob(vec![0xff; 12]);
    let after = after.and_then(|key| key.first()).unwrap_or(&first);
    let rest = "FROM nodes INDEXED BY nodes_parent WHERE parent = ?1 AND live = 1 AND id < ?2";
    let last = connection
        .prepare_cached(&format!("SELECT id {rest} ORDER BY id DESC LIMIT 1 OFFSET ?3"))?
        .query_row((parent.bytes(), after, int(offset - 1)), |row| row.get(0))
        .optional()?;
    match last {
        Some(last) => Ok(Ok(vec![last])),
        None => connection
            .prepare_cached(&format!("SELECT count(*) {rest}"))?
            .query_row((parent.bytes(), after), |row| row.count(0))
            .map(Err),
    }
}

pub(super) fn trash(
    connection: &Connection,
    space: SpaceId,
    after: Option<(Timestamp, FileId)>,
    limit: u32,
) -> rusqlite::Result<Page<Node>> {
    let total = connection
        .prepare_cached("SELECT trash_count FROM spaces WHERE id = ?1")?
        .query_row([space.bytes()], |row| row.count(0))
        .optional()?;
    let Some(total) = total else { return Ok(Page { items: Vec::new(), more: false, total: 0 }) };
    let (at, id) = after.unwrap_or((Timestamp::MAX, FileId::from_bytes([0xff; 12])));
    let mut select = connection.prepare_cached(&format!(
        "SELECT {} FROM nodes n INDEXED BY nodes_trash LEFT JOIN blobs b ON b.key = n.blob
         WHERE n.space = ?1 AND n.trashed_at IS NOT NULL AND n.deleted_at IS NULL AND (n.trashed_at, n.id) < (?2, ?3)
         ORDER BY n.trashed_at DESC, n.id DESC",
        node::COLUMNS
    ))?;
    let mut rows = select.query((space.bytes(), at.millis(), id.bytes()))?;
    let mut known = Existing::new(connection);
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let node = node::node(row, 0)?;
        // what was trashed below a tombstone is gone, and its row waits for the purge
        if !known.exists(node.parent)? {
            continue;
        }
        if items.len() == limit as usize {
            return Ok(Page { items, more: true, total });
        }
        items.push(node);
    }
    // the counter counts what waits for the purge until it has gone
    let total = if after.is_none() { items.len() as u64 } else { total };
    Ok(Page { items, more: false, total })
}

pub(super) fn expired_trash(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<FileId>> {
    let mut select = connection.prepare_cached(
        "SELECT id, parent FROM nodes INDEXED BY nodes_trash_age
         WHERE trashed_at IS NOT NULL AND deleted_at IS NULL AND trashed_at < ?1 ORDER BY trashed_at, id",
    )?;
    let mut rows = select.query([before.millis()])?;
    let mut known = Existing::new(connection);
    let mut expired = Vec::new();
    while expired.len() < limit as usize {
        let Some(row) = rows.next()? else { break };
        if known.exists(row.id_opt(1)?)? {
            expired.push(row.id(0)?);
        }
    }
    Ok(expired)
}

/// Folders that were looked at during one list: most of its items lie in few.
struct Existing<'c> {
    connection: &'c Connection,
    seen: HashMap<FileId, bool>,
}

impl<'c> Existing<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self { connection, seen: HashMap::new() }
    }

    fn exists(&mut self, folder: Option<FileId>) -> rusqlite::Result<bool> {
        let Some(folder) = folder else { return Ok(true) };
        if let Some(exists) = self.seen.get(&folder) {
            return Ok(*exists);
        }
        let exists = path::exists(self.connection, folder)?;
        self.seen.insert(folder, exists);
        Ok(exists)
    }
}
