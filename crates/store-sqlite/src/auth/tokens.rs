//! API tokens.

use async_trait::async_trait;
use common::auth::{ApiToken, AuditEntry, CreateTokenError, Scopes, TokenHash, TokenStore};
use common::jobs::NewJob;
use common::{PortError, PortResult, Timestamp, TokenId, UserId};
use rusqlite::{OptionalExtension as _, Row};

use super::{AuthDb, audit, users};
use crate::engine::{Abort, Durability, Tx};
use crate::outbox;
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str =
    "id, user, name, hash, scopes, folder, created_at, expires_at, revoked_at, last_used_at";

pub(super) fn insert(tx: &Tx<'_>, token: &ApiToken) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO api_tokens ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?
    .execute((
        token.id.bytes(),
        token.user.bytes(),
        &token.name,
        token.hash,
        token.scopes.to_string(),
        token.folder.as_ref().map(|folder| folder.bytes()),
        token.created_at.millis(),
        token.expires_at.map(Timestamp::millis),
        token.revoked_at.map(Timestamp::millis),
        token.last_used_at.map(Timestamp::millis),
    ))
    .map(drop)
}

/// Ends all live tokens of an account.
pub(super) fn revoke_all(tx: &Tx<'_>, user: UserId, at: Timestamp) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "UPDATE api_tokens SET revoked_at = ?2
         WHERE user = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)",
    )?
    .execute((user.bytes(), at.millis()))
}

#[async_trait]
impl TokenStore for AuthDb {
    async fn create_token(
        &self,
        token: &ApiToken,
        proof: &str,
        most: u32,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> Result<(), CreateTokenError> {
        let (token, jobs, entry) = (token.clone(), jobs.to_vec(), entry.clone());
        let proof = proof.to_owned();
        self.engine
            .write(Durability::Durable, move |tx| {
                if users::find(tx, token.user)?.is_none_or(|user| user.password_hash != proof) {
                    return Err(CreateTokenError::Conflict.into());
                }
                let live: u32 = tx
                    .prepare_cached(
                        "SELECT count(*) FROM api_tokens
                         WHERE user = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)",
                    )?
                    .query_row((token.user.bytes(), token.created_at.millis()), |row| row.get(0))?;
                if live >= most {
                    return Err(CreateTokenError::TooMany.into());
                }
                insert(tx, &token)?;
                audit::insert(tx, &entry)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn find_token(&self, hash: &TokenHash) -> PortResult<Option<ApiToken>> {
        let hash = *hash;
        self.engine
            .read(move |connection| {
                Ok(connection
                    .prepare_cached(&format!("SELECT {COLUMNS} FROM api_tokens WHERE hash = ?1"))?
                    .query_row([hash], token)
                    .optional()?)
            })
            .await
    }

    async fn list_tokens(&self, user: UserId) -> PortResult<Vec<ApiToken>> {
        self.engine
            .read(move |connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM api_tokens WHERE user = ?1 AND revoked_at IS NULL ORDER BY id DESC"
                ))?;
                let tokens = select.query_map([user.bytes()], token)?;
                Ok(tokens.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn revoke_token(
        &self,
        user: UserId,
        id: TokenId,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> PortResult<Option<TokenHash>> {
        let entry = entry.clone();
        self.engine
            .write(Durability::Durable, move |tx| {
                let found = tx
                    .prepare_cached("SELECT hash, revoked_at FROM api_tokens WHERE id = ?1 AND user = ?2")?
                    .query_row((id.bytes(), user.bytes()), |row| {
                        Ok((row.get::<_, TokenHash>(0)?, row.time_opt(1)?))
                    })
                    .optional()?;
                if let Some((_, None)) = found {
                    tx.prepare_cached("UPDATE api_tokens SET revoked_at = ?2 WHERE id = ?1")?
                        .execute((id.bytes(), at.millis()))?;
                    audit::insert(tx, &entry)?;
                }
                Ok::<_, Abort<PortError>>(found.map(|(hash, _)| hash))
            })
            .await
    }

    async fn note_token_uses(&self, uses: &[(TokenId, Timestamp)]) -> PortResult<()> {
        let uses = uses.to_vec();
        self.engine
            .write(Durability::Relaxed, move |tx| {
                let mut update = tx.prepare_cached(
                    "UPDATE api_tokens SET last_used_at = max(coalesce(last_used_at, ?2), ?2) WHERE id = ?1",
                )?;
                for (id, at) in &uses {
                    update.execute((id.bytes(), at.millis()))?;
                }
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn remove_ended_tokens(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine
            .write(Durability::Durable, move |tx| {
                let removed = tx
                    .prepare_cached(
                        "DELETE FROM api_tokens WHERE id IN
                         (SELECT id FROM api_tokens WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
                    )?
                    .execute((before.millis(), limit))?;
                Ok::<_, Abort<PortError>>(u32::try_from(removed).unwrap_or(limit))
            })
            .await
    }
}

pub(super) fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: row.id(0)?,
        user: row.id(1)?,
        name: row.get(2)?,
        hash: row.get(3)?,
        scopes: row.word(4, Scopes::parse)?,
        folder: row.id_opt(5)?,
        created_at: row.time(6)?,
        expires_at: row.time_opt(7)?,
        revoked_at: row.time_opt(8)?,
        last_used_at: row.time_opt(9)?,
    })
}
