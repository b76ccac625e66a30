//! Files and what belongs to them, as a whole.

mod history;
mod nodes;
mod rows;

use async_trait::async_trait;
use common::files::{CopyOperation, FileEvent, Operation, Share};
use common::jobs::NewJob;
use common::portable::{
    PortableBlob, PortableFiles, PortableFront, PortableLink, PortableNode, PortableNotice, PortablePart,
    PortableSpace, PortableStar, PortableThumbnail, PortableVersion,
};
use common::{BlobKey, FileId, JobId, LinkId, OperationId, PortResult, ShareId, SpaceId, Timestamp, UserId};
use rusqlite::OptionalExtension as _;

use super::{FilesDb, activity, copying, journal, links, shares};
use crate::engine::Tx;
use crate::outbox;
use crate::row::{RowExt as _, int};

use nodes::{NODE, content, keep_node, read_node};
use rows::{SPACE, keep_blob, keep_link, keep_share, keep_space, read_blob, read_space};

/// Below every id, and below every key.
const START: [u8; 12] = [0; 12];
const KEY_START: [u8; 16] = [0; 16];

/// Where `meta` has the mark.
const IMPORT: &str = "import";

impl FilesDb {
    async fn keep<T: Clone + Send + Sync + 'static>(
        &self,
        items: &[T],
        work: impl Fn(&Tx<'_>, &T) -> rusqlite::Result<()> + Send + 'static,
    ) -> PortResult<()> {
        let items = items.to_vec();
        self.write(move |tx| items.iter().try_for_each(|item| work(tx, item))).await
    }
}

