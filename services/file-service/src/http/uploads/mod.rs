//! `/api/v1/uploads`: uploads that come in several goes, by tus 1.0.0 and by the draft of the IETF, on the same uploads. Those by a link
//! (`crate::http::public`) are the same in another place.

pub(super) mod append;
pub(super) mod create;
mod go;
pub(super) mod one;
mod party;
mod protocol;
pub(super) mod view;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, options, web};
use common::UploadId;
use common::files::Uploader;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::Deserialize;
use utoipa::IntoParams;

use self::protocol::{
    INTEROP, INTEROP_VERSION, Protocol, TUS_EXTENSIONS, TUS_RESUMABLE, TUS_VERSION, TUS_VERSIONS,
    UPLOAD_LIMIT,
};
use self::view::{UploadListView, UploadView};
use super::params;
use crate::app::resumable::Checksum;
use crate::state::FileService;

pub(super) use self::party::Party;

/// From `…/uploads` and from `…/uploads/{id}` to what they stand in: `/api/v1/`, or what is about one link.
const FROM_LIST: &str = "";
const FROM_ONE: &str = "../";

/// Tells what is spoken here, and what uploads keep to.
#[utoipa::path(
    operation_id = "uploadOptions",
    tag = "uploads",
    responses((status = 204, description = "What is spoken", headers(
        ("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64), ("Tus-Checksum-Algorithm" = String),
        ("Upload-Limit" = String),
    )))
)]
#[options("")]
pub(super) async fn options(service: web::Data<FileService>) -> HttpResponse {
    spoken(&service, "GET, POST, OPTIONS")
}

/// What is spoken, where these methods are allowed.
pub(super) fn spoken(service: &FileService, allow: &'static str) -> HttpResponse {
    let settings = &service.settings;
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((header::ALLOW, allow))
        .insert_header((TUS_RESUMABLE, TUS_VERSION))
        .insert_header((TUS_VERSIONS, TUS_VERSION))
        .insert_header(("tus-extension", TUS_EXTENSIONS))
        .insert_header(("tus-checksum-algorithm", Checksum::ALGORITHMS))
        .insert_header((INTEROP, INTEROP_VERSION))
        .insert_header((
            UPLOAD_LIMIT,
            protocol::limit_field(settings.max_upload_bytes, settings.keep_uploads.as_secs()),
        ));
    if let Some(max) = settings.max_upload_bytes {
        answer.insert_header(("tus-max-size", max));
    }
    answer.finish()
}

/// A problem as the protocol of the request has it, where it came before that was looked at.
pub(super) fn marked(request: &HttpRequest, problem: Problem) -> Problem {
    match Protocol::of(request) {
        Ok(protocol) => protocol.mark(problem),
        Err(_) => problem,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadsQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Lists the caller's uploads that are no files yet, newest first.
#[utoipa::path(
    operation_id = "listUploads",
    tag = "uploads",
    params(UploadsQuery),
    responses(
        (status = 200, description = "A page of the list", body = UploadListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("")]
pub(super) async fn list(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: UploadsQuery = input::query(&request)?;
    let limit = params::limit(query.limit)?;
    let bound_to = format!("uploads {}", caller.user);
    let before: Option<UploadId> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let of = Uploader::User(params::whole(&caller)?);
    let mut uploads = service.uploads.store.list_uploads(of, before, limit + 1).await?;
    let more = uploads.len() > limit as usize;
    uploads.truncate(limit as usize);
    let last = uploads.last().filter(|_| more);
    let next_cursor = last.map(|upload| cursor::encode(&service.cursor_key, &bound_to, &upload.id));
    let items = uploads.iter().map(UploadView::of).collect();
    Ok(HttpResponse::Ok().insert_header(view::NO_STORE).json(UploadListView { items, next_cursor }))
}
