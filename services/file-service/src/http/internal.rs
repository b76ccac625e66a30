//! `/internal`: what worker-service asks. On the internal listener, with a service token.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use common::files::internal::{
    CopyGiveUp, CopyRequest, ExportLength, ExportMeasure, ExportQuestion, FileEventsQuestion, LinkNoticeOf,
    MAX_EVENT_PLACES, MaintenanceStep, PurgeRequest, QuotaChange, ThumbnailBegin, ThumbnailFailure,
    ThumbnailUpload, UsageQuestion, UserEnd,
};
use common::files::{BlobRange, MediaFacts, UserSpaces as _};
use common::{BlobKey, Code};
use futures_util::StreamExt as _;
use http_kit::service_token::ServiceCaller;
use http_kit::{ApiResult, BodyLimits, BodyStream, Problem, input};
use serde::Deserialize;

use crate::app::sharing::notices;
use crate::app::spaces::StoredSpaces;
use crate::app::{archive, blobs, copying, ended, events, export, maintenance, search, thumbnails};
use crate::state::FileService;

/// Largest JSON question.
const BODY_BYTES: usize = 64 * 1024;

/// Largest set of thumbnails with its header.
const THUMBNAILS_BYTES: u64 = 4 * thumbnails::MAX_BYTES + BODY_BYTES as u64;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/internal/thumbnails/begin", web::post().to(begin_thumbnails))
        .route("/internal/blobs/{blob}", web::get().to(read_blob))
        .route("/internal/blobs/{blob}/range", web::get().to(read_range))
        .route("/internal/blobs/{blob}/media", web::post().to(keep_media))
        .route("/internal/blobs/{blob}/text", web::put().to(put_text))
        .route("/internal/blobs/{blob}/thumbnails", web::put().to(put_thumbnails))
        .route("/internal/blobs/{blob}/thumbnails/failed", web::post().to(fail_thumbnails))
        .route("/internal/files/purge", web::post().to(purge))
        .route("/internal/files/copy", web::post().to(copy))
        .route("/internal/files/copy/give-up", web::post().to(give_up_copy))
        .route("/internal/links/notice", web::post().to(open_notice))
        .route("/internal/links/noticed", web::post().to(close_notice))
        .route("/internal/events/after", web::post().to(events_after))
        .route("/internal/users/end", web::post().to(end_user))
        .route("/internal/users/export", web::post().to(export_page))
        .route("/internal/users/export/measure", web::post().to(measure_export))
        .route("/internal/users/usage", web::post().to(usage_of))
        .route("/internal/users/quota", web::post().to(set_quota_of))
        .route("/internal/maintenance/{task}", web::post().to(maintain));
}

async fn begin_thumbnails(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let question: ThumbnailBegin = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(thumbnails::begin(&service, &question).await?))
}

async fn read_blob(
    _: ServiceCaller,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let key: BlobKey = input::path_id(&request, "blob")?;
    let blob = service.store.find_blob(key).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let stream = blobs::stream_whole(&service, &blob).await?;
    let body = actix_web::body::SizedStream::new(
        blob.size,
        stream.map(|piece| piece.map_err(actix_web::error::ErrorInternalServerError)),
    );
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/octet-stream")).body(body))
}

#[derive(Deserialize)]
struct Part {
    start: u64,
    len: u64,
}

async fn read_range(
    _: ServiceCaller,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let key: BlobKey = input::path_id(&request, "blob")?;
    let Part { start, len } = input::query(&request)?;
    let blob = service.store.find_blob(key).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let bytes = blobs::read_range(&service, &blob, BlobRange { start, len }).await?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/octet-stream")).body(bytes))
}

