//! `DELETE /api/v1/users/me`.

use actix_web::{HttpRequest, HttpResponse, delete, web};
use common::Timestamp;
use common::auth::PresentedBy;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cookie_policy;
use crate::AuthService;
use crate::app::deletion;
use crate::app::second_factor::SecondFactor;
use crate::http::{BODY_BYTES, client, problem};

/// Proves once more who asks for the end of an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeleteAccount {
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

/// An account that waits to be deleted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletionScheduled {
    /// When it is deleted, with all that is in it: RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    deletes_at: Timestamp,
}

/// Has the caller's account deleted, after some days
///
/// It is closed at once: all its sessions end, its API tokens fail, and what it opened to others (shares, links, public files) opens no longer. Until
/// `deletesAt`, its owner can keep it by signing in with `cancelDeletion`; then it is open again as it was. After that it is gone with its files.
#[utoipa::path(
    tag = "accounts",
    operation_id = "deleteMe",
    request_body = DeleteAccount,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 202, description = "Closed, and deleted at `deletesAt`; a mail says so", body = DeletionScheduled),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `insufficient_scope`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`last_administrator`, `conflict`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: if it is closed, not everywhere yet; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/me")]
pub(super) async fn ask(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: DeleteAccount = input::json(&request, payload, BODY_BYTES).await?;
    let factor = SecondFactor { totp: body.totp.as_deref(), recovery_code: body.recovery_code.as_deref() };
    let from = client(&request, &service);
    let deletes_at =
        deletion::ask(&service, &from, &caller, &body.password, factor).await.map_err(problem)?;
    let mut answer = HttpResponse::Accepted();
    if caller.by == PresentedBy::Cookie {
        answer.cookie(cookie_policy(&request)?.clear());
    }
    Ok(answer.json(DeletionScheduled { deletes_at }))
}
