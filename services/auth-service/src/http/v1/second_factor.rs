//! `/api/v1/users/me/totp`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, post, web};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthService;
use crate::app::second_factor;
use crate::http::{BODY_BYTES, client, problem};

/// Begins a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TotpBegin {
    /// The account's password.
    #[schema(format = Password)]
    password: String,
}

/// What an authenticator app is set up with. It is shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TotpEnrolment {
    /// In base 32, to be typed.
    secret: String,
    /// `otpauth://totp/…`
    uri: String,
    /// The same as a QR code, in SVG.
    qr: String,
}

/// Proves that the app is set up.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TotpConfirm {
    /// The six digits that the app shows.
    code: String,
}

/// The codes for when there is no app. They are shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoveryCodes {
    /// Each works once.
    recovery_codes: Vec<String>,
}

/// Removes the second factor.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TotpRemove {
    /// The account's password.
    #[schema(format = Password)]
    password: String,
    /// The code that the app shows.
    #[serde(default)]
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    #[serde(default)]
    recovery_code: Option<String>,
}

/// Begins a second factor, which is asked for from its confirmation on
#[utoipa::path(
    tag = "accounts",
    operation_id = "beginTotp",
    request_body = TotpBegin,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "What the app needs", body = TotpEnrolment),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`has_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/totp")]
pub(super) async fn begin(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: TotpBegin = input::json(&request, payload, BODY_BYTES).await?;
    let from = client(&request, &service);
    let begun = second_factor::begin(&service, &from, &caller, &body.password).await.map_err(problem)?;
    let answer = TotpEnrolment { secret: begun.secret, uri: begun.uri, qr: begun.qr };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Confirms the second factor by a code of the app
///
/// All other sign-ins of the account end, and other devices than this one are new from then on.
#[utoipa::path(
    tag = "accounts",
    operation_id = "confirmTotp",
    request_body = TotpConfirm,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "It is asked for from now on", body = RecoveryCodes),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`has_second_factor`, `no_second_factor`, `conflict`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/totp/confirm")]
pub(super) async fn confirm(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: TotpConfirm = input::json(&request, payload, BODY_BYTES).await?;
    let from = client(&request, &service);
    let recovery_codes =
        second_factor::confirm(&service, &from, &caller, &body.code).await.map_err(problem)?;
    let answer = RecoveryCodes { recovery_codes };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Removes the second factor
#[utoipa::path(
    tag = "accounts",
    operation_id = "removeTotp",
    request_body = TotpRemove,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "It is not asked for any more"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`no_second_factor`, `conflict`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/me/totp")]
pub(super) async fn remove(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: TotpRemove = input::json(&request, payload, BODY_BYTES).await?;
    let factor = second_factor::SecondFactor {
        totp: body.totp.as_deref(),
        recovery_code: body.recovery_code.as_deref(),
    };
    let from = client(&request, &service);
    second_factor::remove(&service, &from, &caller, &body.password, factor).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}
