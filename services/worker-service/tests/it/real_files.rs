//! The whole way, with file-service itself: upload, outbox, relay, bus, store, worker, internal API, thumbnails.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use async_trait::async_trait;
use blob::MemoryBlobs;
use common::auth::{
    Address, Authenticator, CredentialEnd, EndedBy, GroupName, OpenAccounts, OwnCredential,
    OwnCredentialKind, OwnCredentials, People, Person, UserCount,
};
use common::files::internal::MaintenanceStep;
use common::files::{BlobStore as _, FileStore as _};
use common::jobs::{JobAdmin as _, JobFilter, JobOrder, JobState, Outbox as _};
use common::notifications::NotificationStore as _;
use common::routes::Service;
use common::{Clock, GroupId, ObjectId, PortResult, UserId};
use file_service::{FileService, FileSettings, Overview, Sharing};
use futures_util::future::join_all;
use http_kit::CookiePolicy;
use http_kit::service_token::{ServiceGate, ServiceTokens};
use reqwest::StatusCode;
use runtime::memory::MemoryRateLimiter;
use runtime::passwords::{HashingSettings, PasswordHasher};
use runtime::{RandomIds, SystemClock};
use serde_json::{Value, json};
use store_sqlite::{FilesDb, OpenOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::service_config::ServiceConfig;
use worker_service::{
    MaintenanceTask, MediaFactsHandler, PurgeHandler, Registry, TextHandler, ThumbnailsHandler, WorkerService,
};

use crate::files_double::files_client;
use crate::http::{SECRET, Server, Tokens, bob, http_client};
use crate::pictures::{child, jpeg, pool};
use crate::relay::quick;
use crate::support::{Running, World, until};

/// The classic `/stats` asks; nobody here does.
struct NoUsers;

#[async_trait]
impl UserCount for NoUsers {
    async fn count_users(&self) -> PortResult<u64> {
        Ok(0)
    }
}

#[async_trait]
impl OpenAccounts for NoUsers {
    async fn is_open(&self, _: UserId) -> PortResult<bool> {
        Ok(true)
    }
}

#[async_trait]
impl OwnCredentials for NoUsers {
    async fn list_credentials(&self, _: UserId) -> PortResult<Vec<OwnCredential>> {
        Ok(Vec::new())
    }

    async fn end_credential(
        &self,
        _: UserId,
        _: OwnCredentialKind,
        _: ObjectId,
        _: EndedBy,
    ) -> PortResult<CredentialEnd> {
        Ok(CredentialEnd::Unknown)
    }
}

#[async_trait]
impl People for NoUsers {
    async fn find_people(&self, _: &[UserId]) -> PortResult<Vec<Person>> {
        Ok(Vec::new())
    }

    async fn find_person(&self, _: &Address) -> PortResult<Option<Person>> {
        Ok(None)
    }

    async fn find_groups(&self, _: &[GroupId]) -> PortResult<Vec<GroupName>> {
        Ok(Vec::new())
    }

    async fn groups_of(&self, _: UserId) -> PortResult<Vec<GroupId>> {
        Ok(Vec::new())
    }
}

struct Product {
    world: World,
    db: Arc<FilesDb>,
    blobs: Arc<MemoryBlobs>,
    server: Server,
    worker: Running,
    relay: JoinSet<()>,
    stop: CancellationToken,
    http: reqwest::Client,
}

impl Product {
    fn start(settings: FileSettings) -> Self {
        let world = World::new();
        let db =
            Arc::new(FilesDb::open(world.folder.path().join("files.db"), &OpenOptions::default()).unwrap());
        let blobs = Arc::new(MemoryBlobs::new(Arc::new(SystemClock)));
        let server = serve_files(&db, &blobs, settings);
        let files = files_client(&server.base);
        let registry = Registry::default()
            .with(Arc::new(ThumbnailsHandler::new(files.clone(), pool(child()), world.folder.path(), 3)))
            .with(Arc::new(MediaFactsHandler::new(files.clone(), 2)))
            .with(Arc::new(TextHandler::new(files.clone(), 2)))
            .with(Arc::new(PurgeHandler::new(files.clone(), 2)));
        let service = WorkerService::new(worker_service::Parts { files, ..world.parts(registry) });
        let (stop, mut relay) = (CancellationToken::new(), JoinSet::new());
        relay.spawn(quick(db.clone(), world.bus.clone(), service.known_jobs()).run(stop.clone()));
        let worker = Running::start(service);
        Self { world, db, blobs, server, worker, relay, stop, http: http_client() }
    }

    async fn upload(&self, name: &str, content: Vec<u8>) -> String {
        let url = format!("{}/api/v1/files/root/children/{name}/content", self.server.base);
        let answer = self.http.put(url).bearer_auth("bob").body(content).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let file: Value = answer.json().await.unwrap();
        file["id"].as_str().unwrap().to_owned()
    }

    async fn delete_for_good(&self, id: &str) {
        let url = format!("{}/api/v1/files/{id}?permanent=true", self.server.base);
        let answer = self.http.delete(url).bearer_auth("bob").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.server.base);
        self.http.get(url).bearer_auth("bob").send().await.unwrap().json().await.unwrap()
    }

    /// The thumbnails of a file when they are no longer being made.
    async fn until_settled(&self, id: &str) -> Value {
        until("the thumbnails", || async {
            let thumbnails = self.get(&format!("files/{id}")).await["thumbnails"].clone();
            (thumbnails["state"] != "pending").then_some(thumbnails)
        })
        .await
    }

    /// Waits until nothing is left to do, neither on the way nor in the store.
    async fn until_idle(&self) {
        until("idleness", || async {
            let counts = self.world.store.db.counts(None).await.unwrap();
            let of = |state| counts.get(&state).copied().unwrap_or(0);
            let open = of(JobState::Inactive) + of(JobState::Active) + of(JobState::Delayed);
            (open == 0 && self.db.depth().await.unwrap() == 0).then_some(())
        })
        .await;
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.relay.join_next().await.unwrap().unwrap();
        self.worker.stop().await;
        self.server.stop().await;
    }
}

