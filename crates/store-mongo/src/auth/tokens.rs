//! API tokens.

use async_trait::async_trait;
use common::auth::{ApiToken, AuditEntry, CreateTokenError, Scopes, TokenHash, TokenStore};
use common::jobs::NewJob;
use common::{PortError, PortResult, Timestamp, TokenId, UserId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use super::users::USERS;
use super::{AuthDb, audit};
use crate::engine::{Abort, Fault, statements};
use crate::value::{ToOid as _, binary, fixed, id};

pub(super) const TOKENS: &str = "api_tokens";

/// Its `_id` is the hash: what is looked up at requests, and what must be unique.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenDoc {
    #[serde(rename = "_id")]
    hash: Binary,
    token: ObjectId,
    user: ObjectId,
    name: String,
    scopes: String,
    folder: Option<ObjectId>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    /// The earlier of both; the greatest number for never.
    ended_at: i64,
    last_used_at: Option<i64>,
}

impl TokenDoc {
    pub(super) fn of(token: &ApiToken) -> Self {
        let ends = [token.expires_at, token.revoked_at];
        Self {
            hash: binary(&token.hash),
            token: token.id.oid(),
            user: token.user.oid(),
            name: token.name.clone(),
            scopes: token.scopes.to_string(),
            folder: token.folder.map(|folder| folder.oid()),
            created_at: token.created_at.millis(),
            expires_at: token.expires_at.map(Timestamp::millis),
            revoked_at: token.revoked_at.map(Timestamp::millis),
            ended_at: ends.into_iter().flatten().min().map_or(i64::MAX, Timestamp::millis),
            last_used_at: token.last_used_at.map(Timestamp::millis),
        }
    }

    pub(super) fn read(self) -> Result<ApiToken, Fault> {
        Ok(ApiToken {
            id: id(self.token),
            user: id(self.user),
            name: self.name,
            hash: fixed(&self.hash)?,
            scopes: Scopes::parse(&self.scopes).ok_or(Fault::Damaged("an unknown scope"))?,
            folder: self.folder.map(id),
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
            last_used_at: self.last_used_at.map(Timestamp::from_millis),
        })
    }
}

/// Filter and change that end all live tokens of an account.
pub(super) fn revocation(user: ObjectId, at: Timestamp) -> (Document, Document) {
    let live = doc! {
        "user": user, "revoked_at": null,
        "$or": [{ "expires_at": null }, { "expires_at": { "$gt": at.millis() } }],
    };
    (live, doc! { "$set": { "revoked_at": at.millis() }, "$min": { "ended_at": at.millis() } })
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
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[token.user.oid()], |mut tx| async move {
                // all that make a token of this account change its document, so they come one after another
                let owner = doc! { "_id": token.user.oid(), "password_hash": proof };
                let turn = engine
                    .collection::<Document>(USERS)
                    .update_one(owner, doc! { "$inc": { "tokens_made": 1_i64 } })
                    .session(tx.session())
                    .await?;
                if turn.matched_count == 0 {
                    return Err(CreateTokenError::Conflict.into());
                }
                let tokens = engine.collection::<TokenDoc>(TOKENS);
                let live = tokens
                    .count_documents(doc! {
                        "user": token.user.oid(), "revoked_at": null,
                        "$or": [{ "expires_at": null }, { "expires_at": { "$gt": token.created_at.millis() } }],
                    })
                    .session(tx.session())
                    .await?;
                if live >= u64::from(most) {
                    return Err(CreateTokenError::TooMany.into());
                }
                tokens.insert_one(TokenDoc::of(token)).session(tx.session()).await?;
                audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok(())
            })
            .await
    }

    async fn find_token(&self, hash: &TokenHash) -> PortResult<Option<ApiToken>> {
        self.engine
            .run(async {
                let tokens = self.engine.collection::<TokenDoc>(TOKENS);
                let found = tokens.find_one(doc! { "_id": binary(hash) }).await?;
                found.map(TokenDoc::read).transpose()
            })
            .await
    }

    async fn list_tokens(&self, user: UserId) -> PortResult<Vec<ApiToken>> {
        self.engine
            .run(async {
                let tokens: Vec<TokenDoc> = self
                    .engine
                    .collection(TOKENS)
                    .find(doc! { "user": user.oid(), "revoked_at": null })
                    .sort(doc! { "token": -1 })
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                tokens.into_iter().map(TokenDoc::read).collect()
            })
            .await
    }

    async fn revoke_token(
        &self,
        user: UserId,
        token: TokenId,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> PortResult<Option<TokenHash>> {
        let engine = &self.engine;
        engine
            .transact(&[user.oid()], |mut tx| async move {
                let tokens = engine.collection::<TokenDoc>(TOKENS);
                let this = doc! { "user": user.oid(), "token": token.oid() };
                let Some(found) = tokens.find_one(this).session(tx.session()).await? else { return Ok(None) };
                if found.revoked_at.is_none() {
                    let end =
                        doc! { "$set": { "revoked_at": at.millis() }, "$min": { "ended_at": at.millis() } };
                    tokens.update_one(doc! { "_id": &found.hash }, end).session(tx.session()).await?;
                    audit::insert(engine, tx.session(), std::slice::from_ref(entry)).await?;
                }
                Ok::<_, Abort<PortError>>(Some(fixed(&found.hash)?))
            })
            .await
    }

    async fn note_token_uses(&self, uses: &[(TokenId, Timestamp)]) -> PortResult<()> {
        let updates = uses.iter().map(|(token, at)| {
            doc! { "q": { "token": token.oid() }, "u": { "$max": { "last_used_at": at.millis() } } }
        });
        self.engine.run(statements::update_each(&self.engine, TOKENS, updates.collect())).await
    }

    async fn remove_ended_tokens(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine
            .run(async {
                let tokens = self.engine.collection::<Document>(TOKENS);
                let ended: Vec<Document> = tokens
                    .find(doc! { "ended_at": { "$lt": before.millis() } })
                    .projection(doc! { "_id": 1 })
                    .sort(doc! { "ended_at": 1 })
                    .limit(i64::from(limit.max(1)))
                    .max_time(self.engine.deadline())
                    .await?
                    .try_collect()
                    .await?;
                let ended: Vec<_> = ended.into_iter().filter_map(|mut token| token.remove("_id")).collect();
                let removed = tokens
                    .delete_many(doc! { "_id": { "$in": ended }, "ended_at": { "$lt": before.millis() } })
                    .await?;
                Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
            })
            .await
    }
}
