//! Free names.

use common::FileId;
use common::files::{NodeError, NodeName};
use rusqlite::{Connection, OptionalExtension as _};

use crate::engine::{Tx, TxResult};
use crate::row::RowExt as _;

/// The live child with this name.
pub(super) fn holder(
    connection: &Connection,
    parent: FileId,
    name: &NodeName,
) -> rusqlite::Result<Option<FileId>> {
    connection
        .prepare_cached(
            "SELECT id FROM nodes INDEXED BY nodes_name WHERE parent = ?1 AND name = ?2 AND live = 1",
        )?
        .query_row((parent.bytes(), name.as_str()), |row| row.id(0))
        .optional()
}

/// The name itself, or the next free `name (n)` where that is allowed.
pub(super) fn free(
    tx: &Tx<'_>,
    parent: FileId,
    name: &NodeName,
    rename_if_taken: bool,
) -> TxResult<NodeName, NodeError> {
    match holder(tx, parent, name)? {
        None => Ok(name.clone()),
        Some(_) if rename_if_taken => Ok(numbered(tx, parent, name)?),
        Some(existing) => Err(NodeError::NameTaken { existing }.into()),
    }
}

/// The name itself, or the next free `name (n)`, for what leaves the folder again: what was trashed there comes back under its own name meanwhile.
pub(super) fn free_for_a_guest(tx: &Tx<'_>, parent: FileId, name: &NodeName) -> rusqlite::Result<NodeName> {
    let is_free = |name: &NodeName| {
        let trashed = tx
            .prepare_cached(
                "SELECT 1 FROM nodes INDEXED BY nodes_trash_name
                 WHERE parent = ?1 AND name = ?2 AND trashed_at IS NOT NULL AND deleted_at IS NULL",
            )?
            .exists((parent.bytes(), name.as_str()))?;
        Ok(!trashed && holder(tx, parent, name)?.is_none())
    };
    if is_free(name)? { Ok(name.clone()) } else { next(name, is_free) }
}

/// The free `name (n)` after a taken one.
pub(super) fn numbered(tx: &Tx<'_>, parent: FileId, name: &NodeName) -> rusqlite::Result<NodeName> {
    next(name, |name| Ok(holder(tx, parent, name)?.is_none()))
}

/// The first that is free, unless someone left gaps. Doubling, then halving: 27 looks for 10,000 taken names.
fn next(
    name: &NodeName,
    is_free: impl Fn(&NodeName) -> rusqlite::Result<bool>,
) -> rusqlite::Result<NodeName> {
    let is_free = |n: u64| is_free(&name.numbered(n));
    let (mut taken, mut free) = (1, 2);
    while !is_free(free)? {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_free(middle)? {
            free = middle;
        } else {
            taken = middle;
        }
    }
    Ok(name.numbered(free))
}
