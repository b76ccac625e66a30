//! Lists and counts.

use common::UserId;
use common::files::Page;
use common::jobs::{Job, JobCounts, JobFilter, JobState};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::doc::{JobDoc, read_state, state_number};
use super::schema::JOBS;
use crate::engine::{Engine, Fault};
use crate::value::{ToOid as _, count, int};

pub(super) async fn list(
    engine: &Engine,
    filter: &JobFilter,
    after: Option<u64>,
    limit: u32,
) -> Result<Page<Job>, Fault> {
    let jobs = engine.collection::<JobDoc>(JOBS);
    let total = jobs.count_documents(matching(filter)).max_time(engine.deadline()).await?;
    let mut on_page = matching(filter);
    if let Some(after) = after {
        on_page.insert("number", doc! { "$lt": int(after) });
    }
    let found = jobs
        .find(on_page)
        .sort(doc! { "number": -1 })
        .limit(i64::from(limit) + 1)
        .max_time(engine.deadline())
        .await?;
    let mut found: Vec<JobDoc> = found.try_collect().await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let items = found.into_iter().map(JobDoc::read).collect::<Result<_, _>>()?;
    Ok(Page { items, more, total })
}

/// With the states spelled out where an index has them before the number: each is a range of it in the order of the list, and the server merges them.
fn matching(filter: &JobFilter) -> Document {
    let mut matching = Document::new();
    if let Some(user) = filter.user {
        matching.insert("user", user.oid());
    }
    if let Some(kind) = &filter.kind {
        matching.insert("type", kind);
    }
    match filter.state {
        Some(state) => drop(matching.insert("state", state_number(state))),
        None if matching.is_empty() => {}
        None => drop(matching.insert("state", any_state())),
    }
    matching
}

fn any_state() -> Document {
    doc! { "$in": JobState::ALL.map(state_number).to_vec() }
}

/// The server answers it from the index by state, or by user and state, without the jobs.
pub(super) async fn counts(engine: &Engine, user: Option<UserId>) -> Result<JobCounts, Fault> {
    #[derive(Deserialize)]
    struct Group {
        #[serde(rename = "_id")]
        state: i32,
        jobs: i64,
    }
    let mut matching = doc! { "state": any_state() };
    if let Some(user) = user {
        matching.insert("user", user.oid());
    }
    let groups = engine
        .collection::<Document>(JOBS)
        .aggregate([
            doc! { "$match": matching },
            doc! { "$group": { "_id": "$state", "jobs": { "$sum": 1_i64 } } },
        ])
        .max_time(engine.deadline())
        .with_type::<Group>()
        .await?;
    let groups: Vec<Group> = groups.try_collect().await?;
    let mut counts: JobCounts = JobState::ALL.into_iter().map(|state| (state, 0)).collect();
    for group in groups {
        counts.insert(read_state(group.state)?, count(group.jobs)?);
    }
    Ok(counts)
}
