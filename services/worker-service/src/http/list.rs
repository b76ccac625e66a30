//! Everybody's jobs, for administrators.

use actix_web::{HttpRequest, get, web};
use common::jobs::{JobFilter, JobOrder, JobState as State};
use common::{Code, JobId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Administrator;
use super::answers::{Restricted, wrong};
use super::page::Asked;
use super::view::{Job, JobState};
use crate::WorkerService;

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobPage {
    /// The jobs. They are fewer than were asked for where they would have more than 4 MiB of data, results, progress and errors.
    items: Vec<Job>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How many there are in all; null where a text or a time is searched for, and perhaps for more than 10,000 of one person, since nobody has counted. Of more
    /// than 10,000 of anybody's, those that have ended may be as many as there were five minutes ago.
    #[schema(required)]
    total: Option<u64>,
}

/// In which order, by arrival.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobOrder)]
pub(super) enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

/// Which jobs to list.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct JobsQuery {
    /// Only in this state.
    #[param(value_type = Option<JobState>)]
    state: Option<State>,
    /// Only of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only with all of these words in type or data; the last one may be the beginning of a word.
    q: Option<String>,
    /// Only those that came at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that came before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only this person's.
    #[param(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// In which order.
    #[serde(default, skip_serializing)]
    #[param(inline)]
    order: Order,
    /// `nextCursor` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
    /// Most items on the page. It has fewer where they would have more than 4 MiB of data, results, progress and errors.
    #[serde(skip_serializing)]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Which jobs that failed for good to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadQuery {
    /// Only of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page. It has fewer where they would have more than 4 MiB of data, results, progress and errors.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl JobsQuery {
    /// The list that a cursor belongs to: filter and order.
    fn name(&self) -> String {
        let filter = serde_json::to_string(self).expect("a query is plain data");
        format!("jobs/{:?}/{filter}", self.order)
    }
}

async fn answer(
    service: &WorkerService,
    query: &JobsQuery,
    order: JobOrder,
) -> ApiResult<web::Json<JobPage>> {
    if query.from.zip(query.to).is_some_and(|(from, to)| from >= to) {
        return Err(wrong("?to", "to must be after from"));
    }
    let filter = JobFilter {
        user: query.user_id,
        state: query.state,
        kind: query.kind.clone(),
        text: query.q.clone().filter(|text| !text.trim().is_empty()),
        from: query.from,
        until: query.to,
    };
    let asked = Asked { limit: query.limit, cursor: query.cursor.as_deref(), name: query.name() };
    let (page, next_cursor) = asked.page(service, &filter, order).await?;
    let total = service.admin.total(&filter).await?;
    let items = page.items.into_iter().map(Job::from).collect();
    Ok(web::Json(JobPage { items, next_cursor, total }))
}

/// All jobs.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listJobs",
    params(JobsQuery),
    responses((status = 200, description = "A page of jobs", body = JobPage), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("")]
pub(super) async fn list(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<JobPage>> {
    let query: JobsQuery = input::query(&request)?;
    let order = match query.order {
        Order::Asc => JobOrder::Ascending,
        Order::Desc => JobOrder::Descending,
    };
    answer(&service, &query, order).await
}

/// The dead-letter list: jobs that failed for good, newest first.
#[utoipa::path(
    tag = "jobs",
    operation_id = "listDeadJobs",
    params(DeadQuery),
    responses((status = 200, description = "A page of jobs", body = JobPage), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/dead")]
pub(super) async fn dead(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<JobPage>> {
    let DeadQuery { kind, cursor, limit } = input::query(&request)?;
    let query = JobsQuery {
        state: Some(State::Failed),
        kind,
        q: None,
        from: None,
        to: None,
        user_id: None,
        order: Order::Desc,
        cursor,
        limit,
    };
    answer(&service, &query, JobOrder::Descending).await
}

/// One job.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getJob",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/{id}")]
pub(super) async fn show(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Job>> {
    let id: JobId = input::path_id(&request, "id")?;
    let job = service.store.find(id).await?;
    job.map(|job| web::Json(job.into())).ok_or_else(|| Problem::new(Code::NotFound))
}

/// What the workers of a job wrote about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobLog {
    /// The last 1,000 lines, oldest first.
    items: Vec<JobLogLine>,
}

/// A line of a job's log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobLogLine {
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What it says.
    line: String,
}

/// The log of a job.
#[utoipa::path(
    tag = "jobs",
    operation_id = "getJobLog",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The log", body = JobLog),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/{id}/log")]
pub(super) async fn log(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<JobLog>> {
    let id: JobId = input::path_id(&request, "id")?;
    if service.store.find(id).await?.is_none() {
        return Err(Problem::new(Code::NotFound));
    }
    let lines = service.store.list_log(id).await?;
    let items = lines.into_iter().map(|(at, line)| JobLogLine { at, line }).collect();
    Ok(web::Json(JobLog { items }))
}
