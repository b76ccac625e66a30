//! The embedded adapters, and the three services over them.

use std::path::Path;
use std::sync::Arc;

use auth_service::{AuthService, HashingSettings, PasswordHasher, providers, trusted_proxies};
use blob::{DiskBlobs, DiskOptions};
use clients::{AuthClient, FilesClient, InternalClient};
use common::auth::{AuthStore, CredentialCache, RateLimiter};
use common::files::{BlobStore, FileStore};
use common::jobs::{JobBus, JobStore, Outbox};
use common::portable::PortableFiles as _;
use common::routes::Service;
use common::{Clock, IdGen};
use file_service::{FileService, FileSettings, LINK_LABEL, Overview, Sharing, claim_blobs};
use http_kit::credentials::{CachedAuthenticator, TokenPolicy};
use http_kit::health::{self, ReadyCheck};
use http_kit::idempotency::Idempotency;
use http_kit::service_token::ServiceTokens;
use http_kit::ticket::TICKET_LABEL;
use program::Failure;
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use runtime::memory::{EmbeddedBus, MemoryCredentialCache, MemoryRateLimiter};
use runtime::relay::{Relay, RelaySettings};
use runtime::secrets::{MasterKey, random_secret};
use runtime::{RandomIds, SystemClock};
use store_sqlite::{AuthDb, FilesDb, JobsDb, OpenOptions};
use thumbnails::Pool;
use worker_service::{
    AccountMailHandler, BuiltInJobs, Concurrency, CopyHandler, MediaFactsHandler, PurgeHandler, Registry,
    TextHandler, ThumbnailsHandler, WelcomeHandler, WorkerService, WorkerSettings,
};

use crate::check;
use crate::keys::master_key;
use crate::settings::Settings;

/// Everything that one process runs.
pub(crate) struct Parts {
    pub(crate) auth: Arc<AuthService>,
    pub(crate) files: Arc<FileService>,
    pub(crate) worker: Arc<WorkerService>,
    pub(crate) authenticator: Arc<CachedAuthenticator>,
    pub(crate) keys: Arc<Idempotency>,
    pub(crate) relays: Vec<(&'static str, Relay)>,
    pub(crate) tokens: ServiceTokens,
    pub(crate) checks: Vec<Arc<dyn ReadyCheck>>,
    pub(crate) stores: Stores,
}

/// The databases, to be closed last.
pub(crate) struct Stores {
    auth: Arc<AuthDb>,
    files: Arc<FilesDb>,
    jobs: Arc<JobsDb>,
}

impl Stores {
    /// Accounts.
    pub(crate) fn auth(&self) -> &Arc<AuthDb> {
        &self.auth
    }

    /// Files and folders.
    pub(crate) fn files(&self) -> &Arc<FilesDb> {
        &self.files
    }

