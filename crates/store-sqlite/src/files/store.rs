//! The port over the functions of this folder.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{
    BlobInfo, BlobPage, BlobRecord, CollectOutcome, Commit, Committed, Content, FileEvent, FileEventKind,
    FileStore, ListQuery, MediaFacts, NewFolder, NewThumbnail, Node, NodeError, NodeName, NodePath, Page,
    PurgeStep, RecountPlace, RecountStep, Space, ThumbnailInfo, ThumbnailSize, Usage, UsageByType,
};
use common::jobs::NewJob;
use common::{BlobKey, FileId, PortResult, ReservationId, SpaceId, Timestamp, UserId};
use rusqlite::Connection;

use super::{
    FilesDb, activity, blobs, list, names, path, purge, recount, returns, scrub, space, tree, upload, usage,
};
use crate::engine::{Durability, Tx, TxResult, damaged};
use crate::row::{RowExt as _, int};

impl FilesDb {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        self.engine.read(|connection| Ok(work(connection)?)).await
    }

    /// Several statements that see one state.
    pub(super) async fn read_one_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        self.engine
            .read(|connection| {
                connection.prepare_cached("BEGIN")?.execute([])?;
                let result = work(connection)?;
                connection.prepare_cached("COMMIT")?.execute([])?;
                Ok(result)
            })
            .await
    }

    /// A change that knows no rule to break.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        self.engine.write(Durability::Durable, |tx| Ok(work(tx)?)).await
    }

    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> TxResult<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        self.engine.write(Durability::Durable, work).await
    }
}

#[async_trait]
impl FileStore for FilesDb {
    async fn ensure_space(
        &self,
        owner: UserId,
        fresh: (SpaceId, FileId),
        quota_bytes: Option<u64>,
        at: Timestamp,
    ) -> PortResult<Space> {
        match self.read(move |connection| space::find_by_owner(connection, owner)).await? {
            Some(space) => Ok(space),
            None => self.write(move |tx| space::ensure(tx, owner, fresh, quota_bytes, at)).await,
        }
    }

    async fn find_space(&self, id: SpaceId) -> PortResult<Option<Space>> {
        self.read(move |connection| space::find(connection, id)).await
    }

    async fn find_space_of(&self, owner: UserId) -> PortResult<Option<Space>> {
        self.read(move |connection| space::find_by_owner(connection, owner)).await
    }

    async fn usage(&self, space: SpaceId) -> PortResult<Usage> {
        self.read(move |connection| {
            Ok(space::find(connection, space)?.ok_or_else(|| damaged("there is no such space"))?.usage)
        })
        .await
    }

    async fn usage_by_type(&self, space: SpaceId, at_most: u32) -> PortResult<UsageByType> {
        self.read_one_state(move |connection| usage::by_type(connection, space, at_most, usage::MOST_TIME))
            .await
    }

    async fn set_quota(&self, space: SpaceId, quota_bytes: Option<u64>) -> PortResult<()> {
        self.write(move |tx| {
            tx.prepare_cached("UPDATE spaces SET quota_bytes = ?2 WHERE id = ?1")?
                .execute((space.bytes(), quota_bytes.map(int)))
                .map(drop)
        })
        .await
    }

    async fn end_space(&self, space: SpaceId, at: Timestamp) -> PortResult<()> {
        self.write(move |tx| space::end(tx, space, at)).await
    }

    async fn find_path(&self, id: FileId) -> PortResult<Option<NodePath>> {
        self.read(move |connection| path::find(connection, id)).await
    }

    async fn find_child(&self, parent: FileId, name: &NodeName) -> PortResult<Option<Node>> {
        let name = name.clone();
        self.read_one_state(move |connection| match names::holder(connection, parent, &name)? {
            Some(id) => Ok(path::find(connection, id)?.map(|path| path.node)),
            None => Ok(None),
        })
        .await
    }

    async fn list_children(&self, parent: FileId, query: &ListQuery) -> PortResult<Page<Node>> {
        let (query, places) = (query.clone(), Arc::clone(&self.places));
        self.read_one_state(move |connection| list::children(connection, &places, parent, &query)).await
    }

