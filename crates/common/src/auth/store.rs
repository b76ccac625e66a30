use async_trait::async_trait;

use super::{AddressKey, Session, User};
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

/// What came of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// It was the current one; the new hash stands now.
    Rotated(Session),
    /// It was used before, so someone copied it: the session is revoked now.
    Reused(SessionId),
    /// It belongs to no live session.
    Unknown,
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

    /// Makes the first administrator, if no administrator exists.
    ///
    /// # Errors
    /// `AlreadySetUp` if there is one; of any number of simultaneous calls exactly one succeeds. `AddressTaken` as above.
    async fn create_first_admin(&self, user: &User, jobs: &[NewJob]) -> Result<(), CreateUserError>;

    /// Whether an administrator exists.
    async fn has_admin(&self) -> PortResult<bool>;

    /// The account with this id.
    async fn find_user(&self, id: UserId) -> PortResult<Option<User>>;

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

    /// Exchanges a refresh token by its hash, atomically: of any number of simultaneous calls with one token exactly one is `Rotated`,
    /// and the others end the session. `expires_at` becomes the session's new end.
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

    /// Answers if the store can read and write.
    async fn ping(&self) -> PortResult<()>;
}
