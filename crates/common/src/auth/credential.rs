use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AuditCredential, Role, Scope, Scopes, SessionKind, TokenHash};
use crate::error::PortResult;
use crate::{FileId, SessionId, SigningKeyId, Timestamp, TokenId, UserId};

/// How a credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedBy {
    /// `Authorization: Bearer`, `X-Token`, or the password of `Authorization: Basic`.
    Header,
    /// The page's session cookie; a changing request must then prove its origin.
    Cookie,
}

/// A credential as a client sent it. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Presented {
    /// The token.
    pub token: String,
    /// How it came.
    pub by: PresentedBy,
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presented(by {:?})", self.by)
    }
}

/// Who is asking, after the credential was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub user: UserId,
    /// What speaks for it.
    pub credential: CredentialId,
    /// The account's role. What the credential may do is in its scopes: ask [`Principal::is_admin`].
    pub role: Role,
    /// What the credential is good for now: all that the role allows for a session, at most that for a token.
    pub scopes: Scopes,
    /// Only this folder and what is below it.
    pub folder: Option<FileId>,
    /// When a token ends by itself, and with it all that it opens to others; none for a session.
    pub expires_at: Option<Timestamp>,
}

impl Principal {
    /// Somebody who signed in.
    pub fn of_session(user: UserId, session: SessionId, role: Role) -> Self {
        let credential = CredentialId::Session(session);
        Self { user, credential, role, scopes: Scopes::of_role(role), folder: None, expires_at: None }
    }

    /// A program with a token of this state, whose owner has this role now.
    pub fn of_token(token: &TokenState, role: Role) -> Self {
        Self {
            user: token.user,
            credential: CredentialId::Token(token.id),
            role,
            scopes: token.scopes.and(Scopes::of_role(role)),
            folder: token.folder,
            expires_at: token.expires_at,
        }
    }

    /// May administer the installation.
    pub fn is_admin(&self) -> bool {
        self.scopes.contains(Scope::Admin)
    }

    /// The sign-in; none for a token.
    pub fn session(&self) -> Option<SessionId> {
        match self.credential {
            CredentialId::Session(session) => Some(session),
            CredentialId::Token(_) => None,
        }
    }
}

/// What speaks for an account.
pub type CredentialId = AuditCredential;

/// Turns a token into a principal. What extractors use.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The principal behind a token, or none for any token that is not good now: malformed, forged, expired, revoked, or of a
    /// user who is gone or disabled. A revocation that was answered counts at once.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`] when neither the cache nor the source can say.
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>>;

    /// Whether what `caller` began with this token may go on: the sign-in or API token has not ended, and its account is open. That the text of a sign-in's
    /// token has run out meanwhile ends nothing, since the sign-in goes on by another. `caller` is what [`Authenticator::authenticate`] said of the same token.
    /// Cheap enough to ask every few seconds for each transfer.
    ///
    /// # Errors
    /// As [`Authenticator::authenticate`].
    async fn still_stands(&self, presented: &Presented, caller: &Principal) -> PortResult<bool> {
        let now = self.authenticate(presented).await?;
        Ok(now.is_some_and(|now| (now.user, now.credential) == (caller.user, caller.credential)))
    }
}

/// The part of a session that decides whether a token of it is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionState {
    /// Whose it is.
    pub user: UserId,
    /// What carries it.
    pub kind: SessionKind,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// The part of an API token that decides whether it is good, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenState {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What it is good for, as long as its owner may do it too.
    pub scopes: Scopes,
    /// Only this folder and what is below it.
    pub folder: Option<FileId>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// The part of an account that decides whether a token of it is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserState {
    /// What it may do.
    pub role: Role,
}

/// A key that verifies tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    /// `kid` in the header of the tokens that it verifies.
    pub id: SigningKeyId,
    /// The raw Ed25519 public key.
    #[serde(with = "hex::serde")]
    pub ed25519: [u8; 32],
}

/// The truth about credentials: auth-service, in process or over its internal API.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// The keys that verify tokens now, newest first.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn public_keys(&self) -> PortResult<Vec<PublicKey>>;

    /// The states of a live session and of its active account, or none if either is not (or they do not belong together).
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn resolve(
        &self,
        session: SessionId,
        user: UserId,
    ) -> PortResult<Option<(SessionState, UserState)>>;

    /// The states of the live API token with this hash and of its active account, or none if either is not.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn resolve_token(&self, hash: &TokenHash) -> PortResult<Option<(TokenState, UserState)>>;

    /// The state of an account that is open: neither disabled, nor waiting to be deleted, nor gone.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn resolve_user(&self, user: UserId) -> PortResult<Option<UserState>>;
}

