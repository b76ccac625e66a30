use common::webhooks::{
    ChangeWebhookError, Health, OffReason, PreviousSecret, SwitchedOff, Webhook, WebhookEvent,
};
use common::{Timestamp, UserId, WebhookId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Fault, TxResult, is_duplicate};
use crate::jobs::schema::{DELIVERIES, WEBHOOKS};
use crate::value::{ToOid as _, binary, count, id, int, oids};

#[derive(Serialize, Deserialize)]
struct WebhookDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    user: ObjectId,
    url: String,
    description: String,
    events: Vec<WebhookEvent>,
    /// Those of files: programs before 1.3 could not read a webhook with these words among the others.
    #[serde(default)]
    file_events: Vec<WebhookEvent>,
    all_jobs: bool,
    /// Sealed.
    secret: Binary,
    previous_secret: Option<Binary>,
    previous_until: Option<i64>,
    /// Whether `off_why` is null.
    on: bool,
    off_why: Option<String>,
    off_at: Option<i64>,
    failing_since: Option<i64>,
    failures: i64,
    created_at: i64,
    updated_at: i64,
    revision: u64,
}

impl WebhookDoc {
    fn of(webhook: &Webhook) -> Self {
        let previous = webhook.previous_secret.as_ref();
        let (file_events, events) = webhook.events.iter().partition(|event| event.is_of_files());
        Self {
            id: webhook.id.oid(),
            user: webhook.user.oid(),
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            events,
            file_events,
            all_jobs: webhook.all_jobs,
            secret: binary(&webhook.secret),
            previous_secret: previous.map(|previous| binary(&previous.sealed)),
            previous_until: previous.map(|previous| previous.until.millis()),
            on: webhook.off.is_none(),
            off_why: webhook.off.map(|off| off.why.word().to_owned()),
            off_at: webhook.off.map(|off| off.at.millis()),
            failing_since: webhook.failing_since.map(Timestamp::millis),
            failures: webhook.failures.into(),
            created_at: webhook.created_at.millis(),
            updated_at: webhook.updated_at.millis(),
            revision: webhook.revision,
        }
    }

    fn read(self) -> Result<Webhook, Fault> {
        let time = Timestamp::from_millis;
        let off = match self.off_why {
            Some(why) => Some(SwitchedOff {
                why: OffReason::parse(&why).ok_or(Fault::Damaged("an unknown reason"))?,
                at: self.off_at.map(time).unwrap_or_default(),
            }),
            None => None,
        };
        let previous = self.previous_secret.zip(self.previous_until);
        Ok(Webhook {
            id: id(self.id),
            user: id(self.user),
            url: self.url,
            description: self.description,
            events: [self.events, self.file_events].concat(),
            all_jobs: self.all_jobs,
            secret: self.secret.bytes,
            previous_secret: previous
                .map(|(sealed, until)| PreviousSecret { sealed: sealed.bytes, until: time(until) }),
            off,
            failing_since: self.failing_since.map(time),
            failures: u32::try_from(self.failures).map_err(|_| Fault::Damaged("a negative count"))?,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            revision: self.revision,
        })
    }
}

pub(super) async fn create(engine: &Engine, webhook: &Webhook) -> Result<(), Fault> {
    match engine.collection(WEBHOOKS).insert_one(WebhookDoc::of(webhook)).await {
        Err(error) if is_duplicate(&error) => Ok(()),
        result => Ok(result.map(drop)?),
    }
}

async fn some(engine: &Engine, matching: Document) -> Result<Vec<Webhook>, Fault> {
    let found = engine
        .collection::<WebhookDoc>(WEBHOOKS)
        .find(matching)
        .sort(doc! { "created_at": 1, "_id": 1 })
        .max_time(engine.deadline())
        .await?;
    let found: Vec<WebhookDoc> = found.try_collect().await?;
    found.into_iter().map(WebhookDoc::read).collect()
}

pub(super) async fn list(engine: &Engine, user: UserId) -> Result<Vec<Webhook>, Fault> {
    some(engine, doc! { "user": user.oid() }).await
}

pub(super) async fn page(
    engine: &Engine,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Vec<Webhook>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let after = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after.oid() } });
    let found: Vec<WebhookDoc> = engine
        .collection::<WebhookDoc>(WEBHOOKS)
        .find(after)
        .sort(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    found.into_iter().map(WebhookDoc::read).collect()
}

/// Each of both by itself: who sees only one of them sealed anew sees two secrets all the same.
pub(super) async fn reseal(
    engine: &Engine,
    webhook: WebhookId,
    old: &[u8],
    new: &[u8],
) -> Result<bool, Fault> {
    let webhooks = engine.collection::<Document>(WEBHOOKS);
    let mut resealed = false;
    for field in ["secret", "previous_secret"] {
        let change = doc! { "$set": { field: binary(new) } };
        let done = webhooks.update_one(doc! { "_id": webhook.oid(), field: binary(old) }, change).await?;
        resealed |= done.matched_count == 1;
    }
    Ok(resealed)
}

pub(super) async fn find(engine: &Engine, webhook: WebhookId) -> Result<Option<Webhook>, Fault> {
    Ok(some(engine, doc! { "_id": webhook.oid() }).await?.pop())
}