    /// Commits what waits and closes the files.
    pub(crate) fn close(&self) {
        self.auth.close();
        self.files.close();
        self.jobs.close();
    }
}

/// The clock of the process.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The ids of the process.
pub(crate) fn ids() -> Arc<dyn IdGen> {
    Arc::new(RandomIds::default())
}

/// The accounts of a data folder.
///
/// # Errors
/// When the database cannot be opened.
pub(crate) fn auth_store(data: &DataDir) -> Result<Arc<AuthDb>, Failure> {
    let store = AuthDb::open(data.path().join("auth.db"), &OpenOptions::default());
    store.map(Arc::new).map_err(|error| Failure::store(&error))
}

/// The pool that hashes passwords.
///
/// # Errors
/// When the cost is none that bcrypt knows.
pub(crate) fn password_hasher(settings: &Settings) -> Result<PasswordHasher, Failure> {
    let hashing = HashingSettings { cost: settings.bcrypt_cost, ..HashingSettings::default() };
    PasswordHasher::new(hashing).map_err(|error| Failure::setting(format!("FM_BCRYPT_COST: {error}")))
}

/// Opens the stores of a data folder and puts the services over them. The services reach one another through `socket`.
///
/// # Errors
/// A setting, a store or a secret that cannot be used.
pub(crate) async fn assemble(settings: &Settings, data: &DataDir, socket: &Path) -> Result<Parts, Failure> {
    check::remove_left_over(data.path())?;
    assemble_over(settings, data, socket, &data.path().join("files.db")).await
}

/// As [`assemble`], with another file as the database of files.
///
/// # Errors
/// As [`assemble`].
pub(crate) async fn assemble_over(
    settings: &Settings,
    data: &DataDir,
    socket: &Path,
    files: &Path,
) -> Result<Parts, Failure> {
    let (clock, ids) = (clock(), ids());
    let master_key = Arc::new(master_key(settings, data)?);
    let internal_secret = data.secret("internal-secret", random_secret)?;
    let tokens = ServiceTokens::new(internal_secret.as_bytes(), None)
        .map_err(|error| Failure::new(Exit::DataFolder, &error))?;

    let options = OpenOptions::default();
    let open = |name: &str| data.path().join(name);
    let auth_db = auth_store(data)?;
    let files_db = Arc::new(FilesDb::open(files, &options).map_err(|error| Failure::store(&error))?);
    let jobs_db = Arc::new(JobsDb::open(open("jobs.db"), &options).map_err(|error| Failure::store(&error))?);
    if files_db.import_mark().await.map_err(|error| Failure::store(&error))?.is_some() {
        return Err(Failure::other(Exit::DataFolder, crate::portable::UNFINISHED));
    }
    end_of_others(&auth_db, &files_db, &jobs_db).await.map_err(|error| Failure::store(&error))?;
    let disk = Arc::new(blobs(settings, data, &files_db).await?);
    let blobs: Arc<dyn BlobStore> = disk.clone();
    let bus: Arc<dyn JobBus> = Arc::new(EmbeddedBus::default());
    let cache: Arc<dyn CredentialCache> = Arc::new(MemoryCredentialCache::new(Arc::clone(&clock)));
    // tokens are good at this installation only: its store has an id that no other has
    let installation = files_db.store_id().await.map_err(|error| Failure::store(&error))?;
    let policy =
        TokenPolicy { issuer: format!("files-manager:{installation}"), audience: "files-manager".to_owned() };

    let client = |caller: Service, target: Service| {
        InternalClient::unix(socket, caller, target, tokens.clone(), Arc::clone(&clock))
            .map_err(|error| Failure::new(Exit::Failed, &error))
    };
    // passwords of accounts and of links share the threads that hash
    let hasher = password_hasher(settings)?;
    let auth = AuthService::start(
        auth_service::Ports {
            store: auth_db.clone(),
            account_store: auth_db.clone(),
            admin: auth_service::AdminStores::of(&auth_db),
            spaces: Arc::new(FilesClient::new(client(Service::Auth, Service::Files)?)),
            cache: Arc::clone(&cache),
            limiter: Arc::new(MemoryRateLimiter::new(Arc::clone(&clock))),
            hasher: hasher.clone(),
            master_key: Arc::clone(&master_key),
            policy: policy.clone(),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
        },
        auth_settings(settings)?,
    )
    .await
    .map_err(|error| Failure::new(Exit::Unavailable, &error))?;

    // each service says who it is, as it does where it is a process of its own
    let files_to_auth = AuthClient::new(client(Service::Files, Service::Auth)?);
    let jobs_to_auth = AuthClient::new(client(Service::Worker, Service::Auth)?);
    let jobs_to_files = FilesClient::new(client(Service::Worker, Service::Files)?);
    let authenticator = Arc::new(CachedAuthenticator::new(
        auth.credential_source(),
        Arc::clone(&cache),
        Arc::clone(&clock),
        policy,
    ));

    let files_to_auth = Arc::new(files_to_auth);
    let limiter: Arc<dyn RateLimiter> = Arc::new(MemoryRateLimiter::new(Arc::clone(&clock)));
    let checks = store_checks(&auth_db, &files_db, &jobs_db, &blobs);
    let files = Arc::new(FileService::new(file_service::Parts {
        store: files_db.clone(),
        blobs,
        uploads: files_db.clone(),
        partial_blobs: disk,
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        cursor_key: master_key.derive("files-cursor"),
        ticket_key: master_key.derive(TICKET_LABEL),
        overview: Overview {
            users: files_to_auth.clone(),
            // the cache of this form is memory, which always answers
            cache: Vec::new(),
            stores: checks.clone(),
        },
        marks: files_db.clone(),
        search: files_db.clone(),
        versions: files_db.clone(),
        copies: files_db.clone(),
        journal: files_db.clone(),
        activity: files_db.clone(),
        exports: files_to_auth.clone(),
        sharing: Sharing {
            shares: files_db.clone(),
            links: files_db.clone(),
            people: files_to_auth.clone(),
            credentials: files_to_auth,
            accounts: authenticator.clone(),
            limiter,
            hasher: hasher.clone(),
            link_key: master_key.derive(LINK_LABEL),
        },
        settings: FileSettings {
            trusted_proxies: trusted_proxies(&settings.trusted_proxies).map_err(Failure::setting)?,
            ..settings.files.settings()
        },
    }));

    let worker = Arc::new(worker(settings, data, &jobs_db, &bus, jobs_to_auth, jobs_to_files, &master_key)?);
    let relay = |name: &'static str, outbox: Arc<dyn Outbox>| {
        let (bus, known) = (Arc::clone(&bus), worker.known_jobs());
        (name, Relay::new(name, outbox, bus, known, Arc::clone(&clock), RelaySettings::default()))
    };
    let relays = vec![relay("auth-service", auth_db.clone()), relay("file-service", files_db.clone())];
    let stores = Stores { auth: auth_db, files: files_db, jobs: jobs_db };
    let keys = Idempotency::new(master_key, Arc::clone(&clock))
        .with(Service::Auth, stores.auth.clone())
        .with(Service::Files, stores.files.clone())
        .with(Service::Worker, stores.jobs.clone());
    Ok(Parts { auth, files, worker, authenticator, keys: Arc::new(keys), relays, tokens, checks, stores })
}

