//! Jobs come, are promoted, and are removed.

use std::collections::HashSet;
use std::time::Duration;

use common::jobs::{InsertOutcome, JobState, NewJob};
use common::{JobId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::doc::{JobDoc, read_state, state_number};
use super::lines::Entering;
use super::schema::{COUNTERS, JOBS, LOG, NUMBER, REMOVED};
use super::{Turn, keys};
use crate::engine::{Abort, Engine, Fault, Tx, TxResult, is_duplicate};
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
    jobs: &[NewJob],
    now: Timestamp,
) -> PortResult<Vec<InsertOutcome>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    // outside of the transaction, since all processes meet in it: a number may stay without a job
    let first = engine.run(numbers(engine, jobs.len())).await?;
    engine.transact(&keys(Turn::Ready), |tx| insert_numbered(engine, tx, jobs, first, now)).await
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

async fn insert_numbered(
    engine: &Engine,
    mut tx: Tx,
    jobs: &[NewJob],
    first: u64,
    now: Timestamp,
) -> TxResult<Vec<InsertOutcome>, PortError> {
    let ids: Vec<ObjectId> = jobs.iter().map(|job| job.id.oid()).collect();
    let mut known = there(engine, tx.session(), &ids).await?;
    known.extend(still_removed(engine, tx.session(), &ids, now).await?);
    let (mut outcomes, mut fresh, mut entering) = (Vec::new(), Vec::new(), Entering::default());
    for (job, number) in jobs.iter().zip(first..) {
        if !known.insert(job.id.oid()) {
            outcomes.push(InsertOutcome::Known);
            continue;
        }
        let due_at = job.run_at.filter(|run_at| *run_at > now);
        let job = JobDoc::of(job, number, due_at, now)?;
        if due_at.is_none() {
            entering.add(&job);
        }
        fresh.push(job);
        outcomes.push(InsertOutcome::Inserted);
    }
    if fresh.is_empty() {
        return Ok(outcomes);
    }
    match engine.collection(JOBS).insert_many(fresh).session(tx.session()).await {
        // came in between: the next look sees it
        Err(error) if is_duplicate(&error) => return Err(Fault::Raced.into()),
        result => result?,
    };
    entering.write(engine, tx.session()).await?;
    Ok(outcomes)
}

async fn there(
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
            let jobs = engine.collection::<JobDoc>(JOBS);
            let mut due = jobs
                .find(doc! { "state": state_number(JobState::Delayed), "due_at": { "$lte": now.millis() } })
                .sort(doc! { "due_at": 1 })
                .limit(i64::from(limit))
                .session(tx.session())
                .await?;
            let due: Vec<JobDoc> = due.stream(tx.session()).try_collect().await?;
            if due.is_empty() {
                return Ok(Vec::new());
            }
            let ids: Vec<ObjectId> = due.iter().map(|job| job.id).collect();
            jobs.update_many(
                doc! { "_id": { "$in": ids } },
                doc! { "$set": { "state": state_number(JobState::Inactive), "due_at": null, "updated_at": now.millis() } },
            )
            .session(tx.session())
            .await?;
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

/// Tries a job again from its first attempt. None if there is no such job, false if its state does not allow it.
pub(super) async fn retry(engine: &Engine, id: JobId, now: Timestamp) -> PortResult<Option<bool>> {
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let jobs = engine.collection::<JobDoc>(JOBS);
            let Some(job) = jobs.find_one(doc! { "_id": id.oid() }).session(tx.session()).await? else {
                return Ok(None);
            };
            if !matches!(job.state()?, JobState::Failed | JobState::Cancelled) {
                return Ok(Some(false));
            }
            let anew = doc! {
                "state": state_number(JobState::Inactive), "progress": 0, "result": null, "error": null, "attempts_made": 0,
                "failures": [], "started_at": null, "finished_at": null, "finished": false, "worker": null,
                "updated_at": now.millis(),
            };
            jobs.update_one(doc! { "_id": job.id }, doc! { "$set": anew }).session(tx.session()).await?;
            let mut entering = Entering::default();
            entering.add(&job);
            entering.write(engine, tx.session()).await?;
            Ok::<_, Abort<PortError>>(Some(true))
        })
        .await
}

impl JobDoc {
    fn state(&self) -> Result<JobState, Fault> {
        read_state(self.state)
    }
}

pub(super) async fn remove_finished(
    engine: &Engine,
    state: JobState,
    before: Timestamp,
    limit: u32,
) -> Result<u32, Fault> {
    if limit == 0 {
        return Ok(0);
    }
    let finished = doc! {
        "state": state_number(state), "finished": true, "finished_at": { "$lt": before.millis() },
    };
    let jobs = engine.collection::<Id>(JOBS);
    let ids: Vec<Id> = jobs
        .find(finished.clone())
        .projection(doc! { "_id": 1 })
        .sort(doc! { "finished_at": 1 })
        .limit(i64::from(limit))
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let ids: Vec<ObjectId> = ids.into_iter().map(|job| job.id).collect();
    // in this order an id is known at every moment; one that was noted for nothing, because its job was tried again meanwhile, is forgotten later
    let removed = ids.iter().map(|id| doc! { "_id": id, "at": 0_i64, "noted": false });
    match engine.collection::<Document>(REMOVED).insert_many(removed).ordered(false).await {
        Err(error) if is_duplicate(&error) => {}
        result => drop(result?),
    }
    engine.collection::<Document>(LOG).delete_many(doc! { "job": { "$in": &ids } }).await?;
    let mut those = finished;
    those.insert("_id", doc! { "$in": ids });
    let removed = jobs.delete_many(those).await?;
    Ok(u32::try_from(removed.deleted_count).unwrap_or(limit))
}
