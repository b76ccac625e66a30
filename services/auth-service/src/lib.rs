//! auth-service: accounts, sessions, tokens.
//!
//! [`AuthService`] holds the ports and the settings. [`AuthService::public_routes`] and [`AuthService::internal_routes`] put it into an actix app,
//! which also needs a `web::Data<dyn Authenticator>`, a `web::Data<CookiePolicy>` and, for the internal routes, a `web::Data<ServiceGate>`.
//! [`AuthService::background`] is what has to run beside it.

mod app;
mod command;
mod http;
mod oidc;
mod settings;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::{App, web};
use common::auth::{AccountStore, AuthStore, CredentialCache, CredentialSource, RateLimiter};
use common::files::UserSpaces;
use common::{Clock, IdGen, PortError, PortResult};
use futures_util::future::BoxFuture;
use http_kit::credentials::TokenPolicy;
use http_kit::cursor::CursorKey;
use runtime::memory::MemoryRateLimiter;
use runtime::secrets::MasterKey;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

use app::devices::DeviceCookies;
use app::keys::SigningKeys;
use app::limits::Limits;
use app::my_sessions::SessionUses;
use app::source::StoreSource;
use app::tokens::TokenUses;
use oidc::Providers;

pub use app::accounts::{Accounts, CreateAccountError};
pub use app::admin::{AdminError, Administration};
pub use app::groups::InvalidGroup;
pub use app::keys::KeysError;
pub use app::limits::LimitRules;
pub use app::setup::{AddressFault, InvalidNewCredentials, NewCredentials, SetupCode};
pub use app::stores::AdminStores;
pub use command::{
    AdminCommand, AdminCommandError, AuditCommand, GroupsCommand, InvitationsCommand, KeysCommand, Limit,
    RoleWord, Say, StateWord, UsersCommand,
};
pub use oidc::{OIDC_DOCS, OidcSection, ProviderSection, ProviderSettings, providers};
pub use runtime::passwords::{HashError, HasherError, HashingSettings, PasswordHasher};
pub use settings::{
    ADMINISTRATION_DOCS, AUTH_DOCS, AccountsSection, AdministrationSection, People, Registration, Settings,
    Verify, trusted_proxies,
};

/// The label under which the key of cursors is derived from the master key.
const CURSOR_LABEL: &str = "auth-cursor";
/// The label under which the set-up code is derived from the master key.
const SETUP_CODE_LABEL: &str = "setup-code";

