//! What programs report of the jobs that they claimed.

use actix_web::{HttpRequest, HttpResponse, post, web};
use common::jobs::{
    AttemptEnd, ClaimRequest, Ended, Ending, EndsTaken, FailOutcome, Failure, LeaseHolder, LostLease, NewJob,
};
use common::{Code, PortResult, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, input};
use metrics::counter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::access::Worker;
use super::answers::{MOST_BYTES, Restricted, not_taken, wrong};
use super::claim;
use crate::WorkerService;
use crate::claims::{Lease, lease_of};

/// Longest reason of a failure, in bytes.
const MAX_ERROR_BYTES: usize = 16 * 1024;

/// How far a job is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgressReport {
    /// The lease.
    lease: String,
    /// 0 to 100.
    #[schema(maximum = 100)]
    progress: u8,
    /// Whatever else there is to say: at most 256 KiB. It stands in the job, also for its next attempt.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}

/// A line for the log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogReport {
    /// The lease.
    lease: String,
    /// The line; cut to 4 KiB.
    line: String,
}

/// A sign of life.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HeartbeatReport {
    /// The lease.
    lease: String,
    /// How long the program may be silent from now on, from 1,000 to 3,600,000 milliseconds. Default: as long as it said when it claimed the job.
    #[schema(minimum = 1000, maximum = 3_600_000)]
    lease_ms: Option<u64>,
}

/// A lease that was renewed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeaseRenewed {
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    lease_until: Timestamp,
}

/// A job is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompleteReport {
    /// The lease.
    lease: String,
    /// What it gave: at most 256 KiB.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
}

/// An attempt failed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailReport {
    /// The lease.
    lease: String,
    /// Why, for people: 1 byte to 16 KiB. The job's owner is told its first line; a stack in the lines after it is for administrators.
    error: String,
    /// Whether trying again could help. Default true.
    retryable: Option<bool>,
}

/// What a failure led to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailureTaken {
    /// When it comes again; null if it is given up.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    retry_at: Option<Timestamp>,
}

/// Sets the progress of a job, and gives the attempt its whole time to live again. It does not renew the lease.
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportProgress",
    params(("id" = String, Path, description = "The job's id")),
    request_body = ProgressReport,
    responses(
        (status = 204, description = "It is taken"),
        (status = 409, description = "`lease_lost`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/progress")]
pub(super) async fn progress(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let ProgressReport { lease, progress, data } = input::json(&request, payload, MOST_BYTES).await?;
    let holder = holder(&service, &request, caller.user, &lease)?;
    if progress > 100 {
        return Err(wrong("/progress", "progress must be from 0 to 100"));
    }
    check_size("/data", data.as_ref())?;
    let now = service.clock.now();
    service.store.progress(holder, progress, data.as_ref(), now).await.map_err(not_taken)?;
    service.bells.changed();
    Ok(HttpResponse::NoContent().finish())
}

/// Adds a line to the log of a job, which keeps its last 1,000.
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportLog",
    params(("id" = String, Path, description = "The job's id")),
    request_body = LogReport,
    responses(
        (status = 204, description = "It is taken"),
        (status = 409, description = "`lease_lost`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/log")]
