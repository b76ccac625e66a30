//! The internal APIs that the service calls, as small servers: answers that the real ones give only when something goes wrong, and users.
//! `tests/it/real_files.rs` runs against file-service itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use clients::{AuthClient, FilesClient, InternalClient, WorkerClient};
use common::auth::Role;
use common::files::internal::{
    CopyGiveUp, CopyRequest, ExportLength, ExportMeasure, ExportPage, ExportQuestion, FileEventsPlace,
    FileEventsQuestion, FileEventsTold, MaintenanceStep, PurgeRequest, StepDone, ThumbnailBegin,
    ThumbnailFailure, ThumbnailUpload, ThumbnailWork, UserEnd,
};
use common::files::{FileEvent, FileEventPage};
use common::jobs::internal::{FindUser, FoundUser};
use common::routes::Service;
use common::{BlobKey, FileId, UserId};
use http_kit::service_token::{ServiceCaller, ServiceGate, ServiceTokens};
use runtime::SystemClock;

use crate::http::{SECRET, Server};
use crate::support::World;

/// file-service's internal API over a few files.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) files: Mutex<HashMap<FileId, (UserId, BlobKey)>>,
    pub(crate) blobs: Mutex<HashMap<BlobKey, Bytes>>,
    /// What was kept: the header and the pictures.
    pub(crate) kept: Mutex<HashMap<BlobKey, (ThumbnailUpload, Vec<Bytes>)>>,
    pub(crate) failed: Mutex<HashMap<BlobKey, String>>,
    /// Copies whose job was over before they were.
    pub(crate) ended_copies: Mutex<Vec<CopyGiveUp>>,
    /// Blobs that go between the question and the upload.
    pub(crate) vanishing: Mutex<Vec<BlobKey>>,
    /// Blobs that go between the question and the reading.
    pub(crate) unreadable: Mutex<Vec<BlobKey>>,
    /// Announces more bytes than it sends.
    pub(crate) short: AtomicU32,
    /// So many more calls of anything answer 503.
    pub(crate) failing: AtomicU32,
    /// Steps until a purge is done.
    pub(crate) purge_steps: AtomicU32,
    /// While set, there is more than an archive can hold.
    pub(crate) too_much: AtomicBool,
    /// While set, no upkeep comes to its end.
    pub(crate) held: AtomicBool,
    pub(crate) maintained: Mutex<Vec<(String, Option<String>)>>,
    /// What happened to files, in its order. The space of an account has its id.
    pub(crate) events: Mutex<Vec<FileEvent>>,
}

impl Files {
    /// A picture, or what passes for one.
    pub(crate) fn add(&self, file: FileId, user: UserId, content: impl Into<Bytes>) -> BlobKey {
        let mut key = [0xb1; 16];
        key[..12].copy_from_slice(file.bytes());
        let key = BlobKey::from_bytes(key);
        self.files.lock().unwrap().insert(file, (user, key));
        self.blobs.lock().unwrap().insert(key, content.into());
        key
    }

    fn fails(&self) -> bool {
        self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    fn begin(&self, asked: &ThumbnailBegin) -> ThumbnailWork {
        let blob = match self.files.lock().unwrap().get(&asked.file) {
            Some((user, blob)) if *user == asked.user && asked.blob.is_none_or(|asked| asked == *blob) => {
                *blob
            }
            _ => return ThumbnailWork::FileNotFound,
        };
        if self.kept.lock().unwrap().contains_key(&blob) {
            return ThumbnailWork::Settled;
        }
        let size =
            self.blobs.lock().unwrap()[&blob].len() as u64 + u64::from(self.short.load(Ordering::SeqCst));
        ThumbnailWork::Wanted { blob, size, mime: "image/jpeg".to_owned() }
    }

    fn keep(&self, blob: BlobKey, body: &Bytes) -> bool {
        let vanishes = self.vanishing.lock().unwrap().contains(&blob);
        if vanishes || !self.blobs.lock().unwrap().contains_key(&blob) {
            return false;
        }
        let end = body.iter().position(|byte| *byte == b'\n').unwrap();
        let header: ThumbnailUpload = serde_json::from_slice(&body[..end]).unwrap();
        let mut rest = body.slice(end + 1..);
        let pictures = header.pictures.iter().map(|picture| rest.split_to(picture.bytes as usize)).collect();
        assert!(rest.is_empty(), "bytes are left over");
        self.kept.lock().unwrap().insert(blob, (header, pictures));
        true
    }
}

type State = web::Data<Files>;

/// Pages of two.
async fn events_after(_: ServiceCaller, state: State, asked: web::Json<FileEventsQuestion>) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    let events = state.events.lock().unwrap();
    let page = |place: &FileEventsPlace| {
        let own = || events.iter().filter(|event| event.space.0 == place.user.0);
        let before = || own().filter(|event| event.at < place.since).map(|event| event.seq).max();
        let after = place.after.unwrap_or_else(|| before().unwrap_or(0));
        let found = own().filter(|event| event.seq > after).take(2).cloned().collect();
        FileEventPage::behind(after, own().count() as u64, found)
    };
    HttpResponse::Ok().json(FileEventsTold { pages: asked.places.iter().map(page).collect() })
}

