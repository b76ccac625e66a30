use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use bus_amqp::{AmqpBus, AmqpSettings};
use cache_redis::{RedisCache, RedisLimiter, RedisLink, RedisSettings};
use clients::InternalClient;
use common::auth::{CredentialCache, CredentialSource, RateLimiter};
use common::idempotency::IdempotencyStore;
use common::jobs::{JobBus, KnownJobs, Outbox};
use common::routes::Service;
use common::{Causes, Clock, IdGen, PortResult};
use futures_util::future::BoxFuture;
use http_kit::CookiePolicy;
use http_kit::credentials::{CachedAuthenticator, TokenPolicy};
use http_kit::health::{self, ReadyCheck};
use http_kit::idempotency::Idempotency;
use http_kit::service_token::{ServiceGate, ServiceTokens};
use program::{Failure, public_url};
use runtime::lifecycle::{Exit, Shutdown};
use runtime::relay::{Relay, RelaySettings};
use runtime::secrets::MasterKey;
use runtime::settings::at_least;
use runtime::{RandomIds, StoreClock};
use store_mongo::{Mongo, OpenOptions};
use url::Url;

use crate::common::Common;
use crate::secrets::{addresses, master_key, required, service_tokens, until_available};

/// The audience of users' tokens.
const AUDIENCE: &str = "files-manager";

/// The adapters that every service has, behind their ports, and who it is.
pub struct Platform {
    /// Which service this is.
    pub service: Service,
    /// The time by the database server's clock, so that all processes have the same.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
    /// The database server, for the service's own store.
    pub mongo: Mongo,
    /// What all services remember of credentials.
    pub cache: Arc<dyn CredentialCache>,
    /// Counts attempts, for all replicas.
    pub limiter: Arc<dyn RateLimiter>,
    /// Carries jobs.
    pub bus: Arc<dyn JobBus>,
    /// Seals secrets.
    pub master_key: Arc<MasterKey>,
    /// How people reach the product.
    pub public_url: Option<Url>,
    tokens: ServiceTokens,
    urls: [(Service, Vec<Url>); 3],
    redis: Arc<RedisLink>,
    shutdown: Shutdown,
    store_clock: Arc<StoreClock>,
}

impl Platform {
    /// Begins to connect. Waits for nothing but the name server: what is called before a dependency is there is unavailable.
    ///
    /// # Errors
    /// A setting that is wrong, by name.
    pub async fn connect(service: Service, settings: &Common, shutdown: Shutdown) -> Result<Self, Failure> {
        let tokens = service_tokens(
            settings.internal_secret.as_deref(),
            settings.internal_secret_previous.as_deref(),
        )?;
        let master_key = master_key(settings.master_key.as_deref(), settings.master_key_previous.as_deref())?;
        let public_url = public_url(settings.public_url.as_deref())?;
        let urls = [
            (Service::Auth, addresses("FM_AUTH_URL", &settings.auth_url)?),
            (Service::Files, addresses("FM_FILES_URL", &settings.files_url)?),
            (Service::Worker, addresses("FM_JOBS_URL", &settings.jobs_url)?),
        ];
        let namespace = namespace(&settings.namespace)?;
        let redis = redis(settings)?;
        let amqp = AmqpSettings {
            name: service.name().to_owned(),
            prefix: format!("{namespace}."),
            ..AmqpSettings::new(required("FM_AMQP_URL", settings.amqp_url.as_deref())?)
        };
        let bus = AmqpBus::start(amqp).map_err(|error| Failure::setting(format!("FM_AMQP_URL: {error}")))?;
        let (uri, options) = database_options(service, settings)?;
        let mongo = until_available(|| Mongo::connect(uri, &settings.mongodb_database, &options)).await?;
        let store_clock = Arc::new(StoreClock::default());
        if let Err(error) = store_clock.ask(&mongo).await {
            // nothing works without it yet, and it is asked again before anything does
            tracing::debug!(cause = %Causes(&error), "the database does not tell the time");
        }
        Ok(Self {
            service,
            clock: Arc::clone(&store_clock) as _,
            store_clock,
            ids: Arc::new(RandomIds::default()),
            mongo,
            cache: Arc::new(RedisCache::new(Arc::clone(&redis))),
            limiter: Arc::new(RedisLimiter::new(Arc::clone(&redis))),
            bus: Arc::new(bus),
            master_key: Arc::new(master_key),
            public_url,
            tokens,
            urls,
            redis,
            shutdown,
        })
    }

