//! Request bodies that may be large and slow, under limits.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use common::{Code, allowance};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, Sleep};

use crate::problem::{ClassicError, Problem};

/// What a store may take for each byte of a body, at the slowest that is waited for: a second for a megabyte.
const SLOWEST_PER_BYTE: Duration = Duration::from_micros(1);

/// What a request body may be. Time counts only while the server waits for the client, never while it is busy itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most bytes, if there is a bound.
    pub max_bytes: Option<u64>,
    /// Longest wait for the next bytes.
    pub chunk_deadline: Duration,
    /// After so much waiting in all, [`BodyLimits::min_bytes_per_second`] is asked for.
    pub grace: Duration,
    /// Lowest average rate, over all the waiting so far.
    pub min_bytes_per_second: u64,
}

impl Default for BodyLimits {
    /// No bound on the size; 30 s for the next bytes; 1 KiB/s after a minute, which the slowest of mobile links reach, and which keeps one
    /// client from holding a connection for days with a byte now and then.
    fn default() -> Self {
        Self {
            max_bytes: None,
            chunk_deadline: Duration::from_secs(30),
            grace: Duration::from_secs(60),
            min_bytes_per_second: 1024,
        }
    }
}

impl BodyLimits {
    /// The default limits with a bound on the size.
    pub fn up_to(max_bytes: u64) -> Self {
        Self { max_bytes: Some(max_bytes), ..Self::default() }
    }

    /// Looks at the declared length before a byte is read.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] if the request announces more than the bound.
    pub fn check_declared(&self, request: &HttpRequest) -> Result<(), BodyError> {
        match (declared_length(request), self.max_bytes) {
            (Some(declared), Some(max)) if declared > max => Err(BodyError::TooLarge { max_bytes: max }),
            _ => Ok(()),
        }
    }
}

/// The value of `Content-Length`, if the request has one.
pub fn declared_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Why a body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client stalled, or fell below the lowest rate.
    #[error("the body came too slowly")]
    TooSlow,
    /// More bytes than allowed.
    #[error("the body has more than {max_bytes} bytes")]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
    /// The connection ended before the announced length, or before the last chunk.
    #[error("the body ended early")]
    Incomplete,
    /// The chunked encoding is malformed.
    #[error("the body is not encoded as it says")]
    Malformed,
}

