//! Numbers about jobs.

use std::time::Duration;

use actix_web::{HttpRequest, get, web};
use common::Timestamp;
use common::jobs::{JobCounts, JobFilter, JobMinute, JobOrder, JobState as State};
use http_kit::{ApiResult, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Administrator;
use super::answers::Restricted;
use super::view::{JobSummary, millis};
use crate::WorkerService;

/// How far back the history goes when the client does not say.
const USUAL_SPAN: Duration = Duration::from_secs(3600);
/// Stores keep no more.
const LONGEST_SPAN: Duration = Duration::from_secs(2 * 86_400);

/// What to count.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatsQuery {
    /// Only this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Where the history begins: at most two days ago. Default an hour ago.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

/// How many jobs there are, and how they went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobStats {
    /// How many are in each state. With MongoDB, where more than 10,000 jobs have ended, those that have are as many as there were up to five minutes ago.
    counts: JobSummary,
    /// How long attempts that completed a job took, in all, in milliseconds.
    work_time_ms: u64,
    /// Everything (or this type) waits.
    paused: bool,
    /// When the job came that has been ready for longest, as far as arrival tells; null if none is.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    oldest_waiting_at: Option<Timestamp>,
    /// What ended in each minute, oldest first; minutes without anything are left out.
    history: Vec<JobHistoryMinute>,
}

/// What ended within a minute.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobHistoryMinute {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Jobs that were completed.
    completed: u64,
    /// Attempts that failed.
    failed: u64,
    /// How long the completed ones had been ready before their attempt, in all, in milliseconds.
    waited_ms: u64,
    /// How long these attempts took, in all, in milliseconds.
    worked_ms: u64,
}

impl From<JobMinute> for JobHistoryMinute {
    fn from(minute: JobMinute) -> Self {
        let JobMinute { at, completed, failed, waited, worked } = minute;
        Self { at, completed, failed, waited_ms: millis(waited), worked_ms: millis(worked) }
    }
}

/// Counts, work time and the history of the last minutes, of all jobs or of a type.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getJobStats",
    params(StatsQuery),
    responses((status = 200, description = "The numbers", body = JobStats), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/stats")]
pub(super) async fn show(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<JobStats>> {
    let StatsQuery { kind, since } = input::query(&request)?;
    let now = service.clock.now();
    let since = since.unwrap_or(now - USUAL_SPAN).max(now - LONGEST_SPAN);
    let filter = JobFilter { kind: kind.clone(), state: Some(State::Inactive), ..JobFilter::default() };
    let (types, history, oldest) = tokio::try_join!(
        service.admin.types(kind.as_deref()),
        service.admin.history(kind.as_deref(), since),
        service.admin.list(&filter, JobOrder::Ascending, None, 1),
    )?;
    let chosen = types.types;
    let mut counts = JobCounts::new();
    for (state, count) in chosen.iter().flat_map(|found| &found.counts) {
        *counts.entry(*state).or_default() += count;
    }
    let paused = types.paused || (kind.is_some() && chosen.iter().any(|found| found.paused));
    Ok(web::Json(JobStats {
        counts: JobSummary::from(&counts),
        work_time_ms: millis(chosen.iter().map(|found| found.work_time).sum()),
        paused,
        oldest_waiting_at: oldest.items.first().map(|job| job.inserted_at),
        history: history.into_iter().map(JobHistoryMinute::from).collect(),
    }))
}
