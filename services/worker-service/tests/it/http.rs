//! The API, over a real server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::web;
use async_trait::async_trait;
use common::auth::{Authenticator, Presented, Principal, Role};
use common::jobs::{JobState, JobStore as _, KnownJobs as _, MAX_KNOWN_IDS, NewJob, types};
use common::routes::Service;
use common::{Clock as _, FileId, JobId, PortResult, SessionId, UserId};
use http_kit::CookiePolicy;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::service_token::{ServiceGate, ServiceTokens};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use worker_service::{HandlerError, Registry, WorkerService};

use crate::support::{Does, World, registry};

pub(crate) const SECRET: &[u8] = &[3; 32];

/// A server on a free port, and its end.
pub(crate) struct Server {
    pub(crate) base: String,
    drain: Drain,
    task: JoinSet<std::io::Result<()>>,
}

impl Server {
    pub(crate) fn start(configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Self {
        let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let settings = ServerSettings { workers: 1, watches_clients: true, ..ServerSettings::new("test") };
        let drain = Drain::default();
        let mut task = JoinSet::new();
        task.spawn(serve(settings, listener, configure, drain.clone()));
        Self { base, drain, task }
    }

    pub(crate) async fn stop(mut self) {
        self.drain.stop.cancel();
        self.task.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// Knows the users `bob` and `eve` and the administrators `ann` and `amy` by tokens of the same names.
#[derive(Default)]
pub(crate) struct Tokens {
    /// Those that are not good any more.
    pub(crate) revoked: Mutex<Vec<String>>,
}

pub(crate) fn bob() -> UserId {
    UserId::from_bytes([0xb0; 12])
}

pub(crate) fn eve() -> UserId {
    UserId::from_bytes([0xe0; 12])
}

pub(crate) fn ann() -> UserId {
    UserId::from_bytes([0xa0; 12])
}

#[async_trait]
impl Authenticator for Tokens {
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>> {
        if self.revoked.lock().unwrap().contains(&presented.token) {
            return Ok(None);
        }
        let users = HashMap::from([
            ("bob", (bob(), Role::User)),
            ("eve", (eve(), Role::User)),
            ("ann", (ann(), Role::Admin)),
            ("amy", (UserId::from_bytes([0xaa; 12]), Role::Admin)),
        ]);
        let found = users.get(&*presented.token).copied();
        let session = SessionId::from_bytes([1; 12]);
        Ok(found.map(|(user, role)| Principal::of_session(user, session, role)))
    }
}

pub(crate) fn serve_worker(service: WorkerService, world: &World) -> Server {
    serve_shared(Arc::new(service), Arc::default(), world)
}

pub(crate) fn serve_shared(service: Arc<WorkerService>, tokens: Arc<Tokens>, world: &World) -> Server {
    let service = web::Data::from(service);
    let authenticator = web::Data::from(tokens as Arc<dyn Authenticator>);
    let tokens = ServiceTokens::new(SECRET, None).unwrap();
    let gate = web::Data::new(ServiceGate::new(tokens, [Service::Worker], Arc::clone(&world.clock) as _));
    Server::start(move |config| {
        config
            .app_data(service.clone())
            .app_data(authenticator.clone())
            .app_data(gate.clone())
            .app_data(web::Data::new(CookiePolicy::new(None, false)))
            .configure(worker_service::internal_routes);
        worker_service::public_routes(&mut utoipa_actix_web::service_config::ServiceConfig::new(config));
    })
}

#[expect(clippy::disallowed_methods, reason = "a client of the public API, not a service")]
pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn jobs(&self, query: &str, token: &str) -> Value {
        let (status, body) = self.get(&format!("/api/v1/users/me/jobs{query}"), token).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    async fn refused(&self, query: &str, token: &str) -> (u16, String) {
        let (status, body) = self.get(&format!("/api/v1/users/me/jobs{query}"), token).await;
        (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
    }
}

fn client(server: &Server) -> Client {
    Client { http: http_client(), base: server.base.clone() }
}

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_only_their_own_jobs_newest_first_page_by_page() {
    let world = World::new();
    let mine: Vec<_> = (0..5).map(|_| world.job_of("t", bob())).collect();
    let theirs: Vec<_> = (0..3).map(|_| world.job_of("t", eve())).collect();
    world.store.insert(&[mine.clone(), theirs.clone()].concat(), world.clock.now()).await.unwrap();
    let server = serve_worker(world.service(Registry::default()), &world);
    let client = client(&server);
    let newest_first: Vec<_> = mine.iter().rev().map(|job| job.id.to_string()).collect();
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    for _ in 0..3 {
        let page = client.jobs(&query, "bob").await;
        assert_eq!(page["total"], 5);
        seen.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, newest_first);
    assert_eq!(client.jobs("", "eve").await["total"], 3);
    // a cursor belongs to its list
    let page = client.jobs("?limit=2", "bob").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    for (query, token) in [
        (format!("?cursor={cursor}"), "eve"),
        (format!("?cursor={cursor}&state=failed"), "bob"),
        (format!("?cursor={cursor}&type=t"), "bob"),
        (format!("?cursor={cursor}x"), "bob"),
        ("?cursor=AAAA".to_owned(), "bob"),
    ] {
        assert_eq!(client.refused(&query, token).await, (400, "invalid_cursor".to_owned()), "{query}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_queries_are_refused_after_the_caller_is_known() {
    let world = World::new();
    let server = serve_worker(world.service(Registry::default()), &world);
    let client = client(&server);
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?limit=-1", "?state=lost", "?nope=1"] {
        assert_eq!(client.refused(query, "").await, (401, "unauthorized".to_owned()), "{query}");
        assert_eq!(client.refused(query, "nobody").await, (401, "unauthorized".to_owned()), "{query}");
        assert_eq!(client.refused(query, "bob").await, (400, "invalid_request".to_owned()), "{query}");
    }
    assert_eq!(client.get("/api/v1/users/me/jobs/summary", "").await.0, 401);
    assert_eq!(client.jobs("", "bob").await, json!({ "items": [], "nextCursor": null, "total": 0 }));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_shows_what_its_owner_may_know() {
    let world = World::new();
    let handler = Does::new("thumbnails", 1, |_| {
        Box::pin(async { Err(HandlerError::Permanent("the picture is damaged".to_owned())) })
    });
    let running = world.run(registry(&[&handler]));
    let server = serve_worker(world.service(Registry::default()), &world);
    let client = client(&server);
    let (id, file) = (world.ids.next::<JobId>(), FileId::from_bytes([5; 12]));
    let job = types::thumbnails(id, bob(), file, common::BlobKey::from_bytes([6; 16]), world.clock.now());
    let waiting = NewJob { run_at: Some(common::Timestamp::MAX), ..world.job_of("other", bob()) };
    world.submit(&[job, waiting.clone()]).await;
    world.until_state(id, JobState::Failed).await;
    world.until_state(waiting.id, JobState::Delayed).await;
    let list = client.jobs("?state=failed&type=thumbnails", "bob").await;
    let now = world.clock.now();
    let shown = json!({
        "id": id, "type": "thumbnails", "state": "failed", "priority": 0, "progress": 0, "progressData": null,
        "data": { "userId": bob(), "fileId": file }, "result": null,
        "error": "the picture is damaged", "attempts": { "made": 1, "remaining": 4, "max": 5 },
        "failures": [{ "number": 1, "at": now, "error": "the picture is damaged" }],
        "backoff": { "kind": "exponential", "delayMs": 1000, "maxDelayMs": 60_000 },
        "ttlMs": 300_000, "delayMs": null, "uniqueKey": null, "removeOnComplete": false,
        "userId": bob(), "workerId": "test", "requestId": null,
        "createdAt": now, "startedAt": now, "updatedAt": now, "failedAt": now, "promoteAt": null, "finishedAt": now,
        "durationMs": 0,
    });
    assert_eq!(list["items"], json!([shown]));
    assert_eq!(client.get(&format!("/api/v1/users/me/jobs/{id}"), "bob").await, (StatusCode::OK, shown));
    for (path, token) in [(id.to_string(), "eve"), (id.to_string(), "ann"), ("x".to_owned(), "bob")] {
        let (status, body) = client.get(&format!("/api/v1/users/me/jobs/{path}"), token).await;
        assert_eq!((status.as_u16(), &body["code"]), (404, &json!("not_found")), "{path} {token}");
    }
    assert_eq!(ids(&client.jobs("?state=delayed", "bob").await), [waiting.id.to_string()]);
    assert_eq!(client.jobs("?state=complete", "bob").await["total"], 0);
    let (status, summary) = client.get("/api/v1/users/me/jobs/summary", "bob").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        summary,
        json!({ "inactive": 0, "active": 0, "complete": 0, "failed": 1, "delayed": 1, "cancelled": 0 })
    );
    running.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_in_other_processes_ask_which_jobs_are_known() {
    let world = World::new();
    let job = world.new_job("t");
    world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
    let server = serve_worker(world.service(Registry::default()), &world);
    let known = crate::files_double::worker_client(&server.base, &world);
    let unknown = JobId::from_bytes([0xff; 12]);
    assert_eq!(known.known(&[job.id, unknown]).await.unwrap(), [job.id]);
    let most: Vec<_> = (0..MAX_KNOWN_IDS).map(|_| world.ids.next::<JobId>()).collect();
    assert_eq!(known.known(&most).await.unwrap(), []);
    let http = http_client();
    let ask = |token: &str| {
        let request =
            http.post(format!("{}/internal/jobs/known", server.base)).json(&json!({ "ids": [job.id] }));
        request.bearer_auth(token).send()
    };
    let tokens = ServiceTokens::new(SECRET, None).unwrap();
    let elsewhere = tokens.mint(Service::Files, Service::Auth, world.clock.now());
    for token in ["bob", "", &elsewhere] {
        assert_eq!(ask(token).await.unwrap().status(), StatusCode::UNAUTHORIZED, "{token}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_ready_while_its_bus_is() {
    let world = World::new();
    let bus = world.service(Registry::default()).bus_check();
    assert_eq!(bus.name(), "bus");
    bus.check().await.unwrap();
}

#[test]
fn the_document_holds_what_is_public() {
    let document = serde_json::to_value(worker_service::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    for operation in [
        "get /api/v1/users/me/jobs",
        "get /api/v1/users/me/jobs/summary",
        "get /api/v1/users/me/jobs/events",
        "get /api/v1/users/me/jobs/{id}",
        "get /api/v1/jobs",
        "post /api/v1/jobs",
        "get /api/v1/jobs/events",
        "put /api/v1/jobs/types/{type}/limit",
        "patch /api/v1/jobs/schedules/{id}",
        "post /api/v1/jobs/claim",
        "post /api/v1/jobs/{id}/complete",
        "post /api/v1/jobs/{id}/return",
        "post /api/v1/webhooks/{id}/test",
        "post /api/v1/webhooks/{id}/deliveries/{delivery}/again",
        "post /api/v1/notifications/read",
    ] {
        assert!(operations.iter().any(|found| found == operation), "{operation}");
    }
    assert_eq!(operations.len(), 47);
    for schema in ["Job", "JobList", "JobPage", "JobSummary", "JobRequest", "Schedule", "ClaimedJobs"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
    let merged = http_kit::openapi::merge([(Service::Worker, worker_service::openapi())]).unwrap();
    assert_eq!(merged.paths.paths.len(), paths.len());
    let text = serde_json::to_string(&merged).unwrap();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(merged.components.as_ref().unwrap().schemas.contains_key(name), "{name} is not described");
    }
}
