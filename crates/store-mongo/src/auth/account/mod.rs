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
use mongodb::bson::oid::ObjectId;
use serde_json::{Map, Value};

use super::users::{self, Office};
use super::{AuthDb, audit};
use crate::engine::{Abort, Index, Step, Tx, TxResult};
use crate::value::ToOid as _;

use codes::CODES;
use devices::DEVICES;

/// What the schema has for it.
pub(super) const STEPS: &[Step] = &[
    Step::Collection(CODES),
    Step::Index(Index::new(CODES, "user_1", &[("user", 1)])),
    Step::Index(Index::new(CODES, "expires_1", &[("expires_at", 1)])),
    Step::Collection(DEVICES),
    // the address of an account that is deleted
    Step::Index(Index::new(users::EMAILS, "user_1", &[("user", 1)])),
];

#[async_trait]
impl AccountStore for AuthDb {
    async fn list_sessions(
        &self,
        user: UserId,
        before: Option<SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<Vec<ListedSession>> {
        self.engine.run(sessions::list(&self.engine, user.oid(), before, limit, now)).await
    }

    async fn count_sessions(&self, user: UserId, now: Timestamp) -> PortResult<u64> {
        self.engine.run(sessions::count(&self.engine, user.oid(), now)).await
    }

    async fn revoke_sessions(&self, user: UserId, keep: Option<SessionId>, at: Timestamp) -> PortResult<u64> {
        self.engine.write_run(sessions::revoke_all(&self.engine, user.oid(), keep, at)).await
    }

    async fn note_session_uses(&self, uses: &[(SessionId, Timestamp)], apart: Duration) -> PortResult<()> {
        self.engine.run(sessions::note_uses(&self.engine, uses, apart)).await
    }

    async fn add_code(&self, code: &MailedCode, jobs: &[NewJob]) -> PortResult<()> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                codes::insert(engine, tx.session(), code).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn find_code(
        &self,
        hash: &[u8; 32],
        kind: CodeKind,
        now: Timestamp,
    ) -> PortResult<Option<MailedCode>> {
        self.engine.run(codes::find(&self.engine, hash, kind, now)).await
    }

    async fn remove_expired_codes(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(codes::remove_expired(&self.engine, before, limit)).await
    }

    async fn change_password(&self, change: &PasswordChange, jobs: &[NewJob]) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[change.user.oid()], |mut tx| async move {
                let done = password::change(engine, tx.session(), change).await?;
                self.tell_if(&mut tx, done, jobs, None).await?;
                Ok::<_, Abort<PortError>>(done)
            })
            .await
    }

    async fn find_account(&self, id: UserId) -> PortResult<Option<Account>> {
        self.engine.run(profile::find(&self.engine, id.oid())).await
    }

    async fn find_account_by_address(&self, key: &AddressKey) -> PortResult<Option<Account>> {
        self.engine.run(profile::find_by_address(&self.engine, key)).await
    }

    async fn create_user_with_code(
        &self,
        user: &User,
        code: &MailedCode,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        // as every sign-up: all of them change the count
        engine
            .transact(&[ObjectId::from_bytes([0; 12])], |mut tx| async move {
                users::insert(engine, tx.session(), user, Office::AsTheRoleSays).await?;
                codes::insert(engine, tx.session(), code).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn verify_address(
        &self,
        hash: &[u8; 32],
        at: Timestamp,
        entry: &AuditEntry,
    ) -> PortResult<Option<UserId>> {
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                let user = address::verify(engine, tx.session(), hash, at).await?;
                self.tell_if(&mut tx, user.is_some(), &[], Some(entry)).await?;
                Ok::<_, Abort<PortError>>(user)
            })
            .await
    }

    async fn change_address(
        &self,
        change: &AddressChange,
        jobs: &[NewJob],
    ) -> Result<Address, ChangeAddressError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[change.user.oid()], |mut tx| async move {
                let address = address::change(engine, tx.session(), change).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
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
        self.engine.write_run(profile::update(&self.engine, user.oid(), revision, name, preferences)).await
    }

    async fn begin_totp(&self, user: UserId, sealed: &[u8]) -> PortResult<bool> {
        self.engine.write_run(totp::begin(&self.engine, user.oid(), sealed)).await
    }

    async fn confirm_totp(
        &self,
        confirmation: &TotpConfirmation,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[confirmation.user.oid()], |mut tx| async move {
                let done = totp::confirm(engine, tx.session(), confirmation).await?;
                self.tell_if(&mut tx, done, jobs, Some(entry)).await?;
                Ok::<_, Abort<PortError>>(done)
            })
            .await
    }

    async fn use_totp_step(&self, user: UserId, step: u64) -> PortResult<bool> {
        self.engine.write_run(totp::use_step(&self.engine, user.oid(), step)).await
    }

    async fn use_recovery_code(
        &self,
        user: UserId,
        hash: &[u8; 32],
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<Option<u32>> {
        let _ring = self.outbox.ring_for(jobs);
        let (engine, user) = (&self.engine, user.oid());
        engine
            .transact(&[user], |mut tx| async move {
                let left = totp::use_recovery_code(engine, tx.session(), user, hash).await?;
                self.tell_if(&mut tx, left.is_some(), jobs, Some(entry)).await?;
                Ok::<_, Abort<PortError>>(left)
            })
            .await
    }

    async fn remove_totp(
        &self,
        user: UserId,
        jobs: &[NewJob],
        entry: Option<&AuditEntry>,
    ) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let (engine, user) = (&self.engine, user.oid());
        engine
            .transact(&[user], |mut tx| async move {
                let done = totp::remove(engine, tx.session(), user).await?;
                self.tell_if(&mut tx, done, jobs, entry).await?;
                Ok::<_, Abort<PortError>>(done)
            })
            .await
    }

    async fn is_device_of(&self, key: &AddressKey, hash: &[u8; 32]) -> PortResult<bool> {
        self.engine.run(devices::is_of(&self.engine, key, hash)).await
    }

    async fn note_device(
        &self,
        user: UserId,
        hashes: &[[u8; 32]],
        at: Timestamp,
        jobs: &[NewJob],
    ) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let (engine, user) = (&self.engine, user.oid());
        engine
            .transact(&[user], |mut tx| async move {
                let new = devices::note(engine, tx.session(), user, hashes, at).await?;
                self.tell_if(&mut tx, new, jobs, None).await?;
                Ok::<_, Abort<PortError>>(new)
            })
            .await
    }

    async fn schedule_deletion(
        &self,
        user: UserId,
        deletes_at: Timestamp,
        at: Timestamp,
        jobs: &[NewJob],
    ) -> Result<bool, ChangeUserError> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[user.oid()], |mut tx| async move {
                let done = deletion::schedule(engine, tx.session(), user, deletes_at, at).await?;
                if done {
                    self.outbox.push(engine, tx.session(), jobs).await?;
                }
                Ok(done)
            })
            .await
    }

    async fn cancel_deletion(&self, user: UserId, jobs: &[NewJob]) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let (engine, user) = (&self.engine, user.oid());
        engine
            .transact(&[user], |mut tx| async move {
                let done = deletion::cancel(engine, tx.session(), user).await?;
                self.tell_if(&mut tx, done, jobs, None).await?;
                Ok::<_, Abort<PortError>>(done)
            })
            .await
    }

    async fn list_due_deletions(&self, now: Timestamp, limit: u32) -> PortResult<Vec<(UserId, Timestamp)>> {
        self.engine.run(deletion::due(&self.engine, now, limit)).await
    }

    async fn delete_user(
        &self,
        user: UserId,
        deletes_at: Timestamp,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let (engine, user) = (&self.engine, user.oid());
        // it changes the count, as every sign-up does
        let keys = [ObjectId::from_bytes([0; 12]), user];
        let deleted = engine
            .transact(&keys, |mut tx| async move {
                let done = deletion::delete(engine, tx.session(), user, deletes_at).await?;
                self.tell_if(&mut tx, done, jobs, Some(entry)).await?;
                Ok::<_, Abort<PortError>>(done)
            })
            .await?;
        if deleted {
            engine.run(deletion::remove_sessions(engine, user)).await?;
        }
        Ok(deleted)
    }

    async fn list_sealed_totp(
        &self,
        after: Option<UserId>,
        limit: u32,
    ) -> PortResult<Vec<(UserId, Vec<u8>)>> {
        self.engine.run(totp::list_sealed(&self.engine, after, limit)).await
    }

    async fn reseal_totp(&self, user: UserId, old: &[u8], new: &[u8]) -> PortResult<bool> {
        self.engine.run(totp::reseal(&self.engine, user.oid(), old, new)).await
    }
}

impl AuthDb {
    /// Writes a line of the log and puts jobs into the outbox, if there is a change that they belong to.
    async fn tell_if(
        &self,
        tx: &mut Tx,
        done: bool,
        jobs: &[NewJob],
        entry: Option<&AuditEntry>,
    ) -> TxResult<(), PortError> {
        if done {
            if let Some(entry) = entry {
                audit::insert(&self.engine, tx.session(), std::slice::from_ref(entry)).await?;
            }
            self.outbox.push(&self.engine, tx.session(), jobs).await?;
        }
        Ok(())
    }
}
