//! The service over the adapters of the distributed form.

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web;
use clients::{AuthClient, FilesClient};
use common::auth::Authenticator;
use common::jobs::JobStore as _;
use common::routes::Service;
use distributed::{Assembled, Common, Platform, ServiceProgram, part};
use http_kit::health;
use http_kit::openapi::MethodTable;
use http_kit::ticket::TICKET_LABEL;
use program::Failure;
use runtime::lifecycle::Exit;
use runtime::settings::Doc;
use store_mongo::JobsDb;
use thumbnails::Pool;
use utoipa_actix_web::service_config::ServiceConfig;
use worker_service::{
    AccountMailHandler, BuiltInJobs, Concurrency, CopyHandler, MediaFactsHandler, Parts, PurgeHandler,
    Registry, TextHandler, ThumbnailsHandler, WelcomeHandler, WorkerService, WorkerSettings,
};

use crate::settings::{self, Settings};

pub(crate) struct WorkerProgram;

impl ServiceProgram for WorkerProgram {
    const SERVICE: Service = Service::Worker;
    const ABOUT: &'static str = "Background jobs of Files Manager";
    type Settings = Settings;

    fn docs() -> Vec<Doc> {
        settings::docs()
    }

    fn common(settings: &Settings) -> &Common {
        &settings.common
    }

    async fn assemble(settings: Settings, platform: Platform) -> Result<Assembled, Failure> {
        settings.thumbnails.check().map_err(Failure::setting)?;
        settings.maintenance.check().map_err(Failure::setting)?;
        settings.webhooks.check().map_err(Failure::setting)?;
        settings.claims.check().map_err(Failure::setting)?;
        let jobs = BuiltInJobs::of(&settings.jobs).map_err(Failure::setting)?;
        let egress = settings.webhooks.egress().map_err(Failure::setting)?;
        let mailer = settings.mail.sender(PathBuf::from("mail")).map_err(Failure::setting)?;

        let store = Arc::new(JobsDb::new(&platform.mongo));
        platform.until_ready(|| store.migrate()).await?;

        let files = FilesClient::new(platform.client(Service::Files)?);
        let auth = AuthClient::new(platform.client(Service::Auth)?);
        let config = settings.thumbnails.pool();
        let concurrency = Concurrency { thumbnails: config.children + 1, ..Concurrency::default() };
        let pool = Pool::new(config).map_err(|error| Failure::new(Exit::Failed, &error))?;
        let registry = Registry::default()
            .with(Arc::new(ThumbnailsHandler::new(
                files.clone(),
                pool,
                std::env::temp_dir(),
                concurrency.thumbnails,
            )))
            .with(Arc::new(PurgeHandler::new(files.clone(), concurrency.purge)))
            .with(Arc::new(CopyHandler::new(files.clone(), concurrency.copy)))
            .with(Arc::new(MediaFactsHandler::new(files.clone(), concurrency.media_facts)))
            .with(Arc::new(TextHandler::new(files.clone(), concurrency.text)))
            .with(Arc::new(AccountMailHandler::new(
                Arc::clone(&platform.master_key),
                Arc::clone(&mailer),
                settings.common.public_url.clone(),
                concurrency.mail,
            )))
            .with(Arc::new(WelcomeHandler::new(
                auth.clone(),
                mailer,
                settings.common.public_url.clone(),
                concurrency.mail,
            )));
        let service = Arc::new(WorkerService::new(Parts {
            store: store.clone(),
            admin: store.clone(),
            events: store.clone(),
            schedules: store.clone(),
            webhooks: store.clone(),
            notifications: store.clone(),
            bus: Arc::clone(&platform.bus),
            files,
            auth: auth.clone(),
            egress,
            master_key: Arc::clone(&platform.master_key),
            registry,
            clock: Arc::clone(&platform.clock),
            ids: Arc::clone(&platform.ids),
            cursor_key: platform.master_key.derive("jobs-cursor"),
            lease_key: platform.master_key.derive("jobs-lease"),
            ticket_key: platform.master_key.derive(TICKET_LABEL),
            settings: WorkerSettings {
                name: worker_name(),
                jobs,
                concurrency,
                public_url: settings.common.public_url.clone(),
                drain: settings.common.stop.deadline.duration() / 3,
                listeners: settings.claims.listeners(),
                maintenance: settings.maintenance.tasks(),
                webhooks: settings.webhooks.settings(),
                ..WorkerSettings::default()
            },
        }));

        let keys = platform.idempotency(store.clone());
        let forgetting = platform.forgets_keys(&keys);
        let checks = vec![
            health::check("store", move || {
                let store = store.clone();
                async move { store.ping().await }
            }),
            service.bus_check(),
        ];
        let work = {
            let (service, stop) = (Arc::clone(&service), platform.shutdown().stopping_token());
            async move { service.run(stop).await }
        };
        let authenticator = web::Data::from(platform.authenticator(Arc::new(auth)) as Arc<dyn Authenticator>);
        let (cookies, gate) = (web::Data::new(platform.cookies()), web::Data::new(platform.gate()));
        let service: web::Data<WorkerService> = web::Data::from(service);
        let internal = service.clone();
        Ok(Assembled {
            public: Arc::new(move |config| {
                config.app_data(authenticator.clone()).app_data(cookies.clone());
                config.app_data(service.clone()).app_data(keys.clone());
                worker_service::public_routes(&mut ServiceConfig::new(config));
            }),
            internal: Arc::new(move |config| {
                config.app_data(gate.clone()).app_data(internal.clone());
                worker_service::internal_routes(config);
            }),
            methods: MethodTable::of(&worker_service::openapi()),
            checks,
            parts: vec![("workers", part(work)), ("request-keys", forgetting)],
            after_requests: Box::pin(async {}),
            notice: None,
        })
    }
}

/// For people: which machine, and which process of it.
fn worker_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned());
    format!("{host}-{}", std::process::id())
}
