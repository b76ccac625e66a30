//! What ended in each minute, and how long types have worked. Each process adds it up in memory and brings it in now and then, so that results need not
//! wait for one another at these few documents: a crash loses about a second of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::Timestamp;
use common::jobs::JobMinute;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::schema::{MINUTES, TYPES};
use crate::engine::{Engine, Fault, statements};
use crate::value::count;

const MINUTE_MS: i64 = 60_000;

/// How long minutes are kept.
const KEPT: Duration = Duration::from_secs(2 * 86_400);

/// How long a result may wait before the next one brings it in.
const WAIT: Duration = Duration::from_secs(1);

/// What this process has not brought in yet.
#[derive(Default)]
pub(super) struct Tally(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    /// Since when the first of them waits.
    since: Option<Timestamp>,
    by_minute: HashMap<(i64, String), Sum>,
    /// When those that are too old were removed last.
    swept: Option<Timestamp>,
}

#[derive(Default)]
struct Sum {
    completed: i64,
    failed: i64,
    waited_ms: i64,
    worked_ms: i64,
}

/// An attempt that completed its job.
pub(super) struct Completed {
    pub(super) ready_at: Timestamp,
    pub(super) started_at: Timestamp,
}

impl Tally {
    /// Adds an attempt that failed.
    pub(super) fn failed(&self, kind: &str, now: Timestamp) {
        self.add(kind, now, |sum| sum.failed += 1);
    }

    /// Adds one that completed its job.
    pub(super) fn completed(&self, kind: &str, attempt: &Completed, now: Timestamp) {
        self.add(kind, now, |sum| {
            sum.completed += 1;
            sum.waited_ms += millis(attempt.started_at.since(attempt.ready_at));
            sum.worked_ms += millis(now.since(attempt.started_at));
        });
    }

    fn add(&self, kind: &str, now: Timestamp, add: impl FnOnce(&mut Sum)) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.since.get_or_insert(now);
        let minute = now.millis() - now.millis().rem_euclid(MINUTE_MS);
        add(sums.by_minute.entry((minute, kind.to_owned())).or_default());
    }

    /// Brings in what has waited long enough. What it belongs to has been done: a failure is not the caller's.
    pub(super) async fn bring_old(&self, engine: &Engine, now: Timestamp) {
        let is_old = {
            let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sums.since.is_some_and(|since| now.since(since) >= WAIT)
        };
        if is_old && let Err(fault) = self.bring(engine).await {
            tracing::warn!(%fault, "counts of the history of jobs are lost");
        }
    }

    /// Brings in all. What the database did not take is lost: some of it may have got there.
    pub(super) async fn bring(&self, engine: &Engine) -> Result<(), Fault> {
        let sums = {
            let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sums.since = None;
            std::mem::take(&mut sums.by_minute)
        };
        if sums.is_empty() {
            return Ok(());
        }
        let mut worked: HashMap<&str, i64> = HashMap::new();
        let mut minutes = Vec::new();
        for ((minute, kind), sum) in &sums {
            *worked.entry(kind).or_default() += sum.worked_ms;
            minutes.push(doc! {
                "q": { "_id": format!("{minute} {kind}") },
                "u": {
                    "$inc": {
                        "completed": sum.completed, "failed": sum.failed,
                        "waited_ms": sum.waited_ms, "worked_ms": sum.worked_ms,
                    },
                    "$setOnInsert": { "minute": minute, "type": kind },
                },
                "upsert": true,
            });
        }
        let worked = worked.into_iter().filter(|(_, ms)| *ms > 0).map(|(kind, ms)| {
            doc! { "q": { "_id": kind }, "u": { "$inc": { "work_ms": ms } }, "upsert": true }
        });
        statements::update_each(engine, MINUTES, minutes).await?;
        statements::update_each(engine, TYPES, worked.collect()).await?;
        Ok(())
    }

    /// Removes minutes that are too old; once a minute, in each process.
    pub(super) async fn sweep(&self, engine: &Engine, now: Timestamp) -> Result<(), Fault> {
        {
            let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if sums.swept.is_some_and(|swept| now < swept + Duration::from_secs(60)) {
                return Ok(());
            }
            sums.swept = Some(now);
        }
        let old = doc! { "minute": { "$lt": (now - KEPT).millis() } };
        engine.collection::<Document>(MINUTES).delete_many(old).await?;
        Ok(())
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) async fn history(
    engine: &Engine,
    kind: Option<&str>,
    since: Timestamp,
) -> Result<Vec<JobMinute>, Fault> {
    #[derive(Deserialize)]
    struct Minute {
        #[serde(rename = "_id")]
        at: i64,
        completed: i64,
        failed: i64,
        waited_ms: i64,
        worked_ms: i64,
    }
    let since = since.millis() - since.millis().rem_euclid(MINUTE_MS);
    let mut matching = doc! { "minute": { "$gte": since } };
    if let Some(kind) = kind {
        matching.insert("type", kind);
    }
    let sum = |field: &str| doc! { "$sum": format!("${field}") };
    let minutes = engine
        .collection::<Document>(MINUTES)
        .aggregate([
            doc! { "$match": matching },
            doc! { "$group": {
                "_id": "$minute", "completed": sum("completed"), "failed": sum("failed"),
                "waited_ms": sum("waited_ms"), "worked_ms": sum("worked_ms"),
            } },
            doc! { "$sort": { "_id": 1 } },
        ])
        .max_time(engine.deadline())
        .with_type::<Minute>()
        .await?;
    let minutes: Vec<Minute> = minutes.try_collect().await?;
    let read = |minute: Minute| {
        Ok(JobMinute {
            at: Timestamp::from_millis(minute.at),
            completed: count(minute.completed)?,
            failed: count(minute.failed)?,
            waited: Duration::from_millis(count(minute.waited_ms)?),
            worked: Duration::from_millis(count(minute.worked_ms)?),
        })
    };
    minutes.into_iter().map(read).collect()
}
