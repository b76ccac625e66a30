//! `/api/v1/auth/oidc`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, get, post, web};
use common::Code;
use common::auth::SessionKind;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, MaybeAuthenticated, Problem, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Login, add_cookie, cookie_policy, open_session, profile};
use crate::AuthService;
use crate::app::identities::{self, ProviderError};
use crate::app::second_factor::SecondFactor;
use crate::app::sessions::{COOKIE_LIFETIME, Issued};
use crate::http::{BODY_BYTES, client, problem};
use crate::oidc::flow::{self, FLOW_LIFETIME, Flow, Origin, PENDING_LIFETIME, Pending, place_in_page};
use crate::oidc::{OidcError, Provider, Returned};

/// The cookie of a sign-in under way.
const FLOW_COOKIE: &str = "oidc";
/// The cookie of one that waits for a second factor.
const PENDING_COOKIE: &str = "oidc_pending";
/// The cookie that says which provider the session came from.
const ORIGIN_COOKIE: &str = "oidc_origin";

/// Where in the page linked identities are.
const IDENTITIES_PLACE: &str = "/app/account/security";

/// An identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderEntry {
    /// Its name in addresses.
    id: String,
    /// What its button says.
    title: String,
}

/// The identity providers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProviderList {
    /// By name; there are few.
    items: Vec<ProviderEntry>,
}

/// Where to go afterwards.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StartQuery {
    /// A place in the page, such as `/app/files`; anything else is passed over.
    return_to: Option<String>,
}

/// Where a browser goes next.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WayToProvider {
    /// At the provider.
    url: String,
}

/// What an account wants besides.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CompleteSignIn {
    /// The code that the app shows, where the account has a second factor.
    #[serde(default)]
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    #[serde(default)]
    recovery_code: Option<String>,
    /// Keeps an account that waits to be deleted.
    #[serde(default)]
    cancel_deletion: bool,
}

/// Lists the identity providers that people can sign in by
#[utoipa::path(
    tag = "accounts",
    operation_id = "listProviders",
    responses((status = 200, body = ProviderList)),
)]
#[get("/oidc/providers")]
pub(super) async fn providers(service: web::Data<AuthService>) -> HttpResponse {
    let entry = |provider: &Provider| ProviderEntry {
        id: provider.settings.name.clone(),
        title: provider.settings.title.clone(),
    };
    HttpResponse::Ok().json(ProviderList { items: service.providers.all().map(entry).collect() })
}

/// Sends a browser to an identity provider
///
/// For browsers: the answer is a redirect, and a cookie that the way back needs. A browser that asks for a page is led back to the product's page if the
/// provider cannot be reached; `#sign-in=` says the code of the problem there.
#[utoipa::path(
    tag = "accounts",
    operation_id = "startProviderSignIn",
    params(("provider" = String, Path, description = "The provider's id"), StartQuery),
    responses(
        (status = 303, description = "To the provider"),
        (status = 400, description = "`invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/oidc/{provider}/start")]
pub(super) async fn start(request: HttpRequest, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let asked: StartQuery = input::query(&request)?;
    let provider = provider(&request, &service)?;
    let back = asked.return_to.as_deref().and_then(place_in_page);
    let flow = Flow::new(&provider.settings.name, None, back, service.accounts.clock.now())?;
    match provider.way_there(&flow).await {
        Ok(place) => {
            let mut answer = redirect(place.as_str());
            keep_flow(&request, &service, &flow, &mut answer)?;
            Ok(answer)
        }
        Err(error) => failed(&request, provider, None, ProviderError::from(error)),
    }
}

