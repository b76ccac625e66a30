use common::auth::{RefreshOutcome, RefreshStanding, RefreshToken, Session, SessionKind};
use common::{PortError, PortResult, SessionId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use crate::engine::{Abort, Engine, Fault, is_duplicate};
use crate::value::{ToOid as _, binary, fixed, id};

pub(super) const SESSIONS: &str = "sessions";
/// Every refresh token that a session has had, so that a second use of any of them is seen.
pub(super) const REFRESH_TOKENS: &str = "refresh_tokens";

#[derive(Serialize, Deserialize)]
pub(super) struct SessionDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    user: ObjectId,
    kind: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    /// The earlier of both.
    ended_at: i64,
    device: Option<String>,
    address: Option<String>,
    refresh_hash: Option<Binary>,
    /// Absent until it is noted. Version 1.0 knows nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_used_at: Option<i64>,
}

impl SessionDoc {
    fn of(session: &Session) -> Self {
        let ends = [Some(session.expires_at), session.revoked_at];
        Self {
            id: session.id.oid(),
            user: session.user.oid(),
            kind: session.kind.word().to_owned(),
            created_at: session.created_at.millis(),
            expires_at: session.expires_at.millis(),
            revoked_at: session.revoked_at.map(Timestamp::millis),
            ended_at: ends.into_iter().flatten().min().unwrap_or(session.expires_at).millis(),
            device: session.device.clone(),
            address: session.address.clone(),
            refresh_hash: session.refresh_hash.as_ref().map(|hash| binary(hash)),
            last_used_at: None,
        }
    }

