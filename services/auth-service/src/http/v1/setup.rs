use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Login, SessionChoice, require_own_page, signed_in};
use crate::AuthService;
use crate::app::{setup, sign_up};
use crate::http::{BODY_BYTES, client, problem};

/// What a fresh installation still needs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Setup)]
pub(super) struct SetupState {
    /// There is no administrator yet.
    needed: bool,
    // described at its type: utoipa writes both descriptions as a contradiction
    #[schema(inline)]
    registration: RegistrationWord,
}

/// Whether the caller may register, or may with an invitation.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RegistrationWord {
    Open,
    Invitation,
    Closed,
}

impl From<sign_up::Door> for RegistrationWord {
    fn from(door: sign_up::Door) -> Self {
        match door {
            sign_up::Door::Open => Self::Open,
            sign_up::Door::Invitation => Self::Invitation,
            sign_up::Door::Closed => Self::Closed,
        }
    }
}

/// Makes the first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SetUp {
    /// What the installation shows at its start; case and hyphens do not matter.
    code: String,
    /// The administrator's address.
    #[schema(format = Email)]
    email: String,
    /// 8 characters (or as many as are configured) to 72 bytes, without NUL; not the address, and none of the most common passwords.
    #[schema(format = Password)]
    password: String,
    /// What carries the session.
    #[serde(default)]
    session: SessionChoice,
}

/// Whether there is an administrator, and whether the caller may register
#[utoipa::path(
    tag = "accounts",
    operation_id = "getSetup",
    responses((status = 200, body = SetupState), (status = 503, body = ProblemDocument, content_type = "application/problem+json"))
)]
#[get("/api/v1/setup")]
pub(super) async fn state(request: HttpRequest, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let needed = !service.accounts.store.has_admin().await?;
    let door = sign_up::registration(&service, &client(&request, &service));
    let state = SetupState { needed, registration: door.into() };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(state))
}

/// Makes the first administrator, with the set-up code
#[utoipa::path(
    tag = "accounts",
    operation_id = "completeSetup",
    request_body = SetUp,
    responses(
        (status = 201, description = "Made, and signed in", body = Login),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`invalid_setup_code`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`already_set_up`, `address_taken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/api/v1/setup")]
pub(super) async fn set_up(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: SetUp = input::json(&request, payload, BODY_BYTES).await?;
    require_own_page(&request, body.session)?;
    let from = client(&request, &service);
    let user =
        setup::set_up(&service, &from, &body.code, &body.email, &body.password).await.map_err(problem)?;
    signed_in(&service, &request, user, body.session, HttpResponse::Created()).await
}
