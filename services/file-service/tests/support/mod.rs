//! A running service over the embedded store, and how tests speak to it.
#![allow(dead_code, unused_imports, reason = "each test program uses its own part")]

mod accounts;
mod client;
mod exports;
mod people;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix_web::web;
use blob::{DiskBlobs, DiskOptions};
use common::auth::Authenticator;
use common::files::{
    ActivityStore, BlobStore, CopyStore, FileStore, JournalStore, LinkStore, MarkStore, SearchStore,
    ShareStore, UploadStore, VersionStore,
};
use common::routes::Service;
use common::{Clock, IdGen, PortError};
use file_service::{FileService, FileSettings, Overview, Parts, Sharing};
use http_kit::CookiePolicy;
use http_kit::health::check;
use http_kit::openapi::MethodTable;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::service_token::{ServiceGate, ServiceTokens};
use reqwest::{Method, RequestBuilder};
use runtime::memory::MemoryRateLimiter;
use runtime::passwords::{HashingSettings, PasswordHasher};
use store_sqlite::{FilesDb, OpenOptions};
use tempfile::TempDir;
use testkit::{TestClock, TestIds};
use utoipa_actix_web::service_config::ServiceConfig;

use accounts::{Accounts, ClosedAccounts, SharedCredentials};
use exports::SharedExport;
use people::{Directory, EndedTokens, NamedUsers, TOKEN};

pub(crate) use client::{Client, id_of, names_of, segment};
pub(crate) use people::{PEOPLE, SharedGroup, address, user_id};
pub(crate) use testkit::answer::{Answer, answer, keys};

const SECRET: &[u8] = &[5; 32];
/// Signs tickets for contents.
pub(crate) const TICKET_KEY: [u8; 32] = [8; 32];

/// What a service stands on.
struct World {
    clock: Arc<TestClock>,
    ids: Arc<TestIds>,
    store: Arc<FilesDb>,
    disk: Arc<DiskBlobs>,
    ended: EndedTokens,
    uploads: Arc<dyn UploadStore>,
    auth_outage: Arc<AtomicBool>,
    directory_outage: Arc<AtomicBool>,
    group: SharedGroup,
    cache_outage: Arc<AtomicBool>,
    accounts: Arc<AtomicU64>,
    closed: ClosedAccounts,
    credentials: SharedCredentials,
    export: SharedExport,
    tokens: ServiceTokens,
}

impl World {
    fn serve(&self, blobs: Arc<dyn BlobStore>, settings: FileSettings) -> (Arc<FileService>, String, Drain) {
        let ping = Arc::clone(&self.store);
        let cache_cut = Arc::clone(&self.cache_outage);
        let accounts = Arc::new(Accounts {
            count: self.accounts.clone(),
            outage: self.auth_outage.clone(),
            closed: self.closed.clone(),
            credentials: self.credentials.clone(),
            directory_outage: self.directory_outage.clone(),
        });
        let overview = Overview {
            users: accounts.clone(),
            cache: vec![check("cache", move || {
                let cut = cache_cut.load(Ordering::SeqCst);
                async move {
                    if cut { Err(PortError::unavailable("cache", "cut off by the test")) } else { Ok(()) }
                }
            })],
            stores: vec![check("store", move || {
                let store = Arc::clone(&ping);
                async move { store.ping().await }
            })],
        };
        let service = Arc::new(FileService::new(Parts {
            store: self.store.clone() as Arc<dyn FileStore>,
            blobs,
            uploads: self.uploads.clone(),
            partial_blobs: self.disk.clone(),
            clock: self.clock.clone() as Arc<dyn Clock>,
            ids: self.ids.clone() as Arc<dyn IdGen>,
            cursor_key: [7; 32],
            ticket_key: TICKET_KEY,
            overview,
            marks: self.store.clone() as Arc<dyn MarkStore>,
            search: self.store.clone() as Arc<dyn SearchStore>,
            versions: self.store.clone() as Arc<dyn VersionStore>,
            copies: self.store.clone() as Arc<dyn CopyStore>,
            journal: self.store.clone() as Arc<dyn JournalStore>,
            activity: self.store.clone() as Arc<dyn ActivityStore>,
            exports: Arc::new(self.export.clone()),
            sharing: Sharing {
                shares: self.store.clone() as Arc<dyn ShareStore>,
                links: self.store.clone() as Arc<dyn LinkStore>,
                people: Arc::new(Directory {
                    outage: self.directory_outage.clone(),
                    group: self.group.clone(),
                }),
                accounts: accounts.clone(),
                credentials: accounts,
                limiter: Arc::new(MemoryRateLimiter::new(self.clock.clone())),
                hasher: PasswordHasher::new(HashingSettings { cost: 4, threads: 2, queue: 64 }).unwrap(),
                link_key: [6; 32],
            },
            settings,
        }));
        let gate = web::Data::new(ServiceGate::new(
            self.tokens.clone(),
            [Service::Files],
            self.clock.clone() as Arc<dyn Clock>,
        ));
        let authenticator: Arc<dyn Authenticator> =
            Arc::new(NamedUsers { ended: self.ended.clone(), outage: self.auth_outage.clone() });
        let routes = {
            let service = web::Data::from(Arc::clone(&service));
            move |config: &mut web::ServiceConfig| {
                config
                    .app_data(service.clone())
                    .app_data(web::Data::from(authenticator.clone()))
                    .app_data(web::Data::new(CookiePolicy::new(None, false)))
                    .app_data(gate.clone());
                file_service::public_routes(&mut ServiceConfig::new(config));
                file_service::internal_routes(config);
            }
        };
        let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let drain = Drain::default();
        let methods = Arc::new(MethodTable::of(&file_service::openapi()));
        let server = ServerSettings { workers: 2, methods, ..ServerSettings::new("file-service") };
        actix_web::rt::spawn(serve(server, listener, routes, drain.clone()));
        let (follow, stop) = (Arc::clone(&service), drain.stop.clone());
        actix_web::rt::spawn(async move { follow.run(stop).await });
        (service, base, drain)
    }
}

