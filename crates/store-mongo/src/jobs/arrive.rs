//! Jobs come, and are promoted.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::jobs::{InsertOutcome, JobEventKind, JobState, NewJob};
use common::{JobId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::doc::{JobDoc, Placed, state_number};
use super::lines::Entering;
use super::schema::{COUNTERS, JOBS, NUMBER, REMOVED};
use super::settings::Named;
use super::tell::{self, Told};
use super::{Turn, keys, unique};
use crate::engine::{Abort, Engine, Fault, is_duplicate};
use crate::value::{ToOid as _, id, int, oids};

/// How long ids of removed jobs stay known: longer than any relay or broker holds a job.
const KNOWN_FOR: Duration = Duration::from_secs(86_400);

/// Ids that are forgotten in one go.
const FORGET: i64 = 500;

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: ObjectId,
}

#[derive(Deserialize)]
struct Removed {
    #[serde(rename = "_id")]
    id: ObjectId,
    at: i64,
    noted: bool,
}

pub(super) async fn insert(
    engine: &Engine,
    named: &Named,
    jobs: &[NewJob],
    now: Timestamp,
) -> PortResult<Vec<InsertOutcome>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let first = engine.run(prepare(engine, named, jobs)).await?;
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            Ok::<_, Abort<PortError>>(insert_numbered(engine, tx.session(), jobs, first, now).await?)
        })
        .await
}

/// What is done before the transaction, since all processes would meet in it: types get their names, jobs their numbers (one may stay without a job). The
/// first number.
pub(super) async fn prepare(engine: &Engine, named: &Named, jobs: &[NewJob]) -> Result<u64, Fault> {
    named.note(engine, jobs.iter().map(|job| job.kind.as_str())).await?;
    numbers(engine, jobs.len()).await
}

/// Takes so many numbers; the first of them.
async fn numbers(engine: &Engine, count: usize) -> Result<u64, Fault> {
    let count = count as u64;
    let counter = engine
        .collection::<Document>(COUNTERS)
        .find_one_and_update(doc! { "_id": NUMBER }, doc! { "$inc": { "value": int(count) } })
        .upsert(true)
        .return_document(ReturnDocument::After)
        .await?;
    let last = counter.as_ref().and_then(|counter| counter.get_i64("value").ok());
    let last = crate::value::count(last.ok_or(Fault::Damaged("the counter of jobs is missing"))?)?;
    Ok(last.saturating_sub(count) + 1)
}

/// Inserts jobs within a transaction.
pub(super) async fn insert_numbered(
    engine: &Engine,
    session: &mut ClientSession,
    jobs: &[NewJob],
    first: u64,
    now: Timestamp,
) -> Result<Vec<InsertOutcome>, Fault> {
    let ids: Vec<ObjectId> = jobs.iter().map(|job| job.id.oid()).collect();
    let mut known = there(engine, session, &ids).await?;
    known.extend(still_removed(engine, session, &ids, now).await?);
    let is_fresh: Vec<bool> = ids.iter().map(|id| known.insert(*id)).collect();
    let fresh = || jobs.iter().zip(&is_fresh).filter(|(_, is_fresh)| **is_fresh).map(|(job, _)| job);
    let wanted: Vec<(&str, ObjectId)> =
        fresh().filter_map(|job| Some((job.unique_key.as_deref()?, job.id.oid()))).collect();
    let holders = unique::take(engine, session, &wanted).await?;
    let holders: HashMap<ObjectId, ObjectId> =
        wanted.iter().zip(holders).filter_map(|((_, job), holder)| Some((*job, holder?))).collect();
    let (mut outcomes, mut arriving, mut entering) = (Vec::new(), Vec::new(), Entering::default());
    for ((job, number), is_fresh) in jobs.iter().zip(first..).zip(&is_fresh) {
        if !is_fresh {
            outcomes.push(InsertOutcome::Known);
            continue;
        }
        if let Some(holder) = holders.get(&job.id.oid()) {
            outcomes.push(InsertOutcome::Taken(id(*holder)));
            continue;
        }
        let due_at = job.run_at.filter(|run_at| *run_at > now);
        let job = JobDoc::of(job, number, due_at, now)?;
        if due_at.is_none() {
            entering.add(&job);
        }
        arriving.push(job);
        outcomes.push(InsertOutcome::Inserted);
    }
    if !holders.is_empty() {
        let known = holders.keys().map(|job| doc! { "_id": job, "at": now.millis(), "noted": true });
        or_raced(engine.collection::<Document>(REMOVED).insert_many(known).session(&mut *session).await)?;
    }
    if !arriving.is_empty() {
        or_raced(engine.collection(JOBS).insert_many(arriving).session(&mut *session).await)?;
        entering.write(engine, session).await?;
    }
    Ok(outcomes)
}

/// A document that came in between is seen by the next look.
pub(super) fn or_raced<T>(result: Result<T, mongodb::error::Error>) -> Result<(), Fault> {
    match result {
        Err(error) if is_duplicate(&error) => Err(Fault::Raced),
        result => Ok(result.map(drop)?),
    }
}

