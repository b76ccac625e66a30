use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use common::files::ByteStream;
use common::routes::Service;
use common::{Clock, PortError, PortResult};
use futures_util::StreamExt as _;
use futures_util::stream;
use http_kit::health::STARTING;
use http_kit::service_token::ServiceTokens;
use http_kit::trace::{self, Step};
use http_kit::{allowance, request_id};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::names::{Address, Addresses, Names, SystemNames, client_builder, shown};
use crate::peers::{NoReply, Patience, Reply};

/// Longest wait for a whole answer in JSON, or for the head of a stream. More than the other service gives its store (3.5 s by default), so that its
/// answer says what is missing. Whoever asks for a person mostly has less, as that has waited before, and the other service is told how much.
const CALL_DEADLINE: Duration = Duration::from_millis(4_500);
const _: () = assert!(CALL_DEADLINE.as_millis() < common::ANSWER_WITHIN.as_millis());

/// Longest wait for the next bytes of a stream.
const IDLE_DEADLINE: Duration = Duration::from_secs(30);

/// Longest time for sending a body of some MiB and getting its answer, which comes when all of it is durable.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(60);

/// Longest wait for a step of upkeep, of which file-service lets none take longer than 45 s.
const LONG_DEADLINE: Duration = Duration::from_secs(60);

/// How long one address may leave an ordinary call without an answer before another one is asked. Answers take milliseconds; what is
/// left is told the last one, whose answer then says what is missing.
const ELSEWHERE_AFTER: Duration = Duration::from_millis(900);

/// For calls that are answered from memory or by a few questions to a store.
const QUICK: Patience = Patience { deadline: CALL_DEADLINE, elsewhere_after: Some(ELSEWHERE_AFTER) };
/// For bodies of some MiB: sending one twice at once would not make it quicker.
const UPLOAD: Patience = Patience { deadline: UPLOAD_DEADLINE, elsewhere_after: None };
/// For steps of upkeep: one that takes long works, and asked elsewhere the work would be done twice.
const LONG: Patience = Patience { deadline: LONG_DEADLINE, elsewhere_after: None };

/// Largest answer in JSON. The largest in use, known jobs, is some 30 KiB.
const MAX_JSON_BYTES: usize = 4 * 1024 * 1024;

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotBuild {
    /// The address cannot be the base of paths.
    #[error("`{0}` is not an http or https address")]
    Address(Url),
    /// There is no address.
    #[error("no address is given")]
    NoAddress,
    /// The system's certificates cannot be used, or the like.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
}

/// Calls one service's internal API. Cheap to clone.
#[derive(Clone)]
pub struct InternalClient(Arc<Inner>);

struct Inner {
    caller: Service,
    target: Service,
    tokens: ServiceTokens,
    clock: Arc<dyn Clock>,
    addresses: Addresses,
    /// The addresses for logs.
    shown: String,
}

impl fmt::Debug for InternalClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InternalClient({} at {})", self.0.target.name(), self.0.shown)
    }
}

