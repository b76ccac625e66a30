//! What types of jobs are told: to wait, and how many may begin. A claim reads it each time, all of it in one read.
//!
//! A limited type counts the jobs of its window in its own document. A claim takes places in the window before it takes jobs, and gives back those that it
//! could not use: a claimer that dies in between costs places of one window, and never lets more through.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::Timestamp;
use common::jobs::{JobState, JobType, JobTypes, TypeLimit, TypeUse};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::Deserialize;

use super::depths::{self, Reach};
use super::doc::{any_state, live, state_number};
use super::schema::{JOBS, TYPES};
use crate::engine::{Engine, Fault, statements};
use crate::value::count;

/// The document that speaks for all types. No type has an empty name.
const ALL: &str = "";

/// No window is longer: a sum with the present stays far from the ends of the integers.
const LONGEST_WINDOW_MS: i64 = 1_000_000_000_000_000;

/// Names that a process remembers to have brought in.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Deserialize)]
struct TypeDoc {
    #[serde(rename = "_id")]
    kind: String,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    limit: Option<LimitDoc>,
    /// How long attempts that completed a job took.
    #[serde(default)]
    work_ms: i64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct LimitDoc {
    max: i64,
    per_ms: i64,
    /// When the window began; null before the first job.
    window_at: Option<i64>,
    /// Places of the window that are taken.
    used: i64,
    /// How many of them were taken last.
    #[serde(default)]
    got: i64,
}

impl LimitDoc {
    /// When the window ends, if it has begun and lasts.
    fn ends_at(&self, now: Timestamp) -> Option<i64> {
        self.window_at.map(|at| at + self.per_ms).filter(|ends_at| *ends_at > now.millis())
    }
}

/// Names of types that this process has brought into [`TYPES`], where they stay listed without jobs.
#[derive(Default)]
pub(super) struct Named(Mutex<HashSet<String>>);

impl Named {
    /// Brings in those that are new to this process.
    pub(super) async fn note<'k>(
        &self,
        engine: &Engine,
        kinds: impl Iterator<Item = &'k str>,
    ) -> Result<(), Fault> {
        let fresh: HashSet<&str> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kinds.filter(|kind| !known.contains(*kind)).collect()
        };
        if fresh.is_empty() {
            return Ok(());
        }
        let named = |kind: &&str| {
            doc! { "q": { "_id": *kind }, "u": { "$setOnInsert": { "paused": false } }, "upsert": true }
        };
        statements::update_each(engine, TYPES, fresh.iter().map(named).collect()).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + fresh.len() > REMEMBERED {
            known.clear();
        }
        known.extend(fresh.into_iter().map(str::to_owned));
        Ok(())
    }
}

/// What a claim has to keep to.
pub(super) struct Rules {
    /// Types that jobs may be taken of.
    pub(super) open: Vec<String>,
    /// Those of the request that are limited.
    limited: HashSet<String>,
    /// Those whose window is full, and when it ends.
    pub(super) full: HashMap<String, i64>,
}

/// Places in the window of a type.
pub(super) struct Places {
    /// So many that are not used yet.
    pub(super) count: usize,
    window_at: i64,
}

impl Rules {
    /// The rules for a claim of these types.
    pub(super) async fn read(engine: &Engine, types: &[String], now: Timestamp) -> Result<Self, Fault> {
        let asked: Vec<&str> = types.iter().map(String::as_str).chain([ALL]).collect();
        let told = engine
            .collection::<TypeDoc>(TYPES)
            .find(doc! { "_id": { "$in": asked } })
            .max_time(engine.deadline())
            .await?;
        let told: Vec<TypeDoc> = told.try_collect().await?;
        let mut rules = Self { open: types.to_vec(), limited: HashSet::new(), full: HashMap::new() };
        for kind in told {
            if kind.paused && kind.kind == ALL {
                rules.open.clear();
                rules.full.clear();
                return Ok(rules);
            }
            if kind.paused {
                rules.open.retain(|open| *open != kind.kind);
            } else if let Some(limit) = kind.limit {
                rules.limited.insert(kind.kind.clone());
                if let Some(ends_at) = limit.ends_at(now).filter(|_| limit.used >= limit.max) {
                    rules.close(&kind.kind, ends_at);
                }
            }
        }
        Ok(rules)
    }

