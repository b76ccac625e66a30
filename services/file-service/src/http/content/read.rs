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
use http_kit::conditions::{Current, ETag, Modified, Verdict, evaluate, http_date, range_applies};
use http_kit::digest_fields::{
    CONTENT_DIGEST, REPR_DIGEST, WANT_CONTENT_DIGEST, WANT_REPR_DIGEST, preference,
};
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
use crate::app::watch::{Pass, Watch};
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
        ("Want-Repr-Digest" = Option<String>, Header, description = "`sha-256=0`: without `Repr-Digest`"),
        ("Want-Content-Digest" = Option<String>, Header, description = "Such as `sha-256=10`: all of it comes with `Content-Digest`"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/octet-stream", headers(("ETag" = String), ("Last-Modified" = String), ("Repr-Digest" = String), ("Content-Digest" = String), ("Content-Disposition" = String), ("Accept-Ranges" = String))),
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
#[get("/{id}/content")]
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
    params(
        ("id" = String, Path, description = "The file's id"),
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
#[head("/{id}/content")]
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
        let (file, pass) = by_ticket(service, request, ticket).await?;
        return Ok(send_file(service, request, &file, query.download, Way::Pass(pass)).await?);
    }
    let caller = Authenticated::extract(request).await?;
    let target = params::target(request, "id")?;
    let file = authorize(service, params::actor(&caller), Action::ReadContent, target)
        .await
        .map_err(Problem::from)?;
    let way = Way::Pass(params::pass(request, &caller));
    Ok(send_file(service, request, &file, query()?.download, way).await?)
}

/// The file that a ticket is for, and what the ticket ends with. What is in the trash, and a content that the ticket does not mean, are not there.
async fn by_ticket(
    service: &FileService,
    request: &HttpRequest,
    ticket: &str,
) -> ApiResult<(Authorized, Pass)> {
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
        _ => Ok((file, ticket.user.map_or(Pass::Free, Pass::Account))),
    }
}

/// What a reader comes by.
pub(in crate::http) enum Way<'a> {
    /// A link, which counts what is read.
    Link(Toll<'a>),
    /// Their own credential, or what stands for one.
    Pass(Pass),
}

/// Answers with the content of a file, under its sniffed type.
pub(in crate::http) async fn send_file(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    download: bool,
    way: Way<'_>,
) -> ApiResult<HttpResponse> {
    send_content(service, request, file, content::of(file)?, download, way).await
}

