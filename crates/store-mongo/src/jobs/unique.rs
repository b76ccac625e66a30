//! Unique keys: a document for each key, which names the job that took it last. A key is free when that job is not live any more, so that results need
//! not write it. Who takes it, or comes alive with it, writes its document in the transaction: of two that would, one is repeated and sees the other.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::doc::live;
use super::schema::{JOBS, KEYS};
use crate::engine::{Engine, Fault, statements};

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "_id")]
    key: String,
    job: ObjectId,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: ObjectId,
}

/// Takes keys for jobs that are not live, one after another; for each the live job that has it, if there is one.
pub(super) async fn take(
    engine: &Engine,
    session: &mut ClientSession,
    wanted: &[(&str, ObjectId)],
) -> Result<Vec<Option<ObjectId>>, Fault> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut held = holders(engine, session, wanted).await?;
    let (mut holders, mut updates) = (Vec::new(), Vec::new());
    for (key, job) in wanted {
        let holder = held.get(key).copied();
        if holder.is_none() {
            held.insert(key, *job);
            updates.push(doc! {
                "q": { "_id": *key }, "u": { "$set": { "job": job }, "$inc": { "taken": 1_i64 } }, "upsert": true,
            });
        }
        holders.push(holder);
    }
    statements::update(engine, session, KEYS, updates).await?;
    Ok(holders)
}

/// The live jobs that have the keys.
async fn holders<'k>(
    engine: &Engine,
    session: &mut ClientSession,
    wanted: &[(&'k str, ObjectId)],
) -> Result<HashMap<&'k str, ObjectId>, Fault> {
    let names: HashSet<&str> = wanted.iter().map(|(key, _)| *key).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let keys = engine.collection::<Key>(KEYS);
    let mut found = keys.find(doc! { "_id": { "$in": names } }).session(&mut *session).await?;
    let found: Vec<Key> = found.stream(&mut *session).try_collect().await?;
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let jobs: Vec<ObjectId> = found.iter().map(|key| key.job).collect();
    let mut alive = engine
        .collection::<Id>(JOBS)
        .find(doc! { "_id": { "$in": jobs }, "state": live() })
        .projection(doc! { "_id": 1 })
        .session(&mut *session)
        .await?;
    let alive: Vec<Id> = alive.stream(session).try_collect().await?;
    let alive: HashSet<ObjectId> = alive.into_iter().map(|job| job.id).collect();
    let taken: HashMap<String, ObjectId> =
        found.into_iter().filter(|key| alive.contains(&key.job)).map(|key| (key.key, key.job)).collect();
    Ok(wanted.iter().filter_map(|(key, _)| taken.get(*key).map(|job| (*key, *job))).collect())
}

/// Forgets keys that removed jobs took last.
pub(super) async fn forget(engine: &Engine, jobs: &[ObjectId]) -> Result<(), Fault> {
    engine.collection::<Document>(KEYS).delete_many(doc! { "job": { "$in": jobs.to_vec() } }).await?;
    Ok(())
}
