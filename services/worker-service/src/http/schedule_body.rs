//! Schedules as JSON.

use common::jobs::{Backoff, CatchUp, NewJob, Schedule as Stored, ScheduleSpec};
use common::{ScheduleId, Timestamp};
use http_kit::{ApiResult, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answers::wrong;
use super::body::{JobPriority, PriorityBody, member_of};
use super::view::JobBackoff;
use crate::schedule::{Times, WrongTimes};

/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 200;
/// Times to come that are shown.
pub(super) const SHOWN_TIMES: usize = 5;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schedule {
    /// Its id.
    id: String,
    /// For people.
    name: String,
    /// When, as a cron expression of five fields, or six with seconds.
    #[schema(example = "30 3 * * MON-FRI")]
    cron: String,
    /// What the expression says, in English.
    description: String,
    /// Where the clock hangs that it means.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// What becomes of times that passed while nothing ran.
    #[schema(value_type = ScheduleCatchUp)]
    catch_up: CatchUp,
    /// The jobs' type.
    #[serde(rename = "type")]
    kind: String,
    /// Their data.
    #[schema(value_type = Object)]
    data: Value,
    /// Their priority.
    priority: i32,
    /// How often each may be tried.
    attempts: u32,
    /// How long they wait between attempts.
    #[schema(value_type = JobBackoff)]
    backoff: Backoff,
    /// Longest time that an attempt may be active without progress, in milliseconds.
    ttl_ms: u64,
    /// A job is made only while none of this schedule is live.
    no_overlap: bool,
    /// It makes nothing.
    paused: bool,
    /// When it fires next; null if never again, or while it is paused.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    next_at: Option<Timestamp>,
    /// The last time that it made a job for.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_at: Option<Timestamp>,
    /// The next five times; none while it is paused.
    #[schema(value_type = Vec<String>)]
    next: Vec<Timestamp>,
    /// Who made it.
    #[schema(required)]
    user_id: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Counts its changes, firing too.
    revision: u64,
}

/// What becomes of times that passed while nothing ran.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the words of the domain's type, which knows no HTTP")]
pub(super) enum ScheduleCatchUp {
    /// They are left out.
    Skip,
    /// One job stands for all of them.
    Once,
    /// Each gets its job, up to 100.
    All,
}

/// A schedule to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ScheduleRequest {
    /// For people: 1 to 200 bytes.
    name: String,
    /// When, as a cron expression of five fields, or six with seconds.
    #[schema(example = "30 3 * * MON-FRI")]
    cron: String,
    /// Where the clock hangs that it means. Default `UTC`.
    time_zone: Option<String>,
    /// What becomes of times that passed while nothing ran. Default `skip`.
    #[schema(value_type = Option<ScheduleCatchUp>)]
    catch_up: Option<CatchUp>,
    /// The jobs' type.
    #[serde(rename = "type")]
    kind: String,
    /// Their data.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    data: Value,
    /// Their priority.
    #[schema(value_type = Option<JobPriority>)]
    priority: Option<PriorityBody>,
    /// How often each may be tried. Default 1.
    attempts: Option<u32>,
    /// How long they wait between attempts. Default: not at all.
    #[schema(value_type = Option<JobBackoff>)]
    backoff: Option<Backoff>,
    /// Longest time that an attempt may be active without progress, in milliseconds. Default an hour.
    ttl_ms: Option<u64>,
    /// A job is made only while none of this schedule is live.
    #[serde(default)]
    no_overlap: bool,
    /// It makes nothing yet.
    #[serde(default)]
    paused: bool,
}

/// What is to be changed of a schedule.
#[derive(Debug, Default, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SchedulePatch {
    name: Option<String>,
    cron: Option<String>,
    time_zone: Option<String>,
    #[schema(value_type = Option<ScheduleCatchUp>)]
    catch_up: Option<CatchUp>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    #[schema(value_type = Option<JobPriority>)]
    priority: Option<PriorityBody>,
    attempts: Option<u32>,
    #[schema(value_type = Option<JobBackoff>)]
    backoff: Option<Backoff>,
    ttl_ms: Option<u64>,
    no_overlap: Option<bool>,
    paused: Option<bool>,
}

impl ScheduleRequest {
    /// Whether it is paused, and the rest.
    pub(super) fn into_spec(self) -> (bool, ScheduleSpec) {
        let spec = ScheduleSpec {
            name: self.name,
            cron: self.cron,
            time_zone: self.time_zone.unwrap_or_else(|| "UTC".to_owned()),
            catch_up: self.catch_up.unwrap_or_default(),
            kind: self.kind,
            data: self.data,
            priority: self.priority.map(|priority| priority.0).unwrap_or_default(),
            max_attempts: self.attempts.unwrap_or(1),
            backoff: self.backoff.unwrap_or(Backoff::None),
            ttl_ms: self.ttl_ms.unwrap_or(NewJob::USUAL_TTL_MS),
            no_overlap: self.no_overlap,
        };
        (self.paused, spec)
    }
}

