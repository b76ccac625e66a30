use common::webhooks::{
    Delivery, DeliveryAttempt, DeliveryPage, DeliveryPlace, DeliveryState, MAX_ATTEMPTS_KEPT, WebhookEvent,
};
use common::{DeliveryId, Timestamp, WebhookId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Fault, duplicates};
use crate::jobs::doc::{from_json, to_json};
use crate::jobs::schema::{COUNTERS, DELIVERIES, TOLD};
use crate::value::{ToOid as _, behind, count, id, int};

#[derive(Serialize, Deserialize)]
struct DeliveryDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    webhook: ObjectId,
    event: WebhookEvent,
    body: String,
    created_at: i64,
    state: DeliveryState,
    /// Each is JSON.
    attempts: Vec<String>,
    finished_at: Option<i64>,
}

impl DeliveryDoc {
    fn of(delivery: &Delivery) -> Result<Self, Fault> {
        Ok(Self {
            id: delivery.id.oid(),
            webhook: delivery.webhook.oid(),
            event: delivery.event,
            body: delivery.body.clone(),
            created_at: delivery.created_at.millis(),
            state: delivery.state,
            attempts: delivery.attempts.iter().map(to_json).collect::<Result<_, _>>()?,
            finished_at: delivery.finished_at.map(Timestamp::millis),
        })
    }

    fn read(self) -> Result<Delivery, Fault> {
        Ok(Delivery {
            id: id(self.id),
            webhook: id(self.webhook),
            event: self.event,
            body: self.body,
            created_at: Timestamp::from_millis(self.created_at),
            state: self.state,
            attempts: self.attempts.iter().map(|attempt| from_json(attempt)).collect::<Result<_, _>>()?,
            finished_at: self.finished_at.map(Timestamp::from_millis),
        })
    }
}

pub(super) async fn create(engine: &Engine, deliveries: &[Delivery]) -> Result<(), Fault> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let docs: Vec<DeliveryDoc> = deliveries.iter().map(DeliveryDoc::of).collect::<Result<_, _>>()?;
    duplicates(engine.collection(DELIVERIES).insert_many(docs).ordered(false).await).map(drop)
}

pub(super) async fn find(engine: &Engine, delivery: DeliveryId) -> Result<Option<Delivery>, Fault> {
    let found = engine.collection::<DeliveryDoc>(DELIVERIES).find_one(doc! { "_id": delivery.oid() }).await?;
    found.map(DeliveryDoc::read).transpose()
}

pub(super) async fn note(
    engine: &Engine,
    delivery: DeliveryId,
    attempt: Option<&DeliveryAttempt>,
    state: DeliveryState,
    now: Timestamp,
) -> Result<(), Fault> {
    let deliveries = engine.collection::<Document>(DELIVERIES);
    let kept = i32::try_from(MAX_ATTEMPTS_KEPT).unwrap_or(i32::MAX);
    let push = match attempt {
        Some(attempt) => Some(doc! { "attempts": { "$each": [to_json(attempt)?], "$slice": -kept } }),
        None => None,
    };
    let finished_at = (state != DeliveryState::Pending).then_some(now.millis());
    let mut change = doc! { "$set": { "state": state.word(), "finished_at": finished_at } };
    if let Some(push) = &push {
        change.insert("$push", push.clone());
    }
    let open = doc! { "_id": delivery.oid(), "state": { "$ne": DeliveryState::Delivered.word() } };
    if deliveries.update_one(open, change).await?.matched_count == 0
        && let Some(push) = push
    {
        deliveries.update_one(doc! { "_id": delivery.oid() }, doc! { "$push": push }).await?;
    }
    Ok(())
}

pub(super) async fn list(
    engine: &Engine,
    webhook: WebhookId,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<DeliveryPage, Fault> {
    let mut matching = doc! { "webhook": webhook.oid() };
    if let Some(place) = after {
        matching.insert("$or", behind(place.at, place.id));
    }
    let found = engine
        .collection::<DeliveryDoc>(DELIVERIES)
        .find(matching)
        .sort(doc! { "created_at": -1, "_id": -1 })
        .limit(i64::from(limit) + 1)
        .max_time(engine.deadline())
        .await?;
    let mut found: Vec<DeliveryDoc> = found.try_collect().await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok(DeliveryPage { items: found.into_iter().map(DeliveryDoc::read).collect::<Result<_, _>>()?, more })
}

pub(super) async fn forget(engine: &Engine, before: Timestamp, limit: u32) -> Result<u32, Fault> {
    forget_old(engine, DELIVERIES, before, limit).await
}

/// Removes up to `limit` documents of a collection that were made before `before`, oldest first.
pub(in crate::jobs) async fn forget_old(
    engine: &Engine,
    collection: &str,
    before: Timestamp,
    limit: u32,
) -> Result<u32, Fault> {
    #[derive(Deserialize)]
    struct Old {
        #[serde(rename = "_id")]
        id: ObjectId,
    }
    if limit == 0 {
        return Ok(0);
    }
    let old = engine
        .collection::<Old>(collection)
        .find(doc! { "created_at": { "$lt": before.millis() } })
        .projection(doc! { "_id": 1 })
        .sort(doc! { "created_at": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?;
    let old: Vec<ObjectId> = old.map_ok(|old| old.id).try_collect().await?;
    if old.is_empty() {
        return Ok(0);
    }
    let gone = engine.collection::<Document>(collection).delete_many(doc! { "_id": { "$in": old } }).await?;
    Ok(u32::try_from(gone.deleted_count).unwrap_or(limit))
}

pub(super) async fn events_told(engine: &Engine) -> Result<u64, Fault> {
    let told = engine.collection::<Document>(COUNTERS).find_one(doc! { "_id": TOLD }).await?;
    count(told.and_then(|told| told.get_i64("value").ok()).unwrap_or(0))
}

pub(super) async fn set_events_told(engine: &Engine, seq: u64, restart: bool) -> Result<(), Fault> {
    let how = if restart { "$set" } else { "$max" };
    engine
        .collection::<Document>(COUNTERS)
        .update_one(doc! { "_id": TOLD }, doc! { how: { "value": int(seq) } })
        .upsert(true)
        .await?;
    Ok(())
}
