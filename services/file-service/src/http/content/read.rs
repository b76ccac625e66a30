//! `GET` and `HEAD /api/v1/files/{id}/content`.

use std::future::ready;

use actix_web::body::SizedStream;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, HttpResponseBuilder, get, head, web};
use bytes::Bytes;
use common::files::{Action, Actor, BlobRange, ByteStream, Content, Node};
use common::{Code, FileId, PortResult};
use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http_kit::conditions::{Current, ETag, Verdict, evaluate, http_date, range_applies};
use http_kit::digest_fields::REPR_DIGEST;
use http_kit::disposition::{Disposition, content_disposition};
use http_kit::problem::ProblemDocument;
use http_kit::ranges::{self, ByteRange, Multipart, RangeSet};
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::Deserialize;
use utoipa::IntoParams;

use super::safety::{self, Sent};
use crate::app::access::{Authorized, authorize};
use crate::app::content::{self, Part};
use crate::app::sniff;
use crate::app::watch::Watch;
use crate::error::AppError;
use crate::http::delivery::{self, Wanted};
use crate::http::params;
use crate::http::toll::Toll;
use crate::state::FileService;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ContentQuery {
    /// To be saved, rather than shown.
    #[serde(default)]
    download: bool,
    /// Instead of a credential: what a program got with its job. It is good for this content and for an hour.
    ticket: Option<String>,
    /// Ignored: lets a page tell versions apart in its cache.
    #[serde(default, rename = "v")]
    _version: Option<String>,
}

