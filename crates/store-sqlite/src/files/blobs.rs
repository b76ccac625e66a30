//! Rows of blobs: references, inline bytes, thumbnails, collection.

use bytes::Bytes;
use common::files::{
    BlobInfo, BlobPage, CollectOutcome, MediaFacts, NewBlob, NewContent, NewThumbnail, NodeError, Place,
    ThumbnailInfo, ThumbnailSize, ThumbnailState,
};
use common::{BlobKey, Sha256, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::engine::{Tx, TxResult, damaged};
use crate::row::{RowExt as _, int};

pub(super) const COLUMNS: &str = "b.key, b.size, b.sha256, b.inline_id IS NOT NULL";

pub(super) fn info(row: &Row<'_>, at: usize) -> rusqlite::Result<BlobInfo> {
    Ok(BlobInfo {
        key: row.id(at)?,
        size: row.count(at + 1)?,
        sha256: Sha256(row.get(at + 2)?),
        inline: row.get(at + 3)?,
    })
}

/// Inserts a blob with one reference, and its bytes if they are to be kept here.
pub(super) fn insert(tx: &Tx<'_>, blob: &NewBlob, thumbnails: ThumbnailState) -> rusqlite::Result<()> {
    let inline_id = match &blob.place {
        Place::Inline(bytes) => {
            tx.prepare_cached("INSERT INTO inline_bytes (bytes) VALUES (?1)")?.execute([bytes.as_ref()])?;
            Some(tx.last_insert_rowid())
        }
        Place::Blob | Place::Shared => None,
    };
    tx.prepare_cached(
        "INSERT INTO blobs (key, size, sha256, crc32, inline_id, refs, thumbnails) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
    )?
    .execute((
        blob.key.bytes(),
        int(blob.size),
        blob.sha256.0,
        blob.crc32.0,
        inline_id,
        thumbnails.word(),
    ))
    .map(drop)
}

/// Brings the content of a commit in: its blob with one reference, or one reference more to that which it shares.
pub(super) fn bring(tx: &Tx<'_>, content: &NewContent) -> TxResult<(), NodeError> {
    match content.blob.place {
        Place::Shared if !take(tx, content.blob.key)? => Err(NodeError::ContentGone.into()),
        Place::Shared => Ok(()),
        Place::Inline(_) | Place::Blob => Ok(insert(tx, &content.blob, content.thumbnails)?),
    }
}

/// Takes one reference more. False if the blob is not live any more.
pub(super) fn take(tx: &Tx<'_>, key: BlobKey) -> rusqlite::Result<bool> {
    let taken = tx
        .prepare_cached("UPDATE blobs SET refs = refs + 1 WHERE key = ?1 AND condemned_at IS NULL")?
        .execute([key.bytes()])?;
    Ok(taken == 1)
}

/// Gives a reference back; without any left, the blob is condemned.
pub(super) fn give_back(tx: &Tx<'_>, key: BlobKey, at: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE blobs SET refs = refs - 1, condemned_at = CASE WHEN refs = 1 THEN ?2 END WHERE key = ?1 AND refs > 0",
    )?
    .execute((key.bytes(), at.millis()))
    .map(drop)
}

pub(super) fn find(connection: &Connection, key: BlobKey) -> rusqlite::Result<Option<BlobInfo>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM blobs b WHERE b.key = ?1 AND b.condemned_at IS NULL"
        ))?
        .query_row([key.bytes()], |row| info(row, 0))
        .optional()
}

pub(super) fn read_inline(connection: &Connection, key: BlobKey) -> rusqlite::Result<Option<Bytes>> {
    Ok(read_inline_many(connection, &[key])?.pop().flatten())
}

/// One after another by one statement: the pages that they have in common are at hand, and nobody is waited for in between.
pub(super) fn read_inline_many(
    connection: &Connection,
    keys: &[BlobKey],
) -> rusqlite::Result<Vec<Option<Bytes>>> {
    let mut select = connection.prepare_cached(
        "SELECT i.bytes FROM blobs b JOIN inline_bytes i ON i.id = b.inline_id WHERE b.key = ?1",
    )?;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let bytes = select.query_row([key.bytes()], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        found.push(bytes.map(Bytes::from));
    }
    Ok(found)
}

pub(super) fn find_thumbnail(
    connection: &Connection,
    original: BlobKey,
    size: ThumbnailSize,
) -> rusqlite::Result<Option<ThumbnailInfo>> {
    connection
        .prepare_cached(&format!(
            "SELECT t.mime, {COLUMNS} FROM thumbnails t JOIN blobs b ON b.key = t.key WHERE t.original = ?1 AND t.size = ?2"
        ))?
        .query_row((original.bytes(), size.pixels()), |row| {
            Ok(ThumbnailInfo { size, mime: row.get(0)?, blob: info(row, 1)? })
        })
        .optional()
}

