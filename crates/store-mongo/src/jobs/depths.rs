//! Figures of how many jobs there are. Jobs that have ended stay for days, and the server counts them one by one: so where they are many, one process counts
//! them now and then for all, and notes what it found, by type.

use std::collections::BTreeMap;
use std::time::Duration;

use common::jobs::{COUNTED_EXACTLY, ENDED_COUNTED_EVERY, JobCounts, JobFilter, JobState};
use common::{PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::action::Action as _;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Hint;
use serde::Deserialize;

use super::doc::{live, read_state, state_number};
use super::list;
use super::schema::{COUNTERS, ENDED, JOBS};
use super::settings;
use crate::engine::{Engine, Fault};
use crate::value::{count, int};

/// How far counting goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Up to so many are counted whenever somebody asks.
    pub(super) exactly: u64,
    /// So many are counted in one question, when all are.
    pub(super) at_once: u64,
}

impl Default for Reach {
    fn default() -> Self {
        // a few tenths of a second for each question: far from the deadline
        Self { exactly: COUNTED_EXACTLY, at_once: 250_000 }
    }
}

/// Longest time of a recount: of two that overlap the later one counts.
const LONGEST_RECOUNT: Duration = Duration::from_secs(120);

/// What a recount found of one type.
#[derive(Deserialize)]
struct Noted {
    #[serde(rename = "type")]
    kind: String,
    /// In the order of [`ended`].
    jobs: Vec<i64>,
}

/// How many jobs of each type are in each state; types and states without any may be left out.
pub(super) type CountsByType = BTreeMap<String, JobCounts>;

/// States of jobs that have ended.
fn ended() -> impl Iterator<Item = JobState> {
    JobState::ALL.into_iter().filter(|state| !state.is_live())
}

fn has_ended() -> Document {
    doc! { "$in": ended().map(state_number).collect::<Vec<_>>() }
}

/// Those of a state, if that is given, and of a type.
fn of(state: impl Into<Bson>, kind: Option<&str>) -> Document {
    let mut matching = doc! { "state": state };
    if let Some(kind) = kind {
        matching.insert("type", kind);
    }
    matching
}

/// What [`JobAdmin::depths`](common::jobs::JobAdmin::depths) says.
pub(super) async fn depths(engine: &Engine) -> Result<JobCounts, Fault> {
    let mut depths: JobCounts = JobState::ALL.into_iter().map(|state| (state, 0)).collect();
    for (state, jobs) in noted(engine).await?.into_values().flatten() {
        *depths.entry(state).or_default() += jobs;
    }
    depths.extend(list::by_state(engine, doc! { "state": live() }, None).await?);
    Ok(depths)
}

/// Counts the jobs that have ended if it is time to, and this process has to. What goes wrong leaves what was found before, which is better than nothing.
pub(super) async fn recount_if_due(engine: &Engine, reach: Reach, now: Timestamp) -> PortResult<()> {
    if engine.run(takes_turn(engine, now)).await? {
        let counted = engine.run_within(LONGEST_RECOUNT, recount(engine, reach)).await;
        if let Err(error) = counted {
            tracing::warn!(cause = %common::Causes(&error), "cannot count the jobs that have ended");
        }
    }
    Ok(())
}

/// Whether it is time to count, and this process has to. One that dies over it leaves the turn to the next time.
async fn takes_turn(engine: &Engine, now: Timestamp) -> Result<bool, Fault> {
    let is_due = doc! { "_id": ENDED, "$or": [
        { "at": { "$lte": (now - ENDED_COUNTED_EVERY).millis() } },
        // by a clock that was ahead
        { "at": { "$gt": now.millis() } },
        // by a version before, which did not note types
        { "types": { "$exists": false } },
    ] };
    let turn = doc! { "$set": { "at": now.millis(), "types": { "$ifNull": ["$types", []] } } };
    let taken = engine.collection::<Document>(COUNTERS).update_one(is_due, vec![turn]).await?;
    Ok(taken.matched_count == 1)
}

async fn recount(engine: &Engine, reach: Reach) -> Result<(), Fault> {
    let mut types = Vec::new();
    for kind in settings::names(engine).await? {
        let jobs = ended_of(engine, &kind, reach).await?;
        if jobs.iter().any(|jobs| *jobs > 0) {
            types.push(doc! { "type": kind, "jobs": jobs });
        }
    }
    engine
        .collection::<Document>(COUNTERS)
        .update_one(doc! { "_id": ENDED }, doc! { "$set": { "types": types } })
        .await?;
    Ok(())
}

/// How many jobs of a type have ended, in the order of [`ended`]. No question looks at more jobs than the reach says, so that each is answered in time.
async fn ended_of(engine: &Engine, kind: &str, reach: Reach) -> Result<Vec<i64>, Fault> {
    let few = by_type(engine, of(has_ended(), Some(kind)), Some(reach.at_once)).await?;
    let few = few.get(kind).cloned().unwrap_or_default();
    if few.values().sum::<u64>() < reach.at_once {
        return Ok(ended().map(|state| int(few.get(&state).copied().unwrap_or(0))).collect());
    }
    let mut jobs = Vec::new();
    for state in ended() {
        jobs.push(all_of(engine, kind, state, reach.at_once).await?);
    }
    Ok(jobs)
}

