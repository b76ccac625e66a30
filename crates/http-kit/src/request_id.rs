//! The id that names one request in answers, logs, internal calls and jobs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Name of the header field, in requests and answers.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// 1 to 64 characters of `[A-Za-z0-9._-]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

tokio::task_local! {
    static CURRENT: RequestId;
}

impl RequestId {
    /// A new one: 64 random bits, in hexadecimal.
    pub fn make() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()).into())
    }

    /// Takes over what a client or a gateway sent, if it has the right form.
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        good.then(|| Self(text.into()))
    }

    /// The id that came with a request, or a new one.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        headers
            .get(HEADER)
            .and_then(|value| value.to_str().ok())
            .and_then(Self::parse)
            .unwrap_or_else(Self::make)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a header value.
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("the characters of an id are allowed in header values")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the request that the present task works on. None in tasks that were spawned apart.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs a future under an id, which [`current`] then gives. For jobs that carry the id of the request that caused them.
pub async fn scope<F: Future>(id: RequestId, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// As [`scope`], for a function.
pub(crate) fn sync_scope<T>(id: RequestId, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(id, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        assert_eq!(RequestId::parse("a.B_9-").unwrap().as_str(), "a.B_9-");
        for wrong in ["", "a b", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(RequestId::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(RequestId::parse(&"x".repeat(64)).unwrap().as_str().len(), 64);
        assert_ne!(RequestId::make(), RequestId::make());
    }
}
