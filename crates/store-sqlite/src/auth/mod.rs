//! `auth.db`: accounts, sessions, signing keys.

mod account;
mod admin;
mod audit;
mod exports;
mod groups;
mod identities;
mod invitations;
mod portable;
mod sessions;
mod tokens;
mod users;

use std::path::Path;

use async_trait::async_trait;
use common::auth::{
    AddressKey, AuditEntry, AuthStore, CreateUserError, RefreshOutcome, SealedKey, Session, User,
};
use common::jobs::NewJob;
use common::{PortError, PortResult, SessionId, SigningKeyId, Timestamp, UserId};

use crate::engine::{Abort, Durability, Engine, OpenOptions, Schema, Tx};
use crate::row::RowExt as _;
use crate::{keyed, outbox};

pub(crate) const SCHEMA: Schema = Schema {
    name: "auth",
    application_id: 0x464d_0001,
    migrations: &[
        include_str!("../../migrations/auth/001.sql"),
        include_str!("../../migrations/auth/002.sql"),
        include_str!("../../migrations/auth/003.sql"),
        include_str!("../../migrations/auth/004.sql"),
        include_str!("../../migrations/auth/005.sql"),
        include_str!("../../migrations/auth/006.sql"),
        include_str!("../../migrations/auth/007.sql"),
        include_str!("../../migrations/auth/008.sql"),
    ],
};

/// The database of auth-service: an [`AuthStore`] and its [`common::jobs::Outbox`].
pub struct AuthDb {
    engine: Engine,
}

impl AuthDb {
    /// Opens or makes the file and brings it up to date. Blocks for as long as that takes.
    ///
    /// # Errors
    /// `Broken` if the file is another database, damaged, or written by a newer version; `Full` or `Unavailable` as the disk says.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> PortResult<Self> {
        Ok(Self { engine: Engine::open(path.as_ref(), &SCHEMA, options)? })
    }

    /// Finishes what waits and closes the file; later calls are `Unavailable`. Blocks. Dropping does the same.
    pub fn close(&self) {
        self.engine.close();
    }
}

outbox::impl_outbox!(AuthDb);
keyed::impl_keyed!(AuthDb);

fn insert_key(tx: &Tx<'_>, key: &SealedKey) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO signing_keys (id, public, sealed, created_at, retires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        key.id.bytes(),
        key.public,
        &key.sealed,
        key.created_at.millis(),
        key.retires_at.map(Timestamp::millis),
    ))
    .map(drop)
}

#[async_trait]
impl AuthStore for AuthDb {
    async fn create_user(&self, user: &User, jobs: &[NewJob]) -> Result<(), CreateUserError> {
        let (user, jobs) = (user.clone(), jobs.to_vec());
        self.engine
            .write(Durability::Durable, move |tx| {
                users::insert(tx, &user)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn create_first_admin(
        &self,
        user: &User,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateUserError> {
        let (user, jobs, entry) = (user.clone(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                if users::has_admin(tx)? {
                    return Err(CreateUserError::AlreadySetUp.into());
                }
                users::insert(tx, &user)?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn has_admin(&self) -> PortResult<bool> {
        self.engine.read(|connection| Ok(users::has_admin(connection)?)).await
    }

    async fn find_user(&self, id: UserId) -> PortResult<Option<User>> {
        self.engine.read(move |connection| Ok(users::find(connection, id)?)).await
    }

    async fn find_users(&self, ids: &[UserId]) -> PortResult<Vec<User>> {
        let ids = ids.to_vec();
        self.engine.read(move |connection| Ok(users::find_all(connection, &ids)?)).await
    }

    async fn find_user_by_address(&self, key: &AddressKey) -> PortResult<Option<User>> {
        let key = key.clone();
        self.engine.read(move |connection| Ok(users::find_by_address(connection, &key)?)).await
    }

    async fn upgrade_password_hash(&self, id: UserId, old: &str, new: &str) -> PortResult<bool> {
        let (old, new) = (old.to_owned(), new.to_owned());
        self.engine
            .write(Durability::Durable, move |tx| {
                let changed = tx
                    .prepare_cached(
                        "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
                    )?
                    .execute((id.bytes(), old, new))?;
                Ok::<_, Abort<PortError>>(changed == 1)
            })
            .await
    }

    async fn count_users(&self) -> PortResult<u64> {
        self.engine
            .read(|connection| {
                let mut select =
                    connection.prepare_cached("SELECT value FROM counters WHERE name = 'users'")?;
                Ok(select.query_row([], |row| row.count(0))?)
            })
            .await
    }

    async fn create_session(&self, session: &Session) -> PortResult<()> {
        let session = session.clone();
        self.engine.write(Durability::Durable, move |tx| Ok(sessions::insert(tx, &session)?)).await
    }

    async fn find_session(&self, id: SessionId) -> PortResult<Option<Session>> {
        self.engine.read(move |connection| Ok(sessions::find(connection, id)?)).await
    }

    async fn revoke_session(&self, id: SessionId, at: Timestamp) -> PortResult<bool> {
        self.engine.write(Durability::Durable, move |tx| Ok(sessions::revoke(tx, id, at)?)).await
    }

    async fn rotate_refresh(
        &self,
        presented: &[u8; 32],
        new: &[u8; 32],
        at: Timestamp,
        expires_at: Timestamp,
    ) -> PortResult<RefreshOutcome> {
        let (presented, new) = (*presented, *new);
        self.engine
            .write(Durability::Durable, move |tx| Ok(sessions::rotate(tx, &presented, &new, at, expires_at)?))
            .await
    }

    async fn remove_ended_sessions(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.write(Durability::Durable, move |tx| Ok(sessions::remove_ended(tx, before, limit)?)).await
    }

    async fn add_signing_key(&self, key: &SealedKey) -> PortResult<()> {
        let key = key.clone();
        self.engine
            .write(Durability::Durable, move |tx| Ok::<_, Abort<PortError>>(insert_key(tx, &key)?))
            .await
    }

    async fn list_signing_keys(&self, now: Timestamp) -> PortResult<Vec<SealedKey>> {
        self.engine
            .read(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT id, public, sealed, created_at, retires_at FROM signing_keys
                     WHERE retires_at IS NULL OR retires_at > ?1 ORDER BY created_at DESC, id DESC",
                )?;
                let keys = select.query_map([now.millis()], |row| {
                    Ok(SealedKey {
                        id: row.id(0)?,
                        public: row.get(1)?,
                        sealed: row.get(2)?,
                        created_at: row.time(3)?,
                        retires_at: row.time_opt(4)?,
                    })
                })?;
                Ok(keys.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn reseal_signing_key(&self, id: SigningKeyId, old: &[u8], new: &[u8]) -> PortResult<bool> {
        let (old, new) = (old.to_vec(), new.to_vec());
        self.engine
            .write(Durability::Durable, move |tx| {
                let resealed = tx
                    .prepare_cached("UPDATE signing_keys SET sealed = ?3 WHERE id = ?1 AND sealed = ?2")?
                    .execute((id.bytes(), old, new))?;
                Ok::<_, Abort<PortError>>(resealed == 1)
            })
            .await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}
