//! Schedules. Firing is one transaction: the schedule moves on with the jobs that it makes, or neither happens.

use std::collections::HashMap;

use common::jobs::{ChangeScheduleError, NewJob, PageBytes, Schedule, SchedulePage, SchedulePlace};
use common::{PortResult, ScheduleId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::arrive::{insert_numbered, prepare};
use super::doc::{from_json, to_json};
use super::schema::SCHEDULES;
use super::settings::Named;
use super::{Turn, keys};
use crate::engine::{Engine, Fault, TxResult, is_duplicate};
use crate::value::{ToOid as _, id, int};

#[derive(Serialize, Deserialize)]
struct ScheduleDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    /// JSON.
    spec: String,
    paused: bool,
    next_at: Option<i64>,
    /// Whether `next_at` is a time: what its index goes by.
    waits: bool,
    last_at: Option<i64>,
    user: Option<ObjectId>,
    created_at: i64,
    revision: u64,
}

impl ScheduleDoc {
    fn of(schedule: &Schedule) -> Result<Self, Fault> {
        Ok(Self {
            id: schedule.id.oid(),
            spec: to_json(&schedule.spec)?,
            paused: schedule.paused,
            next_at: schedule.next_at.map(Timestamp::millis),
            waits: schedule.next_at.is_some(),
            last_at: schedule.last_at.map(Timestamp::millis),
            user: schedule.user.map(|user| user.oid()),
            created_at: schedule.created_at.millis(),
            revision: schedule.revision,
        })
    }

    fn read(self) -> Result<Schedule, Fault> {
        Ok(Schedule {
            id: id(self.id),
            spec: from_json(&self.spec)?,
            paused: self.paused,
            next_at: self.next_at.map(Timestamp::from_millis),
            last_at: self.last_at.map(Timestamp::from_millis),
            user: self.user.map(id),
            created_at: Timestamp::from_millis(self.created_at),
            revision: self.revision,
        })
    }
}

pub(super) async fn create(engine: &Engine, schedule: &Schedule) -> Result<(), Fault> {
    match engine.collection(SCHEDULES).insert_one(ScheduleDoc::of(schedule)?).await {
        Err(error) if is_duplicate(&error) => Ok(()),
        result => Ok(result.map(drop)?),
    }
}

async fn some(
    engine: &Engine,
    matching: Document,
    sort: Document,
    limit: i64,
) -> Result<Vec<Schedule>, Fault> {
    let found = engine
        .collection::<ScheduleDoc>(SCHEDULES)
        .find(matching)
        .sort(sort)
        .limit(limit)
        .max_time(engine.deadline())
        .await?;
    let found: Vec<ScheduleDoc> = found.try_collect().await?;
    found.into_iter().map(ScheduleDoc::read).collect()
}

/// Schedules that are read at once for a page: each may be long.
const AT_ONCE: usize = 16;

pub(super) async fn list(
    engine: &Engine,
    after: Option<SchedulePlace>,
    limit: u32,
) -> Result<SchedulePage, Fault> {
    #[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct Place {
        created_at: i64,
        #[serde(rename = "_id")]
        id: ObjectId,
    }
    let schedules = engine.collection::<ScheduleDoc>(SCHEDULES);
    // their places first: the server would sort all of what they say
    let places = schedules
        .clone_with_type::<Place>()
        .find(doc! {})
        .projection(doc! { "created_at": 1 })
        .max_time(engine.deadline())
        .await?;
    let mut places: Vec<Place> = places.try_collect().await?;
    places.sort_unstable();
    if let Some((at, id)) = after {
        let after = Place { created_at: at.millis(), id: id.oid() };
        places.retain(|place| *place > after);
    }
    let (mut items, mut on_page) = (Vec::new(), PageBytes::default());
    for part in places.chunks(AT_ONCE) {
        let ids: Vec<ObjectId> = part.iter().map(|place| place.id).collect();
        let found = schedules.find(doc! { "_id": { "$in": ids } }).max_time(engine.deadline()).await?;
        let found: Vec<ScheduleDoc> = found.try_collect().await?;
        let mut found: HashMap<ObjectId, ScheduleDoc> =
            found.into_iter().map(|schedule| (schedule.id, schedule)).collect();
        // those that have gone since are left out
        for schedule in part.iter().filter_map(|place| found.remove(&place.id)) {
            if items.len() == limit as usize || !on_page.takes(schedule.spec.len()) {
                return Ok(SchedulePage { items, more: true });
            }
            items.push(schedule.read()?);
        }
    }
    Ok(SchedulePage { items, more: false })
}

