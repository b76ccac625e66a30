use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::timeout;
use worker_service::{Registry, WorkerService};

use crate::http::{Server, Tokens, http_client, serve_shared};
use crate::support::{Running, World};

const PATIENCE: Duration = Duration::from_secs(30);

/// A service at work behind a server, as a client sees it.
pub(crate) struct Api {
    pub(crate) base: String,
    pub(crate) tokens: Arc<Tokens>,
    http: reqwest::Client,
    server: Server,
    running: Running,
}

impl Api {
    pub(crate) fn start(world: &World) -> Self {
        Self::with(world, Registry::default())
    }

    pub(crate) fn with(world: &World, registry: Registry) -> Self {
        Self::of(world, world.service(registry))
    }

    /// The same over a service of other parts.
    pub(crate) fn of(world: &World, service: WorkerService) -> Self {
        let service = Arc::new(service);
        let tokens = Arc::<Tokens>::default();
        let server = serve_shared(Arc::clone(&service), Arc::clone(&tokens), world);
        let running = Running::start_shared(service);
        Self { base: server.base.clone(), tokens, http: http_client(), server, running }
    }

    /// The service ends as at shut-down, while the server still listens.
    pub(crate) fn begin_to_stop(&self) {
        self.running.begin_to_stop();
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
        self.server.stop().await;
    }

    /// Without waiting for what runs.
    pub(crate) async fn stop_hard(self) {
        self.running.kill().await;
        self.server.stop().await;
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(token)
    }

    /// A call of another service.
    pub(crate) fn internal(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.base))
    }

    /// Status and body; null for no body.
    pub(crate) async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        (status, body)
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path, token)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.get_as("ann", path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Sends a body as an administrator.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.request(method, path, "ann").json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    /// Posts what must be taken.
    pub(crate) async fn done(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Status, code and the pointer of the first field at fault.
    pub(crate) async fn fault(&self, method: Method, path: &str, body: &Value) -> (u16, String, String) {
        let (status, body) = self.call(method, path, body).await;
        fault_of(status, &body)
    }

    /// Makes a job; its id.
    pub(crate) async fn make(&self, job: Value) -> String {
        let made = self.done("/jobs", &job).await;
        assert_eq!(made["outcome"], "inserted", "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn job(&self, id: &str) -> Value {
        self.get(&format!("/jobs/{id}")).await
    }

    /// Claims one job of a type that is there; it and its lease.
    pub(crate) async fn claim(&self, kind: &str) -> Claim {
        let body = json!({ "types": [kind], "workerId": "w", "leaseMs": 1000 });
        let mut claimed = self.done("/jobs/claim", &body).await;
        let claim = claimed["items"][0].take();
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no job: {claim}")).to_owned();
        Claim { id: text(&claim["job"]["id"]), lease: text(&claim["lease"]), claim: claim.clone() }
    }

    /// Follows events; after the server has taken the request.
    pub(crate) async fn follow(&self, token: &str, path: &str, last: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, path, token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Events { chunks: Box::pin(answer.bytes_stream()), text: String::new() }
    }
}

pub(crate) fn fault_of(status: u16, body: &Value) -> (u16, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (status, text(&body["code"]), text(&body["errors"][0]["pointer"]))
}

/// A job that a test works.
pub(crate) struct Claim {
    pub(crate) id: String,
    pub(crate) lease: String,
    pub(crate) claim: Value,
}

impl Claim {
    pub(crate) async fn report(&self, api: &Api, what: &str, mut body: Value) -> (u16, Value) {
        body["lease"] = json!(self.lease);
        api.post(&format!("/jobs/{}/{what}", self.id), &body).await
    }
}

/// A stream of events.
pub(crate) struct Events {
    chunks: std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    text: String,
}

/// What came by a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Events {
    /// The next block of the stream; none at its end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = timeout(PATIENCE, self.chunks.next()).await.expect("something comes")?;
            self.text.push_str(std::str::from_utf8(&chunk.ok()?).unwrap());
        }
    }

    /// The next event; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        loop {
            let block = self.block().await?;
            let fields: HashMap<&str, &str> = block
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(name, _)| !name.is_empty())
                .collect();
            if let Some(data) = fields.get("data") {
                return Some(Heard {
                    id: fields.get("id").map(|id| (*id).to_owned()),
                    event: fields["event"].to_owned(),
                    data: serde_json::from_str(data).unwrap(),
                });
            }
        }
    }

    /// The words of the events up to this one, for jobs in the order of the events.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            let next = self.next().await.unwrap_or_else(|| panic!("{last} did not come: {heard:?}"));
            let is_last = next.event == last;
            heard.push(next);
            if is_last {
                return heard;
            }
        }
    }
}

pub(crate) fn words(heard: &[Heard]) -> Vec<&str> {
    heard.iter().map(|heard| &*heard.event).collect()
}
