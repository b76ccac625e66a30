use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AuditCredential, Principal, Scopes};
use crate::error::PortResult;
use crate::{FileId, ObjectId, Timestamp, UserId};

/// What kind of credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnCredentialKind {
    /// An API token.
    Token,
    /// A sign-in.
    Session,
    /// Somebody at an identity provider, who signs in to the account.
    Identity,
}

/// What came of the wish to end a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialEnd {
    /// It has ended, now or before.
    Ended,
    /// The account has no such one.
    Unknown,
    /// It is an identity, and nothing else opens the account.
    LastWayIn,
}

/// A credential of an account, as its owner sees it. Its `Debug` shows neither name nor device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnCredential {
    /// Token, session or identity.
    pub kind: OwnCredentialKind,
    /// Its id among its kind. Ids ascend with time.
    pub id: ObjectId,
    /// What a token is called; what a session's `User-Agent` said; the provider of an identity.
    pub label: Option<String>,
    /// What a token is good for; none for a session or identity, which is good for all that its account may do.
    pub scopes: Option<Scopes>,
    /// The folder that a token is limited to.
    pub folder: Option<FileId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within some minutes.
    pub last_used_at: Option<Timestamp>,
}

impl fmt::Debug for OwnCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnCredential({:?} {})", self.kind, self.id)
    }
}

/// By what and from where a credential is ended, for the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndedBy {
    /// The session or token that asks; none where a service of an earlier version does not say.
    pub credential: Option<AuditCredential>,
    /// The network address of who asks; none where it is not known.
    pub address: Option<IpAddr>,
}

impl EndedBy {
    /// A caller at this address.
    pub fn caller(caller: &Principal, address: Option<IpAddr>) -> Self {
        Self { credential: Some(caller.credential), address }
    }
}

/// Credentials of accounts: auth-service, in process or over its internal API.
#[async_trait]
pub trait OwnCredentials: Send + Sync {
    /// What an account can be used by now: its tokens that are good, newest first, then its sessions, the newest
    /// [`MAX_SESSIONS`](crate::auth::internal::MAX_SESSIONS) of them, then its identities, newest first.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn list_credentials(&self, user: UserId) -> PortResult<Vec<OwnCredential>>;

    /// Ends one of them, for the next request everywhere, and writes into the audit log by what. Safe to repeat.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`]: it may have ended; ask again.
    async fn end_credential(
        &self,
        user: UserId,
        kind: OwnCredentialKind,
        id: ObjectId,
        by: EndedBy,
    ) -> PortResult<CredentialEnd>;
}
