//! A running service, and how tests speak to it.

mod ports;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::web;
use auth_service::{
    Accounts, AdminCommand, AdminCommandError, AdminStores, Administration, AuthService, HashingSettings,
    PasswordHasher, Ports, Registration, Settings, Verify,
};
use common::auth::mail::{ACCOUNT_MAIL_LABEL, AccountMail};
use common::auth::{AuthStore, Authenticator, CredentialCache, PasswordRules, RateLimiter};
use common::jobs::types::ACCOUNT_MAIL;
use common::jobs::{NewJob, Outbox};
use common::routes::Service;
use common::{Clock, IdGen};
use http_kit::credentials::{CachedAuthenticator, TokenPolicy};
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::service_token::{ServiceGate, ServiceTokens};
use http_kit::{CookiePolicy, TrustedProxies};
use reqwest::{Method, RequestBuilder, StatusCode};
use runtime::memory::{MemoryCredentialCache, MemoryRateLimiter};
use runtime::secrets::MasterKey;
use serde_json::{Value, json};
use store_sqlite::{AuthDb, OpenOptions};
use tempfile::TempDir;
use testkit::{TestClock, TestIds};

use ports::{Breakable, Spaces};

pub(crate) use testkit::answer::{Answer, answer, keys};

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const SECRET: &[u8] = &[5; 32];

/// How the service under test is set up.
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) hashing: HashingSettings,
    pub(crate) master: u8,
    pub(crate) previous_master: Option<u8>,
    pub(crate) dir: Option<Arc<TempDir>>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    /// Where it listens, for settings that have to know that.
    pub(crate) listener: Option<Listener>,
}

impl Default for Options {
    fn default() -> Self {
        let settings = Settings {
            registration: Registration::Auto,
            loopback_only: true,
            has_public_url: false,
            ..Settings::default()
        };
        Self {
            settings,
            hashing: HashingSettings { cost: 4, threads: 2, queue: 64 },
            master: 1,
            previous_master: None,
            dir: None,
            clock: Arc::default(),
            ids: Arc::new(TestIds::new()),
            listener: None,
        }
    }
}

impl Options {
    /// Requests may say which address they come from, and registration is open all the same.
    pub(crate) fn behind_gateway() -> Self {
        let mut options = Self::default();
        options.settings.registration = Registration::Open;
        options.settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        options
    }

    pub(crate) fn master_key(&self) -> Arc<MasterKey> {
        let previous = self.previous_master.map(|byte| hex::encode([byte; 32]));
        Arc::new(MasterKey::parse(&hex::encode([self.master; 32]), previous.as_deref()).unwrap())
    }
}

