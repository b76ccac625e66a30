//! What programs report of several jobs at once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, post, web};
use common::jobs::{AttemptEnd, ClaimRequest, Claims, Ended, Ending, EndsTaken, FailOutcome, LostLease};
use common::{Causes, Code, JobId, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, idempotency, input, presence};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::access::Worker;
use super::answers::{MOST_BYTES, Restricted, wrong};
use super::claim::{ClaimedJobs, JobClaim};
use super::report::{check_error, check_size, failure};
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
    /// What to claim along with it, as in a claim of its own, without a wait: `waitMs` must be 0 or absent.
    claim: Option<JobClaim>,
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
    /// What was claimed; null where nothing was asked for. None where the store took the results and could not claim, as a claim by itself then says.
    #[schema(required)]
    claimed: Option<ClaimedJobs>,
}

/// What came of several jobs at once: complete, or failed where there is an `error`. Each is durable when it is answered, and stands for itself. With
/// `claim`, jobs are claimed in the places that this makes free, so that a program that always has work needs one call for each lot of jobs; it takes no
/// `Idempotency-Key` then (400 `invalid_idempotency_key`).
#[utoipa::path(
    tag = "jobs",
    operation_id = "reportResults",
    request_body = ResultReports,
    responses(
        (status = 200, description = "All of them were taken", body = ResultsTaken),
        (status = 207, description = "Some or all of them were not: `status` and `code` of each say so. Jobs may have been claimed all the same", body = ResultsTaken),
        (status = 413, description = "`too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/results")]
pub(super) async fn results(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let ResultReports { results, claim } = input::json(&request, payload, MOST_BYTES).await?;
    if claim.is_some() && request.headers().contains_key(idempotency::HEADER) {
        // the answer would be given again for a day, and who works the jobs then is another matter
        return Err(Problem::new(Code::InvalidIdempotencyKey).detail(
            "Results with a claim take no Idempotency-Key: what was claimed comes back by its lease",
        ));
    }
    check(&results)?;
    if claim.as_ref().is_some_and(JobClaim::waits) {
        return Err(wrong("/claim/waitMs", "a claim that goes with results does not wait for jobs"));
    }
    let claim = claim.map(|claim| claim.checked("/claim")).transpose()?;
    let (ends, holders) = ends_of(&service, caller.user, results);
    let EndsTaken { ended, claims } = service.end(&ends, claim.as_ref()).await?;
    let mut ended = ended.into_iter();
    let (mut items, mut problems) = (Vec::with_capacity(holders.len()), Vec::new());
    for holder in holders {
        let (item, problem) = match holder {
            Ok(id) => taken(id, ended.next().unwrap_or(Err(LostLease::Lost))),
            Err(refused) => (refused, None),
        };
        items.push(item);
        problems.extend(problem);
    }
    if problems.len() == items.len()
        && let Some(problem) = problems.pop()
    {
        // nothing was taken, and nothing of it is for the caller to sort out
        service.handed_over(claims.unwrap_or_default(), false).await;
        return Err(problem);
    }
    let claimed = match claim {
        None => None,
        Some(ClaimRequest { lease, .. }) => {
            let claims = claims.unwrap_or_else(|error| {
                tracing::warn!(cause = %Causes(&error), "results are taken, but nothing could be claimed with them");
                Claims::default()
            });
            let claims = service.handed_over(claims, presence::is_there(&request)).await;
            Some(ClaimedJobs::of(&service, claims, lease, &caller))
        }
    };
    let status =
        if items.iter().all(|item| item.code.is_none()) { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok(HttpResponse::build(status).json(ResultsTaken { items, claimed }))
}

fn check(reports: &[ResultReport]) -> ApiResult<()> {
    if !(1..=MOST_RESULTS).contains(&reports.len()) {
        return Err(wrong("/results", "there are 1 to 1000 results"));
    }
    for (index, report) in reports.iter().enumerate() {
        check_size(&format!("/results/{index}/result"), report.result.as_ref())?;
        match &report.error {
            Some(_) if report.result.is_some() => {
                return Err(wrong(&format!("/results/{index}/error"), "either result or error"));
            }
            Some(error) => check_error(&format!("/results/{index}/error"), error)?,
            None => {}
        }
    }
    Ok(())
}

/// The ends that are this account's to report; and of each result in its order its job, or why it is refused.
fn ends_of(
    service: &WorkerService,
    user: UserId,
    reports: Vec<ResultReport>,
) -> (Vec<AttemptEnd>, Vec<Result<JobId, ResultTaken>>) {
    let mut ends = Vec::with_capacity(reports.len());
    let mut holders = Vec::with_capacity(reports.len());
    for ResultReport { id, lease, result, error, retryable } in reports {
        holders.push(match lease_of(&service.lease_key, id, user, &lease) {
            Ok(Lease { holder, .. }) => {
                let ending = match error {
                    None => Ending::Complete(result),
                    Some(error) => Ending::Failed(failure(error, retryable)),
                };
                ends.push(AttemptEnd { holder, ending });
                Ok(id)
            }
            Err(problem) => Err(ResultTaken::refused(id, Outcome::Forbidden, &problem)),
        });
    }
    (ends, holders)
}

/// What became of a result, and the problem of the store, if that did not take it.
fn taken(id: JobId, ended: Result<Ended, LostLease>) -> (ResultTaken, Option<Problem>) {
    let (outcome, retry_at) = match ended {
        Ok(Ended::Complete) => (Outcome::Complete, None),
        Ok(Ended::Failed(FailOutcome::Retry(at))) => (Outcome::Delayed, Some(at)),
        Ok(Ended::Failed(FailOutcome::Dead)) => (Outcome::Failed, None),
        Err(LostLease::Lost) => {
            return (ResultTaken::refused(id, Outcome::Lost, &Problem::new(Code::LeaseLost)), None);
        }
        Err(LostLease::Port(error)) => {
            let problem = Problem::from(error);
            return (ResultTaken::refused(id, Outcome::Unavailable, &problem), Some(problem));
        }
    };
    (ResultTaken::taken(id, outcome, retry_at), None)
}
