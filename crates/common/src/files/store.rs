use async_trait::async_trait;
use bytes::Bytes;

use super::{
    BlobInfo, BlobRecord, Commit, Committed, Content, ListQuery, MediaFacts, NewFolder, NewThumbnail, Node,
    NodeName, NodePath, Page, RecountPlace, RecountStep, Space, ThumbnailInfo, ThumbnailSize, Usage,
    UsageByType,
};
use crate::error::{PortError, PortResult};
use crate::jobs::NewJob;
use crate::{BlobKey, FileId, ReservationId, SpaceId, Timestamp, UserId};

/// Why a change of the tree was not made. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The node is gone (or was never there).
    #[error("the node is gone")]
    NotFound,
    /// The folder that it should go into is gone, deleted or in the trash.
    #[error("the parent is gone")]
    ParentGone,
    /// What it should go into is a file.
    #[error("the parent is not a folder")]
    ParentNotFolder,
    /// A live node of that folder has the name.
    #[error("the name is taken")]
    NameTaken {
        /// Which one.
        existing: FileId,
    },
    /// The node has changed since the revision that the caller saw.
    #[error("the node has changed")]
    Changed,
    /// A folder would come to lie inside itself, or another move got in between.
    #[error("the move would make a cycle")]
    Cycle,
    /// Something would lie deeper than [`super::MAX_DEPTH`].
    #[error("too deep")]
    TooDeep,
    /// A root cannot be renamed, moved, trashed or deleted.
    #[error("a root is fixed")]
    Root,
    /// The node is not in the trash by itself.
    #[error("not in the trash")]
    NotTrashed,
    /// The node is not a file.
    #[error("not a file")]
    NotAFile,
    /// The content that was to be shared is gone.
    #[error("the content is gone")]
    ContentGone,
    /// The space has no room for it.
    #[error("over quota")]
    OverQuota,
    /// The store could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How far a purge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeStep {
    /// Nothing is left below the tombstone (or it is gone).
    pub done: bool,
    /// Rows removed by this step.
    pub removed: u32,
    /// Bytes given back to the space by this step.
    pub freed_bytes: u64,
}

/// Condemned blobs that may be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobPage {
    /// Their keys and whether their bytes are inline.
    pub blobs: Vec<BlobInfo>,
    /// More follow.
    pub more: bool,
}

/// What became of a blob that was to be collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectOutcome {
    /// Its row is gone; the caller may delete its bytes.
    Removed,
    /// It has references (again), or is unknown: leave the bytes alone.
    Kept,
}

/// Nodes, versions, blobs' rows, usage. Every change is one atomic commit, durable when the call returns, without effect when it fails.
///
/// Names are unique among the live nodes of a folder; trashing, restoring, moving and deleting keep each folder's `child_count`, the
/// space's [`Usage`] and the blobs' reference counts exact in the same commit. A node below a tombstone does not exist for any call.
/// Permission is not looked at here: `app` asks [`super::decide`] first. The outbox over the same commits is [`crate::jobs::Outbox`].
#[async_trait]
pub trait FileStore: Send + Sync {
    /// The space of a user, made with its root folder and this quota on first use (of simultaneous first uses all get the same). The quota of one
    /// that is there already stays.
    async fn ensure_space(
        &self,
        owner: UserId,
        fresh: (SpaceId, FileId),
        quota_bytes: Option<u64>,
        at: Timestamp,
    ) -> PortResult<Space>;

    /// The space with this id.
    async fn find_space(&self, id: SpaceId) -> PortResult<Option<Space>>;

    /// The space of a user, if they ever used it. Nothing is made.
    async fn find_space_of(&self, owner: UserId) -> PortResult<Option<Space>>;

    /// The usage of a space, from its row.
    async fn usage(&self, space: SpaceId) -> PortResult<Usage>;

    /// What a space holds by type, as it was at one moment. Counted, not kept: of a space with more than `at_most` files and folders about so many are
    /// looked at, and it is not complete; nor is it where counting takes longer than a store gives it: what was counted until then is the answer, or it fails. What lies
    /// below tombstones is left out, so that the parts may be less than [`Usage::used_bytes`] until the purge has been there. Nothing is in a space that is not
    /// there.
    async fn usage_by_type(&self, space: SpaceId, at_most: u32) -> PortResult<UsageByType>;

    /// Sets or lifts the limit of a space. Does not touch what is stored.
    async fn set_quota(&self, space: SpaceId, quota_bytes: Option<u64>) -> PortResult<()>;

    /// Puts a tombstone on the root of a space, for an account that is gone: nothing that is in it is there for any call from now on, and nothing enters it any
    /// more. [`FileStore::purge`] of the root removes what is below; when that removes the root itself, the space goes with it, and what was set aside in
    /// it. Safe to repeat; without effect where there is no such space.
    async fn end_space(&self, space: SpaceId, at: Timestamp) -> PortResult<()>;

