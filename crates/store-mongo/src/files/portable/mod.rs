//! Files and what belongs to them, as a whole.

mod blobs;
mod history;
mod nodes;

use async_trait::async_trait;
use common::files::{CopyOperation, FileEvent, Operation, Share};
use common::jobs::NewJob;
use common::portable::{
    PortableBlob, PortableFiles, PortableFront, PortableLink, PortableNode, PortableNotice, PortablePart,
    PortableSpace, PortableStar, PortableThumbnail, PortableVersion,
};
use common::{BlobKey, FileId, JobId, LinkId, OperationId, PortResult, ShareId, SpaceId, Timestamp, UserId};
use mongodb::bson::{Binary, Bson, Document, doc};

use super::copying::CopyDoc;
use super::journal::OperationDoc;
use super::link_notices::NoticeDoc;
use super::links::{LinkDoc, NO_LIMIT};
use super::marks::{StarDoc, StarKey};
use super::shares::{ShareDoc, fields_of};
use super::space::SpaceDoc;
use super::{FilesDb, schema};
use crate::engine::Fault;
use crate::portable::{IMPORT, behind_pair, keep, outbox, page, page_of};
use crate::value::{ToOid as _, binary, count, id, int, key};

fn space(doc: SpaceDoc) -> Result<PortableSpace, Fault> {
    Ok(PortableSpace {
        id: id(doc.id),
        owner: id(doc.owner),
        root: id(doc.root),
        tree_version: count(doc.tree_version)?,
        used_bytes: count(doc.used_bytes)?,
        quota_bytes: doc.quota_bytes.map(count).transpose()?,
        node_count: count(doc.node_count)?,
        trash_count: count(doc.trash_count)?,
        depth_bound: count(doc.depth_bound)?,
        events: count(doc.events)?,
    })
}

fn space_doc(space: &PortableSpace) -> SpaceDoc {
    SpaceDoc {
        id: space.id.oid(),
        owner: space.owner.oid(),
        root: space.root.oid(),
        tree_version: int(space.tree_version),
        used_bytes: int(space.used_bytes),
        reserved_bytes: 0,
        quota_bytes: space.quota_bytes.map(int),
        node_count: int(space.node_count),
        trash_count: int(space.trash_count),
        depth_bound: int(space.depth_bound),
        changes: 0,
        events: int(space.events),
    }
}

fn share_doc(share: &Share) -> ShareDoc {
    let (to_group, grantee) = fields_of(share.grantee);
    ShareDoc {
        id: share.id.oid(),
        node: share.node.oid(),
        space: share.space.oid(),
        to_group,
        grantee,
        role: share.role.word().to_owned(),
        by: share.by.oid(),
        at: share.at.millis(),
    }
}

fn link(doc: LinkDoc) -> Result<PortableLink, Fault> {
    let notice = &doc.notice;
    let notice = PortableNotice {
        new_downloads: count(notice.new_downloads)?,
        new_drops: count(notice.new_drops)?,
        new_file: notice.new_file.map(id),
        told_downloads: count(notice.told_downloads)?,
        told_drops: count(notice.told_drops)?,
        job: notice.notice_job.map(id),
        due: notice.notice_due.map(Timestamp::from_millis),
        noticed_at: notice.noticed_at.map(Timestamp::from_millis),
    };
    Ok(PortableLink { link: doc.read()?, notice })
}

fn link_doc(PortableLink { link, notice }: &PortableLink) -> LinkDoc {
    LinkDoc {
        token: binary(link.token.bytes()),
        id: link.id.oid(),
        node: link.node.oid(),
        space: link.space.oid(),
        owner: link.owner.oid(),
        role: link.role.word().to_owned(),
        label: link.label.clone(),
        password_hash: link.password_hash.clone(),
        expires_at: link.expires_at.map(Timestamp::millis),
        max_downloads: link.max_downloads.map_or(NO_LIMIT, int),
        downloads: int(link.downloads),
        opens: int(link.opens),
        last_used_at: link.last_used_at.map(Timestamp::millis),
        by: link.by.oid(),
        at: link.at.millis(),
        notify: link.notify,
        notice: NoticeDoc {
            new_downloads: int(notice.new_downloads),
            new_drops: int(notice.new_drops),
            new_file: notice.new_file.map(|file| file.oid()),
            told_downloads: int(notice.told_downloads),
            told_drops: int(notice.told_drops),
            notice_job: notice.job.map(|job| job.oid()),
            notice_due: notice.due.map(Timestamp::millis),
            noticed_at: notice.noticed_at.map(Timestamp::millis),
        },
    }
}

