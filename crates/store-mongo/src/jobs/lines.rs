//! Who waits with what: a document for each user, type and priority that has ready jobs, with the number of the first of them. It is what makes
//! a claim's cost depend on how many jobs are active, not on how many wait.
//!
//! A job becomes ready only in a transaction that also writes its line, so a ready job is never without one. A line that has lost its jobs is
//! found out by claims and removed then, on the condition that nobody has written it since it was read. So `head` can be too low for a moment, when several
//! processes claim, or one dies after it called a job off; then a claim looks at the line for nothing, and corrects it.

use std::collections::{BTreeMap, HashMap, HashSet};

use common::{Causes, PortError};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::doc::JobDoc;
use super::schema::{JOBS, LINES};
use crate::engine::{Engine, Fault, statements};
use crate::value::int;

/// The user of a line; none for nobody's jobs, which are one user's.
pub(super) type Holder = Option<ObjectId>;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    pub(super) user: Holder,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) priority: i32,
    pub(super) head: i64,
    /// Counts the writes that brought jobs.
    version: i64,
}

/// What a line is known by. The type comes last: it is the one part that could hold anything.
fn line_id(kind: &str, priority: i32, user: Holder) -> String {
    let user = user.map(|user| user.to_hex()).unwrap_or_default();
    format!("{user} {priority} {kind}")
}

/// Jobs that become ready in one transaction.
#[derive(Default)]
pub(super) struct Entering(BTreeMap<(String, i32, Holder), i64>);

impl Entering {
    /// Notes one.
    pub(super) fn add(&mut self, job: &JobDoc) {
        let number = int(job.number);
        self.0
            .entry((job.kind.clone(), job.priority, job.user))
            .and_modify(|head| *head = number.min(*head))
            .or_insert(number);
    }

    /// Writes the lines, in the transaction that changes the jobs.
    pub(super) async fn write(self, engine: &Engine, session: &mut ClientSession) -> Result<(), Fault> {
        let updates = self.0.into_iter().map(|((kind, priority, user), head)| {
            doc! {
                "q": { "_id": line_id(&kind, priority, user) },
                "u": {
                    "$min": { "head": head },
                    "$inc": { "version": 1_i64 },
                    "$setOnInsert": { "type": kind, "priority": priority, "user": user },
                },
                "upsert": true,
            }
        });
        statements::update(engine, session, LINES, updates.collect()).await
    }
}

/// A ready job that has left its line otherwise than by a claim.
pub(super) struct Leaving {
    line: String,
    number: i64,
}

impl Leaving {
    /// Of a job as it stood in the line.
    pub(super) fn of(job: &JobDoc) -> Self {
        Self { line: line_id(&job.kind, job.priority, job.user), number: int(job.number) }
    }

    /// Brings the line up to date after the change if the job was its first: the ones behind it must not go before older ones of others. The change is done,
    /// so a failure is left to the next claim of the line.
    pub(super) async fn step_forward(self, engine: &Engine) {
        let as_first = doc! { "_id": &self.line, "head": self.number };
        let corrected = async {
            match engine.collection::<Line>(LINES).find_one(as_first).await? {
                Some(line) => line.step_forward(engine).await,
                None => Ok(()),
            }
        };
        if let Err(fault) = corrected.await {
            tracing::warn!(cause = %Causes(&PortError::from(fault)), "cannot correct a line of jobs");
        }
    }
}

/// How many jobs each user has active. Their number is that of the workers' places, not that of the jobs.
pub(super) async fn active_by_user(engine: &Engine) -> Result<HashMap<Holder, u64>, Fault> {
    #[derive(Deserialize)]
    struct Active {
        #[serde(rename = "_id")]
        user: Holder,
        jobs: i64,
    }
    let groups = engine
        .collection::<Document>(JOBS)
        .aggregate([
            doc! { "$match": { "state": 1 } },
            doc! { "$group": { "_id": "$user", "jobs": { "$sum": 1_i64 } } },
        ])
        .max_time(engine.deadline())
        .with_type::<Active>()
        .await?;
    let groups: Vec<Active> = groups.try_collect().await?;
    groups.into_iter().map(|group| Ok((group.user, crate::value::count(group.jobs)?))).collect()
}

/// The lines whose first jobs are next, in their order: by priority, then of the users with the fewest active jobs, then by number. At most one of each user,
/// since a claim makes the user have one more.
pub(super) async fn next(
    engine: &Engine,
    types: &[String],
    active: &HashMap<Holder, u64>,
    limit: usize,
) -> Result<Vec<Line>, Fault> {
    // so many lines hold enough users without an active job, if there are enough; a user has at most one of each type
    let enough = (active.len() + limit).saturating_mul(types.len());
    let mut found = engine
        .collection::<Line>(LINES)
        .find(doc! { "type": { "$in": types } })
        .sort(doc! { "priority": 1, "head": 1 })
        .limit(int(enough as u64))
        .max_time(engine.deadline())
        .await?;
    let (mut priority, mut idle, mut busy, mut seen) = (None, Vec::new(), Vec::new(), HashSet::new());
    while let Some(line) = found.try_next().await? {
        if *priority.get_or_insert(line.priority) != line.priority {
            break;
        }
        match active.get(&line.user) {
            Some(jobs) => busy.push((*jobs, line)),
            None if seen.insert(line.user) => idle.push(line),
            None => {}
        }
        if idle.len() == limit {
            break;
        }
    }
    if !idle.is_empty() {
        return Ok(idle);
    }
    let least = busy.iter().map(|(jobs, _)| *jobs).min();
    busy.retain(|(jobs, line)| Some(*jobs) == least && seen.insert(line.user));
    busy.truncate(limit);
    Ok(busy.into_iter().map(|(_, line)| line).collect())
}

impl Line {
    /// What finds its jobs.
    pub(super) fn jobs(&self) -> Document {
        doc! { "state": 0, "type": &self.kind, "priority": self.priority, "user": self.user }
    }

    /// Brings the line up to date after a job was claimed from it, or was not there.
    pub(super) async fn step_forward(mut self, engine: &Engine) -> Result<(), Fault> {
        let lines = engine.collection::<Line>(LINES);
        let id = line_id(&self.kind, self.priority, self.user);
        loop {
            let first = engine
                .collection::<Document>(JOBS)
                .find_one(self.jobs())
                .sort(doc! { "number": 1 })
                .projection(doc! { "_id": 0, "number": 1 })
                .await?;
            let done = match first {
                Some(first) => {
                    let head = first.get_i64("number").map_err(|_| Fault::Damaged("a job without number"))?;
                    if head == self.head {
                        return Ok(());
                    }
                    let is_as_seen = doc! { "$eq": ["$version", self.version] };
                    let ahead = doc! { "$set": { "head": { "$cond": [is_as_seen, head, "$head"] } } };
                    lines.update_one(doc! { "_id": &id }, vec![ahead]).await?.modified_count == 1
                }
                None => {
                    let as_seen = doc! { "_id": &id, "version": self.version };
                    lines.delete_one(as_seen).await?.deleted_count == 1
                }
            };
            if done {
                return Ok(());
            }
            // jobs have come meanwhile, or another claim has corrected or removed it
            match lines.find_one(doc! { "_id": &id }).await? {
                Some(line) => self = line,
                None => return Ok(()),
            }
        }
    }
}
