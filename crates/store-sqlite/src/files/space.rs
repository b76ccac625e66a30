//! Spaces, their usage and reservations.

use common::files::{NewNode, NodeError, NodeName, Space, Usage};
use common::{FileId, ReservationId, SpaceId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::node;
use crate::engine::{Tx, TxResult};
use crate::row::{RowExt as _, int};

const COLUMNS: &str =
    "id, owner, root, tree_version, used_bytes, reserved_bytes, quota_bytes, node_count, trash_count";

fn space(row: &Row<'_>) -> rusqlite::Result<Space> {
    Ok(Space {
        id: row.id(0)?,
        owner: row.id(1)?,
        root: row.id(2)?,
        tree_version: row.count(3)?,
        usage: Usage {
            used_bytes: row.count(4)?,
            reserved_bytes: row.count(5)?,
            quota_bytes: if row.get::<_, Option<i64>>(6)?.is_some() { Some(row.count(6)?) } else { None },
            node_count: row.count(7)?,
            trash_count: row.count(8)?,
        },
    })
}

pub(super) fn find(connection: &Connection, id: SpaceId) -> rusqlite::Result<Option<Space>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM spaces WHERE id = ?1"))?
        .query_row([id.bytes()], space)
        .optional()
}

pub(super) fn find_by_owner(connection: &Connection, owner: UserId) -> rusqlite::Result<Option<Space>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM spaces WHERE owner = ?1"))?
        .query_row([owner.bytes()], space)
        .optional()
}

pub(super) fn ensure(
    tx: &Tx<'_>,
    owner: UserId,
    (id, root): (SpaceId, FileId),
    quota_bytes: Option<u64>,
    at: Timestamp,
) -> rusqlite::Result<Space> {
    if let Some(space) = find_by_owner(tx, owner)? {
        return Ok(space);
    }
    tx.prepare_cached("INSERT INTO spaces (id, owner, root, quota_bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute((id.bytes(), owner.bytes(), root.bytes(), quota_bytes.map(int)))?;
    let space = Space { id, owner, root, tree_version: 1, usage: Usage { quota_bytes, ..Usage::default() } };
    node::insert(tx, &NewNode::root(&space, &NodeName::root(), at))?;
    Ok(space)
}

/// Its root is no child of anything, and counted nowhere: what counts goes with what is below.
pub(super) fn end(tx: &Tx<'_>, id: SpaceId, at: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE nodes SET live = 0, deleted_at = ?2, revision = revision + 1
         WHERE id = (SELECT root FROM spaces WHERE id = ?1) AND deleted_at IS NULL",
    )?
    .execute((id.bytes(), at.millis()))
    .map(drop)
}

/// Removes a space whose root has gone.
pub(super) fn remove(tx: &Tx<'_>, id: SpaceId) -> rusqlite::Result<()> {
    for statement in ["DELETE FROM reservations WHERE space = ?1", "DELETE FROM spaces WHERE id = ?1"] {
        tx.prepare_cached(statement)?.execute([id.bytes()])?;
    }
    Ok(())
}

/// What a commit changes in a space's row.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Change {
    pub(super) used_bytes: i64,
    pub(super) nodes: i64,
    pub(super) trash: i64,
    /// Something lies at this depth now.
    pub(super) depth: usize,
}

/// Applies a change to a space, and to the count of all nodes.
pub(super) fn apply(tx: &Tx<'_>, id: SpaceId, change: Change) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE spaces SET used_bytes = used_bytes + ?2, node_count = node_count + ?3, trash_count = trash_count + ?4,
                           depth_bound = max(depth_bound, ?5)
         WHERE id = ?1",
    )?
    .execute((
        id.bytes(),
        change.used_bytes,
        change.nodes,
        change.trash,
        i64::try_from(change.depth).unwrap_or(i64::MAX),
    ))?;
    if change.nodes != 0 {
        tx.prepare_cached("UPDATE counters SET value = value + ?1 WHERE name = 'nodes'")?
            .execute([change.nodes])?;
    }
    Ok(())
}

/// How deep anything lies at most.
pub(super) fn depth_bound(tx: &Tx<'_>, id: SpaceId) -> rusqlite::Result<usize> {
    tx.prepare_cached("SELECT depth_bound FROM spaces WHERE id = ?1")?
        .query_row([id.bytes()], |row| row.count(0))
        .map(|bound| usize::try_from(bound).unwrap_or(usize::MAX))
}

fn usage(tx: &Tx<'_>, id: SpaceId) -> TxResult<Usage, NodeError> {
    Ok(find(tx, id)?.ok_or(NodeError::NotFound)?.usage)
}