/// What the service needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Accounts, sessions, signing keys.
    pub store: Arc<dyn AuthStore>,
    /// The same store, as owners manage their accounts.
    pub account_store: Arc<dyn AccountStore>,
    /// The same store: API tokens, the audit log.
    pub admin: AdminStores,
    /// Quotas, which are file-service's.
    pub spaces: Arc<dyn UserSpaces>,
    /// What all services remember of credentials.
    pub cache: Arc<dyn CredentialCache>,
    /// Counts attempts.
    pub limiter: Arc<dyn RateLimiter>,
    /// Hashes passwords.
    pub hasher: PasswordHasher,
    /// Seals signing keys, and what mails say.
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
    account_store: Arc<dyn AccountStore>,
    admin: AdminStores,
    administration: Administration,
    master_key: Arc<MasterKey>,
    cursor_key: CursorKey,
    device_cookies: DeviceCookies,
    /// Bounds what the audit log tells of failures.
    audit_limiter: MemoryRateLimiter,
    token_uses: Arc<TokenUses>,
    cache: Arc<dyn CredentialCache>,
    limits: Limits,
    keys: SigningKeys,
    source: Arc<dyn CredentialSource>,
    policy: TokenPolicy,
    setup_code: SetupCode,
    providers: Providers,
    uses: Arc<SessionUses>,
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
        let Ports {
            store,
            account_store,
            admin,
            spaces,
            cache,
            limiter,
            hasher,
            master_key,
            policy,
            clock,
            ids,
        } = ports;
        let setup_code = SetupCode::from_key(&master_key.derive(SETUP_CODE_LABEL));
        let cursor_key = CursorKey::new(&master_key.derive(CURSOR_LABEL));
        let uses = Arc::<SessionUses>::default();
        let own_limiter = Arc::new(MemoryRateLimiter::new(Arc::clone(&clock)));
        let keys = SigningKeys::open(
            Arc::clone(&store),
            Arc::clone(&master_key),
            Arc::clone(&clock),
            Arc::clone(&ids),
        )
        .await?;
        let public_url = settings.public_url.as_deref().unwrap_or_default();
        let providers = Providers::new(&settings.providers, public_url, &clock)
            .map_err(|error| PortError::broken("oidc", error))?;
        let token_uses = Arc::<TokenUses>::default();
        let source = StoreSource {
            store: Arc::clone(&store),
            tokens: Arc::clone(&admin.tokens),
            token_uses: Arc::clone(&token_uses),
            clock: Arc::clone(&clock),
            uses: Arc::clone(&uses),
        };
        let accounts = Accounts::new(store, hasher, Arc::clone(&clock), ids);
        let administration = Administration {
            accounts: accounts.clone(),
            stores: admin.clone(),
            account_store: Arc::clone(&account_store),
            cache: Arc::clone(&cache),
            spaces,
            master_key: Arc::clone(&master_key),
            password_rules: settings.accounts.password_rules(),
            verify: settings.accounts.verify,
        };
        let device_cookies = DeviceCookies::new(&master_key);
        Ok(Arc::new(Self {
            admin,
            administration,
            master_key,
            cursor_key,
            device_cookies,
            audit_limiter: MemoryRateLimiter::new(clock),
            token_uses,
            cache,
            limits: Limits::new(limiter, own_limiter, settings.limits),
            keys,
            source: Arc::new(source),
            policy,
            setup_code,
            providers,
            accounts,
            account_store,
            uses,
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
            ("session-uses", Box::pin(app::upkeep::keep_writing_uses(Arc::clone(self)))),
            ("account-deletions", Box::pin(app::upkeep::keep_ending_accounts(Arc::clone(self)))),
            ("resealing", Box::pin(app::upkeep::keep_resealing(Arc::clone(self)))),
            ("signing-keys", Box::pin(app::upkeep::keep_keys(Arc::clone(self)))),
            ("token-uses", Box::pin(app::upkeep::keep_token_uses(Arc::clone(self)))),
        ]
    }

    /// Removes sessions that ended long ago, and codes that have expired; how many. The background does this every ten minutes.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_sessions(&self) -> PortResult<u64> {
        app::upkeep::sweep_sessions(self).await
    }

    /// Writes down when sessions were last used. The background does this every minute.
    ///
    /// # Errors
    /// `Unavailable`; what was not written is dropped.
    pub async fn write_session_uses(&self) -> PortResult<()> {
        app::my_sessions::write_uses(self).await
    }

    /// Removes old lines of the audit log, and invitations that ended long ago. The background does this every ten minutes.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_audit(&self) -> PortResult<u64> {
        app::upkeep::sweep_audit(self).await
    }

    /// Deletes accounts whose owners asked for that, and whose time has come; how many. The background does this every minute.
    ///
    /// # Errors
    /// `Unavailable`; those that were deleted stay so.
    pub async fn end_due_accounts(&self) -> PortResult<u64> {
        app::deletion::end_due(self).await
    }

    /// Removes exports whose time is over, with all that is kept of them; how many. The background does this every ten minutes.
    ///
    /// # Errors
    /// `Unavailable`; those that were removed stay so.
    pub async fn sweep_exports(&self) -> PortResult<u64> {
        app::export::sweep(self).await
    }

    /// Seals anew what the previous master key sealed, if there is one; how many signing keys and second factors are left. The background does this every ten
    /// minutes.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reseal(&self) -> PortResult<u64> {
        let left = app::reseal::reseal(self).await?;
        Ok(left.signing_keys + left.second_factors)
    }

    /// Writes when API tokens were last used. The background does this every minute.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn write_token_uses(&self) -> PortResult<()> {
        self.token_uses.write(&*self.admin.tokens).await
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
