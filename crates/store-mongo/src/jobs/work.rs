//! Results of claims.

use std::time::Duration;

use common::Timestamp;
use common::jobs::{
    Backoff, FailOutcome, Failure, JobEventKind, JobState, LeaseHolder, LostLease, MOST_FAILURES,
};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::doc::{GONE, LONGEST_TTL_MS, Placed, from_json, state_number, to_json};
use super::lines::Entering;
use super::schema::JOBS;
use super::tally::{Completed, Tally};
use super::tell::{self, Told};
use super::{Turn, keys, log};
use crate::engine::{Engine, Fault, TxResult};
use crate::value::{ToOid as _, int};

const ACTIVE: i32 = state_number(JobState::Active);

fn ttl_until(now: Timestamp) -> Document {
    doc! { "$add": [now.millis(), { "$min": ["$ttl_ms", LONGEST_TTL_MS] }] }
}

/// A stage that follows changes of the two.
fn ends_at() -> Document {
    doc! { "$set": { "ends_at": { "$min": ["$lease_until", "$ttl_until"] } } }
}

/// Held by this claim, whose lease and time to live have not ended.
pub(super) fn held(holder: LeaseHolder, now: Timestamp) -> Document {
    doc! {
        "_id": holder.job.oid(), "state": ACTIVE, "generation": int(holder.mark), "ends_at": { "$gt": now.millis() },
    }
}

fn taken(matched: u64) -> TxResult<(), LostLease> {
    if matched == 1 { Ok(()) } else { Err(LostLease::Lost.into()) }
}

pub(super) async fn heartbeat(
    engine: &Engine,
    holder: LeaseHolder,
    lease: Duration,
    now: Timestamp,
) -> TxResult<Timestamp, LostLease> {
    let lease_until = now + lease;
    let renewed = vec![doc! { "$set": { "lease_until": lease_until.millis() } }, ends_at()];
    let changed = engine.collection::<Document>(JOBS).update_one(held(holder, now), renewed).await?;
    taken(changed.matched_count)?;
    Ok(lease_until)
}

pub(super) async fn progress(
    engine: &Engine,
    holder: LeaseHolder,
    percent: u8,
    data: Option<&Value>,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let percent = percent.min(100);
    let event = Told::of(JobEventKind::Progress, &json!({ "progress": percent, "data": data }), now)?;
    let mut forward = doc! {
        "progress": i32::from(percent), "ttl_until": ttl_until(now), "updated_at": now.millis(),
        "progress_data": { "$literal": data.map(to_json).transpose()? },
    };
    forward.extend(tell::progress(event, now));
    let renewed = vec![doc! { "$set": forward }, ends_at()];
    let changed = engine.collection::<Document>(JOBS).update_one(held(holder, now), renewed).await?;
    taken(changed.matched_count)
}

/// What a completion has to know of its job, as it was.
#[derive(Deserialize)]
struct Finished {
    #[serde(rename = "type")]
    kind: String,
    inserted_at: i64,
    ready_at: Option<i64>,
    started_at: Option<i64>,
    #[serde(default)]
    remove_on_complete: bool,
    log_lines: i64,
}

pub(super) async fn complete(
    engine: &Engine,
    tally: &Tally,
    holder: LeaseHolder,
    result: Option<&Value>,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let complete = Told::of(JobEventKind::Complete, &json!({ "result": result }), now)?;
    let remove = Told::plain(JobEventKind::Remove, now);
    let either = |removed: Bson, kept: Bson| doc! { "$cond": ["$remove_on_complete", removed, kept] };
    let mut done = doc! {
        "state": either(GONE.into(), state_number(JobState::Complete).into()),
        "finished": either(false.into(), true.into()),
        "removed_at": either(now.millis().into(), Bson::Null),
        "to_index": either(false.into(), "$to_index".into()),
        "progress": 100, "result": { "$literal": result.map(to_json).transpose()? }, "error": null,
        "finished_at": now.millis(), "updated_at": now.millis(),
        "lease_until": null, "ttl_until": null, "ends_at": null,
    };
    done.extend(tell::completion(complete, remove, now));
    let finished = engine
        .collection::<Finished>(JOBS)
        .find_one_and_update(held(holder, now), vec![doc! { "$set": done }])
        .projection(doc! {
            "type": 1, "inserted_at": 1, "ready_at": 1, "started_at": 1, "remove_on_complete": 1, "log_lines": 1,
        })
        .await?
        .ok_or(LostLease::Lost)?;
    let at = |millis: Option<i64>| Timestamp::from_millis(millis.unwrap_or(finished.inserted_at));
    let attempt = Completed { ready_at: at(finished.ready_at), started_at: at(finished.started_at) };
    tally.completed(&finished.kind, &attempt, now);
    if finished.remove_on_complete && finished.log_lines > 0 {
        log::forget_now(engine, holder.job.oid()).await;
    }
    tally.bring_old(engine, now).await;
    Ok(())
}

pub(super) async fn fail(
    engine: &Engine,
    tally: &Tally,
    holder: LeaseHolder,
    failure: &Failure,
    now: Timestamp,
) -> TxResult<FailOutcome, LostLease> {
    let jobs = engine.collection::<Worked>(JOBS);
    let Some(job) = jobs.find_one(held(holder, now)).projection(Worked::fields()).await? else {
        return Err(LostLease::Lost.into());
    };
    let (change, outcome) = end_of_attempt(&job, failure, now)?;
    let changed = jobs.update_one(held(holder, now), change).await?;
    taken(changed.matched_count)?;
    if !failure.uncounted {
        tally.failed(&job.kind, now);
    }
    tally.bring_old(engine, now).await;
    Ok(outcome)
}

