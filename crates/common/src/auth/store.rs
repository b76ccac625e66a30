use std::time::Duration;

use async_trait::async_trait;

use super::{AddressKey, AuditEntry, Session, User};
use crate::error::{PortError, PortResult};
use crate::jobs::NewJob;
use crate::{SessionId, SigningKeyId, Timestamp, UserId};

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// The address has an account, in whatever case it was typed.
    #[error("the address is taken")]
    AddressTaken,
    /// A first administrator was asked for, and there is one.
    #[error("there is an administrator already")]
    AlreadySetUp,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How long a refresh token is taken again, counted from its first use, while no token that it was exchanged for has been used. A client whose answer was
/// lost sends the same token again, and must not be taken for a thief: some seconds until it gives up, and as many for its next try.
pub const REFRESH_GRACE: Duration = Duration::from_secs(30);

/// What came of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It was a current one, or the one before within [`REFRESH_GRACE`]; the new one is current now.
    Rotated(Session),
    /// It was used before, so someone copied it: the session is revoked, now or since before.
    Reused(SessionId),
    /// It belongs to no session, or is the current one of a session that ended.
    Unknown,
}

/// A refresh token as stores keep it, with what its session had before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Of the token itself.
    pub hash: [u8; 32],
    /// The token that it was given for, and when; none for the first of a session.
    pub given: Option<([u8; 32], Timestamp)>,
}

/// What a refresh token is to its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshStanding {
    /// It renews the session, and what was given beside it ends with that.
    Current,
    /// The one before, presented again within [`REFRESH_GRACE`]: another token may be given beside the current one.
    Before,
    /// It has been used, and so has one that it was exchanged for; or the grace is over.
    Used,
}

impl RefreshToken {
    /// What this token is to a session whose first current token is `current`: the one that its last renewal gave. Those that were given for the same token
    /// later, in the grace, are as current until one of them is used.
    pub fn standing(&self, current: &Self, at: Timestamp) -> RefreshStanding {
        let given_for = |token: &Self| token.given.map(|(hash, _)| hash);
        match current.given {
            _ if self.hash == current.hash => RefreshStanding::Current,
            Some(_) if given_for(self) == given_for(current) => RefreshStanding::Current,
            Some((before, given_at)) if before == self.hash && at.since(given_at) <= REFRESH_GRACE => {
                RefreshStanding::Before
            }
            _ => RefreshStanding::Used,
        }
    }
}

/// A signing key whose private part is sealed under the master key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Its id, `kid` in tokens.
    pub id: SigningKeyId,
    /// The raw Ed25519 public key.
    pub public: [u8; 32],
    /// The private part, sealed; opaque here.
    pub sealed: Vec<u8>,
    /// When it was made. The newest one signs.
    pub created_at: Timestamp,
    /// When it stops verifying, if it was replaced.
    pub retires_at: Option<Timestamp>,
}

/// Accounts, sessions and signing keys. Every change is one atomic commit, durable when the call returns, and of no effect when it fails.
/// Its outbox is a port of its own, [`crate::jobs::Outbox`], over the same commit log.
#[async_trait]
pub trait AuthStore: Send + Sync {
    /// Makes an account and puts `jobs` into the outbox, in one commit.
    ///
    /// # Errors
    /// `AddressTaken` if an account with the same [`AddressKey`] exists; of any number of simultaneous calls exactly one succeeds.
    async fn create_user(&self, user: &User, jobs: &[NewJob]) -> Result<(), CreateUserError>;

    /// Makes the first administrator, if no administrator exists, puts `jobs` into the outbox and writes the line of the audit log, in one commit.
    ///
    /// # Errors
    /// `AlreadySetUp` if there is one; of any number of simultaneous calls exactly one succeeds. `AddressTaken` as above.
    async fn create_first_admin(
        &self,
        user: &User,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), CreateUserError>;

    /// Whether an administrator exists.
    async fn has_admin(&self) -> PortResult<bool>;

    /// The account with this id.
    async fn find_user(&self, id: UserId) -> PortResult<Option<User>>;

    /// Those of these accounts that there are, in any order. One question.
    async fn find_users(&self, ids: &[UserId]) -> PortResult<Vec<User>>;

    /// The account with this address.
    async fn find_user_by_address(&self, key: &AddressKey) -> PortResult<Option<User>>;

    /// Replaces the hash if it still is `old`; false if it is not. Safe to repeat.
    async fn upgrade_password_hash(&self, id: UserId, old: &str, new: &str) -> PortResult<bool>;

    /// How many accounts there are, bootstrap administrators left out. Exact, and from a counter or an index.
    async fn count_users(&self) -> PortResult<u64>;

    /// Keeps a new session.
    async fn create_session(&self, session: &Session) -> PortResult<()>;

    /// The session with this id, live or not, as long as it is kept.
    async fn find_session(&self, id: SessionId) -> PortResult<Option<Session>>;

    /// Ends a session. False if it was ended before or is unknown. Safe to repeat.
    async fn revoke_session(&self, id: SessionId, at: Timestamp) -> PortResult<bool>;

    /// Exchanges a refresh token by its hash, atomically. `expires_at` becomes the session's new end.
    ///
    /// The token just before the current one is taken again for [`REFRESH_GRACE`], while its successor has not been used, since the answer may have been
    /// lost: it is `Rotated` to one more token of the same session. So are all of any number of simultaneous calls with one token. Of the tokens that were
    /// given for one, the first use of any makes the others used. Any other use of a token that was used ends the session. That is `Reused` also if the
    /// session has ended before, so that whoever could not tell the caches can do so when asked again.
    ///
    /// [`Session::refresh_hash`] of the session is the first one that was given for the last token that was used.
    async fn rotate_refresh(
        &self,
        presented: &[u8; 32],
        new: &[u8; 32],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> PortResult<RefreshOutcome>;

    /// Removes up to `limit` sessions that ended before `before`; how many went. Safe to repeat.
    async fn remove_ended_sessions(&self, before: Timestamp, limit: u32) -> PortResult<u32>;

    /// Keeps a signing key.
    async fn add_signing_key(&self, key: &SealedKey) -> PortResult<()>;

    /// All signing keys that have not retired at `now`, newest first.
    async fn list_signing_keys(&self, now: Timestamp) -> PortResult<Vec<SealedKey>>;

    /// Replaces the sealed part of a signing key, if it still is `old`, by another sealing of the same; false if it is not. Safe to repeat.
    async fn reseal_signing_key(&self, id: SigningKeyId, old: &[u8], new: &[u8]) -> PortResult<bool>;

    /// Answers if the store can read and write.
    async fn ping(&self) -> PortResult<()>;
}