pub(super) async fn log(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let LogReport { lease, line } = input::json(&request, payload, MOST_BYTES).await?;
    let holder = holder(&service, &request, caller.user, &lease)?;
    service.store.log(holder, &line, service.clock.now()).await.map_err(not_taken)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Renews a lease. 409 says that the job has been called off, or is somebody else's now: its work should end.
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportHeartbeat",
    params(("id" = String, Path, description = "The job's id")),
    request_body = HeartbeatReport,
    responses(
        (status = 200, description = "It is renewed", body = LeaseRenewed),
        (status = 409, description = "`lease_lost`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/heartbeat")]
pub(super) async fn heartbeat(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<LeaseRenewed>> {
    let HeartbeatReport { lease, lease_ms } = input::json(&request, payload, MOST_BYTES).await?;
    let Lease { holder, span } =
        lease_of(&service.lease_key, input::path_id(&request, "id")?, caller.user, &lease)?;
    let span = match lease_ms {
        Some(_) => claim::lease(lease_ms, "/leaseMs")?,
        None => span.unwrap_or(claim::USUAL_LEASE),
    };
    let lease_until = service.store.heartbeat(holder, span, service.clock.now()).await.map_err(not_taken)?;
    Ok(web::Json(LeaseRenewed { lease_until }))
}

/// A job is done. Durable when it is answered.
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportComplete",
    params(("id" = String, Path, description = "The job's id")),
    request_body = CompleteReport,
    responses(
        (status = 204, description = "It is taken"),
        (status = 409, description = "`lease_lost`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/complete")]
pub(super) async fn complete(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let CompleteReport { lease, result } = input::json(&request, payload, MOST_BYTES).await?;
    let holder = holder(&service, &request, caller.user, &lease)?;
    check_size("/result", result.as_ref())?;
    service.complete(holder, result).await.map_err(not_taken)?;
    Ok(HttpResponse::NoContent().finish())
}

/// An attempt failed: the job comes again, or is given up. Durable when it is answered.
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportFailure",
    params(("id" = String, Path, description = "The job's id")),
    request_body = FailReport,
    responses(
        (status = 200, description = "It is taken", body = FailureTaken),
        (status = 409, description = "`lease_lost`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/fail")]
pub(super) async fn fail(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<FailureTaken>> {
    let FailReport { lease, error, retryable } = input::json(&request, payload, MOST_BYTES).await?;
    let holder = holder(&service, &request, caller.user, &lease)?;
    check_error("/error", &error)?;
    let retry_at = match service.fail(holder, failure(error, retryable)).await.map_err(not_taken)? {
        Ended::Failed(FailOutcome::Retry(at)) => Some(at),
        Ended::Failed(FailOutcome::Dead) | Ended::Complete => None,
    };
    Ok(web::Json(FailureTaken { retry_at }))
}

impl WorkerService {
    async fn complete(&self, holder: LeaseHolder, result: Option<Value>) -> Result<(), LostLease> {
        self.end_one(AttemptEnd { holder, ending: Ending::Complete(result) }).await.map(drop)
    }

    async fn fail(&self, holder: LeaseHolder, failure: Failure) -> Result<Ended, LostLease> {
        self.end_one(AttemptEnd { holder, ending: Ending::Failed(failure) }).await
    }

    async fn end_one(&self, end: AttemptEnd) -> Result<Ended, LostLease> {
        self.end(std::slice::from_ref(&end), None).await?.only()
    }

    /// Ends attempts, and claims if that is asked for, unless the service closes.
    ///
    /// # Errors
    /// As the store, where nothing of it was taken.
    pub(super) async fn end(
        &self,
        ends: &[AttemptEnd],
        claim: Option<&ClaimRequest>,
    ) -> PortResult<EndsTaken> {
        let claim = claim.filter(|_| !self.closing.is_cancelled());
        let taken = self.store.end(ends, claim, self.clock.now()).await?;
        let count =
            |wanted: fn(&Ended) -> bool| taken.ended.iter().flatten().filter(|ended| wanted(ended)).count();
        let completed = count(|ended| matches!(ended, Ended::Complete));
        let failed = count(|ended| matches!(ended, Ended::Failed(_)));
        counter!("fm_jobs_completed_by_programs_total").increment(completed as u64);
        counter!("fm_jobs_failed_by_programs_total").increment(failed as u64);
        if failed > 0 {
            self.bells.ring_promoter();
        }
        if completed + failed > 0 {
            self.bells.changed();
        }
        Ok(taken)
    }
}

/// A failure as a program says it.
pub(super) fn failure(error: String, retryable: Option<bool>) -> Failure {
    Failure {
        error,
        retryable: retryable.unwrap_or(true),
        jitter_percent: rand::random_range(0..=100),
        not_before: None,
        uncounted: false,
    }
}

/// Who holds the job of the path, as its lease says.
pub(super) fn holder(
    service: &WorkerService,
    request: &HttpRequest,
    user: UserId,
    lease: &str,
) -> ApiResult<LeaseHolder> {
    let lease = lease_of(&service.lease_key, input::path_id(request, "id")?, user, lease)?;
    Ok(lease.holder)
}

pub(super) fn check_size(pointer: &str, value: Option<&Value>) -> ApiResult<()> {
    if value.is_some_and(|value| value.to_string().len() > NewJob::MAX_DATA_BYTES) {
        return Err(wrong(pointer, "at most 256 KiB as JSON"));
    }
    Ok(())
}

pub(super) fn check_error(pointer: &str, error: &str) -> ApiResult<()> {
    if (1..=MAX_ERROR_BYTES).contains(&error.len()) {
        Ok(())
    } else {
        let problem = Problem::new(Code::InvalidRequest).detail("an error has 1 byte to 16 KiB");
        Err(problem.field(pointer, "invalid", "an error has 1 byte to 16 KiB"))
    }
}
