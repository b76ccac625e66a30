//! Copies of folders, in steps.

use async_trait::async_trait;
use common::files::{
    CopyFront, CopyItem, CopyOperation, CopyState, CopyStore, Kind, NewContent, NewCopy, NewNode, Node,
    NodeError,
};
use common::{FileId, OperationId, PortResult, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::space::{self, Change};
use super::{FilesDb, blobs, names, node, path, tree};
use crate::engine::{Durability, Tx, TxResult, damaged};
use crate::outbox;
use crate::row::{RowExt as _, int};

pub(super) fn operation(row: &Row<'_>) -> rusqlite::Result<CopyOperation> {
    let reason = row.get_ref(6)?.as_str_or_null()?;
    Ok(CopyOperation {
        id: row.id(0)?,
        user: row.id(1)?,
        within: row.id_opt(2)?,
        source: row.id(3)?,
        root: row.id(4)?,
        state: CopyState::parse(row.get_ref(5)?.as_str()?, reason)
            .ok_or_else(|| damaged("an unknown state of a copy"))?,
        nodes: row.count(7)?,
        bytes: row.count(8)?,
        at: row.time(9)?,
        ended_at: row.time_opt(10)?,
    })
}

pub(super) const COLUMNS: &str = "id, user, within, source, root, state, reason, nodes, bytes, at, ended_at";

fn find(connection: &Connection, id: OperationId) -> rusqlite::Result<Option<CopyOperation>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM copies WHERE id = ?1"))?
        .query_row([id.bytes()], operation)
        .optional()
}

pub(super) fn front(row: &Row<'_>) -> rusqlite::Result<CopyFront> {
    Ok(CopyFront { target: row.id(0)?, source: row.id(1)?, after: row.id_opt(2)? })
}

fn add_front(tx: &Tx<'_>, id: OperationId, source: FileId, target: FileId) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO copy_fronts (copy, target, source) VALUES (?1, ?2, ?3)")?
        .execute((id.bytes(), target.bytes(), source.bytes()))
        .map(drop)
}

/// Notes that a copy has made a folder, for as long as it runs.
fn note_folder(tx: &Tx<'_>, id: OperationId, made: FileId) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO copy_folders (copy, node) VALUES (?1, ?2)")?
        .execute((id.bytes(), made.bytes()))
        .map(drop)
}

fn begin(tx: &Tx<'_>, copy: &NewCopy) -> TxResult<Node, NodeError> {
    let source = path::live(tx, copy.source)?.node;
    let parent = path::parent(tx, copy.folder.parent)?;
    if parent.position_of(source.id).is_some() {
        return Err(NodeError::Cycle.into());
    }
    let made = tree::create_folder(tx, &copy.folder, &copy.tags)?;
    tx.prepare_cached(
        "INSERT INTO copies (id, user, within, source, root, state, nodes, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5, 'running', 1, 0, ?6)",
    )?
    .execute((
        copy.id.bytes(),
        copy.folder.by.bytes(),
        copy.within.as_ref().map(FileId::bytes),
        source.id.bytes(),
        made.id.bytes(),
        copy.folder.at.millis(),
    ))?;
    add_front(tx, copy.id, source.id, made.id)?;
    note_folder(tx, copy.id, made.id)?;
    outbox::push(tx, &copy.jobs)?;
    Ok(made)
}

fn page(
    tx: &Tx<'_>,
    id: OperationId,
    seen: &CopyFront,
    items: &[CopyItem],
    more: bool,
    at: Timestamp,
) -> TxResult<bool, NodeError> {
    let present = tx
        .prepare_cached("SELECT target, source, after FROM copy_fronts WHERE copy = ?1 AND target = ?2")?
        .query_row((id.bytes(), seen.target.bytes()), front)
        .optional()?;
    let operation = find(tx, id)?.filter(|operation| operation.state == CopyState::Running);
    let (Some(operation), true) = (operation, present.as_ref() == Some(seen)) else { return Ok(false) };
    if !items.is_empty() {
        let copied = insert_all(tx, &operation, seen, items, at)?;
        tx.prepare_cached("UPDATE copies SET nodes = nodes + ?2, bytes = bytes + ?3 WHERE id = ?1")?
            .execute((id.bytes(), copied.nodes, copied.used_bytes))?;
    }
    match items.last().filter(|_| more) {
        Some(last) => tx
            .prepare_cached("UPDATE copy_fronts SET after = ?3 WHERE copy = ?1 AND target = ?2")?
            .execute((id.bytes(), seen.target.bytes(), last.source.id.bytes()))?,
        None => tx
            .prepare_cached("DELETE FROM copy_fronts WHERE copy = ?1 AND target = ?2")?
            .execute((id.bytes(), seen.target.bytes()))?,
    };
    Ok(true)
}

