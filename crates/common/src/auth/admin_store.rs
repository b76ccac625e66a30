//! What administrators do with accounts: the part of the auth store behind `/admin`, and invitations.

use async_trait::async_trait;

use super::{Address, AuditEntry, CreateUserError, Role, SealedKey, User};
use crate::error::{PortError, PortResult};
use crate::files::Page;
use crate::jobs::NewJob;
use crate::{InvitationId, Timestamp, UserId};

/// Which accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only those whose folded address holds this text. It is folded by the caller.
    pub address: Option<String>,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those that are disabled, or are not.
    pub disabled: Option<bool>,
}

/// What of an account shall be different.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserChange {
    /// Its role.
    pub role: Option<Role>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
}

impl UserChange {
    /// The account as it is then.
    #[must_use]
    pub fn apply(&self, user: User) -> User {
        User {
            role: self.role.unwrap_or(user.role),
            disabled: self.disabled.unwrap_or(user.disabled),
            ..user
        }
    }
}

/// Why an account was not changed. Nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// It is the last administrator who is not disabled, and would be none any more.
    #[error("this is the last administrator")]
    LastAdministrator,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Accounts as administrators manage them. Every change is one atomic commit with its line of the audit log, durable when the call returns, of no effect
/// when it fails. Whatever happens at the same time, an administrator who is not disabled is left.
#[async_trait]
pub trait UserAdmin: Send + Sync {
    /// A page of accounts, newest id first, from below `before`. `total` counts all that the filter lets in.
    async fn list_users(
        &self,
        filter: &UserFilter,
        before: Option<UserId>,
        limit: u32,
    ) -> PortResult<Page<User>>;

    /// Makes an account of any role, and puts `jobs` into the outbox. Its address is verified since it was made, or not yet.
    ///
    /// # Errors
    /// `AddressTaken`.
    async fn add_user(
        &self,
        user: &User,
        verified: bool,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), CreateUserError>;

    /// Changes role and state, and puts `jobs` into the outbox; the account as it is now. Safe to repeat. One that waits to be deleted goes on waiting, and is
    /// disabled as long.
    ///
    /// # Errors
    /// `NotFound`, `LastAdministrator`.
    async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<User, ChangeUserError>;

    /// Replaces the password, ends all sessions and API tokens, removes the identities of an account that had a password before and the codes that went by
    /// mail, forgets the devices and puts `jobs` into the outbox. A second factor with its recovery codes stays.
    ///
    /// # Errors
    /// `NotFound`.
    async fn reset_password(
        &self,
        id: UserId,
        password_hash: &str,
        at: Timestamp,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), ChangeUserError>;

    /// Ends all live sessions of an account; how many. Safe to repeat.
    async fn end_sessions(&self, user: UserId, at: Timestamp, audit: &AuditEntry) -> PortResult<u64>;

    /// Removes an account with everything that is kept here of it (sessions, tokens, memberships, codes, devices), frees its address, and puts `jobs` into
    /// the outbox.
    ///
    /// # Errors
    /// `NotFound`, `LastAdministrator`.
    async fn remove_user(
        &self,
        id: UserId,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), ChangeUserError>;
}

/// The signing keys as administrators manage them.
#[async_trait]
pub trait KeyAdmin: Send + Sync {
    /// Keeps a new signing key, and removes all others if `alone`, in one commit with the line of the audit log. Durable.
    async fn rotate_signing_keys(&self, key: &SealedKey, alone: bool, audit: &AuditEntry) -> PortResult<()>;
}

/// A right to make an account, for whoever has the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// SHA-256 of its code.
    pub hash: [u8; 32],
    /// Only for an account with this address.
    pub address: Option<Address>,
    /// The role of the new account.
    pub role: Role,
    /// Who made it.
    pub made_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why no account was made with an invitation.
#[derive(Debug, thiserror::Error)]
pub enum UseInvitationError {
    /// It is unknown, used, withdrawn, past its time, or for another address.
    #[error("the invitation is not good")]
    Invalid,
    /// The address has an account. The invitation stays.
    #[error("the address is taken")]
    AddressTaken,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Invitations. Every change is one atomic commit with its lines of the audit log, durable when the call returns.
#[async_trait]
pub trait InvitationStore: Send + Sync {
    /// Keeps an invitation, and puts `jobs` into the outbox.
    async fn create_invitation(
        &self,
        invitation: &Invitation,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> PortResult<()>;

    /// A page of the invitations that can be used at `now`, newest id first, from below `before`.
    async fn list_invitations(
        &self,
        now: Timestamp,
        before: Option<InvitationId>,
        limit: u32,
    ) -> PortResult<Page<Invitation>>;

    /// The invitation with this hash, if it can be used at `now`.
    async fn find_invitation(&self, hash: &[u8; 32], now: Timestamp) -> PortResult<Option<Invitation>>;

    /// Withdraws an invitation. False if it is unknown or was used.
    async fn delete_invitation(&self, id: InvitationId, audit: &AuditEntry) -> PortResult<bool>;

    /// Makes an account with an invitation, which is used up, and puts `jobs` into the outbox. Of any number of simultaneous calls with one invitation
    /// exactly one succeeds. The account must have the invitation's role.
    ///
    /// # Errors
    /// `Invalid`, `AddressTaken`.
    async fn create_invited_user(
        &self,
        user: &User,
        hash: &[u8; 32],
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), UseInvitationError>;

    /// Removes up to `limit` invitations that ended before `before`; how many went. Safe to repeat.
    async fn remove_ended_invitations(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}