/// Answers with one of the contents of a file, under its sniffed type.
pub(in crate::http) async fn send_content(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    content: &Content,
    download: bool,
    way: Way<'_>,
) -> ApiResult<HttpResponse> {
    let sent = Sent::of(&content.mime, charset(service, content).await?);
    let disposition = if download { Disposition::Attachment } else { sent.disposition };
    send(service, request, file, file.node(), content, &sent.content_type, disposition, way).await
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
    way: Way<'_>,
) -> ApiResult<HttpResponse> {
    let tag = content.etag();
    let etag = ETag::strong(tag.trim_matches('"')).map_err(|_| Problem::new(Code::Internal))?;
    let current = Current { etag: &etag, modified_at: Some(modified(content)) };
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
        .insert_header((header::CONTENT_DISPOSITION, content_disposition(disposition, node.name.as_str())))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header(safety::policy(content_type));
    if preference(request.headers(), &WANT_REPR_DIGEST) != Some(0) {
        response.insert_header((REPR_DIGEST, content.sha256.to_field()));
    }
    if request.method() == Method::HEAD {
        // no `Content-Digest`: that is the digest of what this message has, which is nothing (RFC 9530, B.2)
        return Ok(response.no_chunking(content.size).body(SizedStream::new(content.size, nothing())));
    }
    let (toll, pass) = match way {
        Way::Link(toll) => (Some(toll), Pass::Free),
        Way::Pass(pass) => (None, pass),
    };
    if let Some(toll) = &toll {
        toll.check(service, request)?;
    }
    let (opened, from_start) = match asked {
        RangeSet::Unsatisfiable => return Err(unsatisfiable(content.size)),
        RangeSet::Whole => {
            let whole = BlobRange { start: 0, len: content.size };
            // of parts it would be another one, which nobody has counted
            if preference(request.headers(), &WANT_CONTENT_DIGEST) > Some(0) {
                response.insert_header((CONTENT_DIGEST, content.sha256.to_field()));
            }
            (open(service, request, file, content, (Wanted::Whole, whole)).await?, true)
        }
        RangeSet::One(one) => {
            let part = BlobRange { start: one.start, len: one.len };
            let opened = open(service, request, file, content, (Wanted::Part, part)).await?;
            // the gateway says by itself which part it sends
            if !matches!(opened, Opened::Gateway(_)) {
                response
                    .status(StatusCode::PARTIAL_CONTENT)
                    .insert_header((header::CONTENT_RANGE, one.content_range(content.size)));
            }
            (opened, one.start == 0)
        }
        RangeSet::Many(parts) => {
            let multipart = Multipart::new(content_type, content.size);
            let from_start = parts.iter().any(|part| part.start == 0);
            let opened = open_many(service, content, &multipart, parts).await?;
            response
                .status(StatusCode::PARTIAL_CONTENT)
                .insert_header((header::CONTENT_TYPE, multipart.media_type()));
            (opened, from_start)
        }
    };
    // counted when nothing but the client's line is left that could fail
    if let Some(toll) = toll {
        for field in toll.pay(service, request, from_start).await? {
            response.append_header(field);
        }
    }
    Ok(match opened {
        Opened::Gateway(field) => response.insert_header(field).finish(),
        Opened::Bytes(bytes) => response.body(bytes),
        Opened::Stream(len, stream) => {
            let watch = Watch::with(service, Watch::over(service, file), pass);
            response.body(SizedStream::new(len, watched(logged(stream), watch)))
        }
    })
}

/// What a date tells of a content: clients choose it, so that it tells nothing where the file had another one before.
fn modified(content: &Content) -> Modified {
    if content.version == 1 { Modified::Since(content.modified_at) } else { Modified::Replaced }
}

fn unsatisfiable(size: u64) -> Problem {
    let range = HeaderValue::from_str(&ranges::unsatisfied(size)).expect("a range is visible ASCII");
    Problem::new(Code::RangeNotSatisfiable)
        .detail(format!("The content has {size} bytes"))
        .header(header::CONTENT_RANGE, range)
}

/// Bytes that can be sent: that they are there was seen already, as far as sizes tell.
enum Opened {
    /// By the gateway, which this field tells of them.
    Gateway((HeaderName, HeaderValue)),
    Bytes(Bytes),
    /// So many.
    Stream(u64, ByteStream),
}

async fn open(
    service: &FileService,
    request: &HttpRequest,
    file: &Authorized,
    content: &Content,
    (wanted, range): (Wanted, BlobRange),
) -> ApiResult<Opened> {
    // what is handed over cannot be called back; and what may stand in the store is not looked for in a blob first
    if file.is_owners()
        && content.size > service.settings.inline_bytes as u64
        && let Some(field) = delivery::field(service, request, content.blob, content.size, wanted).await?
    {
        return Ok(Opened::Gateway(field));
    }
    Ok(match content::read(service, content, range).await? {
        Part::Bytes(bytes) => Opened::Bytes(bytes),
        Part::Stream(stream) => Opened::Stream(range.len, stream),
    })
}

fn nothing() -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    futures_util::stream::empty()
}

async fn open_many(
    service: &FileService,
    content: &Content,
    multipart: &Multipart,
    parts: Vec<ByteRange>,
) -> ApiResult<Opened> {
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
    Ok(Opened::Stream(length, Box::pin(futures_util::stream::iter(pieces).flatten())))
}

fn watched(
    body: impl Stream<Item = Result<Bytes, actix_web::Error>> + 'static,
    watch: Option<Watch>,
) -> LocalBoxStream<'static, Result<Bytes, actix_web::Error>> {
    match watch {
        Some(watch) => watch
            .guard(body, || actix_web::error::ErrorForbidden("what it was opened by has ended"))
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
