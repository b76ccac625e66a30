//! The way from a node up to its root.

use std::sync::LazyLock;

use common::FileId;
use common::files::{Crumb, Kind, MAX_DEPTH, NodeError, NodePath};
use rusqlite::{Connection, OptionalExtension as _};

use super::node;
use crate::engine::{Tx, TxResult, damaged};
use crate::row::RowExt as _;

/// The statement of [`find`]. Its bound only keeps a damaged file from running for ever.
static FIND: LazyLock<String> = LazyLock::new(|| {
    let columns = node::COLUMNS;
    format!(
        "WITH RECURSIVE up (level, id, parent, name, trashed, deleted) AS (
             SELECT 0, id, parent, name, trashed_at IS NOT NULL, deleted_at IS NOT NULL FROM nodes WHERE id = ?1
             UNION ALL
             SELECT up.level + 1, p.id, p.parent, p.name, p.trashed_at IS NOT NULL, p.deleted_at IS NOT NULL
             FROM up JOIN nodes p ON p.id = up.parent WHERE up.level < 2 * {MAX_DEPTH})
         SELECT up.level, up.id, up.name, up.trashed, up.deleted, {columns}
         FROM up LEFT JOIN nodes n ON up.level = 0 AND n.id = up.id LEFT JOIN blobs b ON b.key = n.blob"
    )
});

/// A node with its ancestors; none if it or anything above it is deleted. One query.
pub(super) fn find(connection: &Connection, id: FileId) -> rusqlite::Result<Option<NodePath>> {
    let mut select = connection.prepare_cached(&FIND)?;
    let mut rows = select.query([id.bytes()])?;
    let (mut found, mut ancestors) = (None, Vec::new());
    while let Some(row) = rows.next()? {
        if row.get(4)? {
            return Ok(None);
        }
        if found.is_none() {
            found = Some(node::node(row, 5)?);
        } else {
            ancestors.push(Crumb { id: row.id(1)?, name: node::name(row, 2)?, trashed: row.get(3)? });
        }
    }
    ancestors.reverse();
    let Some(node) = found else { return Ok(None) };
    if node.parent != ancestors.last().map(|crumb| crumb.id) {
        return Err(damaged("a node without its folder"));
    }
    Ok(Some(NodePath { node, ancestors }))
}

/// Whether a node is there and nothing from it upwards is deleted.
pub(super) fn exists(connection: &Connection, id: FileId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(&format!(
            "WITH RECURSIVE up (level, parent, deleted) AS (
                 SELECT 0, parent, deleted_at IS NOT NULL FROM nodes WHERE id = ?1
                 UNION ALL
                 SELECT up.level + 1, p.parent, p.deleted_at IS NOT NULL
                 FROM up JOIN nodes p ON p.id = up.parent WHERE up.level < 2 * {MAX_DEPTH})
             SELECT coalesce(max(deleted), 1) = 0 FROM up"
        ))?
        .query_row([id.bytes()], |row| row.get(0))
}

/// A node that is neither deleted nor in the trash, by itself or because of a folder above it.
pub(super) fn live(tx: &Tx<'_>, id: FileId) -> TxResult<NodePath, NodeError> {
    find(tx, id)?.filter(|path| !path.in_trash()).ok_or_else(|| NodeError::NotFound.into())
}

/// A folder that something may be put into.
pub(super) fn parent(tx: &Tx<'_>, id: FileId) -> TxResult<NodePath, NodeError> {
    let path = find(tx, id)?.filter(|path| !path.in_trash()).ok_or(NodeError::ParentGone)?;
    if path.node.kind != Kind::Folder {
        return Err(NodeError::ParentNotFolder.into());
    }
    if path.depth() >= MAX_DEPTH {
        return Err(NodeError::TooDeep.into());
    }
    Ok(path)
}

/// Whether more live nodes than `entries` are below a live folder. Each folder has the numbers of its live children, so folders alone are looked at,
/// and of them no more than have been counted.
pub(super) fn is_larger_than(
    connection: &Connection,
    folder: FileId,
    entries: u64,
) -> rusqlite::Result<bool> {
    let counts = connection
        .prepare_cached("SELECT folder_count, file_count FROM nodes WHERE id = ?1 AND live = 1")?
        .query_row([folder.bytes()], |row| Ok((row.count(0)?, row.count(1)?)))
        .optional()?;
    let Some((folders, files)) = counts else { return Ok(false) };
    let mut counted: u64 = folders + files;
    let mut above = if folders > 0 { vec![folder] } else { Vec::new() };
    let mut select = connection.prepare_cached(
        "SELECT id, folder_count, file_count FROM nodes INDEXED BY nodes_by_name WHERE parent = ?1 AND kind = 0 AND live = 1",
    )?;
    while counted <= entries
        && let Some(folder) = above.pop()
    {
        let mut rows = select.query([folder.bytes()])?;
        while counted <= entries
            && let Some(row) = rows.next()?
        {
            let (id, folders, files): (FileId, u64, u64) = (row.id(0)?, row.count(1)?, row.count(2)?);
            counted += folders + files;
            if folders > 0 {
                above.push(id);
            }
        }
    }
    Ok(counted > entries)
}

/// Whether anything below a folder lies more than `levels` below it. Walks folders only.
pub(super) fn is_higher_than(tx: &Tx<'_>, folder: FileId, levels: usize) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "WITH RECURSIVE down (id, level) AS (
             SELECT ?1, 0
             UNION ALL
             SELECT f.id, down.level + 1
             FROM down JOIN nodes f INDEXED BY nodes_folders ON f.parent = down.id AND f.kind = 0 AND f.deleted_at IS NULL
             WHERE down.level < ?2)
         SELECT EXISTS (SELECT 1 FROM down WHERE level = ?2
                        AND EXISTS (SELECT 1 FROM nodes c WHERE c.parent = down.id AND c.deleted_at IS NULL))",
    )?
    .query_row((folder.bytes(), i64::try_from(levels).unwrap_or(i64::MAX)), |row| row.get(0))
}
