//! All that is an account's, put together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use clients::AuthClient;
use common::auth::internal::{EXPORTED, EndExport, FindExport};
use common::auth::{
    Address, AuditAction, AuditEntry, AuthStore as _, Export, ExportPart, ExportState, ExportStore as _,
    NewExport, Role, User,
};
use common::files::internal::{ExportPage, ExportQuestion};
use common::jobs::{JobState, JobStore as _, NewJob, types};
use common::notifications::NotificationStore as _;
use common::routes::Service;
use common::{Clock as _, ExportId, UserId};
use http_kit::service_token::ServiceCaller;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use store_sqlite::{AuthDb, OpenOptions};
use worker_service::Registry;

use crate::api::Api;
use crate::ended::{filled, run};
use crate::files_double::{FilesServer, gate, internal_client};
use crate::http::{Server, ann, bob};
use crate::support::World;

const DAY: Duration = Duration::from_secs(86_400);

/// What auth-service does for exports, over its store.
struct Kept {
    db: Arc<AuthDb>,
    server: Server,
    _folder: tempfile::TempDir,
}

type Store = web::Data<AuthDb>;

async fn page(_: ServiceCaller, asked: web::Json<ExportQuestion>) -> HttpResponse {
    let items = vec![json!({ "of": asked.user, "what": asked.what })];
    HttpResponse::Ok().json(ExportPage { items, cursor: None })
}

async fn find(_: ServiceCaller, store: Store, asked: web::Json<FindExport>) -> HttpResponse {
    HttpResponse::Ok().json(store.find_export(asked.user).await.unwrap())
}

async fn end(_: ServiceCaller, store: Store, asked: web::Json<EndExport>) -> HttpResponse {
    let found = store.find_export(asked.user).await.unwrap();
    let at = found.map_or(common::Timestamp::from_millis(0), |found| found.requested_at);
    let ended = store.end_export(asked.user, asked.id, &asked.end, at, at + 7 * DAY, &[]).await.unwrap();
    if ended { HttpResponse::NoContent().finish() } else { HttpResponse::NotFound().finish() }
}

#[derive(Deserialize)]
struct Run {
    run: i64,
}

async fn put(
    _: ServiceCaller,
    store: Store,
    place: web::Path<(UserId, ExportId, u32, u32)>,
    run: web::Query<Run>,
    bytes: Bytes,
) -> HttpResponse {
    let (user, export, file, number) = place.into_inner();
    let part = ExportPart { user, export, file, number };
    let kept = store.put_export_part(part, run.run, &bytes).await.unwrap();
    if kept { HttpResponse::NoContent().finish() } else { HttpResponse::NotFound().finish() }
}

impl Kept {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = AuthDb::open(folder.path().join("auth.db"), &OpenOptions::default()).unwrap();
        let db = Arc::new(db);
        let data = web::Data::from(Arc::clone(&db));
        let gate = web::Data::new(gate(Service::Auth));
        let server = Server::start(move |config| {
            config
                .app_data(data.clone())
                .app_data(gate.clone())
                .app_data(web::PayloadConfig::new(1 << 20))
                .route("/internal/accounts/export", web::post().to(page))
                .route("/internal/exports/find", web::post().to(find))
                .route("/internal/exports/end", web::post().to(end))
                .route("/internal/exports/{user}/{export}/{file}/{number}", web::put().to(put));
        });
        Self { db, server, _folder: folder }
    }

    fn client(&self) -> AuthClient {
        AuthClient::new(internal_client(&self.server.base, Service::Auth))
    }

    /// Begins an export; its job.
    async fn begin(&self, world: &World, user: UserId) -> NewJob {
        let at = world.clock.now();
        let account = User {
            id: user,
            address: Address::parse(&format!("{user}@example.org")).unwrap(),
            password_hash: String::new(),
            role: Role::User,
            disabled: false,
            bootstrap: false,
            created_at: at,
        };
        self.db.create_user(&account, &[]).await.unwrap();
        let new = NewExport { id: world.ids.next(), user, at, expires_at: at + DAY };
        let line = AuditEntry {
            id: world.ids.next(),
            at,
            actor: Some(user),
            credential: None,
            action: AuditAction::ExportAsked,
            target: None,
            address: None,
            details: serde_json::Map::new(),
        };
        let export = self.db.begin_export(&new, &[], &line).await.unwrap().unwrap();
        types::account_export(export.id, user, at)
    }

    async fn export(&self, user: UserId) -> Export {
        self.db.find_export(user).await.unwrap().unwrap()
    }

    /// What a file of an export says.
    async fn read(&self, export: &Export, name: &str) -> Value {
        let position = export.files.iter().position(|file| file.name == name).unwrap();
        let (file, mut all, size) = (position as u32, Vec::new(), export.files[position].size);
        for number in 0.. {
            let part = ExportPart { user: export.user, export: export.id, file, number };
            match self.db.read_export_part(part).await.unwrap() {
                Some(bytes) => all.extend_from_slice(&bytes),
                None => break,
            }
        }
        assert_eq!(all.len() as u64, size, "{name}");
        serde_json::from_slice(&all).unwrap()
    }
}

