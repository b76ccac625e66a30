//! Requests with an `Idempotency-Key`: reserves the key, carries the request out to its end whether its client stays or not, and keeps the answer.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, FromRequest as _, HttpResponse, ResponseError as _, web};
use bytes::Bytes;
use common::access::{Need, need};
use common::allowance::{self, Allowance};
use common::idempotency::{
    self, IdempotencyStore, KeyId, KeyState, KnownKey, MOST_KEYS, MOST_KEYS_OF_UPLOADS, Released, Reserved,
    Run, takes_key,
};
use common::{Code, PortError};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use tracing::Instrument as _;

use super::edge::{Panicked, in_our_form};
use crate::auth;
use crate::body::{BodyLimits, BodyStream};
use crate::facade::Facade;
use crate::idempotency::{
    HEADER, Idempotency, MOST_BODY_BYTES, fingerprint, key, key_id, lost, pack, told_of_body, unpack,
};
use crate::problem::Problem;
use crate::request_id::{self, RequestId};
use crate::trace;

/// When to ask again while the first request is under way: most take less.
const AGAIN: Duration = Duration::from_secs(2);

/// When to try again with a new key where there are too many: keys end one by one.
const FULL_AGAIN: Duration = Duration::from_secs(60);

/// What keeping an answer may take, or freeing a key, whatever the request has waited for before: else a repetition cannot be told what was done.
const KEEPING: Duration = Duration::from_secs(1);

/// Whether a request asks for this. All others cost no more than this look.
pub(super) fn is_keyed(request: &ServiceRequest) -> bool {
    request.headers().contains_key(HEADER)
        && (request.method() == Method::POST || request.method() == Method::PUT)
        && request.path().starts_with("/api/v1/")
}

type Answered = Result<ServiceResponse, Error>;

/// What the request comes to.
enum Plan {
    /// To be handled as if it had no key: its handler refuses it.
    Pass(ServiceRequest),
    /// This is its answer.
    Answer(ServiceResponse),
    /// To be carried out.
    Run(ServiceRequest, Held),
}

/// A reserved key.
struct Held {
    keys: web::Data<Idempotency>,
    store: Arc<dyn IdempotencyStore>,
    run: Run,
    /// Its body comes while it is carried out, or does not.
    is_upload: bool,
}

/// Answers a request with a key.
pub(super) fn answer<S>(inner: Rc<S>, request: ServiceRequest) -> LocalBoxFuture<'static, Answered>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
    S::Future: 'static,
{
    Box::pin(async move {
        let (request, held) = match plan(request).await {
            Plan::Pass(request) => return inner.call(request).await,
            Plan::Answer(response) => return Ok(response),
            Plan::Run(request, held) => (request, held),
        };
        let id = request_id::current().unwrap_or_else(RequestId::make);
        let context = trace::current();
        let work = allowance::carried(carry_out(inner, request, held, id.clone()));
        let work = request_id::scope(id.clone(), async move {
            match context {
                Some(context) => trace::scope(context, work).await,
                None => work.await,
            }
        });
        // whoever asks again shall find an answer, also if the connection broke: so nobody's going ends it
        let task = actix_web::rt::spawn(work.in_current_span());
        task.await.unwrap_or_else(|_| Err(Panicked::answer(Facade::V1, id)))
    })
}

async fn plan(mut request: ServiceRequest) -> Plan {
    let refuse = |request: ServiceRequest, problem: Problem| {
        Plan::Answer(request.into_response(problem.error_response()))
    };
    let pattern = request.request().match_pattern();
    let (Some(keys), Some(pattern)) = (request.app_data::<web::Data<Idempotency>>().cloned(), pattern) else {
        return Plan::Pass(request);
    };
    let takes_none =
        || Problem::new(Code::InvalidIdempotencyKey).detail("This call takes no Idempotency-Key");
    let is_upload = request.method() == Method::PUT;
    let method = if is_upload { "PUT" } else { "POST" };
    // such calls have never looked at it
    if is_upload && !takes_key(method, &pattern) {
        return Plan::Pass(request);
    }
    let caller = match need(method, &pattern) {
        None => return Plan::Pass(request),
        Some(Need::Nothing) => return refuse(request, takes_none()),
        Some(_) => auth::caller(request.request()).await,
    };
    let Some(caller) = caller else { return Plan::Pass(request) };
    if !takes_key(method, &pattern) {
        return refuse(request, takes_none());
    }
    let Some(store) = keys.store_of(request.path()) else { return Plan::Pass(request) };
    let id = match key(request.headers()) {
        Ok(key) => key_id(&caller, method, request.path(), key),
        Err(problem) => return refuse(request, problem),
    };
    let (print, most) = if is_upload {
        (fingerprint(request.query_string(), &told_of_body(request.headers())), MOST_KEYS_OF_UPLOADS)
    } else {
        let body = match read_body(&mut request).await {
            Ok(body) => body,
            Err(problem) => return refuse(request, problem),
        };
        let print = fingerprint(request.query_string(), &body);
        request.set_payload(in_one_piece(body));
        (print, MOST_KEYS)
    };
    let run = match reserve(&keys, &*store, (id, most), caller.user, &print).await {
        Ok(Ok(run)) => run,
        Ok(Err(answer)) => return Plan::Answer(request.into_response(answer)),
        Err(error) => return refuse(request, Problem::from(error)),
    };
    Plan::Run(request, Held { keys, store, run, is_upload })
}