    /// What users' tokens say of their maker: all services must agree on it, and a token of another installation is none of ours.
    pub fn token_policy(&self) -> TokenPolicy {
        let issuer = self.public_url.as_ref().map_or(AUDIENCE, Url::as_str).trim_end_matches('/').to_owned();
        TokenPolicy { issuer, audience: AUDIENCE.to_owned() }
    }

    /// Whether the page's cookie is `Secure`, and what origin may change things.
    pub fn cookies(&self) -> CookiePolicy {
        CookiePolicy::new(self.public_url.as_ref(), false)
    }

    /// What the internal routes of this service accept.
    pub fn gate(&self) -> ServiceGate {
        ServiceGate::new(self.tokens.clone(), [self.service], Arc::clone(&self.clock))
    }

    /// Calls another service.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn client(&self, target: Service) -> Result<InternalClient, Failure> {
        let (_, bases) =
            self.urls.iter().find(|(service, _)| *service == target).expect("each service has one");
        InternalClient::tcp(bases, self.service, target, self.tokens.clone(), Arc::clone(&self.clock))
            .map_err(|error| Failure::new(Exit::Failed, &error))
    }

    /// Checks users' tokens against this source.
    pub fn authenticator(&self, source: Arc<dyn CredentialSource>) -> Arc<CachedAuthenticator> {
        let (cache, clock) = (Arc::clone(&self.cache), Arc::clone(&self.clock));
        Arc::new(CachedAuthenticator::new(source, cache, clock, self.token_policy()))
    }

    /// Keeps the keys of requests to this service in its own store.
    pub fn idempotency(&self, store: Arc<dyn IdempotencyStore>) -> web::Data<Idempotency> {
        let (seal, clock) = (Arc::clone(&self.master_key), Arc::clone(&self.clock));
        web::Data::new(Idempotency::new(seal, clock).with(self.service, store))
    }

    /// Forgets old ones, until the process stops.
    pub fn forgets_keys(&self, keys: &web::Data<Idempotency>) -> BoxFuture<'static, std::io::Result<()>> {
        let keys = keys.clone().into_inner();
        self.until_stopping(async move { keys.keep_forgetting().await })
    }

    /// Sends the jobs of this service's outbox. The job store is asked for what it has.
    pub fn relay(&self, outbox: Arc<dyn Outbox>, known: Arc<dyn KnownJobs>) -> Relay {
        let (bus, clock) = (Arc::clone(&self.bus), Arc::clone(&self.clock));
        Relay::new(self.service.name(), outbox, bus, known, clock, RelaySettings::default())
    }

    /// Whether Redis answers: for `/status`.
    pub fn redis_check(&self) -> Arc<dyn ReadyCheck> {
        self.redis_named("redis")
    }

    fn redis_named(&self, part: &'static str) -> Arc<dyn ReadyCheck> {
        let redis = Arc::clone(&self.redis);
        health::check(part, move || {
            let redis = Arc::clone(&redis);
            async move { redis.ping().await }
        })
    }

    /// What the service is ready without, and monitoring wants to know of.
    pub(crate) fn dispensable_checks(&self) -> Vec<Arc<dyn ReadyCheck>> {
        let bus = Arc::clone(&self.bus);
        let bus = health::check("bus", move || {
            let bus = Arc::clone(&bus);
            async move { bus.ping().await }
        });
        vec![self.redis_named("cache"), bus]
    }

    /// Waits until the service's own store can be used, which `prepare` finds out, and until this process goes by its clock: nothing is written before by
    /// another one. What does not go away by waiting ends it.
    ///
    /// # Errors
    /// As [`until_available`]; also that the database holds a part of an import.
    pub async fn until_ready<F: Future<Output = PortResult<()>>>(
        &self,
        prepare: impl FnMut() -> F,
    ) -> Result<(), Failure> {
        until_available(prepare).await?;
        if !self.store_clock.is_set() {
            until_available(|| self.store_clock.ask(&self.mongo)).await?;
        }
        let is_unfinished = until_available(|| store_mongo::is_import_unfinished(&self.mongo)).await?;
        refuse_if(is_unfinished)
    }

    /// Keeps the clock right, until the process stops.
    pub(crate) fn clock_part(&self) -> BoxFuture<'static, std::io::Result<()>> {
        let (clock, mongo) = (Arc::clone(&self.store_clock), self.mongo.clone());
        self.until_stopping(async move { clock.follow(&mongo).await })
    }

    /// When the process stops.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// A part that is dropped when the process stops.
    pub fn until_stopping(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'static, std::io::Result<()>> {
        let shutdown = self.shutdown.clone();
        Box::pin(async move {
            tokio::select! {
                () = work => Err(std::io::Error::other("it ended by itself")),
                () = shutdown.stopping() => Ok(()),
            }
        })
    }
}