/// What a call sends.
enum Body<'a> {
    None,
    Json(&'a [u8]),
    Raw(&'a Bytes),
}

impl InternalClient {
    /// Longest wait for an answer. What the other service waits for itself must be shorter, for its answer to say what is missing.
    pub const CALL_DEADLINE: Duration = CALL_DEADLINE;

    /// A client of the service at `bases`, such as `http://files:8081`: its replicas, or one name for all of them, of which each address is one replica.
    /// Calls take turns over them; one that cannot be reached is left out for a while. Names are looked up again every ten seconds.
    ///
    /// # Errors
    /// [`CannotBuild`].
    pub fn tcp(
        bases: &[Url],
        caller: Service,
        target: Service,
        tokens: ServiceTokens,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CannotBuild> {
        Self::tcp_by_names(bases, caller, target, tokens, clock, Arc::new(SystemNames))
    }

    /// As [`InternalClient::tcp`], by these names.
    ///
    /// # Errors
    /// [`CannotBuild`].
    pub fn tcp_by_names(
        bases: &[Url],
        caller: Service,
        target: Service,
        tokens: ServiceTokens,
        clock: Arc<dyn Clock>,
        names: Arc<dyn Names>,
    ) -> Result<Self, CannotBuild> {
        if bases.is_empty() {
            return Err(CannotBuild::NoAddress);
        }
        if let Some(wrong) =
            bases.iter().find(|base| !matches!(base.scheme(), "http" | "https") || !base.has_host())
        {
            return Err(CannotBuild::Address(wrong.clone()));
        }
        let shown = bases.iter().map(shown).collect::<Vec<_>>().join(",");
        let addresses = Addresses::new(part(target), bases, client_builder().build()?, names);
        Ok(Self(Arc::new(Inner { caller, target, tokens, clock, addresses, shown })))
    }

    /// A client of the service behind a Unix socket.
    ///
    /// # Errors
    /// [`CannotBuild`].
    pub fn unix(
        socket: &Path,
        caller: Service,
        target: Service,
        tokens: ServiceTokens,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CannotBuild> {
        // no TLS here, so the system's certificates need not be read
        let http = client_builder().unix_socket(socket).tls_certs_only([]).build()?;
        let addresses = Addresses::fixed(part(target), "http://internal", "socket", http);
        let shown = "socket".to_owned();
        Ok(Self(Arc::new(Inner { caller, target, tokens, clock, addresses, shown })))
    }

    /// The name of the target in errors and metrics.
    pub fn part(&self) -> &'static str {
        part(self.0.target)
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// `Unavailable` if the service does not answer in time or says so itself; `Full` if it has no room; `Broken` for any other answer than
    /// a good one.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> PortResult<T> {
        let answer = self.call(Method::GET, path, Body::None, QUICK).await?;
        self.expect_json(answer)
    }

    /// Sends JSON and gets JSON.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn post_json<Q: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> PortResult<T> {
        self.post_json_within(QUICK, path, question).await
    }

    /// As [`InternalClient::post_json`], for what takes up to a minute and nobody waits for.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn post_long<Q: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> PortResult<T> {
        self.post_json_within(LONG, path, question).await
    }

    async fn post_json_within<Q: Serialize + Sync, T: DeserializeOwned>(
        &self,
        patience: Patience,
        path: &str,
        question: &Q,
    ) -> PortResult<T> {
        let body = serde_json::to_vec(question).map_err(|error| PortError::broken(self.part(), error))?;
        let answer = self.call(Method::POST, path, Body::Json(&body), patience).await?;
        self.expect_json(answer)
    }

    /// Sends JSON to a thing that may be gone: false if it is.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn post_to<Q: Serialize + Sync>(&self, path: &str, question: &Q) -> PortResult<bool> {
        let body = serde_json::to_vec(question).map_err(|error| PortError::broken(self.part(), error))?;
        let answer = self.call(Method::POST, path, Body::Json(&body), QUICK).await?;
        self.expect_done(&answer)
    }

    /// Sends bytes to a thing that may be gone: false if it is.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`].
    pub async fn put_bytes(&self, path: &str, bytes: &Bytes) -> PortResult<bool> {
        let answer = self.call(Method::PUT, path, Body::Raw(bytes), UPLOAD).await?;
        self.expect_done(&answer)
    }

    /// Reads bytes as they come; none if there is no such thing.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`]; in the stream `Unavailable` if it breaks off or stalls. It never ends early without an error.
    pub async fn get_stream(&self, path: &str) -> PortResult<Option<ByteStream>> {
        let part = self.part();
        let begun = Instant::now();
        let wait = QUICK.begin();
        let until = wait.until;
        let peers = self.0.addresses.current(until).await;
        let answered = peers
            .call(wait, |at| {
                let sent = self.send(at, &Method::GET, path, &Body::None, until);
                async move {
                    let response = sent.await?;
                    Ok(Reply { status: response.status(), content: response })
                }
            })
            .await;
        // until the head of the answer
        self.count(begun, &answered);
        let Reply { status, content: response } = answered?;
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(self.refused(status, path)),
        }
        let pieces = stream::unfold(Some(response.bytes_stream()), move |pieces| async move {
            let mut pieces = pieces?;
            match tokio::time::timeout(IDLE_DEADLINE, pieces.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(pieces))),
                Ok(Some(Err(error))) => Some((Err(PortError::unavailable(part, error)), None)),
                Err(_) => Some((Err(PortError::unavailable(part, "the stream stalled")), None)),
            }
        });
        Ok(Some(Box::pin(pieces)))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Body<'_>,
        patience: Patience,
    ) -> PortResult<Answer> {
        let part = self.part();
        let begun = Instant::now();
        let wait = patience.begin();
        let until = wait.until;
        let peers = self.0.addresses.current(until).await;
        let answered = peers
            .call(wait, |at| {
                let sent = self.send(at, &method, path, &body, until);
                async move {
                    let response = sent.await?;
                    Ok(Reply { status: response.status(), content: read(response, part).await? })
                }
            })
            .await;
        self.count(begun, &answered);
        answered.map(|Reply { status, content }| Answer { status, bytes: content, path: path.to_owned() })
    }

    fn count<T>(&self, begun: Instant, answered: &PortResult<Reply<T>>) {
        let part = self.part();
        if matches!(answered, Err(PortError::Unavailable { .. })) {
            self.0.addresses.doubt();
        }
        let outcome = match answered {
            Ok(answer) if answer.status.is_success() => "ok",
            Ok(answer) if answer.status.is_client_error() => "refused",
            Ok(_) | Err(_) => "failed",
        };
        metrics::counter!("fm_client_calls_total", "target" => part, "outcome" => outcome).increment(1);
        metrics::histogram!("fm_client_call_duration_seconds", "target" => part).record(begun.elapsed());
    }

    /// Sends a request to one address, whose answer is waited for until then; waits for its head. All internal calls may be repeated.
    fn send(
        &self,
        at: &Address,
        method: &Method,
        path: &str,
        body: &Body<'_>,
        until: Instant,
    ) -> impl Future<Output = Result<Response, NoReply>> + use<> {
        let Inner { caller, target, tokens, clock, .. } = &*self.0;
        let Address { base, http, .. } = at;
        let now = clock.now();
        let token = tokens.mint(*caller, *target, now);
        let previous = tokens.mint_previous(*caller, *target, now);
        let step = Step::next().context;
        let mut request = http
            .request(method.clone(), format!("{base}{path}"))
            .header(trace::HEADER.as_str(), step.to_string())
            .header(allowance::HEADER.as_str(), allowance::for_callee(until - Instant::now()));
        if let Some(id) = request_id::current() {
            request = request.header(request_id::HEADER.as_str(), id.as_str());
        }
        let request = match body {
            Body::None => request,
            Body::Json(json) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(Bytes::copy_from_slice(json)),
            Body::Raw(bytes) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
                .body(Bytes::clone(bytes)),
        };
        let part = self.part();
        // its bodies are in memory, so it can be sent again
        let again = previous.and_then(|token| Some(request.try_clone()?.bearer_auth(token)));
        let request = request.bearer_auth(token);
        async move {
            let mut response = request.send().await.map_err(NoReply::Connection)?;
            // while the secret is being replaced, one that was not restarted yet knows only the one before
            if let Some(again) = again
                && response.status() == StatusCode::UNAUTHORIZED
            {
                response = again.send().await.map_err(NoReply::Connection)?;
            }
            if response.headers().contains_key(STARTING.as_str()) {
                return Err(NoReply::Starting);
            }
            let status = response.status().as_u16();
            // the span of the call stands in the logs of both sides
            tracing::debug!(part, status, traceparent = %step, "an internal call was answered");
            Ok(response)
        }
    }

    fn expect_json<T: DeserializeOwned>(&self, answer: Answer) -> PortResult<T> {
        if answer.status != StatusCode::OK {
            return Err(self.refused(answer.status, &answer.path));
        }
        serde_json::from_slice(&answer.bytes).map_err(|error| PortError::broken(self.part(), error))
    }

    fn expect_done(&self, answer: &Answer) -> PortResult<bool> {
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(self.refused(status, &answer.path)),
        }
    }

    fn refused(&self, status: StatusCode, path: &str) -> PortError {
        let part = self.part();
        let said = format!("{path} answered {status}");
        match status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => PortError::unavailable(part, said),
            StatusCode::INSUFFICIENT_STORAGE => PortError::full(part, said),
            // a refused token among them: the services' secrets or clocks differ
            _ => PortError::broken(part, said),
        }
    }
}

/// The name of a service in errors and metrics.
fn part(service: Service) -> &'static str {
    match service {
        Service::Auth => "auth",
        Service::Files => "files",
        Service::Worker => "worker",
    }
}

struct Answer {
    status: StatusCode,
    bytes: Bytes,
    path: String,
}

async fn read(mut response: Response, part: &'static str) -> Result<Bytes, NoReply> {
    let mut all = BytesMut::new();
    while let Some(bytes) = response.chunk().await.map_err(NoReply::Connection)? {
        if all.len() + bytes.len() > MAX_JSON_BYTES {
            let error = PortError::broken(part, "the answer is larger than any that is expected");
            return Err(NoReply::Unusable(error));
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all.freeze())
}
