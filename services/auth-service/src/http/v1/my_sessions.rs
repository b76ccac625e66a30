//! `/api/v1/users/me/sessions`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, web};
use common::auth::{ListedSession, SessionKind};
use common::{Code, SessionId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::AuthService;
use crate::app::my_sessions;
use crate::http::author;

/// Sessions on one page, if nothing else is asked for.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// What carries a session: the page's cookie, access and refresh tokens, or the one token of the classic API.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CarrierWord {
    Classic,
    Cookie,
    Token,
}

impl From<SessionKind> for CarrierWord {
    fn from(kind: SessionKind) -> Self {
        match kind {
            SessionKind::Classic => Self::Classic,
            SessionKind::Cookie => Self::Cookie,
            SessionKind::Token => Self::Token,
        }
    }
}

/// A sign-in that still counts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Session {
    /// 24 hexadecimal digits.
    id: String,
    // described at its type: utoipa writes both descriptions as a contradiction
    #[schema(inline)]
    kind: CarrierWord,
    /// The `User-Agent` that signed in.
    device: Option<String>,
    /// The network address that signed in.
    address: Option<String>,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last seen in use, to a few minutes.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// It is the one that asks.
    current: bool,
}

impl Session {
    fn of(listed: ListedSession, current: Option<SessionId>) -> Self {
        let ListedSession { session, last_used_at } = listed;
        Self {
            id: session.id.to_string(),
            kind: session.kind.into(),
            device: session.device,
            address: session.address,
            created_at: session.created_at,
            last_used_at: last_used_at.unwrap_or(session.created_at),
            expires_at: session.expires_at,
            current: Some(session.id) == current,
        }
    }
}

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionList {
    /// Newest first.
    items: Vec<Session>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
    /// How many there are on all pages.
    total: u64,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SessionQuery {
    /// Items on a page, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Lists the sign-ins of the caller that still count, newest first
#[utoipa::path(
    tag = "accounts",
    operation_id = "listSessions",
    params(SessionQuery),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, body = SessionList),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/me/sessions")]
pub(super) async fn list(
    request: HttpRequest,
    caller: Authenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: SessionQuery = input::query(&request)?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Code::InvalidRequest.into());
    }
    let query = format!("sessions {}", caller.user);
    let before =
        asked.cursor.map(|cursor| cursor::decode(&service.cursor_key, &query, &cursor)).transpose()?;
    let page = my_sessions::list(&service, caller.user, before, limit).await?;
    let answer = SessionList {
        items: page.sessions.into_iter().map(|listed| Session::of(listed, caller.session())).collect(),
        next_cursor: page.next.map(|next| cursor::encode(&service.cursor_key, &query, &next)),
        total: page.total,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Ends one sign-in of the caller
#[utoipa::path(
    tag = "accounts",
    operation_id = "endSession",
    params(("id" = String, Path, description = "24 hexadecimal digits")),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "Ended; its tokens fail from now on"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: ended, but not yet known everywhere; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/me/sessions/{id}")]
pub(super) async fn end_one(
    request: HttpRequest,
    caller: Authenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: SessionId = input::path_id(&request, "id")?;
    if !my_sessions::end_one(&service, caller.user, id).await? {
        return Err(Code::NotFound.into());
    }
    let by = author(&caller, &request, &service);
    service.tell_ended(&by, Some(id)).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends all sign-ins of the caller but the one that asks
#[utoipa::path(
    tag = "accounts",
    operation_id = "endOtherSessions",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "Ended; their tokens fail from now on"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: ended, but not yet known everywhere; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/me/sessions")]
pub(super) async fn end_others(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    my_sessions::end_others(&service, &caller).await?;
    service.tell_ended(&author(&caller, &request, &service), None).await;
    Ok(HttpResponse::NoContent().finish())
}
