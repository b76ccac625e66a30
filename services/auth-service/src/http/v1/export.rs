//! `/api/v1/users/me/export`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use common::Timestamp;
use common::auth::{Export, ExportState};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthService;
use crate::app::export;
use crate::app::second_factor::SecondFactor;
use crate::http::{BODY_BYTES, client, problem};

/// Proves once more who asks for all that is an account's.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExportAccount {
    /// The account's password.
    #[schema(format = Password)]
    password: String,
    /// The code that the app shows, where the account has a second factor.
    #[serde(default)]
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    #[serde(default)]
    recovery_code: Option<String>,
}

/// How far an export is: `none` where there is none, or its time is over.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExportWord {
    None,
    Running,
    Ready,
    Failed,
}

/// The export of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountExport {
    // described at its type: utoipa writes both descriptions as a contradiction
    #[schema(inline)]
    state: ExportWord,
    /// When it was asked for: RFC 3339, UTC.
    #[schema(value_type = Option<String>, format = DateTime)]
    requested_at: Option<Timestamp>,
    /// When it was put together, or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Until when it can be fetched.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Length of the archive in bytes when it was put together. It has the files that are there when it is fetched, so that it may be another one then.
    size_bytes: Option<u64>,
    /// Where it can be fetched by its owner, once it is ready.
    url: Option<String>,
}

impl From<Option<Export>> for AccountExport {
    fn from(export: Option<Export>) -> Self {
        let Some(export) = export else {
            return Self {
                state: ExportWord::None,
                requested_at: None,
                ended_at: None,
                expires_at: None,
                size_bytes: None,
                url: None,
            };
        };
        let is_ready = export.state == ExportState::Ready;
        Self {
            state: match export.state {
                ExportState::Running => ExportWord::Running,
                ExportState::Ready => ExportWord::Ready,
                ExportState::Failed => ExportWord::Failed,
            },
            requested_at: Some(export.requested_at),
            ended_at: export.ended_at,
            expires_at: Some(export.expires_at).filter(|_| is_ready),
            size_bytes: export.size_bytes,
            url: is_ready.then(|| format!("/api/v1/exports/{}", export.id)),
        }
    }
}

/// How far the export of the caller's account is
#[utoipa::path(
    tag = "accounts",
    operation_id = "getExport",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, body = AccountExport),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/me/export")]
pub(super) async fn show(caller: Authenticated, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let found = export::find(&service, caller.user).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(AccountExport::from(found)))
}

/// Has all that is the caller's put together
///
/// A job gathers what is known of the account (profile, sessions, API tokens without secrets, groups, what it did, shares, links, stars, tags, jobs, schedules,
/// webhooks, notifications) as JSON. Once that is done, `GET` says where its owner can fetch an archive of it with all files, and a mail and a notification
/// tell so. While one is under way, that one is answered; one that is ready gives way to the new one.
#[utoipa::path(
    tag = "accounts",
    operation_id = "exportMe",
    request_body = ExportAccount,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 202, description = "It is being put together", body = AccountExport),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `insufficient_scope`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/export")]
pub(super) async fn ask(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: ExportAccount = input::json(&request, payload, BODY_BYTES).await?;
    let factor = SecondFactor { totp: body.totp.as_deref(), recovery_code: body.recovery_code.as_deref() };
    let from = client(&request, &service);
    let begun = export::ask(&service, &from, &caller, &body.password, factor).await.map_err(problem)?;
    Ok(HttpResponse::Accepted()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(AccountExport::from(Some(begun))))
}
