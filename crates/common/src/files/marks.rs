//! What people find files by: stars, tags, and what they last worked on.

use async_trait::async_trait;

use super::{Node, NodeError, Tag};
use crate::error::PortResult;
use crate::{FileId, SpaceId, Timestamp, UserId};

/// A node at a place of a list that has the newest first, those of one time by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// When it came into the list.
    pub at: Timestamp,
    /// The node.
    pub node: FileId,
}

/// A tag of a space, and on how many nodes it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCount {
    /// One of the ways in which it was written.
    pub tag: Tag,
    /// Nodes that have it, those in the trash counted in.
    pub nodes: u64,
}

/// Stars, tags, and who last changed what. A star belongs to whoever set it, a tag to the node. Every change is one atomic commit, durable when the call
/// returns. Lists give ids; whether a node is in the trash, gone, or closed to who asks is for the caller to find out. What is deleted for good is in
/// none of them any more once it was purged.
#[async_trait]
pub trait MarkStore: Send + Sync {
    /// Gives a live node these tags in place of those that it had; they are distinct, and at most [`Tag::MAX_OF_NODE`]. With `revision`, only if the
    /// node still has it. The tags that it has already change nothing.
    ///
    /// # Errors
    /// `NotFound`, `Changed`.
    async fn set_tags(&self, id: FileId, revision: Option<u64>, tags: &[Tag]) -> Result<Node, NodeError>;

    /// Sets the star of `user` on a live node, or takes it off. Repeating changes nothing: the star that is there stays as old as it is.
    ///
    /// # Errors
    /// `NotFound`, unless the star is taken off.
    async fn set_star(
        &self,
        id: FileId,
        user: UserId,
        starred_at: Option<Timestamp>,
    ) -> Result<(), NodeError>;

    /// Which of these nodes have the star of `user`.
    async fn starred_of(&self, user: UserId, nodes: &[FileId]) -> PortResult<Vec<FileId>>;

    /// What `user` has starred, the latest star first, at most `limit` after `after`.
    async fn list_starred(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>>;

    /// How many stars `user` has set.
    async fn count_starred(&self, user: UserId) -> PortResult<u64>;

    /// Nodes of a space that have this tag, by descending ids, at most `limit` after `after`.
    async fn list_tagged(
        &self,
        space: SpaceId,
        tag: &Tag,
        after: Option<FileId>,
        limit: u32,
    ) -> PortResult<Vec<FileId>>;

    /// How many nodes of a space have this tag.
    async fn count_tagged(&self, space: SpaceId, tag: &Tag) -> PortResult<u64>;

    /// The tags of a space by their folded texts, at most `limit`.
    async fn list_tags(&self, space: SpaceId, limit: u32) -> PortResult<Vec<TagCount>>;

    /// Live files, in whatever space, whose content `user` put there, the latest first, at most `limit` after `after`.
    async fn list_recent(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>>;
}
