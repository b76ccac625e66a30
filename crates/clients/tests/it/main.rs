//! Calls to real servers: those of http-kit, and raw ones that misbehave.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod names;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use clients::{AuthClient, FilesClient, InternalClient, WorkerClient};
use common::allowance::{Allowance, scope};
use common::auth::internal::{PublicKeys, ResolveCredential, ResolvedCredential};
use common::auth::{
    CredentialSource as _, PublicKey, Role, SessionKind, SessionState, UserCount as _, UserState,
};
use common::files::internal::{MaintenanceStep, StepDone, ThumbnailPicture, ThumbnailUpload};
use common::jobs::KnownJobs as _;
use common::jobs::internal::{FindUser, FoundUser, KnownJobs, UserStats};
use common::routes::Service;
use common::{BlobKey, JobId, PortError, SessionId, SigningKeyId, Timestamp, TraceContext, UserId};
use futures_util::TryStreamExt as _;
use http_kit::request_id::{self, RequestId};
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::service_token::{ServiceCaller, ServiceGate, ServiceTokens};
use runtime::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

const BLOB: BlobKey = BlobKey::from_bytes([7; 16]);

fn tokens() -> ServiceTokens {
    ServiceTokens::new(&[7; 32], None).unwrap()
}

fn unix(socket: &Path, target: Service) -> InternalClient {
    InternalClient::unix(socket, Service::Worker, target, tokens(), Arc::new(SystemClock)).unwrap()
}

fn tcp(address: impl std::fmt::Display, target: Service) -> InternalClient {
    let base = Url::parse(&format!("http://{address}/")).unwrap();
    InternalClient::tcp(&[base], Service::Worker, target, tokens(), Arc::new(SystemClock)).unwrap()
}

/// A server of http-kit that ends with the value.
struct Server {
    drain: Drain,
    _task: JoinSet<std::io::Result<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain.stop.cancel();
    }
}

fn start(listener: Listener, configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Server {
    let drain = Drain::default();
    let mut task = JoinSet::new();
    let settings = ServerSettings { workers: 1, ..ServerSettings::new("test") };
    let gate = web::Data::new(ServiceGate::new(tokens(), Service::ALL, Arc::new(SystemClock)));
    let configure = move |config: &mut web::ServiceConfig| {
        config.app_data(gate.clone());
        configure(config);
    };
    task.spawn(serve(settings, listener, configure, drain.clone()));
    Server { drain, _task: task }
}

fn over_tcp(configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> (Server, String) {
    let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (start(listener, configure), address)
}

fn kind<T: std::fmt::Debug>(result: Result<T, PortError>) -> &'static str {
    match result {
        Err(PortError::Unavailable { .. }) => "unavailable",
        Err(PortError::Full { .. }) => "full",
        Err(PortError::Broken { .. }) => "broken",
        Ok(value) => panic!("not an error: {value:?}"),
    }
}

fn states() -> (SessionState, UserState) {
    let user = UserId::from_bytes([1; 12]);
    let expires_at = Timestamp::from_millis(1_800_000_000_000);
    (SessionState { user, kind: SessionKind::Cookie, expires_at }, UserState { role: Role::Admin })
}

fn key() -> PublicKey {
    PublicKey { id: SigningKeyId::from_bytes([3; 12]), ed25519: [9; 32] }
}

fn auth_routes(config: &mut web::ServiceConfig) {
    config
        .route(
            "/internal/keys",
            web::get().to(|_: ServiceCaller| async { web::Json(PublicKeys { keys: vec![key()] }) }),
        )
        .route(
            "/internal/stats",
            web::get().to(|_: ServiceCaller| async { web::Json(UserStats { users: 5 }) }),
        )
        .route(
            "/internal/credentials/resolve",
            web::post().to(|asked: web::Json<ResolveCredential>| async move {
                let known = asked.session == SessionId::from_bytes([2; 12]);
                let (session, user) = states();
                web::Json(known.then_some(ResolvedCredential { session, user }))
            }),
        )
        .route(
            "/internal/users/find",
            web::post().to(|asked: web::Json<FindUser>| async move {
                web::Json(Some(FoundUser {
                    id: asked.id,
                    address: "a@b".to_owned(),
                    role: None,
                    disabled: false,
                }))
            }),
        );
}

#[tokio::test]
async fn auth_service_answers_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("internal.sock");
    let _server = start(Listener::bind_unix(&socket).unwrap(), auth_routes);
    let auth = AuthClient::new(unix(&socket, Service::Auth));
    assert_eq!(auth.public_keys().await.unwrap(), [key()]);
    assert_eq!(auth.count_users().await.unwrap(), 5);
    let user = UserId::from_bytes([1; 12]);
    let session = SessionId::from_bytes([2; 12]);
    assert_eq!(auth.resolve(session, user).await.unwrap(), Some(states()));
    assert_eq!(auth.resolve(SessionId::from_bytes([8; 12]), user).await.unwrap(), None);
    assert_eq!(auth.find_user(user).await.unwrap().unwrap().address, "a@b");
}

