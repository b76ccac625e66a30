//! What was sent to webhooks.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use common::jobs::{InsertOutcome, Job, JobState, NewJob, types};
use common::webhooks::{
    Delivery as Stored, DeliveryAttempt, DeliveryPlace, DeliveryState as State, WebhookEvent as Event,
};
use common::{Code, DeliveryId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cause, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::Refused;
use super::page::limit;
use super::webhook_body::WebhookEvent;
use super::webhooks::find;
use crate::WorkerService;
use crate::webhooks::{delivery_job, ping};

/// A message to a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDelivery)]
pub(super) struct Delivery {
    /// Its id: `webhook-id` is `msg_` and this.
    id: String,
    /// What it tells.
    #[schema(value_type = WebhookEvent)]
    event: Event,
    /// What has become of it.
    #[schema(value_type = WebhookDeliveryState)]
    state: State,
    /// The tries, oldest first; the last 50.
    attempts: Vec<Attempt>,
    /// When it is tried next; null if never again, or while it is under way.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    next_attempt_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was delivered or given up.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    finished_at: Option<Timestamp>,
}

/// One try to hand a message over.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookAttempt)]
pub(super) struct Attempt {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// The status that the receiver answered, if it did.
    #[schema(required)]
    status: Option<u16>,
    /// Why it failed, if it did.
    #[schema(required)]
    error: Option<String>,
}

/// What has become of a message.
#[derive(ToSchema)]
#[schema(as = WebhookDeliveryState, rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the words of the domain's type, which knows no HTTP")]
pub(super) enum WebhookDeliveryState {
    /// It is under way, or waits for its next attempt.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It is given up.
    Failed,
    /// It was called off: the webhook is off, or somebody removed its job.
    Cancelled,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDeliveryList)]
pub(super) struct DeliveryList {
    /// The deliveries.
    items: Vec<Delivery>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A test that is under way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookTest)]