/// What the end of an attempt has to know of its job: not what may be long.
#[derive(Deserialize)]
struct Worked {
    #[serde(rename = "_id")]
    id: ObjectId,
    number: u64,
    #[serde(rename = "type")]
    kind: String,
    attempts_made: u32,
    max_attempts: u32,
    backoff: String,
    failures: Vec<Numbered>,
    #[serde(rename = "generation")]
    mark: u64,
    ttl_until: Option<i64>,
}

/// An attempt that failed.
#[derive(Deserialize)]
struct Numbered {
    number: u32,
}

impl Worked {
    fn fields() -> Document {
        doc! {
            "number": 1, "type": 1, "attempts_made": 1, "max_attempts": 1, "backoff": 1, "failures.number": 1,
            "generation": 1, "ttl_until": 1,
        }
    }
}

/// The change that a failure makes, and what it leads to.
fn end_of_attempt(job: &Worked, failure: &Failure, now: Timestamp) -> Result<(Document, FailOutcome), Fault> {
    let outcome = if failure.lets_come_again(job.attempts_made, job.max_attempts) {
        let jitter = f64::from(failure.jitter_percent) / 100.0;
        let backoff: Backoff = from_json(&job.backoff)?;
        FailOutcome::Retry(failure.due(now + backoff.delay(job.attempts_made, jitter)))
    } else {
        FailOutcome::Dead
    };
    let (state, due_at, finished_at) = match outcome {
        FailOutcome::Retry(due_at) => (JobState::Delayed, Bson::Int64(due_at.millis()), Bson::Null),
        FailOutcome::Dead => (JobState::Failed, Bson::Null, Bson::Int64(now.millis())),
    };
    let attempt = doc! { "number": job.attempts_made, "at": now.millis(), "error": &failure.error };
    let mut set = doc! {
        "state": state_number(state), "error": &failure.error, "due_at": due_at, "updated_at": now.millis(),
        "finished_at": finished_at, "finished": outcome == FailOutcome::Dead,
        "lease_until": null, "ttl_until": null, "ends_at": null,
        "attempts_made": job.attempts_made - u32::from(failure.uncounted),
    };
    let change = match job.failures.iter().rposition(|last| last.number == job.attempts_made) {
        // what it needs is still away
        Some(_) if failure.uncounted => doc! { "$set": set },
        Some(place) => {
            set.insert(format!("failures.{place}"), attempt);
            doc! { "$set": set }
        }
        None => doc! {
            "$set": set,
            "$push": { "failures": { "$each": [attempt], "$slice": -(MOST_FAILURES as i32) } },
        },
    };
    let event = match outcome {
        FailOutcome::Retry(_) => JobEventKind::FailedAttempt,
        FailOutcome::Dead => JobEventKind::Failed,
    };
    let said = json!({ "error": failure.error, "attempt": job.attempts_made });
    Ok((tell::with(change, Told::of(event, &said, now)?), outcome))
}

pub(super) async fn give_back(engine: &Engine, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let untouched = doc! {
                "$set": {
                    "state": state_number(JobState::Inactive), "progress": 0, "started_at": null, "updated_at": now.millis(),
                    "worker": null, "lease_until": null, "ttl_until": null, "ends_at": null,
                    "ready_at": now.millis(),
                },
                "$inc": { "attempts_made": -1 },
            };
            let untouched = tell::with(untouched, Told::plain(JobEventKind::Return, now));
            let job = engine
                .collection::<Placed>(JOBS)
                .find_one_and_update(held(holder, now), untouched)
                .projection(Placed::fields())
                .session(tx.session())
                .await?
                .ok_or(LostLease::Lost)?;
            let mut entering = Entering::default();
            entering.add(&job);
            entering.write(engine, tx.session()).await?;
            Ok(())
        })
        .await
}

pub(super) async fn reap(
    engine: &Engine,
    tally: &Tally,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<String>, Fault> {
    let jobs = engine.collection::<Worked>(JOBS);
    let over = doc! { "$lte": now.millis() };
    let mut types = Vec::new();
    while types.len() < limit as usize {
        let ended: Vec<Worked> = jobs
            .find(doc! { "state": ACTIVE, "ends_at": &over })
            .projection(Worked::fields())
            .sort(doc! { "ends_at": 1 })
            .limit(i64::from(limit) - types.len() as i64)
            .max_time(engine.deadline())
            .await?
            .try_collect()
            .await?;
        if ended.is_empty() {
            break;
        }
        for job in ended {
            let ttl_ended = job.ttl_until.is_some_and(|ttl_until| ttl_until <= now.millis());
            let failure = Failure {
                error: if ttl_ended { "TTL exceeded" } else { "lease lost" }.to_owned(),
                retryable: true,
                // jobs of a worker that died come back one after another
                jitter_percent: u8::try_from(job.number % 101).unwrap_or(0),
                not_before: None,
                uncounted: false,
            };
            let (change, _) = end_of_attempt(&job, &failure, now)?;
            let same = doc! {
                "_id": job.id, "state": ACTIVE, "generation": int(job.mark), "ends_at": &over,
            };
            // another reaper, or a heartbeat, may have been here
            if jobs.update_one(same, change).await?.matched_count == 1 {
                tally.failed(&job.kind, now);
                types.push(job.kind);
            }
        }
    }
    tally.bring_old(engine, now).await;
    Ok(types)
}
