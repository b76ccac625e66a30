//! What happened to nodes.

use async_trait::async_trait;
use common::files::{
    ActivityOf, ActivityStore, Doer, FileEvent, FileEventKind, FileEventPage, NamedPlace, Node,
};
use common::{FileId, LinkId, PortResult, SpaceId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{FilesDb, node};
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

/// Writes what this transaction has done to a node. Nothing is told of a tree that is gone.
pub(super) fn tell(tx: &Tx<'_>, event: &FileEvent) -> rusqlite::Result<()> {
    let seq = tx
        .prepare_cached("UPDATE spaces SET events = events + 1 WHERE id = ?1 RETURNING events")?
        .query_row([event.space.bytes()], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(seq) = seq else { return Ok(()) };
    let before = event.before.as_ref();
    tx.prepare_cached(
        "INSERT INTO activity (space, seq, at, kind, node, folder, name, parent, old_name, old_parent, user, link)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        event.space.bytes(),
        seq,
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

/// Writes that a node was made, and that it is open to everybody if it is so from the start.
pub(super) fn tell_made(tx: &Tx<'_>, made: &Node, doer: Doer, at: Timestamp) -> rusqlite::Result<()> {
    tell(tx, &FileEvent::of(made, FileEventKind::Created, doer, at))?;
    if made.public.is_some() {
        tell(tx, &FileEvent::of(made, FileEventKind::Linked, doer, at))?;
    }
    Ok(())
}

/// Writes what happened to a node that may be gone.
pub(super) fn tell_of(
    tx: &Tx<'_>,
    id: FileId,
    kind: FileEventKind,
    doer: Doer,
    at: Timestamp,
) -> rusqlite::Result<()> {
    match node::find(tx, id)? {
        Some(node) => tell(tx, &FileEvent::of(&node, kind, doer, at)),
        None => Ok(()),
    }
}

pub(super) const COLUMNS: &str =
    "space, seq, at, kind, node, folder, name, parent, old_name, old_parent, user, link";

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<FileEvent> {
    let before = match row.get(8)? {
        Some(name) => Some(NamedPlace { name, parent: row.id_opt(9)? }),
        None => None,
    };
    Ok(FileEvent {
        space: row.id(0)?,
        seq: row.count(1)?,
        at: row.time(2)?,
        kind: row.word(3, FileEventKind::parse)?,
        node: row.id(4)?,
        folder: row.get(5)?,
        place: NamedPlace { name: row.get(6)?, parent: row.id_opt(7)? },
        before,
        user: row.id_opt(10)?,
        link: row.id_opt(11)?,
    })
}

fn last(connection: &Connection, space: SpaceId) -> rusqlite::Result<u64> {
    let last = connection
        .prepare_cached("SELECT events FROM spaces WHERE id = ?1")?
        .query_row([space.bytes()], |row| row.count(0))
        .optional()?;
    Ok(last.unwrap_or(0))
}

fn after(connection: &Connection, space: SpaceId, after: u64, limit: u32) -> rusqlite::Result<FileEventPage> {
    let given = last(connection, space)?;
    let events = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM activity WHERE space = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
        ))?
        .query_map((space.bytes(), int(after), limit), event)?
        .collect::<Result<_, _>>()?;
    Ok(FileEventPage::behind(after, given, events))
}

fn list(
    connection: &Connection,
    of: ActivityOf,
    before: Option<u64>,
    limit: u32,
) -> rusqlite::Result<Vec<FileEvent>> {
    let (column, id) = match &of {
        ActivityOf::Space(space) => ("space", space.bytes()),
        ActivityOf::Node(node) => ("node", node.bytes()),
    };
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM activity WHERE {column} = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
        ))?
        .query_map((id, int(before.unwrap_or(u64::MAX)), limit), event)?
        .collect()
}

#[async_trait]
impl ActivityStore for FilesDb {
    async fn last_events(&self, spaces: &[SpaceId]) -> PortResult<Vec<u64>> {
        let spaces = spaces.to_vec();
        self.read(move |connection| spaces.iter().map(|space| last(connection, *space)).collect()).await
    }

    async fn events_after(&self, space: SpaceId, seq: u64, limit: u32) -> PortResult<FileEventPage> {
        self.read_one_state(move |connection| after(connection, space, seq, limit)).await
    }

    async fn list_activity(
        &self,
        of: ActivityOf,
        before: Option<u64>,
        limit: u32,
    ) -> PortResult<Vec<FileEvent>> {
        self.read(move |connection| list(connection, of, before, limit)).await
    }

    async fn sweep_activity(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.write(move |tx| {
            // rows stand in the order of their times, but for clocks that were put back
            let swept = tx
                .prepare_cached(
                    "DELETE FROM activity WHERE at < ?1 AND id IN (SELECT id FROM activity ORDER BY id LIMIT ?2)",
                )?
                .execute((before.millis(), limit))?;
            Ok(u32::try_from(swept).unwrap_or(u32::MAX))
        })
        .await
    }

    async fn forget_activity(&self, space: SpaceId, limit: u32) -> PortResult<u32> {
        self.write(move |tx| {
            let gone = tx
                .prepare_cached(
                    "DELETE FROM activity WHERE id IN (SELECT id FROM activity WHERE space = ?1 LIMIT ?2)",
                )?
                .execute((space.bytes(), limit))?;
            Ok(u32::try_from(gone).unwrap_or(u32::MAX))
        })
        .await
    }
}
