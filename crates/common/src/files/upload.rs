use bytes::Bytes;

use super::{ClassicType, Content, Node, NodeName, Tag, ThumbnailSize, ThumbnailState};
use crate::jobs::NewJob;
use crate::{BlobKey, Crc32, FileId, LinkId, ReservationId, Sha256, Timestamp, UserId};

/// Where the bytes of a new blob are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Here: the store keeps them in the same commit.
    Inline(Bytes),
    /// In the blob store already, durable.
    Blob,
    /// Where another content has them, which is live: this one shares its bytes, its thumbnails and what is known of it.
    Shared,
}

/// A blob that a commit brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlob {
    /// Its fresh key.
    pub key: BlobKey,
    /// Number of bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub sha256: Sha256,
    /// CRC-32 of the bytes.
    pub crc32: Crc32,
    /// Where they are.
    pub place: Place,
}

/// The content that a commit gives to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContent {
    /// The bytes.
    pub blob: NewBlob,
    /// Their sniffed type.
    pub mime: String,
    /// When the content was last changed where it came from; else the time of the commit.
    pub modified_at: Timestamp,
    /// `None` where no thumbnails can be made, else `Pending` (then `jobs` of the commit holds the job). Of a shared one the store knows better.
    pub thumbnails: ThumbnailState,
}

impl NewContent {
    /// The same content once more.
    pub fn shared(content: &Content) -> Self {
        let Content { blob: key, size, sha256, crc32, ref mime, modified_at, thumbnails, .. } = *content;
        Self {
            blob: NewBlob { key, size, sha256, crc32, place: Place::Shared },
            mime: mime.clone(),
            modified_at,
            thumbnails,
        }
    }
}

/// A file to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its fresh id.
    pub id: FileId,
    /// Its folder.
    pub parent: FileId,
    /// Its name.
    pub name: NodeName,
    /// If the name is taken: take the next free `name (n)`, instead of failing.
    pub rename_if_taken: bool,
    /// The type that the classic API was told. When set and a free name had to be taken, `classic_name` keeps the asked one.
    pub classic_type: Option<ClassicType>,
    /// Opened to everybody from the start.
    pub public: bool,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// What a commit makes or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitTarget {
    /// A new file.
    New(NewFile),
    /// New content of an existing live file.
    Existing {
        /// The file.
        id: FileId,
        /// Only if the node still has this revision.
        revision: Option<u64>,
        /// How many old versions to keep; older ones are given up in the same commit.
        keep_versions: u32,
    },
}

/// The one commit that ends an upload: node, version, blob, usage, and the jobs that follow from it, or none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// What is made or changed.
    pub target: CommitTarget,
    /// With what.
    pub content: NewContent,
    /// By whom.
    pub by: UserId,
    /// The link by which, if it was by one.
    pub via: Option<LinkId>,
    /// When.
    pub at: Timestamp,
    /// What was set aside for it; settled by the commit. Without one the commit checks the quota itself.
    pub reservation: Option<ReservationId>,
    /// Jobs for the outbox.
    pub jobs: Vec<NewJob>,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The node as it is now.
    pub node: Node,
    /// It is new, rather than a new version of an old file.
    pub created: bool,
}

/// A folder to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFolder {
    /// Its fresh id.
    pub id: FileId,
    /// The folder that it goes into.
    pub parent: FileId,
    /// Its name.
    pub name: NodeName,
    /// If the name is taken: take the next free one, instead of failing.
    pub rename_if_taken: bool,
    /// Set by the classic API; see [`NewFile`].
    pub classic_type: Option<ClassicType>,
    /// Opened to everybody from the start.
    pub public: bool,
    /// By whom.
    pub by: UserId,
    /// The link by which, if it was by one.
    pub via: Option<LinkId>,
    /// When.
    pub at: Timestamp,
}

/// One thumbnail to be kept with its original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewThumbnail {
    /// The asked width.
    pub size: ThumbnailSize,
    /// Its bytes.
    pub blob: NewBlob,
    /// Its type.
    pub mime: String,
}
