//! Rows of what happened, of what can be undone, and of copies.

use common::files::{CopyOperation, FileEvent, Operation};
use common::portable::{PortableFront, PortablePart};
use common::{FileId, LinkId, OperationId, Timestamp, UserId};
use rusqlite::params;

use crate::engine::Tx;
use crate::row::int;

/// Events of one millisecond that get numbers of their own.
const OF_A_MILLISECOND: i64 = 1 << 20;

/// The rows of a store stand in the order of their times, which is what makes their sweeping cheap; records come by space. So a row gets a number that is made of
/// its time: the next one that is free. What happens from now on comes behind all of them.
pub(super) fn keep_event(tx: &Tx<'_>, event: &FileEvent) -> rusqlite::Result<()> {
    let first = event.at.millis().clamp(0, i64::MAX / OF_A_MILLISECOND - 1) * OF_A_MILLISECOND;
    let before = event.before.as_ref();
    tx.prepare_cached(
        "INSERT INTO activity (id, space, seq, at, kind, node, folder, name, parent, old_name, old_parent, user, link)
         VALUES (coalesce((SELECT max(id) + 1 FROM activity WHERE id >= ?1 AND id < ?2), ?1),
                 ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (space, seq) DO NOTHING",
    )?
    .execute(params![
        first,
        first + OF_A_MILLISECOND,
        event.space.bytes(),
        int(event.seq),
        event.at.millis(),
        event.kind.word(),
        event.node.bytes(),
        event.folder,
        event.place.name,
        event.place.parent.as_ref().map(FileId::bytes),
        before.map(|before| &before.name),
        before.and_then(|before| before.parent.as_ref()).map(FileId::bytes),
        event.user.as_ref().map(UserId::bytes),
        event.link.as_ref().map(LinkId::bytes),
    ])
    .map(drop)
}

pub(super) fn keep_operation(tx: &Tx<'_>, operation: &Operation) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO operations (id, user, within, at, undoes, kind, node, parts, undone)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
    )?
    .execute((
        operation.id.bytes(),
        operation.user.bytes(),
        operation.within.as_ref().map(FileId::bytes),
        operation.at.millis(),
        operation.undoes.as_ref().map(OperationId::bytes),
        operation.kind.map(|kind| kind.word()),
        operation.node.bytes(),
        int(operation.parts),
        int(operation.undone),
    ))
    .map(drop)
}

pub(super) fn keep_part(
    tx: &Tx<'_>,
    PortablePart { operation, part }: &PortablePart,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO operation_parts (operation, number, node, kind, undo, revision_before, revision_after, undone_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?
    .execute((
        operation.bytes(),
        part.number,
        part.node.bytes(),
        part.change.kind.word(),
        part.change.undo.text(),
        int(part.change.before),
        int(part.change.after),
        part.undone_by.as_ref().map(OperationId::bytes),
    ))
    .map(drop)
}

pub(super) fn keep_copy(tx: &Tx<'_>, copy: &CopyOperation) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO copies (id, user, within, source, root, state, reason, nodes, bytes, at, ended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
    )?
    .execute((
        copy.id.bytes(),
        copy.user.bytes(),
        copy.within.as_ref().map(FileId::bytes),
        copy.source.bytes(),
        copy.root.bytes(),
        copy.state.word(),
        copy.state.reason(),
        int(copy.nodes),
        int(copy.bytes),
        copy.at.millis(),
        copy.ended_at.map(Timestamp::millis),
    ))
    .map(drop)
}

pub(super) fn keep_front(tx: &Tx<'_>, PortableFront { copy, front }: &PortableFront) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO copy_fronts (copy, target, source, after) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute((
        copy.bytes(),
        front.target.bytes(),
        front.source.bytes(),
        front.after.as_ref().map(FileId::bytes),
    ))
    .map(drop)
}
