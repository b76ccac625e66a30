//! What a scrub of contents needs to know, and notes.

use common::files::BlobRecord;
use common::{BlobKey, Crc32, FileId, Timestamp};
use rusqlite::Connection;

use super::blobs;
use crate::engine::Tx;
use crate::row::RowExt as _;

pub(super) fn list(
    connection: &Connection,
    after: Option<BlobKey>,
    limit: u32,
) -> rusqlite::Result<Vec<BlobRecord>> {
    let record = |row: &rusqlite::Row<'_>| {
        Ok(BlobRecord { info: blobs::info(row, 2)?, crc32: Crc32(row.get(0)?), damaged_at: row.time_opt(1)? })
    };
    // the smallest key is below any that was ever made
    let after = after.map_or([0; 16], |key| *key.bytes());
    connection
        .prepare_cached(&format!(
            "SELECT b.crc32, b.damaged_at, {} FROM blobs b WHERE b.key > ?1 AND b.condemned_at IS NULL ORDER BY b.key LIMIT ?2",
            blobs::COLUMNS
        ))?
        .query_map((after, limit), record)?
        .collect()
}

pub(super) fn mark(tx: &Tx<'_>, key: BlobKey, damaged_at: Option<Timestamp>) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "UPDATE blobs SET damaged_at = ?2 WHERE key = ?1 AND condemned_at IS NULL AND (damaged_at IS NULL) <> (?2 IS NULL)",
        )?
        .execute((key.bytes(), damaged_at.map(Timestamp::millis)))?;
    Ok(changed == 1)
}

pub(super) fn files(connection: &Connection, key: BlobKey, limit: u32) -> rusqlite::Result<Vec<FileId>> {
    connection
        .prepare_cached(
            "SELECT id FROM nodes WHERE blob = ?1 AND deleted_at IS NULL
             UNION SELECT v.node FROM versions v JOIN nodes n ON n.id = v.node WHERE v.blob = ?1 AND n.deleted_at IS NULL
             UNION SELECT n.id FROM thumbnails t JOIN nodes n ON n.blob = t.original WHERE t.key = ?1 AND n.deleted_at IS NULL
             ORDER BY 1 LIMIT ?2",
        )?
        .query_map((key.bytes(), limit), |row| row.id(0))?
        .collect()
}
