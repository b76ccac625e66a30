//! Identities of accounts.

use async_trait::async_trait;
use common::auth::{
    AddIdentityError, AuditEntry, CreateIdentifiedError, CreateUserError, Identity, IdentityStore,
    MAX_IDENTITIES, RemoveIdentityError, User,
};
use common::jobs::NewJob;
use common::{IdentityId, PortError, PortResult, Timestamp, UserId};
use rusqlite::{OptionalExtension as _, Row};

use super::{AuthDb, audit, users};
use crate::engine::{Abort, Durability, Tx};
use crate::outbox;
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str = "id, user, issuer, subject, address, created_at, last_used_at";

#[async_trait]
impl IdentityStore for AuthDb {
    async fn find_identity(&self, issuer: &str, subject: &str) -> PortResult<Option<Identity>> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.engine
            .read(move |connection| {
                Ok(connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM identities WHERE issuer = ?1 AND subject = ?2"
                    ))?
                    .query_row((issuer, subject), identity)
                    .optional()?)
            })
            .await
    }

    async fn list_identities(&self, user: UserId) -> PortResult<Vec<Identity>> {
        self.engine
            .read(move |connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM identities WHERE user = ?1 ORDER BY id"
                ))?;
                let found = select.query_map([user.bytes()], identity)?;
                Ok(found.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn add_identity(
        &self,
        identity: &Identity,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), AddIdentityError> {
        let (identity, jobs, entry) = (identity.clone(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                if users::find(tx, identity.user)?.is_none() {
                    return Err(AddIdentityError::NoUser.into());
                }
                if count(tx, identity.user)? >= MAX_IDENTITIES {
                    return Err(AddIdentityError::TooMany.into());
                }
                if !insert(tx, &identity)? {
                    return Err(AddIdentityError::Taken.into());
                }
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn create_identified_user(
        &self,
        user: &User,
        identity: &Identity,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateIdentifiedError> {
        let (user, identity, jobs, entry) = (user.clone(), identity.clone(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                if !insert(tx, &identity)? {
                    return Err(CreateIdentifiedError::IdentityTaken.into());
                }
                users::insert(tx, &user).map_err(|abort| match abort {
                    Abort::Rule(CreateUserError::Port(error)) => Abort::Rule(error.into()),
                    Abort::Rule(CreateUserError::AddressTaken | CreateUserError::AlreadySetUp) => {
                        Abort::Rule(CreateIdentifiedError::AddressTaken)
                    }
                    Abort::Sql(error) => Abort::Sql(error),
                })?;
                users::verify(tx, user.id)?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn remove_identity(
        &self,
        user: UserId,
        id: IdentityId,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), RemoveIdentityError> {
        let (jobs, entry) = (jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let gone = tx
                    .prepare_cached("DELETE FROM identities WHERE id = ?1 AND user = ?2")?
                    .execute((id.bytes(), user.bytes()))?;
                if gone == 0 {
                    return Err(RemoveIdentityError::NotFound.into());
                }
                let has_password = users::find(tx, user)?.is_some_and(|user| user.password().is_some());
                if !has_password && count(tx, user)? == 0 {
                    return Err(RemoveIdentityError::LastWayIn.into());
                }
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn note_identity_use(
        &self,
        identity: &Identity,
        at: Timestamp,
        address: Option<&str>,
    ) -> PortResult<()> {
        let id = identity.id;
        let address = address.map(str::to_owned);
        self.engine
            .write(Durability::Relaxed, move |tx| {
                tx.prepare_cached("UPDATE identities SET last_used_at = ?2, address = ?3 WHERE id = ?1")?
                    .execute((id.bytes(), at.millis(), address))?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }
}

/// All that an account has.
pub(super) fn remove_of(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM identities WHERE user = ?1")?.execute([user.bytes()]).map(drop)
}

fn count(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<u64> {
    tx.prepare_cached("SELECT count(*) FROM identities WHERE user = ?1")?
        .query_row([user.bytes()], |row| row.count(0))
}

/// False if the subject is there already.
pub(super) fn insert(tx: &Tx<'_>, identity: &Identity) -> rusqlite::Result<bool> {
    let inserted = tx
        .prepare_cached(&format!(
            "INSERT INTO identities ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (issuer, subject) DO NOTHING"
        ))?
        .execute((
            identity.id.bytes(),
            identity.user.bytes(),
            &identity.issuer,
            &identity.subject,
            &identity.address,
            identity.created_at.millis(),
            identity.last_used_at.map(Timestamp::millis),
        ))?;
    Ok(inserted == 1)
}

pub(super) fn identity(row: &Row<'_>) -> rusqlite::Result<Identity> {
    Ok(Identity {
        id: row.id(0)?,
        user: row.id(1)?,
        issuer: row.get(2)?,
        subject: row.get(3)?,
        address: row.get(4)?,
        created_at: row.time(5)?,
        last_used_at: row.time_opt(6)?,
    })
}
