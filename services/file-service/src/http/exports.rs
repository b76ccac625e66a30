//! `/api/v1/exports/{id}`: all that is an account's, for its owner.

use actix_web::{HttpRequest, HttpResponse, get, head, web};
use common::auth::ExportState;
use common::{Code, ExportId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};

use super::archives::{FormatQuery, send};
use super::params;
use crate::app::archive;
use crate::state::FileService;

/// The export of the caller's account, as an archive: `account/` has what is known of the account in JSON, `files/` its files as they are now, `trash/`
/// what is in its trash. As for a folder otherwise: a download that broke off goes on with `Range` and `If-Range`.
#[utoipa::path(
    operation_id = "downloadExport",
    tag = "accounts",
    params(
        ("id" = String, Path, description = "As `GET /api/v1/users/me/export` says in `url`"),
        FormatQuery,
        ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=1000-`"),
        ("If-Range" = Option<String>, Header, description = "The range only if the archive still has this tag; else all of it"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/zip", headers(("ETag" = String), ("Content-Length" = u64), ("Content-Disposition" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The part asked for", content_type = "application/zip", headers(("Content-Range" = String))),
        (status = 304, description = "It has not changed"),
        (status = 403, description = "`insufficient_scope`: no API token is good for it", body = ProblemDocument),
        (status = 404, description = "`not_found`: it is somebody else's, not ready, or its time is over", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: over 1,000,000 files and folders", body = ProblemDocument),
        (status = 503, description = "`unavailable`: too many large archives are being sent", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/exports/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    answer(&caller, &request, &service).await
}

/// As `GET`, without the bytes.
#[utoipa::path(
    operation_id = "headExport",
    tag = "accounts",
    params(("id" = String, Path, description = "As `GET /api/v1/users/me/export` says in `url`"), FormatQuery),
    responses(
        (status = 200, description = "What `GET` would say", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`unprocessable`"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/api/v1/exports/{id}")]
pub(super) async fn describe(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    answer(&caller, &request, &service).await
}

async fn answer(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
) -> ApiResult<HttpResponse> {
    let user = params::whole(caller)?;
    let id: ExportId = input::path_id(request, "id")?;
    let query: FormatQuery = input::query(request)?;
    let found = service.exports.export_of(user).await?;
    // the id is no secret: whose it is, decides
    let export =
        found.filter(|export| export.id == id && export.user == user && export.state == ExportState::Ready);
    let export = export.ok_or(Code::NotFound)?;
    let plan = archive::export::plan(service, &export, query.format.form()).await?;
    let pass = params::pass(request, caller);
    send(service, request, plan, query.format, pass, |_| None).await
}
