//! What happens to jobs, as a stream (Server-Sent Events).

use std::future::pending;

use actix_web::dev::Payload;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, get, web};
use common::jobs::JobEventFilter;
use common::{Causes, JobId, PortResult, UserId};
use http_kit::event_stream::{self, Events, message};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::IntoParams;

use super::access::Administrator;
use super::answers::{Refused, Restricted, wrong};
use super::view::Job;
use crate::WorkerService;
use crate::follow::{Follower, Told, shown, shown_to_owner};

/// Which events to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only of this job. How it is now is told first.
    #[param(value_type = Option<String>)]
    job: Option<JobId>,
    /// Only of jobs of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Those after this one; as the field `Last-Event-ID`, which goes before it. Without either: from now on.
    after: Option<u64>,
}

/// Follows what happens to jobs: `id` is the place of the event, `event` its word (`enqueue`, `start`, `promotion`, `progress`, `failed-attempt`, `failed`,
/// `complete`, `cancel`, `priority`, `return`, `remove`), `data` a `JobEvent`. Whoever comes back with `Last-Event-ID` misses nothing and gets nothing twice;
/// `reset` says that events are forgotten which would have come, so that the jobs have to be looked at. With `job`, `state` first says how the job is.
/// Of one person's streams the oldest ends when there are too many.
#[utoipa::path(
    tag = "jobs",
    operation_id = "followJobs",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Only what came after this event")),
    responses(
        (status = 200, description = "A stream without an end", body = String, content_type = "text/event-stream"),
        (status = 429, description = "`rate_limited`: too many streams of one person whose clients read nothing", body = ProblemDocument, content_type = "application/problem+json"),
        Restricted,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/events")]
pub(super) async fn all(
    caller: Administrator,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    begin(service, request, caller.user, None).await
}

/// Follows what happens to the caller's own jobs, as `GET /jobs/events` does. Where it follows all of them, `notifications` with `{"unread": 3}` says that
/// notifications came or were read.
#[utoipa::path(
    tag = "jobs",
    operation_id = "followMyJobs",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Only what came after this event")),
    responses(
        (status = 200, description = "A stream without an end", body = String, content_type = "text/event-stream"),
        (status = 429, description = "`rate_limited`: too many streams of one person whose clients read nothing", body = ProblemDocument, content_type = "application/problem+json"),
        Refused,
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("/events")]
pub(super) async fn mine(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    begin(service, request, caller.user, Some(caller.user)).await
}

async fn begin(
    service: web::Data<WorkerService>,
    request: HttpRequest,
    caller: UserId,
    only: Option<UserId>,
) -> ApiResult<HttpResponse> {
    let query: EventsQuery = input::query(&request)?;
    let after = place(&request)?.or(query.after);
    let seat = event_stream::seat(&service.seats, caller)?;
    let filter = JobEventFilter { user: only, job: query.job, kind: query.kind, only_ends: false };
    // a stream of something narrower is no place for other news
    let news = only.filter(|_| filter.job.is_none() && filter.kind.is_none()).map(|_| service.bells.news());
    let follower = service.hub.follow(after, filter).await?;
    let (pace, closing) = (service.settings.listeners.pace(), service.closing.clone());
    let jobs = Jobs { job: query.job, only, follower, news, service };
    // after the place is taken: what changes from now on is an event
    let first = jobs.state().await?.unwrap_or_default();
    Ok(event_stream::answer(request, jobs, &first, (seat, pace, closing)))
}

/// Where a browser says that it was.
fn place(request: &HttpRequest) -> ApiResult<Option<u64>> {
    let Some(text) = event_stream::last_event_id(request) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| wrong("", "Last-Event-ID must be the id of an event"))
}

/// What a stream tells of jobs.
struct Jobs {
    job: Option<JobId>,
    only: Option<UserId>,
    follower: Follower,
    /// Who is told something, where the caller wants to hear whether they are.
    news: Option<Receiver<UserId>>,
    service: web::Data<WorkerService>,
}

/// What is to be told.
enum Item {
    Told(PortResult<Told>),
    /// Notifications came, or were read.
    News,
}

impl Events for Jobs {
    type Item = Item;

    async fn next(&mut self) -> Item {
        tokio::select! {
            told = self.follower.next() => Item::Told(told),
            () = own_news(self.news.as_mut(), self.only) => Item::News,
        }
    }

    async fn text(&mut self, item: Item) -> Option<String> {
        let text = match item {
            Item::Told(told) => self.told(told).await,
            Item::News => self.unread().await,
        };
        text.inspect_err(|error| {
            // the client comes back to where it was
            tracing::debug!(cause = %Causes(error), "a stream of events breaks off");
        })
        .ok()
    }

    fn place(&self) -> Option<String> {
        self.follower.place().map(|place| place.to_string())
    }

    async fn is_allowed(&self, request: &HttpRequest) -> bool {
        let caller = Authenticated::from_request(request, &mut Payload::None).await;
        match (caller, self.only) {
            (Ok(caller), Some(user)) => caller.user == user,
            (Ok(caller), None) => caller.role == common::auth::Role::Admin,
            (Err(error), _) => error.as_response_error().status_code().is_server_error(),
        }
    }
}

impl Jobs {
    /// How many notifications of the caller are unread. It is no event of jobs: it has no place, and moves nobody's on.
    async fn unread(&self) -> PortResult<String> {
        let Some(user) = self.only else { return Ok(String::new()) };
        let page = self.service.notifications.list_notifications(user, true, None, 0).await?;
        let data = json!({ "unread": page.unread });
        Ok(format!("event: notifications\ndata: {data}\n\n"))
    }

    async fn told(&self, told: PortResult<Told>) -> PortResult<String> {
        Ok(match told? {
            Told::Event(event) => {
                let shown = if self.only.is_some() { shown_to_owner(&event) } else { shown(&event) };
                message(event.seq, event.event.word(), &shown)
            }
            Told::Reset(place) => {
                let reset = message(place, "reset", &json!({}));
                reset + &self.state().await?.unwrap_or_default()
            }
        })
    }

    /// How the job is that is followed, if one is. Somebody else's is as unknown as one that never was.
    async fn state(&self) -> PortResult<Option<String>> {
        let Some(id) = self.job else { return Ok(None) };
        let found = self.service.store.find(id).await?;
        let job = found.filter(|job| self.only.is_none_or(|user| job.spec.user == Some(user)));
        let state = job.as_ref().map_or("unknown", |job| job.state.word());
        let job = job.map(|job| if self.only.is_some() { Job::for_owner(job) } else { Job::from(job) });
        let data = json!({ "jobId": id, "state": state, "job": job });
        Ok(Some(format!("event: state\ndata: {data}\n\n")))
    }
}

/// Waits until this user may have been told something.
async fn own_news(news: Option<&mut Receiver<UserId>>, user: Option<UserId>) {
    let (Some(news), Some(user)) = (news, user) else { return pending().await };
    loop {
        match news.recv().await {
            Ok(told) if told != user => {}
            // of those that were missed one may be theirs
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // the bells live as long as the service
            Err(RecvError::Closed) => return pending().await,
        }
    }
}
