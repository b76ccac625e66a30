//! `/api/v1/users/me/tokens`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use common::auth::{ApiToken, Scope, Scopes};
use common::{Code, FileId, Timestamp, TokenId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthService;
use crate::app::own_account::Proof;
use crate::app::second_factor::SecondFactor;
use crate::app::tokens::{self, NewToken};
use crate::http::{BODY_BYTES, author, client, problem};

/// An API token, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiToken)]
pub(super) struct TokenView {
    /// 24 hexadecimal digits.
    id: String,
    /// What its owner calls it.
    name: String,
    /// What it is good for: `files:read`, `files:write`, `shares`, `jobs:read`, `jobs:work`, `account`, `admin`.
    scopes: Vec<&'static str>,
    /// The folder that it is limited to.
    #[schema(value_type = Option<String>)]
    folder_id: Option<FileId>,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to within some minutes.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<&ApiToken> for TokenView {
    fn from(token: &ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            scopes: token.scopes.iter().map(Scope::word).collect(),
            folder_id: token.folder,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// A new API token with its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewApiToken)]
pub(super) struct NewTokenView {
    #[serde(flatten)]
    token_facts: TokenView,
    /// The token itself, which is shown now and never again.
    token: String,
}

/// The caller's API tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiTokenList)]
pub(super) struct TokenListView {
    /// Newest first.
    items: Vec<TokenView>,
    /// Always null: all of them are in one page.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<()>,
    /// How many there are.
    total: usize,
}

/// Makes an API token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateApiToken)]
pub(super) struct TokenBody {
    /// What to call it, 1 to 100 characters.
    name: String,
    /// What it shall be good for: `files:read`, `files:write`, `shares`, `jobs:read`, `jobs:work`, `account`, `admin`; the two of `jobs:work` and
    /// `admin` only for administrators, and only while they are.
    scopes: Vec<String>,
    /// Only for this folder and what is below it. Goes with `files:read`, `files:write` and `shares` alone.
    #[schema(value_type = Option<String>)]
    folder_id: Option<FileId>,
    /// When it shall end by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The account's password.
    #[schema(format = Password)]
    password: String,
    /// The code that the app shows, where the account has a second factor.
    #[serde(default)]
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    #[serde(default)]
    recovery_code: Option<String>,
}

/// Lists the caller's API tokens
#[utoipa::path(
    tag = "accounts",
    operation_id = "listApiTokens",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    responses(
        (status = 200, body = TokenListView),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/me/tokens")]
pub(super) async fn list(caller: Authenticated, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let tokens = service.admin.tokens.list_tokens(caller.user).await?;
    let items: Vec<_> = tokens.iter().map(TokenView::from).collect();
    let total = items.len();
    let answer = TokenListView { items, next_cursor: None, total };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Makes an API token
///
/// It takes a sign-in, and the password once more, with a code where the account has a second factor: no token makes another. The text is shown in this
/// answer alone. A mail tells the owner.
#[utoipa::path(
    tag = "accounts",
    operation_id = "createApiToken",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    request_body = TokenBody,
    responses(
        (status = 201, description = "Made", body = NewTokenView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`; `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`wrong_password`; `forbidden`: a scope that only administrators have; `insufficient_scope`; `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`too_many`; `conflict`: another password was set meanwhile", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/me/tokens")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: TokenBody = input::json(&request, payload, BODY_BYTES).await?;
    let new = NewToken {
        name: body.name,
        scopes: scopes(&body.scopes)?,
        folder: body.folder_id,
        expires_at: body.expires_at,
    };
    let factor = SecondFactor { totp: body.totp.as_deref(), recovery_code: body.recovery_code.as_deref() };
    let proof = Proof { password: &body.password, second_factor: factor };
    let from = client(&request, &service);
    let (token, text) = tokens::create(&service, &from, &caller, proof, new).await.map_err(problem)?;
    let answer = NewTokenView { token_facts: TokenView::from(&token), token: text.reveal().to_owned() };
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

fn scopes(words: &[String]) -> ApiResult<Scopes> {
    let read = |(place, word): (usize, &String)| {
        Scope::parse(word).ok_or_else(|| {
            let known: Vec<_> = Scope::ALL.into_iter().map(Scope::word).collect();
            let detail = format!("No such scope; there are {}", known.join(", "));
            Problem::new(Code::InvalidRequest).detail(detail.clone()).field(
                format!("/scopes/{place}"),
                "invalid",
                detail,
            )
        })
    };
    words.iter().enumerate().map(read).collect()
}

/// Ends an API token
#[utoipa::path(
    tag = "accounts",
    operation_id = "deleteApiToken",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "Ended; it fails from now on"),
        (status = 401, description = "`unauthorized`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: ended, but not yet known everywhere; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/me/tokens/{id}")]
pub(super) async fn revoke(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: TokenId = input::path_id(&request, "id")?;
    let by = author(&caller, &request, &service);
    if tokens::revoke(&service, caller.user, &by, id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Code::NotFound.into())
    }
}