pub(super) fn keep_thumbnails(
    tx: &Tx<'_>,
    original: BlobKey,
    media: Option<&MediaFacts>,
    thumbnails: &[NewThumbnail],
) -> rusqlite::Result<bool> {
    let marked = tx
        .prepare_cached(
            "UPDATE blobs SET thumbnails = 'ready', thumbnails_reason = NULL
             WHERE key = ?1 AND condemned_at IS NULL AND thumbnails <> 'ready'",
        )?
        .execute([original.bytes()])?;
    if marked == 0 {
        return Ok(false);
    }
    if let Some(media) = media {
        keep_media(tx, original, media)?;
    }
    for thumbnail in thumbnails {
        insert(tx, &thumbnail.blob, ThumbnailState::None)?;
        tx.prepare_cached("INSERT INTO thumbnails (original, size, key, mime) VALUES (?1, ?2, ?3, ?4)")?
            .execute((
                original.bytes(),
                thumbnail.size.pixels(),
                thumbnail.blob.key.bytes(),
                &thumbnail.mime,
            ))?;
    }
    Ok(true)
}

pub(super) fn keep_media(tx: &Tx<'_>, original: BlobKey, media: &MediaFacts) -> rusqlite::Result<bool> {
    let kept = tx
        .prepare_cached(
            "UPDATE blobs SET width = ?2, height = ?3, taken_at = ?4, camera = ?5, duration_ms = ?6
             WHERE key = ?1 AND condemned_at IS NULL",
        )?
        .execute((
            original.bytes(),
            media.width,
            media.height,
            &media.taken_at,
            &media.camera,
            media.duration_ms.map(int),
        ))?;
    Ok(kept == 1)
}

pub(super) fn fail_thumbnails(tx: &Tx<'_>, original: BlobKey, reason: &str) -> rusqlite::Result<bool> {
    let marked = tx
        .prepare_cached(
            "UPDATE blobs SET thumbnails = 'failed', thumbnails_reason = ?2 WHERE key = ?1 AND thumbnails = 'pending'",
        )?
        .execute((original.bytes(), reason))?;
    Ok(marked == 1)
}

pub(super) fn list_condemned(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<BlobPage> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM blobs b WHERE b.condemned_at IS NOT NULL AND b.condemned_at < ?1
         ORDER BY b.condemned_at LIMIT ?2"
    ))?;
    let mut blobs: Vec<BlobInfo> = select
        .query_map((before.millis(), i64::from(limit) + 1), |row| info(row, 0))?
        .collect::<Result<_, _>>()?;
    let more = blobs.len() > limit as usize;
    blobs.truncate(limit as usize);
    Ok(BlobPage { blobs, more })
}

pub(super) fn collect(
    tx: &Tx<'_>,
    key: BlobKey,
    condemned_before: Timestamp,
    at: Timestamp,
) -> rusqlite::Result<CollectOutcome> {
    let condemned = tx
        .prepare_cached("SELECT inline_id FROM blobs WHERE key = ?1 AND refs = 0 AND condemned_at < ?2")?
        .query_row((key.bytes(), condemned_before.millis()), |row| row.get::<_, Option<i64>>(0))
        .optional()?;
    let Some(inline_id) = condemned else { return Ok(CollectOutcome::Kept) };
    // the count of references should say the same: bytes that anything names are never given up for a miscount
    let named: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM nodes WHERE blob = ?1) OR EXISTS (SELECT 1 FROM versions WHERE blob = ?1)
                 OR EXISTS (SELECT 1 FROM thumbnails WHERE key = ?1)",
        )?
        .query_row([key.bytes()], |row| row.get(0))?;
    if named {
        tracing::error!(blob = %key, "a condemned blob is still named: its references were miscounted");
        return Ok(CollectOutcome::Kept);
    }
    if let Some(id) = inline_id {
        tx.prepare_cached("DELETE FROM inline_bytes WHERE id = ?1")?.execute([id])?;
    }
    let thumbnails: Vec<BlobKey> = tx
        .prepare_cached("DELETE FROM thumbnails WHERE original = ?1 RETURNING key")?
        .query_map([key.bytes()], |row| row.id(0))?
        .collect::<Result<_, _>>()?;
    for thumbnail in thumbnails {
        give_back(tx, thumbnail, at)?;
    }
    let removed = tx.prepare_cached("DELETE FROM blobs WHERE key = ?1")?.execute([key.bytes()])?;
    if removed == 1 { Ok(CollectOutcome::Removed) } else { Err(damaged("a blob's row cannot be removed")) }
}

pub(super) fn known(connection: &Connection, keys: &[BlobKey]) -> rusqlite::Result<Vec<BlobKey>> {
    let mut select = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM blobs WHERE key = ?1)")?;
    let mut known = Vec::new();
    for key in keys {
        if select.query_row([key.bytes()], |row| row.get(0))? {
            known.push(*key);
        }
    }
    Ok(known)
}