    pub(super) fn read(self) -> Result<Session, Fault> {
        Ok(Session {
            id: id(self.id),
            user: id(self.user),
            kind: SessionKind::parse(&self.kind).ok_or(Fault::Damaged("an unknown kind of session"))?,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
            device: self.device,
            address: self.address,
            refresh_hash: self.refresh_hash.as_ref().map(fixed).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct TokenDoc {
    #[serde(rename = "_id")]
    hash: Binary,
    session: ObjectId,
    /// The token that it was given for, and when. Absent in the first of a session, and in those that version 1.0 wrote, which knows nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_for: Option<Binary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_at: Option<i64>,
}

impl TokenDoc {
    fn of(token: &RefreshToken, session: ObjectId) -> Self {
        Self {
            hash: binary(&token.hash),
            session,
            given_for: token.given.map(|(hash, _)| binary(&hash)),
            given_at: token.given.map(|(_, at)| at.millis()),
        }
    }

    fn read(self) -> Result<(ObjectId, RefreshToken), Fault> {
        let given_for = self.given_for.as_ref().map(fixed).transpose()?;
        let given = given_for.zip(self.given_at.map(Timestamp::from_millis));
        Ok((self.session, RefreshToken { hash: fixed(&self.hash)?, given }))
    }
}

pub(super) async fn insert(engine: &Engine, session: &Session) -> PortResult<()> {
    let Some(hash) = &session.refresh_hash else {
        return engine
            .write(async {
                engine.collection(SESSIONS).insert_one(SessionDoc::of(session)).await?;
                Ok(())
            })
            .await;
    };
    engine
        .transact(&[], |mut tx| async move {
            engine.collection(SESSIONS).insert_one(SessionDoc::of(session)).session(tx.session()).await?;
            let token = TokenDoc::of(&RefreshToken { hash: *hash, given: None }, session.id.oid());
            engine.collection(REFRESH_TOKENS).insert_one(token).session(tx.session()).await?;
            Ok::<_, Abort<PortError>>(())
        })
        .await
}

pub(super) async fn find(engine: &Engine, id: ObjectId) -> Result<Option<Session>, Fault> {
    let found = engine.collection::<SessionDoc>(SESSIONS).find_one(doc! { "_id": id }).await?;
    found.map(SessionDoc::read).transpose()
}

/// False if it is unknown, or was ended before.
pub(super) async fn revoke(engine: &Engine, id: ObjectId, at: Timestamp) -> Result<bool, Fault> {
    let changed = engine
        .collection::<Document>(SESSIONS)
        .update_one(
            doc! { "_id": id, "revoked_at": null },
            doc! { "$set": { "revoked_at": at.millis() }, "$min": { "ended_at": at.millis() } },
        )
        .await?;
    Ok(changed.modified_count == 1)
}

pub(super) async fn rotate(
    engine: &Engine,
    presented: &[u8; 32],
    new: &[u8; 32],
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<RefreshOutcome, Fault> {
    let Some((id, token)) = find_token(engine, presented).await? else {
        return Ok(RefreshOutcome::Unknown);
    };
    let reused = RefreshOutcome::Reused(self::id::<SessionId>(id));
    let mut is_remembered = false;
    // again if it was renewed by another call meanwhile: once, since then this token is current no more, and twice if that one's successor was used at once
    loop {
        let session = find(engine, id).await?;
        let current = session.as_ref().and_then(|session| session.refresh_hash);
        let (Some(session), Some(current)) = (session, current) else { return Ok(RefreshOutcome::Unknown) };
        let Some((_, current)) = find_token(engine, &current).await? else {
            return Ok(RefreshOutcome::Unknown);
        };
        let next = match (token.standing(&current, at), session.is_live(at)) {
            (RefreshStanding::Current, true) => new,
            (RefreshStanding::Before, true) => &current.hash,
            (RefreshStanding::Current, false) => return Ok(RefreshOutcome::Unknown),
            (RefreshStanding::Before | RefreshStanding::Used, false) => return Ok(reused),
            (RefreshStanding::Used, true) => {
                revoke(engine, id, at).await?;
                return Ok(reused);
            }
        };
        if !is_remembered {
            // before it counts: nobody has it yet
            remember(engine, &RefreshToken { hash: *new, given: Some((*presented, at)) }, id).await?;
            is_remembered = true;
        }
        if let Some(session) = renew(engine, id, &current.hash, next, at, expires_at).await? {
            return Ok(RefreshOutcome::Rotated(session));
        }
    }
}

/// Makes `next` the session's token if `current` still is, and the session lives: one document, one change.
async fn renew(
    engine: &Engine,
    id: ObjectId,
    current: &[u8; 32],
    next: &[u8; 32],
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<Option<Session>, Fault> {
    let current = doc! {
        "_id": id, "refresh_hash": binary(current), "revoked_at": null, "expires_at": { "$gt": at.millis() },
    };
    let end = expires_at.millis();
    let next = doc! { "refresh_hash": binary(next), "expires_at": end, "ended_at": end };
    let renewed = engine
        .collection::<SessionDoc>(SESSIONS)
        .find_one_and_update(current, doc! { "$set": next })
        .return_document(ReturnDocument::After)
        .await?;
    renewed.map(SessionDoc::read).transpose()
}

async fn find_token(engine: &Engine, hash: &[u8; 32]) -> Result<Option<(ObjectId, RefreshToken)>, Fault> {
    let tokens = engine.collection::<TokenDoc>(REFRESH_TOKENS);
    tokens.find_one(doc! { "_id": binary(hash) }).await?.map(TokenDoc::read).transpose()
}

async fn remember(engine: &Engine, token: &RefreshToken, session: ObjectId) -> Result<(), Fault> {
    let tokens = engine.collection::<TokenDoc>(REFRESH_TOKENS);
    match tokens.insert_one(TokenDoc::of(token, session)).await {
        Err(error) if is_duplicate(&error) => Err(Fault::Damaged("a refresh token that was given before")),
        result => Ok(result.map(drop)?),
    }
}

pub(super) async fn remove_ended(engine: &Engine, before: Timestamp, limit: u32) -> Result<u32, Fault> {
    if limit == 0 {
        return Ok(0);
    }
    let sessions = engine.collection::<Document>(SESSIONS);
    let ended: Vec<Document> = sessions
        .find(doc! { "ended_at": { "$lt": before.millis() } })
        .projection(doc! { "_id": 1 })
        .sort(doc! { "ended_at": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    let ended: Vec<ObjectId> = ended.iter().filter_map(|session| session.get_object_id("_id").ok()).collect();
    if ended.is_empty() {
        return Ok(0);
    }
    // tokens first: those of a session that is gone would stay for ever
    let tokens = engine.collection::<Document>(REFRESH_TOKENS);
    tokens.delete_many(doc! { "session": { "$in": &ended } }).await?;
    let removed = sessions
        .delete_many(doc! { "_id": { "$in": ended }, "ended_at": { "$lt": before.millis() } })
        .await?;
    Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
}
