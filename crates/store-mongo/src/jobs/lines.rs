//! Who waits with what: a document for each user, type and priority that has ready jobs, with the number of the first of them, and when the user was last
//! served from it. It is what makes a claim's cost depend on how many jobs are active, not on how many wait.
//!
//! A job becomes ready only in a transaction that also writes its line, so a ready job is never without one. A line that has lost its jobs is
//! found out by claims and removed then, on the condition that nobody has written it since it was read. So `head` can be too low for a moment, when several
//! processes claim, or one dies after it called a job off; then a claim looks at the line for nothing, and corrects it. `served` can be too low, too, where
//! the user was served from another line or an earlier one; `turns.rs` knows better.

use std::collections::{BTreeMap, HashMap};

use common::{Causes, PortError};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::doc::InOrder;
use super::schema::{JOBS, LINES};
use super::turns::{self, Served};
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
    /// When the user was served from it last, if they were; lines without come first.
    #[serde(default)]
    pub(super) served: Option<i64>,
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
    pub(super) fn add(&mut self, job: &impl InOrder) {
        let (kind, priority, user, number) = job.place();
        let number = int(number);
        self.0
            .entry((kind.to_owned(), priority, user))
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
    pub(super) fn of(job: &impl InOrder) -> Self {
        let (kind, priority, user, number) = job.place();
        Self { line: line_id(kind, priority, user), number: int(number) }
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

/// Lines that a claim reads at least, if there are so many: what they say of turns can be old, and is looked up for all of them at once.
const LEAST_READ: usize = 16;

/// How many jobs of each type each user has active.
pub(super) type Active = HashMap<(Holder, String), u64>;

/// How many jobs of these types each user has active. Their number is that of the workers' places, not that of the jobs.
pub(super) async fn active(engine: &Engine, types: &[String]) -> Result<Active, Fault> {
    #[derive(Deserialize)]
    struct Group {
        #[serde(rename = "_id")]
        of: Of,
        jobs: i64,
    }
    #[derive(Deserialize)]
    struct Of {
        #[serde(default)]
        user: Holder,
        #[serde(rename = "type")]
        kind: String,
    }
    let groups = engine
        .collection::<Document>(JOBS)
        .aggregate([
            doc! { "$match": { "state": 1, "type": { "$in": types } } },
            doc! { "$group": { "_id": { "user": "$user", "type": "$type" }, "jobs": { "$sum": 1_i64 } } },
        ])
        .max_time(engine.deadline())
        .with_type::<Group>()
        .await?;
    let groups: Vec<Group> = groups.try_collect().await?;
    let read = |Group { of, jobs }| Ok(((of.user, of.kind), crate::value::count(jobs)?));
    groups.into_iter().map(read).collect()
}

/// The lines whose first jobs are next, in their order: by priority, then of the users with the fewest active jobs of the type, then of those who were served
/// with it longest ago, then by number.
pub(super) async fn next(
    engine: &Engine,
    served: &Served,
    types: &[String],
    active: &Active,
    limit: usize,
) -> Result<Vec<Line>, Fault> {
    // a user has one line of a type and a priority: so many hold enough users without an active job, if there are enough
    let enough = (active.len() + limit).max(LEAST_READ);
    loop {
        let (mut lines, are_all) = most_urgent(engine, types, enough).await?;
        let last = lines.last().map(Line::turn);
        // whoever is alone is next, whenever they were served; these are all, since more were asked for
        let corrected =
            if lines.len() < 2 { Vec::new() } else { turns::correct(engine, served, &mut lines).await? };
        let is_beyond = |index: &usize| Some(lines[*index].turn()) > last;
        if !are_all && corrected.iter().any(is_beyond) {
            // others, which were not read, may be before them
            turns::note_in(engine, corrected.iter().map(|index| &lines[*index])).await?;
            continue;
        }
        lines.sort_unstable_by_key(Line::turn);
        let of = |line: &Line| active.get(&(line.user, line.kind.clone())).copied().unwrap_or(0);
        let least = lines.iter().map(of).min();
        lines.retain(|line| Some(of(line)) == least);
        lines.truncate(limit);
        return Ok(lines);
    }
}

/// Up to so many lines of the most urgent priority that there is, as they say themselves whose turn it is; whether these are all.
async fn most_urgent(engine: &Engine, types: &[String], limit: usize) -> Result<(Vec<Line>, bool), Fault> {
    let mut found = engine
        .collection::<Line>(LINES)
        .find(doc! { "type": { "$in": types } })
        .sort(doc! { "priority": 1, "served": 1, "head": 1 })
        .limit(int(limit as u64))
        .max_time(engine.deadline())
        .await?;
    let mut lines: Vec<Line> = Vec::new();
    while let Some(line) = found.try_next().await? {
        if lines.first().is_some_and(|first| first.priority != line.priority) {
            return Ok((lines, true));
        }
        lines.push(line);
    }
    let are_all = lines.len() < limit;
    Ok((lines, are_all))
}

impl Line {
    pub(super) fn id(&self) -> String {
        line_id(&self.kind, self.priority, self.user)
    }

    /// What decides whose turn it is among those who are equal otherwise.
    fn turn(&self) -> (Option<i64>, i64) {
        (self.served, self.head)
    }

    /// What finds its jobs.
    pub(super) fn jobs(&self) -> Document {
        doc! { "state": 0, "type": &self.kind, "priority": self.priority, "user": self.user }
    }

    /// Brings the line up to date after a job was claimed from it, or was not there.
    pub(super) async fn step_forward(mut self, engine: &Engine) -> Result<(), Fault> {
        let lines = engine.collection::<Line>(LINES);
        let id = self.id();
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
