//! Several files in one download, by a link.

use actix_web::{HttpRequest, HttpResponse, get, head, web};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, client_ip, customer_key, input};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{cookies, enter};
use crate::app::access::Target;
use crate::app::archive::{self, Holder};
use crate::app::watch::Pass;
use crate::http::archives::{ArchiveFormat, MOST_IN_ADDRESS, send, targets};
use crate::http::toll::Toll;
use crate::state::FileService;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PublicArchiveQuery {
    /// Ids of what is below what the link leads to, with commas between them, up to 250; that itself if left out.
    ids: Option<String>,
    /// `zip` (the default) or `tar`.
    #[serde(default)]
    #[param(value_type = Option<ArchiveFormat>)]
    format: ArchiveFormat,
}

/// What a link leads to, or some of it, as an archive. Counts as one download; a ticket is good for going on with exactly this archive.
#[utoipa::path(
    operation_id = "getPublicArchive",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        PublicArchiveQuery,
        ("Range" = Option<String>, Header, description = "Only these bytes, such as `bytes=1000-`"),
        ("X-Download-Ticket" = Option<String>, Header, description = "That this download was counted"),
    ),
    responses(
        (status = 200, description = "All of it", content_type = "application/zip", headers(("ETag" = String), ("Content-Length" = u64), ("X-Download-Ticket" = String))),
        (status = 206, description = "The part asked for", content_type = "application/zip", headers(("Content-Range" = String))),
        (status = 304, description = "It has not changed"),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 410, description = "`link_exhausted`", body = ProblemDocument),
        (status = 416, description = "`range_not_satisfiable`", body = ProblemDocument),
        (status = 422, description = "`unprocessable`: over 250,000 files and folders", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses at the password", body = ProblemDocument),
        (status = 503, description = "`unavailable`: too many large archives are being sent, by this link, to this address, or to visitors at all", body = ProblemDocument),
    )
)]
#[get("/{token}/archive")]
pub(super) async fn show(request: HttpRequest, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    answer(&request, &service).await
}

/// As `GET`, without the bytes. Counts nothing.
#[utoipa::path(
    operation_id = "headPublicArchive",
    tag = "public",
    params(("token" = String, Path, description = "The link's token"), PublicArchiveQuery),
    responses(
        (status = 200, description = "What `GET` would say", headers(("ETag" = String), ("Content-Length" = u64))),
        (status = 401, description = "`link_locked`"),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`"),
        (status = 404, description = "`not_found`"),
        (status = 410, description = "`link_exhausted`"),
        (status = 422, description = "`unprocessable`"),
        (status = 429, description = "`rate_limited`: too many guesses at the password"),
        (status = 503, description = "`unavailable`"),
    )
)]
#[head("/{token}/archive")]
pub(super) async fn describe(
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    answer(&request, &service).await
}

async fn answer(request: &HttpRequest, service: &FileService) -> ApiResult<HttpResponse> {
    let visit = enter(request, service).await?;
    let query: PublicArchiveQuery = input::query(request)?;
    Toll::check_archive(service, request, &visit.link)?;
    let chosen = match &query.ids {
        Some(ids) => targets(ids.split(','), MOST_IN_ADDRESS, "?ids")?,
        None => vec![Target::Node(visit.link.node)],
    };
    let ip = client_ip(request, &service.settings.trusted_proxies);
    let holder = Holder::Visitor { link: visit.link.id, address: customer_key(ip) };
    let plan = archive::plan(service, visit.actor, holder, &chosen, query.format.form()).await?;
    let cookies = cookies(request)?;
    let toll = |plan: &archive::Plan| Some(Toll::of_archive(&visit.link, plan.digest, cookies));
    send(service, request, plan, query.format, Pass::Free, toll).await
}
