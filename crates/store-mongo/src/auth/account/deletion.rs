use common::{PortError, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};

use super::{codes, devices, sessions};
use crate::auth::sessions::{REFRESH_TOKENS, SESSIONS};
use crate::auth::users::{COUNT, COUNTERS, EMAILS, USERS};
use crate::engine::{Engine, Fault, TxResult};

/// Sessions removed at once.
const BATCH: i64 = 500;

pub(super) async fn schedule(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
    deletes_at: Timestamp,
    at: Timestamp,
) -> TxResult<bool, PortError> {
    let scheduled = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "disabled": false, "deletes_at": null },
            doc! { "$set": { "deletes_at": deletes_at.millis() } },
        )
        .session(&mut *session)
        .await?;
    if scheduled.matched_count == 0 {
        return Ok(false);
    }
    let (live, end) = sessions::revocation(user, None, at);
    engine.collection::<Document>(SESSIONS).update_many(live, end).session(&mut *session).await?;
    codes::remove_of(engine, session, user).await?;
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
    codes::remove_of(engine, session, user).await?;
    devices::forget(engine, session, user).await?;
    Ok(true)
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
