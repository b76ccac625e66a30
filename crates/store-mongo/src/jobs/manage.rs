//! Jobs are changed, tried again and removed by people.

use std::collections::HashMap;

use common::jobs::{ChangeJobError, Job, JobChange, JobEventKind, JobState, Priority, RetriedDead};
use common::{JobId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;
use serde_json::json;

use super::doc::{GONE, JobDoc, Placed, any_state, live, read_state, seen, state_number};
use super::lines::{Entering, Leaving};
use super::schema::JOBS;
use super::tell::{self, Told};
use super::{Turn, keys, log, unique};
use crate::engine::{Abort, Engine, Fault, TxResult, statements};
use crate::value::{ToOid as _, id, int};

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: ObjectId,
}

pub(super) async fn change(
    engine: &Engine,
    job: JobId,
    change: JobChange,
    now: Timestamp,
) -> Result<Job, ChangeJobError> {
    match change {
        JobChange::Cancel => return engine.write(cancel(engine, job, &live(), now)).await,
        JobChange::CancelIdle => return engine.write(cancel(engine, job, &idle(), now)).await,
        _ => {}
    }
    let (changed, leaving) = engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let session = tx.session();
            let jobs = engine.collection::<JobDoc>(JOBS);
            let there = doc! { "_id": job.oid(), "state": any_state() };
            let found = jobs.find_one(there).projection(seen()).session(&mut *session).await?;
            let mut found = found.ok_or(ChangeJobError::NotFound)?;
            let state = found.state()?;
            let leaving = (state == JobState::Inactive).then(|| Leaving::of(&found));
            let (update, enters) = match change {
                JobChange::Priority(priority) if state.is_live() => {
                    found.priority = priority.0;
                    (with_priority(priority, now)?, state == JobState::Inactive)
                }
                JobChange::Promote if state == JobState::Delayed => (promoted(now), true),
                JobChange::Retry if matches!(state, JobState::Failed | JobState::Cancelled) => {
                    take_keys(engine, session, std::iter::once((found.unique_key.as_deref(), found.id)))
                        .await?
                        .pop()
                        .map_or(Ok(()), |(_, holder)| Err(ChangeJobError::Taken(id(holder))))?;
                    (anew(now), true)
                }
                _ => return Err(ChangeJobError::State(state).into()),
            };
            if enters {
                let mut entering = Entering::default();
                entering.add(&found);
                entering.write(engine, session).await?;
            }
            let changed = jobs
                .find_one_and_update(doc! { "_id": found.id }, update)
                .projection(seen())
                .return_document(ReturnDocument::After)
                .session(session)
                .await?;
            Ok::<_, Abort<ChangeJobError>>((changed.ok_or(Fault::Raced)?.read()?, leaving))
        })
        .await?;
    if let Some(leaving) = leaving {
        leaving.step_forward(engine).await;
    }
    Ok(changed)
}

/// States of jobs that wait to be worked.
fn idle() -> Document {
    let states = [JobState::Inactive, JobState::Delayed].map(state_number);
    doc! { "$in": states.to_vec() }
}

/// Calls a job off that is in one of these live states.
async fn cancel(
    engine: &Engine,
    job: JobId,
    from: &Document,
    now: Timestamp,
) -> TxResult<Job, ChangeJobError> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    let cancelled = doc! { "$set": {
        "state": state_number(JobState::Cancelled), "due_at": null, "finished_at": now.millis(), "finished": true,
        "updated_at": now.millis(), "lease_until": null, "ttl_until": null, "ends_at": null,
    } };
    let cancelled = tell::with(cancelled, Told::plain(JobEventKind::Cancel, now));
    loop {
        let changed = jobs
            .find_one_and_update(doc! { "_id": job.oid(), "state": from }, cancelled.clone())
            .projection(seen())
            .return_document(ReturnDocument::After)
            .await?;
        if let Some(changed) = changed {
            Leaving::of(&changed).step_forward(engine).await;
            return Ok(changed.read()?);
        }
        match state(engine, job).await? {
            Some(JobState::Active) if *from == idle() => {
                return Err(ChangeJobError::State(JobState::Active).into());
            }
            // tried again, or given back, meanwhile
            Some(state) if state.is_live() => {}
            Some(state) => return Err(ChangeJobError::State(state).into()),
            None => return Err(ChangeJobError::NotFound.into()),
        }
    }
}

async fn state(engine: &Engine, job: JobId) -> Result<Option<JobState>, Fault> {
    let found = engine
        .collection::<Document>(JOBS)
        .find_one(doc! { "_id": job.oid(), "state": any_state() })
        .projection(doc! { "_id": 0, "state": 1 })
        .await?;
    let read = |job: Document| read_state(job.get_i32("state").unwrap_or(-1));
    found.map(read).transpose()
}

fn with_priority(priority: Priority, now: Timestamp) -> Result<Document, Fault> {
    let change = doc! { "$set": { "priority": priority.0, "updated_at": now.millis() } };
    let event = Told::of(JobEventKind::Priority, &json!({ "priority": priority.0 }), now)?;
    Ok(tell::with(change, event))
}

