use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, post, web};
use common::Code;
use common::auth::PresentedBy;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Login, SessionChoice, cookie_policy, login as login_answer, require_own_page, signed_in};
use crate::AuthService;
use crate::app::setup::NewCredentials;
use crate::app::{sessions, sign_in, sign_up};
use crate::http::{BODY_BYTES, client, problem};

/// Makes an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SignUp {
    /// The address; one account each, whatever its case.
    #[schema(format = Email)]
    email: String,
    /// 8 characters to 72 bytes, without NUL.
    #[schema(format = Password)]
    password: String,
    /// What carries the session.
    #[serde(default)]
    session: SessionChoice,
}

/// Signs in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SignIn {
    /// The address, in any case.
    email: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
    /// What carries the session.
    #[serde(default)]
    session: SessionChoice,
}

/// Renews a token session.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Refresh {
    /// The refresh token of the last answer.
    refresh_token: String,
}

/// Makes an account and signs in
#[utoipa::path(
    tag = "accounts",
    operation_id = "register",
    request_body = SignUp,
    responses(
        (status = 201, description = "Made, and signed in", body = Login),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`registration_closed`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`address_taken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/api/v1/auth/register")]
pub(super) async fn register(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let from = client(&request, &service);
    if !sign_up::registration_is_open(&service, &from) {
        return Err(Code::RegistrationClosed.into());
    }
    let body: SignUp = input::json(&request, payload, BODY_BYTES).await?;
    require_own_page(&request, body.session)?;
    let NewCredentials { address, password } =
        NewCredentials::parse(&body.email, &body.password).map_err(problem)?;
    let user = sign_up::sign_up(&service, &from, address, &password).await.map_err(problem)?;
    signed_in(&service, &request, user, body.session, HttpResponse::Created()).await
}

/// Signs in by address and password
#[utoipa::path(
    tag = "accounts",
    operation_id = "login",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in", body = Login),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`invalid_credentials`, for every cause", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/api/v1/auth/login")]
pub(super) async fn login(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: SignIn = input::json(&request, payload, BODY_BYTES).await?;
    require_own_page(&request, body.session)?;
    let from = client(&request, &service);
    let user =
        sign_in::verify_password(&service, &from, &body.email, &body.password).await.map_err(problem)?;
    signed_in(&service, &request, user, body.session, HttpResponse::Ok()).await
}

/// Exchanges a refresh token for a new pair
///
/// A refresh token works once; for 30 seconds also again, if the answer was lost and no token of it has been used. Any other use of a used one ends its session, since somebody has copied it.
#[utoipa::path(
    tag = "accounts",
    operation_id = "refresh",
    request_body = Refresh,
    responses(
        (status = 200, description = "A new pair", body = Login),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`invalid_credentials`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/api/v1/auth/refresh")]
pub(super) async fn refresh(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: Refresh = input::json(&request, payload, BODY_BYTES).await?;
    let (user, issued) = sessions::refresh(&service, &body.refresh_token).await.map_err(problem)?;
    login_answer(&request, user, issued, HttpResponse::Ok())
}

/// Ends the session of the credential used
#[utoipa::path(
    tag = "accounts",
    operation_id = "logout",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "Ended; its tokens fail from now on"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: ended, but not yet known everywhere; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/api/v1/auth/logout")]
pub(super) async fn logout(
    request: HttpRequest,
    caller: Authenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    sessions::end(&service, caller.session).await?;
    let mut answer = HttpResponse::NoContent();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if caller.by == PresentedBy::Cookie {
        answer.cookie(cookie_policy(&request)?.clear());
    }
    Ok(answer.finish())
}
