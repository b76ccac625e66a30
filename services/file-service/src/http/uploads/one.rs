//! Shows and ends an upload.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, delete, get, head, post, web};
use common::Code;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};

use super::append::go_on;
use super::party::Party;
use super::protocol::{Protocol, TUS_RESUMABLE, TUS_VERSION};
use super::view;
use super::view::UploadView;
use crate::app::resumable;
use crate::state::FileService;

/// Shows one of the caller's uploads. Does not disturb whoever is sending to it.
#[utoipa::path(
    operation_id = "getUpload",
    tag = "uploads",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The upload", body = UploadView),
        (status = 404, description = "`not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}")]
pub(in crate::http) async fn show(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    look(&Party::account(&caller, &request)?, &request, &service.into_inner()).await
}

pub(in crate::http) async fn look(
    party: &Party,
    request: &HttpRequest,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    if protocol == Protocol::Draft {
        return stand(protocol, party, request, service).await;
    }
    let upload = resumable::own(service, party.actor(), input::path_id(request, "id")?).await?;
    Ok(view::shown(service, party, &upload).await?)
}

/// Tells where an upload stands, by the protocol of the request. Whoever is still sending to it is made to leave, so that the caller can go on from
/// there.
#[utoipa::path(
    operation_id = "getUploadOffset",
    tag = "uploads",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "tus: where it stands", headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("File-Id" = String))),
        (status = 204, description = "Draft: where it stands", headers(("Upload-Offset" = u64), ("Upload-Complete" = String), ("File-Id" = String))),
        (status = 404, description = "`not_found`"),
        (status = 423, description = "`locked`: another request is at it and does not leave"),
        (status = 507, description = "`quota_exceeded`, `disk_full`: there is no room to put its parts together"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/{id}")]
pub(in crate::http) async fn describe(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    ask(&Party::account(&caller, &request)?, &request, &service.into_inner()).await
}

pub(in crate::http) async fn ask(
    party: &Party,
    request: &HttpRequest,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    stand(protocol, party, request, service)
        .await
        .map_err(|problem| protocol.mark(problem).header(view::NO_STORE.0, view::NO_STORE.1))
}

async fn stand(
    protocol: Protocol,
    party: &Party,
    request: &HttpRequest,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let upload = resumable::settled(service, party.actor(), input::path_id(request, "id")?).await?;
    Ok(match protocol {
        Protocol::Tus => view::tus_whole(party, &upload),
        Protocol::Draft | Protocol::Plain => {
            view::draft(service, party, StatusCode::NO_CONTENT, &upload).finish()
        }
    })
}

/// For clients that can send no other method: `X-HTTP-Method-Override` says which is meant.
#[utoipa::path(
    operation_id = "postUpload",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "Its id"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH`, `DELETE` or `HEAD`"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "As that method"),
        (status = 405, description = "`method_not_allowed`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}")]
pub(in crate::http) async fn change_method(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    by_override(&Party::account(&caller, &request)?, &request, payload, &service.into_inner()).await
}

pub(in crate::http) async fn by_override(
    party: &Party,
    request: &HttpRequest,
    payload: web::Payload,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let meant = request.headers().get("x-http-method-override").and_then(|value| value.to_str().ok());
    let meant = meant.and_then(|method| Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok());
    match meant {
        Some(Method::PATCH) => go_on(party, request, payload, service).await,
        Some(Method::DELETE) => end(party, request, service).await,
        Some(Method::HEAD) => stand(Protocol::of(request)?, party, request, service).await,
        _ => Err(Problem::new(Code::MethodNotAllowed)
            .header(header::ALLOW, HeaderValue::from_static("GET, HEAD, PATCH, DELETE, OPTIONS"))),
    }
}

/// Ends an upload: its bytes go. A file that it has become stays.
#[utoipa::path(
    operation_id = "deleteUpload",
    tag = "uploads",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 423, description = "`locked`: another request is at it and does not leave", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[delete("/{id}")]
pub(in crate::http) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    end(&Party::account(&caller, &request)?, &request, &service.into_inner()).await
}

pub(in crate::http) async fn end(
    party: &Party,
    request: &HttpRequest,
    service: &Arc<FileService>,
) -> ApiResult<HttpResponse> {
    let protocol = Protocol::of(request)?;
    let ended = async {
        let id = input::path_id(request, "id")?;
        Ok(resumable::end(service, party.actor(), id).await?)
    };
    ended.await.map_err(|problem: Problem| protocol.mark(problem))?;
    let mut answer = HttpResponse::NoContent();
    if protocol == Protocol::Tus {
        answer.insert_header((TUS_RESUMABLE, TUS_VERSION));
    }
    Ok(answer.finish())
}
