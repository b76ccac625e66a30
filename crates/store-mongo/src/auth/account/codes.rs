use common::Timestamp;
use common::auth::{Address, CodeKind, MailedCode};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, binary, fixed, id};

pub(super) const CODES: &str = "mailed_codes";

#[derive(Serialize, Deserialize)]
pub(super) struct CodeDoc {
    #[serde(rename = "_id")]
    hash: Binary,
    kind: String,
    user: Option<ObjectId>,
    address: Option<String>,
    other_hash: Option<Binary>,
    expires_at: i64,
}

impl CodeDoc {
    fn of(code: &MailedCode) -> Self {
        Self {
            hash: binary(&code.hash),
            kind: code.kind.word().to_owned(),
            user: code.user.map(|user| user.oid()),
            address: code.address.as_ref().map(|address| address.as_str().to_owned()),
            other_hash: code.other_hash.as_ref().map(|hash| binary(hash)),
            expires_at: code.expires_at.millis(),
        }
    }

    pub(super) fn read(self) -> Result<MailedCode, Fault> {
        let address = self.address.as_deref().map(Address::parse).transpose();
        Ok(MailedCode {
            hash: fixed(&self.hash)?,
            kind: CodeKind::parse(&self.kind).ok_or(Fault::Damaged("an unknown kind of code"))?,
            user: self.user.map(id),
            address: address.map_err(|_| Fault::Damaged("an address that is none"))?,
            other_hash: self.other_hash.as_ref().map(fixed).transpose()?,
            expires_at: Timestamp::from_millis(self.expires_at),
        })
    }
}

pub(super) async fn insert(
    engine: &Engine,
    session: &mut ClientSession,
    code: &MailedCode,
) -> Result<(), mongodb::error::Error> {
    if let (CodeKind::Email, Some(user)) = (code.kind, code.user) {
        let before = doc! { "user": user.oid(), "kind": CodeKind::Email.word() };
        engine.collection::<Document>(CODES).delete_many(before).session(&mut *session).await?;
    }
    engine.collection(CODES).insert_one(CodeDoc::of(code)).session(session).await.map(drop)
}

/// Codes of nobody are never found.
pub(super) fn live(hash: &[u8; 32], kind: CodeKind, now: Timestamp) -> Document {
    doc! {
        "_id": binary(hash), "kind": kind.word(), "user": { "$ne": null }, "expires_at": { "$gt": now.millis() },
    }
}

pub(super) async fn find(
    engine: &Engine,
    hash: &[u8; 32],
    kind: CodeKind,
    now: Timestamp,
) -> Result<Option<MailedCode>, Fault> {
    let found = engine.collection::<CodeDoc>(CODES).find_one(live(hash, kind, now)).await?;
    found.map(CodeDoc::read).transpose()
}

pub(super) async fn remove_expired(engine: &Engine, before: Timestamp, limit: u32) -> Result<u32, Fault> {
    if limit == 0 {
        return Ok(0);
    }
    let codes = engine.collection::<Document>(CODES);
    let expired: Vec<Document> = codes
        .find(doc! { "expires_at": { "$lt": before.millis() } })
        .projection(doc! { "_id": 1 })
        .sort(doc! { "expires_at": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    let expired: Vec<_> = expired.into_iter().filter_map(|mut code| code.remove("_id")).collect();
    if expired.is_empty() {
        return Ok(0);
    }
    let removed = codes.delete_many(doc! { "_id": { "$in": expired } }).await?;
    Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
}

/// All that an account has.
pub(in crate::auth) async fn remove_of(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> Result<(), mongodb::error::Error> {
    let codes = engine.collection::<Document>(CODES);
    codes.delete_many(doc! { "user": user }).session(session).await.map(drop)
}