#[tokio::test]
async fn worker_service_answers_over_tcp() {
    let (_server, address) = over_tcp(|config| {
        config.route("/internal/jobs/known", web::post().to(|asked: web::Json<KnownJobs>| async { asked }));
    });
    let ids = [JobId::from_bytes([1; 12]), JobId::from_bytes([2; 12])];
    assert_eq!(WorkerClient::new(tcp(address, Service::Worker)).known(&ids).await.unwrap(), ids);
}

#[tokio::test]
async fn the_request_id_goes_along() {
    let (_server, address) = over_tcp(|config| {
        let echo = |request: HttpRequest| async move {
            let id = request.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
            web::Json(id)
        };
        config.route("/internal/id", web::get().to(echo));
    });
    let client = tcp(address, Service::Files);
    let id = RequestId::parse("from-outside").unwrap();
    let said: String = request_id::scope(id, client.get_json("/internal/id")).await.unwrap();
    assert_eq!(said, "from-outside");
}

#[tokio::test]
async fn the_trace_goes_along_with_a_step_for_each_call() {
    let (_server, address) = over_tcp(|config| {
        let echo = |request: HttpRequest| async move {
            web::Json(request.headers().get("traceparent").unwrap().to_str().unwrap().to_owned())
        };
        config.route("/internal/trace", web::get().to(echo));
    });
    let client = tcp(address, Service::Files);
    let ask = async || client.get_json::<String>("/internal/trace").await.unwrap();
    let here = testkit::a_trace();
    let said: [TraceContext; 2] = http_kit::trace::scope(here, async { [ask().await, ask().await] })
        .await
        .map(|text| text.parse().unwrap());
    assert!(said.iter().all(|step| step.trace_id() == here.trace_id()), "{said:?}");
    assert!(said[0].span_id() != said[1].span_id() && said[0].span_id() != here.span_id(), "{said:?}");
    let apart: TraceContext = ask().await.parse().unwrap();
    assert_ne!(apart.trace_id(), here.trace_id(), "what is done for nobody's request begins a trace");
}

#[tokio::test]
async fn the_other_service_is_told_how_long_it_may_wait() {
    let (_server, address) = over_tcp(|config| {
        let echo = |request: HttpRequest| async move {
            let waits = request.headers().get("x-waits-ms").unwrap().to_str().unwrap();
            web::Json(waits.parse::<u64>().unwrap())
        };
        config.route("/internal/waits", web::get().to(echo));
    });
    let client = tcp(address, Service::Files);
    let ask = async || client.get_json::<u64>("/internal/waits").await.unwrap();
    let whole = u64::try_from(InternalClient::CALL_DEADLINE.as_millis()).unwrap();
    assert!(ask().await < whole, "less than the caller");
    let allowance = Allowance::new(Duration::from_secs(2));
    let left = scope(Some(allowance), async { ask().await }).await;
    assert!(left < 2000, "{left}: less than is left of the request that asks");
}

#[tokio::test]
async fn a_token_for_another_service_is_refused() {
    let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gate = web::Data::new(ServiceGate::new(tokens(), [Service::Files], Arc::new(SystemClock)));
    let _server = start(listener, move |config| {
        config.service(
            web::resource("/internal/keys")
                .app_data(gate.clone())
                .route(web::get().to(|_: ServiceCaller| async { web::Json(PublicKeys { keys: vec![] }) })),
        );
    });
    assert_eq!(kind(AuthClient::new(tcp(address, Service::Auth)).public_keys().await), "broken");
    assert_eq!(AuthClient::new(tcp(address, Service::Files)).public_keys().await.unwrap(), []);
}

