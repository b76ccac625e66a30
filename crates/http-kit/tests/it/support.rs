//! A server on a free port, and a client that speaks raw HTTP to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use http_kit::openapi::MethodTable;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use utoipa::openapi::path::{HttpMethod, Operation, Paths};
use utoipa::openapi::{Info, OpenApi};

/// Longest wait for anything; a test that reaches it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    task: JoinSet<std::io::Result<()>>,
}

pub(crate) fn settings() -> ServerSettings {
    let mut paths = Paths::new();
    paths.add_path_operation("/api/v1/ok", vec![HttpMethod::Get], Operation::new());
    paths.add_path_operation("/files/{id}", vec![HttpMethod::Get, HttpMethod::Delete], Operation::new());
    let methods = MethodTable::of(&OpenApi::new(Info::new("test", "0"), paths));
    ServerSettings {
        workers: 1,
        linger: Duration::from_millis(500),
        shutdown_timeout: Duration::from_secs(10),
        methods: Arc::new(methods),
        ..ServerSettings::new("test")
    }
}

impl Server {
    pub(crate) fn start(configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Self {
        Self::start_with(settings(), configure)
    }

    pub(crate) fn start_with(
        settings: ServerSettings,
        configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::default();
        let mut task = JoinSet::new();
        task.spawn(serve(settings, listener, configure, drain.clone()));
        Self { address, drain, task }
    }

    /// Waits for the server's own end.
    pub(crate) async fn ended(mut self) {
        let ended = tokio::time::timeout(DEADLINE, self.task.join_next()).await.expect("the server ends");
        ended.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap(), Vec::new())
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request.as_bytes()).await;
        client.answer().await
    }
}

/// A connection, and what was read beyond the answers so far.
pub(crate) struct Client(pub(crate) TcpStream, Vec<u8>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        tokio::time::timeout(DEADLINE, self.0.write_all(bytes)).await.expect("the server reads").unwrap();
    }

    /// Reads one answer with a length.
    pub(crate) async fn answer(&mut self) -> Answer {
        tokio::time::timeout(DEADLINE, self.read_answer()).await.expect("the server answers")
    }

    async fn read_answer(&mut self) -> Answer {
        let mut bytes = std::mem::take(&mut self.1);
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let read = self.0.read_buf(&mut bytes).await.unwrap();
            assert_ne!(read, 0, "the connection ended in a head: {:?}", String::from_utf8_lossy(&bytes));
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut body = bytes.split_off(end);
        let answer = Answer { status, head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            let read = self.0.read_buf(&mut body).await.unwrap();
            assert_ne!(read, 0, "the connection ended in a body");
        }
        self.1 = body.split_off(length);
        Answer { body: String::from_utf8(body).unwrap(), ..answer }
    }

    /// Reads to the end of the connection, which must be an orderly one.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.1);
        tokio::time::timeout(DEADLINE, self.0.read_to_end(&mut rest))
            .await
            .expect("the server closes")
            .unwrap();
        rest
    }
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}
