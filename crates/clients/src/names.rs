//! The addresses behind a name. One name may stand for all replicas of a service: each of its addresses is looked at by itself, since one replica that hangs
//! says nothing of the others.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

use crate::peers::Peers;

/// Longest wait for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// How long an unused connection is kept: less than the 75 s of the servers, so that the client closes first.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// So old may be what is known of names; then they are looked up beside the calls.
const LOOK_UP_EVERY: Duration = Duration::from_secs(10);

/// So old it may not be used any more, as when nobody was called for long: the next call waits until they were looked up, but not for longer than
/// [`WAIT_FOR_NAMES`].
const TOO_OLD: Duration = Duration::from_secs(60);
const WAIT_FOR_NAMES: Duration = Duration::from_secs(1);

/// After a call that reached nobody they are looked up again no sooner than so long after the last time.
const IN_DOUBT_AFTER: Duration = Duration::from_secs(1);

/// Longest wait for the name server.
const LOOK_UP_DEADLINE: Duration = Duration::from_secs(5);

/// Knows what addresses stand behind a name.
#[async_trait]
pub trait Names: Send + Sync {
    /// All addresses of this host, with this port. Safe to repeat.
    ///
    /// # Errors
    /// The name server does not answer, or does not know the name.
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The names that the system knows.
pub(crate) struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Where requests go, and what sends them there.
pub(crate) struct Address {
    /// Without a slash at its end.
    pub(crate) base: String,
    pub(crate) http: Client,
    /// What the name in the base stands for here; empty where nothing was looked up.
    behind: Vec<SocketAddr>,
}

impl Address {
    /// One that needs no look-up, or had none yet.
    pub(crate) fn plain(base: &str, http: Client) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http, behind: Vec::new() }
    }
}

/// An address that a service has by its names.
#[derive(Clone)]
struct Wanted {
    url: Url,
    behind: Vec<SocketAddr>,
}

impl Wanted {
    fn base(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// As metrics show it: host, port and address, and nothing that may be secret.
    fn shown(&self) -> Arc<str> {
        match self.behind.first() {
            Some(first) => format!("{}@{}", shown(&self.url), first.ip()).into(),
            None => shown(&self.url).into(),
        }
    }

    fn build(&self, plain: &Client) -> reqwest::Result<(Address, Arc<str>)> {
        let http = match self.url.host_str() {
            Some(host) if !self.behind.is_empty() => {
                let builder = client_builder().resolve_to_addrs(host, &self.behind);
                // without TLS the system's certificates need not be read
                let builder = if self.url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
                builder.build()?
            }
            _ => plain.clone(),
        };
        Ok((Address { base: self.base().to_owned(), http, behind: self.behind.clone() }, self.shown()))
    }
}

/// The addresses of a service, which are looked up again and again if they have names.
pub(crate) struct Addresses {
    shared: Arc<Shared>,
    refreshing: Mutex<JoinSet<()>>,
}

struct Shared {
    /// The bases with what was last found behind each.
    known: tokio::sync::Mutex<Vec<(Url, Vec<Wanted>)>>,
    has_names: bool,
    names: Arc<dyn Names>,
    plain: Client,
    peers: Peers<Address>,
    times: Mutex<Times>,
}

#[derive(Clone, Copy, Default)]
struct Times {
    asked: Option<Instant>,
    answered: Option<Instant>,
}

impl Addresses {
    /// These addresses of `target`, of which nothing is looked up yet.
    pub(crate) fn new(target: &'static str, bases: &[Url], plain: Client, names: Arc<dyn Names>) -> Self {
        let wanted = |url: &Url| Wanted { url: url.clone(), behind: Vec::new() };
        let known: Vec<_> = bases.iter().map(|base| (base.clone(), vec![wanted(base)])).collect();
        let peers =
            bases.iter().map(|base| (Address::plain(base.as_str(), plain.clone()), shown(base).into()));
        let peers = Peers::new(target, peers);
        let shared = Shared {
            known: tokio::sync::Mutex::new(known),
            has_names: bases.iter().any(|base| matches!(base.host(), Some(Host::Domain(_)))),
            names,
            plain,
            peers,
            times: Mutex::default(),
        };
        Self { shared: Arc::new(shared), refreshing: Mutex::default() }
    }