    pub(super) fn is_limited(&self, kind: &str) -> bool {
        self.limited.contains(kind)
    }

    fn close(&mut self, kind: &str, ends_at: i64) {
        self.open.retain(|open| open != kind);
        self.full.insert(kind.to_owned(), ends_at);
    }

    /// Takes up to `wanted` places of a limited type; none where it is not limited any more. Of any number of callers no more get one than there are.
    pub(super) async fn take_places(
        &mut self,
        engine: &Engine,
        kind: &str,
        wanted: usize,
        now: Timestamp,
    ) -> Result<Option<Places>, Fault> {
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let window_at = doc! { "$ifNull": ["$limit.window_at", -2 * LONGEST_WINDOW_MS] };
        let is_over = doc! { "$lte": [{ "$add": [window_at, "$limit.per_ms"] }, now.millis()] };
        let window = doc! { "$set": {
            "limit.used": { "$cond": [is_over.clone(), 0_i64, "$limit.used"] },
            "limit.window_at": { "$cond": [is_over, now.millis(), "$limit.window_at"] },
        } };
        let got = doc! { "$set": {
            "limit.got": { "$min": [wanted, { "$subtract": ["$limit.max", "$limit.used"] }] },
        } };
        let used = doc! { "$set": { "limit.used": { "$add": ["$limit.used", "$limit.got"] } } };
        let limited = engine
            .collection::<TypeDoc>(TYPES)
            .find_one_and_update(doc! { "_id": kind, "limit.max": { "$gt": 0 } }, vec![window, got, used])
            .return_document(ReturnDocument::After)
            .await?;
        let Some(limit) = limited.and_then(|kind| kind.limit) else {
            // lifted meanwhile
            self.limited.remove(kind);
            return Ok(None);
        };
        let window_at = limit.window_at.ok_or(Fault::Damaged("a window that has not begun"))?;
        if limit.used >= limit.max {
            self.close(kind, window_at + limit.per_ms);
        }
        Ok(Some(Places { count: usize::try_from(limit.got).unwrap_or(0), window_at }))
    }

    /// Gives back these places, which no job was found for. A window without jobs has not begun.
    pub(super) async fn give_back(
        &mut self,
        engine: &Engine,
        kind: &str,
        places: &Places,
    ) -> Result<(), Fault> {
        let unused = i64::try_from(places.count).unwrap_or(i64::MAX);
        let less =
            doc! { "$set": { "limit.used": { "$max": [0_i64, { "$subtract": ["$limit.used", unused] }] } } };
        let begun = doc! { "$cond": [{ "$gt": ["$limit.used", 0_i64] }, "$limit.window_at", null] };
        engine
            .collection::<Document>(TYPES)
            .update_one(
                doc! { "_id": kind, "limit.window_at": places.window_at },
                vec![less, doc! { "$set": { "limit.window_at": begun } }],
            )
            .await?;
        if self.full.remove(kind).is_some() {
            self.open.push(kind.to_owned());
        }
        Ok(())
    }

    /// When the first window ends that holds back a job which is ready.
    pub(super) async fn again_at(&self, engine: &Engine) -> Result<Option<Timestamp>, Fault> {
        let mut full: Vec<(i64, &str)> = self.full.iter().map(|(kind, at)| (*at, kind.as_str())).collect();
        full.sort_unstable();
        for (ends_at, kind) in full {
            let ready = engine
                .collection::<Document>(JOBS)
                .find_one(doc! { "state": state_number(JobState::Inactive), "type": kind })
                .projection(doc! { "_id": 0, "number": 1 })
                .await?;
            if ready.is_some() {
                return Ok(Some(Timestamp::from_millis(ends_at)));
            }
        }
        Ok(None)
    }
}

