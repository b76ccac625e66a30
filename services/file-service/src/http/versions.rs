//! `/api/v1/files/{id}/versions`: the contents that a file has had. For those who may change it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, head, post, web};
use common::files::{Action, Version};
use common::{Code, Sha256, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::content::{Way, send_content};
use super::view::{self, FileView};
use super::{params, preconditions};
use crate::app::access::{Authorized, authorize};
use crate::app::{marks, versions};
use crate::state::FileService;

/// A content that a file has or had.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Version)]
struct VersionView {
    /// Its number: the first content of a file is 1.
    version: u32,
    /// It is the content that the file has.
    current: bool,
    /// Its bytes.
    size: u64,
    /// The type found by looking at it.
    mime_type: String,
    /// SHA-256 in hexadecimal.
    #[schema(value_type = String)]
    sha256: Sha256,
    /// When it became the content of the file.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// By whose doing.
    #[schema(value_type = String)]
    created_by: UserId,
    /// When it was last changed where it came from, as far as the client said so.
    #[schema(value_type = String, format = DateTime)]
    content_modified_at: Timestamp,
    /// The entity tag of the content, quotes included.
    etag: String,
}

impl VersionView {
    fn of(version: &Version, file: &Authorized) -> Self {
        let content = &version.content;
        let current = file.node().content.as_ref().map(|current| current.version);
        Self {
            version: content.version,
            current: current == Some(content.version),
            size: content.size,
            mime_type: content.mime.clone(),
            sha256: content.sha256,
            created_at: version.at,
            created_by: version.by,
            content_modified_at: content.modified_at,
            etag: content.etag(),
        }
    }
}

/// A page of the versions of a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VersionList)]
pub(super) struct VersionsView {
    /// The content that it has first, then the older ones.
    items: Vec<VersionView>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

async fn file(caller: &Authenticated, request: &HttpRequest, service: &FileService) -> ApiResult<Authorized> {
    let target = params::target(request, "id")?;
    Ok(authorize(service, params::actor(caller), Action::Change, target).await?)
}

/// The version that the path names.
fn number(request: &HttpRequest) -> ApiResult<u32> {
    let number = request.match_info().get("version").and_then(|text| text.parse().ok());
    number.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Lists the contents that a file has had, as far as they are kept, the present one first.
#[utoipa::path(
    operation_id = "listVersions",
    tag = "versions",
    params(("id" = String, Path, description = "The file's id"), PageQuery),
    responses(
        (status = 200, description = "A page of the list", body = VersionsView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 403, description = "`forbidden`: the caller may not change it", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/versions")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let file = file(&caller, &request, &service).await?;
    let query: PageQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("versions {}", file.id());
    let before: Option<u32> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let mut found = versions::list(&service, &file, before, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more).map(|version| version.content.version);
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(VersionsView {
        items: found.iter().map(|version| VersionView::of(version, &file)).collect(),
        next_cursor: last.map(|number| cursor::encode(&service.cursor_key, &bound_to, &number)),
    }))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ContentQuery {
    /// To be saved, rather than shown.
    #[serde(default)]
    download: bool,
}

/// The bytes of a version, or parts of them, under the name that the file has now.
#[utoipa::path(
    operation_id = "getVersionContent",
    tag = "versions",
    params(
        ("id" = String, Path, description = "The file's id"),
        ("version" = u32, Path, description = "The number of the version"),
        ContentQuery,
        ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=0-99`"),
        ("If-Range" = Option<String>, Header, description = "The range only if the content has this tag; else all of it"),
        ("If-None-Match" = Option<String>, Header, description = "Only if the content has another tag"),
        ("If-Match" = Option<String>, Header, description = "Only if the content has this tag"),
        ("Want-Repr-Digest" = Option<String>, Header, description = "`sha-256=0`: without `Repr-Digest`"),
        ("Want-Content-Digest" = Option<String>, Header, description = "Such as `sha-256=10`: all of it comes with `Content-Digest`"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/octet-stream", headers(("ETag" = String), ("Last-Modified" = String), ("Repr-Digest" = String), ("Content-Digest" = String), ("Content-Disposition" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The parts asked for", content_type = "application/octet-stream", headers(("Content-Range" = String))),
        (status = 304, description = "It is as `If-None-Match` says"),
        (status = 403, description = "`forbidden`: the caller may not change the file", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/versions/{version}/content")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    send(&caller, &request, &service).await
}

/// As `GET`, without the bytes.
#[utoipa::path(
    operation_id = "headVersionContent",
    tag = "versions",
    params(
        ("id" = String, Path, description = "The file's id"),
        ("version" = u32, Path, description = "The number of the version"),
        ContentQuery,
        ("Want-Repr-Digest" = Option<String>, Header, description = "`sha-256=0`: without `Repr-Digest`"),
    ),
    responses(
        (status = 200, description = "What `GET` would say, but `Content-Digest`", headers(("ETag" = String), ("Repr-Digest" = String), ("Content-Length" = u64))),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`not_a_file`"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/{id}/versions/{version}/content")]
pub(super) async fn describe(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    send(&caller, &request, &service).await
}

async fn send(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
) -> ApiResult<HttpResponse> {
    let file = file(caller, request, service).await?;
    let version = versions::get(service, &file, number(request)?).await?;
    let query: ContentQuery =
        if request.query_string().is_empty() { ContentQuery::default() } else { input::query(request)? };
    let way = Way::Pass(params::pass(request, caller));
    send_content(service, request, &file, &version.content, query.download, way).await
}

/// Makes an old version the content of the file once more, as a new version. That of the content that the file has changes nothing.
#[utoipa::path(
    operation_id = "restoreVersion",
    tag = "versions",
    params(
        ("id" = String, Path, description = "The file's id"),
        ("version" = u32, Path, description = "The number of the version"),
        ("If-Match" = Option<String>, Header, description = "Only if the tag of the file is still this one"),
    ),
    responses(
        (status = 200, description = "The file", body = FileView, headers(("ETag" = String))),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`: the new version counts beside the old one", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}/versions/{version}/restore")]
pub(super) async fn restore(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let file = file(&caller, &request, &service).await?;
    let revision = preconditions::of_change(&request, file.node())?;
    let node = versions::restore(&service, &file, number(&request)?, revision).await?;
    let sight = marks::seen(&service, file.actor(), &node, file.sight()).await?;
    Ok(view::file(StatusCode::OK, &node, sight))
}

/// Gives up an old version, and its space with it. Not the content that the file has.
#[utoipa::path(
    operation_id = "deleteVersion",
    tag = "versions",
    params(
        ("id" = String, Path, description = "The file's id"),
        ("version" = u32, Path, description = "The number of the version"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`version_is_current`, `not_a_file`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/{id}/versions/{version}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let file = file(&caller, &request, &service).await?;
    versions::remove(&service, &file, number(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
