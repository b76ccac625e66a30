//! Giving a link its password, and adding files by a link.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, post, put, web};
use common::files::LinkRole;
use common::{Code, Timestamp};
use http_kit::digest_fields::Unchecked;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, BodyStream, Problem, client_ip, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::read::node_id;
use super::view::ReceiptView;
use super::{UNLOCK_COOKIE, UNLOCK_TICKET, cookies, enter, place};
use crate::app::access::authorize_parent;
use crate::app::sharing::notices;
use crate::app::sharing::visit::{self, UNLOCKED_FOR};
use crate::app::upload::{self, OnConflict, Sender};
use crate::http::content::{OnConflictWord, announced, name};
use crate::http::view::PRIVATE;
use crate::state::FileService;

/// Largest JSON body.
const BODY_BYTES: usize = 4 * 1024;

/// The password of a link.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UnlockLink)]
pub(super) struct UnlockBody {
    /// The password.
    password: String,
}

/// What stands for the password for a while.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnlockedLink)]
pub(super) struct UnlockedView {
    /// To be sent as `X-Link-Ticket`; browsers have got it as a cookie.
    ticket: String,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Gives a link its password. What comes back stands for it for an hour, and ends with the password and with the link.
#[utoipa::path(
    operation_id = "unlockPublicLink",
    tag = "public",
    params(("token" = String, Path, description = "The link's token")),
    request_body = UnlockBody,
    responses(
        (status = 200, description = "The ticket", body = UnlockedView, headers(("Set-Cookie" = String))),
        (status = 400, description = "`invalid_request`, `invalid_json`", body = ProblemDocument),
        (status = 403, description = "`wrong_password`", body = ProblemDocument),
        (status = 404, description = "`not_found`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many guesses", body = ProblemDocument),
    )
)]
#[post("/{token}/unlock")]
pub(super) async fn unlock(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let token = request.match_info().get("token").unwrap_or_default().to_owned();
    visit::find(&service, &token).await?;
    let body: UnlockBody = input::json(&request, payload, BODY_BYTES).await?;
    let ip = client_ip(&request, &service.settings.trusted_proxies);
    let (link, ticket, expires_at) = visit::unlock(&service, &token, &body.password, ip).await?;
    let cookie =
        cookies(&request)?.below(&place(&link), UNLOCK_COOKIE.to_owned(), ticket.clone(), UNLOCKED_FOR);
    let field = HeaderValue::from_str(&ticket).map_err(|_| Problem::new(Code::Internal))?;
    Ok(HttpResponse::Ok()
        .insert_header(PRIVATE)
        .insert_header((UNLOCK_TICKET, field))
        .cookie(cookie)
        .json(UnlockedView { ticket, expires_at }))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PutQuery {
    /// The id of a folder below what the link leads to; that itself if left out.
    id: Option<String>,
    /// What to do if the name is taken: `fail` (the default), `rename` to the next free one, or `replace` the content. What is dropped always gets the
    /// next free one.
    #[param(inline)]
    on_conflict: Option<OnConflictWord>,
    /// When the content was last changed where it comes from.
    #[param(value_type = Option<String>, format = DateTime)]
    modified_at: Option<Timestamp>,
}

/// Adds a file by a link, in one request whose body is its bytes. The answer is a receipt.
#[utoipa::path(
    operation_id = "uploadPublicFile",
    tag = "public",
    params(
        ("token" = String, Path, description = "The link's token"),
        ("name" = String, Path, description = "The file's name, percent-encoded"),
        PutQuery,
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256` of the content, which is then checked; so is `Content-Digest`"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It has arrived as a new file", body = ReceiptView, headers(("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 200, description = "It has arrived in place of an older content", body = ReceiptView, headers(("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 400, description = "`invalid_name`, `invalid_request`, `digest_mismatch`, `incomplete_body`", body = ProblemDocument),
        (status = 401, description = "`link_locked`", body = ProblemDocument),
        (status = 403, description = "`forbidden`; `wrong_password` in `X-Link-Password`", body = ProblemDocument),
        (status = 404, description = "`not_found`, `parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`name_taken`, `parent_not_folder`, `too_deep`", body = ProblemDocument),
        (status = 413, description = "`too_large`", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many files came by this link from one address, or too many guesses at the password", body = ProblemDocument),
        (status = 507, description = "`quota_exceeded`, `disk_full`", body = ProblemDocument),
    )
)]
#[put("/{token}/children/{name}/content")]
pub(super) async fn put_child(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let visit = enter(&request, &service).await?;
    let query: PutQuery = input::query(&request)?;
    let id = node_id(query.id.as_deref()).map_err(|_| Problem::new(Code::ParentNotFound))?;
    let parent = authorize_parent(&service, visit.actor, id.unwrap_or(visit.link.node)).await?;
    let ip = client_ip(&request, &service.settings.trusted_proxies);
    visit::drops_file(&service, visit.link.id, ip).await?;
    let name = name(&request)?;
    let announced = announced(&request, query.modified_at)?;
    let body = BodyStream::new(payload, service.settings.upload_pace);
    // that a name is taken would tell of what is there
    let on_conflict = match visit.link.role {
        LinkRole::Dropper => OnConflict::Rename,
        _ => query.on_conflict.unwrap_or_default().into(),
    };
    let job = notices::used(&service, &visit.link, visit.link.node).job;
    let sender = Sender::Visitor(visit.link.id, Box::new(job));
    let committed =
        upload::put_child(&service, &parent, (&name, on_conflict), sender, announced, body).await?;
    let receipt = ReceiptView::of(&visit, name.as_str(), &committed.node, service.clock.now());
    let receipt = receipt.ok_or_else(|| Problem::new(Code::Internal))?;
    let status = if committed.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut answer = HttpResponse::build(status).insert_header(PRIVATE).json(receipt);
    Unchecked::of(request.headers()).tell(answer.headers_mut());
    Ok(answer)
}
