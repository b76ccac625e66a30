//! `/api/v1/users/me`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};
use common::auth::Account;
use common::{Code, Sha256};
use http_kit::conditions::{Current, ETag, Verdict, evaluate};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::preferences::Preferences;
use super::{User, preferences};
use crate::AuthService;
use crate::app::own_account::AccountError;
use crate::app::profiles::{self, ProfileChange};
use crate::app::{Profile, addresses};
use crate::http::{BODY_BYTES, client, problem};

/// Times that a change without `If-Match` is tried again when another comes between.
const TRIES: u32 = 4;

/// A change of the caller's account; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UserChange {
    /// What others see instead of the address: up to 100 characters; null for none.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// A merge patch (RFC 7396): members replace those that are kept, null removes them.
    #[serde(default)]
    #[schema(value_type = Preferences)]
    preferences: Map<String, Value>,
}

/// Tells null from nothing.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Another address for the caller's account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EmailChange {
    /// The new address.
    #[schema(format = Email)]
    new: String,
    /// The account's password.
    #[schema(format = Password)]
    password: String,
}

/// The codes that came by mail.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EmailConfirm {
    /// The one that went to the new address.
    new_code: String,
    /// The one that went to the old address. None did if no mail can be sent to that.
    #[serde(default)]
    old_code: Option<String>,
}

/// The caller's own account
#[utoipa::path(
    tag = "accounts",
    operation_id = "getMe",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, body = User, headers(("ETag" = String, description = "Changes with the account"))),
        (status = 304, description = "It is as `If-None-Match` knows it"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/me")]
pub(super) async fn me(
    request: HttpRequest,
    caller: Authenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let account = service.account_store.find_account(caller.user).await?.ok_or(Code::Unauthorized)?;
    let (etag, body) = shown(account)?;
    match evaluate(request.headers(), request.method(), Some(Current { etag: &etag, modified_at: None })) {
        Verdict::Proceed => Ok(answer(&etag, body)),
        Verdict::NotModified => {
            Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag.to_value())).finish())
        }
        Verdict::PreconditionFailed => Err(Code::PreconditionFailed.into()),
    }
}

/// Changes name and preferences of the caller
#[utoipa::path(
    tag = "accounts",
    operation_id = "updateMe",
    request_body = UserChange,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "As it is now", body = User, headers(("ETag" = String, description = "Changes with the account"))),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: too many changes at the same time", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "`precondition_failed`: it is not as `If-Match` knows it", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[patch("/me")]
pub(super) async fn change(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: UserChange = input::json(&request, payload, BODY_BYTES).await?;
    preferences::check(&body.preferences).map_err(|fault| {
        Problem::new(Code::InvalidRequest).detail(fault.reason).field(fault.pointer, "invalid", fault.reason)
    })?;
    for _ in 0..TRIES {
        let account = service.account_store.find_account(caller.user).await?.ok_or(Code::Unauthorized)?;
        let (etag, _) = shown(account.clone())?;
        let current = Current { etag: &etag, modified_at: None };
        if evaluate(request.headers(), request.method(), Some(current)) != Verdict::Proceed {
            return Err(Code::PreconditionFailed.into());
        }
        let asked = ProfileChange { name: body.name.clone(), preferences: body.preferences.clone() };
        match profiles::change(&service, &account, asked).await {
            Ok(account) => {
                let (etag, body) = shown(account)?;
                return Ok(answer(&etag, body));
            }
            // it is looked at again, with the precondition
            Err(AccountError::Conflict) => {}
            Err(error) => return Err(problem(error)),
        }
    }
    Err(Code::Conflict.into())
}

/// Sends codes to the new address and to the old one
///
/// The answer is the same whether another account has the new address or not.
#[utoipa::path(
    tag = "accounts",
    operation_id = "changeEmail",
    request_body = EmailChange,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 202, description = "The mails are on their way"),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/email")]
pub(super) async fn change_email(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: EmailChange = input::json(&request, payload, BODY_BYTES).await?;
    let from = client(&request, &service);
    addresses::begin(&service, &from, &caller, &body.new, &body.password).await.map_err(problem)?;
    Ok(HttpResponse::Accepted().finish())
}

/// Changes the caller's address by the codes that went to both
#[utoipa::path(
    tag = "accounts",
    operation_id = "confirmEmail",
    request_body = EmailConfirm,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "As it is now", body = User),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`invalid_code`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`address_taken`: by somebody who was quicker", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/email/confirm")]
pub(super) async fn confirm_email(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: EmailConfirm = input::json(&request, payload, BODY_BYTES).await?;
    let from = client(&request, &service);
    addresses::confirm(&service, &from, &caller, &body.new_code, body.old_code.as_deref())
        .await
        .map_err(problem)?;
    let account = service.account_store.find_account(caller.user).await?.ok_or(Code::Unauthorized)?;
    let (etag, body) = shown(account)?;
    Ok(answer(&etag, body))
}

/// The account as JSON, with a tag of what that says.
fn shown(account: Account) -> ApiResult<(ETag, Vec<u8>)> {
    let body = serde_json::to_vec(&User::from(Profile::from(account))).map_err(internal)?;
    let digest = hex::encode(&Sha256::of(&body).0[..16]);
    Ok((ETag::strong(digest).map_err(internal)?, body))
}

fn internal(error: impl std::error::Error) -> Problem {
    tracing::error!(%error, "an account cannot be shown");
    Problem::new(Code::Internal)
}

fn answer(etag: &ETag, body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::ETAG, etag.to_value()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(body)
}