/// Whether what somebody opened to others is open: what file-service asks before anybody but the owner gets in.
#[async_trait]
pub trait OpenAccounts: Send + Sync {
    /// False for an account that is disabled, waits to be deleted, or is gone. A change that was answered counts at once.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`] when neither the cache nor the source can say: then nothing may be opened.
    async fn is_open(&self, user: UserId) -> PortResult<bool>;
}

/// Remembers resolved credentials for a short time. Losing all of it costs speed only.
///
/// A revocation writes the store first, then puts a tombstone here, then answers. [`CredentialCache::put`] sets only what is absent, so a
/// resolution that was under way cannot overwrite the tombstone with what it read before. An adapter whose server is away may take the tombstone and write it later, if
/// nobody believes what was remembered before the loss until then. Where the same call could not be made again after the store has
/// changed, the tombstone comes first: without one nothing changes. It stands for 120 s, and so also hides what was resolved while the store was changing.
#[async_trait]
pub trait CredentialCache: Send + Sync {
    /// What is remembered of this session and this user, each by itself, and whether signing keys were withdrawn.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`]; callers then ask the source.
    async fn get(&self, session: SessionId, user: UserId) -> PortResult<CachedSession>;

    /// Remembers both for 60 s, each only if nothing (and no tombstone) is there.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`], to be ignored.
    async fn put(
        &self,
        session: SessionId,
        user: UserId,
        states: (&SessionState, &UserState),
    ) -> PortResult<()>;

    /// What is remembered of this API token and, if that is known, of its account.
    ///
    /// # Errors
    /// As [`CredentialCache::get`].
    async fn get_token(&self, hash: &TokenHash) -> PortResult<(Cached<TokenState>, Cached<UserState>)>;

    /// Remembers both for 60 s, each only if nothing (and no tombstone) is there.
    ///
    /// # Errors
    /// As [`CredentialCache::put`].
    async fn put_token(&self, hash: &TokenHash, states: (&TokenState, &UserState)) -> PortResult<()>;

    /// What is remembered of this account.
    ///
    /// # Errors
    /// As [`CredentialCache::get`].
    async fn get_user(&self, user: UserId) -> PortResult<Cached<UserState>>;

    /// Remembers it for 60 s, if nothing (and no tombstone) is there.
    ///
    /// # Errors
    /// As [`CredentialCache::put`].
    async fn put_user(&self, user: UserId, state: &UserState) -> PortResult<()>;

    /// Puts a tombstone on an API token for 120 s.
    ///
    /// # Errors
    /// As [`CredentialCache::forget_session`].
    async fn forget_token(&self, hash: &TokenHash) -> PortResult<()>;

    /// Puts a tombstone on a session for 120 s: the next request asks the source.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`]: then the revocation must wait until what is cached has expired.
    async fn forget_session(&self, session: SessionId) -> PortResult<()>;

    /// Puts a tombstone on the signing keys from before `new` for 120 s: the next request asks for the keys.
    ///
    /// # Errors
    /// As [`CredentialCache::forget_session`].
    async fn forget_keys(&self, new: SigningKeyId) -> PortResult<()>;

    /// Puts a tombstone on a user for 120 s, as after a change of role or state.
    ///
    /// # Errors
    /// As [`CredentialCache::forget_session`].
    async fn forget_user(&self, user: UserId) -> PortResult<()>;
}

/// What a cache remembers for a request by a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedSession {
    /// The session.
    pub session: Cached<SessionState>,
    /// Its account.
    pub user: Cached<UserState>,
    /// The key that replaced others which were withdrawn within the last 120 s: who has asked for the keys since may go on with those.
    pub keys_since: Option<SigningKeyId>,
}

/// One entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached<T> {
    /// Nothing is known: ask the source, and remember.
    Absent,
    /// Known.
    Known(T),
    /// It changed a moment ago: ask the source each time.
    Tombstone,
}

/// How many accounts there are, for the classic `/stats`: auth-service, in process or over its internal API.
#[async_trait]
pub trait UserCount: Send + Sync {
    /// The number of accounts, bootstrap administrators left out. Exact.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn count_users(&self) -> PortResult<u64>;
}