pub(super) async fn set_paused(engine: &Engine, kind: Option<&str>, paused: bool) -> Result<(), Fault> {
    engine
        .collection::<Document>(TYPES)
        .update_one(doc! { "_id": kind.unwrap_or(ALL) }, doc! { "$set": { "paused": paused } })
        .upsert(true)
        .await?;
    Ok(())
}

pub(super) async fn set_limit(engine: &Engine, kind: &str, limit: Option<TypeLimit>) -> Result<(), Fault> {
    let limit = limit.map(|limit| {
        let per_ms = i64::try_from(limit.per.as_millis()).unwrap_or(i64::MAX).clamp(1, LONGEST_WINDOW_MS);
        doc! { "max": i64::from(limit.max.max(1)), "per_ms": per_ms, "window_at": null, "used": 0_i64 }
    });
    engine
        .collection::<Document>(TYPES)
        .update_one(doc! { "_id": kind }, doc! { "$set": { "limit": limit } })
        .upsert(true)
        .await?;
    Ok(())
}

/// The names of all types that have jobs, had some, or were told something: whoever brings a job in notes its type before.
pub(super) async fn names(engine: &Engine) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    struct Name {
        #[serde(rename = "_id")]
        kind: String,
    }
    let found: Vec<Name> = engine
        .collection(TYPES)
        .find(doc! { "_id": { "$ne": ALL } })
        .projection(doc! { "_id": 1 })
        .max_time(engine.deadline())
        .await?
        .try_collect()
        .await?;
    Ok(found.into_iter().map(|name| name.kind).collect())
}

/// Whether a type is used, by one job of those that it is looked for.
pub(super) async fn type_use(engine: &Engine, kind: &str) -> Result<TypeUse, Fault> {
    let jobs = engine.collection::<Document>(JOBS);
    let any = async |state: Document| {
        let found = jobs.find_one(doc! { "type": kind, "state": state }).projection(doc! { "_id": 1 });
        Ok::<_, Fault>(found.max_time(engine.deadline()).await?.is_some())
    };
    if any(live()).await? {
        return Ok(TypeUse::Live);
    }
    let worked = doc! { "_id": kind, "work_ms": { "$gt": 0_i64 } };
    let was_worked = engine.collection::<Document>(TYPES).find_one(worked).await?.is_some();
    Ok(if was_worked || any(any_state()).await? { TypeUse::Before } else { TypeUse::Never })
}

pub(super) async fn types(engine: &Engine, reach: Reach, only: Option<&str>) -> Result<JobTypes, Fault> {
    let asked = only.map_or_else(|| doc! {}, |only| doc! { "_id": { "$in": [only, ALL] } });
    let told: Vec<TypeDoc> =
        engine.collection(TYPES).find(asked).max_time(engine.deadline()).await?.try_collect().await?;
    let counts = depths::of_types(engine, reach, only).await?;
    let (mut types, mut paused) = (BTreeMap::<String, JobType>::new(), false);
    for doc in told {
        if doc.kind == ALL {
            paused = doc.paused;
            continue;
        }
        let kind = named(&mut types, &doc.kind);
        kind.paused = doc.paused;
        kind.work_time = Duration::from_millis(count(doc.work_ms)?);
        kind.limit = doc.limit.map(|limit| limit.read()).transpose()?;
    }
    for (kind, counts) in counts {
        named(&mut types, &kind).counts.extend(counts);
    }
    Ok(JobTypes { types: types.into_values().collect(), paused })
}

fn named<'t>(types: &'t mut BTreeMap<String, JobType>, kind: &str) -> &'t mut JobType {
    types.entry(kind.to_owned()).or_insert_with(|| JobType::new(kind.to_owned()))
}

impl LimitDoc {
    fn read(self) -> Result<TypeLimit, Fault> {
        let max = u32::try_from(self.max).map_err(|_| Fault::Damaged("a limit that is no number of jobs"))?;
        Ok(TypeLimit { max, per: Duration::from_millis(count(self.per_ms)?) })
    }
}
