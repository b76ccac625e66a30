//! `/api/v1` and the key set.

mod admin_users;
mod audit;
mod auth;
mod deletion;
mod export;
mod groups;
mod identities;
mod invitations;
mod keys;
mod lists;
mod my_sessions;
mod oidc;
mod password;
mod preferences;
mod proof;
mod second_factor;
mod setup;
mod tokens;
mod users;
mod verification;

use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use common::Code;
use common::auth::{Role, SessionKind};
use http_kit::{ApiResult, CookiePolicy, Problem, cookie_session};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::AuthService;
use crate::app::sessions::{self, ACCESS_LIFETIME, COOKIE_LIFETIME, Issued, Opened};
use crate::app::{Profile, devices};
use preferences::Preferences;

/// How long a browser is known that is not used: the longest that browsers keep a cookie (RFC 6265bis, 5.6.1).
const DEVICE_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            scope("/api/v1/auth")
                .service(auth::register)
                .service(auth::login)
                .service(auth::refresh)
                .service(auth::logout)
                .service(oidc::providers)
                .service(oidc::start)
                .service(oidc::callback)
                .service(oidc::complete)
                .service(verification::verify)
                .service(verification::resend)
                .service(password::forgot)
                .service(password::reset),
        )
        .service(
            scope("/api/v1/users")
                .service(identities::list)
                .service(identities::link)
                .service(identities::remove)
                .service(users::me)
                .service(users::change)
                .service(deletion::ask)
                .service(export::show)
                .service(export::ask)
                .service(users::change_email)
                .service(users::confirm_email)
                .service(second_factor::begin)
                .service(second_factor::confirm)
                .service(second_factor::remove)
                .service(password::change)
                .service(my_sessions::list)
                .service(my_sessions::end_one)
                .service(my_sessions::end_others)
                .service(tokens::list)
                .service(tokens::create)
                .service(tokens::revoke),
        )
        .service(
            scope("/api/v1/admin")
                .service(admin_users::list)
                .service(admin_users::create)
                .service(admin_users::show)
                .service(admin_users::change)
                .service(admin_users::remove)
                .service(invitations::list)
                .service(invitations::create)
                .service(invitations::withdraw)
                .service(keys::rotate)
                .service(audit::list),
        )
        .service(
            scope("/api/v1/groups")
                .service(groups::list)
                .service(groups::create)
                .service(groups::show)
                .service(groups::change)
                .service(groups::remove),
        )
        .service(setup::state)
        .service(setup::set_up)
        .service(groups::people)
        .service(keys::key_set);
}

/// What an account may do: `admin` administers the installation.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RoleWord {
    User,
    Admin,
}

impl From<Role> for RoleWord {
    fn from(role: Role) -> Self {
        match role {
            Role::User => Self::User,
            Role::Admin => Self::Admin,
        }
    }
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    /// 24 hexadecimal digits.
    id: String,
    /// As typed.
    email: String,
    /// What others see instead of the address, if it was set.
    name: Option<String>,
    /// Its owner proved that the address is theirs.
    verified: bool,
    /// A second factor is asked for at each sign-in.
    second_factor: bool,
    /// What programs keep for its owner.
    preferences: Preferences,
    // described at its type: utoipa writes both descriptions as a contradiction
    #[schema(inline)]
    role: RoleWord,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: common::Timestamp,
}

impl From<Profile> for User {
    fn from(profile: Profile) -> Self {
        Self {
            id: profile.id.to_string(),
            email: profile.address.as_str().to_owned(),
            name: profile.name,
            verified: profile.verified,
            second_factor: profile.second_factor,
            preferences: Preferences::of(profile.preferences),
            role: profile.role.into(),
            created_at: profile.created_at,
        }
    }
}

/// What a sign-in gives: tokens, or the user alone where a cookie carries the session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "session", rename_all = "lowercase")]
pub(crate) enum Login {
    /// Tokens in the answer.
    #[serde(rename_all = "camelCase")]
    Token {
        /// Who signed in.
        user: User,
        /// For `Authorization: Bearer`, 15 minutes.
        access_token: String,
        /// How long the access token is good, in seconds.
        expires_in: u64,
        /// For `POST /api/v1/auth/refresh`, once, within 30 days.
        refresh_token: String,
    },
    /// A token in the session cookie.
    Cookie {
        /// Who signed in.
        user: User,
    },
}

/// An account that was made, and has to be verified before it can be used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registered {
    /// The account.
    user: User,
}