fn fits(usage: Usage, more_bytes: u64) -> bool {
    usage.quota_bytes.is_none_or(|quota| {
        usage.used_bytes.saturating_add(usage.reserved_bytes).saturating_add(more_bytes) <= quota
    })
}

/// Sets bytes aside under `id`, in place of what that and these held.
pub(super) fn reserve(
    tx: &Tx<'_>,
    space: SpaceId,
    id: ReservationId,
    merged: &[ReservationId],
    bytes: u64,
    expires_at: Timestamp,
) -> TxResult<(), NodeError> {
    let mut held = take_back(tx, id, space)?;
    for one in merged {
        held += take_back(tx, *one, space)?;
    }
    // giving some back is always possible, even under a quota that was lowered
    if bytes > held && !fits(usage(tx, space)?, bytes) {
        return Err(NodeError::OverQuota.into());
    }
    tx.prepare_cached("INSERT INTO reservations (id, space, bytes, expires_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((id.bytes(), space.bytes(), int(bytes), expires_at.millis()))?;
    let changed = tx
        .prepare_cached("UPDATE spaces SET reserved_bytes = reserved_bytes + ?2 WHERE id = ?1")?
        .execute((space.bytes(), int(bytes)))?;
    if changed == 0 { Err(NodeError::NotFound.into()) } else { Ok(()) }
}

/// Lets a reservation last for longer.
pub(super) fn prolong(tx: &Tx<'_>, id: ReservationId, expires_at: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE reservations SET expires_at = ?2 WHERE id = ?1 AND expires_at < ?2")?
        .execute((id.bytes(), expires_at.millis()))
        .map(drop)
}

/// Removes a reservation; how many bytes it held in this space.
fn take_back(tx: &Tx<'_>, id: ReservationId, space: SpaceId) -> rusqlite::Result<u64> {
    let released = release(tx, id)?;
    Ok(released.filter(|(of, _)| *of == space).map_or(0, |(_, bytes)| bytes))
}

/// Removes a reservation; how many bytes it held, and in which space.
pub(super) fn release(tx: &Tx<'_>, id: ReservationId) -> rusqlite::Result<Option<(SpaceId, u64)>> {
    let held = tx
        .prepare_cached("DELETE FROM reservations WHERE id = ?1 RETURNING space, bytes")?
        .query_row([id.bytes()], |row| Ok((row.id::<SpaceId>(0)?, row.count(1)?)))
        .optional()?;
    let Some((space, bytes)) = held else { return Ok(None) };
    tx.prepare_cached("UPDATE spaces SET reserved_bytes = reserved_bytes - ?2 WHERE id = ?1")?
        .execute((space.bytes(), int(bytes)))?;
    Ok(Some((space, bytes)))
}

/// Gives back what a reservation holds beyond so many bytes.
pub(super) fn lower(tx: &Tx<'_>, id: ReservationId, bytes: u64) -> rusqlite::Result<()> {
    let held = tx
        .prepare_cached("SELECT space, bytes FROM reservations WHERE id = ?1")?
        .query_row([id.bytes()], |row| Ok((row.id::<SpaceId>(0)?, row.count(1)?)))
        .optional()?;
    let Some((space, more)) = held.and_then(|(space, held)| Some((space, held.checked_sub(bytes)?))) else {
        return Ok(());
    };
    tx.prepare_cached("UPDATE reservations SET bytes = ?2 WHERE id = ?1")?
        .execute((id.bytes(), int(bytes)))?;
    tx.prepare_cached("UPDATE spaces SET reserved_bytes = reserved_bytes - ?2 WHERE id = ?1")?
        .execute((space.bytes(), int(more)))
        .map(drop)
}

/// Reservations that expired are given back in commits of at most so many.
const SWEEP: u32 = 500;

pub(super) fn sweep(tx: &Tx<'_>, now: Timestamp) -> rusqlite::Result<u32> {
    let expired: Vec<ReservationId> = tx
        .prepare_cached("SELECT id FROM reservations WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2")?
        .query_map((now.millis(), SWEEP), |row| row.id(0))?
        .collect::<Result<_, _>>()?;
    let mut swept = 0;
    for id in expired {
        release(tx, id)?;
        swept += 1;
    }
    Ok(swept)
}

/// Makes room for `bytes` that a commit brings: settles its reservation, or checks the quota where that does not cover them.
pub(super) fn charge(
    tx: &Tx<'_>,
    space: SpaceId,
    bytes: u64,
    reservation: Option<ReservationId>,
) -> TxResult<(), NodeError> {
    let held = match reservation {
        Some(id) => take_back(tx, id, space)?,
        None => 0,
    };
    if bytes > held && !fits(usage(tx, space)?, bytes) {
        return Err(NodeError::OverQuota.into());
    }
    Ok(())
}