/// This process holds the data folder, so whoever had leased anything has ended, and the bus with it: nothing has to wait for their leases. Programs
/// that work jobs of other types over HTTP go on, and report to this process.
async fn end_of_others(auth: &AuthDb, files: &FilesDb, jobs: &JobsDb) -> common::PortResult<()> {
    auth.start_outbox_over().await?;
    files.start_outbox_over().await?;
    files.end_upload_leases().await?;
    auth.end_request_leases().await?;
    files.end_request_leases().await?;
    jobs.end_request_leases().await?;
    jobs.end_leases(common::jobs::types::BUILT_IN).await
}

/// The contents of a data folder.
///
/// # Errors
/// That they are those of another store, or not there.
pub(crate) async fn blobs(
    settings: &Settings,
    data: &DataDir,
    store: &FilesDb,
) -> Result<DiskBlobs, Failure> {
    let options = DiskOptions { keep_free_bytes: settings.files.keep_free.bytes(), ..DiskOptions::default() };
    let blobs = DiskBlobs::open(data.path(), options).map_err(|error| Failure::store(&error))?;
    claim_blobs(store, &blobs).await.map_err(|error| Failure::store(&error))?;
    Ok(blobs)
}

fn auth_settings(settings: &Settings) -> Result<auth_service::Settings, Failure> {
    Ok(auth_service::Settings {
        registration: settings.registration,
        loopback_only: settings.listen.ip().is_loopback(),
        has_public_url: settings.public_url.is_some(),
        public_url: settings.public_url.clone(),
        providers: providers(&settings.oidc, settings.public_url.as_deref()).map_err(Failure::setting)?,
        administration: settings.administration.clone(),
        trusted_proxies: trusted_proxies(&settings.trusted_proxies).map_err(Failure::setting)?,
        accounts: settings.accounts.clone(),
        ..auth_service::Settings::default()
    })
}

