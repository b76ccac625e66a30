//! Jobs that programs give back before they are done, as at shut-down.

use actix_web::{HttpRequest, HttpResponse, post, web};
use common::Causes;
use common::jobs::{LeaseHolder, LostLease};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, input};
use metrics::counter;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::Worker;
use super::answers::{MOST_BYTES, Restricted, not_taken};
use super::report::holder;
use crate::WorkerService;

/// A job is given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnReport {
    /// The lease.
    lease: String,
}

/// Gives a job back, as a program does that is told to stop: it is ready again at once, in its old place, and the attempt does not count. Its log stays.
#[utoipa::path(
    tag = "jobs",
    operation_id = "returnJob",
    params(("id" = String, Path, description = "The job's id")),
    request_body = ReturnReport,
    responses(
        (status = 204, description = "It is taken"),
        (status = 409, description = "`lease_lost`", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/return")]
pub(super) async fn give_back(
    caller: Worker,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let ReturnReport { lease } = input::json(&request, payload, MOST_BYTES).await?;
    let holder = holder(&service, &request, caller.user, &lease)?;
    service.give_back(holder).await.map_err(not_taken)?;
    Ok(HttpResponse::NoContent().finish())
}

impl WorkerService {
    async fn give_back(&self, holder: LeaseHolder) -> Result<(), LostLease> {
        self.store.give_back(holder, self.clock.now()).await?;
        counter!("fm_jobs_returned_by_programs_total").increment(1);
        self.bells.changed();
        // it is given back, whatever comes of the ring: who waits looks by itself, too
        match self.store.find(holder.job).await {
            Ok(Some(job)) => self.bells.ring(&[job.spec.kind]).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(job = %holder.job, cause = %Causes(&error), "cannot ring for a job"),
        }
        Ok(())
    }
}
