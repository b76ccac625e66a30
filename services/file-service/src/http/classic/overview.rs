//! `/status` and `/stats`: no credential.

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use http_kit::ClassicResult;
use serde::Serialize;
use utoipa::ToSchema;

use super::Failure;
use crate::app::usage;
use crate::state::FileService;

/// What answers now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClassicStatus)]
struct Status {
    /// The cache of credentials, whatever it is made of.
    redis: bool,
    /// The stores of metadata, all of them.
    db: bool,
}

/// Says whether the cache and the stores answer. A dead one is `false`, still with 200.
#[utoipa::path(
    operation_id = "classicStatus",
    tag = "classic",
    responses((status = 200, description = "What answers", body = Status))
)]
#[get("/status")]
pub(super) async fn status(service: web::Data<FileService>) -> HttpResponse {
    let alive = usage::alive(&service).await;
    let status = Status { redis: alive.cache, db: alive.stores };
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(status)
}

/// How large the product is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClassicStats)]
struct Stats {
    /// Accounts. The administrator made at set-up does not count.
    users: u64,
    /// Files, folders and images.
    files: u64,
}

/// Counts accounts and files.
#[utoipa::path(
    operation_id = "classicStats",
    tag = "classic",
    responses(
        (status = 200, description = "The numbers", body = Stats),
        (status = 503, description = "A store does not answer, and half an answer would be wrong", body = Failure),
    )
)]
#[get("/stats")]
pub(super) async fn stats(service: web::Data<FileService>) -> ClassicResult<HttpResponse> {
    let totals = usage::totals(&service).await?;
    let stats = Stats { users: totals.users, files: totals.files };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(stats))
}
