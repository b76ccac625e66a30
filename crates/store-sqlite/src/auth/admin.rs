//! Accounts as administrators manage them.

use async_trait::async_trait;
use common::auth::{
    AuditEntry, ChangeUserError, CreateUserError, KeyAdmin, Role, SealedKey, User, UserAdmin, UserChange,
    UserFilter,
};
use common::files::Page;
use common::jobs::NewJob;
use common::{PortError, PortResult, Timestamp, UserId};
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::account::{codes, deletion, devices};
use super::{AuthDb, audit, identities, tokens, users};
use crate::engine::{Abort, Durability, Tx, TxResult};
use crate::outbox;
use crate::row::RowExt as _;

#[async_trait]
impl UserAdmin for AuthDb {
    async fn list_users(
        &self,
        filter: &UserFilter,
        before: Option<UserId>,
        limit: u32,
    ) -> PortResult<Page<User>> {
        let (mut conditions, mut values) = (vec!["1"], Vec::new());
        if let Some(text) = &filter.address {
            conditions.push("instr(address_key, ?) > 0");
            values.push(Value::Text(text.clone()));
        }
        if let Some(role) = filter.role {
            conditions.push("role = ?");
            values.push(Value::Text(role.word().to_owned()));
        }
        if let Some(disabled) = filter.disabled {
            // one that waits to be deleted is disabled as well
            conditions.push("(disabled OR deletes_at IS NOT NULL) = ?");
            values.push(Value::Integer(i64::from(disabled)));
        }
        let all = conditions.join(" AND ");
        let all_values = values.clone();
        if let Some(before) = before {
            conditions.push("id < ?");
            values.push(Value::Blob(before.bytes().to_vec()));
        }
        let page = conditions.join(" AND ");
        values.push(Value::Integer(i64::from(limit) + 1));
        self.engine
            .read(move |connection| {
                let mut count =
                    connection.prepare_cached(&format!("SELECT count(*) FROM users WHERE {all}"))?;
                let total = count.query_row(params_from_iter(all_values), |row| row.count(0))?;
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {} FROM users WHERE {page} ORDER BY id DESC LIMIT ?",
                    users::COLUMNS
                ))?;
                let items = select.query_map(params_from_iter(values), users::user)?;
                Ok(paged(items.collect::<Result<_, _>>()?, limit, total))
            })
            .await
    }

    async fn add_user(
        &self,
        user: &User,
        verified: bool,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateUserError> {
        let (user, jobs, entry) = (user.clone(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                users::insert(tx, &user)?;
                if verified {
                    users::verify(tx, user.id)?;
                }
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<User, ChangeUserError> {
        let (change, jobs, entry) = (*change, jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let before = users::find(tx, id)?.ok_or(ChangeUserError::NotFound)?;
                let after = change.apply(before.clone());
                if !is_active_admin(&after) {
                    leave_an_administrator(tx, &before)?;
                }
                // one that waits to be deleted is disabled without this column
                tx.prepare_cached(
                    "UPDATE users SET role = ?2, disabled = coalesce(?3, disabled) WHERE id = ?1",
                )?
                .execute((id.bytes(), after.role.word(), change.disabled))?;
                audit::insert(tx, &entry)?;
                outbox::push(tx, &jobs)?;
                Ok(users::find(tx, id)?.ok_or(ChangeUserError::NotFound)?)
            })
            .await
    }

    async fn reset_password(
        &self,
        id: UserId,
        password_hash: &str,
        at: Timestamp,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), ChangeUserError> {
        let (hash, jobs, entry) = (password_hash.to_owned(), jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let before = users::find(tx, id)?.ok_or(ChangeUserError::NotFound)?;
                tx.prepare_cached("UPDATE users SET password_hash = ?2 WHERE id = ?1")?
                    .execute((id.bytes(), hash))?;
                if before.password().is_some() {
                    identities::remove_of(tx, id)?;
                }
                end_sessions(tx, id, at)?;
                tokens::revoke_all(tx, id, at)?;
                codes::remove_of(tx, id)?;
                devices::forget(tx, id, &[], at)?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn end_sessions(&self, user: UserId, at: Timestamp, entry: &AuditEntry) -> PortResult<u64> {
        let entry = entry.clone();
        self.engine
            .write(Durability::Durable, move |tx| {
                let ended = end_sessions(tx, user, at)?;
                audit::insert(tx, &entry)?;
                Ok::<_, Abort<PortError>>(ended)
            })
            .await
    }

    async fn remove_user(
        &self,
        id: UserId,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), ChangeUserError> {
        let (jobs, entry) = (jobs.to_vec(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                let user = users::find(tx, id)?.ok_or(ChangeUserError::NotFound)?;
                leave_an_administrator(tx, &user)?;
                deletion::remove(tx, id, user.bootstrap)?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }
}

#[async_trait]
impl KeyAdmin for AuthDb {
    async fn rotate_signing_keys(&self, key: &SealedKey, alone: bool, entry: &AuditEntry) -> PortResult<()> {
        let (key, entry) = (key.clone(), entry.clone());
        self.engine
            .write(Durability::Durable, move |tx| {
                if alone {
                    tx.prepare_cached("DELETE FROM signing_keys")?.execute([])?;
                }
                super::insert_key(tx, &key)?;
                audit::insert(tx, &entry)?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }
}

/// A page of what was read with one more than asked for.
pub(super) fn paged<T>(mut items: Vec<T>, limit: u32, total: u64) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    Page { items, more, total }
}

fn is_active_admin(user: &User) -> bool {
    user.role == Role::Admin && !user.disabled
}

/// Refuses to lose `user`, if that is the only administrator who is neither disabled nor waits to be deleted.
pub(super) fn leave_an_administrator(tx: &Tx<'_>, user: &User) -> TxResult<(), ChangeUserError> {
    if !is_active_admin(user) {
        return Ok(());
    }
    let another = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM users
                            WHERE role = 'admin' AND disabled = 0 AND deletes_at IS NULL AND id <> ?1)",
        )?
        .query_row([user.id.bytes()], |row| row.get::<_, bool>(0))?;
    if another { Ok(()) } else { Err(ChangeUserError::LastAdministrator.into()) }
}

fn end_sessions(tx: &Tx<'_>, user: UserId, at: Timestamp) -> rusqlite::Result<u64> {
    let ended = tx
        .prepare_cached(
            "UPDATE sessions SET revoked_at = ?2 WHERE user = ?1 AND revoked_at IS NULL AND expires_at > ?2",
        )?
        .execute((user.bytes(), at.millis()))?;
    Ok(ended as u64)
}
