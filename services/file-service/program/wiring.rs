//! The service over the adapters of the distributed form.

use std::sync::Arc;

use actix_web::web;
use clients::{AuthClient, WorkerClient};
use common::auth::Authenticator;
use common::files::FileStore as _;
use common::routes::Service;
use distributed::{Assembled, Common, Platform, ServiceProgram, part, until_available};
use file_service::{FileService, FileSettings, LINK_LABEL, Overview, Parts, Sharing, claim_blobs};
use http_kit::TrustedProxies;
use http_kit::credentials::CachedAuthenticator;
use http_kit::health::{self, ReadyCheck};
use http_kit::openapi::MethodTable;
use http_kit::reference::Reference;
use http_kit::ticket::TICKET_LABEL;
use program::Failure;
use runtime::lifecycle::Exit;
use runtime::passwords::{HashingSettings, PasswordHasher};
use runtime::settings::Doc;
use store_mongo::FilesDb;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::commands;
use crate::contents::{self, Contents};
use crate::portable;
use crate::settings::{self, Settings};

/// The document of all services; a test of the all-in-one holds it to the code.
const OPENAPI: &str = include_str!("../../../openapi/openapi.json");

pub(crate) struct FileProgram;

impl ServiceProgram for FileProgram {
    const SERVICE: Service = Service::Files;
    const ABOUT: &'static str = "Files, folders and contents of Files Manager";
    type Settings = Settings;

    fn docs() -> Vec<Doc> {
        settings::docs()
    }

    fn common(settings: &Settings) -> &Common {
        &settings.common
    }

    fn commands() -> Vec<clap::Command> {
        let [export, import] = portable::commands();
        vec![commands::admin(), export, import]
    }

    async fn command(settings: Settings, matches: clap::ArgMatches) -> Result<Exit, Failure> {
        match matches.subcommand() {
            Some(("admin", _)) => commands::run(settings, &matches).await,
            _ => portable::run(&settings, &matches).await,
        }
    }

    async fn assemble(settings: Settings, platform: Platform) -> Result<Assembled, Failure> {
        let Wired { service, store, checks, authenticator } = wire(&settings, &platform).await?;
        let known = Arc::new(WorkerClient::new(platform.client(Service::Worker)?));
        let keys = platform.idempotency(store.clone());
        let forgetting = platform.forgets_keys(&keys);
        let relay = platform.relay(store, known);
        let document = serde_json::from_str(OPENAPI).map_err(|error| Failure::new(Exit::Failed, &error))?;
        let reference = Reference::new(&document).map_err(|error| Failure::new(Exit::Failed, &error))?;

        let authenticator = web::Data::from(authenticator as Arc<dyn Authenticator>);
        let (cookies, gate) = (web::Data::new(platform.cookies()), web::Data::new(platform.gate()));
        let (public, internal, ending) = (service.clone(), service.clone(), service.into_inner());
        let (follow, stop) = (Arc::clone(&ending), platform.shutdown().stopping_token());
        Ok(Assembled {
            public: Arc::new(move |config| {
                config.app_data(authenticator.clone()).app_data(cookies.clone());
                config.app_data(public.clone()).app_data(keys.clone());
                file_service::public_routes(&mut ServiceConfig::new(config));
                reference.configure(config);
            }),
            internal: Arc::new(move |config| {
                config.app_data(gate.clone()).app_data(internal.clone());
                file_service::internal_routes(config);
            }),
            methods: MethodTable::of(&file_service::openapi()),
            checks,
            parts: vec![
                ("relay", part(relay.run(platform.shutdown().stopping_token()))),
                ("events", part(async move { follow.run(stop).await })),
                ("request-keys", forgetting),
            ],
            after_requests: Box::pin(async move { ending.finish_background().await }),
            notice: None,
        })
    }
}

/// The service, and what runs it.
pub(crate) struct Wired {
    pub(crate) service: web::Data<FileService>,
    store: Arc<FilesDb>,
    checks: Vec<Arc<dyn ReadyCheck>>,
    authenticator: Arc<CachedAuthenticator>,
}

/// Puts the service over its adapters, once they can be used.
///
/// # Errors
/// A setting or a store that cannot be used.
pub(crate) async fn wire(settings: &Settings, platform: &Platform) -> Result<Wired, Failure> {
    settings.files.check().map_err(Failure::setting)?;
    let Contents { blobs, partial_blobs, delivery } = contents::open(settings)?;
    let store = Arc::new(FilesDb::new(&platform.mongo));
    platform.until_ready(|| store.migrate()).await?;
    until_available(|| claim_blobs(&*store, &*blobs)).await?;

    let auth = Arc::new(AuthClient::new(platform.client(Service::Auth)?));
    let checks = vec![
        health::check("store", {
            let store = store.clone();
            move || {
                let store = store.clone();
                async move { store.ping().await }
            }
        }),
        health::check("blobs", {
            let blobs = blobs.clone();
            move || {
                let blobs = blobs.clone();
                async move { blobs.ping().await }
            }
        }),
    ];
    let authenticator = platform.authenticator(auth.clone());
    let service = web::Data::new(FileService::new(Parts {
        store: store.clone(),
        blobs,
        uploads: store.clone(),
        partial_blobs,
        clock: Arc::clone(&platform.clock),
        ids: Arc::clone(&platform.ids),
        cursor_key: platform.master_key.derive("files-cursor"),
        ticket_key: platform.master_key.derive(TICKET_LABEL),
        overview: Overview {
            users: auth.clone(),
            cache: vec![platform.redis_check()],
            stores: checks.clone(),
        },
        marks: store.clone(),
        search: store.clone(),
        versions: store.clone(),
        copies: store.clone(),
        journal: store.clone(),
        activity: store.clone(),
        exports: auth.clone(),
        sharing: Sharing {
            shares: store.clone(),
            links: store.clone(),
            people: auth.clone(),
            credentials: auth,
            accounts: authenticator.clone(),
            limiter: Arc::clone(&platform.limiter),
            hasher: hasher(settings)?,
            link_key: platform.master_key.derive(LINK_LABEL),
        },
        settings: FileSettings {
            delivery,
            trusted_proxies: trusted_proxies(settings)?,
            ..settings.files.settings()
        },
    }));
    Ok(Wired { service, store, checks, authenticator })
}

fn hasher(settings: &Settings) -> Result<PasswordHasher, Failure> {
    let hashing = HashingSettings { cost: settings.bcrypt_cost, ..HashingSettings::default() };
    PasswordHasher::new(hashing).map_err(|error| Failure::setting(format!("FM_BCRYPT_COST: {error}")))
}

fn trusted_proxies(settings: &Settings) -> Result<TrustedProxies, Failure> {
    let texts = settings.common.trusted_proxies.split(',').map(str::trim).filter(|text| !text.is_empty());
    TrustedProxies::parse(texts).map_err(|error| Failure::setting(format!("FM_TRUSTED_PROXIES: {error}")))
}
