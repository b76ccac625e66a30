//! What people do with their own account.

mod address;
pub(super) mod codes;
pub(super) mod deletion;
pub(super) mod devices;
mod password;
pub(super) mod profile;
mod sessions;
mod totp;

use std::time::Duration;

use async_trait::async_trait;
use common::auth::{
    Account, AccountStore, Address, AddressChange, AddressKey, AuditEntry, ChangeAddressError,
    ChangeUserError, CodeKind, CreateUserError, ListedSession, MailedCode, PasswordChange, TotpConfirmation,
    User,
};
use common::jobs::NewJob;
use common::{PortError, PortResult, SessionId, Timestamp, UserId};
use serde_json::{Map, Value};

use super::{AuthDb, audit, users};
use crate::engine::Durability::{Durable, Relaxed};
use crate::engine::{Abort, Tx};
use crate::outbox;

#[async_trait]
impl AccountStore for AuthDb {
    async fn list_sessions(
        &self,
        user: UserId,
        before: Option<SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<Vec<ListedSession>> {
        self.engine.read(move |connection| Ok(sessions::list(connection, user, before, limit, now)?)).await
    }

    async fn count_sessions(&self, user: UserId, now: Timestamp) -> PortResult<u64> {
        self.engine.read(move |connection| Ok(sessions::count(connection, user, now)?)).await
    }

    async fn revoke_sessions(&self, user: UserId, keep: Option<SessionId>, at: Timestamp) -> PortResult<u64> {
        self.engine.write(Durable, move |tx| Ok(sessions::revoke_all(tx, user, keep, at)?)).await
    }

    async fn note_session_uses(&self, uses: &[(SessionId, Timestamp)], apart: Duration) -> PortResult<()> {
        let uses = uses.to_vec();
        self.engine.write(Relaxed, move |tx| Ok(sessions::note_uses(tx, &uses, apart)?)).await
    }

    async fn add_code(&self, code: &MailedCode, jobs: &[NewJob]) -> PortResult<()> {
        let (code, jobs) = (code.clone(), jobs.to_vec());
        self.engine
            .write(Durable, move |tx| {
                codes::insert(tx, &code)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn find_code(
        &self,
        hash: &[u8; 32],
        kind: CodeKind,
        now: Timestamp,
    ) -> PortResult<Option<MailedCode>> {
        let hash = *hash;
        self.engine.read(move |connection| Ok(codes::find(connection, &hash, kind, now)?)).await
    }

    async fn remove_expired_codes(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.write(Durable, move |tx| Ok(codes::remove_expired(tx, before, limit)?)).await
    }

    async fn change_password(&self, change: &PasswordChange, jobs: &[NewJob]) -> PortResult<bool> {
        let change = change.clone();
        self.with_jobs(jobs, None, move |tx| password::change(tx, &change), |done| *done).await
    }

    async fn find_account(&self, id: UserId) -> PortResult<Option<Account>> {
        self.engine.read(move |connection| Ok(profile::find(connection, id)?)).await
    }

    async fn find_account_by_address(&self, key: &AddressKey) -> PortResult<Option<Account>> {
        let key = key.clone();
        self.engine.read(move |connection| Ok(profile::find_by_address(connection, &key)?)).await
    }

    async fn create_user_with_code(
        &self,
        user: &User,
        code: &MailedCode,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateUserError> {
        let (user, code, jobs, entry) = (user.clone(), code.clone(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durable, move |tx| {
                users::insert(tx, &user)?;
                codes::insert(tx, &code)?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn verify_address(
        &self,
        hash: &[u8; 32],
        at: Timestamp,
        entry: &AuditEntry,
    ) -> PortResult<Option<UserId>> {
        let hash = *hash;
        self.with_jobs(&[], Some(entry), move |tx| address::verify(tx, &hash, at), Option::is_some).await
    }

    async fn change_address(
        &self,
        change: &AddressChange,
        jobs: &[NewJob],
    ) -> Result<Address, ChangeAddressError> {
        let (change, jobs) = (change.clone(), jobs.to_vec());
        self.engine
            .write(Durable, move |tx| {
                let address = address::change(tx, &change)?;
                outbox::push(tx, &jobs)?;
                Ok(address)
            })
            .await
    }

    async fn update_profile(
        &self,
        user: UserId,
        revision: u64,
        name: Option<&str>,
        preferences: &Map<String, Value>,
    ) -> PortResult<bool> {
        let (name, preferences) = (name.map(str::to_owned), preferences.clone());
        self.engine
            .write(Durable, move |tx| Ok(profile::update(tx, user, revision, name.as_deref(), &preferences)?))
            .await
    }

    async fn begin_totp(&self, user: UserId, sealed: &[u8]) -> PortResult<bool> {
        let sealed = sealed.to_vec();
        self.engine.write(Durable, move |tx| Ok(totp::begin(tx, user, &sealed)?)).await
    }

    async fn confirm_totp(
        &self,
        confirmation: &TotpConfirmation,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<bool> {
        let confirmation = confirmation.clone();
        self.with_jobs(jobs, Some(entry), move |tx| totp::confirm(tx, &confirmation), |done| *done).await
    }

    async fn use_totp_step(&self, user: UserId, step: u64) -> PortResult<bool> {
        self.engine.write(Durable, move |tx| Ok(totp::use_step(tx, user, step)?)).await
    }

    async fn use_recovery_code(
        &self,
        user: UserId,
        hash: &[u8; 32],
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<Option<u32>> {
        let hash = *hash;
        let work = move |tx: &Tx<'_>| totp::use_recovery_code(tx, user, &hash);
        self.with_jobs(jobs, Some(entry), work, Option::is_some).await
    }

    async fn remove_totp(
        &self,
        user: UserId,
        jobs: &[NewJob],
        entry: Option<&AuditEntry>,
    ) -> PortResult<bool> {
        self.with_jobs(jobs, entry, move |tx| totp::remove(tx, user), |done| *done).await
    }

    async fn is_device_of(&self, key: &AddressKey, hash: &[u8; 32]) -> PortResult<bool> {
        let (key, hash) = (key.clone(), *hash);
        self.engine.read(move |connection| Ok(devices::is_of(connection, &key, &hash)?)).await
    }

    async fn note_device(
        &self,
        user: UserId,
        hashes: &[[u8; 32]],
        at: Timestamp,
        jobs: &[NewJob],
    ) -> PortResult<bool> {
        let hashes = hashes.to_vec();
        self.with_jobs(jobs, None, move |tx| devices::note(tx, user, &hashes, at), |new| *new).await
    }

    async fn schedule_deletion(
        &self,
        user: UserId,
        deletes_at: Timestamp,
        at: Timestamp,
        jobs: &[NewJob],
    ) -> Result<bool, ChangeUserError> {
        let jobs = jobs.to_vec();
        self.engine
            .write(Durable, move |tx| {
                let done = deletion::schedule(tx, user, deletes_at, at)?;
                if done {
                    outbox::push(tx, &jobs)?;
                }
                Ok(done)
            })
            .await
    }

    async fn cancel_deletion(&self, user: UserId, jobs: &[NewJob]) -> PortResult<bool> {
        self.with_jobs(jobs, None, move |tx| deletion::cancel(tx, user), |done| *done).await
    }

    async fn list_due_deletions(&self, now: Timestamp, limit: u32) -> PortResult<Vec<(UserId, Timestamp)>> {
        self.engine.read(move |connection| Ok(deletion::due(connection, now, limit)?)).await
    }

    async fn delete_user(
        &self,
        user: UserId,
        deletes_at: Timestamp,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<bool> {
        self.with_jobs(jobs, Some(entry), move |tx| deletion::delete(tx, user, deletes_at), |done| *done)
            .await
    }

    async fn list_sealed_totp(
        &self,
        after: Option<UserId>,
        limit: u32,
    ) -> PortResult<Vec<(UserId, Vec<u8>)>> {
        self.engine.read(move |connection| Ok(totp::list_sealed(connection, after, limit)?)).await
    }

    async fn reseal_totp(&self, user: UserId, old: &[u8], new: &[u8]) -> PortResult<bool> {
        let (old, new) = (old.to_vec(), new.to_vec());
        self.engine.write(Durable, move |tx| Ok(totp::reseal(tx, user, &old, &new)?)).await
    }
}

impl AuthDb {
    /// Runs `work`, and puts `jobs` into the outbox and `entry` into the log if `counts` says that it came to something, in one commit.
    async fn with_jobs<T: Send + 'static>(
        &self,
        jobs: &[NewJob],
        entry: Option<&AuditEntry>,
        work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        counts: fn(&T) -> bool,
    ) -> PortResult<T> {
        let (jobs, entry) = (jobs.to_vec(), entry.cloned());
        self.engine
            .write(Durable, move |tx| {
                let outcome = work(tx)?;
                if counts(&outcome) {
                    if let Some(entry) = &entry {
                        audit::insert(tx, entry)?;
                    }
                    outbox::push(tx, &jobs)?;
                }
                Ok::<_, Abort<PortError>>(outcome)
            })
            .await
    }
}
