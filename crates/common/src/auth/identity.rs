//! Who somebody is to an identity provider, and whose account that opens.

use async_trait::async_trait;

use super::{AuditEntry, User};
use crate::error::{PortError, PortResult};
use crate::jobs::NewJob;
use crate::{IdentityId, Timestamp, UserId};

/// Most identities of one account.
pub const MAX_IDENTITIES: u64 = 10;

/// Longest `sub` of a provider, in bytes (OpenID Connect Core 1.0, 2).
pub const MAX_SUBJECT_BYTES: usize = 255;

/// A way into an account: somebody whom a provider knows. The issuer together with the subject is the only thing that never changes (OpenID Connect Core
/// 1.0, 5.7); what the provider says of addresses and names does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Whose account it opens.
    pub user: UserId,
    /// The provider, as its tokens name it.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// The address that the provider said when it was last used, for its owner's list and nothing else.
    pub address: Option<String>,
    /// When it was linked.
    pub created_at: Timestamp,
    /// When it last signed in; none if never since it was linked.
    pub last_used_at: Option<Timestamp>,
}

/// Why an identity was not linked.
#[derive(Debug, thiserror::Error)]
pub enum AddIdentityError {
    /// It opens an account already, this one or another.
    #[error("the identity is linked already")]
    Taken,
    /// The account has [`MAX_IDENTITIES`].
    #[error("an account has at most {MAX_IDENTITIES} identities")]
    TooMany,
    /// There is no such account.
    #[error("there is no such account")]
    NoUser,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why no account was made for an identity.
#[derive(Debug, thiserror::Error)]
pub enum CreateIdentifiedError {
    /// The address has an account.
    #[error("the address is taken")]
    AddressTaken,
    /// The identity opens an account already.
    #[error("the identity is linked already")]
    IdentityTaken,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Why an identity was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveIdentityError {
    /// The account has no such identity.
    #[error("there is no such identity")]
    NotFound,
    /// The account has no password and no other identity.
    #[error("nothing else opens the account")]
    LastWayIn,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Identities of accounts. Every change is one atomic commit with its line of the audit log and its jobs, durable when the call returns, and of no effect
/// when it fails. An account that is removed takes its identities with it.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// The identity of this subject at this issuer, both compared byte by byte.
    async fn find_identity(&self, issuer: &str, subject: &str) -> PortResult<Option<Identity>>;

    /// The identities of an account, oldest id first.
    async fn list_identities(&self, user: UserId) -> PortResult<Vec<Identity>>;

    /// Links an identity to an account. Of any number of simultaneous calls for one subject exactly one succeeds.
    ///
    /// # Errors
    /// [`AddIdentityError`].
    async fn add_identity(
        &self,
        identity: &Identity,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), AddIdentityError>;

    /// Makes an account together with its first identity. The provider vouches for the address, which is verified since `user.created_at`.
    ///
    /// # Errors
    /// [`CreateIdentifiedError`].
    async fn create_identified_user(
        &self,
        user: &User,
        identity: &Identity,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), CreateIdentifiedError>;

    /// Removes an identity of an account. Whatever happens at the same time, an account without a password keeps one.
    ///
    /// # Errors
    /// [`RemoveIdentityError`].
    async fn remove_identity(
        &self,
        user: UserId,
        id: IdentityId,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), RemoveIdentityError>;

    /// Notes a sign-in by an identity, and what the provider said of its address. Need not be durable; an unknown identity is passed over.
    async fn note_identity_use(
        &self,
        identity: &Identity,
        at: Timestamp,
        address: Option<&str>,
    ) -> PortResult<()>;
}
