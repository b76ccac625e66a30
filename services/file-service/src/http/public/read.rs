//! Looking and reading by a link.

use actix_web::{HttpRequest, HttpResponse, get, head, web};
use common::files::{Action, Kind, LinkRole, Order, Sort};
use common::{Causes, Code, FileId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Problem, input};
use serde::Deserialize;
use utoipa::IntoParams;

use super::view::{PublicFileListView, PublicFileView, PublicLinkView};
use super::{cookies, enter};
use crate::app::content;
use crate::http::children::{self, ChildrenQuery};
use crate::http::content::{Way, send_file};
use crate::http::thumbnails::{self, PendingThumbnail};
use crate::http::toll::Toll;
use crate::http::view::PRIVATE;
use crate::state::FileService;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NodeQuery {
    /// The id of something below what the link leads to; that itself if left out.
    id: Option<String>,
}

/// What is no id is one that there is not.
pub(super) fn node_id(text: Option<&str>) -> ApiResult<Option<FileId>> {
    text.map(FileId::parse).transpose().map_err(|_| Problem::new(Code::NotFound))
}

/// Shows a link and what it leads to, or with `id` something below. Counts that the link was opened.
#[utoipa::path(
    operation_id = "getPublicLink",
    tag = "public",
    params(("token" = String, Path, description = "The link's token"), NodeQuery),
    responses(
        (status = 200, description = "The link, and the file or folder", body = PublicLinkView),
        (status = 401, description = "`link_locked`: it wants its password", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`: no such link, or it has ended, or no such id below it", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses", body = ProblemDocument),
    )
)]
#[get("/{token}")]
pub(super) async fn show(request: HttpRequest, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    let visit = enter(&request, &service).await?;
    let query: NodeQuery = input::query(&request)?;
    let id = node_id(query.id.as_deref())?;
    let link = &visit.link;
    // whoever only drops sees that they can, and nothing of where it goes
    let action = match (link.role, id) {
        (LinkRole::Dropper, None) => Action::AddChild,
        _ => Action::ReadMetadata,
    };
    let node = visit.authorize(&service, action, id).await?;
    if id.is_none() {
        // whoever may look does not have to wait until it can be counted
        if let Err(error) = service.links.count_open(link.id, service.clock.now()).await {
            tracing::warn!(link = %link.id, cause = %Causes(&error), "a link was opened, and that was not counted");
        }
    }
    let shown = (action == Action::ReadMetadata).then(|| node.node());
    Ok(HttpResponse::Ok().insert_header(PRIVATE).json(PublicLinkView::of(link, shown)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PublicChildrenQuery {
    /// The id of a folder below what the link leads to; that itself if left out.
    id: Option<String>,
    /// What to sort by: `name` (natural order, the default), `size`, `modifiedAt` or `type`.
    #[param(value_type = Option<String>)]
    sort: Option<Sort>,
    /// `asc` (the default) or `desc`.
    #[param(value_type = Option<String>)]
    order: Option<Order>,
    /// Only this kind: `folder` or `file`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    kind: Option<Kind>,
    /// Folders before files whatever the order; true if left out.
    folders_first: Option<bool>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Leave out so many items, instead of a cursor.
    offset: Option<u64>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Lists what is in the folder that a link leads to, or with `id` in one below.
#[utoipa::path(
    operation_id = "listPublicChildren",
    tag = "public",
    params(("token" = String, Path, description = "The link's token"), PublicChildrenQuery),
    responses(
        (status = 200, description = "A page of the list", body = PublicFileListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_folder`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[get("/{token}/children")]
pub(super) async fn list(request: HttpRequest, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    let visit = enter(&request, &service).await?;
    let PublicChildrenQuery { id, sort, order, kind, folders_first, cursor, offset, limit } =
        input::query(&request)?;
    let folder = visit.authorize(&service, Action::List, node_id(id.as_deref())?).await?.folder()?;
    let query = ChildrenQuery { sort, order, kind, folders_first, cursor, offset, limit };
    let (page, next_cursor) = children::page(&service, &folder, &query).await?;
    let items = page.items.iter().map(|node| PublicFileView::of(&visit.link, node)).collect();
    let list = PublicFileListView { items, next_cursor, total: page.total };
    Ok(HttpResponse::Ok().insert_header(PRIVATE).json(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PublicContentQuery {
    /// The id of a file below what the link leads to; that itself if left out.
    id: Option<String>,
    /// To be saved, rather than shown.
    #[serde(default)]
    download: bool,
    /// Ignored: lets a page tell versions apart in its cache.
    #[serde(default, rename = "v")]
    _version: Option<String>,
}

/// The bytes of a file by a link, or parts of them. Where the link has a limit, the first byte counts; the answer then has a ticket, as
/// `X-Download-Ticket` and as a cookie, with which further parts of the same content are free for six hours.
#[utoipa::path(
    operation_id = "getPublicContent",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        PublicContentQuery,
        ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=0-99`"),
        ("X-Download-Ticket" = Option<String>, Header, description = "That this download was counted"),
        ("Want-Repr-Digest" = Option<String>, Header, description = "`sha-256=0`: without `Repr-Digest`"),
        ("Want-Content-Digest" = Option<String>, Header, description = "Such as `sha-256=10`: all of it comes with `Content-Digest`"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/octet-stream", headers(("ETag" = String), ("Repr-Digest" = String), ("Content-Digest" = String), ("X-Download-Ticket" = String))),
        (status = 206, description = "The parts asked for", content_type = "application/octet-stream", headers(("Content-Range" = String))),
        (status = 304, description = "It has not changed"),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 410, description = "`link_exhausted`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[get("/{token}/content")]
pub(super) async fn bytes(request: HttpRequest, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    send(&request, &service).await
}

/// As `GET`, without the bytes. Counts nothing.
#[utoipa::path(
    operation_id = "headPublicContent",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        PublicContentQuery,
        ("Want-Repr-Digest" = Option<String>, Header, description = "`sha-256=0`: without `Repr-Digest`"),
    ),
    responses(
        (status = 200, description = "What `GET` would say, but `Content-Digest`", headers(("ETag" = String), ("Repr-Digest" = String), ("Content-Length" = u64))),
        (status = 401, description = "`link_locked`"),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`"),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`not_a_file`"),
        (status = 429, description = "`rate_limited`: too many guesses at the password"),
    )
)]
#[head("/{token}/content")]
pub(super) async fn describe(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    send(&request, &service).await
}

async fn send(request: &HttpRequest, service: &FileService) -> ApiResult<HttpResponse> {
    let visit = enter(request, service).await?;
    let query: PublicContentQuery = input::query(request)?;
    let id = node_id(query.id.as_deref())?;
    let file = visit.authorize(service, Action::ReadContent, id).await?;
    let content = content::of(&file)?;
    let toll = Toll::of_content(&visit.link, file.id(), content, cookies(request)?);
    send_file(service, request, &file, query.download, Way::Link(toll)).await
}

/// The picture of a file by a link, in one of four widths.
#[utoipa::path(
    operation_id = "getPublicThumbnail",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        ("size" = u32, Path, description = "Width in pixels: 100, 250, 500 or 1280"),
        ("id" = Option<String>, Query, description = "The id of a file below what the link leads to; that itself if left out"),
        ("v" = Option<String>, Query, description = "Ignored: lets a page tell versions apart in its cache"),
    ),
    responses(
        (status = 200, description = "The picture", content_type = "image/*", headers(("ETag" = String))),
        (status = 202, description = "A job makes it; ask again after `Retry-After`", body = PendingThumbnail),
        (status = 304, description = "It is as `If-None-Match` says"),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`, `no_thumbnail`", body = ProblemDocument),
        (status = 409, description = "`not_a_file`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
    )
)]
#[get("/{token}/thumbnails/{size}")]
pub(super) async fn thumbnail(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        id: Option<String>,
        #[serde(default, rename = "v")]
        _version: Option<String>,
    }
    let visit = enter(&request, &service).await?;
    let query: Query = input::query(&request)?;
    let file = visit.authorize(&service, Action::ReadPreview, node_id(query.id.as_deref())?).await?;
    thumbnails::answer(&service, &request, &file).await
}
