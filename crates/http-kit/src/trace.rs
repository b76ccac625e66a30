//! The trace that a request or a job is part of: `traceparent` comes in with it, stands in the logs, and goes along with what it causes.
//!
//! What a client sends is taken over if it has the right form, as is usual: it is text of a fixed length, it grants nothing, and whoever sends one
//! wants to find it again. `tracestate` is dropped: nobody behind us reads one.

use std::future::Future;

use actix_web::http::header::{HeaderMap, HeaderName};
use common::TraceContext;
use common::trace::{SpanId, TRACEPARENT, TraceId};

/// Name of the header field.
pub const HEADER: HeaderName = HeaderName::from_static(TRACEPARENT);

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// A fresh step, and the one that led to it, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The step.
    pub context: TraceContext,
    /// What led to it.
    pub parent: Option<SpanId>,
}

impl Step {
    /// Continues a trace, or begins one.
    pub fn after(before: Option<TraceContext>) -> Self {
        let span = SpanId::from_random(rand::random());
        match before {
            Some(before) => Self { context: before.child(span), parent: Some(before.span_id()) },
            None => {
                let context = TraceContext::begin(TraceId::from_random(rand::random()), span);
                Self { context, parent: None }
            }
        }
    }

    /// Continues the trace that came with a request, if just one did.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(HEADER);
        let only = sent.next().filter(|_| sent.next().is_none());
        Self::after(only.and_then(|value| TraceContext::parse(value.to_str().ok()?).ok()))
    }

    /// The step that the present task leads to by a call. Of a new trace, if it is part of none.
    pub fn next() -> Self {
        Self::after(current())
    }
}

/// The step that the present task works on. None in tasks that were spawned apart.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

/// Runs a future as a step, which [`current`] then gives.
pub async fn scope<F: Future>(context: TraceContext, future: F) -> F::Output {
    CURRENT.scope(context, future).await
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_trace_that_was_sent_is_continued_by_a_step_of_its_own() {
        let sent: TraceContext = SENT.parse().unwrap();
        let step = Step::of_headers(&headers(&[SENT]));
        assert_eq!(step.context.trace_id(), sent.trace_id());
        assert_eq!(step.parent, Some(sent.span_id()));
        assert_ne!(step.context.span_id(), sent.span_id());
        assert!(!step.context.is_sampled(), "its sender's choice");
    }

    #[test]
    fn anything_else_begins_a_trace() {
        for sent in [&[][..], &["nonsense"], &["é"], &[SENT, SENT], &[SENT, ""]] {
            let step = Step::of_headers(&headers(sent));
            assert_eq!(step.parent, None, "{sent:?}");
            assert_ne!(step.context.trace_id().to_string(), SENT[3..35], "{sent:?}");
        }
    }

    #[tokio::test]
    async fn what_a_task_calls_is_its_next_step() {
        assert_eq!((current(), Step::next().parent), (None, None));
        let here = Step::next().context;
        let (current, next) = scope(here, async { (current(), Step::next()) }).await;
        assert_eq!(current, Some(here));
        assert_eq!((next.context.trace_id(), next.parent), (here.trace_id(), Some(here.span_id())));
    }
}
