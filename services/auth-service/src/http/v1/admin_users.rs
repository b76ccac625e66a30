//! `/api/v1/admin/users`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use common::auth::mail::AccountEvent;
use common::auth::{AddressKey, Role, User, UserFilter};
use common::files::UserUsage;
use common::{Code, Timestamp, UserId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::lists::{self, RoleChoice};
use super::proof::{self, ProofBody};
use crate::AuthService;
use crate::app::admin::{AccountChange, NewAccount};
use crate::app::mails;
use crate::app::setup::NewCredentials;
use crate::http::{BODY_BYTES, author, client, problem};

/// An account, as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
pub(super) struct AccountView {
    /// 24 hexadecimal digits.
    id: String,
    /// As typed.
    email: String,
    // described at its type: utoipa writes both descriptions as a contradiction
    #[schema(inline)]
    role: RoleChoice,
    /// It cannot sign in, and its credentials fail.
    disabled: bool,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<&User> for AccountView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.address.as_str().to_owned(),
            role: user.role.into(),
            disabled: user.disabled,
            created_at: user.created_at,
        }
    }
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountList)]
pub(super) struct AccountListView {
    /// Newest first.
    items: Vec<AccountView>,
    /// For the next page.
    next_cursor: Option<String>,
    /// How many the filter lets in.
    total: u64,
}

/// What an account's space holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountUsage)]
pub(super) struct UsageView {
    /// Bytes of all contents.
    used_bytes: u64,
    /// Most bytes that it may hold; null is no limit.
    quota_bytes: Option<u64>,
    /// Files and folders.
    file_count: u64,
}

impl From<UserUsage> for UsageView {
    fn from(usage: UserUsage) -> Self {
        Self { used_bytes: usage.used_bytes, quota_bytes: usage.quota_bytes, file_count: usage.node_count }
    }
}

