use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use http_kit::credentials::jwks;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthService;
use crate::http::{BODY_BYTES, author, problem};

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

/// Replaces the signing key.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RotateKeys)]
pub(super) struct RotateBody {
    /// Somebody else may know the old keys: they stop verifying now. Cookies of the page were signed by them, so their owners sign in anew; refresh tokens
    /// and API tokens go on.
    #[serde(default)]
    compromised: bool,
}

/// The new signing key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotatedKeys)]
pub(super) struct RotatedView {
    /// Its id, `kid` in tokens.
    key_id: String,
}

/// Makes a new signing key
///
/// It signs when every service has had time to learn of it, and the old ones verify what they signed until they retire: nobody is signed out.
#[utoipa::path(
    tag = "administration",
    operation_id = "rotateKeys",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    request_body = RotateBody,
    responses(
        (status = 201, description = "Made", body = RotatedView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/keys/rotate")]
pub(super) async fn rotate(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: RotateBody = input::json(&request, payload, BODY_BYTES).await?;
    let by = author(&caller, &request, &service);
    let key = service.administration.make_signing_key(&by, body.compromised).await?;
    // first of all: whatever fails after it, no service goes on with the old ones
    let told = if body.compromised { service.cache.forget_keys(key).await } else { Ok(()) };
    // also if that failed: what the old key signs from now on is good for nothing, a sign-in to repeat this among it
    service.keys.refresh().await.map_err(problem)?;
    told?;
    Ok(HttpResponse::Created().json(RotatedView { key_id: key.to_string() }))
}
