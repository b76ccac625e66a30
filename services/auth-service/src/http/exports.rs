//! `/internal/exports`, and what of an account belongs into its export: what worker-service writes and file-service reads. On the internal listener, with a
//! service token.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use common::Code;
use common::auth::internal::{EndExport, FindExport};
use common::auth::{EXPORT_PART_BYTES, ExportEnd, ExportPart, MOST_EXPORT_FILES};
use common::files::internal::ExportQuestion;
use http_kit::service_token::ServiceCaller;
use http_kit::{ApiResult, BodyLimits, BodyStream, Problem, input};
use serde::Deserialize;

use super::BODY_BYTES;
use crate::AuthService;
use crate::app::export;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/internal/accounts/export", web::post().to(page))
        .route("/internal/exports/find", web::post().to(find))
        .route("/internal/exports/end", web::post().to(end))
        .service(
            web::resource("/internal/exports/{user}/{export}/{file}/{number}")
                .route(web::get().to(read))
                .route(web::put().to(keep)),
        );
}

async fn page(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: ExportQuestion = input::json(&request, payload, BODY_BYTES).await?;
    let page = export::page(&service, asked.user, &asked.what, asked.cursor.as_deref()).await?;
    Ok(HttpResponse::Ok().json(page.ok_or(Code::NotFound)?))
}

async fn find(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: FindExport = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(export::find(&service, asked.user).await?))
}

async fn end(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: EndExport = input::json(&request, payload, BODY_BYTES).await?;
    if let ExportEnd::Ready { files, .. } = &asked.end
        && files.len() > MOST_EXPORT_FILES
    {
        return Err(Problem::new(Code::InvalidRequest).field("/end/files", "too_many", "too many files"));
    }
    if export::end(&service, asked.user, asked.id, &asked.end).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

/// The part that a path means.
fn part(request: &HttpRequest) -> ApiResult<ExportPart> {
    Ok(ExportPart {
        user: input::path_id(request, "user")?,
        export: input::path_id(request, "export")?,
        file: input::path_id(request, "file")?,
        number: input::path_id(request, "number")?,
    })
}

#[derive(Deserialize)]
struct Run {
    run: i64,
}

async fn keep(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let part = part(&request)?;
    let Run { run } = input::query(&request)?;
    let limits = BodyLimits { max_bytes: Some(EXPORT_PART_BYTES as u64), ..BodyLimits::default() };
    let bytes = BodyStream::new(payload, limits).collect().await?;
    if service.admin.exports.put_export_part(part, run, &bytes).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

async fn read(
    _: ServiceCaller,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let bytes = service.admin.exports.read_export_part(part(&request)?).await?;
    let bytes = bytes.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/octet-stream")).body(bytes))
}
