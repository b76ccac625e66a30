//! Who may do what with jobs, beyond the scope that each call wants (`common::access`): jobs of other people are for administrators.

use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use common::Code;
use common::auth::{Principal, Role, Scope};
use futures_util::future::LocalBoxFuture;
use http_kit::{Authenticated, Problem};

/// An administrator, by a credential that is good for the call. Anybody else is answered 403.
pub(super) struct Administrator(Authenticated);

/// A caller who may work jobs. Anybody else is answered 403.
pub(super) struct Worker(Authenticated);

/// Whether a principal may claim and work jobs. An administrator who signed in has the scope.
fn may_work(principal: &Principal) -> bool {
    principal.scopes.contains(Scope::JobsWork)
}

impl Deref for Administrator {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl Deref for Worker {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl FromRequest for Administrator {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Authenticated::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?;
            if caller.role == Role::Admin {
                Ok(Self(caller))
            } else {
                Err(refused("Only administrators may do this"))
            }
        })
    }
}

impl FromRequest for Worker {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Authenticated::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?;
            if may_work(&caller) { Ok(Self(caller)) } else { Err(refused("This account may not work jobs")) }
        })
    }
}

fn refused(detail: &'static str) -> actix_web::Error {
    Problem::new(Code::Forbidden).detail(detail).into()
}