async fn news(world: &World, user: UserId) -> Vec<Value> {
    let page = world.store.db.list_notifications(user, false, None, 10).await.unwrap();
    let ready = page.items.into_iter().filter(|item| item.news.kind == "export.ready");
    ready.map(|item| item.news.data).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_services_know_is_put_together_and_told_once() {
    let kept = Kept::start();
    let world = World { auth: kept.client(), ..World::new() };
    let files = FilesServer::start();
    filled(&world, ann()).await;
    filled(&world, bob()).await;
    // more than a page and a part have
    let large = |_| NewJob { data: json!("x".repeat(3000)), ..world.job_of("waits", ann()) };
    let jobs: Vec<NewJob> = (0..120).map(large).collect();
    let running = run(&world, &files, Registry::default());
    world.submit(&jobs).await;
    // file-service is away at first
    files.state.failing.store(3, Ordering::SeqCst);
    let job = kept.begin(&world, ann()).await;
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;

    let export = kept.export(ann()).await;
    assert_eq!(export.state, ExportState::Ready);
    let size: u64 = export.files.iter().map(|file| file.size).sum();
    assert_eq!(export.size_bytes, Some(size));
    assert_eq!(done.result, Some(json!({ "files": export.files.len(), "sizeBytes": size })));
    for what in EXPORTED {
        assert_eq!(kept.read(&export, &format!("{what}.json")).await, json!([{ "of": ann(), "what": what }]));
    }
    for what in common::files::internal::EXPORTED {
        let page = |page| json!({ "of": ann(), "what": what, "page": page });
        assert_eq!(kept.read(&export, &format!("{what}.json")).await, json!([page("first"), page("second")]));
    }
    let listed = kept.read(&export, "jobs.json").await;
    assert_eq!(listed.as_array().unwrap().len(), 241, "its own among them");
    for (name, count) in [("schedules.json", 1), ("webhooks.json", 1), ("notifications.json", 1)] {
        let listed = kept.read(&export, name).await;
        assert_eq!(listed.as_array().unwrap().len(), count, "{name}");
        assert!(!listed.to_string().contains("secret"), "{listed}");
    }
    assert_eq!(news(&world, ann()).await, [json!({ "exportId": export.id, "expiresAt": export.expires_at })]);
    running.stop().await;
    files.stop().await;
    kept.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_archive_can_hold_is_given_up_at_once() {
    let kept = Kept::start();
    let world = World { auth: kept.client(), ..World::new() };
    let files = FilesServer::start();
    files.state.too_much.store(true, Ordering::SeqCst);
    let running = run(&world, &files, Registry::default());
    let job = kept.begin(&world, ann()).await;
    world.submit(std::slice::from_ref(&job)).await;
    let failed = world.until_state(job.id, JobState::Failed).await;
    assert_eq!(failed.error.as_deref(), Some("There are more files than an archive can hold"));
    crate::support::until("the export to be given up", || async {
        (kept.export(ann()).await.state == ExportState::Failed).then_some(())
    })
    .await;
    assert!(news(&world, ann()).await.is_empty());

    // one that is gone leaves nothing to do
    let none = types::account_export(world.ids.next(), bob(), world.clock.now());
    world.submit(std::slice::from_ref(&none)).await;
    let done = world.until_state(none.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "obsolete": "The export is gone" })));
    running.stop().await;
    files.stop().await;
    kept.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_job_is_called_off_or_removed_is_given_up() {
    let kept = Kept::start();
    let world = World { auth: kept.client(), ..World::new() };
    let api = Api::start(&world);
    for (user, method, path) in [(ann(), Method::POST, "/cancel"), (bob(), Method::DELETE, "")] {
        let job = kept.begin(&world, user).await;
        let job = NewJob { run_at: Some(world.clock.now() + DAY), ..job };
        world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
        assert_eq!(kept.export(user).await.state, ExportState::Running);
        let path = format!("/jobs/{}{path}", job.id);
        let (status, body) = api.send(api.request(method, &path, "ann")).await;
        assert!((200..300).contains(&status), "{path}: {status} {body}");
        assert_eq!(kept.export(user).await.state, ExportState::Failed, "{path}");
    }
    api.stop().await;
    kept.server.stop().await;
}
