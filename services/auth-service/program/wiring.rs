//! The service over the adapters of the distributed form.

use std::sync::Arc;

use actix_web::web;
use admin::migrate::{MigrateAccounts, MigrateError, migrate_accounts};
use admin::report::Report;
use auth_service::{
    Accounts, AdminCommand, AdminCommandError, AdminStores, Administration, AuthService, HashingSettings,
    KeysError, PasswordHasher, Ports, providers, trusted_proxies,
};
use clap::{FromArgMatches as _, Subcommand};
use clients::{FilesClient, WorkerClient};
use common::auth::{AuthStore as _, Authenticator};
use common::routes::Service;
use common::{Clock, PortError};
use distributed::{
    Assembled, Common, Platform, ServiceProgram, open_cache, open_database, open_files_client,
    open_master_key, part, refuse_a_part, until_available,
};
use http_kit::health;
use http_kit::openapi::MethodTable;
use program::{Failure, ProgressLine, read_password, reported, say, told};
use runtime::lifecycle::Exit;
use runtime::memory::MemoryCredentialCache;
use runtime::settings::Doc;
use runtime::{RandomIds, StoreClock};
use store_mongo::AuthDb;

use crate::settings::{self, Settings};

pub(crate) struct AuthProgram;

/// Administrator's commands
#[derive(Debug, Subcommand)]
enum Admin {
    #[command(flatten)]
    Accounts(AdminCommand),
    /// Take over the accounts of the original Files Manager; `file-service admin migrate` takes their files over after that
    Migrate(MigrateAccounts),
}

impl ServiceProgram for AuthProgram {
    const SERVICE: Service = Service::Auth;
    const ABOUT: &'static str = "Accounts, sessions and tokens of Files Manager";
    type Settings = Settings;

    fn docs() -> Vec<Doc> {
        settings::docs()
    }

    fn common(settings: &Settings) -> &Common {
        &settings.common
    }

    fn commands() -> Vec<clap::Command> {
        let admin = clap::Command::new("admin").subcommand_required(true).arg_required_else_help(true);
        vec![Admin::augment_subcommands(admin)]
    }

    async fn command(settings: Settings, matches: clap::ArgMatches) -> Result<Exit, Failure> {
        let asked = matches.subcommand().and_then(|(_, admin)| Admin::from_arg_matches(admin).ok());
        let command = asked.expect("there is no other command, and what was typed has been checked");
        settings.accounts.check().map_err(Failure::setting)?;
        let mongo = open_database(Self::SERVICE, &settings.common).await?;
        refuse_a_part(&mongo).await?;
        let store = Arc::new(AuthDb::new(&mongo));
        store.migrate().await.map_err(|error| Failure::store(&error))?;
        let ids = Arc::new(RandomIds::default());
        // what it writes is looked at by services that go by this clock
        let clock = Arc::new(StoreClock::default());
        clock.ask(&mongo).await.map_err(|error| Failure::store(&error))?;
        let clock: Arc<dyn Clock> = clock;
        // the services run meanwhile, and must hear of a change; accounts that are made are known to none of them
        let cache = match &command {
            Admin::Accounts(AdminCommand::Create { .. }) | Admin::Migrate(_) => {
                Arc::new(MemoryCredentialCache::new(Arc::clone(&clock)))
            }
            Admin::Accounts(_) => open_cache(&settings.common)?,
        };
        let administration = Administration {
            accounts: Accounts::new(store.clone(), hasher(&settings)?, Arc::clone(&clock), ids),
            stores: AdminStores::of(&store),
            account_store: store.clone(),
            cache,
            spaces: Arc::new(FilesClient::new(open_files_client(Self::SERVICE, &settings.common, clock)?)),
            master_key: Arc::new(open_master_key(&settings.common)?),
            password_rules: settings.accounts.password_rules(),
            verify: settings.accounts.verify,
        };
        match command {
            Admin::Accounts(command) => {
                let done = command.run(&administration, read_password, &mut say).await;
                told(done.map(|()| String::new()), AdminCommandError::is_usage)
            }
            Admin::Migrate(asked) => {
                let line = ProgressLine::default();
                let show = |what: &str, done: u64, all: u64| line.show(|| format!("{what}: {done} of {all}"));
                let mut report = Report::new(asked.dry_run);
                let done = migrate_accounts(&asked, &administration, &mut report, &show).await;
                line.end();
                reported(&report, report.is_complete(), done, MigrateError::is_usage)
            }
        }
    }

