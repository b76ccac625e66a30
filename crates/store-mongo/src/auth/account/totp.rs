use common::Timestamp;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Array, Bson, Document, doc};
use mongodb::error::Error;
use mongodb::options::ReturnDocument;

use crate::auth::users::USERS;
use crate::engine::{Engine, Fault};
use crate::value::{binary, int};

pub(super) async fn begin(engine: &Engine, user: ObjectId, sealed: &[u8]) -> Result<bool, Fault> {
    let begun = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "totp_confirmed_at": null },
            doc! { "$set": { "totp": binary(sealed), "totp_step": 0_i64 } },
        )
        .await?;
    Ok(begun.matched_count == 1)
}

pub(super) async fn confirm(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
    sealed: &[u8],
    step: u64,
    recovery: &[[u8; 32]],
    at: Timestamp,
) -> Result<bool, Error> {
    let recovery: Array = recovery.iter().map(|hash| Bson::Binary(binary(hash))).collect();
    let set = doc! { "totp_confirmed_at": at.millis(), "totp_step": int(step), "recovery_codes": recovery };
    let confirmed = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "totp": binary(sealed), "totp_confirmed_at": null },
            doc! { "$set": set },
        )
        .session(session)
        .await?;
    Ok(confirmed.matched_count == 1)
}

pub(super) async fn use_step(engine: &Engine, user: ObjectId, step: u64) -> Result<bool, Fault> {
    let used = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "totp_confirmed_at": { "$ne": null }, "totp_step": { "$lt": int(step) } },
            doc! { "$set": { "totp_step": int(step) } },
        )
        .await?;
    Ok(used.matched_count == 1)
}

pub(super) async fn use_recovery_code(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
    hash: &[u8; 32],
) -> Result<Option<u32>, Error> {
    let after = engine
        .collection::<Document>(USERS)
        .find_one_and_update(
            doc! { "_id": user, "recovery_codes": binary(hash) },
            doc! { "$pull": { "recovery_codes": binary(hash) } },
        )
        .return_document(ReturnDocument::After)
        .session(session)
        .await?;
    let left = |after: Document| after.get_array("recovery_codes").map_or(0, Vec::len);
    Ok(after.map(|after| u32::try_from(left(after)).unwrap_or(u32::MAX)))
}

pub(super) async fn remove(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> Result<bool, Error> {
    let removed = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "totp": { "$ne": null } },
            doc! { "$unset": { "totp": "", "totp_confirmed_at": "", "totp_step": "", "recovery_codes": "" } },
        )
        .session(session)
        .await?;
    Ok(removed.matched_count == 1)
}
