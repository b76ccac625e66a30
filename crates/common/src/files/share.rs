//! Rights to nodes that people were given.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::NodeError;
use crate::error::PortResult;
use crate::{FileId, GroupId, ShareId, SpaceId, Timestamp, UserId};

/// What somebody may do with a node and all that is below it. A greater role may all that a lesser one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareRole {
    /// Looks and reads.
    Viewer,
    /// Creates, changes and trashes what is inside.
    Editor,
    /// Shares, too.
    Manager,
}

impl ShareRole {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Manager];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Manager => "manager",
        }
    }

    /// Reads [`ShareRole::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Who was given a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grantee {
    /// One account.
    User(UserId),
    /// Everybody in a group.
    Group(GroupId),
}

impl Grantee {
    /// Whether the right of this grantee is one of this person, who is in these groups.
    pub fn includes(self, user: UserId, groups: &[GroupId]) -> bool {
        match self {
            Self::User(id) => id == user,
            Self::Group(id) => groups.contains(&id),
        }
    }
}

/// A right to a node that somebody was given. There is at most one for each node and grantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its id. Ids ascend with time.
    pub id: ShareId,
    /// The node.
    pub node: FileId,
    /// The tree that the node is in.
    pub space: SpaceId,
    /// To whom.
    pub grantee: Grantee,
    /// What they may do.
    pub role: ShareRole,
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// A right to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShare {
    /// A fresh id.
    pub id: ShareId,
    /// The node, which must be live.
    pub node: FileId,
    /// To whom.
    pub grantee: Grantee,
    /// What they may do.
    pub role: ShareRole,
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// A share as far as a decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The node that it was given for.
    pub node: FileId,
    /// To whom.
    pub grantee: Grantee,
    /// What they may do.
    pub role: ShareRole,
    /// Since when. Another role changes nothing about that.
    pub at: Timestamp,
}

/// Which shares a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharesOf {
    /// Of this node and no other.
    Node(FileId),
    /// Of the nodes of this space.
    Space(SpaceId),
    /// Of the nodes of this space, and those that this person gave elsewhere.
    Giver(SpaceId, UserId),
    /// Given to this person, who is in these groups.
    Receiver(UserId, Vec<GroupId>),
}

/// Shares. Every change is one atomic commit, durable when the call returns, and seen by the next call of any process. What goes with its node
/// (which a purge removes) needs no call here.
#[async_trait]
pub trait ShareStore: Send + Sync {
    /// Gives a right to a live node; true if it is new. Where the grantee has one of this node already, that one gets the role instead, and
    /// keeps its id.
    ///
    /// # Errors
    /// `NotFound` if the node is gone or in the trash.
    async fn put_share(&self, share: &NewShare) -> Result<(Share, bool), NodeError>;

    /// The share with this id.
    async fn find_share(&self, id: ShareId) -> PortResult<Option<Share>>;

    /// Gives a share another role; none if it is gone. Safe to repeat.
    async fn set_share_role(&self, id: ShareId, role: ShareRole) -> PortResult<Option<Share>>;

    /// Ends a share, in the name of `by`, or because its time is over; false if it is gone. Safe to repeat.
    async fn remove_share(&self, id: ShareId, by: Option<UserId>, at: Timestamp) -> PortResult<bool>;

    /// What was given to this person and to groups, whoever is in them, of these nodes of one space. One query.
    async fn find_grants(&self, space: SpaceId, nodes: &[FileId], user: UserId) -> PortResult<Vec<Grant>>;

    /// At most `limit` shares, newest first by id, after the one with the id `after`. Whether their nodes are in the trash is not looked at.
    async fn list_shares(&self, of: &SharesOf, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>>;

    /// How many there are in that list.
    async fn count_shares(&self, of: &SharesOf) -> PortResult<u64>;
}
