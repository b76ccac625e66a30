//! What an expression would mean, before there is a schedule of it.

use actix_web::{HttpRequest, get, web};
use common::Timestamp;
use http_kit::{ApiResult, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Administrator;
use super::answers::{Restricted, wrong};
use super::schedule_body::{SHOWN_TIMES, times};
use crate::WorkerService;

/// What to look at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// A cron expression of five fields, or six with seconds.
    cron: String,
    /// Where the clock hangs that it means. Default `UTC`.
    time_zone: Option<String>,
}

/// When a schedule of this expression would fire.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SchedulePreview {
    /// What the expression says, in English.
    description: String,
    /// The next five times.
    #[schema(value_type = Vec<String>)]
    next: Vec<Timestamp>,
}

/// Reads a cron expression, and says when it comes true next. Faults are told as `createSchedule` tells them.
#[utoipa::path(
    tag = "jobs",
    operation_id = "previewSchedule",
    params(PreviewQuery),
    responses((status = 200, description = "What it means", body = SchedulePreview), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/schedules/preview")]
pub(super) async fn preview(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<SchedulePreview>> {
    let PreviewQuery { cron, time_zone } = input::query(&request)?;
    let times = times(&cron, time_zone.as_deref().unwrap_or("UTC"))?;
    let next = times.following(service.clock.now(), SHOWN_TIMES);
    if next.is_empty() {
        return Err(wrong("/cron", "there is no such time"));
    }
    Ok(web::Json(SchedulePreview { description: times.description(), next }))
}