/// All of it: a repetition must have the same.
async fn read_body(request: &mut ServiceRequest) -> Result<Bytes, Problem> {
    let limits = BodyLimits::up_to(MOST_BODY_BYTES);
    limits.check_declared(request.request())?;
    let mut payload = request.take_payload();
    let payload = web::Payload::from_request(request.request(), &mut payload)
        .await
        .map_err(|_| Problem::new(Code::IncompleteBody))?;
    Ok(BodyStream::new(payload, limits).collect().await?)
}

fn in_one_piece(body: Bytes) -> Payload {
    let (_, mut payload) = actix_http::h1::Payload::create(true);
    payload.unread_data(body);
    Payload::from(payload)
}

/// A run of this request, or the answer to it.
async fn reserve(
    keys: &Idempotency,
    store: &dyn IdempotencyStore,
    (id, most): (KeyId, u32),
    user: common::UserId,
    print: &[u8; 32],
) -> Result<Result<Run, HttpResponse>, PortError> {
    let now = keys.clock.now();
    let known = match store.reserve(id, user, &keys.seal(print), most, now).await? {
        Reserved::Run(run) => return Ok(Ok(run)),
        Reserved::TooMany => {
            let problem = Problem::new(Code::RateLimited).retry_after(FULL_AGAIN);
            let problem = problem.detail("Too many keys of this account are in use; each is kept for a day");
            return Ok(Err(problem.member("keysInUse", most).error_response()));
        }
        Reserved::Known(known) => known,
    };
    let KnownKey { number, fingerprint, state } = known;
    let outcome = match keys.open(&fingerprint) {
        Some(first) if first == print => match state {
            KeyState::Answered(answer) => replay(keys, &answer),
            KeyState::Open { until } | KeyState::Marked { until } if now < until => Err(under_way()),
            KeyState::Marked { .. } => Err(lost("The request was begun, and how it ended is not known")),
            KeyState::Open { .. } => match store.take_over(id, number, now).await? {
                Some(run) => return Ok(Ok(run)),
                None => Err(under_way()),
            },
        },
        Some(_) => Err(Problem::new(Code::IdempotencyKeyReused)
            .detail("The key was used here for a request with another query or body")),
        None => Err(lost("What is known of the request with this key cannot be read any more")),
    };
    Ok(Err(outcome.unwrap_or_else(|problem| problem.error_response())))
}

fn replay(keys: &Idempotency, answer: &[u8]) -> Result<HttpResponse, Problem> {
    let opened = keys.open(answer).and_then(|packed| unpack(&packed));
    opened.unwrap_or_else(|| Err(lost("The request was carried out, and its answer cannot be read any more")))
}

fn under_way() -> Problem {
    Problem::new(Code::RequestUnderWay).retry_after(AGAIN)
}

async fn carry_out<S>(inner: Rc<S>, request: ServiceRequest, held: Held, id: RequestId) -> Answered
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    // the routing is part of the call itself
    let called = idempotency::scope(held.run.clone(), async move { inner.call(request).await });
    match AssertUnwindSafe(called).catch_unwind().await {
        Ok(Ok(response)) => Ok(held.settle(in_our_form(response, Facade::V1)).await),
        Ok(Err(error)) => {
            held.release().await;
            Err(error)
        }
        Err(_) => {
            held.release().await;
            Err(Panicked::answer(Facade::V1, id))
        }
    }
}

/// Whether the same request may be answered otherwise later without anything having been done: such answers are not kept.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 401 | 408 | 423 | 425 | 429)
}

impl Held {
    /// Keeps the answer, or frees the key where nothing was done.
    async fn settle(&self, response: ServiceResponse) -> ServiceResponse {
        let status = response.status();
        // an upload that was refused has changed nothing, and may not even have come to its end
        if is_passing(status) || self.is_upload && status.is_client_error() {
            let released = self.release().await;
            // a failure in the middle of something is no answer to give again
            if status.is_server_error() || released != Some(Released::Marked) {
                return response;
            }
        }
        let (request, answer) = response.into_parts();
        let (head, body) = answer.into_parts();
        let is_none = body.size() == BodySize::None;
        let (body, packed) = match body.try_into_bytes() {
            Ok(bytes) => {
                let packed = pack(status, head.headers(), Some(&bytes));
                (if is_none { BoxBody::new(()) } else { BoxBody::new(bytes) }, packed)
            }
            Err(stream) => (stream, pack(status, head.headers(), None)),
        };
        let sealed = self.keys.seal(&packed);
        let keeping = self.store.keep_answer(&self.run, &sealed);
        match allowance::scope(Some(Allowance::new(KEEPING)), keeping).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("an answer came so late that another run has its key"),
            // a repetition is told so, if anything was done
            Err(error) => tracing::warn!(%error, "an answer could not be kept for its key"),
        }
        ServiceResponse::new(request, head.set_body(body))
    }

    async fn release(&self) -> Option<Released> {
        let freeing = self.store.release(&self.run);
        match allowance::scope(Some(Allowance::new(KEEPING)), freeing).await {
            Ok(released) => Some(released),
            Err(error) => {
                tracing::warn!(%error, "a key was not freed; it frees itself when its lease ends");
                None
            }
        }
    }
}
