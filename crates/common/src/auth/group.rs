//! Groups of accounts, and who sees whom.

use async_trait::async_trait;

use super::{AddressKey, AuditEntry, GroupName, User};
use crate::error::{PortError, PortResult};
use crate::files::Page;
use crate::{GroupId, Timestamp, UserId};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, one group each whatever the case.
    pub name: String,
    /// Its members, by ascending id.
    pub members: Vec<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Group {
    /// Most members of a group.
    pub const MAX_MEMBERS: usize = 1000;

    /// The form of a name that is unique.
    pub fn name_key(name: &str) -> String {
        name.trim().to_lowercase()
    }
}

/// What of a group shall be different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<String>,
    /// All its members.
    pub members: Option<Vec<UserId>>,
}

/// Why a group was not made or changed. Nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// There is no such group.
    #[error("there is no such group")]
    NotFound,
    /// Another group has the name.
    #[error("the name is taken")]
    NameTaken,
    /// One that shall be a member has no account.
    #[error("there is no account {0}")]
    NoSuchUser(UserId),
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Groups. Every change is one atomic commit with its line of the audit log, durable when the call returns.
#[async_trait]
pub trait GroupStore: Send + Sync {
    /// Makes a group.
    ///
    /// # Errors
    /// `NameTaken`, `NoSuchUser`.
    async fn create_group(&self, group: &Group, audit: &AuditEntry) -> Result<(), GroupError>;

    /// A page of groups, newest id first, from below `before`; only those that `member` is in, if it is given.
    async fn list_groups(
        &self,
        member: Option<UserId>,
        before: Option<GroupId>,
        limit: u32,
    ) -> PortResult<Page<Group>>;

    /// The group with this id.
    async fn find_group(&self, id: GroupId) -> PortResult<Option<Group>>;

    /// Those of these groups that there are, in any order. One question.
    async fn find_group_names(&self, ids: &[GroupId]) -> PortResult<Vec<GroupName>>;

    /// Changes name and members; the group as it is now. Safe to repeat.
    ///
    /// # Errors
    /// `NotFound`, `NameTaken`, `NoSuchUser`.
    async fn change_group(
        &self,
        id: GroupId,
        change: &GroupChange,
        audit: &AuditEntry,
    ) -> Result<Group, GroupError>;

    /// Deletes a group. False if it is unknown.
    async fn delete_group(&self, id: GroupId, audit: &AuditEntry) -> PortResult<bool>;

    /// Accounts that are neither disabled nor wait to be deleted, whose folded address begins with `prefix`, by address, at most `limit`; only those that share a group with `of`, if it is given,
    /// who is left out.
    async fn find_people(&self, prefix: &AddressKey, of: Option<UserId>, limit: u32)
    -> PortResult<Vec<User>>;
}