/// What carries the session.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SessionKind)]
pub(crate) enum SessionChoice {
    /// Access and refresh token in the answer.
    #[default]
    Token,
    /// An `HttpOnly` cookie.
    Cookie,
}

impl From<SessionChoice> for SessionKind {
    fn from(choice: SessionChoice) -> Self {
        match choice {
            SessionChoice::Token => Self::Token,
            SessionChoice::Cookie => Self::Cookie,
        }
    }
}

/// Opens a session and answers with it. Nothing that the request brought with it becomes part of the session.
async fn signed_in(
    service: &AuthService,
    request: &HttpRequest,
    user: common::auth::User,
    choice: SessionChoice,
    answer: HttpResponseBuilder,
) -> ApiResult<HttpResponse> {
    let (opened, device) = open_session(service, request, &user, choice.into()).await?;
    let mut answer = login(request, profile(service, &user).await?, opened.issued, answer)?;
    if let Some(device) = device {
        add_cookie(&mut answer, &device)?;
    }
    Ok(answer)
}

/// Opens a session. One that the browser had before ends: its cookie is written over, so nobody could sign it out any more. With it comes the cookie by which a browser is known from now on, if that is new.
async fn open_session(
    service: &AuthService,
    request: &HttpRequest,
    user: &common::auth::User,
    kind: SessionKind,
) -> ApiResult<(Opened, Option<Cookie<'static>>)> {
    let client = super::client(request, service);
    // a browser keeps the cookie by which it is known; a program is not given one
    let device = match kind {
        SessionKind::Cookie if !devices::has_good_cookie(service, &client, user).await? => {
            Some(service.device_cookies.issue()?)
        }
        _ => None,
    };
    devices::note(service, &client, user, device.as_deref()).await?;
    // asked before there is a new one: without an answer there is no sign-in, rather than one that leaves another behind
    let former = match kind {
        SessionKind::Cookie => cookie_session(request).await?.and_then(|former| former.session()),
        SessionKind::Token | SessionKind::Classic => None,
    };
    let opened = sessions::open(service, user, kind, &client).await?.ok_or(Code::InvalidCredentials)?;
    if let Some(former) = former {
        sessions::replace(service, user, &client, opened.session, former).await;
    }
    let policy = cookie_policy(request)?;
    Ok((opened, device.map(|value| policy.issue_device(value, DEVICE_LIFETIME))))
}

fn add_cookie(answer: &mut HttpResponse, cookie: &Cookie<'_>) -> ApiResult<()> {
    answer.add_cookie(cookie).map_err(|error| {
        tracing::error!(%error, "a cookie of ours is none");
        Problem::new(Code::Internal)
    })
}

/// An account as its owner sees it.
async fn profile(service: &AuthService, user: &common::auth::User) -> ApiResult<User> {
    let account = service.account_store.find_account(user.id).await?.ok_or(Code::Unauthorized)?;
    Ok(User::from(Profile::from(account)))
}

/// The answer to a sign-in or a refresh.
fn login(
    request: &HttpRequest,
    user: User,
    issued: Issued,
    mut answer: HttpResponseBuilder,
) -> ApiResult<HttpResponse> {
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(match issued {
        Issued::Token { access, refresh } => answer.json(Login::Token {
            user,
            access_token: access,
            expires_in: ACCESS_LIFETIME.as_secs(),
            refresh_token: refresh,
        }),
        Issued::Cookie { token } | Issued::Classic { token } => {
            let cookie = cookie_policy(request)?.issue(token, COOKIE_LIFETIME);
            answer.cookie(cookie).json(Login::Cookie { user })
        }
    })
}

/// Refuses to set a cookie for a foreign page: its visitor would be signed in as somebody else, and upload into a stranger's account.
/// Programs that are no browsers send neither field.
fn require_own_page(request: &HttpRequest, choice: SessionChoice) -> ApiResult<()> {
    let from_browser =
        request.headers().contains_key("sec-fetch-site") || request.headers().contains_key(header::ORIGIN);
    match choice {
        SessionChoice::Cookie if from_browser && !cookie_policy(request)?.is_same_origin(request) => {
            Err(Code::CrossOrigin.into())
        }
        _ => Ok(()),
    }
}

fn cookie_policy(request: &HttpRequest) -> ApiResult<&CookiePolicy> {
    let policy = request.app_data::<actix_web::web::Data<CookiePolicy>>();
    policy.map(|policy| &***policy).ok_or_else(|| {
        tracing::error!("the app has no cookie policy among its data");
        Problem::new(Code::Internal)
    })
}
