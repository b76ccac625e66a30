//! Requests with a key, over a store of SQLite.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use common::auth::{AuthStore as _, Authenticator, Presented, Principal, Role};
use common::idempotency::{KEPT, KeySeal, LEASE};
use common::routes::Service;
use common::{Clock, Code, PortResult, SessionId, UserId};
use futures_util::future::join_all;
use http_kit::idempotency::Idempotency;
use http_kit::{ApiResult, Authenticated, BodyLimits, BodyStream, CookiePolicy, Problem, input};
use runtime::secrets::{MasterKey, random_secret};
use serde::Deserialize;
use serde_json::{Value, json};
use store_sqlite::{AuthDb, OpenOptions};
use tempfile::TempDir;
use testkit::auth_store::user;
use testkit::{TestClock, TestIds};
use tokio::sync::Semaphore;

use crate::support::{Answer, Client, DEADLINE, Server};

/// Knows `ann` and `bob`.
struct Doorman;

#[async_trait]
impl Authenticator for Doorman {
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>> {
        let user = match &*presented.token {
            "ann" => 1,
            "bob" => 2,
            _ => return Ok(None),
        };
        let session = SessionId::from_bytes([9; 12]);
        Ok(Some(Principal::of_session(UserId::from_bytes([user; 12]), session, Role::User)))
    }
}

#[derive(Deserialize)]
struct Body {
    does: String,
}

/// What the handler works on.
struct Data {
    db: Arc<AuthDb>,
    ids: Arc<TestIds>,
    clock: Arc<TestClock>,
    runs: AtomicU32,
    /// Lets those go on that wait.
    gate: Semaphore,
}

impl Data {
    async fn change(&self) -> ApiResult<()> {
        let name = format!("{}@example.org", self.ids.next::<UserId>());
        let user = user(self.ids.next(), &name, self.clock.now());
        let port = |error| match error {
            common::auth::CreateUserError::Port(error) => Problem::from(error),
            _ => Problem::new(Code::Internal),
        };
        self.db.create_user(&user, &[]).await.map_err(port)
    }
}

/// Takes bytes.
async fn put(_: Authenticated, data: web::Data<Data>, payload: web::Payload) -> ApiResult<HttpResponse> {
    let run = data.runs.fetch_add(1, Ordering::SeqCst) + 1;
    let bytes = BodyStream::new(payload, BodyLimits::default()).collect().await?;
    if bytes == "taken" {
        return Err(Problem::new(Code::NameTaken));
    }
    data.change().await?;
    Ok(HttpResponse::Created().json(json!({ "run": run })))
}

async fn act(
    _: Authenticated,
    data: web::Data<Data>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<HttpResponse> {
    let Body { does } = input::json(&request, payload, 1 << 20).await?;
    let run = data.runs.fetch_add(1, Ordering::SeqCst) + 1;
    match &*does {
        "waits" => drop(data.gate.acquire().await),
        "is refused" => return Err(Problem::new(Code::NameTaken)),
        "is busy" => return Err(Problem::new(Code::Locked)),
        "fails first" => return Err(Problem::new(Code::Unavailable)),
        "panics first" => panic!("as asked"),
        _ => {}
    }
    data.change().await?;
    match &*does {
        "fails then" => return Err(Problem::new(Code::Unavailable)),
        "panics then" => panic!("as asked"),
        _ => {}
    }
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", format!("/api/v1/groups/{run}")));
    answer.insert_header(("Operation-Id", "5f1e8896c7ba06511e683b25"));
    let filling = if does == "is large" { "x".repeat(100_000) } else { String::new() };
    Ok(answer.json(json!({ "run": run, "secret": "of the answer", "filling": filling })))
}

struct Scene {
    server: Server,
    data: web::Data<Data>,
}

fn master_key(secret: &str) -> Arc<MasterKey> {
    Arc::new(MasterKey::parse(secret, None).unwrap())
}

impl Scene {
    fn new() -> (Self, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self::open(folder.path(), master_key(&random_secret()), Arc::default(), Arc::default());
        (scene, folder)
    }

    fn open(folder: &Path, seal: Arc<dyn KeySeal>, clock: Arc<TestClock>, ids: Arc<TestIds>) -> Self {
        let db = Arc::new(AuthDb::open(folder.join("auth.db"), &OpenOptions::default()).unwrap());
        let keys = Idempotency::new(seal, clock.clone())
            .with(Service::Auth, db.clone())
            .with(Service::Files, db.clone());
        let keys = web::Data::new(keys);
        let doorman: Arc<dyn Authenticator> = Arc::new(Doorman);
        let doorman = web::Data::from(doorman);
        let policy = web::Data::new(CookiePolicy::new(None, false));
        let runs = AtomicU32::new(0);
        let data = web::Data::new(Data { db, ids, clock, runs, gate: Semaphore::new(0) });
        let of_app = data.clone();
        let server = Server::start(move |config| {
            config
                .app_data(keys.clone())
                .app_data(doorman.clone())
                .app_data(policy.clone())
                .app_data(of_app.clone())
                .route("/api/v1/users/me/export", web::post().to(act))
                .route("/api/v1/users/me/password", web::post().to(act))
                .route("/api/v1/uploads", web::post().to(act))
                .route("/api/v1/auth/login", web::post().to(act))
                .route("/api/v1/files/{id}/public", web::put().to(put))
                .route("/api/v1/files/{id}/children/{name}/content", web::put().to(put));
        });
        Self { server, data }
    }

    async fn ask(&self, path: &str, who: &str, key: &str, does: &str) -> Answer {
        self.server.ask(&request(path, who, key, does)).await
    }

    /// With ann's key `k`.
    async fn post(&self, does: &str) -> Answer {
        self.ask(EXPORT, "ann", "k", does).await
    }

    fn runs(&self) -> u32 {
        self.data.runs.load(Ordering::SeqCst)
    }

    async fn changes(&self) -> u64 {
        self.data.db.count_users().await.unwrap()
    }
}

async fn until(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, met).await.expect("the condition is met");
}