/// The bytes of a file, or parts of them.
#[utoipa::path(
    operation_id = "getContent",
    tag = "files",
    params(
        ("id" = String, Path, description = "The file's id"),
        ContentQuery,
        ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=0-99`"),
        ("If-Range" = Option<String>, Header, description = "The range only if the content still has this tag; else all of it"),
        ("If-None-Match" = Option<String>, Header, description = "Only if the content has another tag"),
        ("If-Match" = Option<String>, Header, description = "Only if the content has this tag"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/octet-stream", headers(("ETag" = String), ("Last-Modified" = String), ("Repr-Digest" = String), ("Content-Disposition" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The parts asked for", content_type = "application/octet-stream", headers(("Content-Range" = String))),
        (status = 304, description = "It has not changed"),
        (status = 403, description = "`forbidden`: the ticket has expired, or is for something else", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/files/{id}/content")]
pub(in crate::http) async fn show(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> actix_web::Result<HttpResponse> {
    answer(&request, &service).await
}

/// As `GET`, without the bytes.
#[utoipa::path(
    operation_id = "headContent",
    tag = "files",
    params(("id" = String, Path, description = "The file's id"), ContentQuery),
    responses(
        (status = 200, description = "What `GET` would say", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`not_a_file`"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/api/v1/files/{id}/content")]
pub(in crate::http) async fn describe(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> actix_web::Result<HttpResponse> {
    answer(&request, &service).await
}

async fn answer(request: &HttpRequest, service: &FileService) -> actix_web::Result<HttpResponse> {
    let query = || -> ApiResult<ContentQuery> {
        if request.query_string().is_empty() { Ok(ContentQuery::default()) } else { input::query(request) }
    };
    // a query that cannot be read holds no ticket; it is refused when the caller is known
    if let Ok(query) = query()
        && let Some(ticket) = &query.ticket
    {
        let file = by_ticket(service, request, ticket).await?;
        return Ok(send_file(service, request, &file, query.download, None).await?);
    }
    let caller = Authenticated::extract(request).await?;
    let target = params::target(request, "id")?;
    let file = authorize(service, params::actor(&caller), Action::ReadContent, target)
        .await
        .map_err(Problem::from)?;
    Ok(send_file(service, request, &file, query()?.download, None).await?)
}

/// The file that a ticket is for. What is in the trash, and a content that the ticket does not mean, are not there.
async fn by_ticket(service: &FileService, request: &HttpRequest, ticket: &str) -> ApiResult<Authorized> {
    let id: FileId = input::path_id(request, "id")?;
    let ticket = service
        .ticket_key
        .verify(id, ticket, service.clock.now())
        .map_err(|error| Problem::new(Code::Forbidden).detail(error.to_string()))?;
    if let Some(reader) = ticket.user
        && let Err(error) = service.gate.require_open(reader).await
        && error.code() == Code::NotFound
    {
        // a ticket outlives sign-ins, and must not outlive its account; while nobody can be asked for that, it is good
        return Err(error.into());
    }
    let actor = ticket.user.map_or(Actor::Service, Actor::User);
    let file = authorize(service, actor, Action::ReadContent, id).await?.live()?;
    match (ticket.blob, &file.node().content) {
        (Some(meant), Some(content)) if content.blob != meant => Err(Problem::new(Code::NotFound)),
        _ => Ok(file),
    }
}

/// Answers with the content of a file, under its sniffed type.
pub(in crate::http) async fn send_file(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    download: bool,
    toll: Option<Toll<'_>>,
) -> ApiResult<HttpResponse> {
    send_content(service, request, file, content::of(file)?, download, toll).await
}

/// Answers with one of the contents of a file, under its sniffed type.
pub(in crate::http) async fn send_content(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    content: &Content,
    download: bool,
    toll: Option<Toll<'_>>,
) -> ApiResult<HttpResponse> {
    let sent = Sent::of(&content.mime, charset(service, content).await?);
    let disposition = if download { Disposition::Attachment } else { sent.disposition };
    send(service, request, file, file.node(), content, &sent.content_type, disposition, toll).await
}

/// The charset of a text, as far as its first bytes show.
async fn charset(service: &FileService, content: &Content) -> Result<Option<&'static str>, AppError> {
    if !content.mime.starts_with("text/") || content.size == 0 {
        return Ok(None);
    }
    let len = content.size.min(sniff::HEAD_BYTES as u64);
    match content::read(service, content, BlobRange { start: 0, len }).await? {
        Part::Bytes(first) => Ok(sniff::charset(&first, len == content.size)),
        Part::Stream(_) => Ok(None),
    }
}

/// Answers with a content, under any path, name (that of `node`) and type, once the toll of a link is paid: conditions, ranges, validators, digest, and what keeps it harmless.
#[expect(clippy::too_many_arguments, reason = "every caller has its own of each")]
pub(in crate::http) async fn send(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    node: &Node,
    content: &Content,
    content_type: &str,
    disposition: Disposition,
    toll: Option<Toll<'_>>,
) -> ApiResult<HttpResponse> {
    let tag = content.etag();
    let etag = ETag::strong(tag.trim_matches('"')).map_err(|_| Problem::new(Code::Internal))?;
    let current = Current { etag: &etag, modified_at: Some(content.modified_at) };
    let validators = |response: &mut HttpResponseBuilder| {
        response
            .insert_header((header::ETAG, etag.to_value()))
            .insert_header((header::LAST_MODIFIED, http_date(content.modified_at)))
            .insert_header((header::CACHE_CONTROL, "private, no-cache"));
    };
    match evaluate(request.headers(), request.method(), Some(current)) {
        Verdict::Proceed => {}
        Verdict::NotModified => {
            let mut response = HttpResponse::NotModified();
            validators(&mut response);
            return Ok(response.finish());
        }
        Verdict::PreconditionFailed => return Err(Problem::new(Code::PreconditionFailed)),
    }
    let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
    // a range on HEAD has no meaning (RFC 9110, 14.2)
    let asked = if request.method() == Method::GET && range_applies(request.headers(), current) {
        ranges::parse(range, content.size)
    } else {
        RangeSet::Whole
    };
    let mut response = HttpResponse::build(StatusCode::OK);
    validators(&mut response);
    response
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((REPR_DIGEST, content.sha256.to_field()))
        .insert_header((header::CONTENT_DISPOSITION, content_disposition(disposition, node.name.as_str())))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header(safety::policy(content_type));
    let sends = request.method() == Method::GET && !matches!(asked, RangeSet::Unsatisfiable);
    if let Some(toll) = toll.filter(|_| sends) {
        let from_start = match &asked {
            RangeSet::Whole | RangeSet::Unsatisfiable => true,
            RangeSet::One(one) => one.start == 0,
            RangeSet::Many(parts) => parts.iter().any(|part| part.start == 0),
        };
        for field in toll.pay(service, request, from_start).await? {
            response.append_header(field);
        }
    }
    let watch = Watch::over(service, file);
    // what is handed over cannot be called back
    let may_hand_over = watch.is_none();
    match asked {
        RangeSet::Unsatisfiable => {
            let size =
                HeaderValue::from_str(&ranges::unsatisfied(content.size)).expect("a range is visible ASCII");
            let problem = Problem::new(Code::RangeNotSatisfiable)
                .detail(format!("The content has {} bytes", content.size));
            Err(problem.header(header::CONTENT_RANGE, size))
        }
        RangeSet::Whole => {
            response.insert_header((header::CONTENT_TYPE, content_type));
            if request.method() == Method::HEAD {
                return Ok(response
                    .no_chunking(content.size)
                    .body(SizedStream::new(content.size, nothing())));
            }
            if may_hand_over
                && let Some(field) = handed_over(service, request, content, Wanted::Whole).await?
            {
                return Ok(response.insert_header(field).finish());
            }
            part(service, content, BlobRange { start: 0, len: content.size }, response, watch).await
        }
        RangeSet::One(one) => {
            response.insert_header((header::CONTENT_TYPE, content_type));
            if may_hand_over && let Some(field) = handed_over(service, request, content, Wanted::Part).await?
            {
                return Ok(response.insert_header(field).finish());
            }
            response
                .status(StatusCode::PARTIAL_CONTENT)
                .insert_header((header::CONTENT_RANGE, one.content_range(content.size)));
            part(service, content, BlobRange { start: one.start, len: one.len }, response, watch).await
        }
        RangeSet::Many(parts) => many(service, content, content_type, parts, response, watch).await,
    }
}

/// The field that lets the gateway send the bytes. What may stand in the store is not looked for in a blob first.
async fn handed_over(
    service: &FileService,
    request: &HttpRequest,
    content: &Content,
    wanted: Wanted,
) -> PortResult<Option<(HeaderName, HeaderValue)>> {
    if content.size <= service.settings.inline_bytes as u64 {
        return Ok(None);
    }
    delivery::field(service, request, content.blob, content.size, wanted).await
}

fn nothing() -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    futures_util::stream::empty()
}

async fn part(
    service: &FileService,
    content: &Content,
    part: BlobRange,
    mut response: HttpResponseBuilder,
    watch: Option<Watch>,
) -> ApiResult<HttpResponse> {
    Ok(match content::read(service, content, part).await? {
        Part::Bytes(bytes) => response.body(bytes),
        Part::Stream(stream) => response.body(SizedStream::new(part.len, watched(logged(stream), watch))),
    })
}

async fn many(
    service: &FileService,
    content: &Content,
    content_type: &str,
    parts: Vec<ByteRange>,
    mut response: HttpResponseBuilder,
    watch: Option<Watch>,
) -> ApiResult<HttpResponse> {
    let multipart = Multipart::new(content_type, content.size);
    let length = multipart.length(&parts);
    // what is missing shows before the first byte; where only a later part is, the answer breaks off
    if let Some(first) = parts.first() {
        content::read(service, content, BlobRange { start: first.start, len: 1 }).await?;
    }
    let mut pieces: Vec<ByteStream> = Vec::with_capacity(2 * parts.len() + 1);
    for part in parts {
        pieces.push(text(multipart.head(part)));
        let range = BlobRange { start: part.start, len: part.len };
        pieces.push(content::read_in_turn(service, content, range));
    }
    pieces.push(text(multipart.tail()));
    let body = futures_util::stream::iter(pieces).flatten();
    Ok(response
        .status(StatusCode::PARTIAL_CONTENT)
        .insert_header((header::CONTENT_TYPE, multipart.media_type()))
        .body(SizedStream::new(length, watched(logged(body), watch))))
}

fn watched(
    body: impl Stream<Item = Result<Bytes, actix_web::Error>> + 'static,
    watch: Option<Watch>,
) -> LocalBoxStream<'static, Result<Bytes, actix_web::Error>> {
    match watch {
        Some(watch) => watch
            .guard(body, || actix_web::error::ErrorForbidden("the right to read this has ended"))
            .boxed_local(),
        None => body.boxed_local(),
    }
}

fn text(text: String) -> ByteStream {
    Box::pin(futures_util::stream::once(ready(Ok(Bytes::from(text)))))
}

/// An error in the middle of a body can only break the connection; the log says why.
fn logged(
    stream: impl Stream<Item = PortResult<Bytes>>,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    stream.map_err(|error| {
        tracing::error!(cause = %common::Causes(&error), "a content broke off while it was sent");
        actix_web::error::ErrorInternalServerError("the content broke off")
    })
}