fn worker(
    settings: &Settings,
    data: &DataDir,
    jobs: &Arc<JobsDb>,
    bus: &Arc<dyn JobBus>,
    users: AuthClient,
    files: FilesClient,
    master_key: &Arc<MasterKey>,
) -> Result<WorkerService, Failure> {
    let config = settings.thumbnails.pool();
    let concurrency = Concurrency { thumbnails: config.children + 1, ..Concurrency::default() };
    let pool = Pool::new(config).map_err(|error| Failure::new(Exit::Failed, &error))?;
    let mailer = settings.mail.sender(data.path().join("mail")).map_err(Failure::setting)?;
    let registry = Registry::default()
        .with(Arc::new(ThumbnailsHandler::new(
            files.clone(),
            pool,
            data.folder("tmp")?,
            concurrency.thumbnails,
        )))
        .with(Arc::new(PurgeHandler::new(files.clone(), concurrency.purge)))
        .with(Arc::new(CopyHandler::new(files.clone(), concurrency.copy)))
        .with(Arc::new(MediaFactsHandler::new(files.clone(), concurrency.media_facts)))
        .with(Arc::new(TextHandler::new(files.clone(), concurrency.text)))
        .with(Arc::new(AccountMailHandler::new(
            Arc::clone(master_key),
            Arc::clone(&mailer),
            settings.public_url.clone(),
            concurrency.mail,
        )))
        .with(Arc::new(WelcomeHandler::new(
            users.clone(),
            mailer,
            settings.public_url.clone(),
            concurrency.mail,
        )));
    Ok(WorkerService::new(worker_service::Parts {
        store: jobs.clone(),
        admin: jobs.clone(),
        events: jobs.clone(),
        schedules: jobs.clone(),
        webhooks: jobs.clone(),
        notifications: jobs.clone(),
        bus: Arc::clone(bus),
        files,
        auth: users,
        egress: settings.webhooks.egress().map_err(Failure::setting)?,
        master_key: Arc::clone(master_key),
        registry,
        clock: clock(),
        ids: ids(),
        cursor_key: master_key.derive("jobs-cursor"),
        lease_key: master_key.derive("jobs-lease"),
        ticket_key: master_key.derive(TICKET_LABEL),
        settings: WorkerSettings {
            name: format!("files-manager-{}", std::process::id()),
            jobs: BuiltInJobs::of(&settings.jobs).map_err(Failure::setting)?,
            concurrency,
            public_url: settings.public_url.clone(),
            drain: settings.stop.deadline.duration() / 3,
            listeners: settings.claims.listeners(),
            maintenance: settings.maintenance.tasks(),
            webhooks: settings.webhooks.settings(),
            ..WorkerSettings::default()
        },
    }))
}

fn store_checks(
    auth: &Arc<AuthDb>,
    files: &Arc<FilesDb>,
    jobs: &Arc<JobsDb>,
    blobs: &Arc<dyn BlobStore>,
) -> Vec<Arc<dyn ReadyCheck>> {
    let (auth, files, jobs, blobs) = (auth.clone(), files.clone(), jobs.clone(), blobs.clone());
    vec![
        health::check("auth-store", move || {
            let auth = auth.clone();
            async move { AuthStore::ping(&*auth).await }
        }),
        health::check("file-store", move || {
            let files = files.clone();
            async move { FileStore::ping(&*files).await }
        }),
        health::check("job-store", move || {
            let jobs = jobs.clone();
            async move { JobStore::ping(&*jobs).await }
        }),
        health::check("blobs", move || {
            let blobs = blobs.clone();
            async move { blobs.ping().await }
        }),
    ]
}
