//! Events get their places. They come here from the jobs that they happened to, where the change that they tell of has left them; see `tell.rs`.
//!
//! Nobody holds a lock. The place of an event is the `_id` of its document, and places are filled in ascending order, each after the one before it is in
//! the journals of the majority: so no place stays empty, and no reader sees one filled after a later one. Of several who fill one place, one does, and
//! the others begin anew. The event's mark (its job, and how many of the job were before it) is unique, too: who dies between writing events and taking them
//! out of their jobs leaves marks by which the next one knows them.
//!
//! A job that is removed stays, as good as gone, until all of it is told; then it is buried here.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::Timestamp;
use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use serde::{Deserialize, Serialize};

use super::doc::GONE;
use super::schema::{COUNTERS, EVENTS, FORGOTTEN, JOBS, NEVER, REMOVED};
use super::tell::{self, Told};
use super::{log, unique};
use crate::engine::{Engine, Fault, is_duplicate, statements};

/// Events that are read from their jobs at once. Each may hold a result, or data of a progress.
const AT_ONCE: usize = 250;

/// The longest wait before places are filled again that somebody else fills, too.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// An event with its place.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventDoc {
    #[serde(rename = "_id")]
    pub(super) seq: i64,
    /// What it is known by, without its place.
    mark: String,
    /// How many of its job are before it.
    pub(super) number: i64,
    pub(super) at: i64,
    pub(super) job: ObjectId,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) user: Option<ObjectId>,
    pub(super) event: String,
    pub(super) data: Option<String>,
}

/// A job with events that have no place.
#[derive(Deserialize)]
pub(super) struct Teller {
    #[serde(rename = "_id")]
    id: ObjectId,
    #[serde(rename = "type")]
    kind: String,
    user: Option<ObjectId>,
    #[serde(default)]
    told: i64,
    #[serde(default)]
    events: Vec<Told>,
}

/// One of its events.
pub(super) struct Next<'t> {
    job: &'t Teller,
    /// How many of the job are before it.
    number: i64,
    event: &'t Told,
}

impl Next<'_> {
    fn mark(&self) -> String {
        mark(self.job.id, self.number)
    }

    fn place(&self, seq: i64) -> EventDoc {
        EventDoc {
            seq,
            mark: self.mark(),
            number: self.number,
            at: self.event.at,
            job: self.job.id,
            kind: self.job.kind.clone(),
            user: self.job.user,
            event: self.event.event.clone(),
            data: self.event.data.clone(),
        }
    }
}

fn mark(job: ObjectId, number: i64) -> String {
    format!("{job} {number}")
}

/// Gives up to `limit` events their places, and buries jobs that have told all; how many got one by this call.
pub(super) async fn order(engine: &Engine, limit: u32, now: Timestamp) -> Result<u32, Fault> {
    let limit = limit as usize;
    let mut ordered = 0;
    while ordered < limit {
        let step = some(engine, (limit - ordered).min(AT_ONCE)).await?;
        ordered += step.placed;
        if step.met {
            // somebody else has come further
            tokio::time::sleep(LONGEST_WAIT.mul_f64(rand::random())).await;
        } else if !step.more {
            break;
        }
    }
    bury(engine, limit, now).await?;
    Ok(u32::try_from(ordered).unwrap_or(u32::MAX))
}

struct Step {
    placed: usize,
    /// Somebody else fills places, too.
    met: bool,
    /// There may be events left.
    more: bool,
}

async fn some(engine: &Engine, limit: usize) -> Result<Step, Fault> {
    let tellers = tellers(engine, limit).await?;
    if tellers.is_empty() {
        return Ok(Step { placed: 0, met: false, more: false });
    }
    let mut next = in_order(&tellers);
    let more = next.len() >= limit;
    next.truncate(limit);
    let places = places(engine, &tellers, &next).await?;
    let (placed, met) = fill(engine, places).await?;
    if !met {
        take_out(engine, &next).await?;
    }
    Ok(Step { placed, met, more })
}

