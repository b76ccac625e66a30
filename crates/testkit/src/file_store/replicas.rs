use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::files::search::{Found, IndexStep, IndexedText, SearchQuery, SearchStore};
use common::files::{
    AccessOf, Act, Acted, ActivityOf, ActivityStore, BlobInfo, BlobPage, BlobRecord, CollectOutcome, Commit,
    Committed, Content, CopyFront, CopyItem, CopyOperation, CopyState, CopyStore, Dated, FileEvent,
    FileEventPage, FileStore, Grant, JournalStore, KeepVersions, Link, LinkChange, LinkNotice, LinkStore,
    LinkToken, LinkUse, ListQuery, MarkStore, MediaFacts, NewCopy, NewFolder, NewLink, NewShare,
    NewThumbnail, Node, NodeError, NodeName, NodePath, Note, Operation, Page, Part, PruneStep, PurgeStep,
    RecountPlace, RecountStep, Share, ShareRole, ShareStore, SharesOf, Space, Tag, TagCount, TakeDownload,
    ThumbnailInfo, ThumbnailSize, Usage, UsageByType, Version, VersionStore,
};
use common::jobs::{NewJob, Outbox, OutboxRow};
use common::{
    BlobKey, FileId, JobId, LinkId, OperationId, PortResult, ReservationId, ShareId, SpaceId, Timestamp,
    UserId,
};

/// One store through several adapters that know nothing of one another, as processes have them: each call goes to the next one. So what a check does
/// at the same time meets in the store itself, and what it does in turn is seen by an adapter that did not do it.
pub struct Replicas<S> {
    adapters: Vec<Arc<S>>,
    calls: AtomicUsize,
}

impl<S> Replicas<S> {
    /// Calls go round these, of which there is at least one.
    pub fn new(adapters: Vec<Arc<S>>) -> Self {
        assert!(!adapters.is_empty());
        Self { adapters, calls: AtomicUsize::new(0) }
    }

    fn next(&self) -> &S {
        &self.adapters[self.calls.fetch_add(1, Ordering::Relaxed) % self.adapters.len()]
    }
}

macro_rules! forward {
    ($port:ident: $(async fn $name:ident(&self $(, $argument:ident: $type:ty)* $(,)?) -> $result:ty;)*) => {
        #[async_trait]
        impl<S: $port> $port for Replicas<S> {
            $(async fn $name(&self, $($argument: $type),*) -> $result {
                self.next().$name($($argument),*).await
            })*
        }
    };
}

