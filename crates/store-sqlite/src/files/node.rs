//! The rows of nodes.

use common::files::{
    ClassicType, Content, Kind, MediaFacts, NewNode, Node, NodeName, Public, Tag, ThumbnailState, Trashed,
    sort_key,
};
use common::{Crc32, FileId, Sha256, UserId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{marks, places, search};
use crate::engine::{Tx, damaged};
use crate::row::{RowExt as _, int};

/// What [`node`] reads, of `nodes n LEFT JOIN blobs b ON b.key = n.blob`.
pub(super) const COLUMNS: &str = "n.id, n.space, n.owner, n.parent, n.name, n.kind, n.created_at, n.modified_at, n.revision, \
     n.trashed_at, n.trashed_by, n.public_since, n.public_by, n.classic_name, n.classic_type, n.folder_count + n.file_count, \
     n.version, n.blob, n.size, n.mime, n.content_modified_at, \
     b.sha256, b.crc32, b.thumbnails, b.thumbnails_reason, b.width, b.height, b.taken_at, b.camera, b.duration_ms, \
     EXISTS (SELECT 1 FROM shares WHERE node = n.id), EXISTS (SELECT 1 FROM links WHERE node = n.id), \
     EXISTS (SELECT 1 FROM stars WHERE node = n.id), n.tags";

/// A kind as the column `kind` has it.
pub(super) const fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Folder => 0,
        Kind::File => 1,
    }
}

/// Reads a node from the columns of [`COLUMNS`], of which the first is number `at`.
pub(super) fn node(row: &Row<'_>, at: usize) -> rusqlite::Result<Node> {
    let kind = match row.get::<_, i64>(at + 5)? {
        0 => Kind::Folder,
        1 => Kind::File,
        _ => return Err(damaged("an unknown kind")),
    };
    let parent = row.id_opt(at + 3)?;
    let public = match row.time_opt(at + 11)? {
        Some(since) => Some(Public { since, by: row.id(at + 12)? }),
        None => None,
    };
    let trashed = match row.time_opt(at + 9)? {
        Some(trashed_at) => Some(Trashed { at: trashed_at, by: row.id(at + 10)? }),
        None => None,
    };
    let classic_type = match row.get_ref(at + 14)?.as_str_or_null()? {
        Some(word) => Some(ClassicType::parse(word).ok_or_else(|| damaged("an unknown classic type"))?),
        None => None,
    };
    Ok(Node {
        id: row.id(at)?,
        space: row.id(at + 1)?,
        owner: row.id(at + 2)?,
        parent,
        name: name(row, at + 4)?,
        kind,
        created_at: row.time(at + 6)?,
        modified_at: row.time(at + 7)?,
        revision: row.count(at + 8)?,
        content: if row.get_ref(at + 17)?.as_blob_or_null()?.is_some() {
            Some(content(row, at + 16)?)
        } else {
            None
        },
        public,
        trashed,
        classic_name: row.get(at + 13)?,
        classic_type,
        child_count: row.count(at + 15)?,
        shared: row.get(at + 30)?,
        linked: row.get(at + 31)?,
        starred: row.get(at + 32)?,
        tags: Tag::split(row.get_ref(at + 33)?.as_str()?).map_err(|_| damaged("a tag that is none"))?,
    })
}

/// Reads a content from the columns of [`COLUMNS`] from `n.version` to `b.duration_ms`, of which the first is number `at`.
pub(super) fn content(row: &Row<'_>, at: usize) -> rusqlite::Result<Content> {
    let media = MediaFacts {
        width: row.get(at + 9)?,
        height: row.get(at + 10)?,
        taken_at: row.get(at + 11)?,
        camera: row.get(at + 12)?,
        duration_ms: match row.get_ref(at + 13)? {
            ValueRef::Null => None,
            _ => Some(row.count(at + 13)?),
        },
    };
    Ok(Content {
        version: row.get(at)?,
        blob: row.id(at + 1)?,
        size: row.count(at + 2)?,
        mime: row.get(at + 3)?,
        modified_at: row.time(at + 4)?,
        sha256: Sha256(row.get(at + 5)?),
        crc32: Crc32(row.get(at + 6)?),
        thumbnails: row.word(at + 7, ThumbnailState::parse)?,
        thumbnails_reason: row.get(at + 8)?,
        media: (!media.is_empty()).then_some(media),
    })
}

/// Reads a stored name; only a root's is empty.
pub(super) fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<NodeName> {
    match row.get_ref(column)?.as_str()? {
        "" => Ok(NodeName::root()),
        text => NodeName::parse(text).map_err(|_| damaged("a name that is none")),
    }
}

/// The node with this id, unless it has a tombstone itself. Whether it lies below one is not looked at.
pub(super) fn find(connection: &Connection, id: FileId) -> rusqlite::Result<Option<Node>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM nodes n LEFT JOIN blobs b ON b.key = n.blob WHERE n.id = ?1 AND n.deleted_at IS NULL"
        ))?
        .query_row([id.bytes()], |row| node(row, 0))
        .optional()
}

/// As [`find`], for a node that this transaction has just written.
pub(super) fn get(tx: &Tx<'_>, id: FileId) -> rusqlite::Result<Node> {
    find(tx, id)?.ok_or_else(|| damaged("a node that was just written is gone"))
}

/// Inserts a live node.
pub(super) fn insert(tx: &Tx<'_>, new: &NewNode<'_>) -> rusqlite::Result<()> {
    let content = new.content.map(|(content, _)| content);
    tx.prepare_cached(
        "INSERT INTO nodes (id, space, owner, parent, name, sort_key, kind, live, created_at, modified_at, public_since, public_by,
                            classic_name, classic_type, version, blob, size, mime, content_modified_at, content_at, content_by, tags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )?
    .execute(params![
        new.id.bytes(),
        new.space.bytes(),
        new.owner.bytes(),
        new.parent.as_ref().map(FileId::bytes),
        new.name.as_str(),
        sort_key(new.name.as_str()),
        kind_number(new.kind),
        new.at.millis(),
        new.public_by.map(|_| new.at.millis()),
        new.public_by.as_ref().map(UserId::bytes),
        new.classic_name,
        new.classic_type.map(ClassicType::word),
        content.map(|_| 1),
        content.map(|content| content.blob.key.bytes()),
        content.map_or(0, |content| int(content.blob.size)),
        content.map_or("", |content| content.mime.as_str()),
        content.map(|content| content.modified_at.millis()),
        content.map(|_| new.at.millis()),
        new.content.as_ref().map(|(_, by)| by.bytes()),
        Tag::join(new.tags),
    ])?;
    if let Some(parent) = new.parent {
        places::something_came(tx, parent)?;
    }
    marks::index_tags(tx, new.space, new.id, new.tags)?;
    search::index_node(tx, (new.space, new.id), new.name, new.tags)
}

/// Counts a live child of this kind more (or less) in its folder.
pub(super) fn count_child(tx: &Tx<'_>, parent: FileId, kind: Kind, change: i64) -> rusqlite::Result<()> {
    let sql = match kind {
        Kind::Folder => "UPDATE nodes SET folder_count = folder_count + ?2 WHERE id = ?1",
        Kind::File => "UPDATE nodes SET file_count = file_count + ?2 WHERE id = ?1",
    };
    tx.prepare_cached(sql)?.execute((parent.bytes(), change)).map(drop)
}
