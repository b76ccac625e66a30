//! A service and the gateway before it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use file_service::{Delivery, FileSettings};
use http_kit::server::Drain;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use testkit::nginx::{Behind, Nginx};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Answer, Server, answer};

/// Longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// The same files three times: through the gateway, from the replica behind it, and from one that sends everything itself.
pub(crate) struct Installation {
    pub(crate) server: Server,
    pub(crate) nginx: Nginx,
    /// The replica behind the gateway.
    pub(crate) behind: String,
    drain: Drain,
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.drain.stop.cancel();
    }
}

impl Installation {
    pub(crate) async fn start() -> Self {
        Self::with(FileSettings::default(), |_| {}).await
    }

    pub(crate) async fn with(settings: FileSettings, change: impl FnOnce(&mut Behind)) -> Self {
        let server = Server::start().await;
        let delivery = Delivery::Gateway(server.blobs.clone());
        let (behind, drain) = server.replica(FileSettings { delivery, ..settings });
        let mut surroundings = Behind {
            files: vec![socket(&behind)],
            blobs: Some(server.dir.path().join("blobs").join("blobs")),
            ..Behind::default()
        };
        change(&mut surroundings);
        let nginx = start(surroundings).await;
        Self { server, nginx, behind, drain }
    }

    /// The one blob on the disk.
    pub(crate) fn the_blob(&self) -> PathBuf {
        let only = |folder: PathBuf| std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        only(only(self.server.dir.path().join("blobs").join("blobs")))
    }

    /// The same request through the gateway and without it.
    pub(crate) async fn both(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> (Answer, Answer) {
        let through = ask(method.clone(), &self.nginx.address(), path, fields).await;
        (through, ask(method, &self.server.base, path, fields).await)
    }
}

pub(crate) async fn start(behind: Behind) -> Nginx {
    tokio::task::spawn_blocking(move || Nginx::start(&behind).unwrap()).await.unwrap()
}

pub(crate) fn socket(base: &str) -> SocketAddr {
    base.strip_prefix("http://").unwrap().parse().unwrap()
}

/// A client as any program has it.
pub(crate) fn client() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
    let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build();
    client.unwrap()
}

/// A request of user `a`, unless the fields say otherwise.
pub(crate) fn request(method: Method, base: &str, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut request = client().request(method, format!("{base}{path}"));
    if !fields.iter().any(|(name, _)| *name == "x-token") {
        request = request.header("x-token", "token-of-a");
    }
    fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

pub(crate) async fn ask(method: Method, base: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    answer(request(method, base, path, fields)).await
}

/// Bytes in which no two places are alike.
pub(crate) fn noise(len: usize) -> Bytes {
    testkit::blob_store::bytes(len as u64 + 1, len)
}

/// Sends these bytes and reads until the other side closes: status, head, body.
pub(crate) async fn raw(base: &str, bytes: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(socket(base)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read(&mut stream).await
}

/// Reads until the other side closes.
pub(crate) async fn read(stream: &mut TcpStream) -> (u16, String, Vec<u8>) {
    let mut read = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut read)).await.expect("it ends").unwrap();
    let end = read.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), read[end..].to_vec())
}

/// A GET of a path that no client would leave as it is.
pub(crate) async fn raw_get(base: &str, path: &str) -> (u16, String, Vec<u8>) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: test\r\nX-Token: token-of-a\r\nConnection: close\r\n\r\n");
    raw(base, request.as_bytes()).await
}

/// An address of this machine that nobody else uses, so that a port of it which came free stays free.
pub(crate) fn an_own_address() -> IpAddr {
    Ipv4Addr::from_bits(0x7f01_0000 + rand::random_range(1..0xfe_0000)).into()
}

/// Where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    (an_own_address(), 1).into()
}

/// What a double was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// By names in lower case; several fields of one name are joined by a comma.
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

/// A service that answers as a test says, and remembers what it was asked.
pub(crate) struct Double {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    handle: actix_web::dev::ServerHandle,
}

impl Double {
    pub(crate) fn start(respond: impl Fn(&Asked) -> HttpResponse + Clone + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let server = HttpServer::new(move || {
            let (respond, noted) = (respond.clone(), Arc::clone(&noted));
            App::new().app_data(web::PayloadConfig::new(100 << 20)).default_service(web::to(
                move |request: HttpRequest, body: Bytes| {
                    let mut fields = BTreeMap::<String, String>::new();
                    for (name, value) in request.headers() {
                        let value = value.to_str().unwrap();
                        let known = fields.entry(name.as_str().to_owned()).or_default();
                        *known =
                            if known.is_empty() { value.to_owned() } else { format!("{known}, {value}") };
                    }
                    let path = request.uri().to_string();
                    let asked = Asked { method: request.method().to_string(), path, fields, body };
                    let response = respond(&asked);
                    noted.lock().unwrap().push(asked);
                    async move { response }
                },
            ))
        });
        let server = server.workers(1).disable_signals().bind((an_own_address(), 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, asked, handle }
    }

    /// One that is content with everything.
    pub(crate) fn content() -> Self {
        Self::start(|_| HttpResponse::Ok().json(serde_json::json!({"ok": true})))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

/// Takes whole requests and hangs up without an answer; counts them.
pub(crate) struct Breaker {
    pub(crate) address: SocketAddr,
    pub(crate) taken: Arc<Mutex<Vec<String>>>,
}

impl Breaker {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&taken);
        actix_web::rt::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                    let mut buffer = [0; 4096];
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => head.extend_from_slice(&buffer[..count]),
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                noted.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
            }
        });
        Self { address, taken }
    }
}

/// The gateway's own failure in the form of the v1 API.
#[track_caller]
pub(crate) fn expect_own_problem(answer: &Answer, status: u16, code: &str) -> Value {
    let problem = answer.expect_problem(status, code);
    assert_eq!(problem["requestId"].as_str(), answer.header("x-request-id"));
    assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &status.into()));
    assert!(problem["title"].is_string());
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "SAMEORIGIN"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("server"), Some("nginx"));
    problem
}

/// Uploads a file by the replica that stands alone; its id.
pub(crate) async fn file(
    installation: &Installation,
    name: &str,
    content: impl Into<reqwest::Body>,
) -> String {
    installation.server.user("a").file(name, "root", content).await
}

pub(crate) const OK: StatusCode = StatusCode::OK;