/// An account with what its space holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountDetails)]
pub(super) struct DetailsView {
    #[serde(flatten)]
    account: AccountView,
    /// Null while file-service does not answer.
    usage: Option<UsageView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AccountsQuery {
    /// Only those whose address holds this text, whatever its case.
    q: Option<String>,
    /// Only those with this role.
    #[param(inline)]
    role: Option<RoleChoice>,
    /// `active` or `disabled`.
    #[param(inline)]
    state: Option<StateChoice>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateChoice {
    Active,
    Disabled,
}

/// Lists accounts, newest first
#[utoipa::path(
    tag = "administration",
    operation_id = "listAccounts",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(AccountsQuery),
    responses(
        (status = 200, body = AccountListView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/users")]
pub(super) async fn list(
    _: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let query: AccountsQuery = input::query(&request)?;
    let limit = lists::limit(query.limit)?;
    let filter = UserFilter {
        address: query.q.as_deref().map(AddressKey::fold).filter(|text| !text.is_empty()),
        role: query.role.map(Into::into),
        disabled: query.state.map(|state| matches!(state, StateChoice::Disabled)),
    };
    let name = format!("accounts {:?} {:?} {:?}", filter.address, filter.role, filter.disabled);
    let before = lists::before::<UserId>(&service, &name, query.cursor.as_deref())?;
    let page = service.admin.users.list_users(&filter, before, limit).await?;
    let last = page.items.last().filter(|_| page.more);
    let answer = AccountListView {
        next_cursor: last.map(|user| lists::after(&service, &name, user.id.0)),
        items: page.items.iter().map(AccountView::from).collect(),
        total: page.total,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Makes an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateAccount)]
pub(super) struct CreateBody {
    /// The address.
    #[schema(format = Email)]
    email: String,
    /// The first password, which its owner should change.
    #[schema(format = Password)]
    password: String,
    /// `user` if left out.
    #[schema(inline)]
    role: Option<RoleChoice>,
    /// The address is its owner's: no code is asked for, where the settings want one.
    #[serde(default)]
    verified: bool,
    /// For the role `admin`: that it is the caller who asks.
    proof: Option<ProofBody>,
}

/// Makes an account
///
/// Where addresses must be verified, its owner gets a code by mail, unless `verified` says that the address is theirs. An administrator is made by a sign-in,
/// no token, with `proof`; a mail tells all administrators.
#[utoipa::path(
    tag = "administration",
    operation_id = "createAccount",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    request_body = CreateBody,
    responses(
        (status = 201, description = "Made", body = AccountView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`; `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`, `wrong_password`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`address_taken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/users")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: CreateBody = input::json(&request, payload, BODY_BYTES).await?;
    let NewCredentials { address, password } =
        NewCredentials::parse(&body.email, &body.password, &service.settings.accounts.password_rules())
            .map_err(problem)?;
    let (by, from) = (author(&caller, &request, &service), client(&request, &service));
    let role = body.role.map_or(Role::User, Into::into);
    proof::require(&service, &from, &caller, body.proof.as_ref(), role == Role::Admin).await?;
    let new = NewAccount { address, password, role, verified: body.verified };
    let user = service.administration.create(&by, &from, new).await.map_err(problem)?;
    Ok(HttpResponse::Created().json(AccountView::from(&user)))
}

/// Shows an account and what its space holds
#[utoipa::path(
    tag = "administration",
    operation_id = "getAccount",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = DetailsView),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/users/{id}")]
pub(super) async fn show(
    _: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: UserId = input::path_id(&request, "id")?;
    let user = service.accounts.store.find_user(id).await?.ok_or(Code::NotFound)?;
    details(&service, &user).await
}

async fn details(service: &AuthService, user: &User) -> ApiResult<HttpResponse> {
    let usage = service.administration.usage(user.id).await.map(UsageView::from);
    let answer = DetailsView { account: AccountView::from(user), usage };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// What of an account shall be different. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateAccount)]
pub(super) struct ChangeBody {
    #[schema(inline)]
    role: Option<RoleChoice>,
    /// Disabling signs the account out, and its API tokens fail until it is enabled again.
    disabled: Option<bool>,
    /// Most bytes that its space may hold; null lifts the limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    quota_bytes: Option<Option<u64>>,
    /// True ends all its sessions. Its API tokens go on.
    #[serde(default)]
    sign_out: bool,
    /// True takes its second factor away, for an owner who has lost it.
    #[serde(default)]
    reset_second_factor: bool,
    /// For what makes an administrator of it (`role`, or the end of `disabled`) and for `resetSecondFactor`: that it is the caller who asks.
    proof: Option<ProofBody>,
}

/// A member that may be null, told from one that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes an account: its state, role and quota; signs it out
///
/// What makes an administrator of it, and taking its second factor away, want a sign-in, no token, and `proof`; a mail tells all administrators of another
/// one.
#[utoipa::path(
    tag = "administration",
    operation_id = "updateAccount",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "As it is now", body = DetailsView),
        (status = 400, description = "`invalid_json`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`; `second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `insufficient_scope`, `wrong_password`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`last_administrator`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: some of it may be done; ask again", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[patch("/users/{id}")]
pub(super) async fn change(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: UserId = input::path_id(&request, "id")?;
    let body: ChangeBody = input::json(&request, payload, BODY_BYTES).await?;
    let change = AccountChange {
        role: body.role.map(Into::into),
        disabled: body.disabled,
        quota_bytes: body.quota_bytes,
        sign_out: body.sign_out,
    };
    if change == AccountChange::default() && !body.reset_second_factor {
        return Err(Problem::new(Code::InvalidRequest).detail("There is nothing to change"));
    }
    let (by, from) = (author(&caller, &request, &service), client(&request, &service));
    let before = service.accounts.store.find_user(id).await?.ok_or(Code::NotFound)?;
    let is_wanted = change.role == Some(Role::Admin)
        || change.makes_an_administrator_of(&before)
        || body.reset_second_factor;
    proof::require(&service, &from, &caller, body.proof.as_ref(), is_wanted).await?;
    let user = service.administration.change(&by, &from, id, change).await.map_err(problem)?;
    if body.reset_second_factor {
        let notice = mails::notice(&service, &from, &user, AccountEvent::SecondFactorOff);
        service.administration.reset_second_factor(&by, id, &notice).await.map_err(problem)?;
    }
    details(&service, &user).await
}

/// Removes an account
#[utoipa::path(
    tag = "administration",
    operation_id = "deleteAccount",
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "Gone: it cannot sign in, its sessions and tokens fail, its address is free"),
        (status = 403, description = "`forbidden`, `insufficient_scope`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`last_administrator`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[delete("/users/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let id: UserId = input::path_id(&request, "id")?;
    let by = author(&caller, &request, &service);
    service.administration.remove(&by, id).await.map_err(problem)?;
    Ok(HttpResponse::NoContent().finish())
}
