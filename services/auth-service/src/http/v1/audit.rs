//! `/api/v1/admin/audit`.

use std::collections::VecDeque;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use common::auth::AuditFilter;
use common::{AuditId, Causes, PortError, Timestamp, UserId};
use futures_util::stream;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::lists;
use crate::AuthService;
use crate::app::audit_line::AuditLine;

/// Lines that are read at a time for an export.
const EXPORT_PAGE: u32 = 500;

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLog)]
pub(super) struct AuditView {
    /// Newest first.
    items: Vec<AuditLine>,
    /// For the next page.
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only what this account did.
    #[param(value_type = Option<String>)]
    actor: Option<UserId>,
    /// Only this action, such as `session.opened`.
    action: Option<String>,
    /// From this time on.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "i")]
    id: AuditId,
}

/// The audit log, newest first
///
/// With `Accept: application/x-ndjson` all of it that the filter lets in, one line each, from the cursor on if there is one.
#[utoipa::path(
    tag = "administration",
    operation_id = "listAudit",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(AuditQuery, ("Accept" = Option<String>, Header, description = "`application/x-ndjson` for an export")),
    responses(
        (status = 200, content((AuditView = "application/json"), (String = "application/x-ndjson"))),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/audit")]
pub(super) async fn list(
    _: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let query: AuditQuery = input::query(&request)?;
    let limit = lists::limit(query.limit)?;
    let filter = AuditFilter { actor: query.actor, action: query.action, from: query.from, to: query.to };
    let name = format!("audit {}", serde_json::to_string(&filter).unwrap_or_default());
    let after = match &query.cursor {
        Some(text) => Some(cursor::decode::<Place>(&service.cursor_key, &name, text)?),
        None => None,
    };
    if wants_lines(&request) {
        return Ok(export(service, filter, after));
    }
    let after = after.map(|place| (place.at, place.id));
    let mut entries = service.admin.audit.list_audit(&filter, after, limit + 1).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let last = entries.last().filter(|_| more).map(|entry| Place { at: entry.at, id: entry.id });
    let answer = AuditView {
        next_cursor: last.map(|place| cursor::encode(&service.cursor_key, &name, &place)),
        items: entries.into_iter().map(AuditLine::from).collect(),
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

fn wants_lines(request: &HttpRequest) -> bool {
    let accepts = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    accepts
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-ndjson"))
}

/// All lines, read page by page while they are sent.
fn export(service: web::Data<AuthService>, filter: AuditFilter, after: Option<Place>) -> HttpResponse {
    struct Export {
        service: web::Data<AuthService>,
        filter: AuditFilter,
        after: Option<Place>,
        ended: bool,
    }
    let start = Export { service, filter, after, ended: false };
    let lines = stream::try_unfold(start, |mut export| async move {
        if export.ended {
            return Ok::<_, PortError>(None);
        }
        let after = export.after.map(|place| (place.at, place.id));
        let page = export.service.admin.audit.list_audit(&export.filter, after, EXPORT_PAGE).await;
        let page = VecDeque::from(page.inspect_err(|error| {
            tracing::warn!(cause = %Causes(error), "the export of the audit log broke off");
        })?);
        export.ended = page.len() < EXPORT_PAGE as usize;
        export.after = page.back().map(|entry| Place { at: entry.at, id: entry.id });
        let text: String = page.into_iter().map(|entry| AuditLine::from(entry).in_json()).collect();
        Ok(Some((Bytes::from(text), export)))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
        .streaming(lines)
}
