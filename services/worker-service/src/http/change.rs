//! Changing one job.

use actix_web::{HttpRequest, HttpResponse, delete, patch, post, web};
use common::JobId;
use common::jobs::{ChangeJobError, Job as StoredJob, JobChange, JobState as State, Priority};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Administrator;
use super::answers::{MOST_BYTES, Restricted, unchanged, wrong};
use super::body::{JobPriority, PriorityBody};
use super::view::Job;
use crate::WorkerService;

/// What is to be changed of a job.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobPatch {
    /// How urgent it is.
    #[schema(value_type = Option<JobPriority>)]
    priority: Option<PriorityBody>,
    /// The state that it shall have.
    state: Option<WantedState>,
}

/// A state that a job can be brought into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WantedJobState)]
pub(super) enum WantedState {
    /// Ready now: a delayed job need not wait any longer, one that failed or was called off is tried again.
    Inactive,
    /// Called off.
    Cancelled,
}

/// How to remove a job.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// A job that is being worked is called off first.
    #[serde(default)]
    force: bool,
}

impl WorkerService {
    async fn change_job(&self, id: JobId, change: JobChange) -> Result<StoredJob, ChangeJobError> {
        if change == JobChange::Cancel {
            return self.given_up.call_off(id).await;
        }
        let job = self.admin.change(id, change, self.clock.now()).await?;
        match change {
            JobChange::Promote | JobChange::Retry => {
                self.bells.ring(std::slice::from_ref(&job.spec.kind)).await;
            }
            JobChange::Priority(_) | JobChange::Cancel | JobChange::CancelIdle => self.bells.changed(),
        }
        Ok(job)
    }

    async fn bring_to(&self, id: JobId, wanted: WantedState) -> Result<StoredJob, ChangeJobError> {
        let job = self.store.find(id).await?.ok_or(ChangeJobError::NotFound)?;
        match (wanted, job.state) {
            // done already, perhaps by the same request
            (WantedState::Inactive, State::Inactive) | (WantedState::Cancelled, State::Cancelled) => Ok(job),
            (WantedState::Inactive, State::Delayed) => self.change_job(id, JobChange::Promote).await,
            (WantedState::Inactive, _) => self.change_job(id, JobChange::Retry).await,
            (WantedState::Cancelled, _) => self.change_job(id, JobChange::Cancel).await,
        }
    }

    async fn set_priority(&self, id: JobId, priority: Priority) -> Result<StoredJob, ChangeJobError> {
        self.change_job(id, JobChange::Priority(priority)).await
    }
}

/// Changes a job.
#[utoipa::path(
    tag = "jobs",
    operation_id = "changeJob",
    params(("id" = String, Path, description = "The job's id")),
    request_body = JobPatch,
    responses(
        (status = 200, description = "The job, as it is now", body = Job),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`job_state`, `key_taken`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[patch("/{id}")]
pub(super) async fn alter(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<Job>> {
    let id: JobId = input::path_id(&request, "id")?;
    let JobPatch { priority, state } = input::json(&request, payload, MOST_BYTES).await?;
    if priority.is_some() && state == Some(WantedState::Cancelled) {
        return Err(wrong("/priority", "a job that is called off has no place in the line"));
    }
    let mut job = match state {
        Some(state) => Some(service.bring_to(id, state).await.map_err(unchanged)?),
        None => None,
    };
    if let Some(PriorityBody(priority)) = priority {
        job = Some(service.set_priority(id, priority).await.map_err(unchanged)?);
    }
    match job {
        Some(job) => Ok(web::Json(job.into())),
        None => Err(wrong("", "priority or state must be given")),
    }
}

/// Has a job that failed or was called off tried again, as if it had never been.
#[utoipa::path(
    tag = "jobs",
    operation_id = "retryJob",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job, as it is now", body = Job),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`job_state`, `key_taken`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/retry")]
pub(super) async fn retry(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Job>> {
    let id: JobId = input::path_id(&request, "id")?;
    let job = service.change_job(id, JobChange::Retry).await.map_err(unchanged)?;
    Ok(web::Json(job.into()))
}

/// Calls a job off. Whoever works it notices within seconds, and what they report is not taken.
#[utoipa::path(
    tag = "jobs",
    operation_id = "cancelJob",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job, as it is now", body = Job),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`job_state`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/cancel")]
pub(super) async fn cancel(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Job>> {
    let id: JobId = input::path_id(&request, "id")?;
    let job = service.change_job(id, JobChange::Cancel).await.map_err(unchanged)?;
    Ok(web::Json(job.into()))
}

/// Removes a job with its log. One that is being worked has to be called off first, or `force` says to do so. Whoever waits for what a built-in job brings
/// is told first that it is called off; while that cannot be done, the answer is 503, and the job stays, called off.
#[utoipa::path(
    tag = "jobs",
    operation_id = "removeJob",
    params(("id" = String, Path, description = "The job's id"), RemoveQuery),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`job_state`: it is being worked", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[delete("/{id}")]
pub(super) async fn remove(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let id: JobId = input::path_id(&request, "id")?;
    let RemoveQuery { force } = input::query(&request)?;
    service.given_up.remove(id, force).await.map_err(unchanged)?;
    service.bells.changed();
    Ok(HttpResponse::NoContent().finish())
}
