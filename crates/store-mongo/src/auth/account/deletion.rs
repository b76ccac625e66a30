use common::auth::ChangeUserError;
use common::{PortError, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::{codes, devices, sessions};
use crate::auth::groups::MEMBERS;
use crate::auth::sessions::{REFRESH_TOKENS, SESSIONS};
use crate::auth::tokens::TOKENS;
use crate::auth::users::{COUNT, COUNTERS, EMAILS, USERS, UserDoc};
use crate::auth::{admin, exports, identities};
use crate::engine::{Engine, Fault, TxResult};
use crate::value::{ToOid as _, id};

/// Sessions removed at once.
const BATCH: i64 = 500;

pub(super) async fn schedule(
    engine: &Engine,
    session: &mut ClientSession,
    user: UserId,
    deletes_at: Timestamp,
    at: Timestamp,
) -> TxResult<bool, ChangeUserError> {
    let users = engine.collection::<UserDoc>(USERS);
    let found = users.find_one(doc! { "_id": user.oid() }).session(&mut *session).await?;
    let found = found.map(UserDoc::read).transpose()?;
    let Some(found) = found.filter(|found| !found.disabled) else { return Ok(false) };
    admin::leave_an_administrator(engine, session, &found).await?;
    let wait = doc! { "$set": { "deletes_at": deletes_at.millis() } };
    users.update_one(doc! { "_id": user.oid() }, wait).session(&mut *session).await?;
    let (live, end) = sessions::revocation(user.oid(), None, at);
    engine.collection::<Document>(SESSIONS).update_many(live, end).session(&mut *session).await?;
    codes::remove_of(engine, session, user.oid()).await?;
    Ok(true)
}

pub(super) async fn cancel(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> TxResult<bool, PortError> {
    let cancelled = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "deletes_at": { "$ne": null } },
            doc! { "$unset": { "deletes_at": "" } },
        )
        .session(session)
        .await?;
    Ok(cancelled.matched_count == 1)
}

/// The account, its address, and the little that belongs to it. Its sessions may be many: see [`remove_sessions`].
pub(super) async fn delete(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
    deletes_at: Timestamp,
) -> TxResult<bool, PortError> {
    let removed = engine
        .collection::<Document>(USERS)
        .find_one_and_delete(doc! { "_id": user, "deletes_at": deletes_at.millis() })
        .session(&mut *session)
        .await?;
    let Some(removed) = removed else { return Ok(false) };
    engine.collection::<Document>(EMAILS).delete_many(doc! { "user": user }).session(&mut *session).await?;
    if !removed.get_bool("bootstrap").unwrap_or(false) {
        engine
            .collection::<Document>(COUNTERS)
            .update_one(doc! { "_id": COUNT }, doc! { "$inc": { "value": -1_i64 } })
            .session(&mut *session)
            .await?;
    }
    remove_belongings(engine, session, user).await?;
    Ok(true)
}

/// What is kept of an account, but for its sessions.
pub(in crate::auth) async fn remove_belongings(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> Result<(), Fault> {
    for collection in [TOKENS, MEMBERS] {
        let collection = engine.collection::<Document>(collection);
        collection.delete_many(doc! { "user": user }).session(&mut *session).await?;
    }
    codes::remove_of(engine, session, user).await?;
    identities::remove_of(engine, session, user).await?;
    exports::remove_of(engine, session, user).await?;
    Ok(devices::remove_of(engine, session, user).await?)
}

pub(super) async fn due(
    engine: &Engine,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(UserId, Timestamp)>, Fault> {
    #[derive(Deserialize)]
    struct Due {
        #[serde(rename = "_id")]
        id: ObjectId,
        deletes_at: i64,
    }
    if limit == 0 {
        return Ok(Vec::new());
    }
    let found: Vec<Due> = engine
        .collection::<Due>(USERS)
        .find(doc! { "deletes_at": { "$gt": i64::MIN, "$lte": now.millis() } })
        .projection(doc! { "_id": 1, "deletes_at": 1 })
        .sort(doc! { "deletes_at": 1, "_id": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    Ok(found.into_iter().map(|due| (id(due.id), Timestamp::from_millis(due.deletes_at))).collect())
}

/// All sessions of an account that has gone. They are good for nothing since then; what is left of them here would be swept when it has expired.
pub(super) async fn remove_sessions(engine: &Engine, user: ObjectId) -> Result<(), Fault> {
    let sessions = engine.collection::<Document>(SESSIONS);
    loop {
        let some: Vec<Document> = sessions
            .find(doc! { "user": user })
            .projection(doc! { "_id": 1 })
            .limit(BATCH)
            .max_time(engine.deadline())
            .await?
            .try_collect()
            .await?;
        let some: Vec<ObjectId> = some.iter().filter_map(|one| one.get_object_id("_id").ok()).collect();
        if some.is_empty() {
            return Ok(());
        }
        let tokens = engine.collection::<Document>(REFRESH_TOKENS);
        tokens.delete_many(doc! { "session": { "$in": &some } }).await?;
        sessions.delete_many(doc! { "_id": { "$in": some } }).await?;
    }
}