fn promoted(now: Timestamp) -> Document {
    let change = doc! { "$set": {
        "state": state_number(JobState::Inactive), "due_at": null, "updated_at": now.millis(), "ready_at": now.millis(),
    } };
    tell::with(change, Told::plain(JobEventKind::Promotion, now))
}

/// As if it had never been tried.
fn anew(now: Timestamp) -> Document {
    let change = doc! { "$set": {
        "state": state_number(JobState::Inactive), "progress": 0, "progress_data": null, "result": null, "error": null,
        "attempts_made": 0, "failures": [], "started_at": null, "finished_at": null, "finished": false, "worker": null,
        "due_at": null, "updated_at": now.millis(), "ready_at": now.millis(),
    } };
    tell::with(change, Told::plain(JobEventKind::Enqueue, now))
}

/// Takes the unique keys of jobs that are to be tried again; those that cannot, each with the live job that has its key.
async fn take_keys(
    engine: &Engine,
    session: &mut ClientSession,
    jobs: impl Iterator<Item = (Option<&str>, ObjectId)>,
) -> Result<Vec<(ObjectId, ObjectId)>, Fault> {
    let wanted: Vec<(&str, ObjectId)> = jobs.filter_map(|(key, job)| Some((key?, job))).collect();
    let holders = unique::take(engine, session, &wanted).await?;
    Ok(wanted.iter().zip(holders).filter_map(|((_, job), holder)| Some((*job, holder?))).collect())
}

pub(super) async fn retry_dead(
    engine: &Engine,
    kind: Option<&str>,
    after: Option<u64>,
    limit: u32,
    now: Timestamp,
) -> PortResult<RetriedDead> {
    if limit == 0 {
        return Ok(RetriedDead { next: after, ..RetriedDead::default() });
    }
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let session = tx.session();
            let mut dead = doc! { "state": state_number(JobState::Failed) };
            if let Some(kind) = kind {
                dead.insert("type", kind);
            }
            if let Some(after) = after {
                dead.insert("number", doc! { "$gt": int(after) });
            }
            let mut found = engine
                .collection::<Placed>(JOBS)
                .find(dead)
                .projection(Placed::fields())
                .sort(doc! { "number": 1 })
                .limit(i64::from(limit))
                .session(&mut *session)
                .await?;
            let found: Vec<Placed> = found.stream(&mut *session).try_collect().await?;
            let wanted = found.iter().map(|job| (job.unique_key.as_deref(), job.id));
            let left: HashMap<ObjectId, ObjectId> =
                take_keys(engine, session, wanted).await?.into_iter().collect();
            let (mut entering, mut updates) = (Entering::default(), Vec::new());
            for job in found.iter().filter(|job| !left.contains_key(&job.id)) {
                entering.add(job);
                updates.push(doc! { "q": { "_id": job.id }, "u": anew(now) });
            }
            let retried = u32::try_from(updates.len()).unwrap_or(limit);
            statements::update(engine, session, JOBS, updates).await?;
            entering.write(engine, session).await?;
            let is_full = found.len() == limit as usize;
            Ok::<_, Abort<PortError>>(RetriedDead {
                retried,
                left: u32::try_from(left.len()).unwrap_or(limit),
                next: found.last().filter(|_| is_full).map(|job| job.number),
            })
        })
        .await
}

/// The change that removes a job: it is gone for all but those who tell its events.
fn removed(now: Timestamp) -> Document {
    let change = doc! { "$set": {
        "state": GONE, "removed_at": now.millis(), "finished": false, "due_at": null, "to_index": false, "words": [],
    } };
    tell::with(change, Told::plain(JobEventKind::Remove, now))
}

pub(super) async fn remove(engine: &Engine, job: JobId, now: Timestamp) -> TxResult<(), ChangeJobError> {
    let idle = JobState::ALL.into_iter().filter(|state| *state != JobState::Active);
    let idle: Vec<i32> = idle.map(state_number).collect();
    loop {
        let changed = engine
            .collection::<JobDoc>(JOBS)
            .find_one_and_update(doc! { "_id": job.oid(), "state": { "$in": &idle } }, removed(now))
            .projection(seen())
            .await?;
        if let Some(before) = changed {
            if before.state()? == JobState::Inactive {
                Leaving::of(&before).step_forward(engine).await;
            }
            log::forget_now(engine, job.oid()).await;
            return Ok(());
        }
        match state(engine, job).await? {
            Some(JobState::Active) => return Err(ChangeJobError::State(JobState::Active).into()),
            // it has ended meanwhile
            Some(_) => {}
            None => return Err(ChangeJobError::NotFound.into()),
        }
    }
}

pub(super) async fn remove_finished(
    engine: &Engine,
    state: JobState,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<u32, Fault> {
    if limit == 0 {
        return Ok(0);
    }
    let mut finished = doc! {
        "state": state_number(state), "finished": true, "finished_at": { "$lt": before.millis() },
    };
    let ids: Vec<Id> = engine
        .collection(JOBS)
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
    // one of them may have been tried again meanwhile
    finished.insert("_id", doc! { "$in": &ids });
    let gone = engine.collection::<Document>(JOBS).update_many(finished, removed(now)).await?;
    Ok(u32::try_from(gone.modified_count).unwrap_or(limit))
}