/// Two pages of each subject.
async fn export_page(_: ServiceCaller, state: State, asked: web::Json<ExportQuestion>) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    let page = asked.cursor.as_deref().unwrap_or("first");
    let cursor = asked.cursor.is_none().then(|| "second".to_owned());
    let items = vec![serde_json::json!({ "of": asked.user, "what": asked.what, "page": page })];
    HttpResponse::Ok().json(ExportPage { items, cursor })
}

async fn measure_export(_: ServiceCaller, state: State, asked: web::Json<ExportMeasure>) -> HttpResponse {
    let bytes = asked.files.iter().map(|file| file.size).sum();
    let is_too_much = state.too_much.load(Ordering::SeqCst);
    HttpResponse::Ok().json(ExportLength { bytes: (!is_too_much).then_some(bytes) })
}

fn unavailable() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(serde_json::json!({ "code": "unavailable" }))
}

async fn begin(_: ServiceCaller, state: State, asked: web::Json<ThumbnailBegin>) -> HttpResponse {
    if state.fails() { unavailable() } else { HttpResponse::Ok().json(state.begin(&asked)) }
}

async fn read(_: ServiceCaller, state: State, blob: web::Path<String>) -> HttpResponse {
    let blob = BlobKey::parse(&blob).unwrap();
    let readable = !state.unreadable.lock().unwrap().contains(&blob);
    match state.blobs.lock().unwrap().get(&blob) {
        _ if state.fails() => unavailable(),
        Some(bytes) if readable => HttpResponse::Ok().body(bytes.clone()),
        _ => HttpResponse::NotFound().json(serde_json::json!({ "code": "not_found" })),
    }
}

async fn keep(_: ServiceCaller, state: State, blob: web::Path<String>, body: Bytes) -> HttpResponse {
    if state.fails() {
        unavailable()
    } else if state.keep(BlobKey::parse(&blob).unwrap(), &body) {
        HttpResponse::NoContent().finish()
    } else {
        HttpResponse::NotFound().json(serde_json::json!({ "code": "not_found" }))
    }
}

async fn fail(
    _: ServiceCaller,
    state: State,
    blob: web::Path<String>,
    failure: web::Json<ThumbnailFailure>,
) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    state.failed.lock().unwrap().insert(BlobKey::parse(&blob).unwrap(), failure.reason.clone());
    HttpResponse::NoContent().finish()
}

/// A copy that never comes to its end.
async fn copy(_: ServiceCaller, state: State, _: web::Json<CopyRequest>) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    HttpResponse::Ok().json(StepDone { changed: 1, ..StepDone::default() })
}

async fn give_up_copy(_: ServiceCaller, state: State, asked: web::Json<CopyGiveUp>) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    state.ended_copies.lock().unwrap().push(*asked);
    HttpResponse::NoContent().finish()
}

async fn purge(_: ServiceCaller, state: State, _: web::Json<PurgeRequest>) -> HttpResponse {
    let left = state.purge_steps.load(Ordering::SeqCst).saturating_sub(1);
    state.purge_steps.store(left, Ordering::SeqCst);
    HttpResponse::Ok().json(StepDone { done: left == 0, changed: 10, ..StepDone::default() })
}

/// As many steps as a purge.
async fn end(_: ServiceCaller, state: State, _: web::Json<UserEnd>) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    let left = state.purge_steps.load(Ordering::SeqCst).saturating_sub(1);
    state.purge_steps.store(left, Ordering::SeqCst);
    HttpResponse::Ok().json(StepDone { done: left == 0, changed: 10, ..StepDone::default() })
}

