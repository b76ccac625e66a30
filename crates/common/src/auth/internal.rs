//! Messages of auth-service's internal API.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    AuditCredential, EndedBy, ExportEnd, GroupName, OwnCredential, OwnCredentialKind, Person, PublicKey,
    SessionState, TokenState, UserState,
};
use crate::{ExportId, GroupId, ObjectId, SessionId, Sha256, TokenId, UserId};

/// `GET /internal/keys`: the keys that verify tokens now, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// `POST /internal/credentials/resolve`: is this credential good now?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResolveQuestion {
    /// A session.
    Session(ResolveCredential),
    /// An API token.
    Token(ResolveToken),
}

/// A question about an API token. Answer: [`ResolvedToken`] or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveToken {
    /// SHA-256 of its text.
    pub token: Sha256,
}

/// A live API token and its active account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedToken {
    /// The token's state.
    pub token: TokenState,
    /// The account's state.
    pub user: UserState,
}

/// A question about a session. Answer: [`ResolvedCredential`] or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveCredential {
    /// The sign-in.
    pub session: SessionId,
    /// The account that the token names.
    pub user: UserId,
}

/// A live session and its active account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedCredential {
    /// The session's state.
    pub session: SessionState,
    /// The account's state.
    pub user: UserState,
}

/// Most sessions in one [`OwnedCredentials`].
pub const MAX_SESSIONS: u32 = 1000;

/// `POST /internal/credentials/list`: what can an account be used by? Answer: [`OwnedCredentials`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialsOf {
    /// The account.
    pub user: UserId,
    /// Whoever asks knows of identities, which a service of an earlier version does not.
    #[serde(default)]
    pub identities: bool,
}

/// Tokens, then at most [`MAX_SESSIONS`] sessions, then identities, each newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedCredentials {
    /// They.
    pub items: Vec<OwnCredential>,
}

/// `POST /internal/credentials/end`: ends a credential of an account. Answer: [`CredentialEnded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndCredential {
    /// The account.
    pub user: UserId,
    /// Token, session or identity.
    pub kind: OwnCredentialKind,
    /// Its id.
    pub id: ObjectId,
    /// The session that asks. A service of an earlier version says neither this nor what follows.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// The API token that asks.
    #[serde(default)]
    pub token: Option<TokenId>,
    /// The network address of who asks.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

impl EndCredential {
    /// The question.
    pub fn new(user: UserId, kind: OwnCredentialKind, id: ObjectId, by: EndedBy) -> Self {
        let (session, token) = match by.credential {
            Some(AuditCredential::Session(session)) => (Some(session), None),
            Some(AuditCredential::Token(token)) => (None, Some(token)),
            None => (None, None),
        };
        Self { user, kind, id, session, token, address: by.address }
    }

    /// By what and from where the credential is ended.
    pub fn by(&self) -> EndedBy {
        let session = self.session.map(AuditCredential::Session);
        EndedBy { credential: session.or(self.token.map(AuditCredential::Token)), address: self.address }
    }
}

/// Whether the account has, or had, such a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialEnded {
    /// It has ended.
    pub ended: bool,
    /// It has not, since nothing else opens the account.
    #[serde(default)]
    pub last_way_in: bool,
}

/// Most accounts in one [`FindPeople`].
pub const MAX_PEOPLE: usize = 1000;

/// `POST /internal/people/find`: who are these? Answer: [`FoundPeople`].
#[derive(Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FindPeople {
    /// Accounts by their ids; at most [`MAX_PEOPLE`].
    pub ids: Vec<UserId>,
    /// An account by its address. Never logged.
    pub address: Option<String>,
    /// Groups by their ids; at most [`MAX_PEOPLE`].
    pub groups: Vec<GroupId>,
    /// Whose groups are asked for.
    pub groups_of: Option<UserId>,
}

/// Those that there are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPeople {
    /// Asked for by id.
    pub people: Vec<Person>,
    /// Asked for by address; none if there is no such account, or it is disabled.
    pub person: Option<Person>,
    /// Asked for by id.
    #[serde(default)]
    pub groups: Vec<GroupName>,
    /// The groups of the account whose groups were asked for.
    #[serde(default)]
    pub memberships: Vec<GroupId>,
}

/// `POST /internal/exports/find`: the export of an account. Answer: [`super::Export`] or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindExport {
    /// The account.
    pub user: UserId,
}

/// `POST /internal/exports/end`: ends an export. 404 if it is not the run's to end any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndExport {
    /// The account.
    pub user: UserId,
    /// The export.
    pub id: ExportId,
    /// How.
    pub end: ExportEnd,
}

/// What auth-service knows of an account: the subjects of `POST /internal/accounts/export` there, each a file of an export.
pub const EXPORTED: &[&str] = &["profile", "sessions", "tokens", "groups", "audit"];
