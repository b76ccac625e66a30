//! The audit log.

use async_trait::async_trait;
use common::auth::{AuditAction, AuditCredential, AuditEntry, AuditFilter, AuditStore};
use common::{AuditId, PortError, PortResult, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::AuthDb;
use crate::engine::{Abort, Durability, Tx, damaged};
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str = "id, at, actor, session, token, action, target, address, details";

/// Writes a line, in the commit of what it tells of.
pub(super) fn insert(tx: &Tx<'_>, entry: &AuditEntry) -> rusqlite::Result<()> {
    let (session, token) = match &entry.credential {
        Some(AuditCredential::Session(session)) => (Some(session.bytes()), None),
        Some(AuditCredential::Token(token)) => (None, Some(token.bytes())),
        None => (None, None),
    };
    tx.prepare_cached(&format!("INSERT INTO audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"))?
        .execute((
            entry.id.bytes(),
            entry.at.millis(),
            entry.actor.as_ref().map(|actor| actor.bytes()),
            session,
            token,
            entry.action.word(),
            &entry.target,
            &entry.address,
            serde_json::Value::Object(entry.details.clone()).to_string(),
        ))
        .map(drop)
}

#[async_trait]
impl AuditStore for AuthDb {
    async fn write_audit(&self, entries: &[AuditEntry]) -> PortResult<()> {
        let entries = entries.to_vec();
        self.engine
            .write(Durability::Durable, move |tx| {
                entries.iter().try_for_each(|entry| insert(tx, entry))?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<(Timestamp, AuditId)>,
        limit: u32,
    ) -> PortResult<Vec<AuditEntry>> {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        let mut add = |condition, value| {
            conditions.push(condition);
            values.push(value);
        };
        if let Some(actor) = filter.actor {
            add("actor = ?", Value::Blob(actor.bytes().to_vec()));
        }
        if let Some(action) = &filter.action {
            add("action = ?", Value::Text(action.clone()));
        }
        if let Some(from) = filter.from {
            add("at >= ?", Value::Integer(from.millis()));
        }
        if let Some(to) = filter.to {
            add("at < ?", Value::Integer(to.millis()));
        }
        // what follows the last line: earlier, or at the same time with a lesser id
        if let Some((at, id)) = after {
            add("at <= ?", Value::Integer(at.millis()));
            add("(at < ? OR id < ?)", Value::Integer(at.millis()));
            values.push(Value::Blob(id.bytes().to_vec()));
        }
        let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        values.push(Value::Integer(i64::from(limit)));
        self.engine
            .read(move |connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM audit WHERE {condition} ORDER BY at DESC, id DESC LIMIT ?"
                ))?;
                let lines = select.query_map(params_from_iter(values), entry)?;
                Ok(lines.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn remove_audit(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine
            .write(Durability::Durable, move |tx| {
                let removed = tx
                    .prepare_cached(
                        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY at, id LIMIT ?2)",
                    )?
                    .execute((before.millis(), limit))?;
                Ok::<_, Abort<PortError>>(u32::try_from(removed).unwrap_or(limit))
            })
            .await
    }
}

pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let credential = match (row.id_opt(3)?, row.id_opt(4)?) {
        (Some(session), _) => Some(AuditCredential::Session(session)),
        (None, Some(token)) => Some(AuditCredential::Token(token)),
        (None, None) => None,
    };
    Ok(AuditEntry {
        id: row.id(0)?,
        at: row.time(1)?,
        actor: row.id_opt(2)?,
        credential,
        action: row.word(5, AuditAction::parse)?,
        target: row.get(6)?,
        address: row.get(7)?,
        details: serde_json::from_str(row.get_ref(8)?.as_str()?)
            .map_err(|_| damaged("details that are no object"))?,
    })
}
