//! Reading events, and forgetting them.

use std::collections::HashMap;

use common::Timestamp;
use common::jobs::{JobEvent, JobEventFilter, JobEventKind, JobEventPage};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::doc::from_json;
use super::events::{EventDoc, forgotten, last};
use super::schema::{COUNTERS, EVENTS, FORGOTTEN, JOBS};
use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, count, id, int};

impl EventDoc {
    fn read(self) -> Result<JobEvent, Fault> {
        Ok(JobEvent {
            seq: count(self.seq)?,
            at: Timestamp::from_millis(self.at),
            job: id(self.job),
            kind: self.kind,
            user: self.user.map(id),
            event: JobEventKind::parse(&self.event).ok_or(Fault::Damaged("an unknown event of a job"))?,
            data: self.data.as_deref().map(from_json).transpose()?,
        })
    }
}

pub(super) async fn after(
    engine: &Engine,
    after: u64,
    filter: &JobEventFilter,
    limit: u32,
) -> Result<JobEventPage, Fault> {
    let newest = last(engine).await?;
    let after = int(after);
    if newest <= after {
        // a reader who is ahead knows another history, such as that before a backup was brought back
        return Ok(JobEventPage { events: Vec::new(), last: count(newest)?, gap: newest < after });
    }
    let mut matching = doc! { "_id": { "$gt": after, "$lte": newest } };
    if let Some(user) = filter.user {
        matching.insert("user", user.oid());
    }
    if let Some(job) = filter.job {
        matching.insert("job", job.oid());
    }
    if let Some(kind) = &filter.kind {
        matching.insert("type", kind);
    }
    if filter.only_ends {
        matching.insert("event", doc! { "$in": JobEventKind::ENDS.map(JobEventKind::word).to_vec() });
    }
    let mut found = Vec::new();
    if limit > 0 {
        found = engine
            .collection::<EventDoc>(EVENTS)
            .find(matching)
            .sort(doc! { "_id": 1 })
            .limit(i64::from(limit))
            .max_time(engine.deadline())
            .await?
            .try_collect()
            .await?;
    }
    // after the events were read: what was forgotten meanwhile is not among them
    let forgotten = forgotten(engine).await?;
    let looked_at = if found.len() < limit as usize {
        newest
    } else {
        found.last().map_or(after, |event: &EventDoc| event.seq)
    };
    let events = found.into_iter().map(EventDoc::read).collect::<Result<_, _>>()?;
    Ok(JobEventPage { events, last: count(looked_at)?, gap: forgotten > after })
}

#[derive(Deserialize)]
struct Old {
    #[serde(rename = "_id")]
    seq: i64,
    at: i64,
    job: ObjectId,
    number: i64,
}

pub(super) async fn forget(engine: &Engine, before: Timestamp, limit: u32) -> Result<u32, Fault> {
    if limit == 0 {
        return Ok(0);
    }
    let mut oldest = engine
        .collection::<Old>(EVENTS)
        .find(doc! {})
        .projection(doc! { "at": 1, "job": 1, "number": 1 })
        .sort(doc! { "_id": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?;
    let mut old = Vec::new();
    while let Some(event) = oldest.try_next().await? {
        if event.at >= before.millis() {
            break;
        }
        old.push(event);
    }
    let told = still_telling(engine, &old).await?;
    let is_done = |event: &&Old| told.get(&event.job).is_none_or(|told| event.number < *told);
    let Some(until) = old.iter().take_while(is_done).last().map(|event| event.seq) else { return Ok(0) };
    // in this order a reader who misses events hears of it, and a place is never filled again
    engine
        .collection::<Document>(COUNTERS)
        .update_one(doc! { "_id": FORGOTTEN }, doc! { "$max": { "value": until } })
        .upsert(true)
        .await?;
    let forgotten =
        engine.collection::<Document>(EVENTS).delete_many(doc! { "_id": { "$lte": until } }).await?;
    Ok(u32::try_from(forgotten.deleted_count).unwrap_or(limit))
}

/// Jobs that hold events, and how many were taken out of them: an event with a place that still stands in its job is known by its mark only, and would be
/// told again without it.
async fn still_telling(engine: &Engine, events: &[Old]) -> Result<HashMap<ObjectId, i64>, Fault> {
    #[derive(Deserialize)]
    struct Telling {
        #[serde(rename = "_id")]
        id: ObjectId,
        #[serde(default)]
        told: i64,
    }
    if events.is_empty() {
        return Ok(HashMap::new());
    }
    let jobs: Vec<ObjectId> = events.iter().map(|event| event.job).collect();
    let telling = engine
        .collection::<Telling>(JOBS)
        .find(doc! { "_id": { "$in": jobs }, "untold": true })
        .projection(doc! { "told": 1 })
        .max_time(engine.deadline())
        .await?;
    Ok(telling.map_ok(|job| (job.id, job.told)).try_collect().await?)
}
