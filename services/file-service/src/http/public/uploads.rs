//! Uploads by a link that come in several goes: as those of accounts, for whoever has the link and knows the upload's id.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, get, head, options, patch, post, web};
use common::files::Action;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, client_ip};

use super::enter;
use super::view::{PublicUploadView, ReceiptView};
use crate::app::sharing::visit;
use crate::http::uploads::append::{ChangeBody, go_on};
use crate::http::uploads::create::{CreateQuery, begin};
use crate::http::uploads::one::{ask, by_override, end, look};
use crate::http::uploads::{Party, marked, spoken};
use crate::state::FileService;

/// Opens the link for its uploads: whoever may not add files by it has none here.
async fn party(request: &HttpRequest, service: &FileService) -> ApiResult<Party> {
    let entered = async {
        let visit = enter(request, service).await?;
        visit.authorize(service, Action::AddChild, None).await?;
        Ok::<_, Problem>(Party::Visitor(Box::new(visit)))
    };
    entered.await.map_err(|problem| marked(request, problem))
}

/// Tells what is spoken here, and what uploads keep to.
#[utoipa::path(
    operation_id = "publicUploadOptions",
    tag = "public",
    params(("token" = String, Path, description = "The link's token")),
    responses(
        (status = 204, description = "What is spoken", headers(
            ("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64), ("Tus-Checksum-Algorithm" = String),
            ("Upload-Limit" = String),
        )),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[options("/{token}/uploads")]
pub(super) async fn options(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    party(&request, &service).await?;
    Ok(spoken(&service, "POST, OPTIONS"))
}

/// Begins an upload by a link, as `POST /uploads` does for an account. Who may only drop gets the next free name for one that is taken.
#[utoipa::path(
    operation_id = "createPublicUpload",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        CreateQuery,
        ("Tus-Resumable" = Option<String>, Header, description = "tus: `1.0.0`"),
        ("Upload-Complete" = Option<String>, Header, description = "Draft: `?1` if the body ends the upload, else `?0`"),
        ("Upload-Length" = Option<u64>, Header, description = "How many bytes it will have"),
        ("Upload-Defer-Length" = Option<u32>, Header, description = "tus: `1` if that is said later"),
        ("Upload-Metadata" = Option<String>, Header, description = "tus: what is said of the file"),
        ("Upload-Concat" = Option<String>, Header, description = "tus: `partial`, or `final;` and the addresses of the parts"),
        ("Upload-Checksum" = Option<String>, Header, description = "tus: `sha1`, `sha256` or `crc32` of the body, and its base64"),
        ("Content-Digest" = Option<String>, Header, description = "`sha-256` of the body"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the whole upload"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The upload was begun, or has arrived already: by the draft then with the receipt", body = ReceiptView,
            headers(("Location" = String), ("Upload-Offset" = u64), ("Upload-Complete" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 200, description = "It has replaced the content of a file", body = ReceiptView),
        (status = 400, description = "`invalid_request`, `invalid_name`, `upload_length`, `incomplete_body`, `digest_mismatch`", body = ProblemDocument),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`name_taken`, `parent_not_folder`, `too_deep`; `too_many` uploads by this link are unfinished", body = ProblemDocument),
        (status = 412, description = "Another version of tus", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many uploads were begun by this link from one address, or too many guesses at the password", body = ProblemDocument),
        (status = 460, description = "`checksum_mismatch`", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    )
)]
#[post("/{token}/uploads")]
pub(super) async fn create(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let party = party(&request, &service).await?;
    let service: Arc<FileService> = service.into_inner();
    if let Party::Visitor(visit) = &party {
        let ip = client_ip(&request, &service.settings.trusted_proxies);
        let counted = visit::begins_upload(&service, visit.link.id, ip).await;
        counted.map_err(|error| marked(&request, error.into()))?;
    }
    begin(&party, &request, payload, &service).await
}

/// Shows an upload by a link, with its receipt when it has arrived. Does not disturb whoever is sending to it.
#[utoipa::path(
    operation_id = "getPublicUpload",
    tag = "public",
    params(("token" = String, Path, description = "The link's token"), ("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 200, description = "The upload", body = PublicUploadView),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`: no such upload by this link", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[get("/{token}/uploads/{id}")]
pub(super) async fn show(request: HttpRequest, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    look(&party(&request, &service).await?, &request, &service.into_inner()).await
}

/// Tells where an upload by a link stands, by the protocol of the request. Whoever is still sending to it is made to leave, so that the caller can go on
/// from there.
#[utoipa::path(
    operation_id = "getPublicUploadOffset",
    tag = "public",
    params(("token" = String, Path, description = "The link's token"), ("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 200, description = "tus: where it stands", headers(("Upload-Offset" = u64), ("Upload-Length" = u64))),
        (status = 204, description = "Draft: where it stands", headers(("Upload-Offset" = u64), ("Upload-Complete" = String))),
        (status = 401, description = "`link_locked`"),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`"),
        (status = 404, description = "`not_found`, `parent_not_found`"),
        (status = 423, description = "`locked`: another request is at it and does not leave"),
        (status = 429, description = "`rate_limited`: too many guesses at the password"),
        (status = 507, description = "`quota_exceeded`, `disk_full`: there is no room to put its parts together"),
    )
)]
#[head("/{token}/uploads/{id}")]
pub(super) async fn describe(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    ask(&party(&request, &service).await?, &request, &service.into_inner()).await
}

/// Appends bytes by a link (`application/offset+octet-stream` by tus, `application/partial-upload` by the draft), or changes where the upload goes
/// (`application/json`). What arrives of a request that breaks stays.
#[utoipa::path(
    operation_id = "appendPublicUpload",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        ("id" = String, Path, description = "The upload's id"),
        ("Upload-Offset" = Option<u64>, Header, description = "Where the bytes go: where the upload stands"),
        ("Upload-Complete" = Option<String>, Header, description = "Draft: `?1` if these are the last bytes, else `?0`"),
        ("Upload-Length" = Option<u64>, Header, description = "How many bytes it will have, if that was not said before"),
        ("Upload-Checksum" = Option<String>, Header, description = "tus: `sha1`, `sha256` or `crc32` of the body, and its base64"),
        ("Content-Digest" = Option<String>, Header, description = "`sha-256` of the body"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the whole upload"),
    ),
    request_body(
        content(
            (Vec<u8> = "application/offset+octet-stream"),
            (Vec<u8> = "application/partial-upload"),
            (ChangeBody = "application/json"),
        ),
    ),
    responses(
        (status = 204, description = "They are there", headers(("Upload-Offset" = u64), ("Upload-Complete" = String), ("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 201, description = "Draft, and a change: it has arrived", body = ReceiptView),
        (status = 200, description = "Draft: it has replaced the content of a file. A change: the upload", body = PublicUploadView),
        (status = 400, description = "`invalid_request`, `incomplete_body`, `upload_length`, `upload_complete`, `digest_mismatch`", body = ProblemDocument),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`upload_offset`; `name_taken`: all bytes are there, change the name", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at it", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
        (status = 460, description = "`checksum_mismatch`: none of the bytes count", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    )
)]
#[patch("/{token}/uploads/{id}")]
pub(super) async fn append(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    go_on(&party(&request, &service).await?, &request, payload, &service.into_inner()).await
}

/// For clients that can send no other method: `X-HTTP-Method-Override` says which is meant.
#[utoipa::path(
    operation_id = "postPublicUpload",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        ("id" = String, Path, description = "The upload's id"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH`, `DELETE` or `HEAD`"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "As that method"),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 405, description = "`method_not_allowed`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[post("/{token}/uploads/{id}")]
pub(super) async fn change_method(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    by_override(&party(&request, &service).await?, &request, payload, &service.into_inner()).await
}

/// Ends an upload by a link: its bytes go. A file that it has become stays.
#[utoipa::path(
    operation_id = "deletePublicUpload",
    tag = "public",
    params(("token" = String, Path, description = "The link's token"), ("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at it and does not leave", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[delete("/{token}/uploads/{id}")]
pub(super) async fn remove(request: HttpRequest, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    end(&party(&request, &service).await?, &request, &service.into_inner()).await
}
