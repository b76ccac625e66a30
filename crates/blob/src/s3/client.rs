//! The HTTP client below `object_store`: a deadline for each request, within what whoever waits may still wait, refusals as values, and completions that only create.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use common::allowance;
use futures_util::StreamExt as _;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};
use object_store::signer::Method;
use object_store::{ClientOptions, HeaderValue};
use serde::Deserialize;

use super::error::{Refused, TimedOut, is_passing};

/// Slowest transfer that is waited for. A request has this much more time for its body.
const SLOWEST_BYTES_PER_SECOND: u64 = 1024 * 1024;

/// A server may copy all parts into one object before it answers: for each, a completion has so much longer. Amazon speaks of minutes.
const COMPLETION_PER_PART: Duration = Duration::from_secs(1);

/// But not longer than this.
const MAX_COMPLETION: Duration = Duration::from_secs(600);

/// Longest answer that is not the content of an object. A page of a list has some 400 KiB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Longest message of a server that is passed on.
const MAX_MESSAGE_CHARS: usize = 200;

/// Makes the clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connector {
    /// Time for the answer to a request without a body.
    pub(super) timeout: Duration,
    /// Whether an upload of parts fails where there is an object already. `object_store` has this for small objects alone.
    pub(super) create_only: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Client { client, options: *self }))
    }
}

#[derive(Debug)]
struct Client {
    client: HttpClient,
    options: Connector,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let method = request.method().clone();
        let query = request.uri().query();
        // all other answers are short, and read under the same deadline
        let is_content = method == Method::GET && query.is_none();
        let completes = method == Method::POST && query.is_some_and(|query| query.contains("uploadId="));
        if completes && self.options.create_only {
            // need not be among the signed header fields: only `host` and `x-amz-*` must
            request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
        }
        let work = if completes {
            completion_time(request.body().as_bytes())
        } else {
            transfer_time(request.body().content_length() as u64)
        };
        let limit = self.options.timeout + work;
        // the body's time is no wait
        let answered = allowance::wait_beyond(work, limit, async {
            let (head, body) = self.client.execute(request).await?.into_parts();
            if head.status.is_success() && (is_content || method == Method::HEAD) {
                return Ok(HttpResponse::from_parts(head, body));
            }
            let body = collect(body).await?;
            // S3 may find out that it failed after it began to answer a completion
            let failed_late = completes && head.status.is_success() && error_of(&body).is_some();
            if head.status.is_success() && !failed_late {
                Ok(HttpResponse::from_parts(head, body.into()))
            } else {
                Err(refusal(&method, head.status.as_u16(), &body))
            }
        });
        match answered.await {
            Ok(result) => result,
            // not sent again by object_store: nobody waits for that
            Err(late) if late.is_cut_short => {
                Err(HttpError::new(HttpErrorKind::Unknown, TimedOut(late.given)))
            }
            Err(late) => Err(HttpError::new(HttpErrorKind::Timeout, TimedOut(late.given))),
        }
    }
}

/// Time that so many bytes may take.
pub(super) fn transfer_time(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000).div_ceil(SLOWEST_BYTES_PER_SECOND))
}

/// Time that a server may take to put these parts together.
fn completion_time(list: Option<&Bytes>) -> Duration {
    let list = list.and_then(|list| std::str::from_utf8(list).ok()).unwrap_or_default();
    let parts = u32::try_from(list.matches("<Part>").count()).unwrap_or(u32::MAX);
    COMPLETION_PER_PART.saturating_mul(parts).min(MAX_COMPLETION)
}

async fn collect(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let mut stream = body.bytes_stream();
    let mut collected = BytesMut::new();
    while let Some(piece) = stream.next().await {
        collected.extend_from_slice(&piece?);
        if collected.len() > MAX_ANSWER_BYTES {
            let error = std::io::Error::other("the answer is longer than any of S3");
            return Err(HttpError::new(HttpErrorKind::Decode, error));
        }
    }
    Ok(collected.freeze())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", rename = "Error")]
struct ErrorBody {
    code: String,
    #[serde(default)]
    message: String,
}

/// What the body of an answer says went wrong, if it does.
fn error_of(body: &[u8]) -> Option<ErrorBody> {
    let text = std::str::from_utf8(body).ok()?;
    // the parser does not look at the name of the root
    if text.contains("<Error") { quick_xml::de::from_str(text).ok() } else { None }
}

fn refusal(method: &Method, status: u16, body: &[u8]) -> HttpError {
    let ErrorBody { code, message } =
        error_of(body).unwrap_or(ErrorBody { code: String::new(), message: String::new() });
    let message = message.chars().take(MAX_MESSAGE_CHARS).collect();
    let refused = Refused { method: method.to_string(), status, code, message };
    // this kind is sent again by object_store. A write that was done although the server said otherwise is known by its mark.
    let kind =
        if is_passing(&refused) && status != 409 { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
    HttpError::new(kind, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_from_bodies() {
        let text = "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code><Message>Less</Message><Key>k</Key></Error>";
        let error = error_of(text.as_bytes()).unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("SlowDown", "Less"));
        assert!(error_of(b"<Error><Code>NoSuchKey</Code></Error>").is_some());
        for other in [
            "",
            "<html>",
            "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
            "\u{fffd}",
        ] {
            assert!(error_of(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn large_parts_and_many_have_longer() {
        assert_eq!(transfer_time(0), Duration::ZERO);
        assert_eq!(transfer_time(1), Duration::from_millis(1), "a person waits for small ones");
        assert_eq!(transfer_time(64 * 1024 * 1024), Duration::from_secs(64));
        let list = |parts| Bytes::from("<Part><ETag>e</ETag></Part>".repeat(parts));
        assert_eq!(completion_time(Some(&list(3))), Duration::from_secs(3));
        assert_eq!(completion_time(Some(&list(10_000))), Duration::from_secs(600));
        assert_eq!(completion_time(None), Duration::ZERO);
    }
}
