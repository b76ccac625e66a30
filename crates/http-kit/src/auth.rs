//! Who is asking: extractors that resolve the credential of a request before anything else in it is looked at.
//!
//! They need `web::Data<dyn Authenticator>` (made by `web::Data::from(Arc<dyn Authenticator>)`) and, for the page's cookie,
//! `web::Data<CookiePolicy>` among the app's data.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpRequest, web};
use common::access::{Need, need};
use common::auth::{Authenticator, Presented, PresentedBy, Principal, Scope, TokenText};
use common::{Code, PortError, PortResult};
use futures_util::future::LocalBoxFuture;

use crate::basic;
use crate::cookie::{CookiePolicy, Held};
use crate::facade::Facade;
use crate::problem::{ClassicError, Problem};

/// Longest token that is looked at. Ours have some 300 bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A caller with a credential that is good for this call, as the table of [`common::access`] says. Without a good one the answer is 401; with one that
/// is not good for this call 403 (`insufficient_scope` for an API token, else `forbidden`); 403 `cross_origin` if a changing request came by cookie
/// from elsewhere; 503 if nobody can say. The classic API gets its own form of each.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated {
    /// Who it is.
    pub principal: Principal,
    /// How the credential came.
    pub by: PresentedBy,
}

impl Deref for Authenticated {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

/// A caller with or without a credential. A wrong one, or one that is not good for this call, counts as none. 503 if nobody can say.
#[derive(Debug, Clone, Copy)]
pub struct MaybeAuthenticated(pub Option<Principal>);

/// Why there is no principal.
#[derive(Debug)]
enum Refusal {
    Unauthorized,
    CrossOrigin,
    /// A good credential, but not for this call. The scope that a token lacks, if one would do.
    NotForThis {
        by_token: bool,
        lacks: Option<Scope>,
    },
    Port(PortError),
}

impl Refusal {
    fn into_error(self, request: &HttpRequest) -> actix_web::Error {
        match (Facade::of(request), self) {
            (Facade::V1, Self::Unauthorized) => Problem::new(Code::Unauthorized).into(),
            (Facade::V1, Self::CrossOrigin) => Problem::new(Code::CrossOrigin).into(),
            (Facade::V1, Self::NotForThis { by_token, lacks }) => not_for_this(by_token, lacks).into(),
            (Facade::V1, Self::Port(error)) => Problem::from(error).into(),
            (Facade::Classic, Self::Unauthorized) => ClassicError::unauthorized().into(),
            (Facade::Classic, Self::CrossOrigin | Self::NotForThis { .. }) => {
                ClassicError::new(actix_web::http::StatusCode::FORBIDDEN, "Forbidden").into()
            }
            (Facade::Classic, Self::Port(error)) => ClassicError::from(error).into(),
        }
    }
}

/// RFC 6750, 3.1: the answer names the scope that would do.
fn not_for_this(by_token: bool, lacks: Option<Scope>) -> Problem {
    if !by_token {
        let problem = Problem::new(Code::Forbidden);
        return if lacks == Some(Scope::Admin) {
            problem.detail("Only administrators may do this")
        } else {
            problem.detail("This account may not do this")
        };
    }
    let problem = Problem::new(Code::InsufficientScope);
    let Some(scope) = lacks else {
        return problem.detail("No API token may do this: it takes a sign-in");
    };
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scope.word());
    let challenge = HeaderValue::from_str(&challenge).expect("words of scopes are plain text");
    problem
        .detail(format!("The token lacks the scope {}", scope.word()))
        .header(header::WWW_AUTHENTICATE, challenge)
}

impl FromRequest for Authenticated {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await.map_err(|refusal| refusal.into_error(&request)) })
    }
}

impl FromRequest for MaybeAuthenticated {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match authenticate(&request).await {
                Ok(caller) => Ok(Self(Some(caller.principal))),
                Err(Refusal::Port(error)) => Err(Refusal::Port(error).into_error(&request)),
                Err(_) => Ok(Self(None)),
            }
        })
    }
}

/// The credential of a request that was let in, to be asked again while what the request began goes on. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Standing {
    authenticator: Arc<dyn Authenticator>,
    presented: Presented,
    caller: Principal,
}

impl Standing {
    /// That of a request whose caller this is. None for a request without one.
    pub fn of(request: &HttpRequest, caller: &Principal) -> Option<Self> {
        let authenticator = request.app_data::<web::Data<dyn Authenticator>>()?;
        let presented = presented(request).ok()?;
        Some(Self { authenticator: authenticator.clone().into_inner(), presented, caller: *caller })
    }