pub(super) struct Test {
    /// The id of its delivery.
    delivery_id: String,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// What was sent to a webhook within the last 30 days, newest first.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "listWebhookDeliveries",
    params(("id" = String, Path, description = "The webhook's id"), PageQuery),
    responses(
        (status = 200, description = "A page of deliveries", body = DeliveryList),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/{id}/deliveries")]
pub(super) async fn list(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<DeliveryList>> {
    let query: PageQuery = input::query(&request)?;
    let limit = limit(query.limit)?;
    let webhook = find(&service, &caller, &request).await?;
    let name = format!("deliveries/{}", webhook.id);
    let after: Option<DeliveryPlace> =
        query.cursor.map(|place| cursor::decode(&service.cursor_key, &name, &place)).transpose()?;
    let page = service.webhooks.list_deliveries(webhook.id, after, limit).await?;
    let last = page.items.last().filter(|_| page.more).map(Stored::place);
    let next_cursor = last.map(|place| cursor::encode(&service.cursor_key, &name, &place));
    let mut items = Vec::with_capacity(page.items.len());
    for stored in page.items {
        items.push(shown(&service, stored).await?);
    }
    Ok(web::Json(DeliveryList { items, next_cursor }))
}

/// How long the store remembers the id of a job that was removed.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Of a delivery that is not over, its job knows when it goes on.
async fn shown(service: &WorkerService, mut stored: Stored) -> ApiResult<Delivery> {
    let mut job = None;
    if stored.state == State::Pending {
        job = live_job(service, &stored).await?;
        if job.is_none() && !is_to_come(service, &stored).await? {
            (stored, job) = without_job(service, stored).await?;
        }
    }
    Ok(Delivery {
        id: stored.id.to_string(),
        event: stored.event,
        state: stored.state,
        attempts: stored.attempts.into_iter().map(Attempt::from).collect(),
        next_attempt_at: job.filter(|job| job.state != JobState::Active).and_then(|job| job.due_at),
        created_at: stored.created_at,
        finished_at: stored.finished_at,
    })
}

/// Whether its job is not made yet.
async fn is_to_come(service: &WorkerService, stored: &Stored) -> ApiResult<bool> {
    let is_young = service.clock.now().since(stored.created_at) < REMEMBERED;
    Ok(is_young && service.store.known(&[stored.job()]).await?.is_empty())
}

async fn live_job(service: &WorkerService, stored: &Stored) -> ApiResult<Option<Job>> {
    Ok(service.store.find(stored.job()).await?.filter(|job| job.state.is_live()))
}

/// A delivery that was pending a moment ago, and had no job that could go on: the job has been made since, or is over and has said what came of it, or
/// somebody has removed it. The job is asked first, since it says what came of it before it is over.
async fn without_job(service: &WorkerService, stored: Stored) -> ApiResult<(Stored, Option<Job>)> {
    if let Some(job) = live_job(service, &stored).await? {
        return Ok((stored, Some(job)));
    }
    let mut stored = service.webhooks.find_delivery(stored.id).await?.unwrap_or(stored);
    if stored.state == State::Pending {
        stored.state = State::Cancelled;
    }
    Ok((stored, None))
}

impl From<DeliveryAttempt> for Attempt {
    fn from(attempt: DeliveryAttempt) -> Self {
        let DeliveryAttempt { at, duration_ms, status, error } = attempt;
        Self { at, duration_ms, status, error }
    }
}

/// Sends a `ping`, also to a webhook that is off. It is tried once; its delivery says what came of it.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "testWebhook",
    params(("id" = String, Path, description = "The webhook's id")),
    responses(
        (status = 202, description = "It is under way", body = Test),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`key_taken`: another test of it is under way", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/test")]
pub(super) async fn test(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let webhook = find(&service, &caller, &request).await?;
    let now = service.clock.now();
    let delivery = ping(DeliveryId(service.ids.object_id()), &webhook, now);
    let job = delivery_job(&delivery, &webhook, &service.settings.webhooks, now);
    send(&service, &delivery, job, now).await
}

/// Sends a message again that has been delivered, given up or called off: the same body, as a new message with an id of its own.
#[utoipa::path(
    tag = "webhooks",
    operation_id = "sendWebhookDeliveryAgain",
    params(
        ("id" = String, Path, description = "The webhook's id"),
        ("delivery" = String, Path, description = "The id of the delivery"),
    ),
    responses(
        (status = 202, description = "It is under way", body = Test),
        (status = 404, description = "`not_found`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it is still on its way, or the webhook is off; `key_taken`: it is being sent again already", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/{id}/deliveries/{delivery}/again")]
pub(super) async fn again(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let webhook = find(&service, &caller, &request).await?;
    let id: DeliveryId = input::path_id(&request, "delivery")?;
    let found = service.webhooks.find_delivery(id).await?.filter(|sent| sent.webhook == webhook.id);
    let sent = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    if sent.state == State::Pending && shown(&service, sent.clone()).await?.state == State::Pending {
        return Err(Problem::new(Code::Conflict).detail("It is still on its way"));
    }
    if webhook.off.is_some() && sent.event != Event::Ping {
        return Err(Problem::new(Code::Conflict).detail("The webhook is off"));
    }
    let now = service.clock.now();
    let delivery = Stored {
        id: DeliveryId(service.ids.object_id()),
        created_at: now,
        state: State::Pending,
        attempts: Vec::new(),
        finished_at: None,
        ..sent
    };
    let job = delivery_job(&delivery, &webhook, &service.settings.webhooks, now);
    let unique_key = job.unique_key.clone().or_else(|| Some(format!("{}{id}", types::AGAIN_KEY)));
    send(&service, &delivery, NewJob { unique_key, ..job }, now).await
}

/// Has a message sent whose job has a key of its own.
async fn send(
    service: &WorkerService,
    delivery: &Stored,
    job: NewJob,
    now: Timestamp,
) -> ApiResult<HttpResponse> {
    // in this order: a job whose delivery is not there has nothing to do
    service.webhooks.create_deliveries(std::slice::from_ref(delivery)).await?;
    let outcomes = service.store.insert(&[job.caused_by(&cause::current())], now).await?;
    if let Some(InsertOutcome::Taken(holder)) = outcomes.first() {
        service.webhooks.note_delivery(delivery.id, None, State::Cancelled, now).await?;
        return Err(Problem::new(Code::KeyTaken).member("holder", holder.to_string()));
    }
    service.bells.ring(&[types::WEBHOOK_DELIVER.to_owned()]).await;
    Ok(HttpResponse::Accepted().json(Test { delivery_id: delivery.id.to_string() }))
}