async fn keep_media(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let key: BlobKey = input::path_id(&request, "blob")?;
    let facts: MediaFacts = input::json(&request, payload, BODY_BYTES).await?;
    if service.store.keep_media(key, &facts.checked()).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

async fn put_text(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let key: BlobKey = input::path_id(&request, "blob")?;
    let limits = BodyLimits { max_bytes: Some(texts::MAX_TEXT_BYTES as u64), ..BodyLimits::default() };
    let body = BodyStream::new(payload, limits).collect().await?;
    let text = String::from_utf8(body.into())
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| Problem::new(Code::InvalidRequest).detail("the text is not UTF-8 without NUL"))?;
    if search::keep_text(&service, key, text).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

async fn put_thumbnails(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let key: BlobKey = input::path_id(&request, "blob")?;
    let limits = BodyLimits { max_bytes: Some(THUMBNAILS_BYTES), ..BodyLimits::default() };
    let body = BodyStream::new(payload, limits).collect().await?;
    let (upload, pictures) = unframe(body)
        .ok_or_else(|| Problem::new(Code::InvalidRequest).detail("not a header line and its pictures"))?;
    if thumbnails::keep(&service, key, &upload, pictures).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

/// Splits a body into its header line and the pictures that the header announces; none if they do not fit together.
fn unframe(mut body: Bytes) -> Option<(ThumbnailUpload, Vec<Bytes>)> {
    let end = body.iter().position(|byte| *byte == b'\n')?;
    let upload: ThumbnailUpload = serde_json::from_slice(&body.split_to(end)).ok()?;
    let _newline = body.split_to(1);
    let mut pictures = Vec::with_capacity(upload.pictures.len());
    for picture in &upload.pictures {
        let bytes = usize::try_from(picture.bytes).ok().filter(|bytes| *bytes <= body.len())?;
        pictures.push(body.split_to(bytes));
    }
    body.is_empty().then_some((upload, pictures))
}

async fn fail_thumbnails(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let key: BlobKey = input::path_id(&request, "blob")?;
    let failure: ThumbnailFailure = input::json(&request, payload, BODY_BYTES).await?;
    if service.store.fail_thumbnails(key, &failure.reason).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

async fn copy(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let question: CopyRequest = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(copying::step(&service, question.operation).await?))
}

async fn give_up_copy(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let CopyGiveUp { operation, called_off } = input::json(&request, payload, BODY_BYTES).await?;
    let code = if called_off { Code::CalledOff } else { Code::Unavailable };
    copying::give_up(&service, operation, code).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn purge(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let question: PurgeRequest = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(maintenance::purge(&service, &question).await?))
}

async fn open_notice(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let asked: LinkNoticeOf = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(notices::open(&service, asked).await?))
}

async fn close_notice(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let told: LinkNoticeOf = input::json(&request, payload, BODY_BYTES).await?;
    notices::close(&service, told).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn events_after(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let question: FileEventsQuestion = input::json(&request, payload, BODY_BYTES).await?;
    if question.places.len() > MAX_EVENT_PLACES {
        return Err(Problem::new(Code::InvalidRequest).detail("too many places at once"));
    }
    Ok(HttpResponse::Ok().json(events::told(&service, &question).await?))
}

async fn end_user(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let question: UserEnd = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(ended::step(&service.into_inner(), question.user).await?))
}

async fn export_page(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let asked: ExportQuestion = input::json(&request, payload, BODY_BYTES).await?;
    let page = export::page(&service, asked.user, &asked.what, asked.cursor.as_deref()).await?;
    Ok(HttpResponse::Ok().json(page.ok_or_else(|| Problem::new(Code::NotFound))?))
}

async fn measure_export(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let asked: ExportMeasure = input::json(&request, payload, BODY_BYTES).await?;
    let bytes = archive::export::measure(&service, asked.user, &asked.files).await?;
    Ok(HttpResponse::Ok().json(ExportLength { bytes }))
}

async fn usage_of(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let asked: UsageQuestion = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(StoredSpaces::of(&service).usage_of(asked.user).await?))
}

async fn set_quota_of(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let change: QuotaChange = input::json(&request, payload, BODY_BYTES).await?;
    let usage = StoredSpaces::of(&service).set_quota_of(change.user, change.quota_bytes).await?;
    Ok(HttpResponse::Ok().json(usage))
}

async fn maintain(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let name = request.match_info().get("task").unwrap_or_default();
    let task = maintenance::Task::parse(name).ok_or_else(|| Problem::new(Code::NotFound))?;
    let step: MaintenanceStep = input::json(&request, payload, BODY_BYTES).await?;
    Ok(HttpResponse::Ok().json(maintenance::step(&service.into_inner(), task, step.cursor.as_deref()).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_must_be_what_its_header_announces() {
        let header = r#"{"media":null,"pictures":[{"size":100,"mime":"image/png","bytes":2},{"size":250,"mime":"image/png","bytes":3}]}"#;
        let body = |rest: &str| Bytes::from(format!("{header}\n{rest}"));
        let (upload, pictures) = unframe(body("aabbb")).unwrap();
        assert_eq!(upload.pictures.len(), 2);
        assert_eq!(pictures, ["aa", "bbb"]);
        for wrong in
            [body("aabb"), body("aabbbc"), body(""), Bytes::new(), Bytes::from("{}\n"), Bytes::from(header)]
        {
            assert!(unframe(wrong).is_none());
        }
    }
}
