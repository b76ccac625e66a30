//! What programs report of several jobs at once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, post, web};
use common::jobs::{FailOutcome, LostLease};
use common::{Code, JobId, Timestamp, UserId};
use futures_util::future::join_all;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, input};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::access::Worker;
use super::answers::{MOST_BYTES, Restricted, wrong};
use super::report::{check_error, check_size};
use crate::WorkerService;
use crate::claims::{Lease, lease_of};

/// Most results in one request.
const MOST_RESULTS: usize = 1000;

/// What came of one of several jobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResultReport {
    /// The job.
    #[schema(value_type = String)]
    id: JobId,
    /// The lease.
    lease: String,
    /// What it gave, where it is done.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it failed, where it did.
    error: Option<String>,
    /// Whether trying again could help.
    retryable: Option<bool>,
}

/// What came of several jobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultReports {
    /// 1 to 1,000 results.
    results: Vec<ResultReport>,
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ResultOutcome)]
pub(super) enum Outcome {
    /// The job is complete.
    Complete,
    /// It comes again.
    Delayed,
    /// It is given up.
    Failed,
    /// The lease was lost: it was not taken.
    Lost,
    /// The lease is none of this job and account: it was not taken.
    Forbidden,
    /// The store did not say, or cannot take it, as `code` says: it may have been taken. Asked again, it then says `lost`.
    Unavailable,
}

impl Outcome {
    /// The status that the call for this one result would have had, where it was taken.
    const fn taken(self) -> StatusCode {
        match self {
            Self::Complete => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        }
    }
}

/// What became of one of several results.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultTaken {
    /// The job.
    id: String,
    /// What became of it.
    outcome: Outcome,
    /// The status that the call for this one result would have had.
    status: u16,
    /// The error code; null if it was taken.
    #[schema(required)]
    code: Option<&'static str>,
    /// When it comes again, if it does.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    retry_at: Option<Timestamp>,
}

impl ResultTaken {
    fn taken(id: JobId, outcome: Outcome, retry_at: Option<Timestamp>) -> Self {
        Self { id: id.to_string(), outcome, status: outcome.taken().as_u16(), code: None, retry_at }
    }

    /// One that was not taken, for the reason that the call for it alone would have given.
    fn refused(id: JobId, outcome: Outcome, problem: &Problem) -> Self {
        let (status, code) = (problem.status_code().as_u16(), Some(problem.code().word()));
        Self { id: id.to_string(), outcome, status, code, retry_at: None }
    }
}

/// What became of several results, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultsTaken {
    items: Vec<ResultTaken>,
}

/// What came of several jobs at once: complete, or failed where there is an `error`. Each is durable when it is answered, and stands for itself.
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportResults",
    request_body = ResultReports,
    responses(
        (status = 200, description = "All of them were taken", body = ResultsTaken),
        (status = 207, description = "Some or all of them were not: `status` and `code` of each say so", body = ResultsTaken),
        (status = 413, description = "`too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/api/v1/jobs/results")]
pub(super) async fn results(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let ResultReports { results } = input::json(&request, payload, MOST_BYTES).await?;
    if !(1..=MOST_RESULTS).contains(&results.len()) {
        return Err(wrong("/results", "there are 1 to 1000 results"));
    }
    for (index, report) in results.iter().enumerate() {
        check_size(&format!("/results/{index}/result"), report.result.as_ref())?;
        match &report.error {
            Some(_) if report.result.is_some() => {
                return Err(wrong(&format!("/results/{index}/error"), "either result or error"));
            }
            Some(error) => check_error(&format!("/results/{index}/error"), error)?,
            None => {}
        }
    }
    // together, so that they share commits
    let user = caller.user;
    let taken = join_all(results.into_iter().map(|report| service.take(user, report))).await;
    let (mut items, mut problems) = (Vec::with_capacity(taken.len()), Vec::new());
    for (item, problem) in taken {
        items.push(item);
        problems.extend(problem);
    }
    if problems.len() == items.len()
        && let Some(problem) = problems.pop()
    {
        // nothing was taken, and nothing of it is for the caller to sort out
        return Err(problem);
    }
    let status =
        if items.iter().all(|item| item.code.is_none()) { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok(HttpResponse::build(status).json(ResultsTaken { items }))
}

impl WorkerService {
    /// What became of a result, and the problem of the store, if that did not take it.
    async fn take(&self, user: UserId, report: ResultReport) -> (ResultTaken, Option<Problem>) {
        let ResultReport { id, lease, result, error, retryable } = report;
        let holder = match lease_of(&self.lease_key, id, user, &lease) {
            Ok(Lease { holder, .. }) => holder,
            Err(problem) => return (ResultTaken::refused(id, Outcome::Forbidden, &problem), None),
        };
        let outcome = match error {
            None => self.complete(holder, result.as_ref()).await.map(|()| (Outcome::Complete, None)),
            Some(error) => self.fail(holder, error, retryable).await.map(|outcome| match outcome {
                FailOutcome::Retry(at) => (Outcome::Delayed, Some(at)),
                FailOutcome::Dead => (Outcome::Failed, None),
            }),
        };
        match outcome {
            Ok((outcome, retry_at)) => (ResultTaken::taken(id, outcome, retry_at), None),
            Err(LostLease::Lost) => {
                (ResultTaken::refused(id, Outcome::Lost, &Problem::new(Code::LeaseLost)), None)
            }
            Err(LostLease::Port(error)) => {
                let problem = Problem::from(error);
                (ResultTaken::refused(id, Outcome::Unavailable, &problem), Some(problem))
            }
        }
    }
}
