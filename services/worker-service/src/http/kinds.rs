//! Types of jobs: what they are doing, and how fast they may.

use std::time::Duration;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, delete, get, post, put, web};
use common::Code;
use common::jobs::{JobType as StoredType, NewJob, TypeLimit, types};
use http_kit::{ApiResult, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Administrator;
use super::answers::{MOST_BYTES, Restricted, wrong};
use super::view::{JobSummary, millis};
use crate::WorkerService;

/// The types of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobTypes {
    /// In the order of their names.
    items: Vec<JobType>,
    /// All jobs wait.
    paused: bool,
}

/// A type of jobs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobType {
    /// Its name.
    #[serde(rename = "type")]
    kind: String,
    /// The product works it itself: programs cannot.
    built_in: bool,
    /// How many jobs are in each state. With MongoDB, where more than 10,000 jobs have ended, those that have are as many as there were up to five minutes ago.
    counts: JobSummary,
    /// Its jobs wait.
    paused: bool,
    /// How many may begin.
    #[schema(required)]
    limit: Option<JobTypeLimit>,
    /// How long attempts that completed a job took, in all, in milliseconds.
    work_time_ms: u64,
}

/// At most `max` jobs begin within a window of `perMs`, which begins with the first of them. Around the end of a window twice as many may begin within `perMs`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct JobTypeLimit {
    /// How many, from 1.
    #[schema(minimum = 1)]
    max: u32,
    /// Within how many milliseconds: from 1 to ten years.
    #[schema(minimum = 1)]
    per_ms: u64,
}

/// Which jobs wait, or wait no longer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobPause {
    /// Only those of this type; without one, all.
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl From<StoredType> for JobType {
    fn from(stored: StoredType) -> Self {
        Self {
            built_in: types::BUILT_IN.contains(&&*stored.kind),
            kind: stored.kind,
            counts: JobSummary::from(&stored.counts),
            paused: stored.paused,
            limit: stored.limit.map(|limit| JobTypeLimit { max: limit.max, per_ms: millis(limit.per) }),
            work_time_ms: millis(stored.work_time),
        }
    }
}

/// All types of jobs.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listJobTypes",
    responses((status = 200, description = "The types", body = JobTypes), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/types")]
pub(super) async fn list(
    _caller: Administrator,
    service: web::Data<WorkerService>,
) -> ApiResult<web::Json<JobTypes>> {
    let found = service.admin.types(None).await?;
    let items = found.types.into_iter().map(JobType::from).collect();
    Ok(web::Json(JobTypes { items, paused: found.paused }))
}

/// Jobs of a type, or all, wait. What runs goes on. Safe to repeat; survives restarts.
#[utoipa::path(
    tag = "jobs",
    operation_id = "pauseJobs",
    request_body(content = JobPause),
    responses((status = 204, description = "They wait"), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/pause")]
pub(super) async fn pause(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let kind = kind_in_body(&request, payload).await?;
    service.admin.set_paused(kind.as_deref(), true).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Jobs of a type, or all, wait no longer. Resuming all leaves alone what single types were told. Safe to repeat.
#[utoipa::path(
    tag = "jobs",
    operation_id = "resumeJobs",
    request_body(content = JobPause),
    responses((status = 204, description = "They go on"), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/resume")]
pub(super) async fn resume(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let kind = kind_in_body(&request, payload).await?;
    service.admin.set_paused(kind.as_deref(), false).await?;
    match kind {
        Some(kind) => service.bells.ring(&[kind]).await,
        None => service.ring_all().await,
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Limits how many jobs of a type begin within a time, and begins to count anew. Safe to repeat.
#[utoipa::path(
    tag = "jobs",
    operation_id = "limitJobType",
    params(("type" = String, Path, description = "The type's name")),
    request_body = JobTypeLimit,
    responses((status = 204, description = "It is limited"), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[put("/types/{type}/limit")]
pub(super) async fn set_limit(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let kind = kind_in_path(&request).await?;
    let JobTypeLimit { max, per_ms } = input::json(&request, payload, MOST_BYTES).await?;
    if max == 0 {
        return Err(wrong("/max", "max must be at least 1"));
    }
    if !(1..=NewJob::MAX_MS).contains(&per_ms) {
        return Err(wrong("/perMs", "perMs must be from 1 to ten years"));
    }
    let limit = TypeLimit { max, per: Duration::from_millis(per_ms) };
    service.admin.set_type_limit(&kind, Some(limit)).await?;
    // the window begins anew, and may be wider than before
    service.bells.ring(&[kind]).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Lifts the limit of a type. Safe to repeat.
#[utoipa::path(
    tag = "jobs",
    operation_id = "unlimitJobType",
    params(("type" = String, Path, description = "The type's name")),
    responses((status = 204, description = "It has none"), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[delete("/types/{type}/limit")]
pub(super) async fn unlimit(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let kind = kind_in_path(&request).await?;
    service.admin.set_type_limit(&kind, None).await?;
    service.bells.ring(&[kind]).await;
    Ok(HttpResponse::NoContent().finish())
}

async fn kind_in_body(request: &HttpRequest, payload: web::Payload) -> ApiResult<Option<String>> {
    let JobPause { kind } = input::json(request, payload, MOST_BYTES).await?;
    match kind {
        Some(kind) if !is_kind(&kind) => Err(wrong("/type", "a type has 1 to 100 bytes")),
        kind => Ok(kind),
    }
}

/// Decoded to the last: a name may hold any character but control characters.
async fn kind_in_path(request: &HttpRequest) -> ApiResult<String> {
    let path = web::Path::<String>::extract(request).await;
    let kind = path.map(web::Path::into_inner).ok().filter(|kind| is_kind(kind));
    kind.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Whether a type may have this name.
pub(super) fn is_kind(kind: &str) -> bool {
    (1..=NewJob::MAX_TYPE_BYTES).contains(&kind.len()) && !kind.chars().any(char::is_control)
}
