use std::cell::RefCell;
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_http::{HttpMessage as _, Payload};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{Error, HttpResponse, ResponseError};
use bytes::Bytes;
use common::{Code, allowance};
use futures_util::Stream;
use futures_util::future::{Either, FutureExt as _, LocalBoxFuture};
use tracing::Instrument as _;

use super::Shared;
use super::keyed;
use super::series::Series;
use crate::facade::Facade;
use crate::problem::{ClassicError, Problem, code_of_status};
use crate::request_id::{self, RequestId};
use crate::trace::{self, Step};

/// The one middleware. It is a single layer, since each layer of actix costs an allocation and a poll.
pub(super) struct Edge(Arc<Shared>);

impl Edge {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl<S> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = EdgeService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let series = Rc::new(Series::new(self.0.service));
        ready(Ok(EdgeService { inner: Rc::new(inner), shared: Arc::clone(&self.0), series }))
    }
}

pub(super) struct EdgeService<S> {
    inner: Rc<S>,
    shared: Arc<Shared>,
    series: Rc<Series>,
}

impl<S> Service<ServiceRequest> for EdgeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
    S::Future: 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    actix_web::dev::forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let begun = Instant::now();
        let id = RequestId::of_headers(request.headers());
        let step = Step::of_headers(request.headers());
        let span = tracing::info_span!(
            "request",
            request_id = %id,
            trace_id = %step.context.trace_id(),
            span_id = %step.context.span_id(),
            parent_id = step.parent.map(tracing::field::display),
            method = %request.method()
        );
        let facade = Facade::of_path(request.path());
        let waits = self.shared.waits.of(request.headers());
        let shared = Arc::clone(&self.shared);
        let series = Rc::clone(&self.series);
        let unread = hold_chunked(&mut request);
        let refused = refusal(request.headers(), shared.max_header_bytes);
        // `call` itself runs the routing, so it has to be inside of what is caught; the request is gone after a panic
        let method = request.method().clone();
        let answered = match refused {
            Some(code) => Err((code, request)),
            None if keyed::is_keyed(&request) => {
                let future = Either::Right(keyed::answer(Rc::clone(&self.inner), request));
                Ok(Ok(AssertUnwindSafe(future).catch_unwind()))
            }
            None => {
                let called =
                    std::panic::catch_unwind(AssertUnwindSafe(|| span.in_scope(|| self.inner.call(request))));
                Ok(called.map(|future| AssertUnwindSafe(Either::Left(future)).catch_unwind()))
            }
        };
        let scope_id = id.clone();
        let answer = async move {
            let answered = match answered {
                Ok(Ok(future)) => future.await.unwrap_or_else(|_| Err(Panicked::answer(facade, id.clone()))),
                Ok(Err(_)) => Err(Panicked::answer(facade, id.clone())),
                Err((code, request)) => Ok(request.into_response(plain(facade, code))),
            };
            let mut response = match answered {
                Ok(response) => in_our_form(response, facade),
                Err(error) => {
                    let status = error.as_response_error().status_code();
                    series.record(None, &method, status, begun.elapsed());
                    tracing::debug!(status = status.as_u16(), "request failed");
                    return Err(error);
                }
            };
            complete(response.headers_mut(), &id);
            if shared.draining.load(Ordering::Relaxed) {
                response.response_mut().head_mut().set_connection_type(actix_http::ConnectionType::Close);
            }
            if let Some(unread) = unread {
                response = response.map_body(|_, body| BoxBody::new(Holding { body, _unread: unread }));
            }
            let (route, status, took) =
                (response.request().match_pattern(), response.status(), begun.elapsed());
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            tracing::debug!(route = route.as_deref(), status = status.as_u16(), micros, "request answered");
            series.record(route, &method, status, took);
            Ok(response)
        };
        let answer = allowance::scope(waits, answer);
        Box::pin(request_id::scope(scope_id, trace::scope(step.context, answer)).instrument(span))
    }
}

/// What is refused before any route sees it.
fn refusal(headers: &HeaderMap, max_bytes: usize) -> Option<Code> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > max_bytes {
        return Some(Code::HeadersTooLarge);
    }
    let expect = headers.get(header::EXPECT)?;
    if expect.as_bytes().eq_ignore_ascii_case(b"100-continue") { None } else { Some(Code::ExpectationFailed) }
}

fn plain(facade: Facade, code: Code) -> HttpResponse {
    let problem = Problem::new(code);
    match facade {
        Facade::V1 => problem.error_response(),
        Facade::Classic => ClassicError::from(problem).error_response(),
    }
}

/// Gives answers of the framework, which are plain text or empty, the form of the face that was asked.
pub(super) fn in_our_form(response: ServiceResponse, facade: Facade) -> ServiceResponse {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let of_framework = match kind {
        Some(kind) => response.response().error().is_some() && kind.starts_with(b"text/plain"),
        None => {
            let head = response.request().method() == actix_web::http::Method::HEAD;
            !head && matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0))
        }
    };
    if !of_framework {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let request = response.into_parts().0;
    let mut answer = plain(facade, code_of_status(status));
    *answer.status_mut() = status;
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    ServiceResponse::new(request, answer)
}

/// The fields that every answer has unless its handler set them.
fn complete(headers: &mut HeaderMap, id: &RequestId) {
    headers.insert(request_id::HEADER, id.to_value());
    let mut unless_set = |name, value| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(header::REFERRER_POLICY, "no-referrer");
    unless_set(header::X_FRAME_OPTIONS, "SAMEORIGIN");
    // nothing here is for shared caches unless its handler says so; validators still work
    unless_set(header::CACHE_CONTROL, "private, no-cache");
}

/// The answer after a panic. The request is lost by then, so its id is carried along.
#[derive(Debug)]
pub(super) struct Panicked {
    facade: Facade,
    id: RequestId,
}

impl Panicked {
    pub(super) fn answer(facade: Facade, id: RequestId) -> Error {
        tracing::error!("a handler panicked");
        Self { facade, id }.into()
    }
}

impl std::fmt::Display for Panicked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a handler panicked")
    }
}

impl ResponseError for Panicked {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = request_id::sync_scope(self.id.clone(), || plain(self.facade, Code::Internal));
        complete(answer.headers_mut(), &self.id);
        answer
    }
}

type SharedPayload = Rc<RefCell<Payload>>;

/// Keeps a chunked body from being dropped with the handler. actix reads on without end after a dropped one, to use the connection again;
/// while its receiver lives it closes the connection instead, as it does where the length is known.
fn hold_chunked(request: &mut ServiceRequest) -> Option<SharedPayload> {
    if !request.request().chunked().unwrap_or(false) {
        return None;
    }
    let payload = Rc::new(RefCell::new(request.take_payload()));
    request.set_payload(Payload::Stream { payload: Box::pin(Borrowing(Rc::clone(&payload))) });
    Some(payload)
}

struct Borrowing(SharedPayload);

impl Stream for Borrowing {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct Holding {
    body: BoxBody,
    _unread: SharedPayload,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