    /// One that is always the same.
    pub(crate) fn fixed(target: &'static str, base: &str, shown: &str, http: Client) -> Self {
        let shared = Shared {
            known: tokio::sync::Mutex::default(),
            has_names: false,
            names: Arc::new(SystemNames),
            plain: http.clone(),
            peers: Peers::new(target, [(Address::plain(base, http), shown.into())]),
            times: Mutex::default(),
        };
        Self { shared: Arc::new(shared), refreshing: Mutex::default() }
    }

    /// Those that are known now. Waits for the name server if what is known is too old, no longer than until then. Needs a Tokio runtime.
    pub(crate) async fn current(&self, until: Instant) -> &Peers<Address> {
        if self.shared.has_names {
            let Times { asked, answered } = self.shared.times();
            let now = Instant::now();
            let older = |than: Duration, at: Option<Instant>| at.is_none_or(|at| now - at >= than);
            if older(LOOK_UP_EVERY, asked) {
                let looking = self.look_up_beside();
                if older(TOO_OLD, answered)
                    && let Some(looking) = looking
                {
                    // those at hand may still do
                    let _ = timeout_at(until.min(now + WAIT_FOR_NAMES), looking).await;
                }
            }
        }
        &self.shared.peers
    }

    /// A call reached nobody: perhaps the names stand for other addresses by now.
    pub(crate) fn doubt(&self) {
        let asked = self.shared.times().asked;
        if self.shared.has_names && asked.is_some_and(|at| at.elapsed() >= IN_DOUBT_AFTER) {
            drop(self.look_up_beside());
        }
    }

    /// Has the names looked up, unless that is under way; what ends with it.
    fn look_up_beside(&self) -> Option<impl Future<Output = ()> + use<>> {
        {
            let mut times = self.shared.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.asked = Some(Instant::now());
        }
        let (done, ended) = tokio::sync::oneshot::channel::<()>();
        let shared = Arc::clone(&self.shared);
        let mut refreshing = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        while refreshing.try_join_next().is_some() {}
        if !refreshing.is_empty() {
            return None;
        }
        refreshing.spawn(async move {
            shared.look_up().await;
            drop(done);
        });
        Some(async move {
            // an error says that it has ended
            let _ = ended.await;
        })
    }
}

impl Shared {
    fn times(&self) -> Times {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self) {
        let mut known = self.known.lock().await;
        let mut is_whole = true;
        for (base, found) in &mut *known {
            let (Some(Host::Domain(host)), Some(port)) = (base.host(), base.port_or_known_default()) else {
                continue;
            };
            match timeout(LOOK_UP_DEADLINE, self.names.look_up(host, port)).await {
                Ok(Ok(addresses)) if !addresses.is_empty() => {
                    let wanted = |behind| Wanted { url: base.clone(), behind };
                    *found = apart(addresses).into_iter().map(wanted).collect();
                }
                answer => {
                    is_whole = false;
                    let cause = match answer {
                        Ok(Ok(_)) => "it stands for no address".to_owned(),
                        Ok(Err(error)) => error.to_string(),
                        Err(elapsed) => elapsed.to_string(),
                    };
                    tracing::warn!(
                        host,
                        cause,
                        "a name cannot be looked up, going on with what is known of it"
                    );
                }
            }
        }
        let wanted: Vec<Wanted> = known.iter().flat_map(|(_, found)| found).cloned().collect();
        let is = |at: &Address, wanted: &Wanted| at.base == wanted.base() && at.behind == wanted.behind;
        if let Err(error) = self.peers.replace(&wanted, is, |wanted| wanted.build(&self.plain)) {
            tracing::warn!(%error, "no HTTP client can be made for an address, going on with those known");
        } else if is_whole {
            self.times.lock().unwrap_or_else(PoisonError::into_inner).answered = Some(Instant::now());
        }
    }
}

/// A replica for each address. Two of different families are one that has both, as a name of this very machine mostly has: whichever takes the connection.
fn apart(mut addresses: Vec<SocketAddr>) -> Vec<Vec<SocketAddr>> {
    addresses.sort_unstable();
    addresses.dedup();
    match addresses.as_slice() {
        [first, second] if first.is_ipv4() != second.is_ipv4() => vec![addresses],
        _ => addresses.into_iter().map(|address| vec![address]).collect(),
    }
}

/// An address as metrics show it: its host and port, and nothing that may be secret.
pub(crate) fn shown(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[expect(clippy::disallowed_methods, reason = "this is where clients are made")]
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
}