pub(super) async fn there(
    engine: &Engine,
    session: &mut ClientSession,
    ids: &[ObjectId],
) -> Result<HashSet<ObjectId>, Fault> {
    let jobs = engine.collection::<Id>(JOBS);
    let mut found = jobs
        .find(doc! { "_id": { "$in": ids } })
        .projection(doc! { "_id": 1 })
        .session(&mut *session)
        .await?;
    let found: Vec<Id> = found.stream(session).try_collect().await?;
    Ok(found.into_iter().map(|job| job.id).collect())
}

/// Those that were removed within the last day; those that were removed before are forgotten.
async fn still_removed(
    engine: &Engine,
    session: &mut ClientSession,
    ids: &[ObjectId],
    now: Timestamp,
) -> Result<Vec<ObjectId>, Fault> {
    let removed = engine.collection::<Removed>(REMOVED);
    let mut found = removed.find(doc! { "_id": { "$in": ids } }).session(&mut *session).await?;
    let found: Vec<Removed> = found.stream(&mut *session).try_collect().await?;
    let (known, forgotten): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|removed| !removed.noted || Timestamp::from_millis(removed.at) + KNOWN_FOR > now);
    if !forgotten.is_empty() {
        let forgotten: Vec<ObjectId> = forgotten.into_iter().map(|removed| removed.id).collect();
        removed.delete_many(doc! { "_id": { "$in": forgotten } }).session(session).await?;
    }
    Ok(known.into_iter().map(|removed| removed.id).collect())
}

pub(super) async fn known(engine: &Engine, ids: &[JobId]) -> Result<Vec<JobId>, Fault> {
    let mut known = HashSet::new();
    // in this order: a job that goes in between is in the second
    for collection in [JOBS, REMOVED] {
        let found = engine
            .collection::<Id>(collection)
            .find(doc! { "_id": { "$in": oids(ids) } })
            .projection(doc! { "_id": 1 })
            .max_time(engine.deadline())
            .await?;
        let found: Vec<Id> = found.try_collect().await?;
        known.extend(found.into_iter().map(|job| id::<JobId>(job.id)));
    }
    let mut seen = HashSet::new();
    Ok(ids.iter().copied().filter(|id| known.contains(id) && seen.insert(*id)).collect())
}

pub(super) async fn promote_due(engine: &Engine, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
    engine.run(forget_removed(engine, now)).await?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let jobs = engine.collection::<Placed>(JOBS);
            let mut due = jobs
                .find(doc! { "state": state_number(JobState::Delayed), "due_at": { "$lte": now.millis() } })
                .projection(Placed::fields())
                .sort(doc! { "due_at": 1 })
                .limit(i64::from(limit))
                .session(tx.session())
                .await?;
            let due: Vec<Placed> = due.stream(tx.session()).try_collect().await?;
            if due.is_empty() {
                return Ok(Vec::new());
            }
            let ids: Vec<ObjectId> = due.iter().map(|job| job.id).collect();
            let ready = doc! { "$set": {
                "state": state_number(JobState::Inactive), "due_at": null, "updated_at": now.millis(), "ready_at": now.millis(),
            } };
            let ready = tell::with(ready, Told::plain(JobEventKind::Promotion, now));
            jobs.update_many(doc! { "_id": { "$in": ids } }, ready).session(tx.session()).await?;
            let mut entering = Entering::default();
            due.iter().for_each(|job| entering.add(job));
            entering.write(engine, tx.session()).await?;
            Ok::<_, Abort<PortError>>(due.into_iter().map(|job| job.kind).collect())
        })
        .await
}

/// Notes since when ids are removed, and forgets those that were long enough.
async fn forget_removed(engine: &Engine, now: Timestamp) -> Result<(), Fault> {
    let removed = engine.collection::<Id>(REMOVED);
    removed
        .update_many(doc! { "noted": false }, doc! { "$set": { "noted": true, "at": now.millis() } })
        .await?;
    let old = doc! { "noted": true, "at": { "$lte": (now - KNOWN_FOR).millis() } };
    let old: Vec<Id> =
        removed.find(old).projection(doc! { "_id": 1 }).limit(FORGET).await?.try_collect().await?;
    if !old.is_empty() {
        let old: Vec<ObjectId> = old.into_iter().map(|removed| removed.id).collect();
        removed.delete_many(doc! { "_id": { "$in": old } }).await?;
    }
    Ok(())
}

pub(super) async fn next_due(engine: &Engine) -> Result<Option<Timestamp>, Fault> {
    let next = engine
        .collection::<Document>(JOBS)
        .find_one(doc! { "state": state_number(JobState::Delayed) })
        .sort(doc! { "due_at": 1 })
        .projection(doc! { "_id": 0, "due_at": 1 })
        .await?;
    let due_at =
        |job: Document| job.get_i64("due_at").map_err(|_| Fault::Damaged("a delayed job without time"));
    Ok(next.map(due_at).transpose()?.map(Timestamp::from_millis))
}