forward! { FileStore:
    async fn ensure_space(&self, owner: UserId, fresh: (SpaceId, FileId), quota: Option<u64>, at: Timestamp) -> PortResult<Space>;
    async fn find_space(&self, id: SpaceId) -> PortResult<Option<Space>>;
    async fn find_space_of(&self, owner: UserId) -> PortResult<Option<Space>>;
    async fn usage(&self, space: SpaceId) -> PortResult<Usage>;
    async fn usage_by_type(&self, space: SpaceId, at_most: u32) -> PortResult<UsageByType>;
    async fn set_quota(&self, space: SpaceId, quota: Option<u64>) -> PortResult<()>;
    async fn end_space(&self, space: SpaceId, at: Timestamp) -> PortResult<()>;
    async fn find_path(&self, id: FileId) -> PortResult<Option<NodePath>>;
    async fn find_child(&self, parent: FileId, name: &NodeName) -> PortResult<Option<Node>>;
    async fn list_children(&self, parent: FileId, query: &ListQuery) -> PortResult<Page<Node>>;
    async fn list_children_by_id(&self, parent: FileId, offset: u64, limit: u32) -> PortResult<Vec<Node>>;
    async fn list_trash(&self, space: SpaceId, after: Option<(Timestamp, FileId)>, limit: u32) -> PortResult<Page<Node>>;
    async fn create_folder(&self, folder: &NewFolder) -> Result<Node, NodeError>;
    async fn reserve(&self, space: SpaceId, id: ReservationId, bytes: u64, until: Timestamp) -> Result<(), NodeError>;
    async fn prolong_reservation(&self, id: ReservationId, until: Timestamp) -> PortResult<()>;
    async fn release(&self, id: ReservationId) -> PortResult<()>;
    async fn sweep_reservations(&self, now: Timestamp) -> PortResult<u32>;
    async fn commit_upload(&self, commit: &Commit) -> Result<Committed, NodeError>;
    async fn relocate(&self, id: FileId, revision: Option<u64>, name: &NodeName, parent: FileId, at: Timestamp) -> Result<Node, NodeError>;
    async fn set_public(&self, id: FileId, public: bool, by: UserId, at: Timestamp) -> Result<Node, NodeError>;
    async fn trash(&self, id: FileId, revision: Option<u64>, by: UserId, at: Timestamp) -> Result<Node, NodeError>;
    async fn restore(&self, id: FileId, at: Timestamp) -> Result<Node, NodeError>;
    async fn delete(&self, id: FileId, revision: Option<u64>, by: Option<UserId>, at: Timestamp, jobs: &[NewJob]) -> Result<(), NodeError>;
    async fn purge(&self, tombstone: FileId, limit: u32, at: Timestamp, until: Timestamp) -> PortResult<PurgeStep>;
    async fn list_tombstones(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>>;
    async fn list_expired_trash(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>>;
    async fn find_blob(&self, key: BlobKey) -> PortResult<Option<BlobInfo>>;
    async fn read_inline(&self, key: BlobKey) -> PortResult<Option<Bytes>>;
    async fn read_inline_many(&self, keys: &[BlobKey]) -> PortResult<Vec<Option<Bytes>>>;
    async fn find_thumbnail(&self, original: BlobKey, size: ThumbnailSize) -> PortResult<Option<ThumbnailInfo>>;
    async fn keep_thumbnails(&self, original: BlobKey, media: Option<MediaFacts>, thumbnails: &[NewThumbnail], at: Timestamp) -> PortResult<bool>;
    async fn keep_media(&self, original: BlobKey, media: &MediaFacts) -> PortResult<bool>;
    async fn fail_thumbnails(&self, original: BlobKey, reason: &str) -> PortResult<bool>;
    async fn find_content_of_job(&self, file: FileId, blob: BlobKey) -> PortResult<Option<Content>>;
    async fn list_condemned(&self, before: Timestamp, limit: u32) -> PortResult<BlobPage>;
    async fn collect_blob(&self, key: BlobKey, condemned_before: Timestamp, at: Timestamp) -> PortResult<CollectOutcome>;
    async fn known_blobs(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>>;
    async fn list_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<BlobRecord>>;
    async fn mark_damaged(&self, key: BlobKey, damaged_at: Option<Timestamp>) -> PortResult<bool>;
    async fn files_of_blob(&self, key: BlobKey, limit: u32) -> PortResult<Vec<FileId>>;
    async fn recount(&self, from: RecountPlace, at: Timestamp) -> PortResult<RecountStep>;
    async fn count_nodes(&self) -> PortResult<u64>;
    async fn store_id(&self) -> PortResult<String>;
    async fn ping(&self) -> PortResult<()>;
}

forward! { ShareStore:
    async fn put_share(&self, share: &NewShare) -> Result<(Share, bool), NodeError>;
    async fn find_share(&self, id: ShareId) -> PortResult<Option<Share>>;
    async fn set_share_role(&self, id: ShareId, role: ShareRole) -> PortResult<Option<Share>>;
    async fn remove_share(&self, id: ShareId, by: Option<UserId>, at: Timestamp) -> PortResult<bool>;
    async fn find_grants(&self, space: SpaceId, nodes: &[FileId], user: UserId) -> PortResult<Vec<Grant>>;
    async fn list_shares(&self, of: &SharesOf, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>>;
    async fn count_shares(&self, of: &SharesOf) -> PortResult<u64>;
}

forward! { LinkStore:
    async fn create_link(&self, link: &NewLink) -> Result<Link, NodeError>;
    async fn find_link(&self, id: LinkId) -> PortResult<Option<Link>>;
    async fn find_link_by_token(&self, token: LinkToken) -> PortResult<Option<Link>>;
    async fn change_link(&self, id: LinkId, change: &LinkChange) -> PortResult<Option<Link>>;
    async fn remove_link(&self, id: LinkId, by: Option<UserId>, at: Timestamp) -> PortResult<bool>;
    async fn count_open(&self, id: LinkId, at: Timestamp) -> PortResult<()>;
    async fn note_drop(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<()>;
    async fn take_download(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<TakeDownload>;
    async fn open_notice(&self, id: LinkId, job: JobId) -> PortResult<Option<LinkNotice>>;
    async fn close_notice(&self, id: LinkId, job: JobId, next: &NewJob, at: Timestamp) -> PortResult<()>;
    async fn list_links(&self, of: &AccessOf, after: Option<LinkId>, limit: u32) -> PortResult<Vec<Link>>;
    async fn count_links(&self, of: &AccessOf) -> PortResult<u64>;
    async fn list_public(&self, space: SpaceId, after: Option<FileId>, limit: u32) -> PortResult<Vec<Node>>;
    async fn count_public(&self, space: SpaceId) -> PortResult<u64>;
}

forward! { MarkStore:
    async fn set_tags(&self, id: FileId, revision: Option<u64>, tags: &[Tag]) -> Result<Node, NodeError>;
    async fn set_star(&self, id: FileId, user: UserId, starred_at: Option<Timestamp>) -> Result<(), NodeError>;
    async fn starred_of(&self, user: UserId, nodes: &[FileId]) -> PortResult<Vec<FileId>>;
    async fn list_starred(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>>;
    async fn count_starred(&self, user: UserId) -> PortResult<u64>;
    async fn list_tagged(&self, space: SpaceId, tag: &Tag, after: Option<FileId>, limit: u32) -> PortResult<Vec<FileId>>;
    async fn count_tagged(&self, space: SpaceId, tag: &Tag) -> PortResult<u64>;
    async fn list_tags(&self, space: SpaceId, limit: u32) -> PortResult<Vec<TagCount>>;
    async fn list_recent(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>>;
}

forward! { VersionStore:
    async fn list_versions(&self, file: FileId, before: Option<u32>, limit: u32) -> PortResult<Vec<Version>>;
    async fn find_version(&self, file: FileId, number: u32) -> PortResult<Option<Version>>;
    async fn delete_version(&self, file: FileId, number: u32, at: Timestamp) -> Result<bool, NodeError>;
    async fn prune_versions(&self, after: Option<FileId>, keep: KeepVersions, limit: u32, at: Timestamp) -> PortResult<PruneStep>;
}

forward! { CopyStore:
    async fn begin_copy(&self, copy: &NewCopy) -> Result<Node, NodeError>;
    async fn is_larger_than(&self, folder: FileId, entries: u64) -> PortResult<bool>;
    async fn find_copy(&self, id: OperationId) -> PortResult<Option<CopyOperation>>;
    async fn copy_front(&self, id: OperationId) -> PortResult<Option<CopyFront>>;
    async fn list_to_copy(&self, copy: &CopyOperation, front: &CopyFront, limit: u32) -> PortResult<Vec<Node>>;
    async fn copy_page(&self, id: OperationId, front: &CopyFront, items: &[CopyItem], more: bool, at: Timestamp) -> Result<bool, NodeError>;
    async fn end_copy(&self, id: OperationId, state: CopyState, at: Timestamp) -> PortResult<bool>;
    async fn list_copies(&self, user: UserId, within: Option<FileId>, before: Option<OperationId>, limit: u32) -> PortResult<Vec<CopyOperation>>;
    async fn sweep_copies(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}

forward! { JournalStore:
    async fn act(&self, node: FileId, revision: Option<u64>, act: &Act, note: &Note) -> Result<Acted, NodeError>;
    async fn find_operation(&self, id: OperationId) -> PortResult<Option<Operation>>;
    async fn list_parts(&self, id: OperationId) -> PortResult<Vec<Part>>;
    async fn list_operations(&self, user: UserId, within: Option<FileId>, before: Option<OperationId>, limit: u32) -> PortResult<Vec<Operation>>;
    async fn sweep_operations(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
    async fn forget_operations(&self, user: UserId, limit: u32) -> PortResult<u32>;
}

forward! { ActivityStore:
    async fn last_events(&self, spaces: &[SpaceId]) -> PortResult<Vec<u64>>;
    async fn events_after(&self, space: SpaceId, after: u64, limit: u32) -> PortResult<FileEventPage>;
    async fn list_activity(&self, of: ActivityOf, before: Option<u64>, limit: u32) -> PortResult<Vec<FileEvent>>;
    async fn sweep_activity(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
    async fn forget_activity(&self, space: SpaceId, limit: u32) -> PortResult<u32>;
}

forward! { SearchStore:
    async fn search(&self, query: &SearchQuery) -> PortResult<Found>;
    async fn keep_text(&self, blob: BlobKey, text: &IndexedText) -> PortResult<bool>;
    async fn find_text(&self, space: SpaceId, blob: BlobKey) -> PortResult<Option<String>>;
    async fn index(&self, after: Option<FileId>, limit: u32) -> PortResult<IndexStep>;
    async fn order_texts(&self, jobs: &[NewJob]) -> PortResult<()>;
}

#[async_trait]
impl<S: Outbox> Outbox for Replicas<S> {
    async fn lease_unsent(&self, limit: u32, lease: Duration, now: Timestamp) -> PortResult<Vec<OutboxRow>> {
        self.next().lease_unsent(limit, lease, now).await
    }

    async fn mark_sent(&self, ids: &[JobId], at: Timestamp) -> PortResult<()> {
        self.next().mark_sent(ids, at).await
    }

    async fn list_sent(&self, before: Timestamp, limit: u32) -> PortResult<Vec<JobId>> {
        self.next().list_sent(before, limit).await
    }

    async fn settle(&self, ids: &[JobId]) -> PortResult<()> {
        self.next().settle(ids).await
    }

    async fn unsend(&self, ids: &[JobId]) -> PortResult<()> {
        self.next().unsend(ids).await
    }

    async fn depth(&self) -> PortResult<u64> {
        self.next().depth().await
    }

    async fn wait(&self) {
        futures_util::future::select_all(self.adapters.iter().map(|adapter| adapter.wait())).await;
    }
}
