//! One's own jobs.

use actix_web::{HttpRequest, get, web};
use common::auth::Principal;
use common::jobs::{COUNTED_EXACTLY, JobFilter, JobOrder, JobState as State};
use common::{Code, JobId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::Refused;
use super::page::Asked;
use super::view::{Job, JobState, JobSummary};
use crate::WorkerService;

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobList {
    /// The jobs. They are fewer than were asked for where they would have more than 4 MiB of data, results, progress and errors.
    items: Vec<Job>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How many there are in all; 10,000 where there are more, and nobody has counted.
    total: u64,
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
    /// Most items on the page. It has fewer where they would have more than 4 MiB of data, results, progress and errors.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl ListQuery {
    fn name(&self, caller: &Principal) -> String {
        let state = self.state.map_or("", State::word);
        format!("jobs/{}/{state}/{}", caller.user, self.kind.as_deref().unwrap_or_default())
    }
}

/// The caller's own jobs, newest first. Errors are told in a line: stacks are for administrators.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listMyJobs",
    params(ListQuery),
    responses((status = 200, description = "A page of jobs", body = JobList), Refused),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("")]
pub(super) async fn list(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<JobList>> {
    let query: ListQuery = input::query(&request)?;
    let asked = Asked { limit: query.limit, cursor: query.cursor.as_deref(), name: query.name(&caller) };
    let filter = JobFilter {
        user: Some(caller.user),
        state: query.state,
        kind: query.kind.clone(),
        ..JobFilter::default()
    };
    let (page, next_cursor) = asked.page(&service, &filter, JobOrder::Descending).await?;
    let total = service.admin.total(&filter).await?.unwrap_or(COUNTED_EXACTLY);
    let items = page.items.into_iter().map(Job::for_owner).collect();
    Ok(web::Json(JobList { items, next_cursor, total }))
}

/// How many of the caller's jobs are in each state; 10,000 where there are more, and nobody has counted.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getMyJobsSummary",
    responses((status = 200, description = "The counts", body = JobSummary), Refused),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/summary")]
pub(super) async fn summary(
    caller: Authenticated,
    service: web::Data<WorkerService>,
) -> ApiResult<web::Json<JobSummary>> {
    let counts = service.admin.counts(Some(caller.user)).await?;
    Ok(web::Json(JobSummary::from(&counts)))
}

/// One of the caller's own jobs.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getMyJob",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Job>> {
    let id: JobId = input::path_id(&request, "id")?;
    let job = service.store.find(id).await?.filter(|job| job.spec.user == Some(caller.user));
    job.map(|job| web::Json(Job::for_owner(job))).ok_or_else(|| Problem::new(Code::NotFound))
}