pub(super) async fn count(engine: &Engine) -> Result<u64, Fault> {
    let schedules = engine.collection::<Document>(SCHEDULES);
    Ok(schedules.count_documents(doc! {}).max_time(engine.deadline()).await?)
}

pub(super) async fn find(engine: &Engine, schedule: ScheduleId) -> Result<Option<Schedule>, Fault> {
    Ok(some(engine, doc! { "_id": schedule.oid() }, doc! { "_id": 1 }, 1).await?.pop())
}

pub(super) async fn due(engine: &Engine, limit: u32, now: Timestamp) -> Result<Vec<Schedule>, Fault> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let due = doc! { "waits": true, "next_at": { "$lte": now.millis() } };
    some(engine, due, doc! { "next_at": 1 }, i64::from(limit)).await
}

pub(super) async fn next(engine: &Engine) -> Result<Option<Timestamp>, Fault> {
    let next = some(engine, doc! { "waits": true }, doc! { "next_at": 1 }, 1).await?.pop();
    Ok(next.and_then(|schedule| schedule.next_at))
}

/// As it was read.
fn as_seen(schedule: &Schedule) -> Document {
    doc! { "_id": schedule.id.oid(), "revision": int(schedule.revision) }
}

pub(super) async fn update(engine: &Engine, schedule: &Schedule) -> TxResult<(), ChangeScheduleError> {
    let next = ScheduleDoc { revision: schedule.revision + 1, ..ScheduleDoc::of(schedule)? };
    let schedules = engine.collection::<ScheduleDoc>(SCHEDULES);
    if schedules.replace_one(as_seen(schedule), next).await?.matched_count == 1 {
        return Ok(());
    }
    match schedules.find_one(doc! { "_id": schedule.id.oid() }).await? {
        Some(_) => Err(ChangeScheduleError::Changed.into()),
        None => Err(ChangeScheduleError::NotFound.into()),
    }
}

pub(super) async fn delete(engine: &Engine, schedule: ScheduleId) -> Result<bool, Fault> {
    let deleted = engine.collection::<Document>(SCHEDULES).delete_one(doc! { "_id": schedule.oid() }).await?;
    Ok(deleted.deleted_count == 1)
}

pub(super) async fn fire(
    engine: &Engine,
    named: &Named,
    schedule: &Schedule,
    jobs: &[(Timestamp, NewJob)],
    next_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), ChangeScheduleError> {
    let (times, jobs): (Vec<Timestamp>, Vec<NewJob>) = jobs.iter().cloned().unzip();
    let (times, jobs) = (&times, &jobs[..]);
    let prepared: PortResult<u64> = engine.run(prepare(engine, named, jobs)).await;
    let first = prepared?;
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let session = tx.session();
            let schedules = engine.collection::<Document>(SCHEDULES);
            let fired = doc! {
                "$set": { "next_at": next_at.map(Timestamp::millis), "waits": next_at.is_some() },
                "$inc": { "revision": 1_i64 },
            };
            if schedules.update_one(as_seen(schedule), fired).session(&mut *session).await?.matched_count == 0
            {
                let there = schedules.find_one(doc! { "_id": schedule.id.oid() }).session(session).await?;
                return Err(match there {
                    Some(_) => ChangeScheduleError::Changed.into(),
                    None => ChangeScheduleError::NotFound.into(),
                });
            }
            if jobs.is_empty() {
                return Ok(());
            }
            let outcomes = insert_numbered(engine, &mut *session, jobs, first, now).await?;
            let made = times.iter().zip(outcomes).filter(|(_, outcome)| outcome.has_job());
            if let Some(last_at) = made.map(|(at, _)| *at).max() {
                let last = doc! { "$set": { "last_at": last_at.millis() } };
                schedules.update_one(doc! { "_id": schedule.id.oid() }, last).session(session).await?;
            }
            Ok(())
        })
        .await
}