    /// A node with its ancestors, trashed or not; none if it, or anything above it, is deleted. One query.
    async fn find_path(&self, id: FileId) -> PortResult<Option<NodePath>>;

    /// The live child with this name.
    async fn find_child(&self, parent: FileId, name: &NodeName) -> PortResult<Option<Node>>;

    /// A page of the live children of a folder. `total` counts what the query's `kind` lets in.
    async fn list_children(&self, parent: FileId, query: &ListQuery) -> PortResult<Page<Node>>;

    /// Live children of a folder by id, newest first, `limit` of them after leaving out `offset`: the classic list.
    async fn list_children_by_id(&self, parent: FileId, offset: u64, limit: u32) -> PortResult<Vec<Node>>;

    /// A page of what is in the trash by itself, newest first by (time, id); `after` is the last item of the page before. `total` is exact where the first page
    /// has all of it; else it counts what was trashed below a tombstone, too, until that is purged.
    async fn list_trash(
        &self,
        space: SpaceId,
        after: Option<(Timestamp, FileId)>,
        limit: u32,
    ) -> PortResult<Page<Node>>;

    /// Makes a folder.
    ///
    /// # Errors
    /// `NameTaken`, `ParentGone`, `ParentNotFolder`, `TooDeep`.
    async fn create_folder(&self, folder: &NewFolder) -> Result<Node, NodeError>;

    /// Sets `bytes` aside for an upload until `expires_at`; called again with the same id it changes the amount.
    ///
    /// # Errors
    /// `OverQuota` if used and reserved bytes would exceed the quota: of simultaneous calls only so many succeed as fit.
    async fn reserve(
        &self,
        space: SpaceId,
        id: ReservationId,
        bytes: u64,
        expires_at: Timestamp,
    ) -> Result<(), NodeError>;

    /// Lets a reservation last until `expires_at`, unless it lasts longer already. What it holds stays; without effect where there is none. Safe to repeat.
    async fn prolong_reservation(&self, id: ReservationId, expires_at: Timestamp) -> PortResult<()>;

    /// Gives a reservation back. Safe to repeat.
    async fn release(&self, id: ReservationId) -> PortResult<()>;

    /// Gives back what expired before `now`; how many. Safe to repeat.
    async fn sweep_reservations(&self, now: Timestamp) -> PortResult<u32>;

    /// Ends an upload. Group commit: waiting callers share one sync.
    ///
    /// # Errors
    /// `NameTaken`, `ParentGone`, `ParentNotFolder`, `TooDeep`, `OverQuota`; for an existing file `NotFound`, `NotAFile`, `Changed`; `ContentGone` for a
    /// content that was to be shared and is not live any more.
    async fn commit_upload(&self, commit: &Commit) -> Result<Committed, NodeError>;

    /// Renames a live node and/or moves it into another folder of its space. Clears `classic_name`. With `revision`, only if the node still has it.
    /// A rename to the same name and place changes nothing and succeeds.
    ///
    /// # Errors
    /// `NotFound`, `Changed`, `NameTaken`, `ParentGone`, `ParentNotFolder`, `Cycle`, `TooDeep`, `Root`.
    async fn relocate(
        &self,
        id: FileId,
        revision: Option<u64>,
        name: &NodeName,
        parent: FileId,
        at: Timestamp,
    ) -> Result<Node, NodeError>;

    /// Opens a live node to everybody, or closes it, in the name of `by`. Repeating changes nothing.
    ///
    /// # Errors
    /// `NotFound`.
    async fn set_public(
        &self,
        id: FileId,
        public: bool,
        by: UserId,
        at: Timestamp,
    ) -> Result<Node, NodeError>;

    /// Puts a live node into the trash. One row changes, whatever is below.
    ///
    /// # Errors
    /// `NotFound` (also when it is in the trash already), `Root`, `Changed`.
    async fn trash(
        &self,
        id: FileId,
        revision: Option<u64>,
        by: UserId,
        at: Timestamp,
    ) -> Result<Node, NodeError>;

    /// Brings a node back: into its old folder, or, while that is in the trash, by itself or because of a folder above it, into the nearest folder above it
    /// that is not; under its name or the next free one. Elsewhere the names of what was trashed there are not free either.
    ///
    /// What was put elsewhere that way returns to its old folder, as a move does (under the name that it had, or the next free one), in the commit of the
    /// restore by which that is there again; if it was renamed since, under its new name. It does not if it was moved or trashed since, nor if its old folder
    /// lies in itself by now, or too deep for it. Beyond [`super::RETURNING_AT_ONCE`] they return in further commits before the answer; what these do
    /// not reach, as the process ends or the store fails, stays where it is.
    ///
    /// # Errors
    /// `NotFound`, `NotTrashed`.
    async fn restore(&self, id: FileId, at: Timestamp) -> Result<Node, NodeError>;

