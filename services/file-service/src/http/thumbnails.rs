//! `/api/v1/files/{id}/thumbnails/{size}`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, web};
use common::Code;
use common::files::{Action, ThumbnailInfo, ThumbnailSize};
use http_kit::conditions::{Current, ETag, Verdict, evaluate};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::delivery::{self, Wanted};
use super::params;
use crate::app::access::{Authorized, authorize};
use crate::app::blobs;
use crate::app::thumbnails::{Found, find};
use crate::state::FileService;

/// How long to wait before asking again: a photo is done in well under a second on an idle server.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// For this viewer alone, who asks each time whether it is still good.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// For this viewer alone, where the address names the version (`?v=`): a day, after which the right to see it is looked at again.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=86400, immutable");

/// A thumbnail that is being made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingThumbnail {
    /// Always `pending`.
    #[schema(example = "pending")]
    state: &'static str,
}

/// The picture of a file in one of four widths, upright, never enlarged.
#[utoipa::path(
    operation_id = "getThumbnail",
    tag = "files",
    params(
        ("id" = String, Path, description = "The file's id"),
        ("size" = u32, Path, description = "Width in pixels: 100, 250, 500 or 1280"),
    ),
    responses(
        (status = 200, description = "The picture", content_type = "image/*", headers(("ETag" = String))),
        (status = 202, description = "A job makes it; ask again after `Retry-After`", body = PendingThumbnail),
        (status = 304, description = "It is as `If-None-Match` says"),
        (status = 404, description = "`not_found`; `no_thumbnail` where none can be made, with the reason", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/thumbnails/{size}")]
pub(super) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let file =
        authorize(&service, params::actor(&caller), Action::ReadPreview, params::target(&request, "id")?)
            .await?;
    answer(&service, &request, &file).await
}

/// Answers with the thumbnail of a file in the size that the path says.
pub(super) async fn answer(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
) -> ApiResult<HttpResponse> {
    let size =
        request.match_info().get("size").and_then(|text| text.parse().ok()).and_then(ThumbnailSize::of);
    let size = size
        .ok_or_else(|| Problem::new(Code::NoThumbnail).detail("Thumbnails are 100, 250, 500 or 1280 wide"))?;
    match find(service, file, size).await? {
        Found::Ready(thumbnail) => picture(service, request, &thumbnail).await,
        Found::Pending => Ok(HttpResponse::Accepted()
            .insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(PendingThumbnail { state: "pending" })),
        Found::None(reason) => {
            let problem = Problem::new(Code::NoThumbnail);
            Err(match reason {
                Some(reason) => problem.detail(reason),
                None => problem.detail("No thumbnail can be made of a file of this type"),
            })
        }
    }
}

/// Answers with a thumbnail's bytes, under any path. They never change while its tag does not.
pub(super) async fn picture(
    service: &FileService,
    request: &HttpRequest,
    thumbnail: &ThumbnailInfo,
) -> ApiResult<HttpResponse> {
    let tag = &thumbnail.blob.sha256.to_string()[..32];
    let etag = ETag::strong(tag).map_err(|_| Problem::new(Code::Internal))?;
    let current = Current { etag: &etag, modified_at: None };
    let names_version =
        form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, _)| name == "v");
    let caching = if names_version { IMMUTABLE } else { REVALIDATED };
    match evaluate(request.headers(), request.method(), Some(current)) {
        Verdict::Proceed => {}
        Verdict::NotModified => {
            return Ok(HttpResponse::NotModified()
                .insert_header((header::ETAG, etag.to_value()))
                .insert_header((header::CACHE_CONTROL, caching))
                .finish());
        }
        Verdict::PreconditionFailed => return Err(Problem::new(Code::PreconditionFailed)),
    }
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, etag.to_value()))
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::CONTENT_TYPE, thumbnail.mime.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    let blob = &thumbnail.blob;
    if !blob.inline
        && let Some(field) = delivery::field(service, request, blob.key, blob.size, Wanted::Whole).await?
    {
        return Ok(response.insert_header(field).finish());
    }
    Ok(response.body(blobs::read_whole(service, blob).await?))
}