#[async_trait]
impl PortableFiles for FilesDb {
    async fn import_mark(&self) -> PortResult<Option<String>> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
                .query_row([IMPORT], |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn set_import_mark(&self, mark: Option<&str>) -> PortResult<()> {
        let mark = mark.map(str::to_owned);
        self.write(move |tx| {
            match mark {
                Some(mark) => tx
                    .prepare_cached(
                        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    )?
                    .execute((IMPORT, mark)),
                None => tx.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([IMPORT]),
            }
            .map(drop)
        })
        .await
    }

    async fn page_spaces(&self, after: Option<SpaceId>, limit: u32) -> PortResult<Vec<PortableSpace>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {SPACE} FROM spaces WHERE id > ?1 ORDER BY id LIMIT ?2"))?
                .query_map((after, limit), read_space)?
                .collect()
        })
        .await
    }

    async fn keep_spaces(&self, spaces: &[PortableSpace]) -> PortResult<()> {
        let spaces = spaces.to_vec();
        self.write(move |tx| {
            spaces.iter().try_for_each(|space| keep_space(tx, space))?;
            tx.prepare_cached(
                "UPDATE counters SET value = (SELECT coalesce(sum(node_count), 0) FROM spaces) WHERE name = 'nodes'",
            )?
            .execute([])
            .map(drop)
        })
        .await
    }

    async fn page_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<PortableBlob>> {
        let after = after.map_or(KEY_START, |key| *key.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT b.key, b.size, b.sha256, b.crc32, i.bytes, b.refs, b.condemned_at, b.damaged_at, b.thumbnails, b.thumbnails_reason,
                            b.width, b.height, b.taken_at, b.camera, b.duration_ms
                     FROM blobs b LEFT JOIN inline_bytes i ON i.id = b.inline_id WHERE b.key > ?1 ORDER BY b.key LIMIT ?2",
                )?
                .query_map((after, limit), read_blob)?
                .collect()
        })
        .await
    }

    async fn keep_blobs(&self, blobs: &[PortableBlob]) -> PortResult<()> {
        self.keep(blobs, keep_blob).await
    }

    async fn page_thumbnails(
        &self,
        after: Option<(BlobKey, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortableThumbnail>> {
        let (key, size) = after.map_or((KEY_START, 0), |(key, size)| (*key.bytes(), size));
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT original, size, key, mime FROM thumbnails WHERE (original, size) > (?1, ?2)
                     ORDER BY original, size LIMIT ?3",
                )?
                .query_map((key, size, limit), |row| {
                    Ok(PortableThumbnail {
                        original: row.id(0)?,
                        size: row.get(1)?,
                        key: row.id(2)?,
                        mime: row.get(3)?,
                    })
                })?
                .collect()
        })
        .await
    }

    async fn keep_thumbnails(&self, thumbnails: &[PortableThumbnail]) -> PortResult<()> {
        self.keep(thumbnails, |tx, kept| {
            tx.prepare_cached(
                "INSERT INTO thumbnails (original, size, key, mime) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute((kept.original.bytes(), kept.size, kept.key.bytes(), &kept.mime))
            .map(drop)
        })
        .await
    }

    async fn page_nodes(&self, after: Option<FileId>, limit: u32) -> PortResult<Vec<PortableNode>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {NODE} FROM nodes n WHERE n.id > ?1 ORDER BY n.id LIMIT ?2"
                ))?
                .query_map((after, limit), read_node)?
                .collect()
        })
        .await
    }

    async fn keep_nodes(&self, nodes: &[PortableNode]) -> PortResult<()> {
        self.keep(nodes, keep_node).await
    }

    async fn page_versions(
        &self,
        after: Option<(FileId, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortableVersion>> {
        let (node, version) = after.map_or((START, 0), |(node, version)| (*node.bytes(), version));
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT node, replaced_at, version, blob, size, mime, modified_at, at, by FROM versions
                     WHERE (node, version) > (?1, ?2) ORDER BY node, version LIMIT ?3",
                )?
                .query_map((node, version, limit), |row| {
                    Ok(PortableVersion {
                        node: row.id(0)?,
                        replaced_at: row.time_opt(1)?,
                        content: content(row, 2)?,
                    })
                })?
                .collect()
        })
        .await
    }

    async fn keep_versions(&self, versions: &[PortableVersion]) -> PortResult<()> {
        self.keep(versions, |tx, PortableVersion { node, content, replaced_at }| {
            tx.prepare_cached(
                "INSERT INTO versions (node, version, blob, size, mime, modified_at, at, by, replaced_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?
            .execute((
                node.bytes(),
                content.version,
                content.blob.bytes(),
                int(content.size),
                &content.mime,
                content.modified_at.millis(),
                content.came.at.millis(),
                content.came.by.bytes(),
                replaced_at.map(Timestamp::millis),
            ))
            .map(drop)
        })
        .await
    }

    async fn page_shares(&self, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM shares WHERE id > ?1 ORDER BY id LIMIT ?2",
                    shares::COLUMNS
                ))?
                .query_map((after, limit), shares::share)?
                .collect()
        })
        .await
    }

    async fn keep_shares(&self, shares: &[Share]) -> PortResult<()> {
        self.keep(shares, keep_share).await
    }

    async fn page_links(&self, after: Option<LinkId>, limit: u32) -> PortResult<Vec<PortableLink>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {}, new_downloads, new_drops, new_file, told_downloads, told_drops, notice_job, notice_due, noticed_at
                     FROM links WHERE id > ?1 ORDER BY id LIMIT ?2",
                    links::COLUMNS
                ))?
                .query_map((after, limit), |row| {
                    let notice = PortableNotice {
                        new_downloads: row.count(16)?,
                        new_drops: row.count(17)?,
                        new_file: row.id_opt(18)?,
                        told_downloads: row.count(19)?,
                        told_drops: row.count(20)?,
                        job: row.id_opt(21)?,
                        due: row.time_opt(22)?,
                        noticed_at: row.time_opt(23)?,
                    };
                    Ok(PortableLink { link: links::link(row)?, notice })
                })?
                .collect()
        })
        .await
    }

    async fn keep_links(&self, links: &[PortableLink]) -> PortResult<()> {
        self.keep(links, keep_link).await
    }

    async fn page_stars(&self, after: Option<(UserId, FileId)>, limit: u32) -> PortResult<Vec<PortableStar>> {
        let (user, node) = after.map_or((START, START), |(user, node)| (*user.bytes(), *node.bytes()));
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT user, node, at FROM stars WHERE (user, node) > (?1, ?2) ORDER BY user, node LIMIT ?3",
                )?
                .query_map((user, node, limit), |row| {
                    Ok(PortableStar { user: row.id(0)?, node: row.id(1)?, at: row.time(2)? })
                })?
                .collect()
        })
        .await
    }

    async fn keep_stars(&self, stars: &[PortableStar]) -> PortResult<()> {
        self.keep(stars, |tx, star| {
            tx.prepare_cached(
                "INSERT INTO stars (user, node, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute((star.user.bytes(), star.node.bytes(), star.at.millis()))
            .map(drop)
        })
        .await
    }

    async fn page_events(&self, after: Option<(SpaceId, u64)>, limit: u32) -> PortResult<Vec<FileEvent>> {
        let (space, seq) = after.map_or((START, 0), |(space, seq)| (*space.bytes(), seq));
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM activity WHERE (space, seq) > (?1, ?2) ORDER BY space, seq LIMIT ?3",
                    activity::COLUMNS
                ))?
                .query_map((space, int(seq), limit), activity::event)?
                .collect()
        })
        .await
    }

    async fn keep_events(&self, events: &[FileEvent]) -> PortResult<()> {
        self.keep(events, history::keep_event).await
    }

    async fn page_operations(&self, after: Option<OperationId>, limit: u32) -> PortResult<Vec<Operation>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM operations WHERE id > ?1 ORDER BY id LIMIT ?2",
                    journal::COLUMNS
                ))?
                .query_map((after, limit), journal::operation)?
                .collect()
        })
        .await
    }

    async fn keep_operations(&self, operations: &[Operation]) -> PortResult<()> {
        self.keep(operations, history::keep_operation).await
    }

    async fn page_parts(
        &self,
        after: Option<(OperationId, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortablePart>> {
        let (operation, number) = after.map_or((START, -1), |(id, number)| (*id.bytes(), i64::from(number)));
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {}, operation FROM operation_parts WHERE (operation, number) > (?1, ?2)
                     ORDER BY operation, number LIMIT ?3",
                    journal::PART_COLUMNS
                ))?
                .query_map((operation, number, limit), |row| {
                    Ok(PortablePart { operation: row.id(7)?, part: journal::part(row)? })
                })?
                .collect()
        })
        .await
    }

    async fn keep_parts(&self, parts: &[PortablePart]) -> PortResult<()> {
        self.keep(parts, history::keep_part).await
    }

    async fn page_copies(&self, after: Option<OperationId>, limit: u32) -> PortResult<Vec<CopyOperation>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM copies WHERE id > ?1 ORDER BY id LIMIT ?2",
                    copying::COLUMNS
                ))?
                .query_map((after, limit), copying::operation)?
                .collect()
        })
        .await
    }

    async fn keep_copies(&self, copies: &[CopyOperation]) -> PortResult<()> {
        self.keep(copies, history::keep_copy).await
    }

    async fn page_fronts(
        &self,
        after: Option<(OperationId, FileId)>,
        limit: u32,
    ) -> PortResult<Vec<PortableFront>> {
        let (copy, target) = after.map_or((START, START), |(id, target)| (*id.bytes(), *target.bytes()));
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT target, source, after, copy FROM copy_fronts WHERE (copy, target) > (?1, ?2)
                     ORDER BY copy, target LIMIT ?3",
                )?
                .query_map((copy, target, limit), |row| {
                    Ok(PortableFront { copy: row.id(3)?, front: copying::front(row)? })
                })?
                .collect()
        })
        .await
    }

    async fn keep_fronts(&self, fronts: &[PortableFront]) -> PortResult<()> {
        self.keep(fronts, history::keep_front).await
    }

    async fn page_outbox(&self, after: Option<JobId>, limit: u32) -> PortResult<Vec<NewJob>> {
        self.read(move |connection| outbox::page(connection, after, limit)).await
    }
}
