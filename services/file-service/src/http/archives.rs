//! `…/archive` and `/api/v1/archives`: several files in one download, of which any part can be had.

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, get, head, post, web};
use archive::Format;
use common::{Code, FileId};
use http_kit::conditions::{Current, ETag, Verdict, evaluate, range_applies};
use http_kit::disposition::{Disposition, content_disposition};
use http_kit::problem::ProblemDocument;
use http_kit::ranges::{self, RangeSet};
use http_kit::{ApiResult, Authenticated, Problem, input};
use metrics::counter;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::content::policy;
use super::params;
use super::toll::Toll;
use crate::app::access::Target;
use crate::app::archive::{self as archives, Holder, Plan};
use crate::app::watch::Pass;
use crate::state::FileService;

/// Most ids in an address, which every server on the way must take.
pub(super) const MOST_IN_ADDRESS: usize = 250;
/// Most ids in a body.
const MOST_IN_BODY: usize = 10_000;
/// Longest body in bytes.
const MOST_BYTES: usize = 512 * 1024;
/// What a selection is called whose folder says nothing.
const SELECTION: &str = "files";

/// The form of an archive.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ArchiveFormat {
    /// For everybody.
    #[default]
    Zip,
    /// For UNIX.
    Tar,
}

impl ArchiveFormat {
    pub(super) const fn form(self) -> Format {
        match self {
            Self::Zip => Format::Zip,
            Self::Tar => Format::Tar,
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::Tar => "application/x-tar",
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FormatQuery {
    /// `zip` (the default) or `tar`.
    #[serde(default)]
    #[param(value_type = Option<ArchiveFormat>)]
    pub(super) format: ArchiveFormat,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SelectionQuery {
    /// Ids with commas between them, up to 250.
    #[param(value_type = String)]
    ids: String,
    /// `zip` (the default) or `tar`.
    #[serde(default)]
    #[param(value_type = Option<ArchiveFormat>)]
    format: ArchiveFormat,
}

/// What is to be in an archive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArchiveRequest {
    /// Ids of files and folders, 1 to 10,000.
    ids: Vec<String>,
    /// Its form. Default `zip`.
    #[serde(default)]
    format: ArchiveFormat,
}

/// A folder with all that is in it, or a file, as an archive. Nothing in it is compressed: the same files are the same bytes, so the answer has a length
/// and a tag, and a download that broke off goes on with `Range` and `If-Range`.
#[utoipa::path(
    operation_id = "getArchive",
    tag = "files",
    params(
        ("id" = String, Path, description = "The id of the file or folder, or `root`"),
        FormatQuery,
        ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=1000-`"),
        ("If-Range" = Option<String>, Header, description = "The range only if the archive still has this tag; else all of it"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/zip", headers(("ETag" = String), ("Content-Length" = u64), ("Content-Disposition" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The part asked for", content_type = "application/zip", headers(("Content-Range" = String))),
        (status = 304, description = "It has not changed"),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: over 250,000 files and folders", body = ProblemDocument),
        (status = 503, description = "`unavailable`: too many large archives are being sent", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/{id}/archive")]
pub(super) async fn of_node(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    node(&caller, &request, &service).await
}

/// As `GET`, without the bytes.
#[utoipa::path(
    operation_id = "headArchive",
    tag = "files",
    params(("id" = String, Path, description = "The id of the file or folder, or `root`"), FormatQuery),
    responses(
        (status = 200, description = "What `GET` would say", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`unprocessable`"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/{id}/archive")]
pub(super) async fn describe_of_node(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    node(&caller, &request, &service).await
}

async fn node(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
) -> ApiResult<HttpResponse> {
    let target = params::target(request, "id")?;
    let query: FormatQuery = input::query(request)?;
    answer(service, request, caller, &[target], query.format).await
}

/// A selection of files and folders as an archive, as an address that a browser can save from. As for one folder otherwise.
#[utoipa::path(
    operation_id = "getSelectionArchive",
    tag = "files",
    params(SelectionQuery, ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=1000-`")),
    responses(
        (status = 200, description = "All of it", content_type = "application/zip", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 206, description = "The part asked for", content_type = "application/zip", headers(("Content-Range" = String))),
        (status = 304, description = "It has not changed"),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`: one of them is not there", body = ProblemDocument),
        (status = 412, description = "`precondition_failed`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: over 250,000 files and folders", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/archives")]
pub(super) async fn of_selection(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    selection(&caller, &request, &service).await
}

/// As `GET`, without the bytes.
#[utoipa::path(
    operation_id = "headSelectionArchive",
    tag = "files",
    params(SelectionQuery),
    responses(
        (status = 200, description = "What `GET` would say", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`unprocessable`"),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[head("/api/v1/archives")]
pub(super) async fn describe_of_selection(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    selection(&caller, &request, &service).await
}

async fn selection(
    caller: &Authenticated,
    request: &HttpRequest,
    service: &FileService,
) -> ApiResult<HttpResponse> {
    let query: SelectionQuery = input::query(request)?;
    let targets = targets(query.ids.split(','), MOST_IN_ADDRESS, "?ids")?;
    answer(service, request, caller, &targets, query.format).await
}

/// A selection of files and folders as an archive, for more of them than an address can name.
#[utoipa::path(
    operation_id = "makeArchive",
    tag = "files",
    request_body = ArchiveRequest,
    responses(
        (status = 200, description = "The archive", content_type = "application/zip", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 403, description = "`forbidden`", body = ProblemDocument),
        (status = 404, description = "`not_found`: one of them is not there", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: over 250,000 files and folders", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/api/v1/archives")]
pub(super) async fn make(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let asked: ArchiveRequest = input::json(&request, payload, MOST_BYTES).await?;
    let targets = targets(asked.ids.iter().map(String::as_str), MOST_IN_BODY, "/ids")?;
    answer(&service, &request, &caller, &targets, asked.format).await
}

/// The nodes that are meant.
///
/// # Errors
/// `invalid_request` for none and for too many; `not_found` for what is no id.
pub(super) fn targets<'a>(
    ids: impl Iterator<Item = &'a str>,
    most: usize,
    pointer: &str,
) -> ApiResult<Vec<Target>> {
    let ids: Vec<_> = ids.take(most + 1).collect();
    if ids.is_empty() || ids.len() > most || ids == [""] {
        let detail = format!("An archive is made of 1 to {most} ids");
        return Err(Problem::new(Code::InvalidRequest).detail(detail.clone()).field(
            pointer.to_owned(),
            "out_of_range",
            detail,
        ));
    }
    let parsed = ids.into_iter().map(|id| FileId::parse(id).map(Target::Node)).collect::<Result<_, _>>();
    parsed.map_err(|_| Problem::new(Code::NotFound))
}

async fn answer(
    service: &FileService,
    request: &HttpRequest,
    caller: &Authenticated,
    targets: &[Target],
    format: ArchiveFormat,
) -> ApiResult<HttpResponse> {
    let holder = Holder::Account(caller.user);
    let plan = archives::plan(service, params::actor(caller), holder, targets, format.form()).await?;
    send(service, request, plan, format, params::pass(request, caller), |_| None).await
}

/// Answers with an archive, once the toll of a link is paid: conditions, one range, validators.
pub(super) async fn send<'a>(
    service: &FileService,
    request: &HttpRequest,
    plan: Plan,
    format: ArchiveFormat,
    pass: Pass,
    toll: impl FnOnce(&Plan) -> Option<Toll<'a>>,
) -> ApiResult<HttpResponse> {
    let digest = plan.digest.to_string();
    let etag = ETag::strong(&digest[..32]).map_err(|_| Problem::new(Code::Internal))?;
    let current = Current { etag: &etag, modified_at: None };
    match evaluate(request.headers(), request.method(), Some(current)) {
        Verdict::Proceed => {}
        Verdict::NotModified => {
            return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag.to_value())).finish());
        }
        Verdict::PreconditionFailed => return Err(Problem::new(Code::PreconditionFailed)),
    }
    let len = plan.layout.len();
    let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
    let asked = if request.method() == Method::GET && range_applies(request.headers(), current) {
        ranges::parse(range, len)
    } else {
        RangeSet::Whole
    };
    let (start, end, part) = match asked {
        // several parts at once are nobody's way to go on with a download
        RangeSet::Whole | RangeSet::Many(_) => (0, len, None),
        RangeSet::One(one) => (one.start, one.start + one.len, Some(one)),
        RangeSet::Unsatisfiable => {
            let size = header::HeaderValue::from_str(&ranges::unsatisfied(len))
                .map_err(|_| Problem::new(Code::Internal))?;
            return Err(Problem::new(Code::RangeNotSatisfiable)
                .detail(format!("The archive has {len} bytes"))
                .header(header::CONTENT_RANGE, size));
        }
    };
    let name = format!("{}.{}", name(&plan), format.extension());
    let mut response = HttpResponse::build(StatusCode::OK);
    response
        .insert_header((header::ETAG, etag.to_value()))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CONTENT_TYPE, format.content_type()))
        .insert_header((header::CONTENT_DISPOSITION, content_disposition(Disposition::Attachment, &name)))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(policy(format.content_type()));
    if request.method() == Method::HEAD {
        let nothing = futures_util::stream::empty::<Result<_, actix_web::Error>>();
        return Ok(response.no_chunking(len).body(SizedStream::new(len, nothing)));
    }
    let toll = toll(&plan);
    if let Some(toll) = &toll {
        toll.check(service, request)?;
    }
    let body = archives::Body::open(service, plan, pass, start, end).await?;
    // counted when its first content was there to be read
    if let Some(toll) = toll {
        for field in toll.pay(service, request, start == 0).await? {
            response.append_header(field);
        }
    }
    if let Some(one) = part {
        response
            .status(StatusCode::PARTIAL_CONTENT)
            .insert_header((header::CONTENT_RANGE, one.content_range(len)));
    }
    counter!("fm_archives_total", "format" => format.extension()).increment(1);
    let bytes = body.send(service, || actix_web::error::ErrorInternalServerError("the archive broke off"));
    Ok(response.body(SizedStream::new(end - start, bytes)))
}

/// What an archive is called: as the one thing that is in it, or as the folder that everything is in, as far as the caller may know it.
fn name(plan: &Plan) -> String {
    if let Some(title) = plan.title {
        return title.to_owned();
    }
    let mut roots = plan.roots.iter().map(|(_, root)| root);
    let Some(first) = roots.next() else { return SELECTION.to_owned() };
    let name = if plan.roots.len() == 1 {
        first.node().name.as_str()
    } else {
        let parent = first.node().parent;
        let is_seen = first.sight().sees_parent && roots.all(|root| root.node().parent == parent);
        let above = first.path().ancestors.last().filter(|_| is_seen);
        above.map_or("", |crumb| crumb.name.as_str())
    };
    if name.is_empty() { SELECTION.to_owned() } else { name.to_owned() }
}