/// A service that runs until this is dropped.
pub(crate) struct Server {
    /// `http://127.0.0.1:<port>`.
    pub(crate) base: String,
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    pub(crate) store: Arc<FilesDb>,
    pub(crate) blobs: Arc<DiskBlobs>,
    pub(crate) service: Arc<FileService>,
    pub(crate) tokens: ServiceTokens,
    /// Tokens that are good for nothing any more.
    pub(crate) ended: EndedTokens,
    /// auth-service does not answer while this is set.
    pub(crate) auth_outage: Arc<AtomicBool>,
    /// Nobody can say who people are while this is set.
    pub(crate) directory_outage: Arc<AtomicBool>,
    /// The group that there is.
    pub(crate) group: SharedGroup,
    /// The cache of credentials does not answer while this is set.
    pub(crate) cache_outage: Arc<AtomicBool>,
    /// How many accounts there are.
    pub(crate) accounts: Arc<AtomicU64>,
    /// Those that are disabled, wait to be deleted, or are gone.
    pub(crate) closed: ClosedAccounts,
    /// Tokens and sessions of accounts.
    pub(crate) credentials: SharedCredentials,
    /// The export that there is.
    pub(crate) export: SharedExport,
    client: reqwest::Client,
    drain: Drain,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain.stop.cancel();
    }
}