/// A service that runs until this is dropped.
pub(crate) struct Server {
    pub(crate) base: String,
    dir: Arc<TempDir>,
    cache: Arc<dyn CredentialCache>,
    spaces: Arc<Spaces>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    pub(crate) store: Arc<AuthDb>,
    pub(crate) hasher: PasswordHasher,
    pub(crate) master: Arc<MasterKey>,
    verify: Verify,
    pub(crate) service: Arc<AuthService>,
    /// As it was at the start; empty if there was an administrator already.
    pub(crate) setup_code: String,
    /// Cache and limiter fail while this is set.
    pub(crate) outage: Arc<AtomicBool>,
    pub(crate) tokens: ServiceTokens,
    client: reqwest::Client,
    drain: Drain,
    serving: Option<actix_web::rt::task::JoinHandle<std::io::Result<()>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain.stop.cancel();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::try_with(options).await.unwrap()
    }

    pub(crate) async fn try_with(options: Options) -> Result<Self, auth_service::KeysError> {
        let master = options.master_key();
        let verify = options.settings.accounts.verify;
        let Options { settings, hashing, dir, clock, ids, listener, .. } = options;
        let dir = dir.unwrap_or_else(|| Arc::new(tempfile::tempdir().unwrap()));
        let store = Arc::new(AuthDb::open(dir.path().join("auth.db"), &OpenOptions::default()).unwrap());
        let outage = Arc::new(AtomicBool::new(false));
        let as_clock: Arc<dyn Clock> = clock.clone();
        let memory = MemoryCredentialCache::new(Arc::clone(&as_clock));
        let cache: Arc<dyn CredentialCache> = Arc::new(Breakable { inner: memory, broken: outage.clone() });
        let server_cache = Arc::clone(&cache);
        let memory = MemoryRateLimiter::new(Arc::clone(&as_clock));
        let limiter: Arc<dyn RateLimiter> = Arc::new(Breakable { inner: memory, broken: outage.clone() });
        let hasher = PasswordHasher::new(hashing).unwrap();
        let spaces = Arc::new(Spaces::default());
        let policy = TokenPolicy { issuer: "https://files.test".into(), audience: "files-manager".into() };
        let ports = Ports {
            store: store.clone(),
            account_store: store.clone(),
            admin: AdminStores::of(&store),
            spaces: spaces.clone(),
            cache: cache.clone(),
            limiter,
            hasher: hasher.clone(),
            master_key: master.clone(),
            policy: policy.clone(),
            clock: as_clock.clone(),
            ids: ids.clone() as Arc<dyn IdGen>,
        };
        let service = AuthService::start(ports, settings).await?;
        let setup_code = service.setup_code().await.unwrap().map(|code| code.reveal().to_owned());
        let authenticator: Arc<dyn Authenticator> = Arc::new(CachedAuthenticator::new(
            service.credential_source(),
            cache,
            as_clock.clone(),
            policy.clone(),
        ));
        let tokens = ServiceTokens::new(SECRET, None).unwrap();
        let gate = web::Data::new(ServiceGate::new(tokens.clone(), [Service::Auth], as_clock));
        let routes = {
            let service = service.clone();
            move |config: &mut web::ServiceConfig| {
                config
                    .app_data(web::Data::from(authenticator.clone()))
                    .app_data(web::Data::new(CookiePolicy::new(None, false)))
                    .app_data(gate.clone());
                service.public_routes(config);
                service.internal_routes(config);
            }
        };
        let listener = listener.unwrap_or_else(|| Listener::bind_tcp("127.0.0.1:0").unwrap());
        let base = format!("http://{}", listener.local_addr().unwrap());
        let drain = Drain::default();
        let server_settings = ServerSettings { workers: 1, ..ServerSettings::new("auth-service") };
        let serving = Some(actix_web::rt::spawn(serve(server_settings, listener, routes, drain.clone())));
        #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Ok(Self {
            base,
            dir,
            cache: server_cache,
            spaces,
            clock,
            ids,
            store,
            hasher,
            master,
            verify,
            service,
            setup_code: setup_code.unwrap_or_default(),
            outage,
            tokens,
            client,
            drain,
            serving,
        })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.request(Method::POST, path).json(&body)
    }

    /// Signs up by the classic API.
    pub(crate) async fn sign_up(&self, email: &str, password: &str) -> Answer {
        answer(self.post("/users", json!({"email": email, "password": password}))).await
    }

    /// Signs in by the classic API.
    pub(crate) fn connect(&self, email: &str, password: &str) -> RequestBuilder {
        self.get("/connect").basic_auth(email, Some(password))
    }

    /// A new classic token of a new account.
    pub(crate) async fn classic_token(&self, email: &str) -> String {
        self.sign_up(email, PASSWORD).await.expect(StatusCode::CREATED);
        self.token_of(email).await
    }

    /// A new classic token of an account.
    pub(crate) async fn token_of(&self, email: &str) -> String {
        let body = answer(self.connect(email, PASSWORD)).await.expect(StatusCode::OK);
        body["token"].as_str().unwrap().to_owned()
    }

    /// Signs in by the v1 API.
    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        answer(self.post("/api/v1/auth/login", json!({"email": email, "password": password}))).await
    }

    /// Makes an API token by this session, with the usual password; its id and text.
    pub(crate) async fn api_token(&self, session: &str, mut body: Value) -> (String, String) {
        body["password"] = json!(PASSWORD);
        let request = self.post("/api/v1/users/me/tokens", body).bearer_auth(session);
        let made = answer(request).await.expect(StatusCode::CREATED);
        (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    }

    /// What the administrator's command works with.
    pub(crate) fn administration(&self) -> Administration {
        let (clock, ids) = (self.clock.clone(), Arc::clone(&self.ids));
        Administration {
            accounts: Accounts::new(self.store.clone(), self.hasher.clone(), clock, ids),
            stores: AdminStores::of(&self.store),
            account_store: self.store.clone(),
            cache: Arc::clone(&self.cache),
            spaces: self.spaces.clone(),
            master_key: Arc::clone(&self.master),
            password_rules: PasswordRules::default(),
            verify: self.verify,
        }
    }

    /// Makes the administrator; an access token of theirs.
    pub(crate) async fn administrator(&self) -> String {
        let body = json!({"code": self.setup_code, "email": "root@b", "password": PASSWORD});
        let login = answer(self.post("/api/v1/setup", body)).await.expect(StatusCode::CREATED);
        login["accessToken"].as_str().unwrap().to_owned()
    }

    /// The status of `GET /users/me` with this token.
    pub(crate) async fn me(&self, token: &str) -> StatusCode {
        self.get("/users/me").header("x-token", token).send().await.unwrap().status()
    }
}

