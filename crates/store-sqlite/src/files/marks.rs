//! Stars, tags, and who last gave content to what.

use async_trait::async_trait;
use common::files::{Dated, MarkStore, Node, NodeError, Tag, TagCount};
use common::{FileId, PortResult, SpaceId, Timestamp, UserId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

use super::{FilesDb, node, path, search};
use crate::engine::{Durability, Tx, TxResult, damaged};
use crate::row::RowExt as _;

/// Writes the tags of a node that this transaction has written, for the lists by tag.
pub(super) fn index_tags(tx: &Tx<'_>, space: SpaceId, id: FileId, tags: &[Tag]) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO node_tags (space, folded, node, tag) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    for tag in tags {
        insert.execute((space.bytes(), tag.folded(), id.bytes(), tag.as_str()))?;
    }
    Ok(())
}

pub(super) fn set_tags(
    tx: &Tx<'_>,
    id: FileId,
    revision: Option<u64>,
    tags: &[Tag],
) -> TxResult<Node, NodeError> {
    let present = path::live(tx, id)?.node;
    present.check_revision(revision)?;
    if present.tags == tags {
        return Ok(present);
    }
    tx.prepare_cached("UPDATE nodes SET tags = ?2, revision = revision + 1 WHERE id = ?1")?
        .execute((id.bytes(), Tag::join(tags)))?;
    tx.prepare_cached("DELETE FROM node_tags WHERE node = ?1")?.execute([id.bytes()])?;
    index_tags(tx, present.space, id, tags)?;
    search::index_node(tx, (present.space, id), &present.name, tags)?;
    Ok(node::get(tx, id)?)
}

pub(super) fn set_star(
    tx: &Tx<'_>,
    id: FileId,
    user: UserId,
    starred_at: Option<Timestamp>,
) -> TxResult<(), NodeError> {
    let Some(at) = starred_at else {
        tx.prepare_cached("DELETE FROM stars WHERE user = ?1 AND node = ?2")?
            .execute((user.bytes(), id.bytes()))?;
        return Ok(());
    };
    path::live(tx, id)?;
    tx.prepare_cached("INSERT INTO stars (user, node, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute((user.bytes(), id.bytes(), at.millis()))?;
    Ok(())
}

/// Since when `user` has a star on a node.
pub(super) fn star_of(tx: &Tx<'_>, user: UserId, id: FileId) -> rusqlite::Result<Option<Timestamp>> {
    tx.prepare_cached("SELECT at FROM stars WHERE user = ?1 AND node = ?2")?
        .query_row((user.bytes(), id.bytes()), |row| row.time(0))
        .optional()
}

fn starred_of(connection: &Connection, user: UserId, nodes: &[FileId]) -> rusqlite::Result<Vec<FileId>> {
    let marks = vec!["?"; nodes.len()].join(", ");
    let values = [*user.bytes()].into_iter().chain(nodes.iter().map(|node| *node.bytes()));
    connection
        .prepare_cached(&format!("SELECT node FROM stars WHERE user = ? AND node IN ({marks})"))?
        .query_map(params_from_iter(values.map(|bytes| Value::Blob(bytes.to_vec()))), |row| row.id(0))?
        .collect()
}

fn dated(row: &Row<'_>) -> rusqlite::Result<Dated> {
    Ok(Dated { at: row.time(0)?, node: row.id(1)? })
}

/// A list by time and id, latest first: `sql` takes a person, a time, an id and a limit.
fn list_dated(
    connection: &Connection,
    sql: &str,
    user: UserId,
    after: Option<Dated>,
    limit: u32,
) -> rusqlite::Result<Vec<Dated>> {
    let after = after.unwrap_or(Dated { at: Timestamp::MAX, node: FileId::from_bytes([0xff; 12]) });
    connection
        .prepare_cached(sql)?
        .query_map((user.bytes(), after.at.millis(), after.node.bytes(), limit), dated)?
        .collect()
}

fn list_tags(connection: &Connection, space: SpaceId, limit: u32) -> rusqlite::Result<Vec<TagCount>> {
    connection
        .prepare_cached(
            "SELECT min(tag), count(*) FROM node_tags WHERE space = ?1 GROUP BY folded ORDER BY folded LIMIT ?2",
        )?
        .query_map((space.bytes(), limit), |row| {
            let tag = Tag::parse(row.get_ref(0)?.as_str()?).map_err(|_| damaged("a tag that is none"))?;
            Ok(TagCount { tag, nodes: row.count(1)? })
        })?
        .collect()
}

#[async_trait]
impl MarkStore for FilesDb {
    async fn set_tags(&self, id: FileId, revision: Option<u64>, tags: &[Tag]) -> Result<Node, NodeError> {
        let tags = tags.to_vec();
        self.engine.write(Durability::Durable, move |tx| set_tags(tx, id, revision, &tags)).await
    }

    async fn set_star(
        &self,
        id: FileId,
        user: UserId,
        starred_at: Option<Timestamp>,
    ) -> Result<(), NodeError> {
        self.engine.write(Durability::Durable, move |tx| set_star(tx, id, user, starred_at)).await
    }

    async fn starred_of(&self, user: UserId, nodes: &[FileId]) -> PortResult<Vec<FileId>> {
        let nodes = nodes.to_vec();
        self.read(move |connection| starred_of(connection, user, &nodes)).await
    }

    async fn list_starred(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>> {
        self.read(move |connection| {
            let sql =
                "SELECT at, node FROM stars INDEXED BY stars_latest WHERE user = ?1 AND (at, node) < (?2, ?3)
                       ORDER BY at DESC, node DESC LIMIT ?4";
            list_dated(connection, sql, user, after, limit)
        })
        .await
    }

    async fn count_starred(&self, user: UserId) -> PortResult<u64> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT count(*) FROM stars WHERE user = ?1")?
                .query_row([user.bytes()], |row| row.count(0))
        })
        .await
    }

    async fn list_tagged(
        &self,
        space: SpaceId,
        tag: &Tag,
        after: Option<FileId>,
        limit: u32,
    ) -> PortResult<Vec<FileId>> {
        let (folded, after) = (tag.folded(), after.unwrap_or(FileId::from_bytes([0xff; 12])));
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT node FROM node_tags WHERE space = ?1 AND folded = ?2 AND node < ?3 ORDER BY node DESC LIMIT ?4",
                )?
                .query_map((space.bytes(), folded, after.bytes(), limit), |row| row.id(0))?
                .collect()
        })
        .await
    }

    async fn count_tagged(&self, space: SpaceId, tag: &Tag) -> PortResult<u64> {
        let folded = tag.folded();
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT count(*) FROM node_tags WHERE space = ?1 AND folded = ?2")?
                .query_row((space.bytes(), folded), |row| row.count(0))
        })
        .await
    }

    async fn list_tags(&self, space: SpaceId, limit: u32) -> PortResult<Vec<TagCount>> {
        self.read(move |connection| list_tags(connection, space, limit)).await
    }

    async fn list_recent(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>> {
        self.read(move |connection| {
            let sql = "SELECT content_at, id FROM nodes INDEXED BY nodes_recent
                       WHERE content_by = ?1 AND live = 1 AND content_by IS NOT NULL AND (content_at, id) < (?2, ?3)
                       ORDER BY content_at DESC, id DESC LIMIT ?4";
            list_dated(connection, sql, user, after, limit)
        })
        .await
    }
}
