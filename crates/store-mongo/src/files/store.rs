//! The port over the functions of this folder.

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{
    BlobInfo, BlobPage, BlobRecord, CollectOutcome, Commit, CommitTarget, Committed, Content, FileEvent,
    FileEventKind, FileStore, ListQuery, MediaFacts, NewFolder, NewThumbnail, Node, NodeError, NodeName,
    NodePath, Page, PurgeStep, RecountPlace, RecountStep, Space, ThumbnailInfo, ThumbnailSize, Usage,
    UsageByType,
};
use common::jobs::NewJob;
use common::{BlobKey, FileId, PortResult, ReservationId, SpaceId, Timestamp, UserId};
use mongodb::bson::doc;

use super::node::NodeDoc;
use super::{
    FilesDb, activity, blobs, children, names, path, purge, recount, reservations, returns, scrub, space,
    thumbnails, trash, tree, upload, usage,
};
use crate::engine::Fault;
use crate::value::ToOid as _;

#[async_trait]
impl FileStore for FilesDb {
    async fn ensure_space(
        &self,
        owner: UserId,
        fresh: (SpaceId, FileId),
        quota_bytes: Option<u64>,
        at: Timestamp,
    ) -> PortResult<Space> {
        space::ensure(self, owner, fresh, quota_bytes, at).await
    }

    async fn find_space(&self, id: SpaceId) -> PortResult<Option<Space>> {
        space::find(self, doc! { "_id": id.oid() }).await
    }

    async fn find_space_of(&self, owner: UserId) -> PortResult<Option<Space>> {
        space::find(self, doc! { "owner": owner.oid() }).await
    }

    async fn usage(&self, space: SpaceId) -> PortResult<Usage> {
        let found = space::find(self, doc! { "_id": space.oid() }).await?;
        Ok(found.ok_or(Fault::Damaged("there is no such space"))?.usage)
    }

    async fn usage_by_type(&self, space: SpaceId, at_most: u32) -> PortResult<UsageByType> {
        usage::by_type(self, space, at_most).await
    }

    async fn set_quota(&self, space: SpaceId, quota_bytes: Option<u64>) -> PortResult<()> {
        space::set_quota(self, space, quota_bytes).await
    }

    async fn end_space(&self, space: SpaceId, at: Timestamp) -> PortResult<()> {
        self.write(space.oid(), |mut tx| async move { Ok(space::end(self, &mut tx, space, at).await?) }).await
    }

    async fn find_path(&self, id: FileId) -> PortResult<Option<NodePath>> {
        path::find(self, id).await
    }

    async fn find_child(&self, parent: FileId, name: &NodeName) -> PortResult<Option<Node>> {
        let Some(space) = self.space_of(parent).await? else { return Ok(None) };
        self.read(async {
            let child = names::filter(space, parent, name.as_str());
            let child = async { Ok(self.nodes().find_one(child).await?) };
            // its folder may lie below a tombstone
            let (folder, child) = futures_util::try_join!(path::find_doc(self, parent), child)?;
            Ok(folder.and(child).map(NodeDoc::node).transpose()?)
        })
        .await
    }

    async fn list_children(&self, parent: FileId, query: &ListQuery) -> PortResult<Page<Node>> {
        children::list(self, parent, query).await
    }

    async fn list_children_by_id(&self, parent: FileId, offset: u64, limit: u32) -> PortResult<Vec<Node>> {
        children::list_by_id(self, parent, offset, limit).await
    }

    async fn list_trash(
        &self,
        space: SpaceId,
        after: Option<(Timestamp, FileId)>,
        limit: u32,
    ) -> PortResult<Page<Node>> {
        trash::list(self, space, after, limit).await
    }

    async fn create_folder(&self, folder: &NewFolder) -> Result<Node, NodeError> {
        let space = self.space_of(folder.parent).await?.ok_or(NodeError::ParentGone)?;
        let made =
            self.change(space, |mut tx| async move {
                tree::create_folder(self, &mut tx, space, folder, &[]).await
            })
            .await?;
        self.remember(&made);
        Ok(made)
    }

    async fn reserve(
        &self,
        space: SpaceId,
        id: ReservationId,
        bytes: u64,
        expires_at: Timestamp,
    ) -> Result<(), NodeError> {
        self.change(space, |mut tx| async move {
            reservations::reserve(self, &mut tx, space, id, &[], bytes, expires_at).await
        })
        .await
    }

    async fn prolong_reservation(&self, id: ReservationId, expires_at: Timestamp) -> PortResult<()> {
        reservations::prolong(self, id, expires_at).await
    }

    async fn release(&self, id: ReservationId) -> PortResult<()> {
        reservations::release(self, id).await
    }

    async fn sweep_reservations(&self, now: Timestamp) -> PortResult<u32> {
        reservations::sweep(self, now).await
    }

    async fn commit_upload(&self, commit: &Commit) -> Result<Committed, NodeError> {
        let space = match &commit.target {
            CommitTarget::New(file) => self.space_of(file.parent).await?.ok_or(NodeError::ParentGone)?,
            CommitTarget::Existing { id, .. } => self.space_of(*id).await?.ok_or(NodeError::NotFound)?,
        };
        let _ring = self.outbox.ring_for(&commit.jobs);
        let committed = self
            .change(space, |mut tx| async move { upload::commit(self, &mut tx, space, commit).await })
            .await?;
        self.remember(&committed.node);
        Ok(committed)
    }

