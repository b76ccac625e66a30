use actix_web::{HttpRequest, HttpResponse, post, web};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, input};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AuthService;
use crate::app::verification;
use crate::http::{BODY_BYTES, client, problem};

/// The code that verifies an address.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Verification {
    /// The code of the mail; case, spaces and hyphens do not matter.
    code: String,
}

/// Whose address is to be verified.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VerificationRequest {
    /// The account's address.
    #[schema(format = Email)]
    email: String,
}

/// Verifies the address of an account by the code that came by mail
#[utoipa::path(
    tag = "accounts",
    operation_id = "verifyAddress",
    request_body = Verification,
    responses(
        (status = 204, description = "Verified"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`invalid_code`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/verify")]
pub(super) async fn verify(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: Verification = input::json(&request, payload, BODY_BYTES).await?;
    verification::verify(&service, &client(&request, &service), &body.code).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sends another code by mail, if there is an account that waits for one
///
/// The answer is the same whether there is one or not.
#[utoipa::path(
    tag = "accounts",
    operation_id = "resendVerification",
    request_body = VerificationRequest,
    responses(
        (status = 202, description = "If an account with this address is not verified, a mail is on its way"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/verify/resend")]
pub(super) async fn resend(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: VerificationRequest = input::json(&request, payload, BODY_BYTES).await?;
    verification::resend(&service, &client(&request, &service), &body.email).await.map_err(problem)?;
    Ok(HttpResponse::Accepted().finish())
}