impl FilesDb {
    async fn page_as<D, T>(
        &self,
        collection: &str,
        field: &str,
        after: Option<impl Into<Bson> + Send>,
        limit: u32,
        read: impl Fn(D) -> Result<T, Fault> + Send,
    ) -> PortResult<Vec<T>>
    where
        D: serde::de::DeserializeOwned + Send + Sync + Unpin,
        T: Send,
    {
        self.engine
            .run(async {
                let found: Vec<D> = page(&self.engine, collection, field, after, limit).await?;
                found.into_iter().map(read).collect()
            })
            .await
    }
}

#[async_trait]
impl PortableFiles for FilesDb {
    async fn import_mark(&self) -> PortResult<Option<String>> {
        self.engine
            .run(async {
                let meta = self.engine.collection::<Document>("meta");
                let found = meta.find_one(doc! { "_id": IMPORT }).await?;
                Ok(found.and_then(|mark| mark.get_str("mark").map(str::to_owned).ok()))
            })
            .await
    }

    async fn set_import_mark(&self, mark: Option<&str>) -> PortResult<()> {
        self.engine
            .run(async {
                let meta = self.engine.collection::<Document>("meta");
                match mark {
                    Some(mark) => {
                        let set = doc! { "$set": { "mark": mark } };
                        meta.update_one(doc! { "_id": IMPORT }, set).upsert(true).await?;
                    }
                    None => {
                        meta.delete_one(doc! { "_id": IMPORT }).await?;
                    }
                }
                Ok(())
            })
            .await
    }

    async fn page_spaces(&self, after: Option<SpaceId>, limit: u32) -> PortResult<Vec<PortableSpace>> {
        self.page_as(schema::SPACES, "_id", after.map(|id| id.oid()), limit, space).await
    }

    async fn keep_spaces(&self, spaces: &[PortableSpace]) -> PortResult<()> {
        let docs = spaces.iter().map(space_doc).collect();
        self.engine.run(keep::<SpaceDoc>(&self.engine, schema::SPACES, docs)).await
    }

    async fn page_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<PortableBlob>> {
        self.page_as(schema::BLOBS, "_id", after.map(key), limit, blobs::read).await
    }

    async fn keep_blobs(&self, blobs: &[PortableBlob]) -> PortResult<()> {
        let docs = blobs.iter().map(blobs::document).collect();
        self.engine.run(keep::<Document>(&self.engine, schema::BLOBS, docs)).await
    }