    async fn relocate(
        &self,
        id: FileId,
        revision: Option<u64>,
        name: &NodeName,
        parent: FileId,
        at: Timestamp,
    ) -> Result<Node, NodeError> {
        let space = self.space_of(id).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move {
            tree::relocate(self, &mut tx, id, revision, name, parent, at).await
        })
        .await
    }

    async fn set_public(
        &self,
        id: FileId,
        public: bool,
        by: UserId,
        at: Timestamp,
    ) -> Result<Node, NodeError> {
        let space = self.space_of(id).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move { tree::set_public(self, &mut tx, id, public, by, at).await })
            .await
    }

    async fn trash(
        &self,
        id: FileId,
        revision: Option<u64>,
        by: UserId,
        at: Timestamp,
    ) -> Result<Node, NodeError> {
        let space = self.space_of(id).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move {
            let node = tree::trash(self, &mut tx, id, revision, by, at).await?;
            let event = FileEvent::of(&node, FileEventKind::Trashed, by.into(), at);
            activity::tell(self, &mut tx, &event).await?;
            Ok(node)
        })
        .await
    }

    async fn restore(&self, id: FileId, at: Timestamp) -> Result<Node, NodeError> {
        let space = self.space_of(id).await?.ok_or(NodeError::NotFound)?;
        let restored = self
            .change(space, |mut tx| async move {
                let node = tree::restore(self, &mut tx, id, at).await?;
                returns::take_along(self, &mut tx, node, None, at).await
            })
            .await?;
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
        let space = self.space_of(id).await?.ok_or(NodeError::NotFound)?;
        let _ring = self.outbox.ring_for(jobs);
        self.change(
            space,
            |mut tx| async move { tree::delete(self, &mut tx, id, revision, by, at, jobs).await },
        )
        .await
    }

    async fn purge(
        &self,
        tombstone: FileId,
        limit: u32,
        at: Timestamp,
        tombstone_until: Timestamp,
    ) -> PortResult<PurgeStep> {
        let Some(space) = self.space_of(tombstone).await? else {
            return Ok(PurgeStep { done: true, removed: 0, freed_bytes: 0 });
        };
        self.write(space.oid(), |mut tx| async move {
            Ok(purge::step(self, &mut tx, tombstone, limit, at, tombstone_until).await?)
        })
        .await
    }

    async fn list_tombstones(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>> {
        trash::tombstones(self, before, limit).await
    }

    async fn list_expired_trash(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>> {
        trash::expired(self, before, limit).await
    }

    async fn find_blob(&self, key: BlobKey) -> PortResult<Option<BlobInfo>> {
        blobs::find(self, key).await
    }

    async fn read_inline(&self, key: BlobKey) -> PortResult<Option<Bytes>> {
        blobs::read_inline(self, key).await
    }

    async fn read_inline_many(&self, keys: &[BlobKey]) -> PortResult<Vec<Option<Bytes>>> {
        blobs::read_inline_many(self, keys).await
    }

    async fn find_thumbnail(
        &self,
        original: BlobKey,
        size: ThumbnailSize,
    ) -> PortResult<Option<ThumbnailInfo>> {
        thumbnails::find(self, original, size).await
    }

    async fn keep_thumbnails(
        &self,
        original: BlobKey,
        media: Option<MediaFacts>,
        thumbnails: &[NewThumbnail],
        _at: Timestamp,
    ) -> PortResult<bool> {
        let media = media.as_ref();
        self.write(blobs::turn(original), |mut tx| async move {
            Ok(thumbnails::keep(self, &mut tx, original, media, thumbnails).await?)
        })
        .await
    }

    async fn keep_media(&self, original: BlobKey, media: &MediaFacts) -> PortResult<bool> {
        self.write(blobs::turn(original), |mut tx| async move {
            Ok(thumbnails::keep_media(self, &mut tx, original, media).await?)
        })
        .await
    }

    async fn fail_thumbnails(&self, original: BlobKey, reason: &str) -> PortResult<bool> {
        self.write(blobs::turn(original), |mut tx| async move {
            Ok(thumbnails::fail(self, &mut tx, original, reason).await?)
        })
        .await
    }

    async fn find_content_of_job(&self, file: FileId, blob: BlobKey) -> PortResult<Option<Content>> {
        let content = path::find(self, file).await?.and_then(|path| path.node.content);
        Ok(content.filter(|content| content.blob == blob))
    }

    async fn list_condemned(&self, before: Timestamp, limit: u32) -> PortResult<BlobPage> {
        blobs::list_condemned(self, before, limit).await
    }

    async fn collect_blob(
        &self,
        key: BlobKey,
        condemned_before: Timestamp,
        at: Timestamp,
    ) -> PortResult<CollectOutcome> {
        self.write(blobs::turn(key), |mut tx| async move {
            Ok(blobs::collect(self, &mut tx, key, condemned_before, at).await?)
        })
        .await
    }

    async fn known_blobs(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>> {
        blobs::known(self, keys).await
    }

    async fn list_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<BlobRecord>> {
        scrub::list(self, after, limit).await
    }

    async fn mark_damaged(&self, key: BlobKey, damaged_at: Option<Timestamp>) -> PortResult<bool> {
        scrub::mark(self, key, damaged_at).await
    }

    async fn files_of_blob(&self, key: BlobKey, limit: u32) -> PortResult<Vec<FileId>> {
        scrub::files(self, key, limit).await
    }

    async fn recount(&self, from: RecountPlace, at: Timestamp) -> PortResult<RecountStep> {
        recount::step(self, from, at).await
    }

    async fn count_nodes(&self) -> PortResult<u64> {
        space::count_nodes(self).await
    }

    async fn store_id(&self) -> PortResult<String> {
        self.engine.store_id().await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}
