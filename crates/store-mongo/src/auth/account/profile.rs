use common::Timestamp;
use common::auth::{Account, AddressKey, Totp};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::auth::users::{EMAILS, EmailDoc, USERS, UserDoc};
use crate::engine::{Engine, Fault};
use crate::value::{count, int};

/// What version 1.1 adds to a document of users. Documents that it has not changed lack all of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MoreDoc {
    disabled: bool,
    verified_at: Option<i64>,
    name: Option<String>,
    preferences: Option<String>,
    revision: i64,
    totp: Option<Binary>,
    totp_confirmed_at: Option<i64>,
    totp_step: i64,
    deletes_at: Option<i64>,
}

pub(super) async fn find(engine: &Engine, id: ObjectId) -> Result<Option<Account>, Fault> {
    let found = engine.collection::<Document>(USERS).find_one(doc! { "_id": id }).await?;
    found.map(account).transpose()
}

pub(super) async fn find_by_address(engine: &Engine, key: &AddressKey) -> Result<Option<Account>, Fault> {
    let email = engine.collection::<EmailDoc>(EMAILS).find_one(doc! { "_id": key.as_str() }).await?;
    match email {
        Some(email) => find(engine, email.user).await,
        None => Ok(None),
    }
}

pub(super) async fn update(
    engine: &Engine,
    user: ObjectId,
    revision: u64,
    name: Option<&str>,
    preferences: &Map<String, Value>,
) -> Result<bool, Fault> {
    let preferences =
        serde_json::to_string(preferences).map_err(|_| Fault::Damaged("preferences that are no JSON"))?;
    let mut filter = doc! { "_id": user, "revision": int(revision) };
    if revision == 0 {
        // null: it was never changed
        filter.insert("revision", doc! { "$in": [0_i64, null] });
    }
    let set = doc! { "name": name, "preferences": preferences, "revision": int(revision + 1) };
    let changed = engine.collection::<Document>(USERS).update_one(filter, doc! { "$set": set }).await?;
    Ok(changed.matched_count == 1)
}

pub(in crate::auth) fn account(found: Document) -> Result<Account, Fault> {
    let damaged = |_| Fault::Damaged("an account that cannot be read");
    let more: MoreDoc = mongodb::bson::deserialize_from_document(found.clone()).map_err(damaged)?;
    let user: UserDoc = mongodb::bson::deserialize_from_document(found).map_err(damaged)?;
    let totp = match more.totp {
        Some(sealed) => Some(Totp {
            sealed: sealed.bytes,
            confirmed_at: more.totp_confirmed_at.map(Timestamp::from_millis),
            last_step: count(more.totp_step)?,
        }),
        None => None,
    };
    let preferences = more.preferences.as_deref().map(serde_json::from_str).transpose();
    Ok(Account {
        user: user.read()?,
        blocked: more.disabled,
        verified_at: more.verified_at.map(Timestamp::from_millis),
        name: more.name,
        preferences: preferences
            .map_err(|_| Fault::Damaged("preferences that are no JSON"))?
            .unwrap_or_default(),
        revision: count(more.revision)?,
        totp,
        deletes_at: more.deletes_at.map(Timestamp::from_millis),
    })
}
