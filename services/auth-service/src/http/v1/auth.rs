use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, post, web};
use common::Code;
use common::auth::PresentedBy;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Login, Registered, SessionChoice, add_cookie, cookie_policy, login as login_answer, oidc, profile,
    require_own_page, signed_in,
};
use crate::app::Profile;
use crate::app::second_factor::SecondFactor;
use crate::app::setup::NewCredentials;
use crate::app::{invitations, sessions, sign_in, sign_up};
use crate::http::{BODY_BYTES, author, client, problem};
use crate::{AuthService, Verify};

/// Makes an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SignUp {
    /// The address; one account each, whatever its case.
    #[schema(format = Email)]
    email: String,
    /// 8 characters (or as many as are configured) to 72 bytes, without NUL; not the address, and none of the most common passwords.
    #[schema(format = Password)]
    password: String,
    /// The code of an invitation, which opens registration where it is closed, and works once.
    #[serde(default)]
    invitation: Option<String>,
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
    /// The code that the app shows, where the account has a second factor.
    #[serde(default)]
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    #[serde(default)]
    recovery_code: Option<String>,
    /// Keeps an account that waits to be deleted, which cannot be signed in to otherwise.
    #[serde(default)]
    cancel_deletion: bool,
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

/// A session that came from an identity provider has ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedOut {
    /// Where the provider's own session ends.
    end_session: String,
}

/// Makes an account and signs in
///
/// Where addresses must be verified, the answer does not tell whether there is an account with this one already; its owner is told by mail.
#[utoipa::path(
    tag = "accounts",
    operation_id = "register",
    request_body = SignUp,
    responses(
        (status = 201, description = "Made, and signed in", body = Login),
        (status = 202, description = "A mail is on its way to the address, with the code that verifies it; or, if there is an account with it already, with that", body = Registered),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`registration_closed`, `invitation_required`, `invalid_invitation`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`address_taken`, where addresses need not be verified", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/register")]
pub(super) async fn register(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let from = client(&request, &service);
    let body: ApiResult<SignUp> = input::json(&request, payload, BODY_BYTES).await;
    let invited = body.as_ref().is_ok_and(|body| body.invitation.is_some());
    if !invited && sign_up::registration(&service, &from) == sign_up::Door::Closed {
        return Err(Code::RegistrationClosed.into());
    }
    let body = body?;
    require_own_page(&request, body.session)?;
    let NewCredentials { address, password } =
        NewCredentials::parse(&body.email, &body.password, &service.settings.accounts.password_rules())
            .map_err(problem)?;
    let user = match &body.invitation {
        Some(code) => invitations::accept(&service, &from, code, address, &password).await,
        None => sign_up::sign_up(&service, &from, address, &password, true).await,
    };
    let user = user.map_err(problem)?;
    if service.settings.accounts.verify == Verify::Required {
        // as it was made, if it was: an address that somebody has is answered alike
        let user = super::User::from(Profile::fresh(user));
        return Ok(HttpResponse::Accepted().json(Registered { user }));
    }
    signed_in(&service, &request, user, body.session, HttpResponse::Created()).await
}

/// Signs in by address and password
///
/// Where the account has a second factor, the same call is made once more with its code. Where its owner asked that it be deleted, `deletion_scheduled` says
/// in `deletesAt` when that is; the same call with `cancelDeletion` keeps it.
#[utoipa::path(
    tag = "accounts",
    operation_id = "login",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in", body = Login),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`invalid_credentials`; `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`not_verified`, `deletion_scheduled`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/login")]
pub(super) async fn login(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: SignIn = input::json(&request, payload, BODY_BYTES).await?;
    require_own_page(&request, body.session)?;
    let from = client(&request, &service);
    let asked = sign_in::SignIn {
        address: &body.email,
        password: &body.password,
        second_factor: SecondFactor {
            totp: body.totp.as_deref(),
            recovery_code: body.recovery_code.as_deref(),
        },
        cancel_deletion: body.cancel_deletion,
    };
    let user = sign_in::sign_in(&service, &from, asked).await.map_err(problem)?;
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
#[post("/refresh")]
pub(super) async fn refresh(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: Refresh = input::json(&request, payload, BODY_BYTES).await?;
    let (user, issued) = sessions::refresh(&service, &body.refresh_token).await.map_err(problem)?;
    let user = profile(&service, &user).await?;
    login_answer(&request, user, issued, HttpResponse::Ok())
}

/// Ends the session of the credential used
#[utoipa::path(
    tag = "accounts",
    operation_id = "logout",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "Ended; the browser can go on to end the session of the identity provider that it came from", body = SignedOut),
        (status = 204, description = "Ended; its tokens fail from now on"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: ended, but not yet known everywhere; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/logout")]
pub(super) async fn logout(
    request: HttpRequest,
    caller: Authenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    // the table of calls lets no API token come here
    let session = caller.session().ok_or(Code::InsufficientScope)?;
    sessions::end(&service, session).await?;
    service.tell_signed_out(&author(&caller, &request, &service), session).await;
    if caller.by != PresentedBy::Cookie {
        return Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish());
    }
    let mut answer = match oidc::way_out(&request, &service, session).await? {
        Some(end_session) => HttpResponse::Ok().json(SignedOut { end_session }),
        None => HttpResponse::NoContent().finish(),
    };
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    add_cookie(&mut answer, &cookie_policy(&request)?.clear())?;
    oidc::forget_origin(&request, &mut answer)?;
    Ok(answer)
}