pub(super) async fn listening(engine: &Engine, users: &[UserId]) -> Result<Vec<Webhook>, Fault> {
    let mut listening = some(engine, doc! { "all_jobs": true, "on": true }).await?;
    if !users.is_empty() {
        let theirs = doc! { "user": { "$in": oids(users) }, "all_jobs": false, "on": true };
        listening.extend(some(engine, theirs).await?);
    }
    Ok(listening)
}

pub(super) async fn of_files(
    engine: &Engine,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Vec<(Webhook, Option<u64>)>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let words = WebhookEvent::CHOICE.iter().filter(|event| event.is_of_files()).map(|event| event.word());
    let mut filter = doc! { "on": true, "file_events": { "$in": Vec::from_iter(words) } };
    if let Some(after) = after {
        filter.insert("_id", doc! { "$gt": after.oid() });
    }
    let found: Vec<Document> = engine
        .collection::<Document>(WEBHOOKS)
        .find(filter)
        .sort(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    let read = |found: Document| {
        let told = found.get_i64("files_told").ok().map(count).transpose()?;
        let webhook: WebhookDoc = mongodb::bson::deserialize_from_document(found)
            .map_err(|_| Fault::Damaged("a webhook that is none"))?;
        Ok((webhook.read()?, told))
    };
    found.into_iter().map(read).collect()
}

pub(super) async fn set_files_told(
    engine: &Engine,
    webhook: WebhookId,
    from: Option<u64>,
    to: u64,
) -> Result<bool, Fault> {
    // one that has no such field is found by null, too
    let as_seen = doc! { "_id": webhook.oid(), "files_told": from.map(int) };
    let set = doc! { "$set": { "files_told": int(to) } };
    Ok(engine.collection::<Document>(WEBHOOKS).update_one(as_seen, set).await?.matched_count == 1)
}

pub(super) async fn forget_files_told(engine: &Engine, webhook: WebhookId) -> Result<(), Fault> {
    let forget = doc! { "$unset": { "files_told": "" } };
    engine.collection::<Document>(WEBHOOKS).update_one(doc! { "_id": webhook.oid() }, forget).await?;
    Ok(())
}

pub(super) async fn update(engine: &Engine, webhook: &Webhook) -> TxResult<(), ChangeWebhookError> {
    let next = WebhookDoc { revision: webhook.revision + 1, ..WebhookDoc::of(webhook) };
    let webhooks = engine.collection::<WebhookDoc>(WEBHOOKS);
    let as_seen = doc! { "_id": webhook.id.oid(), "revision": int(webhook.revision) };
    // what is no part of a webhook stays: see `set_files_told`
    let mut fields = mongodb::bson::serialize_to_document(&next)
        .map_err(|_| Fault::Damaged("a webhook does not become a document"))?;
    fields.remove("_id");
    if webhooks.update_one(as_seen, doc! { "$set": fields }).await?.matched_count == 1 {
        return Ok(());
    }
    match webhooks.find_one(doc! { "_id": webhook.id.oid() }).await? {
        Some(_) => Err(ChangeWebhookError::Changed.into()),
        None => Err(ChangeWebhookError::NotFound.into()),
    }
}

pub(super) async fn delete(engine: &Engine, webhook: WebhookId) -> Result<bool, Fault> {
    let deleted = engine.collection::<Document>(WEBHOOKS).delete_one(doc! { "_id": webhook.oid() }).await?;
    // what a crash leaves here is of no webhook, and goes when it is old
    engine.collection::<Document>(DELIVERIES).delete_many(doc! { "webhook": webhook.oid() }).await?;
    Ok(deleted.deleted_count == 1)
}

pub(super) async fn switch_off(
    engine: &Engine,
    webhook: WebhookId,
    why: OffReason,
    now: Timestamp,
) -> Result<bool, Fault> {
    let change = doc! {
        "$set": { "on": false, "off_why": why.word(), "off_at": now.millis() },
        "$inc": { "revision": 1_i64 },
    };
    let switched = engine
        .collection::<Document>(WEBHOOKS)
        .update_one(doc! { "_id": webhook.oid(), "on": true }, change)
        .await?;
    Ok(switched.matched_count == 1)
}

pub(super) async fn note_attempt(
    engine: &Engine,
    webhook: WebhookId,
    worked: bool,
    now: Timestamp,
) -> Result<Option<Health>, Fault> {
    #[derive(Deserialize)]
    struct HealthDoc {
        failing_since: Option<i64>,
        failures: i64,
    }
    let health = if worked {
        doc! { "failing_since": null, "failures": 0_i64 }
    } else {
        doc! {
            "failing_since": { "$ifNull": ["$failing_since", now.millis()] },
            "failures": { "$add": ["$failures", 1_i64] },
        }
    };
    let found = engine
        .collection::<HealthDoc>(WEBHOOKS)
        .find_one_and_update(doc! { "_id": webhook.oid() }, vec![doc! { "$set": health }])
        .projection(doc! { "_id": 0, "failing_since": 1, "failures": 1 })
        .return_document(ReturnDocument::After)
        .await?;
    Ok(found.map(|found| Health {
        failing_since: found.failing_since.map(Timestamp::from_millis),
        failures: u32::try_from(found.failures).unwrap_or(u32::MAX),
    }))
}