    /// Puts a tombstone on a node, trashed or not: it and all below it are gone for every call from now on. `jobs` go into the outbox. `by` is who deletes
    /// it; none where its time is over.
    ///
    /// # Errors
    /// `NotFound`, `Root`, `Changed`.
    async fn delete(
        &self,
        id: FileId,
        revision: Option<u64>,
        by: Option<UserId>,
        at: Timestamp,
        jobs: &[NewJob],
    ) -> Result<(), NodeError>;

    /// Removes up to `limit` rows below a tombstone, deepest first, gives back usage and references, and removes the tombstone itself when
    /// nothing is below it and it is older than `tombstone_until`. Safe to repeat and to run twice at once.
    async fn purge(
        &self,
        tombstone: FileId,
        limit: u32,
        at: Timestamp,
        tombstone_until: Timestamp,
    ) -> PortResult<PurgeStep>;

    /// Tombstones that are older than `before`, for their last walk.
    async fn list_tombstones(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>>;

    /// Nodes that were trashed before `before`, for the expiry of the trash.
    async fn list_expired_trash(&self, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>>;

    /// What is known of a blob that is live.
    async fn find_blob(&self, key: BlobKey) -> PortResult<Option<BlobInfo>>;

    /// The bytes of an inline blob.
    async fn read_inline(&self, key: BlobKey) -> PortResult<Option<Bytes>>;

    /// The bytes of many inline blobs by one question: for each key, in their order, what [`FileStore::read_inline`] gives for it. A key may be given
    /// more than once. At most 1,000 keys; who asks knows how many bytes that can be.
    ///
    /// # Errors
    /// If any of them cannot be read, none is given.
    async fn read_inline_many(&self, keys: &[BlobKey]) -> PortResult<Vec<Option<Bytes>>>;

    /// A thumbnail of a blob.
    async fn find_thumbnail(
        &self,
        original: BlobKey,
        size: ThumbnailSize,
    ) -> PortResult<Option<ThumbnailInfo>>;

    /// Keeps the thumbnails of a blob and marks it `Ready`, in one commit. If it has some already, or is no longer live, nothing changes and the answer is
    /// false: the caller then deletes the bytes that it brought.
    async fn keep_thumbnails(
        &self,
        original: BlobKey,
        media: Option<MediaFacts>,
        thumbnails: &[NewThumbnail],
        at: Timestamp,
    ) -> PortResult<bool>;

    /// Keeps what was found out about a live blob, in place of what was known. False if it is not live. Safe to repeat.
    async fn keep_media(&self, original: BlobKey, media: &MediaFacts) -> PortResult<bool>;

    /// Marks a pending blob as one of which no thumbnails can be made, with the reason. False if it is not pending.
    async fn fail_thumbnails(&self, original: BlobKey, reason: &str) -> PortResult<bool>;

    /// The content that a file has now, for a job; none if the file is deleted or does not use this blob any more.
    async fn find_content_of_job(&self, file: FileId, blob: BlobKey) -> PortResult<Option<Content>>;

    /// Blobs condemned before `before`.
    async fn list_condemned(&self, before: Timestamp, limit: u32) -> PortResult<BlobPage>;

    /// Removes the row of a condemned blob (and its inline bytes, and its thumbnails' references), if no version names it.
    async fn collect_blob(
        &self,
        key: BlobKey,
        condemned_before: Timestamp,
        at: Timestamp,
    ) -> PortResult<CollectOutcome>;

    /// Which of these blobs have a row, live or condemned: what the listing of a disk is held against, to find strays.
    async fn known_blobs(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>>;

    /// Live blobs by ascending keys after `after`, at most `limit`: for reading their contents again.
    async fn list_blobs(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<BlobRecord>>;

    /// Notes that the content of a live blob is damaged (of several times the first stays), or that it is good; whether that changed anything.
    async fn mark_damaged(&self, key: BlobKey, damaged_at: Option<Timestamp>) -> PortResult<bool>;

    /// At most `limit` files of which a blob is the content, a former content, or a thumbnail, by ascending ids. Whether they lie below a tombstone
    /// is not looked at.
    async fn files_of_blob(&self, key: BlobKey, limit: u32) -> PortResult<Vec<FileId>>;

    /// Counts some more of what counters say, and puts right those that are wrong: the children of folders, the usage of spaces, the references of
    /// blobs (which are condemned or live by that). Whatever changes at the same time is neither lost nor taken for a miscount. A step may be repeated,
    /// and run twice at once; what is set right twice is reported once.
    async fn recount(&self, from: RecountPlace, at: Timestamp) -> PortResult<RecountStep>;

    /// How many files and folders there are, roots and deleted ones left out: for the classic `/stats`. Exact, from a counter.
    async fn count_nodes(&self) -> PortResult<u64>;

    /// The id of this store, made when it was: the blob root carries the same.
    async fn store_id(&self) -> PortResult<String>;

    /// Answers if the store can read and write.
    async fn ping(&self) -> PortResult<()>;
}