/// The database alone, for a command: whoever typed it is told when it does not answer.
///
/// # Errors
/// A setting that is wrong, by name, or a server that cannot be used.
pub async fn open_database(service: Service, settings: &Common) -> Result<Mongo, Failure> {
    let (uri, options) = database_options(service, settings)?;
    let mongo = Mongo::connect(uri, &settings.mongodb_database, &options).await;
    mongo.map_err(|error| Failure::store(&error))
}

/// Refuses a database that holds a part of an import, for a command.
///
/// # Errors
/// That it does, or that the database does not say so.
pub async fn refuse_a_part(mongo: &Mongo) -> Result<(), Failure> {
    let is_unfinished = store_mongo::is_import_unfinished(mongo).await;
    refuse_if(is_unfinished.map_err(|error| Failure::store(&error))?)
}

fn refuse_if(is_unfinished: bool) -> Result<(), Failure> {
    if is_unfinished {
        return Err(Failure::other(
            Exit::Unavailable,
            "an import into this database runs, or was cut: repeat it, or begin with an empty database",
        ));
    }
    Ok(())
}

/// The key under which secrets are sealed, for a command.
///
/// # Errors
/// A setting that is missing or wrong, by name.
pub fn open_master_key(settings: &Common) -> Result<MasterKey, Failure> {
    master_key(settings.master_key.as_deref(), settings.master_key_previous.as_deref())
}

/// The cache of credentials alone, for a command: what it changes must count everywhere at once.
///
/// # Errors
/// A setting that is wrong, by name.
pub fn open_cache(settings: &Common) -> Result<Arc<dyn CredentialCache>, Failure> {
    Ok(Arc::new(RedisCache::new(redis(settings)?)))
}

/// Calls of a command to file-service.
///
/// # Errors
/// A setting that is wrong, by name.
pub fn open_files_client(
    caller: Service,
    settings: &Common,
    clock: Arc<dyn Clock>,
) -> Result<InternalClient, Failure> {
    let tokens =
        service_tokens(settings.internal_secret.as_deref(), settings.internal_secret_previous.as_deref())?;
    let bases = addresses("FM_FILES_URL", &settings.files_url)?;
    InternalClient::tcp(&bases, caller, Service::Files, tokens, clock)
        .map_err(|error| Failure::new(Exit::Failed, &error))
}

fn redis(settings: &Common) -> Result<Arc<RedisLink>, Failure> {
    let url = required("FM_REDIS_URL", settings.redis_url.as_deref())?;
    let namespace = namespace(&settings.namespace)?;
    RedisLink::start(RedisSettings { prefix: format!("{namespace}:"), ..RedisSettings::new(url) })
        .map(Arc::new)
        .map_err(|error| Failure::setting(format!("FM_REDIS_URL: {error}")))
}

fn database_options(service: Service, settings: &Common) -> Result<(&str, OpenOptions), Failure> {
    let uri = required("FM_MONGODB_URI", settings.mongodb_uri.as_deref())?;
    at_least("FM_MONGODB_DEADLINE", settings.mongodb_deadline, Duration::from_secs(1))
        .map_err(Failure::setting)?;
    let options = OpenOptions {
        app_name: service.name().to_owned(),
        deadline: settings.mongodb_deadline.duration(),
        ..OpenOptions::default()
    };
    Ok((uri, options))
}

/// A word that can stand in names of queues and keys.
fn namespace(setting: &str) -> Result<&str, Failure> {
    let allowed = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_');
    if (1..=32).contains(&setting.len()) && setting.chars().all(allowed) {
        Ok(setting)
    } else {
        Err(Failure::setting("FM_NAMESPACE: 1 to 32 letters, digits, - and _"))
    }
}

/// A part that ends by itself when the process stops.
pub fn part(work: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, std::io::Result<()>> {
    Box::pin(async move {
        work.await;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use common::retry::{BACK_WITHIN, RetryDelay};

    use super::*;

    /// What waits for a connection in a loop of its own waits for the loop that makes it as well.
    #[test]
    fn the_longest_pauses_and_the_longest_wait_for_a_connection_end_within_ten_seconds() {
        let connecting = [
            RedisSettings::new("").connect_deadline,
            AmqpSettings::new("").connect_deadline,
            OpenOptions::default().connect_timeout,
        ];
        let longest = connecting.into_iter().max().unwrap_or_default();
        assert!(RetryDelay::MOST + RetryDelay::MOST_FOR_CONNECTIONS + longest < BACK_WITHIN);
        assert_eq!(BACK_WITHIN, Duration::from_secs(10));
    }
}
