//! The end of a server, and Unix sockets.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::{TrustedProxies, client_ip};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{DEADLINE, Server, get, settings};
use testkit::wait::until;

#[derive(Clone)]
struct Gate {
    entered: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

async fn gated(gate: web::Data<Gate>) -> HttpResponse {
    gate.entered.fetch_add(1, Ordering::SeqCst);
    let _permit = gate.open.acquire().await.unwrap();
    HttpResponse::Ok().body("done")
}

#[tokio::test]
async fn answers_close_connections_while_draining_and_running_requests_end() {
    let gate = Gate { entered: Arc::default(), open: Arc::new(Semaphore::new(0)) };
    let data = web::Data::new(gate.clone());
    let server = Server::start(move |config| {
        config
            .app_data(data.clone())
            .route("/api/v1/gated", web::get().to(gated))
            .route("/api/v1/ok", web::get().to(HttpResponse::Ok));
    });
    let mut idle = server.connect().await;
    idle.send(get("/api/v1/ok").as_bytes()).await;
    assert_eq!(idle.answer().await.header("connection"), None);
    let mut running = server.connect().await;
    running.send(get("/api/v1/gated").as_bytes()).await;
    until(|| gate.entered.load(Ordering::SeqCst) == 1).await;

    server.drain.draining.cancel();
    // the flag is set by the server's own task a moment later
    let closing = async {
        loop {
            let answer = server.ask(&get("/api/v1/ok")).await;
            if answer.header("connection") == Some("close") {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, closing).await.unwrap();
    server.drain.stop.cancel();
    assert_eq!(idle.closed().await, b"", "an idle connection is closed");
    let address = server.address;
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, refused).await.unwrap();
    gate.open.add_permits(1);
    assert_eq!(running.answer().await.body, "done");
    assert_eq!(running.closed().await, b"");
    server.ended().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let gate = Gate { entered: Arc::default(), open: Arc::new(Semaphore::new(0)) };
    let data = web::Data::new(gate.clone());
    let settings = ServerSettings { shutdown_timeout: Duration::from_secs(1), ..settings() };
    let server = Server::start_with(settings, move |config| {
        config.app_data(data.clone()).route("/api/v1/gated", web::get().to(gated));
    });
    let mut stuck = server.connect().await;
    stuck.send(get("/api/v1/gated").as_bytes()).await;
    until(|| gate.entered.load(Ordering::SeqCst) == 1).await;
    server.drain.stop.cancel();
    server.ended().await;
    assert_eq!(stuck.closed().await, b"");
}

#[tokio::test]
async fn a_unix_socket_is_for_its_owner_and_has_no_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("internal.sock");
    let drain = Drain::default();
    let mut task = JoinSet::new();
    for _ in 0..2 {
        // the second bind replaces what the first, which died, left behind
        drop(Listener::bind_unix(&path).unwrap());
    }
    let listener = Listener::bind_unix(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let address = |request: HttpRequest| async move {
        let trusted = TrustedProxies::parse(["0.0.0.0/0"]).unwrap();
        format!("{:?}", client_ip(&request, &trusted))
    };
    let configure = move |config: &mut web::ServiceConfig| {
        config.route("/internal/address", web::get().to(address));
    };
    task.spawn(serve(settings(), listener, configure, drain.clone()));
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /internal/address HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("None"), "{answer}");
    drain.stop.cancel();
    tokio::time::timeout(DEADLINE, task.join_next()).await.unwrap().unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_path_that_the_system_would_refuse_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Listener::bind_unix(&folder.path().join("x".repeat(120))).unwrap_err();
    assert!(error.to_string().contains("xxx"), "{error}");
}
