//! The classic API: `/users`, `/connect`, `/disconnect`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, get, post, web};
use common::Code;
use common::auth::{Address, InvalidAddress, InvalidPassword, Password, PresentedBy, SessionKind};
use http_kit::{Authenticated, ClassicError, ClassicResult, Problem, basic, input};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{BODY_BYTES, author, classic_error, client};
use crate::AuthService;
use crate::app::own_account::AccountError;
use crate::app::sessions::{self, Issued};
use crate::app::sign_in::{SignIn, SignInError};
use crate::app::sign_up::{Door, SignUpError};
use crate::app::{devices, sign_in, sign_up};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(sign_up_user).service(connect).service(disconnect).service(me);
}

/// An account, in the classic form.
#[derive(Serialize, ToSchema)]
struct ClassicUser {
    /// 24 hexadecimal digits.
    id: String,
    /// As typed.
    email: String,
}

impl From<common::auth::User> for ClassicUser {
    fn from(user: common::auth::User) -> Self {
        Self { id: user.id.to_string(), email: user.address.as_str().to_owned() }
    }
}

/// A token, in the classic form.
#[derive(Serialize, ToSchema)]
struct ClassicToken {
    /// For `X-Token` or `Authorization: Bearer`, 24 hours.
    token: String,
}

/// A failure, in the classic form.
#[derive(ToSchema)]
#[schema(as = ClassicError)]
#[expect(dead_code, reason = "describes the answer, which is made elsewhere")]
struct ClassicErrorDocument {
    /// The message.
    error: String,
}

/// A sign-up, in the classic form.
#[derive(Deserialize, ToSchema)]
struct ClassicSignUp {
    /// Any text.
    #[serde(default)]
    #[schema(value_type = String)]
    email: Value,
    /// Any text up to 72 bytes without NUL.
    #[serde(default)]
    #[schema(value_type = String)]
    password: Value,
}

/// Makes an account
#[utoipa::path(
    tag = "classic",
    operation_id = "classicSignUp",
    request_body = ClassicSignUp,
    responses(
        (status = 201, description = "Made", body = ClassicUser),
        (status = 400, description = "`Missing email`, `Missing password`, `Already exist`", body = ClassicErrorDocument),
        (status = 403, description = "`Registration is closed`", body = ClassicErrorDocument),
        (status = 429, description = "Too many sign-ups", body = ClassicErrorDocument),
    )
)]
#[post("/users")]
async fn sign_up_user(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ClassicResult<HttpResponse> {
    let from = client(&request, &service);
    // there is no place for an invitation here
    if sign_up::registration(&service, &from) != Door::Open {
        return Err(classic_error(SignUpError::Closed));
    }
    let body: ClassicSignUp = input::lenient(&request, payload, BODY_BYTES).await?;
    let address = read_address(&body.email)?;
    let password = read_password(&body.password)?;
    let user = match sign_up::sign_up(&service, &from, address, &password, false).await {
        Ok(user) => user,
        Err(SignUpError::AddressTaken) => return Err(ClassicError::bad_request("Already exist")),
        Err(error @ SignUpError::Limited(_)) => return Ok(limited(super::problem(error))),
        Err(error) => return Err(classic_error(error)),
    };
    Ok(HttpResponse::Created().json(ClassicUser::from(user)))
}

/// Signs in by `Authorization: Basic`
#[utoipa::path(
    tag = "classic",
    operation_id = "classicConnect",
    params(("Authorization" = String, Header, description = "`Basic`, then base64 of `<email>:<password>`")),
    responses(
        (status = 200, description = "A new token", body = ClassicToken),
        (status = 401, description = "`Unauthorized`, for every cause", body = ClassicErrorDocument),
        (status = 429, description = "Too many failures", body = ClassicErrorDocument),
    )
)]
#[get("/connect")]
async fn connect(request: HttpRequest, service: web::Data<AuthService>) -> ClassicResult<HttpResponse> {
    let mut fields = request.headers().get_all(header::AUTHORIZATION);
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(ClassicError::unauthorized());
    };
    let (address, password) = basic::parse(field.as_bytes()).ok_or_else(ClassicError::unauthorized)?;
    let from = client(&request, &service);
    let asked = SignIn { address: &address, password: &password, ..SignIn::default() };
    let user = match sign_in::sign_in(&service, &from, asked).await {
        Ok(user) => user,
        Err(error @ SignInError::Limited(_)) => return Ok(limited(super::problem(error))),
        // no place here for a second factor, or for a question: it is not a way around them
        Err(
            SignInError::NotVerified
            | SignInError::Waits(_)
            | SignInError::Account(AccountError::SecondFactorRequired),
        ) => {
            return Err(ClassicError::unauthorized());
        }
        Err(error) => return Err(classic_error(error)),
    };
    devices::note(&service, &from, &user, None).await?;
    let issued = sessions::open(&service, &user, SessionKind::Classic, &from).await?;
    let issued = issued.ok_or_else(ClassicError::unauthorized)?.issued;
    let (Issued::Classic { token } | Issued::Cookie { token } | Issued::Token { access: token, .. }) = issued;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(ClassicToken { token }))
}