/// Jobs whose events have waited longest: so many that there are as many events, if there are, and none elsewhere that is before them.
pub(super) async fn tellers(engine: &Engine, limit: usize) -> Result<Vec<Teller>, Fault> {
    let tellers = engine
        .collection(JOBS)
        .find(doc! { "untold": true })
        .projection(doc! { "type": 1, "user": 1, "told": 1, "events": 1 })
        .sort(doc! { "untold_since": 1, "number": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .max_time(engine.deadline())
        .await?;
    Ok(tellers.try_collect().await?)
}

/// The next places, for those of the events that have none.
pub(super) async fn places(
    engine: &Engine,
    tellers: &[Teller],
    next: &[Next<'_>],
) -> Result<Vec<EventDoc>, Fault> {
    let (fresh, last) = try_join(without_place(engine, tellers, next), last(engine)).await?;
    Ok(fresh.into_iter().zip(last + 1..).map(|(event, seq)| event.place(seq)).collect())
}

/// The events in the order in which they happened: of one job as they stand in it, of several by time.
pub(super) fn in_order(tellers: &[Teller]) -> Vec<Next<'_>> {
    let mut all = Vec::new();
    for job in tellers {
        let mut latest = (i64::MIN, ObjectId::from_bytes([0; 12]));
        for (event, number) in job.events.iter().zip(job.told..) {
            // clocks differ: what comes later in a job is not earlier
            latest = latest.max((event.at, event.tick));
            all.push((latest, Next { job, number, event }));
        }
    }
    // stable: those of one job stay in their order
    all.sort_by_key(|(latest, _)| *latest);
    all.into_iter().map(|(_, next)| next).collect()
}

/// Those that nobody has given a place, who then died or was slow to take them out.
async fn without_place<'n, 't>(
    engine: &Engine,
    tellers: &[Teller],
    next: &'n [Next<'t>],
) -> Result<Vec<&'n Next<'t>>, Fault> {
    // a job's events get their places in order: if its first one has none, none has
    let firsts = tellers.iter().map(|job| mark(job.id, job.told)).collect();
    if marked(engine, firsts).await?.is_empty() {
        return Ok(next.iter().collect());
    }
    let placed = marked(engine, next.iter().map(Next::mark).collect()).await?;
    Ok(next.iter().filter(|event| !placed.contains(&event.mark())).collect())
}

async fn marked(engine: &Engine, marks: Vec<String>) -> Result<HashSet<String>, Fault> {
    #[derive(Deserialize)]
    struct Mark {
        mark: String,
    }
    let found = engine
        .collection::<Mark>(EVENTS)
        .find(doc! { "mark": { "$in": marks } })
        .projection(doc! { "_id": 0, "mark": 1 })
        .max_time(engine.deadline())
        .await?;
    Ok(found.map_ok(|found| found.mark).try_collect().await?)
}

/// Fills places in their order, up to the first that somebody else has filled; how many, and whether there was one.
pub(super) async fn fill(engine: &Engine, places: Vec<EventDoc>) -> Result<(usize, bool), Fault> {
    let all = places.len();
    if all == 0 {
        return Ok((0, false));
    }
    match engine.collection(EVENTS).insert_many(places).ordered(true).await {
        Ok(_) => Ok((all, false)),
        Err(error) if is_duplicate(&error) => {
            let filled = match &*error.kind {
                ErrorKind::InsertMany(many) => {
                    many.write_errors.iter().flatten().map(|error| error.index).min().unwrap_or(0)
                }
                _ => 0,
            };
            Ok((filled, true))
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes events that have their places out of their jobs, unless somebody has.
async fn take_out(engine: &Engine, next: &[Next<'_>]) -> Result<(), Fault> {
    let mut counts: Vec<(&Teller, i64)> = Vec::new();
    let mut at = HashMap::new();
    for event in next {
        let index = *at.entry(event.job.id).or_insert_with(|| {
            counts.push((event.job, 0));
            counts.len() - 1
        });
        counts[index].1 += 1;
    }
    let updates = counts.into_iter().map(|(job, count)| {
        // documents of programs before this one do not count
        let told = if job.told == 0 {
            doc! { "$in": [0_i64, null] }
        } else {
            doc! { "$eq": job.told }
        };
        let rest = doc! { "$slice": ["$events", count, i64::from(i32::MAX)] };
        let since = doc! { "$ifNull": [tell::of(0, "at"), NEVER] };
        doc! {
            "q": { "_id": job.id, "told": told },
            "u": [
                { "$set": { "told": job.told + count, "events": rest } },
                { "$set": { "untold": { "$gt": [{ "$size": "$events" }, 0] }, "untold_since": since } },
            ],
        }
    });
    statements::update_each(engine, JOBS, updates.collect()).await
}

/// The last place that is filled, or was.
pub(super) async fn last(engine: &Engine) -> Result<i64, Fault> {
    let newest = async {
        let newest = engine
            .collection::<Document>(EVENTS)
            .find_one(doc! {})
            .sort(doc! { "_id": -1 })
            .projection(doc! { "_id": 1 })
            .await?;
        newest.map_or(Ok(0), |newest| {
            newest.get_i64("_id").map_err(|_| Fault::Damaged("an event without a place"))
        })
    };
    let (newest, forgotten) = try_join(newest, forgotten(engine)).await?;
    Ok(newest.max(forgotten))
}

/// The last place whose event was forgotten.
pub(super) async fn forgotten(engine: &Engine) -> Result<i64, Fault> {
    let counter = engine.collection::<Document>(COUNTERS).find_one(doc! { "_id": FORGOTTEN }).await?;
    Ok(counter.and_then(|counter| counter.get_i64("value").ok()).unwrap_or(0))
}

/// Removes what is left of removed jobs that have told all; their ids stay known for a day after they were removed.
async fn bury(engine: &Engine, limit: usize, now: Timestamp) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Gone {
        #[serde(rename = "_id")]
        id: ObjectId,
        removed_at: Option<i64>,
    }
    let told = doc! { "state": GONE, "untold": false };
    let gone: Vec<Gone> = engine
        .collection(JOBS)
        .find(told.clone())
        .projection(doc! { "removed_at": 1 })
        .limit(i64::try_from(limit.max(1)).unwrap_or(i64::MAX))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    if gone.is_empty() {
        return Ok(());
    }
    let known = gone.iter().map(|job| {
        doc! { "_id": job.id, "at": job.removed_at.unwrap_or(now.millis()), "noted": true }
    });
    // in this order an id is known at every moment
    match engine.collection::<Document>(REMOVED).insert_many(known).ordered(false).await {
        Err(error) if is_duplicate(&error) => {}
        result => drop(result?),
    }
    let ids: Vec<ObjectId> = gone.iter().map(|job| job.id).collect();
    unique::forget(engine, &ids).await?;
    // a line may have come after the log was removed with the job
    log::forget(engine, &ids).await?;
    let mut buried = told;
    buried.insert("_id", doc! { "$in": ids });
    engine.collection::<Document>(JOBS).delete_many(buried).await?;
    Ok(())
}