    async fn list_children_by_id(&self, parent: FileId, offset: u64, limit: u32) -> PortResult<Vec<Node>> {
        let places = Arc::clone(&self.places);
        self.read_one_state(move |connection| {
            list::children_by_id(connection, &places, parent, offset, limit)
        })
        .await
    }

    async fn list_trash(
        &self,
        space: SpaceId,
        after: Option<(Timestamp, FileId)>,
        limit: u32,
    ) -> PortResult<Page<Node>> {
        self.read_one_state(move |connection| list::trash(connection, space, after, limit)).await
    }

    async fn create_folder(&self, folder: &NewFolder) -> Result<Node, NodeError> {
        let folder = folder.clone();
        self.change(move |tx| tree::create_folder(tx, &folder, &[])).await
    }

    async fn reserve(
        &self,
        space: SpaceId,
        id: ReservationId,
        bytes: u64,
        expires_at: Timestamp,
    ) -> Result<(), NodeError> {
        self.change(move |tx| space::reserve(tx, space, id, &[], bytes, expires_at)).await
    }

    async fn prolong_reservation(&self, id: ReservationId, expires_at: Timestamp) -> PortResult<()> {
        self.write(move |tx| space::prolong(tx, id, expires_at)).await
    }

    async fn release(&self, id: ReservationId) -> PortResult<()> {
        self.write(move |tx| space::release(tx, id).map(drop)).await
    }

    async fn sweep_reservations(&self, now: Timestamp) -> PortResult<u32> {
        let mut swept = 0;
        loop {
            match self.write(move |tx| space::sweep(tx, now)).await? {
                0 => return Ok(swept),
                some => swept += some,
            }
        }
    }

    async fn commit_upload(&self, commit: &Commit) -> Result<Committed, NodeError> {
        let commit = commit.clone();
        self.change(move |tx| upload::commit(tx, &commit)).await
    }

    async fn relocate(
        &self,
        id: FileId,
        revision: Option<u64>,
        name: &NodeName,
        parent: FileId,
        at: Timestamp,
    ) -> Result<Node, NodeError> {
        let name = name.clone();
        self.change(move |tx| tree::relocate(tx, id, revision, &name, parent, at)).await
    }

    async fn set_public(
        &self,
        id: FileId,
        public: bool,
        by: UserId,
        at: Timestamp,
    ) -> Result<Node, NodeError> {
        self.change(move |tx| tree::set_public(tx, id, public, by, at)).await
    }

    async fn trash(
        &self,
        id: FileId,
        revision: Option<u64>,
        by: UserId,
        at: Timestamp,
    ) -> Result<Node, NodeError> {
        self.change(move |tx| {
            let node = tree::trash(tx, id, revision, by, at)?;
            activity::tell(tx, &FileEvent::of(&node, FileEventKind::Trashed, by.into(), at))?;
            Ok(node)
        })
        .await
    }

    async fn restore(&self, id: FileId, at: Timestamp) -> Result<Node, NodeError> {
        let restored =
            self.change(move |tx| returns::take_along(tx, tree::restore(tx, id, at)?, None, at)).await?;
        Ok(returns::take_the_rest(self, restored, None, at).await)
    }

    async fn delete(
        &self,
        id: FileId,
        revision: Option<u64>,
        by: Option<UserId>,
        at: Timestamp,
        jobs: &[NewJob],
    ) -> Result<(), NodeError> {
        let jobs = jobs.to_vec();
        self.change(move |tx| tree::delete(tx, id, revision, by, at, &jobs)).await
    }

    async fn purge(
        &self,
        tombstone: FileId,
        limit: u32,
        at: Timestamp,
        tombstone_until: Timestamp,
    ) -> PortResult<PurgeStep> {
        self.write(move |tx| purge::step(tx, tombstone, limit, at, tombstone_until)).await
    }