impl BodyError {
    /// The code that goes with it.
    pub fn code(self) -> Code {
        match self {
            Self::TooSlow => Code::BodyTooSlow,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::Incomplete => Code::IncompleteBody,
            Self::Malformed => Code::InvalidRequest,
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let problem = Self::new(error.code());
        match error {
            BodyError::TooLarge { max_bytes } => {
                problem.detail(format!("At most {max_bytes} bytes are taken")).member("maxBytes", max_bytes)
            }
            _ => problem,
        }
    }
}

impl From<BodyError> for ClassicError {
    fn from(error: BodyError) -> Self {
        let status =
            StatusCode::from_u16(error.code().status()).expect("the table of codes has HTTP statuses");
        Self::new(
            status,
            match error {
                BodyError::TooSlow => "Request timeout",
                BodyError::TooLarge { .. } => "Payload too large",
                BodyError::Incomplete => "Incomplete body",
                BodyError::Malformed => "Malformed body",
            },
        )
    }
}

/// A request body as a stream that ends with an error rather than wait for ever or take too much. After an error it ends.
///
/// A handler may give up at any point and answer: the connection is then closed in an orderly way, after the answer was sent and what
/// the client still sends was read and thrown away for a few seconds ([`crate::server::ServerSettings::linger`]).
pub struct BodyStream {
    payload: Option<web::Payload>,
    limits: BodyLimits,
    received: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl BodyStream {
    /// Reads this payload under these limits.
    pub fn new(payload: web::Payload, limits: BodyLimits) -> Self {
        Self {
            payload: Some(payload),
            limits,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            timer: None,
        }
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Reads all of it into memory. Copies nothing if the body came in one piece.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn collect(mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let mut all = BytesMut::with_capacity((first.len() + second.len()) * 2);
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(bytes) = self.next().await.transpose()? {
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    fn take_in(&mut self, bytes: &Bytes) -> Result<(), BodyError> {
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        self.waited += waited;
        // a long body makes a long request; whoever has sent little, and all of it, waits for the answer
        allowance::give_back(
            waited + SLOWEST_PER_BYTE.saturating_mul(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
        );
        self.received += bytes.len() as u64;
        if let Some(max_bytes) = self.limits.max_bytes
            && self.received > max_bytes
        {
            return Err(BodyError::TooLarge { max_bytes });
        }
        let due = self.waited.as_secs().saturating_mul(self.limits.min_bytes_per_second);
        if self.waited > self.limits.grace && self.received < due {
            return Err(BodyError::TooSlow);
        }
        Ok(())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            let deadline = now + self.limits.chunk_deadline;
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(deadline),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
            }
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(payload) = &mut this.payload else {
            return Poll::Ready(None);
        };
        let step = match Pin::new(payload).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => Some(this.take_in(&bytes).map(|()| bytes)),
            Poll::Ready(Some(Err(error))) => Some(Err(read_error(&error, this.limits))),
            Poll::Ready(None) => None,
            Poll::Pending => match this.poll_deadline(cx) {
                Poll::Ready(()) => Some(Err(BodyError::TooSlow)),
                Poll::Pending => return Poll::Pending,
            },
        };
        if !matches!(step, Some(Ok(_))) {
            this.payload = None;
            this.timer = None;
        }
        Poll::Ready(step)
    }
}

fn read_error(error: &PayloadError, limits: BodyLimits) -> BodyError {
    match error {
        PayloadError::Overflow => BodyError::TooLarge { max_bytes: limits.max_bytes.unwrap_or(u64::MAX) },
        PayloadError::EncodingCorrupted => BodyError::Malformed,
        _ => BodyError::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest as _;
    use actix_web::dev::Payload;
    use actix_web::test::TestRequest;
    use futures_util::stream;

    async fn payload(stream: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> web::Payload {
        let request = TestRequest::default().to_http_request();
        let mut payload: Payload = Payload::Stream { payload: Box::pin(stream) };
        web::Payload::from_request(&request, &mut payload).await.unwrap()
    }

    fn every(wait: Duration, piece: &'static [u8]) -> impl Stream<Item = Result<Bytes, PayloadError>> {
        stream::unfold((), move |()| async move {
            tokio::time::sleep(wait).await;
            Some((Ok(Bytes::from_static(piece)), ()))
        })
    }

    #[actix_web::test]
    async fn a_body_comes_whole() {
        for pieces in [vec![], vec!["a"], vec!["a", "b"], vec!["a", "b", "c", "d"]] {
            let whole = pieces.concat();
            let stream = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
            let body = BodyStream::new(payload(stream).await, BodyLimits::up_to(4));
            assert_eq!(body.collect().await.unwrap(), whole);
        }
    }

    #[actix_web::test]
    async fn a_byte_too_many_is_an_error_and_the_end() {
        let stream = stream::iter(["ab", "cd", "e"].map(|piece| Ok(Bytes::from_static(piece.as_bytes()))));
        let mut body = BodyStream::new(payload(stream).await, BodyLimits::up_to(3));
        assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"ab"))));
        assert_eq!(body.next().await, Some(Err(BodyError::TooLarge { max_bytes: 3 })));
        assert_eq!(body.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_ends_after_the_deadline() {
        let mut body = BodyStream::new(payload(stream::pending()).await, BodyLimits::default());
        let start = Instant::now();
        assert_eq!(body.next().await, Some(Err(BodyError::TooSlow)));
        assert_eq!(start.elapsed().as_secs(), 30);
        assert_eq!(body.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_ends_after_the_grace() {
        let start = Instant::now();
        let body =
            BodyStream::new(payload(every(Duration::from_secs(20), b"x")).await, BodyLimits::default());
        assert_eq!(body.collect().await, Err(BodyError::TooSlow));
        assert_eq!(start.elapsed().as_secs(), 80);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_server_is_not_held_against_the_client() {
        let stream = every(Duration::from_millis(1), &[0; 64]).take(5);
        let mut body = BodyStream::new(payload(stream).await, BodyLimits::default());
        while let Some(piece) = body.next().await {
            piece.unwrap();
            tokio::time::sleep(Duration::from_secs(100)).await;
        }
        assert_eq!(body.received(), 320);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_body_takes_is_given_back() {
        let second = Duration::from_secs(1);
        let given = allowance::Allowance::new(4 * second);
        let left = given.clone();
        allowance::scope(Some(given), async {
            let late = allowance::wait(9 * second, std::future::pending::<()>()).await;
            late.expect_err("it never comes");
            assert_eq!(left.left(), Duration::ZERO);
            let mut body = BodyStream::new(payload(every(second, &[0; 100])).await, BodyLimits::default());
            body.next().await.unwrap().unwrap();
            assert_eq!(left.left(), second + Duration::from_micros(100));
            body.next().await.unwrap().unwrap();
            assert_eq!(left.left(), 2 * second + Duration::from_micros(200));
            // one that is there already has brought its client nearer to the end, but not by much
            let stream = stream::iter([Ok(Bytes::from_static(&[0; 70_000]))]);
            let mut body = BodyStream::new(payload(stream).await, BodyLimits::default());
            body.next().await.unwrap().unwrap();
            assert_eq!(left.left(), 2 * second + Duration::from_micros(70_200));
        })
        .await;
    }

    #[actix_web::test]
    async fn a_broken_connection_is_an_incomplete_body() {
        let stream = stream::iter([Ok(Bytes::from_static(b"ab")), Err(PayloadError::Incomplete(None))]);
        let body = BodyStream::new(payload(stream).await, BodyLimits::default());
        assert_eq!(body.collect().await, Err(BodyError::Incomplete));
        assert_eq!(Problem::from(BodyError::Incomplete).code(), Code::IncompleteBody);
        assert_eq!(ClassicError::from(BodyError::TooLarge { max_bytes: 3 }).status.as_u16(), 413);
    }
}
