use actix_web::{HttpRequest, HttpResponse, post, web};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AuthService;
use crate::app::passwords;
use crate::http::{BODY_BYTES, client, problem};

/// A new password for whoever knows the old one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PasswordChange {
    /// The password so far.
    #[schema(format = Password)]
    current: String,
    /// 8 characters (or as many as are configured) to 72 bytes, without NUL; not the address, and none of the most common passwords.
    #[schema(format = Password)]
    new: String,
    /// Ends the account's API tokens, too, and its identities of providers, which can be linked anew.
    #[serde(default)]
    end_tokens: bool,
}

/// Whose password is lost.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PasswordForgotten {
    /// The account's address.
    #[schema(format = Email)]
    email: String,
}

/// A new password by a code.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PasswordReset {
    /// The code of the mail; case, spaces and hyphens do not matter.
    code: String,
    /// As for a change.
    #[schema(format = Password)]
    password: String,
}

/// Sets a new password, and ends the caller's other sessions
#[utoipa::path(
    tag = "accounts",
    operation_id = "changePassword",
    request_body = PasswordChange,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "Set; the tokens of all other sessions fail from now on"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it was set by someone else meanwhile", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: if the password counts already, the other sessions end within two minutes", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/password")]
pub(super) async fn change(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: PasswordChange = input::json(&request, payload, BODY_BYTES).await?;
    let from = client(&request, &service);
    passwords::change(&service, &from, &caller, &body.current, &body.new, body.end_tokens)
        .await
        .map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sends a code for a new password by mail, if there is such an account
///
/// The answer is the same whether there is one or not.
#[utoipa::path(
    tag = "accounts",
    operation_id = "forgotPassword",
    request_body = PasswordForgotten,
    responses(
        (status = 202, description = "If there is an account with this address, a mail is on its way"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/password/forgot")]
pub(super) async fn forgot(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: PasswordForgotten = input::json(&request, payload, BODY_BYTES).await?;
    passwords::forgot(&service, &client(&request, &service), &body.email).await.map_err(problem)?;
    Ok(HttpResponse::Accepted().finish())
}

/// Sets a new password by a code that came by mail, and ends all sessions and API tokens of the account
///
/// Identities of providers that were linked to an account with a password end as well: whoever knew it may have linked one. An account that a provider made
/// keeps its own with its first password.
#[utoipa::path(
    tag = "accounts",
    operation_id = "resetPassword",
    request_body = PasswordReset,
    responses(
        (status = 204, description = "Set; sign in with it"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`invalid_code`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/password/reset")]
pub(super) async fn reset(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: PasswordReset = input::json(&request, payload, BODY_BYTES).await?;
    let from = client(&request, &service);
    passwords::reset(&service, &from, &body.code, &body.password).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}