fn insert_all(
    tx: &Tx<'_>,
    operation: &CopyOperation,
    front: &CopyFront,
    items: &[CopyItem],
    at: Timestamp,
) -> TxResult<Change, NodeError> {
    let parent = path::parent(tx, front.target)?;
    let mut change = Change { depth: parent.depth() + 1, ..Change::default() };
    for item in items {
        let content = item.source.content.as_ref().map(NewContent::shared);
        if let Some(content) = &content {
            if !blobs::take(tx, content.blob.key)? {
                continue;
            }
            change.used_bytes += int(content.blob.size);
        }
        let name = names::free(tx, front.target, &item.source.name, true)?;
        let content = content.as_ref().map(|content| (content, operation.user));
        node::insert(tx, &NewNode::copy((item.id, &item.source), &parent.node, &name, content, at))?;
        node::count_child(tx, front.target, item.source.kind, 1)?;
        change.nodes += 1;
        if item.source.kind == Kind::Folder {
            note_folder(tx, operation.id, item.id)?;
            if item.source.child_count > 0 {
                add_front(tx, operation.id, item.source.id, item.id)?;
            }
        }
        outbox::push(tx, &item.jobs)?;
    }
    space::charge(tx, parent.node.space, u64::try_from(change.used_bytes).unwrap_or(0), None)?;
    space::apply(tx, parent.node.space, change)?;
    Ok(change)
}

/// Of two copies that are made into one another, the one that was begun first does not copy what the other makes: so both end.
fn to_copy(
    connection: &Connection,
    copy: (OperationId, FileId),
    front: &CopyFront,
    limit: u32,
) -> rusqlite::Result<Vec<Node>> {
    let (id, root) = copy;
    let after = front.after.unwrap_or(FileId::from_bytes([0; 12]));
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM nodes n INDEXED BY nodes_parent LEFT JOIN blobs b ON b.key = n.blob
             WHERE n.parent = ?1 AND n.live = 1 AND n.id > ?2 AND n.id != ?3
                   AND (n.kind != 0 OR NOT EXISTS (SELECT 1 FROM copy_folders f WHERE f.node = n.id AND f.copy >= ?4))
             ORDER BY n.id LIMIT ?5",
            node::COLUMNS
        ))?
        .query_map((front.source.bytes(), after.bytes(), root.bytes(), id.bytes(), limit), |row| {
            node::node(row, 0)
        })?
        .collect()
}

fn end(tx: &Tx<'_>, id: OperationId, state: CopyState, at: Timestamp) -> rusqlite::Result<bool> {
    let ended = tx
        .prepare_cached(
            "UPDATE copies SET state = ?2, reason = ?3, ended_at = ?4 WHERE id = ?1 AND state = 'running'",
        )?
        .execute((id.bytes(), state.word(), state.reason(), at.millis()))?;
    tx.prepare_cached("DELETE FROM copy_fronts WHERE copy = ?1")?.execute([id.bytes()])?;
    tx.prepare_cached("DELETE FROM copy_folders WHERE copy = ?1")?.execute([id.bytes()])?;
    Ok(ended == 1)
}

#[async_trait]
impl CopyStore for FilesDb {
    async fn begin_copy(&self, copy: &NewCopy) -> Result<Node, NodeError> {
        let copy = copy.clone();
        self.engine.write(Durability::Durable, move |tx| begin(tx, &copy)).await
    }

    async fn is_larger_than(&self, folder: FileId, entries: u64) -> PortResult<bool> {
        self.read_one_state(move |connection| path::is_larger_than(connection, folder, entries)).await
    }

    async fn find_copy(&self, id: OperationId) -> PortResult<Option<CopyOperation>> {
        self.read(move |connection| find(connection, id)).await
    }

    async fn copy_front(&self, id: OperationId) -> PortResult<Option<CopyFront>> {
        self.read(move |connection| {
            // the one that was found last: a walk in depth keeps few
            connection
                .prepare_cached(
                    "SELECT target, source, after FROM copy_fronts WHERE copy = ?1 ORDER BY target DESC LIMIT 1",
                )?
                .query_row([id.bytes()], front)
                .optional()
        })
        .await
    }

    async fn list_to_copy(
        &self,
        copy: &CopyOperation,
        front: &CopyFront,
        limit: u32,
    ) -> PortResult<Vec<Node>> {
        let (copy, front) = ((copy.id, copy.root), *front);
        self.read(move |connection| to_copy(connection, copy, &front, limit)).await
    }

    async fn copy_page(
        &self,
        id: OperationId,
        front: &CopyFront,
        items: &[CopyItem],
        more: bool,
        at: Timestamp,
    ) -> Result<bool, NodeError> {
        let (front, items) = (*front, items.to_vec());
        self.engine.write(Durability::Durable, move |tx| page(tx, id, &front, &items, more, at)).await
    }

    async fn end_copy(&self, id: OperationId, state: CopyState, at: Timestamp) -> PortResult<bool> {
        self.write(move |tx| end(tx, id, state, at)).await
    }

    async fn list_copies(
        &self,
        user: UserId,
        within: Option<FileId>,
        before: Option<OperationId>,
        limit: u32,
    ) -> PortResult<Vec<CopyOperation>> {
        let before = before.unwrap_or(OperationId::from_bytes([0xff; 12]));
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM copies INDEXED BY copies_user
                     WHERE user = ?1 AND id < ?2 AND (?3 IS NULL OR within = ?3) ORDER BY id DESC LIMIT ?4"
                ))?
                .query_map(
                    (user.bytes(), before.bytes(), within.as_ref().map(FileId::bytes), limit),
                    operation,
                )?
                .collect()
        })
        .await
    }

    async fn sweep_copies(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.write(move |tx| {
            let swept = tx
                .prepare_cached(
                    "DELETE FROM copies WHERE id IN
                         (SELECT id FROM copies WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
                )?
                .execute((before.millis(), limit))?;
            Ok(u32::try_from(swept).unwrap_or(u32::MAX))
        })
        .await
    }
}