/// How many jobs of a type are in a state, counted piece by piece.
async fn all_of(engine: &Engine, kind: &str, state: JobState, at_once: u64) -> Result<i64, Fault> {
    let jobs = engine.collection::<Document>(JOBS);
    let (mut counted, mut rest) = (0, of(state_number(state), Some(kind)));
    loop {
        let last = jobs
            .find_one(rest.clone())
            .sort(doc! { "number": -1 })
            .skip(at_once.saturating_sub(1))
            .projection(doc! { "_id": 0, "number": 1 })
            .hint(by_type_index())
            .max_time(engine.deadline())
            .await?;
        let Some(last) = last else {
            let left = jobs.count_documents(rest).hint(by_type_index()).max_time(engine.deadline()).await?;
            return Ok(counted + int(left));
        };
        counted += int(at_once);
        let number = last.get_i64("number").map_err(|_| Fault::Damaged("a job without number"))?;
        rest.insert("number", doc! { "$lt": number });
    }
}

/// Has type, state and number, so that no job is read.
fn by_type_index() -> Hint {
    Hint::Name("by_type_1".to_owned())
}

/// How many of these jobs, of the first so many, there are by type and state.
async fn by_type(engine: &Engine, matching: Document, most: Option<u64>) -> Result<CountsByType, Fault> {
    #[derive(Deserialize)]
    struct Group {
        #[serde(rename = "_id")]
        of: Of,
        jobs: i64,
    }
    #[derive(Deserialize)]
    struct Of {
        #[serde(rename = "type")]
        kind: String,
        state: i32,
    }
    let mut stages = vec![doc! { "$match": matching }];
    stages.extend(most.map(|most| doc! { "$limit": int(most) }));
    stages.push(
        doc! { "$group": { "_id": { "type": "$type", "state": "$state" }, "jobs": { "$sum": 1_i64 } } },
    );
    let groups = engine
        .collection::<Document>(JOBS)
        .aggregate(stages)
        .hint(by_type_index())
        .max_time(engine.deadline())
        .with_type::<Group>()
        .await?;
    let groups: Vec<Group> = groups.try_collect().await?;
    let mut counts = CountsByType::new();
    for Group { of: Of { kind, state }, jobs } in groups {
        counts.entry(kind).or_default().insert(read_state(state)?, count(jobs)?);
    }
    Ok(counts)
}

/// What the last recount found. Nothing before the first one.
async fn noted(engine: &Engine) -> Result<CountsByType, Fault> {
    #[derive(Default, Deserialize)]
    struct Ended {
        #[serde(default)]
        types: Vec<Noted>,
    }
    let found = engine.collection::<Ended>(COUNTERS).find_one(doc! { "_id": ENDED }).await?;
    let read = |Noted { kind, jobs }: Noted| {
        let counts = ended().zip(jobs).map(|(state, jobs)| Ok((state, count(jobs)?)));
        Ok((kind, counts.collect::<Result<JobCounts, Fault>>()?))
    };
    found.unwrap_or_default().types.into_iter().map(read).collect()
}

/// How many jobs there are by type and state, of one type or of all: what has ended exactly where that is quick, else as it was noted.
pub(super) async fn of_types(
    engine: &Engine,
    reach: Reach,
    only: Option<&str>,
) -> Result<CountsByType, Fault> {
    let mut counts = by_type(engine, of(live(), only), None).await?;
    let some = by_type(engine, of(has_ended(), only), Some(reach.exactly + 1)).await?;
    let are_few = some.values().flat_map(|counts| counts.values()).sum::<u64>() <= reach.exactly;
    let noted = if are_few { CountsByType::new() } else { noted(engine).await? };
    for (kind, ended) in noted.into_iter().filter(|(kind, _)| only.is_none_or(|only| only == kind)) {
        counts.entry(kind).or_default().extend(ended);
    }
    for (kind, ended) in some {
        let counts = counts.entry(kind).or_default();
        for (state, seen) in ended {
            // never fewer than were seen
            counts.entry(state).and_modify(|jobs| *jobs = seen.max(*jobs)).or_insert(seen);
        }
    }
    Ok(counts)
}

/// What [`JobAdmin::total`](common::jobs::JobAdmin::total) says.
pub(super) async fn total(engine: &Engine, reach: Reach, filter: &JobFilter) -> Result<Option<u64>, Fault> {
    if filter.text.is_some() || filter.from.is_some() || filter.until.is_some() {
        return Ok(None);
    }
    let few = engine
        .collection::<Document>(JOBS)
        .count_documents(list::matching(filter))
        .limit(reach.exactly + 1)
        .max_time(engine.deadline())
        .optional(list::own_type(filter), |few, index| few.hint(index))
        .await?;
    if few <= reach.exactly {
        return Ok(Some(few));
    }
    if filter.user.is_some() {
        return Ok(None);
    }
    let counts = of_types(engine, reach, filter.kind.as_deref()).await?;
    let of_state =
        counts.values().flatten().filter(|(state, _)| filter.state.is_none_or(|one| one == **state));
    Ok(Some(of_state.map(|(_, jobs)| jobs).sum::<u64>().max(few)))
}
