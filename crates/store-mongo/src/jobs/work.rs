//! Claims and their results.

use std::time::Duration;

use common::Timestamp;
use common::jobs::{ClaimRequest, Claimed, FailOutcome, Failure, JobState, LeaseHolder, LostLease};
use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;
use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use super::doc::{JobDoc, LONGEST_TTL_MS, state_number, to_json};
use super::lines::{self, Entering, Line};
use super::schema::JOBS;
use super::{Turn, keys};
use crate::engine::{Engine, Fault, TxResult};
use crate::value::{ToOid as _, id, int};

const ACTIVE: i32 = state_number(JobState::Active);

/// Jobs that are taken at once: each is a change of its own document, and waits for the majority.
const AT_ONCE: usize = 16;

pub(super) async fn claim(
    engine: &Engine,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<Vec<Claimed>, Fault> {
    let max = request.max as usize;
    let mut claimed = Vec::new();
    if max == 0 || request.types.is_empty() {
        return Ok(claimed);
    }
    let mut active = lines::active_by_user(engine).await?;
    while claimed.len() < max {
        let next = lines::next(engine, &request.types, &active, max - claimed.len()).await?;
        if next.is_empty() {
            break;
        }
        for part in next.chunks(AT_ONCE) {
            let taken = try_join_all(part.iter().map(|line| take(engine, line, request, now))).await?;
            for (line, taken) in part.iter().zip(taken) {
                if let Some(taken) = taken {
                    *active.entry(line.user).or_default() += 1;
                    claimed.push(taken);
                }
            }
            try_join_all(part.iter().map(|line| line.clone().step_forward(engine))).await?;
        }
    }
    Ok(claimed)
}

/// Takes the first job of a line, if there still is one: the change of its state, on the condition that it is as it was seen, is the claim.
async fn take(
    engine: &Engine,
    line: &Line,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<Option<Claimed>, Fault> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    loop {
        let Some(mut job) = jobs.find_one(line.jobs()).sort(doc! { "number": 1 }).await? else {
            return Ok(None);
        };
        let mut as_seen = line.jobs();
        as_seen.extend(doc! { "number": int(job.number), "generation": int(job.generation) });
        let lease_until = now + request.lease;
        let change = job.begin(&request.worker, lease_until, now);
        if jobs.update_one(as_seen, doc! { "$set": change }).await?.matched_count == 1 {
            let holder = LeaseHolder { job: id(job.id), generation: job.generation };
            return Ok(Some(Claimed { job: job.read()?, holder, lease_until }));
        }
        // another process was quicker
    }
}

fn ttl_until(now: Timestamp) -> Document {
    doc! { "$add": [now.millis(), { "$min": ["$ttl_ms", LONGEST_TTL_MS] }] }
}

/// A stage that follows changes of the two.
fn ends_at() -> Document {
    doc! { "$set": { "ends_at": { "$min": ["$lease_until", "$ttl_until"] } } }
}

/// Held by this claim, whose lease and time to live have not ended.
fn held(holder: LeaseHolder, now: Timestamp) -> Document {
    doc! {
        "_id": holder.job.oid(), "state": ACTIVE, "generation": int(holder.generation), "ends_at": { "$gt": now.millis() },
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
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let forward = doc! {
        "progress": i32::from(percent.min(100)), "ttl_until": ttl_until(now), "updated_at": now.millis(),
    };
    let renewed = vec![doc! { "$set": forward }, ends_at()];
    let changed = engine.collection::<Document>(JOBS).update_one(held(holder, now), renewed).await?;
    taken(changed.matched_count)
}

pub(super) async fn complete(
    engine: &Engine,
    holder: LeaseHolder,
    result: Option<&Value>,
    now: Timestamp,
) -> TxResult<(), LostLease> {
    let result = result.map(to_json).transpose()?;
    let done = doc! {
        "state": state_number(JobState::Complete), "progress": 100, "result": result, "error": null,
        "finished_at": now.millis(), "finished": true, "updated_at": now.millis(),
        "lease_until": null, "ttl_until": null, "ends_at": null,
    };
    let changed =
        engine.collection::<Document>(JOBS).update_one(held(holder, now), doc! { "$set": done }).await?;
    taken(changed.matched_count)
}

pub(super) async fn fail(
    engine: &Engine,
    holder: LeaseHolder,
    failure: &Failure,
    now: Timestamp,
) -> TxResult<FailOutcome, LostLease> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    let Some(job) = jobs.find_one(held(holder, now)).await? else {
        return Err(LostLease::Lost.into());
    };
    let (change, outcome) = end_of_attempt(&job, failure, now)?;
    let changed = jobs.update_one(held(holder, now), change).await?;
    taken(changed.matched_count)?;
    Ok(outcome)
}

/// The change that a failure makes, and what it leads to.
fn end_of_attempt(job: &JobDoc, failure: &Failure, now: Timestamp) -> Result<(Document, FailOutcome), Fault> {
    let outcome = if failure.retryable && job.attempts_made < job.max_attempts {
        let jitter = f64::from(failure.jitter_percent) / 100.0;
        FailOutcome::Retry(now + job.backoff()?.delay(job.attempts_made, jitter))
    } else {
        FailOutcome::Dead
    };
    let (state, due_at, finished_at) = match outcome {
        FailOutcome::Retry(due_at) => (JobState::Delayed, Bson::Int64(due_at.millis()), Bson::Null),
        FailOutcome::Dead => (JobState::Failed, Bson::Null, Bson::Int64(now.millis())),
    };
    let attempt = doc! { "number": job.attempts_made, "at": now.millis(), "error": &failure.error };
    let change = doc! {
        "$set": {
            "state": state_number(state), "error": &failure.error, "due_at": due_at, "updated_at": now.millis(),
            "finished_at": finished_at, "finished": outcome == FailOutcome::Dead,
            "lease_until": null, "ttl_until": null, "ends_at": null,
        },
        "$push": { "failures": attempt },
    };
    Ok((change, outcome))
}

pub(super) async fn give_back(engine: &Engine, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
    engine
        .transact(&keys(Turn::Ready), |mut tx| async move {
            let untouched = doc! {
                "$set": {
                    "state": state_number(JobState::Inactive), "progress": 0, "started_at": null, "updated_at": now.millis(),
                    "worker": null, "lease_until": null, "ttl_until": null, "ends_at": null,
                },
                "$inc": { "attempts_made": -1 },
            };
            let job = engine
                .collection::<JobDoc>(JOBS)
                .find_one_and_update(held(holder, now), untouched)
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

pub(super) async fn reap(engine: &Engine, limit: u32, now: Timestamp) -> Result<Vec<String>, Fault> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    let over = doc! { "$lte": now.millis() };
    let mut types = Vec::new();
    while types.len() < limit as usize {
        let ended: Vec<JobDoc> = jobs
            .find(doc! { "state": ACTIVE, "ends_at": &over })
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
            };
            let (change, _) = end_of_attempt(&job, &failure, now)?;
            let same = doc! {
                "_id": job.id, "state": ACTIVE, "generation": int(job.generation), "ends_at": &over,
            };
            // another reaper, or a heartbeat, may have been here
            if jobs.update_one(same, change).await?.matched_count == 1 {
                types.push(job.kind);
            }
        }
    }
    Ok(types)
}