const EXPORT: &str = "/api/v1/users/me/export";

fn request(path: &str, who: &str, key: &str, does: &str) -> String {
    let body = json!({ "does": does }).to_string();
    let key = if key.is_empty() { String::new() } else { format!("Idempotency-Key: {key}\r\n") };
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Token: {who}\r\n{key}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

fn run_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["run"].clone()
}

#[tokio::test]
async fn a_repetition_is_answered_as_the_first_was() {
    let (scene, _folder) = Scene::new();
    let first = scene.post("a thing").await;
    assert!(!is_replay(&first));
    for key in ["k", "\"k\""] {
        let again = scene.ask(EXPORT, "ann", key, "a thing").await;
        assert!(is_replay(&again));
        assert_eq!((again.status, &again.body), (201, &first.body));
        for field in ["location", "operation-id", "content-type"] {
            assert_eq!(again.header(field), first.header(field), "{field}");
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!((scene.runs(), scene.changes().await), (1, 1));
    for (path, who, key) in [
        (EXPORT, "bob", "k"),
        (EXPORT, "ann", "l"),
        ("/api/v1/users/me/password", "ann", "k"),
        (EXPORT, "ann", ""),
        (EXPORT, "ann", ""),
    ] {
        assert!(!is_replay(&scene.ask(path, who, key, "a thing").await));
    }
    assert_eq!((scene.runs(), scene.changes().await), (6, 6));
    scene.data.clock.advance(KEPT);
    assert!(!is_replay(&scene.post("a thing").await), "a day later it is another request");
}

#[tokio::test]
async fn another_request_with_the_key_is_refused() {
    let (scene, _folder) = Scene::new();
    scene.post("a thing").await;
    let other = scene.post("another thing").await;
    assert_eq!((other.status, &*other.code()), (422, "idempotency_key_reused"));
    let other = scene.ask(&format!("{EXPORT}?a=b"), "ann", "k", "a thing").await;
    assert_eq!((other.status, &*other.code()), (422, "idempotency_key_reused"));
    assert_eq!(scene.changes().await, 1);
}

#[tokio::test]
async fn of_requests_at_once_one_is_carried_out() {
    let (scene, _folder) = Scene::new();
    let opens = async {
        until(async || scene.runs() == 1).await;
        assert_eq!(scene.post("waits").await.code(), "request_under_way");
        scene.data.gate.add_permits(1);
    };
    let (answers, ()) = tokio::join!(join_all((0..8).map(|_| scene.post("waits"))), opens);
    let (made, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    // those that came last may have found the answer
    assert_eq!(made.iter().filter(|answer| !is_replay(answer)).count(), 1, "{answers:?}");
    for answer in others {
        assert_eq!((answer.status, &*answer.code()), (409, "request_under_way"));
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!((scene.runs(), scene.changes().await), (1, 1));
    assert!(is_replay(&scene.post("waits").await));
}

#[tokio::test]
async fn what_was_begun_is_answered_to_a_client_that_comes_back() {
    let (scene, _folder) = Scene::new();
    let mut client: Client = scene.server.connect().await;
    client.send(request(EXPORT, "ann", "k", "waits").as_bytes()).await;
    until(async || scene.runs() == 1).await;
    drop(client);
    assert_eq!(scene.post("waits").await.code(), "request_under_way");
    scene.data.gate.add_permits(1);
    until(async || scene.post("waits").await.status == 201).await;
    assert!(is_replay(&scene.post("waits").await));
    assert_eq!((scene.runs(), scene.changes().await), (1, 1));
}

#[tokio::test]
async fn a_refusal_stays_and_what_passes_does_not() {
    let (scene, _folder) = Scene::new();
    for _ in 0..2 {
        let refused = scene.post("is refused").await;
        assert_eq!((refused.status, &*refused.code()), (409, "name_taken"));
    }
    assert_eq!(scene.runs(), 1);
    for does in ["is busy", "fails first", "panics first"] {
        for _ in 0..2 {
            let failed = scene.ask(EXPORT, "ann", does.split(' ').next_back().unwrap(), does).await;
            assert!(matches!(failed.status, 423 | 503 | 500) && !is_replay(&failed), "{failed:?}");
        }
    }
    assert_eq!((scene.runs(), scene.changes().await), (7, 0), "the key was freed each time");
}

#[tokio::test]
async fn what_failed_after_a_change_is_not_done_again() {
    let (scene, _folder) = Scene::new();
    for (key, does) in [("f", "fails then"), ("p", "panics then")] {
        assert!(scene.ask(EXPORT, "ann", key, does).await.status >= 500);
        let again = scene.ask(EXPORT, "ann", key, does).await;
        assert_eq!((again.status, &*again.code()), (409, "answer_lost"));
        scene.data.clock.advance(LEASE);
        assert_eq!(scene.ask(EXPORT, "ann", key, does).await.code(), "answer_lost");
    }
    assert_eq!((scene.runs(), scene.changes().await), (2, 2));
}

#[tokio::test]
async fn a_large_answer_is_told_by_its_place() {
    let (scene, _folder) = Scene::new();
    assert_eq!(run_of(&scene.post("is large").await), 1);
    let again = scene.post("is large").await;
    assert_eq!((again.status, &*again.code()), (409, "answer_lost"));
    assert_eq!(again.json()["answeredStatus"], 201);
    assert_eq!(again.header("location"), Some("/api/v1/groups/1"));
    assert!(again.header("retry-after").is_none());
    assert_eq!(scene.changes().await, 1);
}

/// The process ends, at each step of a request, and another one takes its place.
#[tokio::test]
async fn another_process_goes_on_with_what_is_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, clock, ids) = (random_secret(), Arc::<TestClock>::default(), Arc::<TestIds>::default());
    let scene = Scene::open(folder.path(), master_key(&secret), clock.clone(), ids.clone());
    assert_eq!(run_of(&scene.ask(EXPORT, "ann", "done", "a thing").await), 1);
    assert_eq!(run_of(&scene.ask(EXPORT, "bob", "other-key", "a thing").await), 2);
    // it never comes to its change
    let mut client = scene.server.connect().await;
    client.send(request(EXPORT, "ann", "begun", "waits").as_bytes()).await;
    until(async || scene.runs() == 3).await;
    drop(client);
    scene.data.db.close();
    drop(scene);

    let scene = Scene::open(folder.path(), master_key(&secret), clock.clone(), ids.clone());
    let replayed = scene.ask(EXPORT, "ann", "done", "a thing").await;
    assert!(is_replay(&replayed));
    assert_eq!(run_of(&replayed), 1);
    assert_eq!(scene.ask(EXPORT, "ann", "begun", "waits").await.code(), "request_under_way");
    clock.advance(LEASE);
    scene.data.gate.add_permits(1);
    assert_eq!(run_of(&scene.ask(EXPORT, "ann", "begun", "waits").await), 1, "nothing had been changed");
    assert_eq!(scene.changes().await, 3);
    scene.data.db.close();
    drop(scene);

    // what was sealed under a key that is gone is not done again either
    let scene = Scene::open(folder.path(), master_key(&random_secret()), clock, ids);
    assert_eq!(scene.ask(EXPORT, "ann", "done", "a thing").await.code(), "answer_lost");
    assert_eq!(scene.changes().await, 3);
}

#[tokio::test]
async fn nothing_of_a_request_lies_in_the_store_to_be_read() {
    let (scene, folder) = Scene::new();
    scene.ask(EXPORT, "ann", "the-very-key", "my password").await;
    scene.data.db.close();
    let mut stored = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        stored.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("keyed_requests"));
    for text in ["of the answer", "the-very-key", "my password"] {
        assert!(!holds(text), "{text}");
    }
}

const UPLOAD: &str = "/api/v1/files/root/children/a/content";

/// So much of a body that should have `length` bytes.
fn upload(path: &str, key: &str, length: usize, body: &str) -> String {
    format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nX-Token: ann\r\nIdempotency-Key: {key}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn an_upload_is_done_once_and_one_that_was_cut_is_a_new_try() {
    let (scene, _folder) = Scene::new();
    let put = async |path: &str, key: &str, body: &str| {
        scene.server.ask(&upload(path, key, body.len(), body)).await
    };
    let mut client: Client = scene.server.connect().await;
    client.send(upload(UPLOAD, "k", 5, "by").as_bytes()).await;
    until(async || scene.runs() == 1).await;
    let early = put(UPLOAD, "k", "bytes").await;
    assert_eq!((early.status, &*early.code()), (409, "request_under_way"));
    drop(client);
    until(async || put(UPLOAD, "k", "bytes").await.status == 201).await;
    let again = put(UPLOAD, "k", "bytes").await;
    assert!(is_replay(&again));
    assert_eq!((run_of(&again), scene.changes().await), (json!(2), 1));
    let query = format!("{UPLOAD}?onConflict=rename");
    for (path, body) in [(UPLOAD, "more bytes"), (&*query, "bytes")] {
        let other = put(path, "k", body).await;
        assert_eq!((other.status, &*other.code()), (422, "idempotency_key_reused"), "{path} {body}");
    }
    // what was refused has changed nothing, and is tried anew
    for runs in [3, 4] {
        assert_eq!(put(UPLOAD, "t", "taken").await.code(), "name_taken");
        assert_eq!(scene.runs(), runs);
    }
    // other calls of this method do not look at it
    for changes in [2, 3] {
        assert!(!is_replay(&put("/api/v1/files/root/public", "k", "bytes").await));
        assert_eq!(scene.changes().await, changes);
    }
}

#[tokio::test]
async fn a_key_is_for_calls_of_somebody_that_are_no_uploads() {
    let (scene, _folder) = Scene::new();
    for path in ["/api/v1/uploads", "/api/v1/auth/login"] {
        let refused = scene.ask(path, "ann", "k", "a thing").await;
        assert_eq!((refused.status, &*refused.code()), (400, "invalid_idempotency_key"), "{path}");
    }
    assert_eq!(scene.ask(EXPORT, "ann", "a b", "x").await.code(), "invalid_idempotency_key");
    assert_eq!(scene.ask(EXPORT, "nobody", "a b", "x").await.status, 401, "before anything else");
    assert_eq!(scene.ask("/api/v1/uploads", "nobody", "k", "x").await.status, 401);
    assert_eq!(scene.ask("/api/v1/unknown", "ann", "k", "x").await.status, 404);
    assert_eq!(scene.runs(), 0);
}

#[tokio::test]
async fn a_request_with_a_key_keeps_the_limits_of_bodies() {
    let (scene, _folder) = Scene::new();
    let head = "POST /api/v1/users/me/export HTTP/1.1\r\nHost: x\r\nX-Token: ann\r\nIdempotency-Key: k\r\n";
    let large = scene.server.ask(&format!("{head}Content-Length: 5000000\r\n\r\n")).await;
    assert_eq!(large.status, 413);
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}{chunked}9\r\n{{\"does\":\"\r\n3\r\nx\"}}\r\n0\r\n\r\n");
    assert_eq!(run_of(&scene.server.ask(&chunked).await), 1);
    assert!(is_replay(&scene.server.ask(&chunked).await));
    tokio::time::timeout(Duration::from_secs(20), scene.changes()).await.unwrap();
}