impl Server {
    /// A fresh one with the built-in settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A fresh one with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut FileSettings)) -> Self {
        Self::over(change, |disk| disk).await
    }

    /// A fresh one that sees its disk through a wrapper.
    pub(crate) async fn over(
        change: impl FnOnce(&mut FileSettings),
        wrap: impl FnOnce(Arc<dyn BlobStore>) -> Arc<dyn BlobStore>,
    ) -> Self {
        Self::built(|settings, _| change(settings), wrap).await
    }

    /// A fresh one whose settings may know its disk.
    pub(crate) async fn built(
        change: impl FnOnce(&mut FileSettings, &Arc<DiskBlobs>),
        wrap: impl FnOnce(Arc<dyn BlobStore>) -> Arc<dyn BlobStore>,
    ) -> Self {
        Self::assembled(change, wrap, |uploads| uploads).await
    }

    /// A fresh one that sees the rows of its uploads through a wrapper.
    pub(crate) async fn over_uploads(
        wrap: impl FnOnce(Arc<dyn UploadStore>) -> Arc<dyn UploadStore>,
    ) -> Self {
        Self::assembled(|_, _| {}, |disk| disk, wrap).await
    }

    async fn assembled(
        change: impl FnOnce(&mut FileSettings, &Arc<DiskBlobs>),
        wrap: impl FnOnce(Arc<dyn BlobStore>) -> Arc<dyn BlobStore>,
        wrap_uploads: impl FnOnce(Arc<dyn UploadStore>) -> Arc<dyn UploadStore>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::default());
        let ids = Arc::new(TestIds::new());
        let store = Arc::new(FilesDb::open(dir.path().join("files.db"), &OpenOptions::default()).unwrap());
        let disk = DiskOptions { keep_free_bytes: 0, ..DiskOptions::default() };
        let blobs = Arc::new(DiskBlobs::open(dir.path().join("blobs"), disk).unwrap());
        blobs.claim(&store.store_id().await.unwrap()).await.unwrap();
        let mut settings = FileSettings::default();
        change(&mut settings, &blobs);
        let world = World {
            clock,
            ids,
            uploads: wrap_uploads(store.clone() as Arc<dyn UploadStore>),
            store,
            disk: blobs.clone(),
            ended: EndedTokens::default(),
            auth_outage: Arc::default(),
            directory_outage: Arc::default(),
            group: SharedGroup::default(),
            cache_outage: Arc::default(),
            accounts: Arc::default(),
            closed: ClosedAccounts::default(),
            credentials: SharedCredentials::default(),
            export: SharedExport::default(),
            tokens: ServiceTokens::new(SECRET, None).unwrap(),
        };
        let wrapped = wrap(blobs.clone() as Arc<dyn BlobStore>);
        let (service, base, drain) = world.serve(wrapped, settings);
        #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let World {
            clock,
            ids,
            store,
            disk: _,
            ended,
            uploads: _,
            auth_outage,
            directory_outage,
            group,
            cache_outage,
            accounts,
            closed,
            credentials,
            export,
            tokens,
        } = world;
        Self {
            base,
            dir,
            clock,
            ids,
            store,
            blobs,
            service,
            tokens,
            ended,
            auth_outage,
            directory_outage,
            group,
            cache_outage,
            accounts,
            closed,
            credentials,
            export,
            client,
            drain,
        }
    }

    /// The address of another replica over the same store and disk, which runs until the token is cancelled.
    pub(crate) fn replica(&self, settings: FileSettings) -> (String, Drain) {
        let world = World {
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            store: self.store.clone(),
            disk: self.blobs.clone(),
            ended: self.ended.clone(),
            uploads: self.store.clone(),
            auth_outage: self.auth_outage.clone(),
            directory_outage: self.directory_outage.clone(),
            group: self.group.clone(),
            cache_outage: self.cache_outage.clone(),
            accounts: self.accounts.clone(),
            closed: self.closed.clone(),
            credentials: self.credentials.clone(),
            export: self.export.clone(),
            tokens: self.tokens.clone(),
        };
        let (_, base, drain) = world.serve(self.blobs.clone() as Arc<dyn BlobStore>, settings);
        (base, drain)
    }

    /// The key of the content that a file has.
    pub(crate) async fn blob_of(&self, file: &str) -> common::BlobKey {
        let path = self.store.find_path(file.parse().unwrap()).await.unwrap().unwrap();
        path.node.content.unwrap().blob
    }

    /// How many contents lie on the disk.
    pub(crate) fn blob_files(&self) -> usize {
        let folders = self.dir.path().join("blobs/blobs").read_dir().unwrap();
        folders.map(|folder| folder.unwrap().path().read_dir().unwrap().count()).sum()
    }

    /// What the clock of the service shows.
    pub(crate) fn now(&self) -> common::Timestamp {
        self.clock.now()
    }

    /// Ends what somebody is signed in by, as auth-service does.
    pub(crate) fn end_token_of(&self, user: &Client<'_>) {
        self.ended.lock().unwrap().insert(user.token.clone());
    }

    /// A request without a credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Somebody who is signed in.
    pub(crate) fn user(&self, name: &str) -> Client<'_> {
        Client { server: self, token: format!("{TOKEN}{name}"), id: user_id(name) }
    }

    /// Sends these bytes over a connection of their own, which the caller then holds.
    pub(crate) async fn send_raw(&self, bytes: &[u8]) -> tokio::net::TcpStream {
        use tokio::io::AsyncWriteExt as _;
        let address = self.base.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// A request of worker-service on the internal routes.
    pub(crate) fn internal(&self, method: Method, path: &str) -> RequestBuilder {
        let token = self.tokens.mint(Service::Worker, Service::Files, self.clock.now());
        self.request(method, path).bearer_auth(token)
    }
}

/// Asks again and again until it is so; fails after half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::task::yield_now().await;
    }
}