    /// Whether it has not been ended, nor its account: see [`Authenticator::still_stands`].
    ///
    /// # Errors
    /// Nobody can say.
    pub async fn stands(&self) -> PortResult<bool> {
        self.authenticator.still_stands(&self.presented, &self.caller).await
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// The caller, if the credential is good for this call. Otherwise its handler says what is wrong.
pub(crate) async fn caller(request: &HttpRequest) -> Option<Principal> {
    authenticate(request).await.ok().map(|caller| caller.principal)
}

/// The sign-in whose cookie a request brings, whatever the request is about and wherever it comes from: for a sign-in that takes its place. None if the request
/// brings none, or one that is not good.
///
/// # Errors
/// [`PortError`]: nobody can say.
pub async fn cookie_session(request: &HttpRequest) -> PortResult<Option<Principal>> {
    let Some(policy) = request.app_data::<web::Data<CookiePolicy>>() else { return Ok(None) };
    let Held::One(token) = policy.find(request) else { return Ok(None) };
    let Ok(token) = plausible(token.as_bytes()) else { return Ok(None) };
    let presented = Presented { token: token.to_owned(), by: PresentedBy::Cookie };
    let authenticator = request
        .app_data::<web::Data<dyn Authenticator>>()
        .ok_or_else(|| PortError::broken("auth", "the app has no authenticator among its data"))?;
    authenticator.authenticate(&presented).await
}

async fn authenticate(request: &HttpRequest) -> Result<Authenticated, Refusal> {
    let presented = presented(request)?;
    let authenticator = request.app_data::<web::Data<dyn Authenticator>>().ok_or_else(|| {
        Refusal::Port(PortError::broken("auth", "the app has no authenticator among its data"))
    })?;
    match authenticator.authenticate(&presented).await {
        Ok(Some(principal)) => {
            require(request, &principal)?;
            Ok(Authenticated { principal, by: presented.by })
        }
        Ok(None) => Err(Refusal::Unauthorized),
        Err(error) => Err(Refusal::Port(error)),
    }
}

/// Holds the caller against the row of this call.
fn require(request: &HttpRequest, caller: &Principal) -> Result<(), Refusal> {
    let by_token = caller.session().is_none();
    let wanted = request.match_pattern().and_then(|path| need(request.method().as_str(), &path));
    match wanted {
        Some(Need::Nothing | Need::Anyone) => Ok(()),
        Some(Need::Scope(scope)) if caller.scopes.contains(scope) => Ok(()),
        Some(Need::Scope(scope)) => Err(Refusal::NotForThis { by_token, lacks: Some(scope) }),
        Some(Need::Session) | None if by_token => Err(Refusal::NotForThis { by_token, lacks: None }),
        Some(Need::Session) | None => Ok(()),
    }
}

/// Finds the one credential of a request: `Authorization: Bearer`, or an API token as the password of `Authorization: Basic` (whatever the name is), else
/// `X-Token`, else the cookie. Another scheme of `Authorization` is not ours to judge and is passed over; two fields of one name, or a token that
/// cannot be one, are refused.
fn presented(request: &HttpRequest) -> Result<Presented, Refusal> {
    let mut fields = request.headers().get_all(header::AUTHORIZATION);
    if let Some(field) = fields.next() {
        if fields.next().is_some() {
            return Err(Refusal::Unauthorized);
        }
        if let Some(token) = bearer(field.as_bytes()) {
            return Ok(Presented { token: plausible(token)?.to_owned(), by: PresentedBy::Header });
        }
        if let Some((_, password)) = basic::parse(field.as_bytes())
            && password.starts_with(TokenText::PREFIX)
        {
            return Ok(Presented {
                token: plausible(password.as_bytes())?.to_owned(),
                by: PresentedBy::Header,
            });
        }
    }
    let mut fields = request.headers().get_all("x-token");
    if let Some(field) = fields.next() {
        if fields.next().is_some() {
            return Err(Refusal::Unauthorized);
        }
        return Ok(Presented { token: plausible(field.as_bytes())?.to_owned(), by: PresentedBy::Header });
    }
    let policy = request.app_data::<web::Data<CookiePolicy>>().ok_or(Refusal::Unauthorized)?;
    let Held::One(token) = policy.find(request) else {
        return Err(Refusal::Unauthorized);
    };
    let token = plausible(token.as_bytes())?.to_owned();
    if changes_something(request.method()) && !policy.is_same_origin(request) {
        return Err(Refusal::CrossOrigin);
    }
    Ok(Presented { token, by: PresentedBy::Cookie })
}

/// The token of a `Bearer` field value; none for another scheme.
pub(crate) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    match rest.first() {
        None => Some(rest),
        Some(b' ' | b'\t') => Some(rest.trim_ascii()),
        Some(_) => None,
    }
}

fn plausible(token: &[u8]) -> Result<&str, Refusal> {
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal::Unauthorized);
    }
    std::str::from_utf8(token).map_err(|_| Refusal::Unauthorized)
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}