    async fn list_tombstones(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT id FROM nodes WHERE deleted_at IS NOT NULL AND deleted_at < ?1 ORDER BY deleted_at, id LIMIT ?2",
            )?;
            select.query_map((before.millis(), limit), |row| row.id(0))?.collect()
        })
        .await
    }

    async fn list_expired_trash(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>> {
        self.read_one_state(move |connection| list::expired_trash(connection, before, limit)).await
    }

    async fn find_blob(&self, key: BlobKey) -> PortResult<Option<BlobInfo>> {
        self.read(move |connection| blobs::find(connection, key)).await
    }

    async fn read_inline(&self, key: BlobKey) -> PortResult<Option<Bytes>> {
        self.read(move |connection| blobs::read_inline(connection, key)).await
    }

    async fn read_inline_many(&self, keys: &[BlobKey]) -> PortResult<Vec<Option<Bytes>>> {
        let keys = keys.to_vec();
        self.read_one_state(move |connection| blobs::read_inline_many(connection, &keys)).await
    }

    async fn find_thumbnail(
        &self,
        original: BlobKey,
        size: ThumbnailSize,
    ) -> PortResult<Option<ThumbnailInfo>> {
        self.read(move |connection| blobs::find_thumbnail(connection, original, size)).await
    }

    async fn keep_thumbnails(
        &self,
        original: BlobKey,
        media: Option<MediaFacts>,
        thumbnails: &[NewThumbnail],
        _at: Timestamp,
    ) -> PortResult<bool> {
        let thumbnails = thumbnails.to_vec();
        self.write(move |tx| blobs::keep_thumbnails(tx, original, media.as_ref(), &thumbnails)).await
    }

    async fn keep_media(&self, original: BlobKey, media: &MediaFacts) -> PortResult<bool> {
        let media = media.clone();
        self.write(move |tx| blobs::keep_media(tx, original, &media)).await
    }

    async fn fail_thumbnails(&self, original: BlobKey, reason: &str) -> PortResult<bool> {
        let reason = reason.to_owned();
        self.write(move |tx| blobs::fail_thumbnails(tx, original, &reason)).await
    }

    async fn find_content_of_job(&self, file: FileId, blob: BlobKey) -> PortResult<Option<Content>> {
        self.read(move |connection| {
            let content = path::find(connection, file)?.and_then(|path| path.node.content);
            Ok(content.filter(|content| content.blob == blob))
        })
        .await
    }

    async fn list_condemned(&self, before: Timestamp, limit: u32) -> PortResult<BlobPage> {
        self.read(move |connection| blobs::list_condemned(connection, before, limit)).await
    }

    async fn collect_blob(
        &self,
        key: BlobKey,
        condemned_before: Timestamp,
        at: Timestamp,
    ) -> PortResult<CollectOutcome> {
        self.write(move |tx| blobs::collect(tx, key, condemned_before, at)).await
    }

    async fn known_blobs(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>> {
        let keys = keys.to_vec();
        self.read(move |connection| blobs::known(connection, &keys)).await
    }

    async fn list_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<BlobRecord>> {
        self.read(move |connection| scrub::list(connection, after, limit)).await
    }

    async fn mark_damaged(&self, key: BlobKey, damaged_at: Option<Timestamp>) -> PortResult<bool> {
        self.write(move |tx| scrub::mark(tx, key, damaged_at)).await
    }

    async fn files_of_blob(&self, key: BlobKey, limit: u32) -> PortResult<Vec<FileId>> {
        self.read(move |connection| scrub::files(connection, key, limit)).await
    }

    async fn recount(&self, from: RecountPlace, at: Timestamp) -> PortResult<RecountStep> {
        let suspects = self.read_one_state(move |connection| recount::look(connection, from)).await?;
        if suspects.is_clean(from) {
            return Ok(RecountStep { next: suspects.next, found: Vec::new() });
        }
        self.write(move |tx| recount::heal(tx, from, &suspects, at)).await
    }

    async fn count_nodes(&self) -> PortResult<u64> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM counters WHERE name = 'nodes'")?
                .query_row([], |row| row.count(0))
        })
        .await
    }

    async fn store_id(&self) -> PortResult<String> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM meta WHERE key = 'store_id'")?
                .query_row([], |row| row.get(0))
        })
        .await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}
