use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use http_kit::ApiResult;
use http_kit::credentials::jwks;
use http_kit::problem::ProblemDocument;
use serde::Serialize;
use utoipa::ToSchema;

use crate::AuthService;

/// A key set (RFC 7517).
#[derive(Serialize, ToSchema)]
#[schema(as = KeySet)]
pub(super) struct KeySetDocument {
    /// The keys that verify tokens now, newest first.
    #[schema(inline)]
    keys: Vec<KeyDocument>,
}

/// An Ed25519 public key (RFC 8037).
#[derive(Serialize, ToSchema)]
pub(super) struct KeyDocument {
    /// `OKP`
    kty: String,
    /// `Ed25519`
    crv: String,
    /// `sig`
    r#use: String,
    /// `EdDSA`
    alg: String,
    /// Its id.
    kid: String,
    /// The key, in base64url.
    x: String,
}

/// The keys that verify access tokens
#[utoipa::path(
    tag = "accounts",
    operation_id = "getKeySet",
    responses(
        (status = 200, body = KeySetDocument),
        (status = 503, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/.well-known/jwks.json")]
pub(super) async fn key_set(service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let keys = service.source.public_keys().await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=60")).json(jwks(&keys)))
}
