//! Finding nodes by words: what is written for it, and the port.

mod bounds;
mod candidates;
mod find;
mod frequent;
mod place;
mod seen;
mod texts;
mod words;

use async_trait::async_trait;
use common::files::search::{Found, IndexStep, IndexedText, SearchQuery, SearchStore, UnreadFile, words_of};
use common::files::{NodeName, Tag};
use common::jobs::NewJob;
use common::{BlobKey, FileId, PortResult, SpaceId};
use rusqlite::{Connection, OptionalExtension as _};

use super::{FilesDb, node};
use crate::engine::{Tx, damaged};
use crate::outbox;
use crate::row::RowExt as _;

/// Words as the index has them: with their space before them.
fn in_space(space: SpaceId, words: &[String]) -> String {
    let mut text = String::new();
    for word in words {
        text.extend([&*space.to_string(), word, " "]);
    }
    text
}

/// Writes by which words a node is found that this transaction has written.
pub(super) fn index_node(
    tx: &Tx<'_>,
    (space, id): (SpaceId, FileId),
    name: &NodeName,
    tags: &[Tag],
) -> rusqlite::Result<()> {
    let found = tx
        .prepare_cached("SELECT id FROM search_nodes WHERE node = ?1")?
        .query_row([id.bytes()], |row| row.get::<_, i64>(0))
        .optional()?;
    let row = match found {
        Some(row) => {
            tx.prepare_cached("DELETE FROM name_words WHERE rowid = ?1")?.execute([row])?;
            tx.prepare_cached("UPDATE search_nodes SET stale = 0 WHERE id = ?1 AND stale != 0")?
                .execute([row])?;
            row
        }
        None => {
            tx.prepare_cached(
                "INSERT INTO search_nodes (node, space, modified_at) SELECT id, space, modified_at FROM nodes WHERE id = ?1",
            )?
            .execute([id.bytes()])?;
            tx.last_insert_rowid()
        }
    };
    let name = in_space(space, &words_of([name.as_str()]));
    let tags = in_space(space, &words_of(tags.iter().map(Tag::as_str)));
    tx.prepare_cached("INSERT INTO name_words (rowid, name, tags) VALUES (?1, ?2, ?3)")?
        .execute((row, name, tags))
        .map(drop)
}

fn keep_text(tx: &Tx<'_>, blob: BlobKey, text: &IndexedText) -> rusqlite::Result<bool> {
    let is_live: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM blobs WHERE key = ?1 AND condemned_at IS NULL)")?
        .query_row([blob.bytes()], |row| row.get(0))?;
    if !is_live {
        return Ok(false);
    }
    let spaces: Vec<SpaceId> = tx
        .prepare_cached(
            "SELECT space FROM nodes WHERE blob = ?1
             UNION SELECT n.space FROM versions v JOIN nodes n ON n.id = v.node WHERE v.blob = ?1",
        )?
        .query_map([blob.bytes()], |row| row.id(0))?
        .collect::<Result<_, _>>()?;
    for space in spaces {
        let row: i64 = tx
            .prepare_cached(
                "INSERT INTO texts (blob, space, text) VALUES (?1, ?2, ?3)
                 ON CONFLICT (blob, space) DO UPDATE SET text = excluded.text RETURNING id",
            )?
            .query_row((blob.bytes(), space.bytes(), &text.text), |row| row.get(0))?;
        tx.prepare_cached("DELETE FROM text_words WHERE rowid = ?1")?.execute([row])?;
        tx.prepare_cached("INSERT INTO text_words (rowid, words) VALUES (?1, ?2)")?
            .execute((row, in_space(space, &text.words)))?;
    }
    Ok(true)
}

/// What [`SearchStore::index`] looks at of a node.
struct Looked {
    id: FileId,
    is_indexed: bool,
    unread: Option<UnreadFile>,
}

fn look(connection: &Connection, after: Option<FileId>, limit: u32) -> rusqlite::Result<Vec<Looked>> {
    let after = after.unwrap_or(FileId::from_bytes([0; 12]));
    connection
        .prepare_cached(
            "SELECT n.id, EXISTS (SELECT 1 FROM search_nodes s WHERE s.node = n.id AND s.stale = 0),
                    n.blob IS NOT NULL AND n.deleted_at IS NULL
                        AND NOT EXISTS (SELECT 1 FROM texts t WHERE t.blob = n.blob AND t.space = n.space),
                    n.owner, n.blob, n.mime, n.size
             FROM nodes n WHERE n.id > ?1 ORDER BY n.id LIMIT ?2",
        )?
        .query_map((after.bytes(), limit), |row| {
            let id = row.id(0)?;
            let unread = if row.get(2)? {
                let (owner, blob) = (row.id(3)?, row.id(4)?);
                Some(UnreadFile { file: id, owner, blob, mime: row.get(5)?, size: row.count(6)? })
            } else {
                None
            };
            Ok(Looked { id, is_indexed: row.get(1)?, unread })
        })?
        .collect()
}

/// Indexes those of the nodes that are still there and are not indexed, or not as they should be.
fn index_missing(tx: &Tx<'_>, ids: &[FileId]) -> rusqlite::Result<u32> {
    let mut indexed = 0;
    for id in ids {
        let found = tx
            .prepare_cached(
                "SELECT n.space, n.name, n.tags FROM nodes n WHERE n.id = ?1
                 AND NOT EXISTS (SELECT 1 FROM search_nodes s WHERE s.node = n.id AND s.stale = 0)",
            )?
            .query_row([id.bytes()], |row| {
                let tags =
                    Tag::split(row.get_ref(2)?.as_str()?).map_err(|_| damaged("a tag that is none"))?;
                Ok((row.id(0)?, node::name(row, 1)?, tags))
            })
            .optional()?;
        if let Some((space, name, tags)) = found {
            index_node(tx, (space, *id), &name, &tags)?;
            indexed += 1;
        }
    }
    Ok(indexed)
}

#[async_trait]
impl SearchStore for FilesDb {
    async fn search(&self, query: &SearchQuery) -> PortResult<Found> {
        let query = query.clone();
        self.read_one_state(move |connection| find::search(connection, &query, &bounds::Bounds::default()))
            .await
    }

    async fn keep_text(&self, blob: BlobKey, text: &IndexedText) -> PortResult<bool> {
        let text = text.clone();
        self.write(move |tx| keep_text(tx, blob, &text)).await
    }

    async fn find_text(&self, space: SpaceId, blob: BlobKey) -> PortResult<Option<String>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT text FROM texts WHERE blob = ?1 AND space = ?2")?
                .query_row((blob.bytes(), space.bytes()), |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn index(&self, after: Option<FileId>, limit: u32) -> PortResult<IndexStep> {
        let looked = self.read(move |connection| look(connection, after, limit)).await?;
        let next = looked.last().filter(|_| looked.len() >= limit as usize).map(|last| last.id);
        let missing: Vec<FileId> =
            looked.iter().filter(|looked| !looked.is_indexed).map(|looked| looked.id).collect();
        let indexed =
            if missing.is_empty() { 0 } else { self.write(move |tx| index_missing(tx, &missing)).await? };
        let unread = looked.into_iter().filter_map(|looked| looked.unread).collect();
        Ok(IndexStep { next, indexed, unread })
    }

    async fn order_texts(&self, jobs: &[NewJob]) -> PortResult<()> {
        let jobs = jobs.to_vec();
        self.write(move |tx| outbox::push(tx, &jobs)).await
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
