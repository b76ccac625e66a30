//! Streams of events (Server-Sent Events): what they have in common, whatever they tell.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use common::{Code, UserId};
use futures_util::stream;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::presence;
use crate::problem::Problem;
use crate::seats::{NoSeat, Seat, Seats};

/// How soon a browser comes back.
const COME_BACK_MS: u32 = 2000;
/// How soon one comes back that made room for another of the same person: they would drive one another out all the time.
const COME_BACK_LATER_MS: u32 = 30_000;
/// When to try again where there is no place.
const NO_PLACE: Duration = Duration::from_secs(10);
/// The member by which a browser says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// How a stream is kept alive, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often a silent stream says that it is alive.
    pub heartbeat: Duration,
    /// How often it is looked whether its client is still there.
    pub look_for_client: Duration,
    /// How often it is asked whether its credential is still good.
    pub recheck: Duration,
}

/// What a stream tells.
pub trait Events {
    /// Something that is to be told.
    type Item;

    /// What comes next; waits for it, and may be dropped while it does.
    fn next(&mut self) -> impl Future<Output = Self::Item>;

    /// It as a part of the stream; none if the stream breaks off, so that its client comes back to where it was.
    fn text(&mut self, item: Self::Item) -> impl Future<Output = Option<String>>;

    /// The place up to which everything has been told, where that is not in the middle of something.
    fn place(&self) -> Option<String>;

    /// Whether the credential of the request is still good for it. Where nobody can say, it is.
    fn is_allowed(&self, request: &HttpRequest) -> impl Future<Output = bool>;
}

/// A place for one more stream of this person.
///
/// # Errors
/// `rate_limited` for whose streams do not end although they were told to, `unavailable` where all places are taken.
pub fn seat(seats: &std::sync::Arc<Seats>, user: UserId) -> Result<Seat, Problem> {
    seats.take(user).map_err(|reason| match reason {
        NoSeat::Stuck => Problem::new(Code::RateLimited)
            .detail("You follow events in too many places")
            .retry_after(NO_PLACE),
        NoSeat::Full => {
            Problem::new(Code::Unavailable).detail("Too many streams are open").retry_after(NO_PLACE)
        }
    })
}

/// Where a browser says that it was; none if it says nothing.
pub fn last_event_id(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(LAST_EVENT_ID)?;
    Some(value.to_str().unwrap_or("?")).filter(|text| !text.is_empty())
}

/// An event in the form of a stream. JSON in one line needs no more than that.
pub fn message(id: impl Display, event: &str, data: &Value) -> String {
    format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
}

/// A stream without an end, until `closing` is cancelled. It begins with `first`.
pub fn answer<E: Events + 'static>(
    request: HttpRequest,
    events: E,
    first: &str,
    (seat, pace, closing): (Seat, Pace, CancellationToken),
) -> HttpResponse {
    let now = Instant::now();
    let stream = Stream {
        events,
        waiting: VecDeque::from([Bytes::from(format!("retry: {COME_BACK_MS}\n\n{first}"))]),
        beat_at: now + pace.heartbeat,
        check_at: now + pace.recheck,
        look_at: now + pace.look_for_client,
        request,
        seat,
        pace,
        closing,
        is_over: false,
    };
    let chunks = stream::unfold(stream, |mut stream| async {
        let chunk = stream.next().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks)
}

struct Stream<E> {
    events: E,
    waiting: VecDeque<Bytes>,
    beat_at: Instant,
    check_at: Instant,
    look_at: Instant,
    request: HttpRequest,
    seat: Seat,
    pace: Pace,
    closing: CancellationToken,
    /// It ends when what waits has been sent.
    is_over: bool,
}

impl<E: Events> Stream<E> {
    /// What is sent next; waits for it. None at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(chunk) = self.waiting.pop_front() {
            return Some(chunk);
        }
        if self.is_over {
            return None;
        }
        loop {
            tokio::select! {
                () = self.closing.cancelled() => return None,
                () = self.seat.lost() => {
                    tracing::debug!("a stream of events makes room for another one of the same person");
                    self.is_over = true;
                    return Some(format!("retry: {COME_BACK_LATER_MS}\n\n").into());
                }
                item = self.events.next() => {
                    self.beat_at = Instant::now() + self.pace.heartbeat;
                    return self.events.text(item).await.map(Bytes::from);
                }
                () = sleep_until(self.beat_at) => {
                    self.beat_at = Instant::now() + self.pace.heartbeat;
                    // an id without data moves the client's place on and is no event
                    let place = self.events.place().map(|place| format!("id: {place}\n"));
                    return Some(format!(":\n{}\n", place.unwrap_or_default()).into());
                }
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + self.pace.look_for_client;
                    if !presence::is_there(&self.request) {
                        tracing::debug!("a stream of events ends, its client has left");
                        return None;
                    }
                }
                () = sleep_until(self.check_at) => {
                    self.check_at = Instant::now() + self.pace.recheck;
                    if !self.events.is_allowed(&self.request).await {
                        tracing::debug!("a stream of events ends with its credential");
                        return None;
                    }
                }
            }
        }
    }
}
