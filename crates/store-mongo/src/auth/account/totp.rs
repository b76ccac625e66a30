use common::UserId;
use common::auth::TotpConfirmation;
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Array, Binary, Bson, Document, doc};
use mongodb::error::Error;
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::{devices, sessions};
use crate::auth::sessions::SESSIONS;
use crate::auth::users::USERS;
use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, binary, id, int};

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
    confirmation: &TotpConfirmation,
) -> Result<bool, Error> {
    let TotpConfirmation { user, sealed, step, recovery, keep, keep_devices, at } = confirmation;
    let user = user.oid();
    let recovery: Array = recovery.iter().map(|hash| Bson::Binary(binary(hash))).collect();
    let set = doc! { "totp_confirmed_at": at.millis(), "totp_step": int(*step), "recovery_codes": recovery };
    let confirmed = engine
        .collection::<Document>(USERS)
        .update_one(
            doc! { "_id": user, "totp": binary(sealed), "totp_confirmed_at": null },
            doc! { "$set": set },
        )
        .session(&mut *session)
        .await?;
    if confirmed.matched_count == 0 {
        return Ok(false);
    }
    let (live, end) = sessions::revocation(user, *keep, *at);
    engine.collection::<Document>(SESSIONS).update_many(live, end).session(&mut *session).await?;
    devices::forget(engine, session, user, keep_devices, *at).await?;
    Ok(true)
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

pub(super) async fn list_sealed(
    engine: &Engine,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<(UserId, Vec<u8>)>, Fault> {
    #[derive(Deserialize)]
    struct Sealed {
        #[serde(rename = "_id")]
        id: ObjectId,
        totp: Binary,
    }
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut filter = doc! { "totp": { "$ne": null } };
    if let Some(after) = after {
        filter.insert("_id", doc! { "$gt": after.oid() });
    }
    let found: Vec<Sealed> = engine
        .collection::<Sealed>(USERS)
        .find(filter)
        .projection(doc! { "_id": 1, "totp": 1 })
        .sort(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    Ok(found.into_iter().map(|sealed| (id(sealed.id), sealed.totp.bytes)).collect())
}

pub(super) async fn reseal(engine: &Engine, user: ObjectId, old: &[u8], new: &[u8]) -> Result<bool, Fault> {
    let resealed = engine
        .collection::<Document>(USERS)
        .update_one(doc! { "_id": user, "totp": binary(old) }, doc! { "$set": { "totp": binary(new) } })
        .await?;
    Ok(resealed.matched_count == 1)
}
