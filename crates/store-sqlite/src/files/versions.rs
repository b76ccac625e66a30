//! The contents that files have had.

use async_trait::async_trait;
use common::files::{KeepVersions, NodeError, PruneStep, Version, VersionStore};
use common::{BlobKey, FileId, PortResult, SpaceId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::space::{self, Change};
use super::{FilesDb, blobs, node, path};
use crate::engine::{Durability, Tx, TxResult};
use crate::row::{RowExt as _, int};

/// A file's contents, the present one among them; the columns from the third on as [`node::content`] reads them.
const ALL: &str = "SELECT v.at, v.by, v.version, v.blob, v.size, v.mime, v.modified_at,
            b.sha256, b.crc32, b.thumbnails, b.thumbnails_reason, b.width, b.height, b.taken_at, b.camera, b.duration_ms
     FROM (SELECT content_at AS at, content_by AS by, version, blob, size, mime, content_modified_at AS modified_at
           FROM nodes WHERE id = ?1 AND blob IS NOT NULL
           UNION ALL
           SELECT at, by, version, blob, size, mime, modified_at FROM versions WHERE node = ?1) v
     JOIN blobs b ON b.key = v.blob";

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version { content: node::content(row, 2)?, at: row.time(0)?, by: row.id(1)? })
}

fn list(
    connection: &Connection,
    file: FileId,
    before: Option<u32>,
    limit: u32,
) -> rusqlite::Result<Vec<Version>> {
    if !path::exists(connection, file)? {
        return Ok(Vec::new());
    }
    connection
        .prepare_cached(&format!("{ALL} WHERE v.version < ?2 ORDER BY v.version DESC LIMIT ?3"))?
        .query_map((file.bytes(), before.unwrap_or(u32::MAX), limit), version)?
        .collect()
}

fn find(connection: &Connection, file: FileId, number: u32) -> rusqlite::Result<Option<Version>> {
    if !path::exists(connection, file)? {
        return Ok(None);
    }
    connection
        .prepare_cached(&format!("{ALL} WHERE v.version = ?2"))?
        .query_row((file.bytes(), number), version)
        .optional()
}

fn delete(tx: &Tx<'_>, file: FileId, number: u32, at: Timestamp) -> TxResult<bool, NodeError> {
    let node = path::live(tx, file)?.node;
    let content = node.content.as_ref().ok_or(NodeError::NotAFile)?;
    if content.version == number {
        return Err(NodeError::Changed.into());
    }
    let removed = tx
        .prepare_cached("DELETE FROM versions WHERE node = ?1 AND version = ?2 RETURNING blob, size")?
        .query_row((file.bytes(), number), |row| Ok((row.id::<BlobKey>(0)?, row.count(1)?)))
        .optional()?;
    let Some((blob, size)) = removed else { return Ok(false) };
    blobs::give_back(tx, blob, at)?;
    space::apply(tx, node.space, Change { used_bytes: -int(size), ..Change::default() })?;
    Ok(true)
}

/// Files that have versions, by their ids.
fn files_with_versions(
    connection: &Connection,
    after: Option<FileId>,
    limit: u32,
) -> rusqlite::Result<Vec<FileId>> {
    // the distinct ids one after another, without reading all versions of each
    let mut next = connection.prepare_cached("SELECT min(node) FROM versions WHERE node > ?1")?;
    let mut files = Vec::new();
    let mut last = after.unwrap_or(FileId::from_bytes([0; 12]));
    while files.len() < limit as usize {
        let Some(file) = next.query_row([last.bytes()], |row| row.id_opt(0))? else { break };
        files.push(file);
        last = file;
    }
    Ok(files)
}

/// What of a file need not be kept any more.
fn doomed(connection: &Connection, file: FileId, keep: KeepVersions) -> rusqlite::Result<Vec<u32>> {
    connection
        .prepare_cached(
            "SELECT version FROM (
                 SELECT version, replaced_at, row_number() OVER (ORDER BY version DESC) AS place FROM versions WHERE node = ?1
             ) WHERE place > ?2 OR replaced_at < ?3",
        )?
        .query_map((file.bytes(), keep.count, keep.replaced_since.millis()), |row| row.get(0))?
        .collect()
}

/// Removes what of a file need not be kept; how many, and their bytes.
fn prune(tx: &Tx<'_>, file: FileId, keep: KeepVersions, at: Timestamp) -> rusqlite::Result<(u32, u64)> {
    let (mut removed, mut freed) = (0, 0);
    for number in doomed(tx, file, keep)? {
        let (blob, size) = tx
            .prepare_cached("DELETE FROM versions WHERE node = ?1 AND version = ?2 RETURNING blob, size")?
            .query_row((file.bytes(), number), |row| Ok((row.id(0)?, row.count(1)?)))?;
        blobs::give_back(tx, blob, at)?;
        removed += 1;
        freed += size;
    }
    if removed > 0 {
        let space: SpaceId = tx
            .prepare_cached("SELECT space FROM nodes WHERE id = ?1")?
            .query_row([file.bytes()], |row| row.id(0))?;
        space::apply(tx, space, Change { used_bytes: -int(freed), ..Change::default() })?;
    }
    Ok((removed, freed))
}

#[async_trait]
impl VersionStore for FilesDb {
    async fn list_versions(&self, file: FileId, before: Option<u32>, limit: u32) -> PortResult<Vec<Version>> {
        self.read_one_state(move |connection| list(connection, file, before, limit)).await
    }

    async fn find_version(&self, file: FileId, number: u32) -> PortResult<Option<Version>> {
        self.read_one_state(move |connection| find(connection, file, number)).await
    }

    async fn delete_version(&self, file: FileId, number: u32, at: Timestamp) -> Result<bool, NodeError> {
        self.engine.write(Durability::Durable, move |tx| delete(tx, file, number, at)).await
    }

    async fn prune_versions(
        &self,
        after: Option<FileId>,
        keep: KeepVersions,
        limit: u32,
        at: Timestamp,
    ) -> PortResult<PruneStep> {
        let (files, suspects) = self
            .read_one_state(move |connection| {
                let files = files_with_versions(connection, after, limit)?;
                let mut suspects = Vec::new();
                for file in &files {
                    if !doomed(connection, *file, keep)?.is_empty() {
                        suspects.push(*file);
                    }
                }
                Ok((files, suspects))
            })
            .await?;
        let next = files.last().copied().filter(|_| files.len() >= limit as usize);
        let mut step = PruneStep { next, removed: 0, freed_bytes: 0 };
        for file in suspects {
            let (removed, freed) = self.write(move |tx| prune(tx, file, keep, at)).await?;
            step.removed += removed;
            step.freed_bytes += freed;
        }
        Ok(step)
    }
}
