//! What hangs on nothing. No change that works leaves such a thing; a damaged file, or a hand that wrote into it, may.

use common::files::{Kind, NodeName, sort_key};
use common::{BlobKey, FileId, PortResult};
use rusqlite::{Connection, OptionalExtension as _};

use super::{FilesDb, names, node, search};
use crate::engine::Tx;
use crate::row::RowExt as _;

/// Rows that are given at a time.
const ROWS: u32 = 500;

impl FilesDb {
    /// Some files and folders that no way leads to, by ascending ids after `after`; none at the end.
    ///
    /// # Errors
    /// As every call of the store.
    pub async fn loose_nodes(&self, after: Option<FileId>) -> PortResult<Vec<(FileId, String)>> {
        self.read(move |connection| nodes(connection, after)).await
    }

    /// Some files with contents of which nothing is known, at most some hundred: there is no use in knowing more.
    ///
    /// # Errors
    /// As every call of the store.
    pub async fn loose_contents(&self) -> PortResult<Vec<(FileId, BlobKey)>> {
        self.read(contents).await
    }

    /// Puts a file or folder that no way leads to into the root of its space, under the next free name: that name. None if it is not loose, or if the space
    /// is not there either. Counters are to be counted again after that.
    ///
    /// # Errors
    /// As every call of the store.
    pub async fn adopt_node(&self, id: FileId) -> PortResult<Option<NodeName>> {
        self.write(move |tx| adopt(tx, id)).await
    }
}

/// What is true of a loose node `n` with the row `p` that it names as its folder: there is none, or it is the first of folders that lie in one another.
const IS_LOOSE: &str = "n.parent IS NOT NULL AND (p.id IS NULL OR p.kind <> 0 OR n.kind = 0 AND (
    WITH RECURSIVE up (level, id, parent) AS (
        SELECT 1, p.id, p.parent UNION ALL
        SELECT up.level + 1, a.id, a.parent FROM up JOIN nodes a ON a.id = up.parent WHERE up.id <> n.id AND up.level < 256)
    SELECT max(id = n.id) AND min(id) = n.id FROM up))";

fn nodes(connection: &Connection, after: Option<FileId>) -> rusqlite::Result<Vec<(FileId, String)>> {
    let after = after.map_or([0; 12], |id| *id.bytes());
    connection
        .prepare_cached(&format!(
            "SELECT n.id, n.name FROM nodes n LEFT JOIN nodes p ON p.id = n.parent
             WHERE n.id > ?1 AND {IS_LOOSE} ORDER BY n.id LIMIT {ROWS}"
        ))?
        .query_map([after], |row| Ok((row.id(0)?, row.get(1)?)))?
        .collect()
}

fn contents(connection: &Connection) -> rusqlite::Result<Vec<(FileId, BlobKey)>> {
    connection
        .prepare_cached(&format!(
            "SELECT n.id, n.blob FROM nodes n LEFT JOIN blobs b ON b.key = n.blob WHERE n.blob IS NOT NULL AND b.key IS NULL
             UNION ALL
             SELECT v.node, v.blob FROM versions v LEFT JOIN blobs b ON b.key = v.blob WHERE b.key IS NULL
             LIMIT {ROWS}"
        ))?
        .query_map([], |row| Ok((row.id(0)?, row.id(1)?)))?
        .collect()
}

fn adopt(tx: &Tx<'_>, id: FileId) -> rusqlite::Result<Option<NodeName>> {
    let found = tx
        .prepare_cached(&format!(
            "SELECT n.name, n.kind, n.live, s.root FROM nodes n LEFT JOIN nodes p ON p.id = n.parent
             JOIN spaces s ON s.id = n.space JOIN nodes r ON r.id = s.root WHERE n.id = ?1 AND {IS_LOOSE}"
        ))?
        .query_row([id.bytes()], |row| {
            Ok((node::name(row, 0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?, row.id::<FileId>(3)?))
        })
        .optional()?;
    let Some((name, kind, live, root)) = found else { return Ok(None) };
    let kind = if kind == 0 { Kind::Folder } else { Kind::File };
    let mut called = name.clone();
    if live && names::holder(tx, root, &name)?.is_some() {
        called = names::numbered(tx, root, &name)?;
    }
    tx.prepare_cached(
        "UPDATE nodes SET parent = ?2, name = ?3, sort_key = ?4, revision = revision + 1 WHERE id = ?1",
    )?
    .execute((id.bytes(), root.bytes(), called.as_str(), sort_key(called.as_str())))?;
    if live {
        node::count_child(tx, root, kind, 1)?;
    }
    if called != name {
        let node = node::get(tx, id)?;
        search::index_node(tx, (node.space, id), &called, &node.tags)?;
    }
    Ok(Some(called))
}