    async fn page_thumbnails(
        &self,
        after: Option<(BlobKey, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortableThumbnail>> {
        self.engine.run(blobs::page_thumbnails(self, after, limit)).await
    }

    async fn keep_thumbnails(&self, thumbnails: &[PortableThumbnail]) -> PortResult<()> {
        self.engine.run(blobs::keep_thumbnails(self, thumbnails)).await
    }

    async fn page_nodes(&self, after: Option<FileId>, limit: u32) -> PortResult<Vec<PortableNode>> {
        self.page_as(schema::NODES, "_id", after.map(|id| id.oid()), limit, nodes::read).await
    }

    async fn keep_nodes(&self, nodes: &[PortableNode]) -> PortResult<()> {
        self.engine.run(nodes::keep_all(self, nodes)).await
    }

    async fn page_versions(
        &self,
        after: Option<(FileId, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortableVersion>> {
        self.engine.run(nodes::page_versions(self, after, limit)).await
    }

    async fn keep_versions(&self, versions: &[PortableVersion]) -> PortResult<()> {
        self.engine.run(nodes::keep_versions(self, versions)).await
    }

    async fn page_shares(&self, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>> {
        self.page_as(schema::SHARES, "_id", after.map(|id| id.oid()), limit, ShareDoc::read).await
    }

    async fn keep_shares(&self, shares: &[Share]) -> PortResult<()> {
        let docs = shares.iter().map(share_doc).collect();
        self.engine.run(keep::<ShareDoc>(&self.engine, schema::SHARES, docs)).await
    }

    async fn page_links(&self, after: Option<LinkId>, limit: u32) -> PortResult<Vec<PortableLink>> {
        self.page_as(schema::LINKS, "id", after.map(|id| id.oid()), limit, link).await
    }

    async fn keep_links(&self, links: &[PortableLink]) -> PortResult<()> {
        let docs = links.iter().map(link_doc).collect();
        self.engine.run(keep::<LinkDoc>(&self.engine, schema::LINKS, docs)).await
    }

    async fn page_stars(&self, after: Option<(UserId, FileId)>, limit: u32) -> PortResult<Vec<PortableStar>> {
        let behind = after.map_or_else(Document::new, |(user, node)| {
            behind_pair(("node", node.oid()), ("user", user.oid()))
        });
        self.engine
            .run(async {
                let order = doc! { "node": 1, "user": 1 };
                let found: Vec<StarDoc> = page_of(&self.engine, schema::STARS, behind, order, limit).await?;
                let read = |star: StarDoc| PortableStar {
                    user: id(star.user),
                    node: id(star.node),
                    at: Timestamp::from_millis(star.at),
                };
                Ok(found.into_iter().map(read).collect())
            })
            .await
    }

    async fn keep_stars(&self, stars: &[PortableStar]) -> PortResult<()> {
        let docs = stars.iter().map(|star| StarDoc {
            key: StarKey { user: star.user.oid(), node: star.node.oid() },
            user: star.user.oid(),
            node: star.node.oid(),
            at: star.at.millis(),
        });
        let docs = docs.collect();
        self.engine.run(keep::<StarDoc>(&self.engine, schema::STARS, docs)).await
    }

    async fn page_events(&self, after: Option<(SpaceId, u64)>, limit: u32) -> PortResult<Vec<FileEvent>> {
        self.engine.run(history::page_events(self, after, limit)).await
    }

    async fn keep_events(&self, events: &[FileEvent]) -> PortResult<()> {
        self.engine.run(history::keep_events(self, events)).await
    }

    async fn page_operations(&self, after: Option<OperationId>, limit: u32) -> PortResult<Vec<Operation>> {
        let after = after.map(|id| id.oid());
        self.page_as(schema::OPERATIONS, "_id", after, limit, OperationDoc::read).await
    }

    async fn keep_operations(&self, operations: &[Operation]) -> PortResult<()> {
        let docs = operations.iter().map(OperationDoc::of).collect();
        self.engine.run(keep::<OperationDoc>(&self.engine, schema::OPERATIONS, docs)).await
    }

    async fn page_parts(
        &self,
        after: Option<(OperationId, u32)>,
        limit: u32,
    ) -> PortResult<Vec<PortablePart>> {
        self.engine.run(history::page_parts(self, after, limit)).await
    }

    async fn keep_parts(&self, parts: &[PortablePart]) -> PortResult<()> {
        self.engine.run(history::keep_parts(self, parts)).await
    }

    async fn page_copies(&self, after: Option<OperationId>, limit: u32) -> PortResult<Vec<CopyOperation>> {
        self.page_as(schema::COPIES, "_id", after.map(|id| id.oid()), limit, CopyDoc::read).await
    }

    async fn keep_copies(&self, copies: &[CopyOperation]) -> PortResult<()> {
        self.engine.run(history::keep_copies(self, copies)).await
    }

    async fn page_fronts(
        &self,
        after: Option<(OperationId, FileId)>,
        limit: u32,
    ) -> PortResult<Vec<PortableFront>> {
        self.engine.run(history::page_fronts(self, after, limit)).await
    }

    async fn keep_fronts(&self, fronts: &[PortableFront]) -> PortResult<()> {
        self.engine.run(history::keep_fronts(self, fronts)).await
    }

    async fn page_outbox(&self, after: Option<JobId>, limit: u32) -> PortResult<Vec<NewJob>> {
        outbox(&self.engine, schema::OUTBOX, after, limit).await
    }
}

/// Contents by their keys, as these are needed beside what names them.
async fn known<T>(db: &FilesDb, keys: Vec<Binary>) -> Result<Vec<T>, Fault>
where
    T: serde::de::DeserializeOwned + Send + Sync + Unpin,
{
    let blobs = db.collection::<T>(schema::BLOBS);
    let found = blobs.find(doc! { "_id": { "$in": keys } }).projection(doc! { "bytes": 0 }).await?;
    Ok(futures_util::TryStreamExt::try_collect(found).await?)
}
