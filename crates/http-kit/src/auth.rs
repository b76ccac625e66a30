//! Who is asking: extractors that resolve the credential of a request before anything else in it is looked at.
//!
//! They need `web::Data<dyn Authenticator>` (made by `web::Data::from(Arc<dyn Authenticator>)`) and, for the page's cookie,
//! `web::Data<CookiePolicy>` among the app's data.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use common::auth::{Authenticator, Presented, PresentedBy, Principal};
use common::{Code, PortError};
use futures_util::future::LocalBoxFuture;

use crate::cookie::{CookiePolicy, Held};
use crate::facade::Facade;
use crate::problem::{ClassicError, Problem};

/// Longest token that is looked at. Ours have some 300 bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A caller with a good credential. Without one the answer is 401; 403 `cross_origin` if a changing request came by cookie from
/// elsewhere; 503 if nobody can say. The classic API gets its own form of each.
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

/// A caller with or without a credential. A wrong one counts as none. 503 if nobody can say.
#[derive(Debug, Clone, Copy)]
pub struct MaybeAuthenticated(pub Option<Principal>);

/// Why there is no principal.
#[derive(Debug)]
enum Refusal {
    Unauthorized,
    CrossOrigin,
    Port(PortError),
}

impl Refusal {
    fn into_error(self, request: &HttpRequest) -> actix_web::Error {
        match (Facade::of(request), self) {
            (Facade::V1, Self::Unauthorized) => Problem::new(Code::Unauthorized).into(),
            (Facade::V1, Self::CrossOrigin) => Problem::new(Code::CrossOrigin).into(),
            (Facade::V1, Self::Port(error)) => Problem::from(error).into(),
            (Facade::Classic, Self::Unauthorized) => ClassicError::unauthorized().into(),
            (Facade::Classic, Self::CrossOrigin) => {
                ClassicError::new(actix_web::http::StatusCode::FORBIDDEN, "Forbidden").into()
            }
            (Facade::Classic, Self::Port(error)) => ClassicError::from(error).into(),
        }
    }
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
                Err(Refusal::Unauthorized | Refusal::CrossOrigin) => Ok(Self(None)),
                Err(refusal) => Err(refusal.into_error(&request)),
            }
        })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Authenticated, Refusal> {
    let presented = presented(request)?;
    let authenticator = request.app_data::<web::Data<dyn Authenticator>>().ok_or_else(|| {
        Refusal::Port(PortError::broken("auth", "the app has no authenticator among its data"))
    })?;
    match authenticator.authenticate(&presented).await {
        Ok(Some(principal)) => Ok(Authenticated { principal, by: presented.by }),
        Ok(None) => Err(Refusal::Unauthorized),
        Err(error) => Err(Refusal::Port(error)),
    }
}

/// Finds the one credential of a request: `Authorization: Bearer`, else `X-Token`, else the cookie. Another scheme of `Authorization`
/// is not ours to judge and is passed over; two fields of one name, or a token that cannot be one, are refused.
fn presented(request: &HttpRequest) -> Result<Presented, Refusal> {
    let mut fields = request.headers().get_all(header::AUTHORIZATION);
    if let Some(field) = fields.next() {
        if fields.next().is_some() {
            return Err(Refusal::Unauthorized);
        }
        if let Some(token) = bearer(field.as_bytes()) {
            return Ok(Presented { token: plausible(token)?.to_owned(), by: PresentedBy::Header });
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