fn serve_files(db: &Arc<FilesDb>, blobs: &Arc<MemoryBlobs>, settings: FileSettings) -> Server {
    let service = web::Data::new(FileService::new(file_service::Parts {
        store: db.clone(),
        blobs: blobs.clone(),
        uploads: db.clone(),
        partial_blobs: blobs.clone(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds::default()),
        cursor_key: [9; 32],
        ticket_key: [8; 32],
        overview: Overview { users: Arc::new(NoUsers), cache: Vec::new(), stores: Vec::new() },
        marks: db.clone(),
        search: db.clone(),
        versions: db.clone(),
        copies: db.clone(),
        journal: db.clone(),
        activity: db.clone(),
        exports: Arc::new(crate::files_double::nobody()),
        sharing: Sharing {
            shares: db.clone(),
            links: db.clone(),
            people: Arc::new(NoUsers),
            credentials: Arc::new(NoUsers),
            accounts: Arc::new(NoUsers),
            limiter: Arc::new(MemoryRateLimiter::new(Arc::new(SystemClock) as Arc<dyn Clock>)),
            hasher: PasswordHasher::new(HashingSettings { cost: 4, threads: 1, queue: 1 }).unwrap(),
            link_key: [7; 32],
        },
        settings,
    }));
    let authenticator = web::Data::from(Arc::new(Tokens::default()) as Arc<dyn Authenticator>);
    let tokens = ServiceTokens::new(SECRET, None).unwrap();
    let gate = web::Data::new(ServiceGate::new(tokens, [Service::Files], Arc::new(SystemClock)));
    Server::start(move |config| {
        config
            .app_data(service.clone())
            .app_data(authenticator.clone())
            .app_data(gate.clone())
            .app_data(web::Data::new(CookiePolicy::new(None, false)))
            .configure(file_service::internal_routes);
        file_service::public_routes(&mut ServiceConfig::new(config));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_picture_gets_its_thumbnails() {
    let product = Product::start(FileSettings::default());
    // one that stands in the store, and one in the blob store
    let small = product.upload("small.jpg", jpeg(60, 40)).await;
    let large = product.upload("large.jpg", jpeg(2000, 1500)).await;
    for (id, width, height) in [(small, 60, 40), (large, 2000, 1500)] {
        let thumbnails = product.until_settled(&id).await;
        assert_eq!(thumbnails["state"], "ready", "{thumbnails}");
        let media = &product.get(&format!("files/{id}")).await["media"];
        assert_eq!((&media["width"], &media["height"]), (&json!(width), &json!(height)));
        for size in [100, 250, 500, 1280] {
            let url = format!("{}/api/v1/files/{id}/thumbnails/{size}", product.server.base);
            let answer = product.http.get(url).bearer_auth("bob").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let picture = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(picture.width(), size.min(width));
        }
    }
    product.until_idle().await;
    product.stop().await;
}

/// A second of silence: 8,000 samples of 16 bits.
fn wav() -> Vec<u8> {
    let head =
        b"RIFF\xA4\x3E\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data\x80\x3E\0\0";
    [head.as_slice(), &[0; 16_000]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_sound_tells_how_long_it_is() {
    let settings = FileSettings { inline_bytes: 16_044, ..FileSettings::default() };
    let product = Product::start(settings);
    let mut longer = wav();
    longer.extend_from_slice(b"LIST\x04\0\0\0abcd");
    // one that stands in the store, and one in the blob store
    let ids = [product.upload("a.wav", wav()).await, product.upload("b.wav", longer).await];
    let mut damaged = wav();
    damaged[28..32].fill(0);
    let damaged = product.upload("damaged.wav", damaged).await;
    product.until_idle().await;
    for id in ids {
        assert_eq!(product.get(&format!("files/{id}")).await["media"]["durationMs"], 1000);
    }
    assert_eq!(product.get(&format!("files/{damaged}")).await["media"], Value::Null);
    let filter = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
    let failed = product.world.store.db.list(&filter, JobOrder::Descending, None, 9).await.unwrap().items;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].error.as_deref(), Some("its format is damaged"));
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_picture_says_why_it_has_no_thumbnails() {
    let product = Product::start(FileSettings::default());
    let mut content = jpeg(300, 200);
    content.truncate(60);
    let id = product.upload("cut.jpg", content).await;
    let thumbnails = product.until_settled(&id).await;
    assert_eq!(thumbnails["state"], "failed", "{thumbnails}");
    assert!(thumbnails["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{thumbnails}");
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c154_files_that_are_deleted_while_their_jobs_run_leave_nothing() {
    let now = Duration::ZERO;
    let settings = FileSettings {
        inline_bytes: 0,
        tombstone_retention: now,
        // what is condemned goes at once; nothing is swept here that waits for its commit
        blob_grace: now,
        ..FileSettings::default()
    };
    let product = Product::start(settings);
    for round in 0..10 {
        let uploads = (0..10_u32).map(|number| {
            let product = &product;
            async move {
                let id = product.upload(&format!("{round}-{number}.jpg"), jpeg(200 + number, 100)).await;
                if number % 2 == 0 {
                    // some are further on than others by then
                    tokio::task::yield_now().await;
                }
                product.delete_for_good(&id).await;
            }
        });
        join_all(uploads).await;
    }
    product.until_idle().await;
    let counts = product.world.store.db.counts(None).await.unwrap();
    assert_eq!(counts.get(&JobState::Failed).copied().unwrap_or(0), 0, "{counts:?}");
    assert_eq!(
        counts.get(&JobState::Complete),
        Some(&200),
        "a job for the thumbnails and one for the purge of each"
    );
    // what the purges condemned is collected, and then nothing is left
    let files = files_client(&product.server.base);
    until("an empty blob store", || async {
        for task in ["purge-tombstones", "collect-blobs"] {
            files.maintenance(task, &Default::default()).await.unwrap();
        }
        product.blobs.list(None, 10).await.unwrap().is_empty().then_some(())
    })
    .await;
    let usage = product.get("usage").await;
    assert_eq!((&usage["usedBytes"], &usage["fileCount"]), (&json!(0), &json!(0)), "{usage}");
    assert_eq!(product.db.count_nodes().await.unwrap(), 0);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_service_knows_every_task_of_maintenance() {
    let product = Product::start(FileSettings::default());
    let store_id = product.db.store_id().await.unwrap();
    product.blobs.claim(&store_id).await.unwrap();
    let files = files_client(&product.server.base);
    for task in MaintenanceTask::defaults() {
        let mut place = MaintenanceStep::default();
        for _ in 0..10 {
            let step = files.maintenance(task.name, &place).await.unwrap();
            assert_eq!(step.changed, 0, "{}: {step:?}", task.name);
            place.cursor = step.cursor;
            if step.done {
                break;
            }
        }
        assert_eq!(place.cursor, None, "{}", task.name);
    }
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_link_is_told_of_its_use() {
    let product = Product::start(FileSettings::default());
    let id = product.upload("a.txt", b"a".to_vec()).await;
    let url = format!("{}/api/v1/files/{id}/links", product.server.base);
    let body = json!({ "label": "Ann", "notify": true });
    let made = product.http.post(url).bearer_auth("bob").json(&body).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let token = made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let read = async || {
        let url = format!("{}/api/v1/public/{token}/content", product.server.base);
        assert_eq!(product.http.get(url).send().await.unwrap().status(), StatusCode::OK);
    };
    read().await;
    // file-service goes by the real time, and says when the notice is due
    product.world.clock.set(SystemClock.now());
    let told = until("the notice", || async {
        let page = product.world.store.db.list_notifications(bob(), false, None, 10).await.unwrap();
        (!page.items.is_empty()).then_some(page.items)
    })
    .await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].news.kind, "link.used");
    assert_eq!(told[0].news.text, "“a.txt” was downloaded by the link “Ann” to “a.txt”");
    assert_eq!((&told[0].news.data["downloads"], &told[0].news.data["fileId"]), (&json!(1), &json!(id)));
    product.stop().await;
}