/// While the internal secret is being replaced by a rolling restart, those with the new one call those that have only the old one, and are called.
#[tokio::test]
async fn the_secret_can_be_replaced_one_replica_after_another() {
    let (old, new): (&[u8], &[u8]) = (&[7; 32], &[8; 32]);
    let before = ServiceTokens::new(old, None).unwrap();
    let between = ServiceTokens::new(new, Some(old)).unwrap();
    let after = ServiceTokens::new(new, None).unwrap();
    for (caller, called, known) in [
        (&between, &before, true),
        (&before, &between, true),
        (&between, &between, true),
        (&between, &after, true),
        (&after, &between, true),
        (&after, &before, false),
    ] {
        let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = web::Data::new(ServiceGate::new(called.clone(), Service::ALL, Arc::new(SystemClock)));
        let _server = start(listener, move |config| {
            config.service(
                web::resource("/internal/jobs/known")
                    .app_data(gate.clone())
                    .route(web::post().to(|_: ServiceCaller, asked: web::Json<KnownJobs>| async { asked })),
            );
        });
        let base = Url::parse(&format!("http://{address}/")).unwrap();
        let clock = Arc::new(SystemClock);
        let client =
            InternalClient::tcp(&[base], Service::Auth, Service::Worker, caller.clone(), clock).unwrap();
        let ids = [JobId::from_bytes([1; 12])];
        match WorkerClient::new(client).known(&ids).await {
            Ok(said) => assert!(known && said == ids, "{caller:?} {called:?}"),
            Err(error) => assert!(!known && matches!(error, PortError::Broken { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn answers_say_what_to_do_next() {
    let (_server, address) = over_tcp(|config| {
        let status = |status: web::Path<u16>| async move {
            HttpResponse::build(StatusCode::from_u16(*status).unwrap())
                .insert_header(("location", "/internal/fine"))
                .body("{}")
        };
        config
            .route("/internal/status/{status}", web::to(status))
            .route("/internal/fine", web::to(|| async { web::Json("followed") }))
            .route("/internal/large", web::get().to(|| async { format!("\"{}\"", "x".repeat(5_000_000)) }))
            .route("/internal/wrong", web::get().to(|| async { "not JSON" }));
    });
    for (status, expected) in [
        (503, "unavailable"),
        (502, "unavailable"),
        (429, "unavailable"),
        (507, "full"),
        (500, "broken"),
        (400, "broken"),
        (401, "broken"),
        (302, "broken"),
        (204, "broken"),
    ] {
        // one each: several failures in a row are another story
        let client = tcp(&address, Service::Files);
        let path = format!("/internal/status/{status}");
        assert_eq!(kind(client.get_json::<String>(&path).await), expected, "{status}");
        if status != 204 {
            assert_eq!(kind(client.post_to(&path, &()).await), expected, "{status}");
        }
        assert_eq!(kind(client.get_stream(&path).await.map(|_| ())), expected, "{status}");
    }
    let client = tcp(&address, Service::Files);
    assert_eq!(kind(client.get_json::<String>("/internal/status/404").await), "broken");
    assert!(!client.post_to("/internal/status/404", &()).await.unwrap());
    assert!(client.post_to("/internal/status/204", &()).await.unwrap());
    assert!(!client.put_bytes("/internal/status/404", &Bytes::new()).await.unwrap());
    assert!(client.get_stream("/internal/status/404").await.unwrap().is_none());
    assert_eq!(kind(client.get_json::<String>("/internal/large").await), "broken");
    assert_eq!(kind(client.get_json::<String>("/internal/wrong").await), "broken");
}

#[tokio::test]
async fn thumbnails_go_in_one_framed_body() {
    let (_server, address) = over_tcp(|config| {
        let keep = |blob: web::Path<String>, body: Bytes| async move {
            let end = body.iter().position(|byte| *byte == b'\n').unwrap();
            let upload: ThumbnailUpload = serde_json::from_slice(&body[..end]).unwrap();
            assert_eq!((upload.pictures.len(), &body[end + 1..]), (2, &b"onethree"[..]));
            if **blob == BLOB.to_string() { HttpResponse::NoContent() } else { HttpResponse::NotFound() }
                .finish()
        };
        config.route("/internal/blobs/{blob}/thumbnails", web::put().to(keep));
        let step = |task: web::Path<String>, step: web::Json<MaintenanceStep>| async move {
            web::Json(StepDone {
                done: *task == "sweep",
                cursor: step.into_inner().cursor,
                changed: 1,
                ..StepDone::default()
            })
        };
        config.route("/internal/maintenance/{task}", web::post().to(step));
    });
    let files = FilesClient::new(tcp(address, Service::Files));
    let picture = |size, bytes| ThumbnailPicture { size, mime: "image/png".to_owned(), bytes };
    let upload = ThumbnailUpload { media: None, pictures: vec![picture(100, 3), picture(250, 5)] };
    let bytes = vec![Bytes::from_static(b"one"), Bytes::from_static(b"three")];
    assert!(files.put_thumbnails(BLOB, &upload, bytes.clone()).await.unwrap());
    assert!(!files.put_thumbnails(BlobKey::from_bytes([8; 16]), &upload, bytes.clone()).await.unwrap());
    assert_eq!(kind(files.put_thumbnails(BLOB, &upload, bytes[..1].to_vec()).await), "broken");
    let step = MaintenanceStep { cursor: Some("next".to_owned()) };
    let done = files.maintenance("sweep", &step).await.unwrap();
    assert_eq!((done.done, done.cursor.as_deref()), (true, Some("next")));
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    assert_eq!(kind(tcp(address, Service::Files).get_json::<String>("/internal/x").await), "unavailable");
    let nowhere = Path::new("/nonexistent/internal.sock");
    assert_eq!(
        kind(unix(nowhere, Service::Files).get_stream("/internal/x").await.map(|_| ())),
        "unavailable"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tcp(silent.local_addr().unwrap(), Service::Files);
    let begun = tokio::time::Instant::now();
    assert_eq!(kind(client.get_json::<String>("/internal/x").await), "unavailable");
    assert_eq!(kind(client.get_stream("/internal/x").await.map(|_| ())), "unavailable");
    assert!(begun.elapsed() <= Duration::from_secs(12));
}

/// A server that gives each connection one scripted answer and closes it without a word.
async fn scripted(answers: &'static [&'static str]) -> (JoinSet<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut task = JoinSet::new();
    task.spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (task, address)
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let (_server, address) = scripted(&["", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\"ok\""]).await;
    let client = tcp(address, Service::Files);
    assert_eq!(client.get_json::<String>("/internal/x").await.unwrap(), "ok", "closed before it answered");
    let (_server, address) = scripted(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\"ok\""; 5]).await;
    let client = tcp(address, Service::Files);
    for _ in 0..5 {
        assert_eq!(client.get_json::<String>("/internal/x").await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_stream_is_whole_or_an_error() {
    let (_server, address) = scripted(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
    ])
    .await;
    let files = FilesClient::new(tcp(address, Service::Files));
    let whole: Vec<Bytes> = files.read_blob(BLOB).await.unwrap().unwrap().try_collect().await.unwrap();
    assert_eq!(whole.concat(), b"abcd");
    for _ in 0..2 {
        let broken = files.read_blob(BLOB).await.unwrap().unwrap().try_collect::<Vec<Bytes>>().await;
        assert_eq!(kind(broken), "unavailable");
    }
}

#[tokio::test]
async fn only_http_addresses_are_bases() {
    for wrong in ["ftp://files", "file:///tmp", "data:x"] {
        let base = Url::parse(wrong).unwrap();
        let client =
            InternalClient::tcp(&[base], Service::Auth, Service::Files, tokens(), Arc::new(SystemClock));
        assert!(client.unwrap_err().to_string().contains(wrong));
    }
    InternalClient::tcp(&[], Service::Auth, Service::Files, tokens(), Arc::new(SystemClock)).unwrap_err();
}
