//! What people do with their own account: the part of the auth store behind `/users/me` and the codes that go by mail.

use std::time::Duration;

use async_trait::async_trait;

use serde_json::{Map, Value};

use super::{
    Address, AddressKey, AuditEntry, ChangeUserError, CodeKind, CreateUserError, MailedCode, Session, User,
};
use crate::error::{PortError, PortResult};
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

/// An account with everything that its owner manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What sign-ins need. It is disabled as well while it waits to be deleted.
    pub user: User,
    /// An administrator disabled it.
    pub blocked: bool,
    /// When its owner proved that the address is theirs, if they did.
    pub verified_at: Option<Timestamp>,
    /// What others see instead of the address.
    pub name: Option<String>,
    /// What programs keep for their user.
    pub preferences: Map<String, Value>,
    /// Counts changes of name and preferences.
    pub revision: u64,
    /// The second factor, if one was begun.
    pub totp: Option<Totp>,
    /// When it is deleted, if its owner asked for that.
    pub deletes_at: Option<Timestamp>,
}

impl Account {
    /// The second factor, if it is wanted at each sign-in.
    pub fn second_factor(&self) -> Option<&Totp> {
        self.totp.as_ref().filter(|totp| totp.confirmed_at.is_some())
    }
}

/// A second factor by RFC 6238.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totp {
    /// The secret, sealed; opaque here.
    pub sealed: Vec<u8>,
    /// When its owner proved to have it; before that it is not asked for.
    pub confirmed_at: Option<Timestamp>,
    /// The time step of the last code that was taken. It and those before are not taken again.
    pub last_step: u64,
}

/// A second factor that its owner has proved to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpConfirmation {
    /// Whose.
    pub user: UserId,
    /// The secret that was begun, sealed.
    pub sealed: Vec<u8>,
    /// The time step of the code that proved it.
    pub step: u64,
    /// Hashes of the recovery codes.
    pub recovery: Vec<[u8; 32]>,
    /// The session that asks, and goes on.
    pub keep: Option<SessionId>,
    /// By which hashes the device that asks goes, which stays known.
    pub keep_devices: Vec<[u8; 32]>,
    /// When.
    pub at: Timestamp,
}

/// A new address for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// Whose.
    pub user: UserId,
    /// Hash of the code that went to the new address.
    pub hash: [u8; 32],
    /// Hash of the code that went to the old one, if one did.
    pub other_hash: Option<[u8; 32]>,
    /// When.
    pub at: Timestamp,
}

