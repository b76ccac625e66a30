//! The contents that a file has had.

use async_trait::async_trait;

use super::{Content, NodeError};
use crate::error::PortResult;
use crate::{FileId, Timestamp, UserId};

/// One of the contents that a file has had, or the one that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The content with its number. What is known of thumbnails and media is that of the bytes, whichever file has them.
    pub content: Content,
    /// When it became the file's content.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
}

/// How far the giving up of old versions has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneStep {
    /// The last file that was looked at, if there are more.
    pub next: Option<FileId>,
    /// Versions removed by this step.
    pub removed: u32,
    /// Bytes given back by this step.
    pub freed_bytes: u64,
}

/// Which old versions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepVersions {
    /// At most so many of a file, beside its content.
    pub count: u32,
    /// Those that were the content after this time.
    pub replaced_since: Timestamp,
}

/// Old versions. A new one comes by [`super::FileStore::commit_upload`], which also brings an old content back: as one that is shared.
#[async_trait]
pub trait VersionStore: Send + Sync {
    /// The versions of a file that is not below a tombstone, the content that it has now first, then the older ones; at most `limit` with numbers below
    /// `before`. Empty for a folder, and for what is not there.
    async fn list_versions(&self, file: FileId, before: Option<u32>, limit: u32) -> PortResult<Vec<Version>>;

    /// The version of a file with this number.
    async fn find_version(&self, file: FileId, number: u32) -> PortResult<Option<Version>>;

    /// Removes an old version of a live file, and gives its bytes back to the space in the same commit. False if there is none of this number.
    ///
    /// # Errors
    /// `NotFound`, `NotAFile`; `Changed` if it is the content that the file has.
    async fn delete_version(&self, file: FileId, number: u32, at: Timestamp) -> Result<bool, NodeError>;

    /// Removes the versions that need not be kept, of at most `limit` files after `after` in the order of their ids, and gives their bytes back. Safe to
    /// repeat and to run twice at once.
    async fn prune_versions(
        &self,
        after: Option<FileId>,
        keep: KeepVersions,
        limit: u32,
        at: Timestamp,
    ) -> PortResult<PruneStep>;
}