/// A body of an administrator, with the proof that some of what they do wants.
pub(crate) fn proven(mut body: Value) -> Value {
    let wants = body["role"] == "admin" || body["resetSecondFactor"] == true || body["disabled"] == false;
    if wants && body["proof"].is_null() {
        body["proof"] = json!({ "password": PASSWORD });
    }
    body
}

/// How many jobs wait in the outbox.
pub(crate) async fn outbox_depth(store: &AuthDb) -> u64 {
    common::jobs::Outbox::depth(store).await.unwrap()
}

/// How many accounts there are.
pub(crate) async fn user_count(store: &AuthDb) -> u64 {
    store.count_users().await.unwrap()
}

impl Server {
    /// Cuts cache and limiter off, or brings them back.
    pub(crate) fn outage(&self, on: bool) {
        self.outage.store(on, Ordering::SeqCst);
    }

    /// Stops it and closes its store, so that another one may open it.
    pub(crate) async fn stop(mut self) {
        self.drain.stop.cancel();
        self.serving.take().unwrap().await.unwrap().unwrap();
        self.store.close();
    }

    /// A new access token of an account.
    pub(crate) async fn token_of_v1(&self, email: &str) -> String {
        let login = self.login(email, PASSWORD).await.expect(StatusCode::OK);
        login["accessToken"].as_str().unwrap().to_owned()
    }

    /// All jobs that wait in the outbox, in the order of their commits.
    pub(crate) async fn jobs(&self) -> Vec<NewJob> {
        let store = &*self.store;
        store.start_outbox_over().await.unwrap();
        let rows = Outbox::lease_unsent(store, 1000, Duration::from_secs(1), self.now()).await.unwrap();
        rows.into_iter().map(|row| row.job).collect()
    }

    /// All mails about accounts, in the order of their commits.
    pub(crate) async fn mails(&self) -> Vec<AccountMail> {
        let jobs = self.jobs().await;
        let mails = jobs.iter().filter(|job| job.kind == ACCOUNT_MAIL);
        mails
            .map(|job| {
                let sealed = hex::decode(job.data["sealed"].as_str().unwrap()).unwrap();
                let plain = self.master.open(ACCOUNT_MAIL_LABEL, &sealed).unwrap();
                serde_json::from_slice(&plain).unwrap()
            })
            .collect()
    }

    /// The bytes of the database, its log included.
    pub(crate) fn database(&self) -> Vec<u8> {
        let read = |name: &str| std::fs::read(self.dir.path().join(name)).unwrap();
        [read("auth.db"), read("auth.db-wal")].concat()
    }

    /// Where the database is.
    pub(crate) fn database_file(&self) -> std::path::PathBuf {
        self.dir.path().join("auth.db")
    }

    /// Runs an administrator's command; what it said.
    pub(crate) async fn command(
        &self,
        command: AdminCommand,
        password: &str,
    ) -> Result<String, AdminCommandError> {
        run_command(&self.administration(), command, password).await
    }

    pub(crate) fn now(&self) -> common::Timestamp {
        self.clock.now()
    }
}

/// Runs an administrator's command; what it said.
pub(crate) async fn run_command(
    administration: &Administration,
    command: AdminCommand,
    password: &str,
) -> Result<String, AdminCommandError> {
    let (mut said, password) = (String::new(), password.to_owned());
    command.run(administration, move || Ok(password), &mut |text: &str| said.push_str(text)).await?;
    Ok(said)
}
