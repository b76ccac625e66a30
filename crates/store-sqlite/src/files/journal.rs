//! Changes that can be undone, and the journal of them.

use async_trait::async_trait;
use common::files::{
    Act, Acted, Change, ChangeKind, FileEvent, JournalStore, NodeError, Note, Operation, Part,
};
use common::{FileId, OperationId, PortResult, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::{FilesDb, activity, marks, node, path, returns, tree};
use crate::engine::{Tx, TxResult, damaged};
use crate::row::{RowExt as _, int};

/// What came of it, and at how many nodes it looked that return to a folder that came back.
fn act(
    tx: &Tx<'_>,
    id: FileId,
    revision: Option<u64>,
    act: &Act,
    note: &Note,
) -> TxResult<(Acted, u32), NodeError> {
    if let Some(undone) = note.undoes {
        take(tx, undone, note)?;
    }
    let before = path::find(tx, id)?.ok_or(NodeError::NotFound)?.node;
    let mut star = None;
    let after = match act {
        Act::Relocate { name, parent } => tree::relocate(tx, id, revision, name, *parent, note.at)?,
        Act::Tag(tags) => marks::set_tags(tx, id, revision, tags)?,
        Act::Star(_) | Act::Unstar(_) => {
            path::live(tx, id)?.node.check_revision(revision)?;
            star = marks::star_of(tx, note.user, id)?;
            marks::set_star(tx, id, note.user, act.star(star))?;
            node::get(tx, id)?
        }
        Act::Trash => tree::trash(tx, id, revision, note.user, note.at)?,
        Act::Restore => {
            before.check_revision(revision)?;
            tree::restore(tx, id, note.at)?
        }
    };
    let change = act.change(&before, &after, star);
    match &change {
        Some(change) => {
            write(tx, id, change, note)?;
            if let Some(event) = FileEvent::of_change(change.kind, (&before, &after), note.user, note.at) {
                activity::tell(tx, &event)?;
            }
        }
        None if note.undoes.is_some() => return Err(NodeError::Changed.into()),
        None => {}
    }
    let noted = change.is_some();
    if *act != Act::Restore {
        return Ok((Acted { node: after, noted }, 0));
    }
    let (node, returned) = returns::take_along(tx, after, Some(note.user), note.at)?;
    Ok((Acted { node, noted }, returned))
}

/// Notes of a part that it is undone, unless it is.
fn take(tx: &Tx<'_>, undone: OperationId, note: &Note) -> TxResult<(), NodeError> {
    let taken = tx
        .prepare_cached(
            "UPDATE operation_parts SET undone_by = ?3 WHERE operation = ?1 AND number = ?2 AND undone_by IS NULL",
        )?
        .execute((undone.bytes(), note.undone_part, note.operation.bytes()))?;
    if taken == 0 {
        return Err(NodeError::Changed.into());
    }
    tx.prepare_cached("UPDATE operations SET undone = undone + 1 WHERE id = ?1")?
        .execute([undone.bytes()])?;
    Ok(())
}

fn write(tx: &Tx<'_>, node: FileId, change: &Change, note: &Note) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO operations (id, user, within, at, undoes, kind, node, parts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)
         ON CONFLICT DO UPDATE SET parts = parts + 1, kind = CASE WHEN kind = excluded.kind THEN kind END",
    )?
    .execute((
        note.operation.bytes(),
        note.user.bytes(),
        note.within.as_ref().map(FileId::bytes),
        note.at.millis(),
        note.undoes.as_ref().map(OperationId::bytes),
        change.kind.word(),
        node.bytes(),
    ))?;
    tx.prepare_cached(
        "INSERT INTO operation_parts (operation, number, node, kind, undo, revision_before, revision_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        note.operation.bytes(),
        note.part,
        node.bytes(),
        change.kind.word(),
        change.undo.text(),
        int(change.before),
        int(change.after),
    ))
    .map(drop)
}

