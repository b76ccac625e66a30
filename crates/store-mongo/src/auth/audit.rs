//! The audit log.

use async_trait::async_trait;
use common::auth::{AuditAction, AuditCredential, AuditEntry, AuditFilter, AuditStore};
use common::{AuditId, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::AuthDb;
use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, id};

pub(super) const AUDIT: &str = "audit";

#[derive(Serialize, Deserialize)]
pub(super) struct EntryDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    at: i64,
    actor: Option<ObjectId>,
    session: Option<ObjectId>,
    token: Option<ObjectId>,
    action: String,
    target: Option<String>,
    address: Option<String>,
    /// JSON, which is not looked into here.
    details: String,
}

impl EntryDoc {
    pub(super) fn of(entry: &AuditEntry) -> Self {
        let (session, token) = match entry.credential {
            Some(AuditCredential::Session(session)) => (Some(session.oid()), None),
            Some(AuditCredential::Token(token)) => (None, Some(token.oid())),
            None => (None, None),
        };
        Self {
            id: entry.id.oid(),
            at: entry.at.millis(),
            actor: entry.actor.map(|actor| actor.oid()),
            session,
            token,
            action: entry.action.word().to_owned(),
            target: entry.target.clone(),
            address: entry.address.clone(),
            details: serde_json::Value::Object(entry.details.clone()).to_string(),
        }
    }

    pub(super) fn read(self) -> Result<AuditEntry, Fault> {
        let session = self.session.map(|session| AuditCredential::Session(id(session)));
        let token = self.token.map(|token| AuditCredential::Token(id(token)));
        Ok(AuditEntry {
            id: id(self.id),
            at: Timestamp::from_millis(self.at),
            actor: self.actor.map(id),
            credential: session.or(token),
            action: AuditAction::parse(&self.action).ok_or(Fault::Damaged("an unknown action"))?,
            target: self.target,
            address: self.address,
            details: serde_json::from_str(&self.details)
                .map_err(|_| Fault::Damaged("details that are no object"))?,
        })
    }
}

/// Writes lines, in the transaction of what they tell of.
pub(super) async fn insert(
    engine: &Engine,
    session: &mut ClientSession,
    entries: &[AuditEntry],
) -> Result<(), Fault> {
    if !entries.is_empty() {
        engine.collection(AUDIT).insert_many(entries.iter().map(EntryDoc::of)).session(session).await?;
    }
    Ok(())
}

#[async_trait]
impl AuditStore for AuthDb {
    async fn write_audit(&self, entries: &[AuditEntry]) -> PortResult<()> {
        self.engine
            .write_run(async {
                if !entries.is_empty() {
                    self.engine.collection(AUDIT).insert_many(entries.iter().map(EntryDoc::of)).await?;
                }
                Ok(())
            })
            .await
    }

    async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<(Timestamp, AuditId)>,
        limit: u32,
    ) -> PortResult<Vec<AuditEntry>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        if let Some(actor) = filter.actor {
            all.push(doc! { "actor": actor.oid() });
        }
        if let Some(action) = &filter.action {
            all.push(doc! { "action": action });
        }
        if let Some(from) = filter.from {
            all.push(doc! { "at": { "$gte": from.millis() } });
        }
        if let Some(to) = filter.to {
            all.push(doc! { "at": { "$lt": to.millis() } });
        }
        if let Some((at, last)) = after {
            let (at, last) = (at.millis(), last.oid());
            all.push(doc! { "at": { "$lte": at } });
            all.push(doc! { "$or": [{ "at": { "$lt": at } }, { "_id": { "$lt": last } }] });
        }
        let query = if all.is_empty() {
            doc! {}
        } else {
            doc! { "$and": all }
        };
        self.engine
            .run(async {
                let lines: Vec<EntryDoc> = self
                    .engine
                    .collection(AUDIT)
                    .find(query)
                    .sort(doc! { "at": -1, "_id": -1 })
                    .limit(i64::from(limit))
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                lines.into_iter().map(EntryDoc::read).collect()
            })
            .await
    }

    async fn remove_audit(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine
            .run(async {
                let lines = self.engine.collection::<Document>(AUDIT);
                let old: Vec<Document> = lines
                    .find(doc! { "at": { "$lt": before.millis() } })
                    .projection(doc! { "_id": 1 })
                    .sort(doc! { "at": 1, "_id": 1 })
                    .limit(i64::from(limit.max(1)))
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let old: Vec<_> = old.into_iter().filter_map(|mut line| line.remove("_id")).collect();
                let removed = lines.delete_many(doc! { "_id": { "$in": old } }).await?;
                Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
            })
            .await
    }
}
