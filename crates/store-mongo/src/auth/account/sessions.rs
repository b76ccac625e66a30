use std::time::Duration;

use common::auth::ListedSession;
use common::{SessionId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};

use crate::auth::sessions::{SESSIONS, SessionDoc};
use crate::engine::{Engine, Fault};
use crate::value::ToOid as _;

fn live(user: ObjectId, now: Timestamp) -> Document {
    doc! { "user": user, "revoked_at": null, "expires_at": { "$gt": now.millis() } }
}

pub(super) async fn list(
    engine: &Engine,
    user: ObjectId,
    before: Option<SessionId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ListedSession>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut filter = live(user, now);
    if let Some(before) = before {
        filter.insert("_id", doc! { "$lt": before.oid() });
    }
    let found: Vec<SessionDoc> = engine
        .collection(SESSIONS)
        .find(filter)
        .sort(doc! { "_id": -1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    found
        .into_iter()
        .map(|session| {
            let last_used_at = session.last_used_at.map(Timestamp::from_millis);
            Ok(ListedSession { session: session.read()?, last_used_at })
        })
        .collect()
}

pub(super) async fn count(engine: &Engine, user: ObjectId, now: Timestamp) -> Result<u64, Fault> {
    let sessions = engine.collection::<Document>(SESSIONS);
    Ok(sessions.count_documents(live(user, now)).max_time(engine.deadline()).await?)
}

pub(super) async fn revoke_all(
    engine: &Engine,
    user: ObjectId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> Result<u64, Fault> {
    let (filter, change) = revocation(user, keep, at);
    // no transaction: each session ends by itself, and what is left over by a failure ends when it is tried again
    let ended = engine.collection::<Document>(SESSIONS).update_many(filter, change).await?;
    Ok(ended.modified_count)
}

/// Filter and change that end the sessions of an account.
pub(super) fn revocation(user: ObjectId, keep: Option<SessionId>, at: Timestamp) -> (Document, Document) {
    let mut filter = live(user, at);
    if let Some(keep) = keep {
        filter.insert("_id", doc! { "$ne": keep.oid() });
    }
    (filter, doc! { "$set": { "revoked_at": at.millis() }, "$min": { "ended_at": at.millis() } })
}

pub(super) async fn note_uses(
    engine: &Engine,
    uses: &[(SessionId, Timestamp)],
    apart: Duration,
) -> Result<(), Fault> {
    let sessions = engine.collection::<Document>(SESSIONS);
    for (id, at) in uses {
        let due = (*at - apart).millis();
        let filter = doc! {
            "_id": id.oid(),
            "created_at": { "$lte": due },
            "$or": [{ "last_used_at": { "$lte": due } }, { "last_used_at": { "$exists": false } }],
        };
        sessions.update_one(filter, doc! { "$set": { "last_used_at": at.millis() } }).await?;
    }
    Ok(())
}