/// Ends the session of the token
#[utoipa::path(
    tag = "classic",
    operation_id = "classicDisconnect",
    security(("token" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "Ended"),
        (status = 401, description = "`Unauthorized`", body = ClassicErrorDocument),
    )
)]
#[get("/disconnect")]
async fn disconnect(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ClassicResult<HttpResponse> {
    // a link on a foreign page could end the page's session: the browser sends the cookie with it
    if caller.by == PresentedBy::Cookie {
        return Err(ClassicError::unauthorized());
    }
    let session = caller.session().ok_or_else(ClassicError::unauthorized)?;
    sessions::end(&service, session).await?;
    service.tell_signed_out(&author(&caller, &request, &service), session).await;
    Ok(HttpResponse::NoContent().finish())
}

/// The caller's own account
#[utoipa::path(
    tag = "classic",
    operation_id = "classicGetMe",
    security(("token" = []), ("bearer" = [])),
    responses(
        (status = 200, body = ClassicUser),
        (status = 401, description = "`Unauthorized`", body = ClassicErrorDocument),
    )
)]
#[get("/users/me")]
async fn me(caller: Authenticated, service: web::Data<AuthService>) -> ClassicResult<HttpResponse> {
    let user = service.accounts.store.find_user(caller.user).await?.ok_or_else(ClassicError::unauthorized)?;
    Ok(HttpResponse::Ok().json(ClassicUser::from(user)))
}

fn read_address(value: &Value) -> ClassicResult<Address> {
    match Address::parse(read_text(value).map_err(|NoText| ClassicError::bad_request("Invalid email"))?) {
        Ok(address) => Ok(address),
        Err(InvalidAddress::Empty) => Err(ClassicError::bad_request("Missing email")),
        Err(InvalidAddress::TooLong | InvalidAddress::Control) => {
            Err(ClassicError::bad_request("Invalid email"))
        }
    }
}

fn read_password(value: &Value) -> ClassicResult<Password> {
    match Password::parse(read_text(value).map_err(|NoText| ClassicError::bad_request("Invalid password"))?) {
        Ok(password) => Ok(password),
        Err(InvalidPassword::Empty) => Err(ClassicError::bad_request("Missing password")),
        Err(_) => Err(ClassicError::bad_request("Invalid password")),
    }
}

/// The value is neither text nor missing.
struct NoText;

fn read_text(value: &Value) -> Result<&str, NoText> {
    match value {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text),
        _ => Err(NoText),
    }
}

/// 429 in the classic form, with the header fields of the v1 form.
fn limited(problem: Problem) -> HttpResponse {
    let v1 = problem.error_response();
    let mut answer =
        ClassicError::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited.title()).error_response();
    for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
        if let Some(value) = v1.headers().get(name) {
            answer.headers_mut().insert(header::HeaderName::from_static(name), value.clone());
        }
    }
    answer
}
