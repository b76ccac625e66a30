//! Invitations.

use async_trait::async_trait;
use common::auth::{
    Address, AuditEntry, CreateUserError, Invitation, InvitationStore, Role, UseInvitationError, User,
};
use common::files::Page;
use common::jobs::NewJob;
use common::{InvitationId, PortError, PortResult, Timestamp};
use rusqlite::{OptionalExtension as _, Row};

use super::admin::paged;
use super::{AuthDb, audit, users};
use crate::engine::{Abort, Durability, Tx, damaged};
use crate::outbox;
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str = "id, hash, address, role, made_by, created_at, expires_at";

pub(super) fn insert(tx: &Tx<'_>, invitation: &Invitation) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!("INSERT INTO invitations ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))?
        .execute((
            invitation.id.bytes(),
            invitation.hash,
            invitation.address.as_ref().map(Address::as_str),
            invitation.role.word(),
            invitation.made_by.bytes(),
            invitation.created_at.millis(),
            invitation.expires_at.millis(),
        ))
        .map(drop)
}

#[async_trait]
impl InvitationStore for AuthDb {
    async fn create_invitation(
        &self,
        invitation: &Invitation,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<()> {
        let (invitation, jobs, entry) = (invitation.clone(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                insert(tx, &invitation)?;
                audit::insert(tx, &entry)?;
                outbox::push(tx, &jobs)?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn list_invitations(
        &self,
        now: Timestamp,
        before: Option<InvitationId>,
        limit: u32,
    ) -> PortResult<Page<Invitation>> {
        // above every id
        let before = before.map_or([0xff; 12], |before| *before.bytes());
        self.engine
            .read(move |connection| {
                let total = connection
                    .prepare_cached("SELECT count(*) FROM invitations WHERE expires_at > ?1")?
                    .query_row([now.millis()], |row| row.count(0))?;
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM invitations WHERE expires_at > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
                ))?;
                let items =
                    select.query_map((now.millis(), before, i64::from(limit) + 1), invitation)?;
                Ok(paged(items.collect::<Result<_, _>>()?, limit, total))
            })
            .await
    }

    async fn find_invitation(&self, hash: &[u8; 32], now: Timestamp) -> PortResult<Option<Invitation>> {
        let hash = *hash;
        self.engine
            .read(move |connection| {
                Ok(connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM invitations WHERE hash = ?1 AND expires_at > ?2"
                    ))?
                    .query_row((hash, now.millis()), invitation)
                    .optional()?)
            })
            .await
    }

    async fn delete_invitation(&self, id: InvitationId, entry: &AuditEntry) -> PortResult<bool> {
        let entry = entry.clone();
        self.engine
            .write(Durability::Durable, move |tx| {
                let gone =
                    tx.prepare_cached("DELETE FROM invitations WHERE id = ?1")?.execute([id.bytes()])?;
                if gone == 1 {
                    audit::insert(tx, &entry)?;
                }
                Ok::<_, Abort<PortError>>(gone == 1)
            })
            .await
    }

    async fn create_invited_user(
        &self,
        user: &User,
        hash: &[u8; 32],
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), UseInvitationError> {
        let (user, hash, jobs, entry) = (user.clone(), *hash, jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let found = tx
                    .prepare_cached(&format!(
                        "DELETE FROM invitations WHERE hash = ?1 AND expires_at > ?2 RETURNING {COLUMNS}"
                    ))?
                    .query_row((hash, user.created_at.millis()), invitation)
                    .optional()?;
                if !found.is_some_and(|invitation| is_for(&invitation, &user)) {
                    return Err(UseInvitationError::Invalid.into());
                }
                users::insert(tx, &user).map_err(|abort| match abort {
                    Abort::Rule(CreateUserError::Port(error)) => Abort::Rule(error.into()),
                    Abort::Rule(CreateUserError::AddressTaken | CreateUserError::AlreadySetUp) => {
                        Abort::Rule(UseInvitationError::AddressTaken)
                    }
                    Abort::Sql(error) => Abort::Sql(error),
                })?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn remove_ended_invitations(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine
            .write(Durability::Durable, move |tx| {
                let removed = tx
                    .prepare_cached(
                        "DELETE FROM invitations WHERE id IN
                         (SELECT id FROM invitations WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
                    )?
                    .execute((before.millis(), limit))?;
                Ok::<_, Abort<PortError>>(u32::try_from(removed).unwrap_or(limit))
            })
            .await
    }
}

/// Whether this account may be made with the invitation.
fn is_for(invitation: &Invitation, user: &User) -> bool {
    invitation.role == user.role
        && invitation.address.as_ref().is_none_or(|address| address.key() == user.address.key())
}

pub(super) fn invitation(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    let address: Option<String> = row.get(2)?;
    let address = address.map(|text| Address::parse(&text)).transpose();
    Ok(Invitation {
        id: row.id(0)?,
        hash: row.get(1)?,
        address: address.map_err(|_| damaged("an address that is none"))?,
        role: row.word(3, Role::parse)?,
        made_by: row.id(4)?,
        created_at: row.time(5)?,
        expires_at: row.time(6)?,
    })
}