pub(super) const COLUMNS: &str = "id, user, within, at, undoes, kind, node, parts, undone";

pub(super) fn operation(row: &Row<'_>) -> rusqlite::Result<Operation> {
    let kind = match row.get_ref(5)?.as_str_or_null()? {
        Some(word) => Some(ChangeKind::parse(word).ok_or_else(|| damaged("an unknown kind of change"))?),
        None => None,
    };
    Ok(Operation {
        id: row.id(0)?,
        user: row.id(1)?,
        within: row.id_opt(2)?,
        at: row.time(3)?,
        undoes: row.id_opt(4)?,
        kind,
        node: row.id(6)?,
        parts: row.count(7)?,
        undone: row.count(8)?,
    })
}

/// What [`part`] reads.
pub(super) const PART_COLUMNS: &str = "number, node, kind, undo, revision_before, revision_after, undone_by";

pub(super) fn part(row: &Row<'_>) -> rusqlite::Result<Part> {
    Ok(Part {
        number: row.get(0)?,
        node: row.id(1)?,
        change: Change {
            kind: row.word(2, ChangeKind::parse)?,
            undo: row.word(3, Act::parse)?,
            before: row.count(4)?,
            after: row.count(5)?,
        },
        undone_by: row.id_opt(6)?,
    })
}

fn list(
    connection: &Connection,
    user: UserId,
    within: Option<FileId>,
    before: Option<OperationId>,
    limit: u32,
) -> rusqlite::Result<Vec<Operation>> {
    let before = before.unwrap_or(OperationId::from_bytes([0xff; 12]));
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM operations INDEXED BY operations_user
             WHERE user = ?1 AND id < ?2 AND (?3 IS NULL OR within = ?3) ORDER BY id DESC LIMIT ?4"
        ))?
        .query_map((user.bytes(), before.bytes(), within.as_ref().map(FileId::bytes), limit), operation)?
        .collect()
}

impl FilesDb {
    async fn forget(
        &self,
        chosen: &'static str,
        by: impl ToSql + Send + 'static,
        limit: u32,
    ) -> PortResult<u32> {
        self.write(move |tx| {
            let gone = tx
                .prepare_cached(&format!(
                    "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE {chosen} LIMIT ?2)"
                ))?
                .execute(params![by, limit])?;
            Ok(u32::try_from(gone).unwrap_or(u32::MAX))
        })
        .await
    }
}

#[async_trait]
impl JournalStore for FilesDb {
    async fn act(
        &self,
        node: FileId,
        revision: Option<u64>,
        act: &Act,
        note: &Note,
    ) -> Result<Acted, NodeError> {
        let (wanted, note) = (act.clone(), *note);
        let done = self.change(move |tx| self::act(tx, node, revision, &wanted, &note)).await?;
        let (Acted { node, noted }, returned) = done;
        let node = returns::take_the_rest(self, (node, returned), Some(note.user), note.at).await;
        Ok(Acted { node, noted })
    }

    async fn find_operation(&self, id: OperationId) -> PortResult<Option<Operation>> {
        self.read(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM operations WHERE id = ?1"))?
                .query_row([id.bytes()], operation)
                .optional()
        })
        .await
    }

    async fn list_parts(&self, id: OperationId) -> PortResult<Vec<Part>> {
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {PART_COLUMNS} FROM operation_parts WHERE operation = ?1 ORDER BY number"
                ))?
                .query_map([id.bytes()], part)?
                .collect()
        })
        .await
    }

    async fn list_operations(
        &self,
        user: UserId,
        within: Option<FileId>,
        before: Option<OperationId>,
        limit: u32,
    ) -> PortResult<Vec<Operation>> {
        self.read(move |connection| list(connection, user, within, before, limit)).await
    }

    async fn sweep_operations(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.forget("at < ?1", before.millis(), limit).await
    }

    async fn forget_operations(&self, user: UserId, limit: u32) -> PortResult<u32> {
        self.forget("user = ?1", *user.bytes(), limit).await
    }
}
