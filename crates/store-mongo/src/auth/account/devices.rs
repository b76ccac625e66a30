use common::Timestamp;
use common::auth::AddressKey;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::error::Error;
use serde::{Deserialize, Serialize};

use crate::auth::users::{EMAILS, EmailDoc};
use crate::engine::{Engine, Fault};
use crate::value::binary;

/// One document for each account.
pub(in crate::auth) const DEVICES: &str = "devices";
/// Devices that are kept of an account.
const KEPT: usize = 64;
/// Stands for devices that were forgotten. No device has this hash.
const SOME: [u8; 32] = [0; 32];

#[derive(Serialize, Deserialize)]
pub(in crate::auth) struct DevicesDoc {
    #[serde(rename = "_id")]
    pub(in crate::auth) user: ObjectId,
    pub(in crate::auth) devices: Vec<DeviceDoc>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::auth) struct DeviceDoc {
    pub(in crate::auth) hash: Binary,
    pub(in crate::auth) seen_at: i64,
}

pub(super) async fn is_of(engine: &Engine, key: &AddressKey, hash: &[u8; 32]) -> Result<bool, Fault> {
    let email = engine.collection::<EmailDoc>(EMAILS).find_one(doc! { "_id": key.as_str() }).await?;
    // asked whether there is an account or not
    let user = email.map_or(ObjectId::from_bytes([0; 12]), |email| email.user);
    let devices = engine.collection::<Document>(DEVICES);
    Ok(devices.find_one(doc! { "_id": user, "devices.hash": binary(hash) }).await?.is_some())
}

/// Whether it is new where others are known.
pub(super) async fn note(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
    hashes: &[[u8; 32]],
    at: Timestamp,
) -> Result<bool, Error> {
    let collection = engine.collection::<DevicesDoc>(DEVICES);
    let found = collection.find_one(doc! { "_id": user }).session(&mut *session).await?;
    let mut devices = found.map(|found| found.devices).unwrap_or_default();
    let any = !devices.is_empty();
    let mut known = false;
    for hash in hashes.iter().map(|hash| binary(hash)) {
        let before = devices.len();
        devices.retain(|device| device.hash != hash);
        known |= devices.len() < before;
        devices.push(DeviceDoc { hash, seen_at: at.millis() });
    }
    devices.sort_by_key(|device| std::cmp::Reverse(device.seen_at));
    devices.truncate(KEPT);
    collection
        .replace_one(doc! { "_id": user }, DevicesDoc { user, devices })
        .upsert(true)
        .session(session)
        .await?;
    Ok(any && !known && !hashes.is_empty())
}

/// Forgets all but those that go by these hashes. [`SOME`] stands for those that were known, so that the next other one is new.
pub(in crate::auth) async fn forget(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
    keep: &[[u8; 32]],
    at: Timestamp,
) -> Result<(), Error> {
    let collection = engine.collection::<DevicesDoc>(DEVICES);
    let found = collection.find_one(doc! { "_id": user }).session(&mut *session).await?;
    let mut devices = found.map(|found| found.devices).unwrap_or_default();
    if devices.is_empty() {
        return Ok(());
    }
    devices.retain(|device| keep.iter().any(|hash| device.hash == binary(hash)));
    devices.push(DeviceDoc { hash: binary(&SOME), seen_at: at.millis() });
    let doc = DevicesDoc { user, devices };
    collection.replace_one(doc! { "_id": user }, doc).session(session).await.map(drop)
}

pub(super) async fn remove_of(
    engine: &Engine,
    session: &mut ClientSession,
    user: ObjectId,
) -> Result<(), Error> {
    engine.collection::<Document>(DEVICES).delete_one(doc! { "_id": user }).session(session).await.map(drop)
}