    async fn assemble(settings: Settings, platform: Platform) -> Result<Assembled, Failure> {
        let own = auth_settings(&settings)?;
        let hasher = hasher(&settings)?;
        let store = Arc::new(AuthDb::new(&platform.mongo));
        platform.until_ready(|| store.migrate()).await?;
        let ports = Ports {
            store: store.clone(),
            account_store: store.clone(),
            admin: AdminStores::of(&store),
            spaces: Arc::new(FilesClient::new(platform.client(Service::Files)?)),
            cache: Arc::clone(&platform.cache),
            limiter: Arc::clone(&platform.limiter),
            hasher,
            master_key: Arc::clone(&platform.master_key),
            policy: platform.token_policy(),
            clock: Arc::clone(&platform.clock),
            ids: Arc::clone(&platform.ids),
        };
        let service = started(&ports, &own).await?;
        let notice = until_available(|| service.setup_code()).await?.map(|code| {
            format!("This installation has no administrator yet. Open its page and enter this set-up code:\n\n    {}\n", code.reveal())
        });

        let known = Arc::new(WorkerClient::new(platform.client(Service::Worker)?));
        let relay = platform.relay(store.clone(), known);
        let keys = platform.idempotency(store.clone());
        let mut parts = vec![
            ("relay", part(relay.run(platform.shutdown().stopping_token()))),
            ("request-keys", platform.forgets_keys(&keys)),
        ];
        for (name, upkeep) in service.background() {
            parts.push((name, platform.until_stopping(upkeep)));
        }

        let authenticator =
            web::Data::from(platform.authenticator(service.credential_source()) as Arc<dyn Authenticator>);
        let (cookies, gate) = (web::Data::new(platform.cookies()), web::Data::new(platform.gate()));
        let (public, internal) = (Arc::clone(&service), service);
        Ok(Assembled {
            public: Arc::new(move |config| {
                config.app_data(authenticator.clone()).app_data(cookies.clone()).app_data(keys.clone());
                public.public_routes(config);
            }),
            internal: Arc::new(move |config| {
                config.app_data(gate.clone());
                internal.internal_routes(config);
            }),
            methods: MethodTable::of(&auth_service::openapi()),
            checks: vec![health::check("store", move || {
                let store = store.clone();
                async move { store.ping().await }
            })],
            parts,
            after_requests: Box::pin(async {}),
            notice,
        })
    }
}

fn hasher(settings: &Settings) -> Result<PasswordHasher, Failure> {
    let hashing = HashingSettings { cost: settings.bcrypt_cost, ..HashingSettings::default() };
    PasswordHasher::new(hashing).map_err(|error| Failure::setting(format!("FM_BCRYPT_COST: {error}")))
}

/// Keys that are not ours are no matter of waiting; a store that does not answer is.
async fn started(ports: &Ports, settings: &auth_service::Settings) -> Result<Arc<AuthService>, Failure> {
    let attempt = || async {
        match AuthService::start(ports.clone(), settings.clone()).await {
            Ok(service) => Ok(Ok(service)),
            Err(KeysError::Port(error @ PortError::Unavailable { .. })) => Err(error),
            Err(error) => Ok(Err(error)),
        }
    };
    until_available(attempt).await?.map_err(|error| Failure::new(Exit::Unavailable, &error))
}

fn auth_settings(settings: &Settings) -> Result<auth_service::Settings, Failure> {
    settings.accounts.check().map_err(Failure::setting)?;
    Ok(auth_service::Settings {
        registration: settings.registration,
        loopback_only: settings.common.listen.ip().is_loopback(),
        has_public_url: settings.common.public_url.is_some(),
        public_url: settings.common.public_url.clone(),
        providers: providers(&settings.oidc, settings.common.public_url.as_deref())
            .map_err(Failure::setting)?,
        administration: settings.administration.clone(),
        trusted_proxies: trusted_proxies(&settings.common.trusted_proxies).map_err(Failure::setting)?,
        accounts: settings.accounts.clone(),
        ..auth_service::Settings::default()
    })
}
