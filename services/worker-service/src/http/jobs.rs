use actix_web::{HttpRequest, get, web};
use common::auth::Principal;
use common::jobs::{Job as StoredJob, JobFilter, JobOrder, JobState as State};
use common::{Code, Timestamp};
use http_kit::problem::{MEDIA_TYPE, ProblemDocument};
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::WorkerService;

/// Items on a page when the client does not say.
const USUAL_LIMIT: u32 = 100;
/// Most items on a page.
const MOST_LIMIT: u32 = 1000;

/// A background job, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    /// Its id.
    #[schema(example = "5f1e8896c7ba06511e683b25")]
    id: String,
    /// What it does.
    #[serde(rename = "type")]
    #[schema(example = "thumbnails")]
    kind: String,
    /// Where it is in its life.
    #[schema(value_type = JobState)]
    state: State,
    /// How far it has come, 0 to 100.
    #[schema(maximum = 100)]
    progress: u8,
    /// What it is about, such as `fileId`.
    #[schema(value_type = Object)]
    data: Value,
    /// Why its last attempt failed, if one did.
    #[schema(required)]
    error: Option<String>,
    /// How often it was tried.
    attempts: Attempts,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its last attempt began.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    started_at: Option<Timestamp>,
    /// When anything of it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was complete, failed for good, or was called off.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    finished_at: Option<Timestamp>,
}

/// How often a job was tried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobAttempts)]
pub(super) struct Attempts {
    /// Begun so far.
    made: u32,
    /// Left.
    remaining: u32,
    /// In all.
    max: u32,
}

/// Where a job is in its life.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the words of the domain's type, which knows no HTTP")]
enum JobState {
    Inactive,
    Active,
    Complete,
    Failed,
    Delayed,
    Cancelled,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobList {
    /// The jobs.
    items: Vec<Job>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How many there are in all.
    total: u64,
}

/// How many jobs are in each state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobSummary {
    inactive: u64,
    active: u64,
    complete: u64,
    failed: u64,
    delayed: u64,
    cancelled: u64,
}

/// Which jobs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only in this state.
    #[param(value_type = Option<JobState>)]
    state: Option<State>,
    /// Only of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl From<StoredJob> for Job {
    fn from(job: StoredJob) -> Self {
        let StoredJob {
            spec,
            state,
            progress,
            error,
            attempts_made,
            started_at,
            updated_at,
            finished_at,
            ..
        } = job;
        let mut data = spec.data;
        if let Value::Object(members) = &mut data {
            // where a content lies is nobody's business
            members.remove("blob");
        }
        let (made, max) = (attempts_made, spec.max_attempts);
        Self {
            id: spec.id.to_string(),
            kind: spec.kind,
            state,
            progress,
            data,
            error,
            attempts: Attempts { made, remaining: max.saturating_sub(made), max },
            created_at: spec.created_at,
            started_at,
            updated_at,
            finished_at,
        }
    }
}

impl ListQuery {
    fn limit(&self) -> ApiResult<u32> {
        match self.limit {
            None => Ok(USUAL_LIMIT),
            Some(limit @ 1..=MOST_LIMIT) => Ok(limit),
            Some(_) => {
                let message = "limit must be from 1 to 1000";
                Err(Problem::new(Code::InvalidRequest).detail(message).field("?limit", "invalid", message))
            }
        }
    }

    /// What a cursor belongs to: whose list, and which part of it.
    fn name(&self, caller: &Principal) -> String {
        let state = self.state.map_or("", State::word);
        format!("jobs/{}/{state}/{}", caller.user, self.kind.as_deref().unwrap_or_default())
    }
}

/// The caller's own jobs, newest first.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listMyJobs",
    params(ListQuery),
    responses(
        (status = 200, description = "A page of jobs", body = JobList),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument, content_type = MEDIA_TYPE),
        (status = 401, description = "No or bad credential", body = ProblemDocument, content_type = MEDIA_TYPE),
        (status = 503, description = "A dependency is away", body = ProblemDocument, content_type = MEDIA_TYPE),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/api/v1/users/me/jobs")]
pub(super) async fn list(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<JobList>> {
    let query: ListQuery = input::query(&request)?;
    let limit = query.limit()?;
    let name = query.name(&caller);
    let after: Option<u64> = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::decode(&service.cursor_key, &name, cursor))
        .transpose()?;
    let filter =
        JobFilter { user: Some(caller.user), state: query.state, kind: query.kind, ..JobFilter::default() };
    let page = service.admin.list(&filter, JobOrder::Descending, after, limit).await?;
    let last = page.items.last().filter(|_| page.more);
    let next_cursor = last.map(|job| cursor::encode(&service.cursor_key, &name, &job.number));
    let items = page.items.into_iter().map(Job::from).collect();
    Ok(web::Json(JobList { items, next_cursor, total: page.total.unwrap_or_default() }))
}

/// How many of the caller's jobs are in each state.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getMyJobsSummary",
    responses(
        (status = 200, description = "The counts", body = JobSummary),
        (status = 401, description = "No or bad credential", body = ProblemDocument, content_type = MEDIA_TYPE),
        (status = 503, description = "A dependency is away", body = ProblemDocument, content_type = MEDIA_TYPE),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/api/v1/users/me/jobs/summary")]
pub(super) async fn summary(
    caller: Authenticated,
    service: web::Data<WorkerService>,
) -> ApiResult<web::Json<JobSummary>> {
    let counts = service.admin.counts(Some(caller.user)).await?;
    let of = |state| counts.get(&state).copied().unwrap_or(0);
    Ok(web::Json(JobSummary {
        inactive: of(State::Inactive),
        active: of(State::Active),
        complete: of(State::Complete),
        failed: of(State::Failed),
        delayed: of(State::Delayed),
        cancelled: of(State::Cancelled),
    }))
}
