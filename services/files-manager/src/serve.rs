//! Starts everything, says where it is, and runs it until it is told to stop.

use std::io::Write as _;
use std::sync::Arc;

use http_kit::CookiePolicy;
use http_kit::allowance::Waits;
use http_kit::health::{self, Health};
use http_kit::openapi::MethodTable;
use http_kit::reference::Reference;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use program::{Failure, public_url};
use runtime::data_dir::DataDir;
use runtime::lifecycle::{Exit, Shutdown, Signals, Supervisor};
use runtime::socket_path::internal_socket;
use runtime::telemetry;
use runtime::watchdog::Watchdog;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::parts::{self, Parts};
use crate::routes::Routes;
use crate::settings::Settings;
use crate::{docs, page, tls};

/// Serves until a signal.
///
/// # Errors
/// Whatever keeps it from starting.
pub(crate) async fn run(settings: Settings) -> Result<Exit, Failure> {
    telemetry::init_logs(settings.log.format, &settings.log.level).map_err(Failure::setting)?;
    let metrics = telemetry::init_metrics().map_err(|text| Failure::other(Exit::Failed, text))?;
    let public_url = public_url(settings.public_url.as_deref())?;
    let tls = tls::configuration(&settings).map_err(Failure::setting)?;
    let cookies = CookiePolicy::new(public_url.as_ref(), tls.is_some());
    let scheme = if tls.is_some() { "https" } else { "http" };

    let _watchdog = Watchdog::start();
    let data = DataDir::open(&settings.data_dir)?;
    let socket = internal_socket(&data)?;
    let internal = Listener::bind_unix(&socket)
        .map_err(|error| Failure::other(Exit::DataFolder, format!("{}: {error}", socket.display())))?;
    let public = bind("FM_LISTEN", settings.listen)?;
    let monitoring =
        settings.internal_listen.map(|address| bind("FM_INTERNAL_LISTEN", address)).transpose()?;
    let address = public.local_addr().unwrap_or(settings.listen);

    let parts = Arc::new(parts::assemble(&settings, &data, &socket).await?);
    let document = docs::openapi().map_err(|error| Failure::new(Exit::Failed, &error))?;
    let methods = Arc::new(MethodTable::of(&document));
    let reference = Reference::new(&document).map_err(|error| Failure::new(Exit::Failed, &error))?;

    let mut supervisor = Supervisor::default();
    let shutdown = supervisor.shutdown();
    let mut checks = parts.checks.clone();
    checks.push(parts.worker.bus_check());
    let health = Health::new(checks, shutdown.draining_token());
    let prefix = public_url.as_ref().map_or("", |url| url.path().trim_end_matches('/'));
    let routes = Routes::new(Arc::clone(&parts), cookies, health, reference, page::document(prefix));

    // requests and jobs that end after the signal still call other services: the internal listener ends when all of them have
    let internal_stop = CancellationToken::new();
    let users_of_internal = Arc::new(internal_stop.clone().drop_guard());
    let internal_drain = Drain { draining: internal_stop.clone(), stop: internal_stop };

    let mut public_settings = ServerSettings::new("files-manager");
    public_settings.shutdown_timeout = settings.stop.for_requests();
    public_settings.tls = tls;
    public_settings.methods = methods;
    // claims wait for jobs
    public_settings.watches_clients = true;
    let public_routes = routes.clone();
    let server = serve(public_settings, public, move |config| public_routes.public(config), drain(&shutdown));
    let guard = Arc::clone(&users_of_internal);
    let files = parts.files.clone();
    supervisor.part("public-listener", async move {
        let result = server.await;
        files.finish_background().await;
        drop(guard);
        result
    });

    let internal_settings =
        ServerSettings { workers: 1, waits: Waits::AsCallersSay, ..ServerSettings::new("internal") };
    let (internal_routes, for_socket) = (routes.clone(), metrics.clone());
    let configure = move |config: &mut actix_web::web::ServiceConfig| {
        internal_routes.internal(config);
        health::configure_metrics(config, for_socket.clone());
    };
    supervisor.part("internal-listener", serve(internal_settings, internal, configure, internal_drain));
    if let Some(listener) = monitoring {
        let settings =
            ServerSettings { workers: 1, waits: Waits::AsCallersSay, ..ServerSettings::new("monitoring") };
        let configure = move |config: &mut actix_web::web::ServiceConfig| {
            routes.monitoring(config);
            health::configure_metrics(config, metrics.clone());
        };
        supervisor.part("monitoring-listener", serve(settings, listener, configure, drain(&shutdown)));
    }

    start_background(&mut supervisor, &parts, users_of_internal);
    // before anyone is told that it is there, and might stop it at once
    let signals = Signals::listen().map_err(|error| Failure::new(Exit::Failed, &error))?;
    greet(&format!("{scheme}://{address}"), public_url.as_ref(), &parts).await?;
    let exit = supervisor.run(signals, settings.stop.pace()).await;
    parts.stores.close();
    tracing::info!("stopped");
    Ok(exit)
}

/// Workers, relays and upkeep. `guard` is held until they have ended.
fn start_background(supervisor: &mut Supervisor, parts: &Arc<Parts>, guard: Arc<impl Send + Sync + 'static>) {
    let shutdown = supervisor.shutdown();
    let (worker, stop, held) = (parts.worker.clone(), shutdown.stopping_token(), Arc::clone(&guard));
    supervisor.part("workers", async move {
        worker.run(stop).await;
        drop(held);
        Ok::<_, std::io::Error>(())
    });
    let (files, stop) = (parts.files.clone(), shutdown.stopping_token());
    supervisor.part("events", async move {
        files.run(stop).await;
        Ok::<_, std::io::Error>(())
    });
    for (name, relay) in parts.relays.clone() {
        let (stop, held) = (shutdown.stopping_token(), Arc::clone(&guard));
        supervisor.part(name, async move {
            relay.run(stop).await;
            drop(held);
            Ok::<_, std::io::Error>(())
        });
    }
    let keys = parts.keys.clone();
    let forgetting = async move { keys.keep_forgetting().await };
    let mut upkeep = parts.auth.background();
    upkeep.push(("request-keys", Box::pin(forgetting)));
    for (name, upkeep) in upkeep {
        let shutdown = shutdown.clone();
        supervisor.part(name, async move {
            tokio::select! {
                () = upkeep => Err(std::io::Error::other("upkeep ended by itself")),
                () = shutdown.stopping() => Ok(()),
            }
        });
    }
}

fn drain(shutdown: &Shutdown) -> Drain {
    Drain { draining: shutdown.draining_token(), stop: shutdown.stopping_token() }
}

fn bind(setting: &str, address: std::net::SocketAddr) -> Result<Listener, Failure> {
    Listener::bind_tcp(address).map_err(|error| Failure::setting(format!("{setting}: {address}: {error}")))
}

/// Tells whoever started it where it is and what to do first.
async fn greet(address: &str, public_url: Option<&Url>, parts: &Parts) -> Result<(), Failure> {
    let mut text = String::new();
    if let Some(code) = parts.auth.setup_code().await.map_err(|error| Failure::store(&error))? {
        text.push_str(&format!(
            "This installation has no administrator yet. Open the address below and enter this set-up code:\n\n    {}\n\n",
            code.reveal()
        ));
    }
    if let Some(url) = public_url {
        text.push_str(&format!("People reach it at {url}\n"));
    }
    text.push_str(&format!("Files Manager is ready at {address}\n"));
    tracing::info!(address, "serving");
    let mut out = std::io::stdout();
    // whoever closed standard output does not want to be told
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}
