//! The HTTP server: one listener, one set of limits, one middleware, an orderly end.

mod edge;
mod fallback;
mod keyed;
mod listener;
mod series;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use tokio_util::sync::CancellationToken;

use crate::allowance::Waits;
use crate::openapi::MethodTable;

pub use listener::Listener;

/// How a server treats its connections.
#[derive(Clone)]
pub struct ServerSettings {
    /// The `service` label of metrics.
    pub service: &'static str,
    /// Threads that serve, each with a runtime of its own.
    pub workers: usize,
    /// Longest wait for the head of a connection's first request; then 408.
    pub client_request_timeout: Duration,
    /// How long an idle connection is kept. Longer than the minute for which gateways keep theirs, so that they close first.
    pub keep_alive: Duration,
    /// After an answer that came before the body was read: how long what the client still sends is thrown away, so that it sees the
    /// answer rather than a reset.
    pub linger: Duration,
    /// Most connections of each worker; more wait in the system's queue.
    pub max_connections: usize,
    /// Most bytes of names and values of a request's header fields; more is 431. (actix itself gives up at 96 fields and at 128 KiB, with an empty 431.)
    pub max_header_bytes: usize,
    /// How long running requests may go on after [`Drain::stop`].
    pub shutdown_timeout: Duration,
    /// Speaks TLS with this configuration; plain without.
    pub tls: Option<rustls::ServerConfig>,
    /// What documented paths allow, for 405 and `OPTIONS`.
    pub methods: Arc<MethodTable>,
    /// How long each request may wait for stores and other services, in all.
    pub waits: Waits,
    /// Handlers can ask whether their client is still there ([`crate::presence`]). Costs a second descriptor for each connection.
    pub watches_clients: bool,
}

impl ServerSettings {
    /// Defaults for a service with this name.
    pub fn new(service: &'static str) -> Self {
        Self {
            service,
            workers: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            client_request_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            linger: Duration::from_secs(3),
            max_connections: 8192,
            max_header_bytes: 32 * 1024,
            shutdown_timeout: Duration::from_secs(30),
            tls: None,
            methods: Arc::default(),
            waits: Waits::default(),
            watches_clients: false,
        }
    }
}

/// The two steps in which a server ends.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    /// From now on each answer closes its connection, while new ones are still accepted.
    pub draining: CancellationToken,
    /// Accept nothing more, finish what runs, end.
    pub stop: CancellationToken,
}

/// What the middleware of every app knows.
struct Shared {
    service: &'static str,
    max_header_bytes: usize,
    draining: AtomicBool,
    waits: Waits,
    methods: Arc<MethodTable>,
}

/// Serves until [`Drain::stop`], then lets running requests end within `shutdown_timeout`. `configure` registers the routes and their data;
/// it runs once for each worker.
///
/// A `POST`, and an upload, with an `Idempotency-Key` is carried out once, if [`crate::idempotency::Idempotency`] is among the app's data.
///
/// Every request gets an id, a span, metrics, the default header fields, and an answer in the form of its [`crate::Facade`] even when the
/// framework refuses it, no route matches, or a handler panics. A client that asks for `100-continue` gets it before the handler
/// decides (actix gives no say in that); a refusal then follows at once.
///
/// # Errors
/// What the system says of the listener.
pub async fn serve<F>(
    settings: ServerSettings,
    listener: Listener,
    configure: F,
    drain: Drain,
) -> io::Result<()>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let shared = Arc::new(Shared {
        service: settings.service,
        max_header_bytes: settings.max_header_bytes,
        draining: AtomicBool::new(false),
        waits: settings.waits,
        methods: Arc::clone(&settings.methods),
    });
    let for_apps = Arc::clone(&shared);
    let server = HttpServer::new(move || {
        let methods = Arc::clone(&for_apps.methods);
        App::new()
            .wrap(edge::Edge::new(Arc::clone(&for_apps)))
            .configure(configure.clone())
            .default_service(web::to(move |request| fallback::answer(request, Arc::clone(&methods))))
    })
    .workers(settings.workers)
    .tcp_nodelay(true)
    .keep_alive(settings.keep_alive)
    .client_request_timeout(settings.client_request_timeout)
    .client_disconnect_timeout(settings.linger)
    .max_connections(settings.max_connections)
    .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
    .disable_signals();
    let server = match settings.watches_clients {
        true => server.on_connect(crate::presence::watch),
        false => server,
    };
    let server = match (listener, settings.tls) {
        (Listener::Tcp(tcp), None) => server.listen(tcp)?,
        (Listener::Tcp(tcp), Some(tls)) => server.listen_rustls_0_23(tcp, tls)?,
        (Listener::Unix(unix), _) => server.listen_uds(unix)?,
    };
    let mut server = std::pin::pin!(server.run());
    let handle = server.as_mut().get_mut().handle();
    tokio::select! {
        ended = &mut server => return ended,
        () = drain.draining.cancelled() => {}
        () = drain.stop.cancelled() => {}
    }
    shared.draining.store(true, Ordering::Relaxed);
    tokio::select! {
        ended = &mut server => return ended,
        () = drain.stop.cancelled() => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}