impl SchedulePatch {
    /// The schedule with these changes.
    ///
    /// # Errors
    /// `invalid_request` if it then makes no sense.
    pub(super) fn apply(&self, stored: Stored, now: Timestamp) -> ApiResult<Stored> {
        let (patch, old) = (self.clone(), stored.spec.clone());
        let spec = ScheduleSpec {
            name: patch.name.unwrap_or(old.name),
            cron: patch.cron.unwrap_or(old.cron),
            time_zone: patch.time_zone.unwrap_or(old.time_zone),
            catch_up: patch.catch_up.unwrap_or(old.catch_up),
            kind: patch.kind.unwrap_or(old.kind),
            data: patch.data.unwrap_or(old.data),
            priority: patch.priority.map_or(old.priority, |priority| priority.0),
            max_attempts: patch.attempts.unwrap_or(old.max_attempts),
            backoff: patch.backoff.unwrap_or(old.backoff),
            ttl_ms: patch.ttl_ms.unwrap_or(old.ttl_ms),
            no_overlap: patch.no_overlap.unwrap_or(old.no_overlap),
        };
        let paused = patch.paused.unwrap_or(stored.paused);
        check(&spec, now)?;
        let are_new = (&spec.cron, &spec.time_zone) != (&stored.spec.cron, &stored.spec.time_zone);
        let next_at = if are_new {
            let first = first(&times(&spec.cron, &spec.time_zone)?, now)?;
            (!paused).then_some(first)
        } else if paused {
            // whatever its times are: they may be none any more
            None
        } else if stored.paused {
            Some(first(&times_of_before(&spec.cron, &spec.time_zone)?, now)?)
        } else {
            // what is due, and has not been served yet, stays due
            stored.next_at
        };
        Ok(Stored { spec, paused, next_at, ..stored })
    }
}

/// When a new schedule fires next.
///
/// # Errors
/// `invalid_request` for what makes no sense.
pub(super) fn next(spec: &ScheduleSpec, paused: bool, now: Timestamp) -> ApiResult<Option<Timestamp>> {
    check(spec, now)?;
    let next = first(&times(&spec.cron, &spec.time_zone)?, now)?;
    Ok((!paused).then_some(next))
}

/// Whether all but its times makes sense.
fn check(spec: &ScheduleSpec, now: Timestamp) -> ApiResult<()> {
    if !(1..=MAX_NAME_BYTES).contains(&spec.name.len()) || spec.name.chars().any(char::is_control) {
        return Err(wrong("/name", "a name has 1 to 200 bytes, and no control characters"));
    }
    let job = spec.job(ScheduleId::from_bytes([0; 12]), None, now, now);
    job.check().map_err(|error| wrong(&format!("/{}", member_of(error)), error.to_string()))
}

fn first(times: &Times, now: Timestamp) -> ApiResult<Timestamp> {
    times.next_after(now).ok_or_else(|| wrong("/cron", "there is no such time"))
}

/// Reads an expression that somebody has just written.
///
/// # Errors
/// `invalid_request`, which names the member at fault.
pub(super) fn times(cron: &str, time_zone: &str) -> ApiResult<Times> {
    Times::parse_new(cron, time_zone).map_err(wrong_times)
}

/// Reads an expression of a schedule that there is: steps and ranges that are refused now go on as they were meant.
fn times_of_before(cron: &str, time_zone: &str) -> ApiResult<Times> {
    Times::parse(cron, time_zone).map_err(wrong_times)
}

fn wrong_times(error: WrongTimes) -> Problem {
    match error {
        WrongTimes::Cron(_) => wrong("/cron", error.to_string()),
        WrongTimes::Zone => wrong("/timeZone", error.to_string()),
    }
}

impl Schedule {
    /// How a schedule is shown.
    pub(super) fn of(stored: Stored, now: Timestamp) -> Self {
        let Stored { id, spec, paused, next_at, last_at, user, created_at, revision } = stored;
        let times = Times::parse(&spec.cron, &spec.time_zone).ok();
        let next = match (&times, next_at) {
            (Some(times), Some(first)) => {
                let mut next = vec![first];
                next.extend(times.following(first.max(now), SHOWN_TIMES - 1));
                next
            }
            _ => Vec::new(),
        };
        Self {
            id: id.to_string(),
            name: spec.name,
            cron: spec.cron,
            description: times.map(|times| times.description()).unwrap_or_default(),
            time_zone: spec.time_zone,
            catch_up: spec.catch_up,
            kind: spec.kind,
            data: spec.data,
            priority: spec.priority.0,
            attempts: spec.max_attempts,
            backoff: spec.backoff,
            ttl_ms: spec.ttl_ms,
            no_overlap: spec.no_overlap,
            paused,
            next_at,
            last_at,
            next,
            user_id: user.map(|user| user.to_string()),
            created_at,
            revision,
        }
    }
}
