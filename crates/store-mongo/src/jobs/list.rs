//! Lists and counts.

use common::UserId;
use common::jobs::{JobCounts, JobFilter, JobOrder, JobPage, JobState, PageBytes};
use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;
use mongodb::action::Action as _;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Hint;
use serde::Deserialize;

use super::depths::Reach;
use super::doc::{JobDoc, any_state, read_state, seen, state_number};
use super::schema::JOBS;
use super::text;
use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, count, int};

pub(super) async fn list(
    engine: &Engine,
    filter: &JobFilter,
    order: JobOrder,
    after: Option<u64>,
    limit: u32,
) -> Result<JobPage, Fault> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    let mut on_page = matching(filter);
    let (beyond, direction) = match order {
        JobOrder::Ascending => ("$gt", 1),
        JobOrder::Descending => ("$lt", -1),
    };
    if let Some(after) = after {
        on_page.insert("number", doc! { beyond: int(after) });
    }
    let mut found = jobs
        .find(on_page)
        .projection(seen())
        .sort(doc! { "number": direction })
        .limit(i64::from(limit) + 1)
        .max_time(engine.deadline())
        .optional(own_type(filter), |find, index| find.hint(index))
        .await?;
    let (mut items, mut on_page, mut more) = (Vec::new(), PageBytes::default(), false);
    while let Some(job) = found.try_next().await? {
        if items.len() == limit as usize || !on_page.takes(job.bytes()) {
            more = true;
            break;
        }
        items.push(job.read()?);
    }
    Ok(JobPage { items, more })
}

/// The index of what a user's jobs of one type are looked up by; of what is searched for by more than that the server chooses.
pub(super) fn own_type(filter: &JobFilter) -> Option<Hint> {
    let JobFilter { user: Some(_), kind: Some(_), text: None, from: None, until: None, state: _ } = filter
    else {
        return None;
    };
    Some(Hint::Name("by_user_type_1".to_owned()))
}

/// With the states spelled out: an index has them before the number, each is a range of it in the order of the list, and the server merges them. What is
/// searched for by words or times is sorted, a page of it at a time.
pub(super) fn matching(filter: &JobFilter) -> Document {
    let mut matching = doc! { "state": filter.state.map_or_else(|| any_state().into(), |state| Bson::from(state_number(state))) };
    if let Some(user) = filter.user {
        matching.insert("user", user.oid());
    }
    if let Some(kind) = &filter.kind {
        matching.insert("type", kind);
    }
    let mut times = Document::new();
    if let Some(from) = filter.from {
        times.insert("$gte", from.millis());
    }
    if let Some(until) = filter.until {
        times.insert("$lt", until.millis());
    }
    if !times.is_empty() {
        matching.insert("inserted_at", times);
    }
    match filter.text.as_deref().map(text::matching) {
        None => {}
        // nothing is found by a text without words; `$and` of nothing is refused
        Some(words) if words.is_empty() => drop(matching.insert("_id", doc! { "$in": [] })),
        Some(words) => drop(matching.insert("$and", words)),
    }
    matching
}

/// What [`JobAdmin::counts`](common::jobs::JobAdmin::counts) says.
pub(super) async fn counts(engine: &Engine, reach: Reach, user: Option<UserId>) -> Result<JobCounts, Fault> {
    let mut counts: JobCounts = JobState::ALL.into_iter().map(|state| (state, 0)).collect();
    counts.extend(match user {
        Some(user) => of_user(engine, reach, user).await?,
        None => by_state(engine, doc! { "state": any_state() }, None).await?,
    });
    Ok(counts)
}

/// Those of one user: exactly where they are few in all, else as far as the reach goes in each state. The page of a user asks for it with every change of a job.
async fn of_user(engine: &Engine, reach: Reach, user: UserId) -> Result<JobCounts, Fault> {
    let own = |state: Bson| doc! { "user": user.oid(), "state": state };
    let few = by_state(engine, own(any_state().into()), Some(reach.exactly + 1)).await?;
    if few.values().sum::<u64>() <= reach.exactly {
        return Ok(few);
    }
    let jobs = engine.collection::<Document>(JOBS);
    let counts = JobState::ALL.map(|state| {
        let of_state = jobs.count_documents(own(state_number(state).into()));
        let by_user = Hint::Name("by_user_1".to_owned());
        let of_state = of_state.limit(reach.exactly).hint(by_user).max_time(engine.deadline());
        async move { Ok::<_, Fault>((state, of_state.await?)) }
    });
    Ok(try_join_all(counts).await?.into_iter().collect())
}

/// How many of these jobs, of the first so many, are in each state; states without any are left out. The server answers it from the index by state, or by user
/// and state, without the jobs.
pub(super) async fn by_state(
    engine: &Engine,
    matching: Document,
    most: Option<u64>,
) -> Result<JobCounts, Fault> {
    #[derive(Deserialize)]
    struct Group {
        #[serde(rename = "_id")]
        state: i32,
        jobs: i64,
    }
    let mut stages = vec![doc! { "$match": matching }];
    stages.extend(most.map(|most| doc! { "$limit": int(most) }));
    stages.push(doc! { "$group": { "_id": "$state", "jobs": { "$sum": 1_i64 } } });
    let groups = engine
        .collection::<Document>(JOBS)
        .aggregate(stages)
        .max_time(engine.deadline())
        .with_type::<Group>()
        .await?;
    let groups: Vec<Group> = groups.try_collect().await?;
    groups.into_iter().map(|group| Ok((read_state(group.state)?, count(group.jobs)?))).collect()
}
