//! Rows of contents, links, shares and spaces.

use common::files::{Grantee, Share};
use common::portable::{PortableBlob, PortableLink, PortableSpace};
use common::{Crc32, FileId, JobId, Sha256, Timestamp};
use rusqlite::{Row, params};

use super::super::{links, shares};
use crate::engine::Tx;
use crate::row::{RowExt as _, int, is_there};

pub(super) fn read_blob(row: &Row<'_>) -> rusqlite::Result<PortableBlob> {
    Ok(PortableBlob {
        key: row.id(0)?,
        size: row.count(1)?,
        sha256: Sha256(row.get(2)?),
        crc32: Crc32(row.get(3)?),
        inline: row.get(4)?,
        refs: row.count(5)?,
        condemned_at: row.time_opt(6)?,
        damaged_at: row.time_opt(7)?,
        thumbnails: row.get(8)?,
        thumbnails_reason: row.get(9)?,
        width: row.get(10)?,
        height: row.get(11)?,
        taken_at: row.get(12)?,
        camera: row.get(13)?,
        duration_ms: row.get::<_, Option<i64>>(14)?.map(|_| row.count(14)).transpose()?,
    })
}

pub(super) fn keep_blob(tx: &Tx<'_>, kept: &PortableBlob) -> rusqlite::Result<()> {
    let is_there: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM blobs WHERE key = ?1)")?
        .query_row([kept.key.bytes()], |row| row.get(0))?;
    if is_there {
        return Ok(());
    }
    let inline_id = match &kept.inline {
        Some(bytes) => {
            tx.prepare_cached("INSERT INTO inline_bytes (bytes) VALUES (?1)")?.execute([bytes])?;
            Some(tx.last_insert_rowid())
        }
        None => None,
    };
    tx.prepare_cached(
        "INSERT INTO blobs (key, size, sha256, crc32, inline_id, refs, condemned_at, damaged_at, thumbnails, thumbnails_reason,
                            width, height, taken_at, camera, duration_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        kept.key.bytes(),
        int(kept.size),
        kept.sha256.0,
        kept.crc32.0,
        inline_id,
        int(kept.refs),
        kept.condemned_at.map(Timestamp::millis),
        kept.damaged_at.map(Timestamp::millis),
        kept.thumbnails,
        kept.thumbnails_reason,
        kept.width,
        kept.height,
        kept.taken_at,
        kept.camera,
        kept.duration_ms.map(int),
    ])
    .map(drop)
}

pub(super) fn keep_link(tx: &Tx<'_>, kept: &PortableLink) -> rusqlite::Result<()> {
    if is_there(tx, "links", kept.link.id.bytes())? {
        return Ok(());
    }
    let PortableLink { link, notice } = kept;
    tx.prepare_cached(&format!(
        "INSERT INTO links ({}, new_downloads, new_drops, new_file, told_downloads, told_drops, notice_job, notice_due, noticed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        links::COLUMNS
    ))?
    .execute(params![
        link.id.bytes(),
        link.token.bytes(),
        link.node.bytes(),
        link.space.bytes(),
        link.role.word(),
        link.label,
        link.password_hash,
        link.expires_at.map(Timestamp::millis),
        link.max_downloads.map(int),
        int(link.downloads),
        int(link.opens),
        link.last_used_at.map(Timestamp::millis),
        link.by.bytes(),
        link.at.millis(),
        link.owner.bytes(),
        link.notify,
        int(notice.new_downloads),
        int(notice.new_drops),
        notice.new_file.as_ref().map(FileId::bytes),
        int(notice.told_downloads),
        int(notice.told_drops),
        notice.job.as_ref().map(JobId::bytes),
        notice.due.map(Timestamp::millis),
        notice.noticed_at.map(Timestamp::millis),
    ])
    .map(drop)
}

pub(super) fn keep_share(tx: &Tx<'_>, share: &Share) -> rusqlite::Result<()> {
    let (to_group, grantee) = match &share.grantee {
        Grantee::User(id) => (false, id.bytes()),
        Grantee::Group(id) => (true, id.bytes()),
    };
    tx.prepare_cached(&format!(
        "INSERT INTO shares ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
        shares::COLUMNS
    ))?
    .execute((
        share.id.bytes(),
        share.node.bytes(),
        share.space.bytes(),
        to_group,
        grantee,
        share.role.word(),
        share.by.bytes(),
        share.at.millis(),
    ))
    .map(drop)
}

pub(super) fn keep_space(tx: &Tx<'_>, space: &PortableSpace) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO spaces (id, owner, root, tree_version, used_bytes, quota_bytes, node_count, trash_count, depth_bound, events)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
    )?
    .execute((
        space.id.bytes(),
        space.owner.bytes(),
        space.root.bytes(),
        int(space.tree_version),
        int(space.used_bytes),
        space.quota_bytes.map(int),
        int(space.node_count),
        int(space.trash_count),
        int(space.depth_bound),
        int(space.events),
    ))
    .map(drop)
}

/// The columns of a space.
pub(super) const SPACE: &str =
    "id, owner, root, tree_version, used_bytes, quota_bytes, node_count, trash_count, depth_bound, events";

pub(super) fn read_space(row: &Row<'_>) -> rusqlite::Result<PortableSpace> {
    Ok(PortableSpace {
        id: row.id(0)?,
        owner: row.id(1)?,
        root: row.id(2)?,
        tree_version: row.count(3)?,
        used_bytes: row.count(4)?,
        quota_bytes: row.get::<_, Option<i64>>(5)?.map(|_| row.count(5)).transpose()?,
        node_count: row.count(6)?,
        trash_count: row.count(7)?,
        depth_bound: row.count(8)?,
        events: row.count(9)?,
    })
}
