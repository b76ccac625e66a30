//! What happens to jobs, as a stream (Server-Sent Events).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use common::jobs::JobEventFilter;
use common::{Causes, Code, JobId, PortResult, UserId};
use futures_util::stream;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input, presence};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::access::Administrator;
use super::answers::{Refused, Restricted, wrong};
use super::view::Job;
use crate::WorkerService;
use crate::follow::{Follower, Told, shown};
use crate::seats::{NoSeat, Seat};

/// How soon a browser comes back.
const COME_BACK_MS: u32 = 2000;
/// How soon one comes back that made room for another of the same person: they would drive one another out all the time.
const COME_BACK_LATER_MS: u32 = 30_000;
/// When to try again where there is no place.
const NO_PLACE: Duration = Duration::from_secs(10);
/// The member by which a browser says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

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
#[get("/api/v1/jobs/events")]
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
#[get("/api/v1/users/me/jobs/events")]
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
    let seat = service.seats.take(caller).map_err(|reason| match reason {
        NoSeat::Stuck => {
            Problem::new(Code::RateLimited).detail("You follow jobs in too many places").retry_after(NO_PLACE)
        }
        NoSeat::Full => {
            Problem::new(Code::Unavailable).detail("Too many streams are open").retry_after(NO_PLACE)
        }
    })?;
    let filter = JobEventFilter { user: only, job: query.job, kind: query.kind, only_ends: false };
    // a stream of something narrower is no place for other news
    let news = only.filter(|_| filter.job.is_none() && filter.kind.is_none()).map(|_| service.bells.news());
    let follower = service.hub.follow(after, filter).await?;
    let now = Instant::now();
    let listeners = service.settings.listeners;
    let mut stream = Stream {
        job: query.job,
        only,
        follower,
        news,
        waiting: VecDeque::new(),
        beat_at: now + listeners.heartbeat,
        check_at: now + listeners.recheck,
        look_at: now + listeners.look_for_client,
        request,
        service,
        seat,
        is_over: false,
    };
    let mut first = format!("retry: {COME_BACK_MS}\n\n");
    // after the place is taken: what changes from now on is an event
    if let Some(state) = stream.state().await? {
        first.push_str(&state);
    }
    stream.waiting.push_back(first.into());
    let chunks = stream::unfold(stream, |mut stream| async {
        let chunk = stream.next().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks))
}

/// Where a browser says that it was.
fn place(request: &HttpRequest) -> ApiResult<Option<u64>> {
    let Some(value) = request.headers().get(LAST_EVENT_ID) else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| wrong("", "Last-Event-ID must be the id of an event"))
}

struct Stream {
    job: Option<JobId>,
    only: Option<UserId>,
    follower: Follower,
    /// Who is told something, where the caller wants to hear whether they are.
    news: Option<Receiver<UserId>>,
    waiting: VecDeque<Bytes>,
    beat_at: Instant,
    check_at: Instant,
    look_at: Instant,
    request: HttpRequest,
    service: web::Data<WorkerService>,
    seat: Seat,
    /// It ends when what waits has been sent.
    is_over: bool,
}

impl Stream {
    /// What is sent next; waits for it. None at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(chunk) = self.waiting.pop_front() {
            return Some(chunk);
        }
        if self.is_over {
            return None;
        }
        let service = Arc::clone(&self.service);
        let listeners = service.settings.listeners;
        loop {
            tokio::select! {
                () = service.closing.cancelled() => return None,
                () = self.seat.lost() => {
                    tracing::debug!("a stream of events makes room for another one of the same person");
                    self.is_over = true;
                    return Some(format!("retry: {COME_BACK_LATER_MS}\n\n").into());
                }
                told = self.follower.next() => {
                    self.beat_at = Instant::now() + listeners.heartbeat;
                    return match self.text(told).await {
                        Ok(text) => Some(text.into()),
                        Err(error) => {
                            // the client comes back to where it was
                            tracing::debug!(cause = %Causes(&error), "a stream of events breaks off");
                            None
                        }
                    };
                }
                () = own_news(self.news.as_mut(), self.only) => return self.unread().await,
                () = sleep_until(self.beat_at) => {
                    self.beat_at = Instant::now() + listeners.heartbeat;
                    // an id without data moves the client's place on and is no event
                    let place = self.follower.place().map(|place| format!("id: {place}\n"));
                    return Some(format!(":\n{}\n", place.unwrap_or_default()).into());
                }
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + listeners.look_for_client;
                    if !presence::is_there(&self.request) {
                        tracing::debug!("a stream of events ends, its client has left");
                        return None;
                    }
                }
                () = sleep_until(self.check_at) => {
                    self.check_at = Instant::now() + listeners.recheck;
                    if !self.is_allowed().await {
                        tracing::debug!("a stream of events ends with its credential");
                        return None;
                    }
                }
            }
        }
    }

    /// How many notifications of the caller are unread. It is no event of jobs: it has no place, and moves nobody's on.
    async fn unread(&self) -> Option<Bytes> {
        let user = self.only?;
        match self.service.notifications.list_notifications(user, true, None, 0).await {
            Ok(page) => {
                let data = json!({ "unread": page.unread });
                Some(format!("event: notifications\ndata: {data}\n\n").into())
            }
            Err(error) => {
                tracing::debug!(cause = %Causes(&error), "a stream of events breaks off");
                None
            }
        }
    }

    async fn text(&self, told: PortResult<Told>) -> PortResult<String> {
        Ok(match told? {
            Told::Event(event) => message(event.seq, event.event.word(), &shown(&event)),
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
        let job = job.map(Job::from);
        let data = json!({ "jobId": id, "state": state, "job": job });
        Ok(Some(format!("event: state\ndata: {data}\n\n")))
    }

    /// Whether the credential is still good. Where nobody can say, it is.
    async fn is_allowed(&self) -> bool {
        let caller = Authenticated::from_request(&self.request, &mut Payload::None).await;
        match (caller, self.only) {
            (Ok(caller), Some(user)) => caller.user == user,
            (Ok(caller), None) => caller.role == common::auth::Role::Admin,
            (Err(error), _) => error.as_response_error().status_code().is_server_error(),
        }
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

/// An event in the form of a stream. JSON in one line needs no more than that.
fn message(id: u64, event: &str, data: &Value) -> String {
    let mut text = String::new();
    let _ = write!(text, "id: {id}\nevent: {event}\ndata: {data}\n\n");
    text
}
