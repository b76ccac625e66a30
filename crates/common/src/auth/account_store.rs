//! What people do with their own account: the part of the auth store behind `/users/me` and the codes that go by mail.

use std::time::Duration;

use async_trait::async_trait;

use super::{CodeKind, MailedCode, Session};
use crate::error::PortResult;
use crate::jobs::NewJob;
use crate::{SessionId, Timestamp, UserId};

/// A session in its owner's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// The session.
    pub session: Session,
    /// When it was last seen in use, to a few minutes; none if never since it was opened.
    pub last_used_at: Option<Timestamp>,
}

/// What gives the right to set a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordProof {
    /// The hash of the password before, which was just compared.
    Hash(String),
    /// The hash of a code of [`CodeKind::Reset`], which works this once. It went to the account's address, which is its owner's then.
    Code([u8; 32]),
}

/// A new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// Whose.
    pub user: UserId,
    /// What gives the right.
    pub proof: PasswordProof,
    /// bcrypt hash of the new one.
    pub password_hash: String,
    /// The session that asks, and goes on.
    pub keep: Option<SessionId>,
    /// When.
    pub at: Timestamp,
}

/// Accounts as their owners manage them. Every change is one atomic commit, durable when the call returns unless it says otherwise, and of
/// no effect when it fails.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Up to `limit` live sessions of an account, newest id first, from below `before`.
    async fn list_sessions(
        &self,
        user: UserId,
        before: Option<SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<Vec<ListedSession>>;

    /// How many live sessions an account has.
    async fn count_sessions(&self, user: UserId, now: Timestamp) -> PortResult<u64>;

    /// Ends all live sessions of an account but `keep`; how many. Safe to repeat.
    async fn revoke_sessions(&self, user: UserId, keep: Option<SessionId>, at: Timestamp) -> PortResult<u64>;

    /// Notes when sessions were used. One that was noted less than `apart` before stays as it is. Need not be durable, and may be repeated;
    /// unknown sessions are passed over.
    async fn note_session_uses(&self, uses: &[(SessionId, Timestamp)], apart: Duration) -> PortResult<()>;

    /// Keeps a code and puts `jobs` into the outbox, in one commit.
    async fn add_code(&self, code: &MailedCode, jobs: &[NewJob]) -> PortResult<()>;

    /// The code with this hash, if it is of this kind, is somebody's, and has not expired at `now`.
    async fn find_code(
        &self,
        hash: &[u8; 32],
        kind: CodeKind,
        now: Timestamp,
    ) -> PortResult<Option<MailedCode>>;

    /// Removes up to `limit` codes that expired before `before`; how many went. Safe to repeat.
    async fn remove_expired_codes(&self, before: Timestamp, limit: u32) -> PortResult<u32>;

    /// Sets a password, ends the account's sessions but one, removes all its codes and puts `jobs` into the outbox, in one commit. False, and
    /// no effect, if the proof is none any more. Of any number of simultaneous calls with one proof exactly one succeeds.
    async fn change_password(&self, change: &PasswordChange, jobs: &[NewJob]) -> PortResult<bool>;
}
