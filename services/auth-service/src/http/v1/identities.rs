//! `/api/v1/users/me/identities`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use common::auth::Identity;
use common::{Code, IdentityId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::oidc::{self, WayToProvider};
use crate::AuthService;
use crate::app::{identities, own_account};
use crate::http::{BODY_BYTES, author, client, problem};

/// Somebody at an identity provider, who opens the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LinkedIdentity {
    /// 24 hexadecimal digits.
    id: String,
    /// The provider's id; null for one that is not among the settings any more, which opens nothing until it is again.
    provider: Option<String>,
    /// The provider's title, or who it is.
    title: String,
    /// The address that the provider said last.
    email: Option<String>,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl LinkedIdentity {
    fn of(service: &AuthService, identity: Identity) -> Self {
        let provider = service.providers.of_issuer(&identity.issuer);
        Self {
            id: identity.id.to_string(),
            provider: provider.map(|provider| provider.settings.name.clone()),
            title: provider.map_or(identity.issuer, |provider| provider.settings.title.clone()),
            email: identity.address,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

/// The identities of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityList {
    /// Oldest first; at most ten.
    items: Vec<LinkedIdentity>,
    /// The account can be signed in to without them. One that a provider made has no password until its owner sets one by a code that goes by mail.
    has_password: bool,
}

/// Which identity shall open the account too.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LinkIdentity {
    /// The provider's id.
    provider: String,
    /// The account's password.
    #[schema(format = Password)]
    password: String,
}

/// Lists the identities that open the caller's account
#[utoipa::path(
    tag = "accounts",
    operation_id = "listIdentities",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, body = IdentityList),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/me/identities")]
pub(super) async fn list(caller: Authenticated, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let user = own_account::find(&service, caller.user).await.map_err(problem)?;
    let found = service.admin.identities.list_identities(caller.user).await?;
    let items = found.into_iter().map(|identity| LinkedIdentity::of(&service, identity)).collect();
    let list = IdentityList { items, has_password: user.password().is_some() };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(list))
}

/// Begins to link an identity to the caller's account
///
/// For browsers: the answer says where the browser goes, and brings a cookie that the way back needs. The identity is linked when the browser has come back,
/// still signed in. A mail tells the owner.
#[utoipa::path(
    tag = "accounts",
    operation_id = "linkIdentity",
    request_body = LinkIdentity,
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, description = "Where to go", body = WayToProvider),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`, `insufficient_scope`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/identities")]
pub(super) async fn link(
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: LinkIdentity = input::json(&request, payload, BODY_BYTES).await?;
    let provider = service.providers.get(&body.provider).ok_or_else(|| {
        let text = "There is no such identity provider";
        Problem::new(Code::InvalidRequest).detail(text).field("/provider", "unknown", text)
    })?;
    let from = client(&request, &service);
    let user = own_account::prove(&service, &from, &caller, &body.password).await.map_err(problem)?;
    oidc::link(&request, &service, provider, user.id).await
}

/// Removes an identity from the caller's account
///
/// The last way into an account stays. Sessions that the identity opened go on. A mail tells the owner.
#[utoipa::path(
    tag = "accounts",
    operation_id = "removeIdentity",
    params(("id" = String, Path, description = "24 hexadecimal digits")),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 204, description = "It opens the account no more"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`last_way_in`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/me/identities/{id}")]
pub(super) async fn remove(
    request: HttpRequest,
    caller: Authenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: IdentityId = input::path_id(&request, "id")?;
    let from = client(&request, &service);
    let by = author(&caller, &request, &service);
    identities::remove(&service, &from, caller.user, &by, id).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}
