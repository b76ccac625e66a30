//! Webhooks of the caller. Those of others are as unknown as ones that never were, for administrators too.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use common::auth::Principal;
use common::webhooks::{ChangeWebhookError, PreviousSecret, Webhook as Stored};
use common::{Code, Timestamp, WebhookId};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::Serialize;
use utoipa::ToSchema;

use super::answers::Refused;
use super::webhook_body::{Webhook, WebhookPatch, WebhookRequest, description, events, may_tell_all, url};
use crate::WorkerService;

/// How often a change is tried again when the webhook is switched off at the same moment.
const MOST_TRIES: u32 = 5;
/// Room for a description and an address with every character escaped.
const MOST_BYTES: usize = 32 * 1024;

/// All webhooks of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhooks {
    /// Oldest first.
    items: Vec<Webhook>,
}

/// A webhook that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedWebhook {
    /// The webhook.
    webhook: Webhook,
    /// What its messages are signed with. It is shown this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// A secret that was replaced.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplacedSecret {
    /// What messages are signed with from now on. It is shown this once.
    secret: String,
    /// Until then they are signed with the one before, too.
    #[schema(value_type = String, format = DateTime)]
    previous_secret_until: Timestamp,
}

/// The caller's webhooks.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhooks",
    responses((status = 200, description = "The webhooks", body = Webhooks), Refused),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("")]
pub(super) async fn list(
    caller: Authenticated,
    service: web::Data<WorkerService>,
) -> ApiResult<web::Json<Webhooks>> {
    let (stored, now) = (service.webhooks.list_webhooks(caller.user).await?, service.clock.now());
    Ok(web::Json(Webhooks { items: stored.into_iter().map(|webhook| Webhook::of(webhook, now)).collect() }))
}

/// Makes a webhook. It is told of what happens from now on.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "createWebhook",
    request_body = WebhookRequest,
    responses(
        (status = 201, description = "The webhook, and its secret", body = CreatedWebhook, headers(("Location" = String))),
        (status = 403, description = "`forbidden`: only administrators are told of everybody's jobs", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`unprocessable`: the caller has 20 already", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("")]
pub(super) async fn create(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let asked: WebhookRequest = input::json(&request, payload, MOST_BYTES).await?;
    may_tell_all(asked.all_jobs, &caller)?;
    let (id, now) = (WebhookId(service.ids.object_id()), service.clock.now());
    let made = service.secrets.make(id);
    let webhook = Stored {
        id,
        user: caller.user,
        url: url(&asked.url, service.egress.allowed())?,
        description: description(&asked.description)?,
        events: events(&asked.events)?,
        all_jobs: asked.all_jobs,
        secret: made.sealed,
        previous_secret: None,
        off: None,
        failing_since: None,
        failures: 0,
        created_at: now,
        updated_at: now,
        revision: 1,
    };
    if service.webhooks.list_webhooks(caller.user).await?.len() >= Stored::MAX_OF_ONE {
        return Err(Problem::new(Code::Unprocessable).detail("You have 20 webhooks already"));
    }
    service.webhooks.create_webhook(&webhook).await?;
    let created = CreatedWebhook { webhook: Webhook::of(webhook, now), secret: made.shown };
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("webhooks/{id}")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(created))
}

/// One of the caller's webhooks.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "getWebhook",
    params(("id" = String, Path, description = "The webhook's id")),
    responses(
        (status = 200, description = "The webhook", body = Webhook),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/{id}")]
pub(super) async fn show(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<Webhook>> {
    let webhook = find(&service, &caller, &request).await?;
    Ok(web::Json(Webhook::of(webhook, service.clock.now())))
}

/// Changes a webhook; switches it off or on, too.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "changeWebhook",
    params(("id" = String, Path, description = "The webhook's id")),
    request_body = WebhookPatch,
    responses(
        (status = 200, description = "The webhook, as it is now", body = Webhook),
        (status = 403, description = "`forbidden`: only administrators are told of everybody's jobs", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: others change it all the time", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[patch("/{id}")]
pub(super) async fn change(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<Webhook>> {
    let patch: WebhookPatch = input::json(&request, payload, MOST_BYTES).await?;
    let (changed, now) = update(&service, &caller, &request, |webhook, now| {
        patch.apply(webhook, &caller, service.egress.allowed(), now)
    })
    .await?;
    Ok(web::Json(Webhook::of(changed, now)))
}

/// Removes a webhook with what was sent to it. What is under way to it is called off.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "removeWebhook",
    params(("id" = String, Path, description = "The webhook's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[delete("/{id}")]
pub(super) async fn remove(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let webhook = find(&service, &caller, &request).await?;
    if service.webhooks.delete_webhook(webhook.id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

/// Replaces a webhook's secret. For a day, messages are signed with both.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "replaceWebhookSecret",
    params(("id" = String, Path, description = "The webhook's id")),
    responses(
        (status = 200, description = "The secret", body = ReplacedSecret),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: others change it all the time", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/secret")]
pub(super) async fn replace_secret(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let id: WebhookId = input::path_id(&request, "id")?;
    let made = service.secrets.make(id);
    let (_, now) = update(&service, &caller, &request, |webhook, now| {
        let until = now + service.settings.webhooks.keep_secret;
        let previous = PreviousSecret { sealed: webhook.secret.clone(), until };
        let secret = made.sealed.clone();
        Ok(Stored { secret, previous_secret: Some(previous), updated_at: now, ..webhook })
    })
    .await?;
    let replaced = ReplacedSecret {
        secret: made.shown.clone(),
        previous_secret_until: now + service.settings.webhooks.keep_secret,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(replaced))
}

/// The webhook that the path names, if it is the caller's.
///
/// # Errors
/// `not_found`.
pub(super) async fn find(
    service: &WorkerService,
    caller: &Principal,
    request: &HttpRequest,
) -> ApiResult<Stored> {
    let id: WebhookId = input::path_id(request, "id")?;
    let found = service.webhooks.find_webhook(id).await?.filter(|webhook| webhook.user == caller.user);
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Reads, changes and writes; again if something came between. The webhook as it is then, and the time of the change.
async fn update(
    service: &WorkerService,
    caller: &Principal,
    request: &HttpRequest,
    alter: impl Fn(Stored, Timestamp) -> ApiResult<Stored>,
) -> ApiResult<(Stored, Timestamp)> {
    for _ in 0..MOST_TRIES {
        let (webhook, now) = (find(service, caller, request).await?, service.clock.now());
        let heard = webhook.hears_of_files();
        let changed = alter(webhook, now)?;
        if !heard && changed.hears_of_files() {
            // what happened meanwhile is not told later
            service.webhooks.forget_files_told(changed.id).await?;
        }
        match service.webhooks.update_webhook(&changed).await {
            Ok(()) => return Ok((Stored { revision: changed.revision + 1, ..changed }, now)),
            Err(ChangeWebhookError::NotFound) => return Err(Problem::new(Code::NotFound)),
            // it was switched off, or its owner changes it elsewhere
            Err(ChangeWebhookError::Changed) => {}
            Err(ChangeWebhookError::Port(error)) => return Err(error.into()),
        }
    }
    Err(Problem::new(Code::Conflict))
}