/// Takes a browser back from an identity provider
///
/// Signs in and leads into the page, or links the identity to the account that asked for that. A browser that asks for a page is led there in each case, with
/// the code of what went wrong behind `#sign-in=`; `second_factor_required` and `deletion_scheduled` go on at `POST /api/v1/auth/oidc/complete`.
#[utoipa::path(
    tag = "accounts",
    operation_id = "finishProviderSignIn",
    params(
        ("provider" = String, Path, description = "The provider's id"),
        ("state" = Option<String>, Query, description = "As the provider was given it"),
        ("code" = Option<String>, Query, description = "What the provider gives for tokens"),
        ("iss" = Option<String>, Query, description = "The provider (RFC 9207)"),
        ("error" = Option<String>, Query, description = "Why the provider did not sign in"),
    ),
    responses(
        (status = 303, description = "Into the page, signed in; or linked"),
        (status = 400, description = "`provider_state`, `invalid_request`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`second_factor_required`; `unauthorized` where an identity was to be linked and nobody is signed in", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`provider_refused`, `provider_answer`, `address_unverified`, `registration_closed`, `account_closed`, `not_verified`, `deletion_scheduled`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`link_required`, `identity_taken`, `too_many`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`, `unavailable`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[get("/oidc/{provider}/callback")]
pub(super) async fn callback(
    request: HttpRequest,
    caller: MaybeAuthenticated,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let provider = provider(&request, &service)?;
    let kept: Option<Flow> = kept(&request, &service, FLOW_COOKIE)?;
    let link = kept.as_ref().and_then(|flow| flow.link);
    match come_back(&request, &service, provider, kept.as_ref(), &caller).await {
        Ok(answer) => Ok(answer),
        Err(Stop::Here(error)) => failed(&request, provider, link, error),
        Err(Stop::Problem(problem)) => Err(problem),
    }
}

/// Why the way back ends before the page.
enum Stop {
    /// Something that the page can say.
    Here(ProviderError),
    /// A fault of ours.
    Problem(Problem),
}

impl From<ProviderError> for Stop {
    fn from(error: ProviderError) -> Self {
        Self::Here(error)
    }
}

impl From<OidcError> for Stop {
    fn from(error: OidcError) -> Self {
        Self::Here(error.into())
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

async fn come_back(
    request: &HttpRequest,
    service: &AuthService,
    provider: &Provider,
    flow: Option<&Flow>,
    caller: &MaybeAuthenticated,
) -> Result<HttpResponse, Stop> {
    let flow = flow.ok_or(OidcError::State)?;
    let returned = web::Query::<Returned>::from_query(request.query_string());
    let returned = returned.map_err(|_| OidcError::State)?;
    let from = client(request, service);
    let person = identities::who(service, &from, provider, flow, &returned).await?;
    if let Some(wanted) = flow.link {
        identities::link_to_caller(service, &from, provider, &person, wanted, caller.0.as_ref()).await?;
        let mut answer = redirect(&provider.page(flow.back.as_deref().unwrap_or(IDENTITIES_PLACE)));
        forget(request, FLOW_COOKIE, &mut answer)?;
        return Ok(answer);
    }
    let account = identities::account_of(service, &from, provider, &person).await?;
    let (subject, hint) = (person.subject, flow::hint(person.id_token));
    match identities::enter(service, &from, account, SecondFactor::default(), false).await {
        Ok(user) => {
            let mut answer = redirect(&provider.page(flow.back.as_deref().unwrap_or("/app/")));
            let name = &provider.settings.name;
            enter(request, service, &user, name, hint, &mut answer).await?;
            Ok(answer)
        }
        Err(error) if wants_more(&error) => {
            let pending = Pending {
                provider: provider.settings.name.clone(),
                issuer: provider.settings.issuer.clone(),
                subject,
                hint,
                expires_at: service.accounts.clock.now() + PENDING_LIFETIME,
            };
            let problem = problem(error);
            let mut answer = if wants_page(request) {
                redirect(&outcome_in_page(provider, None, problem.code()))
            } else {
                problem.error_response()
            };
            let value = flow::seal(&service.master_key, &pending);
            add_cookie(
                &mut answer,
                &cookie_policy(request)?.issue_for(PENDING_COOKIE, value, PENDING_LIFETIME),
            )?;
            forget(request, FLOW_COOKIE, &mut answer)?;
            Ok(answer)
        }
        Err(error) => Err(error.into()),
    }
}

/// Brings a sign-in by an identity provider to its end, where the account wants more
///
/// Within five minutes of `second_factor_required` or `deletion_scheduled`, by the browser that came back from the provider.
#[utoipa::path(
    tag = "accounts",
    operation_id = "completeProviderSignIn",
    request_body = CompleteSignIn,
    responses(
        (status = 200, description = "Signed in; a cookie carries the session", body = Login),
        (status = 400, description = "`invalid_json`, `invalid_request`, `provider_state`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "`second_factor_required`, `invalid_second_factor`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "`deletion_scheduled`, `account_closed`, `not_verified`, `cross_origin`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
#[post("/oidc/complete")]
pub(super) async fn complete(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let body: CompleteSignIn = input::json(&request, payload, BODY_BYTES).await?;
    if !cookie_policy(&request)?.is_same_origin(&request) {
        return Err(Code::CrossOrigin.into());
    }
    let pending: Pending = kept(&request, &service, PENDING_COOKIE)?.ok_or(Code::ProviderState)?;
    let account = identities::pending_account(&service, &pending).await.map_err(problem)?;
    let factor = SecondFactor { totp: body.totp.as_deref(), recovery_code: body.recovery_code.as_deref() };
    let from = client(&request, &service);
    let user = identities::enter(&service, &from, account, factor, body.cancel_deletion).await;
    let user = user.map_err(problem)?;
    let body = Login::Cookie { user: profile(&service, &user).await? };
    let mut answer = HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body);
    enter(&request, &service, &user, &pending.provider, pending.hint, &mut answer).await?;
    forget(&request, PENDING_COOKIE, &mut answer)?;
    Ok(answer)
}

/// Opens a session whose cookie goes with the answer, and notes which provider it came from.
async fn enter(
    request: &HttpRequest,
    service: &AuthService,
    user: &common::auth::User,
    provider: &str,
    hint: Option<String>,
    answer: &mut HttpResponse,
) -> ApiResult<()> {
    let (opened, device) = open_session(service, request, user, SessionKind::Cookie).await?;
    let policy = cookie_policy(request)?;
    if let Issued::Cookie { token } = opened.issued {
        add_cookie(answer, &policy.issue(token, COOKIE_LIFETIME))?;
    }
    if let Some(device) = device {
        add_cookie(answer, &device)?;
    }
    let origin = Origin { provider: provider.to_owned(), session: opened.session, hint };
    let value = flow::seal(&service.master_key, &origin);
    add_cookie(answer, &policy.issue_for(ORIGIN_COOKIE, value, COOKIE_LIFETIME))?;
    forget(request, FLOW_COOKIE, answer)
}

/// Where a browser whose session ends goes to sign out at the provider too.
pub(super) async fn way_out(
    request: &HttpRequest,
    service: &AuthService,
    session: common::SessionId,
) -> ApiResult<Option<String>> {
    let origin: Option<Origin> = kept(request, service, ORIGIN_COOKIE)?;
    let Some(origin) = origin.filter(|origin| origin.session == session) else { return Ok(None) };
    let Some(provider) = service.providers.get(&origin.provider) else { return Ok(None) };
    Ok(provider.way_out(origin.hint.as_deref()).await.map(String::from))
}

/// Has a browser forget which provider its session came from, if it came from one.
pub(super) fn forget_origin(request: &HttpRequest, answer: &mut HttpResponse) -> ApiResult<()> {
    match cookie_policy(request)?.find_for(request, ORIGIN_COOKIE) {
        Some(_) => forget(request, ORIGIN_COOKIE, answer),
        None => Ok(()),
    }
}

/// Has a browser go to a provider, so that the identity which it has there opens this account.
pub(super) async fn link(
    request: &HttpRequest,
    service: &AuthService,
    provider: &Provider,
    user: common::UserId,
) -> ApiResult<HttpResponse> {
    let flow = Flow::new(&provider.settings.name, Some(user), None, service.accounts.clock.now())?;
    let place = provider.way_there(&flow).await.map_err(|error| problem(ProviderError::from(error)))?;
    let body = WayToProvider { url: place.into() };
    let mut answer = HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body);
    keep_flow(request, service, &flow, &mut answer)?;
    Ok(answer)
}

fn keep_flow(
    request: &HttpRequest,
    service: &AuthService,
    flow: &Flow,
    answer: &mut HttpResponse,
) -> ApiResult<()> {
    let value = flow::seal(&service.master_key, flow);
    add_cookie(answer, &cookie_policy(request)?.issue_for(FLOW_COOKIE, value, FLOW_LIFETIME))
}

fn kept<T: flow::Sealed>(request: &HttpRequest, service: &AuthService, what: &str) -> ApiResult<Option<T>> {
    let now = service.accounts.clock.now();
    let value = cookie_policy(request)?.find_for(request, what);
    Ok(value.and_then(|value| flow::open(&service.master_key, value, now)))
}

fn forget(request: &HttpRequest, what: &str, answer: &mut HttpResponse) -> ApiResult<()> {
    add_cookie(answer, &cookie_policy(request)?.issue_for(what, "", std::time::Duration::ZERO))
}

fn provider<'a>(request: &HttpRequest, service: &'a AuthService) -> ApiResult<&'a Provider> {
    let name = request.match_info().get("provider").unwrap_or_default();
    service.providers.get(name).ok_or_else(|| Code::NotFound.into())
}

fn redirect(place: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, place))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // the way back has a code in its address
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// Whether the account wants something that whoever came can still bring.
fn wants_more(error: &ProviderError) -> bool {
    use crate::app::own_account::AccountError;
    use crate::app::sign_in::SignInError;
    matches!(
        error,
        ProviderError::SignIn(
            SignInError::Waits(_) | SignInError::Account(AccountError::SecondFactorRequired)
        )
    )
}

/// Whether whoever asks is a browser that shows what comes.
fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn outcome_in_page(provider: &Provider, link: Option<common::UserId>, code: Code) -> String {
    let place = if link.is_some() { IDENTITIES_PLACE } else { "/app/" };
    provider.page(&format!("{place}#sign-in={}&provider={}", code.word(), provider.settings.name))
}

/// The page says what went wrong; a program is told by a problem.
fn failed(
    request: &HttpRequest,
    provider: &Provider,
    link: Option<common::UserId>,
    error: ProviderError,
) -> ApiResult<HttpResponse> {
    tracing::info!(provider = provider.settings.name, %error, "no sign-in by the identity provider");
    let problem = problem(error);
    if !wants_page(request) {
        return Err(problem);
    }
    let mut answer = redirect(&outcome_in_page(provider, link, problem.code()));
    forget(request, FLOW_COOKIE, &mut answer)?;
    Ok(answer)
}
