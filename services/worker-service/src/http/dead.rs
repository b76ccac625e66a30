//! Many failed jobs at once.

use actix_web::{HttpRequest, post, web};
use http_kit::{ApiResult, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Administrator;
use super::answers::{MOST_BYTES, Restricted};
use crate::WorkerService;

/// Jobs in one commit.
const BATCH: u32 = 500;
/// Commits in one request: enough for most, and no request takes for ever.
const MOST_BATCHES: u32 = 20;

/// Which failed jobs are to be tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadRetry {
    /// Only those of this type; without one, all.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `nextCursor` of the answer before.
    cursor: Option<String>,
}

/// Failed jobs that are tried again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadRetried {
    /// So many are ready again.
    retried: u64,
    /// So many stay as they are, since another live job has their unique key.
    left: u64,
    /// With which to ask again where there are more than one request takes (10,000); null when all are done.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Has failed jobs tried again, as if they had never been: those of a type, or all.
#[utoipa::path(
    tag = "jobs",
    operation_id = "retryDeadJobs",
    request_body = DeadRetry,
    responses((status = 200, description = "How many", body = DeadRetried), Restricted),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/dead/retry")]
pub(super) async fn retry(
    _caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<DeadRetried>> {
    let DeadRetry { kind, cursor } = input::json(&request, payload, MOST_BYTES).await?;
    let name = format!("dead-retry/{}", kind.as_deref().unwrap_or_default());
    let mut after: Option<u64> =
        cursor.map(|cursor| cursor::decode(&service.cursor_key, &name, &cursor)).transpose()?;
    let (mut retried, mut left) = (0, 0);
    for _ in 0..MOST_BATCHES {
        let done = service.admin.retry_dead(kind.as_deref(), after, BATCH, service.clock.now()).await?;
        retried += u64::from(done.retried);
        left += u64::from(done.left);
        after = done.next;
        if after.is_none() {
            break;
        }
    }
    if retried > 0 {
        match kind {
            Some(kind) => service.bells.ring(&[kind]).await,
            None => service.ring_all().await,
        }
    }
    let next_cursor = after.map(|after| cursor::encode(&service.cursor_key, &name, &after));
    Ok(web::Json(DeadRetried { retried, left, next_cursor }))
}
