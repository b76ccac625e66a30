//! auth-service: accounts, sessions, tokens.
//!
//! [`AuthService`] holds the ports and the settings. [`AuthService::public_routes`] and [`AuthService::internal_routes`] put it into an actix app,
//! which also needs a `web::Data<dyn Authenticator>`, a `web::Data<CookiePolicy>` and, for the internal routes, a `web::Data<ServiceGate>`.
//! [`AuthService::background`] is what has to run beside it.

mod app;
mod command;
mod http;
mod settings;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::{App, web};
use common::auth::{AuthStore, CredentialCache, CredentialSource, RateLimiter};
use common::{Clock, IdGen, PortResult};
use futures_util::future::BoxFuture;
use http_kit::credentials::TokenPolicy;
use runtime::memory::MemoryRateLimiter;
use runtime::secrets::MasterKey;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

use app::keys::SigningKeys;
use app::limits::Limits;
use app::source::StoreSource;

pub use app::accounts::{Accounts, CreateAccountError};
pub use app::keys::KeysError;
pub use app::limits::LimitRules;
pub use app::setup::{AddressFault, InvalidNewCredentials, NewCredentials, SetupCode, ShortSetupCode};
pub use command::{AdminCommand, AdminCommandError};
pub use runtime::passwords::{HashError, HasherError, HashingSettings, PasswordHasher};
pub use settings::{AUTH_DOCS, Registration, Settings, trusted_proxies};

/// The label under which the set-up code is derived from the master key.
const SETUP_CODE_LABEL: &str = "setup-code";

/// What the service needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Accounts, sessions, signing keys.
    pub store: Arc<dyn AuthStore>,
    /// What all services remember of credentials.
    pub cache: Arc<dyn CredentialCache>,
    /// Counts attempts.
    pub limiter: Arc<dyn RateLimiter>,
    /// Hashes passwords.
    pub hasher: PasswordHasher,
    /// Seals signing keys.
    pub master_key: Arc<MasterKey>,
    /// What tokens say of their maker and their audience.
    pub policy: TokenPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn IdGen>,
}

/// The service: its use cases over its ports.
pub struct AuthService {
    accounts: Accounts,
    cache: Arc<dyn CredentialCache>,
    limits: Limits,
    keys: SigningKeys,
    source: Arc<dyn CredentialSource>,
    policy: TokenPolicy,
    setup_code: SetupCode,
    settings: Settings,
    /// That is said once.
    unknown_gateway_seen: AtomicBool,
}

impl AuthService {
    /// Loads the signing keys, and makes the first one.
    ///
    /// # Errors
    /// [`KeysError`]: the store does not answer, or its keys are sealed under another master key.
    pub async fn start(ports: Ports, settings: Settings) -> Result<Arc<Self>, KeysError> {
        let Ports { store, cache, limiter, hasher, master_key, policy, clock, ids } = ports;
        let setup_code = match &settings.setup_code {
            Some(code) => code.clone(),
            None => SetupCode::from_key(&master_key.derive(SETUP_CODE_LABEL)),
        };
        let own_limiter = Arc::new(MemoryRateLimiter::new(Arc::clone(&clock)));
        let keys =
            SigningKeys::open(Arc::clone(&store), master_key, Arc::clone(&clock), Arc::clone(&ids)).await?;
        Ok(Arc::new(Self {
            cache,
            limits: Limits::new(limiter, own_limiter, settings.limits),
            keys,
            source: Arc::new(StoreSource { store: Arc::clone(&store), clock: Arc::clone(&clock) }),
            policy,
            setup_code,
            accounts: Accounts::new(store, hasher, clock, ids),
            settings,
            unknown_gateway_seen: AtomicBool::new(false),
        }))
    }

    /// Puts the public routes, with this service as their data, into an app.
    pub fn public_routes(self: &Arc<Self>, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::from(Arc::clone(self)));
        http::public(&mut ServiceConfig::new(config));
    }

    /// Puts the internal routes into an app.
    pub fn internal_routes(self: &Arc<Self>, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::from(Arc::clone(self)));
        http::internal(config);
    }

    /// The truth about credentials, for an authenticator in the same process.
    pub fn credential_source(&self) -> Arc<dyn CredentialSource> {
        Arc::clone(&self.source)
    }

    /// The set-up code, as long as there is no administrator: to be shown at the start.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn setup_code(&self) -> PortResult<Option<&SetupCode>> {
        Ok(if self.accounts.store.has_admin().await? { None } else { Some(&self.setup_code) })
    }

    /// What has to run beside the service, each with its name. They run until they are dropped, and may be dropped at any time; what does
    /// not work now is logged and tried again.
    pub fn background(self: &Arc<Self>) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
        vec![
            ("session-sweeper", Box::pin(app::upkeep::keep_sweeping(Arc::clone(self)))),
            ("signing-keys", Box::pin(app::upkeep::keep_keys(Arc::clone(self)))),
        ]
    }

    /// Removes sessions that ended long ago; how many. The background does this every ten minutes.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_sessions(&self) -> PortResult<u64> {
        app::upkeep::sweep_sessions(self).await
    }

    /// Takes up signing keys that other replicas made, and makes a new one every 90 days. The background does this every minute.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn refresh_keys(&self) -> Result<(), KeysError> {
        self.keys.refresh().await
    }
}

/// The service's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    App::new().into_utoipa_app().configure(http::public).split_for_parts().1
}
