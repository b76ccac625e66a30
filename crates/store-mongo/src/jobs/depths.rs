//! Figures of how many jobs there are. Jobs that have ended stay for days, and the server counts them one by one: so one process counts them now and then for
//! all, and notes what it found.

use common::Timestamp;
use common::jobs::{ENDED_COUNTED_EVERY, JobCounts, JobState};
use mongodb::bson::{Document, doc};

use super::doc::{live, state_number};
use super::list;
use super::schema::{COUNTERS, ENDED};
use crate::engine::{Engine, Fault};
use crate::value::{count, int};

pub(super) async fn depths(engine: &Engine, now: Timestamp) -> Result<JobCounts, Fault> {
    let mut depths = ended(engine, now).await?;
    depths.extend(JobState::ALL.into_iter().filter(|state| state.is_live()).map(|state| (state, 0)));
    depths.extend(list::by_state(engine, doc! { "state": live() }).await?);
    Ok(depths)
}

fn states() -> impl Iterator<Item = JobState> {
    JobState::ALL.into_iter().filter(|state| !state.is_live())
}

async fn ended(engine: &Engine, now: Timestamp) -> Result<JobCounts, Fault> {
    if takes_turn(engine, now).await? {
        match recount(engine).await {
            Ok(counts) => return Ok(counts),
            // too many to be counted in time, perhaps: what was found before is better than nothing
            Err(fault) => tracing::warn!(%fault, "cannot count the jobs that have ended"),
        }
    }
    let noted = engine.collection::<Document>(COUNTERS).find_one(doc! { "_id": ENDED }).await?;
    let noted = noted.unwrap_or_default();
    states()
        .map(|state| match noted.get_i64(state.word()) {
            Ok(jobs) => Ok((state, count(jobs)?)),
            // nobody has counted yet
            Err(_) => Ok((state, 0)),
        })
        .collect()
}

/// Whether it is time to count, and this process has to. One that dies over it leaves the turn to the next time.
async fn takes_turn(engine: &Engine, now: Timestamp) -> Result<bool, Fault> {
    let is_due = doc! { "_id": ENDED, "$or": [
        { "at": { "$lte": (now - ENDED_COUNTED_EVERY).millis() } },
        // by a clock that was ahead
        { "at": { "$gt": now.millis() } },
    ] };
    let turn = doc! { "$set": { "at": now.millis() } };
    let taken = engine.collection::<Document>(COUNTERS).update_one(is_due, turn).await?;
    Ok(taken.matched_count == 1)
}

async fn recount(engine: &Engine) -> Result<JobCounts, Fault> {
    let ended: Vec<i32> = states().map(state_number).collect();
    let mut counts: JobCounts = states().map(|state| (state, 0)).collect();
    counts.extend(list::by_state(engine, doc! { "state": { "$in": ended } }).await?);
    let noted: Document =
        counts.iter().map(|(state, jobs)| (state.word().to_owned(), int(*jobs).into())).collect();
    engine.collection::<Document>(COUNTERS).update_one(doc! { "_id": ENDED }, doc! { "$set": noted }).await?;
    Ok(counts)
}
