//! `/internal`: what the other services ask. On the internal listener, with a service token.

use actix_web::{HttpRequest, HttpResponse, web};
use common::auth::internal::{PublicKeys, ResolveQuestion, ResolvedCredential, ResolvedToken};
use common::jobs::internal::{FindUser, FoundUser, UserStats};
use http_kit::service_token::ServiceCaller;
use http_kit::{ApiResult, input};

use super::BODY_BYTES;
use crate::AuthService;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/internal/keys", web::get().to(keys))
        .route("/internal/credentials/resolve", web::post().to(resolve))
        .route("/internal/stats", web::get().to(stats))
        .route("/internal/users/find", web::post().to(find_user));
}

async fn keys(_: ServiceCaller, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let keys = service.source.public_keys().await?;
    Ok(HttpResponse::Ok().json(PublicKeys { keys }))
}

async fn resolve(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    match input::json(&request, payload, BODY_BYTES).await? {
        ResolveQuestion::Session(asked) => {
            let states = service.source.resolve(asked.session, asked.user).await?;
            let answer = states.map(|(session, user)| ResolvedCredential { session, user });
            Ok(HttpResponse::Ok().json(answer))
        }
        ResolveQuestion::Token(asked) => {
            let states = service.source.resolve_token(&asked.token.0).await?;
            let answer = states.map(|(token, user)| ResolvedToken { token, user });
            Ok(HttpResponse::Ok().json(answer))
        }
    }
}

async fn stats(_: ServiceCaller, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let users = service.accounts.store.count_users().await?;
    Ok(HttpResponse::Ok().json(UserStats { users }))
}

async fn find_user(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: FindUser = input::json(&request, payload, BODY_BYTES).await?;
    let user = service.accounts.store.find_user(asked.id).await?;
    let answer = user.map(|user| FoundUser {
        id: user.id,
        address: user.address.as_str().to_owned(),
        role: Some(user.role),
        disabled: user.disabled,
    });
    Ok(HttpResponse::Ok().json(answer))
}