/// Three steps, joined by cursors.
async fn maintain(
    _: ServiceCaller,
    state: State,
    task: web::Path<String>,
    step: web::Json<MaintenanceStep>,
) -> HttpResponse {
    if state.fails() {
        return unavailable();
    }
    let cursor = step.into_inner().cursor;
    if cursor.as_deref() == Some("2") && state.held.load(Ordering::SeqCst) {
        return unavailable();
    }
    state.maintained.lock().unwrap().push((task.into_inner(), cursor.clone()));
    let number: u32 = cursor.map_or(0, |cursor| cursor.parse().unwrap());
    let next = (number < 2).then(|| (number + 1).to_string());
    HttpResponse::Ok().json(StepDone {
        done: next.is_none(),
        cursor: next,
        changed: 1,
        ..StepDone::default()
    })
}

/// The double at work.
pub(crate) struct FilesServer {
    pub(crate) state: Arc<Files>,
    server: Server,
}

impl FilesServer {
    pub(crate) fn start() -> Self {
        let state = Arc::<Files>::default();
        let data = web::Data::from(Arc::clone(&state));
        let gate = web::Data::new(gate(Service::Files));
        let server = Server::start(move |config| {
            config
                .app_data(data.clone())
                .app_data(gate.clone())
                .app_data(web::PayloadConfig::new(64 << 20))
                .route("/internal/thumbnails/begin", web::post().to(begin))
                .route("/internal/blobs/{blob}", web::get().to(read))
                .route("/internal/blobs/{blob}/thumbnails", web::put().to(keep))
                .route("/internal/blobs/{blob}/thumbnails/failed", web::post().to(fail))
                .route("/internal/files/purge", web::post().to(purge))
                .route("/internal/files/copy", web::post().to(copy))
                .route("/internal/files/copy/give-up", web::post().to(give_up_copy))
                .route("/internal/events/after", web::post().to(events_after))
                .route("/internal/users/end", web::post().to(end))
                .route("/internal/users/export", web::post().to(export_page))
                .route("/internal/users/export/measure", web::post().to(measure_export))
                .route("/internal/maintenance/{task}", web::post().to(maintain));
        });
        Self { state, server }
    }

    pub(crate) fn client(&self) -> FilesClient {
        files_client(&self.server.base)
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

/// auth-service's answer to "whom is a mail for?". Addresses say what accounts are: `admin…` and `disabled…`.
pub(crate) struct Users {
    server: Server,
}

impl Users {
    pub(crate) async fn start(users: &[(UserId, &str)]) -> Self {
        let users: HashMap<UserId, String> =
            users.iter().map(|(id, address)| (*id, (*address).to_owned())).collect();
        let users = web::Data::new(users);
        let gate = web::Data::new(gate(Service::Auth));
        let server = Server::start(move |config| {
            config
                .app_data(users.clone())
                .app_data(gate.clone())
                .route("/internal/users/find", web::post().to(find));
        });
        Self { server }
    }

    pub(crate) fn client(&self) -> AuthClient {
        AuthClient::new(internal_client(&self.server.base, Service::Auth))
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

async fn find(
    _: ServiceCaller,
    users: web::Data<HashMap<UserId, String>>,
    asked: web::Json<FindUser>,
) -> web::Json<Option<FoundUser>> {
    web::Json(users.get(&asked.id).map(|address| FoundUser {
        id: asked.id,
        address: address.clone(),
        role: Some(if address.starts_with("admin") { Role::Admin } else { Role::User }),
        disabled: address.starts_with("disabled"),
    }))
}

pub(crate) fn gate(target: Service) -> ServiceGate {
    ServiceGate::new(ServiceTokens::new(SECRET, None).unwrap(), [target], Arc::new(SystemClock))
}

pub(crate) fn internal_client(base: &str, target: Service) -> InternalClient {
    let tokens = ServiceTokens::new(SECRET, None).unwrap();
    InternalClient::tcp(&[base.parse().unwrap()], Service::Worker, target, tokens, Arc::new(SystemClock))
        .unwrap()
}

pub(crate) fn files_client(base: &str) -> FilesClient {
    FilesClient::new(internal_client(base, Service::Files))
}

/// file-service, where a test does not need any.
pub(crate) fn nowhere() -> FilesClient {
    files_client("http://127.0.0.1:9")
}

/// auth-service, where a test does not need any.
pub(crate) fn nobody() -> AuthClient {
    AuthClient::new(internal_client("http://127.0.0.1:9", Service::Auth))
}

/// worker-service as auth-service sees it, by the clock of the test.
pub(crate) fn worker_client(base: &str, world: &World) -> WorkerClient {
    let tokens = ServiceTokens::new(SECRET, None).unwrap();
    let clock = Arc::clone(&world.clock) as _;
    WorkerClient::new(
        InternalClient::tcp(&[base.parse().unwrap()], Service::Auth, Service::Worker, tokens, clock).unwrap(),
    )
}