/// Why an address was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeAddressError {
    /// One of the codes is wrong, was used, has expired, or belongs to another account.
    #[error("a code is wrong")]
    WrongCode,
    /// Another account has the address.
    #[error("the address is taken")]
    AddressTaken,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
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
    /// By which hashes the device that asks goes, which stays known.
    pub keep_devices: Vec<[u8; 32]>,
    /// The account's API tokens end, too; and its identities, if it had a password before. One that a provider made, and that has had none so far, keeps
    /// them: they are how its owner came in.
    pub end_tokens: bool,
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

    /// Keeps a code and puts `jobs` into the outbox, in one commit. One of [`CodeKind::Email`] takes the place of those that its account has: who asks for
    /// another address has thought better of the one before.
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

    /// Sets a password, ends the account's sessions but one (and its API tokens and identities, if the change says so), removes all its codes, forgets its devices but the one
    /// that asks and puts `jobs` into the outbox, in one commit. That devices were known is not forgotten: the next sign-in from another one is from a new device. False, and no effect, if the proof
    /// is none any more. Of any number of simultaneous calls with one proof exactly one succeeds.
    async fn change_password(&self, change: &PasswordChange, jobs: &[NewJob]) -> PortResult<bool>;

    /// The account with this id, whole.
    async fn find_account(&self, id: UserId) -> PortResult<Option<Account>>;

    /// The account with this address, whole.
    async fn find_account_by_address(&self, key: &AddressKey) -> PortResult<Option<Account>>;

    /// As [`super::UserAdmin::add_user`], with the code that verifies the address, in one commit.
    ///
    /// # Errors
    /// `AddressTaken`.
    async fn create_user_with_code(
        &self,
        user: &User,
        code: &MailedCode,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> Result<(), CreateUserError>;

    /// Takes a code of [`CodeKind::Verify`]: the address of its account is its owner's. The account, or none if there is no such code. The line of the audit
    /// log is in the commit.
    async fn verify_address(
        &self,
        hash: &[u8; 32],
        at: Timestamp,
        audit: &AuditEntry,
    ) -> PortResult<Option<UserId>>;

    /// Takes the codes of [`CodeKind::Email`], gives the account the address that one of them went to, verified, removes all codes of the account and
    /// puts `jobs` into the outbox, in one commit. Of any number of simultaneous calls for one address exactly one succeeds, sign-ups included.
    ///
    /// # Errors
    /// [`ChangeAddressError`], then nothing has changed.
    async fn change_address(
        &self,
        change: &AddressChange,
        jobs: &[NewJob],
    ) -> Result<Address, ChangeAddressError>;

    /// Replaces name and preferences if the revision still is this one; false if it is not.
    async fn update_profile(
        &self,
        user: UserId,
        revision: u64,
        name: Option<&str>,
        preferences: &Map<String, Value>,
    ) -> PortResult<bool>;

    /// Begins a second factor, in place of one that was not confirmed. False if there is one that was.
    async fn begin_totp(&self, user: UserId, sealed: &[u8]) -> PortResult<bool>;

    /// Confirms a second factor by a code of it, sets its recovery codes, ends the account's sessions but one and forgets its devices but the one that asks,
    /// puts `jobs` into the outbox and writes the line of the audit log, in one commit: whoever knew the password alone until then has nothing left of it. False, and no effect, if
    /// another one was begun since, or it was confirmed before.
    async fn confirm_totp(
        &self,
        confirmation: &TotpConfirmation,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> PortResult<bool>;

    /// Takes a code of `step`. False if it, or a later one, was taken before, or there is no second factor. Of any number of simultaneous calls with
    /// one step exactly one succeeds.
    async fn use_totp_step(&self, user: UserId, step: u64) -> PortResult<bool>;

    /// Takes a recovery code, puts `jobs` into the outbox and writes the line of the audit log, in one commit. How many are left, or none, and no effect, if
    /// there is no such code. Each works once.
    async fn use_recovery_code(
        &self,
        user: UserId,
        hash: &[u8; 32],
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> PortResult<Option<u32>>;

    /// Removes the second factor with its recovery codes, puts `jobs` into the outbox and writes the line of the audit log, if one is to be, in one commit.
    /// False, and no effect, if there is none.
    async fn remove_totp(
        &self,
        user: UserId,
        jobs: &[NewJob],
        audit: Option<&AuditEntry>,
    ) -> PortResult<bool>;

    /// Whether the account with this address was signed in to from this device. Costs the same whether there is such an account or not.
    async fn is_device_of(&self, key: &AddressKey, hash: &[u8; 32]) -> PortResult<bool>;

    /// Notes a sign-in from a device that goes by these hashes. If none of them is known, and others are, it puts `jobs` into the outbox and says true.
    /// The 64 that were seen last are kept.
    async fn note_device(
        &self,
        user: UserId,
        hashes: &[[u8; 32]],
        at: Timestamp,
        jobs: &[NewJob],
    ) -> PortResult<bool>;

    /// Has an account that is not disabled wait to be deleted: ends all its sessions, removes its codes and puts `jobs` into the outbox, in one commit.
    /// False if it is disabled, waits already, or is gone.
    ///
    /// # Errors
    /// `LastAdministrator`: whatever happens at the same time, an administrator is left who is neither disabled nor waits.
    async fn schedule_deletion(
        &self,
        user: UserId,
        deletes_at: Timestamp,
        at: Timestamp,
        jobs: &[NewJob],
    ) -> Result<bool, ChangeUserError>;

    /// Takes [`AccountStore::schedule_deletion`] back and puts `jobs` into the outbox. False if the account does not wait.
    async fn cancel_deletion(&self, user: UserId, jobs: &[NewJob]) -> PortResult<bool>;

    /// Up to `limit` accounts whose deletion is due at `now`, those due first first, each with its time.
    async fn list_due_deletions(&self, now: Timestamp, limit: u32) -> PortResult<Vec<(UserId, Timestamp)>>;

    /// Removes an account, and everything that is kept here of it, if it waits to be deleted at just this time, and puts `jobs` into the outbox, in one
    /// commit with its line of the audit log; its address is free then. False if it does not wait so, or is gone. Safe to repeat.
    async fn delete_user(
        &self,
        user: UserId,
        deletes_at: Timestamp,
        jobs: &[NewJob],
        audit: &AuditEntry,
    ) -> PortResult<bool>;

    /// Up to `limit` second factors, confirmed or not, by ascending accounts after `after`: whose, and the sealed secret.
    async fn list_sealed_totp(&self, after: Option<UserId>, limit: u32)
    -> PortResult<Vec<(UserId, Vec<u8>)>>;

    /// Replaces a sealed secret, if it still is `old`, by another sealing of the same secret; false if it is not. Safe to repeat.
    async fn reseal_totp(&self, user: UserId, old: &[u8], new: &[u8]) -> PortResult<bool>;
}
