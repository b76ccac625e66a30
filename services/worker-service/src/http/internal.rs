use actix_web::{HttpRequest, web};
use common::Code;
use common::jobs::MAX_KNOWN_IDS;
use common::jobs::internal::KnownJobs;
use http_kit::service_token::ServiceCaller;
use http_kit::{ApiResult, Problem, input};

use crate::WorkerService;

/// Room for [`MAX_KNOWN_IDS`] ids with some white space.
const MOST_BYTES: usize = 64 * 1024;

/// Which of these jobs the store has, or had within the last day.
pub(super) async fn known(
    _caller: ServiceCaller,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<KnownJobs>> {
    let asked: KnownJobs = input::json(&request, payload, MOST_BYTES).await?;
    if asked.ids.len() > MAX_KNOWN_IDS {
        return Err(Problem::new(Code::InvalidRequest).detail("at most 1000 ids at once"));
    }
    let ids = service.store.known(&asked.ids).await?;
    Ok(web::Json(KnownJobs { ids }))
}
