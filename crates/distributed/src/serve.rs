//! A service as a process: command line, settings, listeners, lifecycle.

use std::future::Future;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use common::allowance::WAITS;
use common::routes::Service;
use futures_util::future::BoxFuture;
use http_kit::allowance::Waits;
use http_kit::health::{self, Health, ReadyCheck};
use http_kit::openapi::MethodTable;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use program::{Failure, GRACE_FOR_THREADS};
use runtime::lifecycle::{Exit, Signals, Supervisor};
use runtime::settings::{Doc, Sources};
use runtime::telemetry;
use runtime::watchdog::Watchdog;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::command_line::{self, What};
use crate::common::Common;
use crate::platform::Platform;
use crate::starting::Early;

/// Longest wait of a health check, which has longer probes than those inside of it.
const HEALTH_DEADLINE: Duration = Duration::from_secs(4);

/// Registers routes and their data. Runs once for each worker thread of a listener.
pub type Routes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// A service, ready to run.
pub struct Assembled {
    /// Routes of the public listener.
    pub public: Routes,
    /// Routes of the internal listener, without health and metrics.
    pub internal: Routes,
    /// What the public routes allow, for 405 and `OPTIONS`.
    pub methods: MethodTable,
    /// What must work for the service to be ready.
    pub checks: Vec<Arc<dyn ReadyCheck>>,
    /// What runs beside the listeners, by name: until the process stops, and then ends its work.
    pub parts: Vec<(&'static str, BoxFuture<'static, std::io::Result<()>>)>,
    /// Work that requests left behind; waited for when the last request has been answered.
    pub after_requests: BoxFuture<'static, ()>,
    /// Said on standard output when the service is ready.
    pub notice: Option<String>,
}

/// A service as a program of its own.
pub trait ServiceProgram {
    /// Which one.
    const SERVICE: Service;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// All that can be set, [`Common`] flattened in.
    type Settings: Default + Serialize + DeserializeOwned + Send + Sync;

    /// What each key means.
    fn docs() -> Vec<Doc>;

    /// What every service can be told.
    fn common(settings: &Self::Settings) -> &Common;

    /// Puts the service over its adapters.
    ///
    /// # Errors
    /// A setting or a dependency that cannot be used. A dependency that does not answer is waited for.
    fn assemble(
        settings: Self::Settings,
        platform: Platform,
    ) -> impl Future<Output = Result<Assembled, Failure>> + Send;

    /// Commands beside those that every service has.
    fn commands() -> Vec<clap::Command> {
        Vec::new()
    }

    /// Does one of [`ServiceProgram::commands`], named by the subcommand of `matches`; the service may run meanwhile.
    ///
    /// # Errors
    /// What the command says.
    fn command(
        settings: Self::Settings,
        matches: clap::ArgMatches,
    ) -> impl Future<Output = Result<Exit, Failure>> + Send {
        let _ = (settings, matches);
        async { unreachable!("a service without commands is never asked for one") }
    }
}

/// The whole of a service's `main`.
pub fn run<P: ServiceProgram>() -> ExitCode {
    let docs = P::docs();
    let help = runtime::settings::help::<P::Settings>(&docs)
        + "\nExit codes: 0 stopped as asked, 1 a part failed, 64 command line or settings, 69 a dependency cannot be used.";
    let asked =
        match command_line::parse(P::SERVICE.name(), P::ABOUT, help, P::commands(), std::env::args_os()) {
            Ok(asked) => asked,
            Err(error) => {
                // help and version are no errors
                let exit = if error.use_stderr() { Exit::Usage } else { Exit::Stopped };
                // there is nobody left to tell when the terminal is gone
                let _ = error.print();
                return exit.into();
            }
        };
    if matches!(asked.what, What::Settings) {
        let table = runtime::settings::markdown::<P::Settings>(&docs);
        let text = format!(
            "# Settings of {}\n\nPrinted by `{0} settings`; written by `cargo xtask openapi`.\n\n{table}",
            P::SERVICE.name()
        );
        return std::io::stdout().write_all(text.as_bytes()).map_or(Exit::Failed, |()| Exit::Stopped).into();
    }
    let done = runtime::settings::load::<P::Settings>(&docs, &Sources::of_process(asked.config))
        .map_err(|error| Failure::new(Exit::Usage, &error))
        .and_then(|settings| match asked.what {
            What::HealthCheck => check_health(P::common(&settings).internal_listen),
            What::Own(matches) => in_runtime(P::command(settings, matches)),
            What::Serve | What::Settings => in_runtime(serve_until_stopped::<P>(settings)),
        });
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => fail(P::SERVICE.name(), &failure),
    }
}

fn in_runtime(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err(Failure::other(Exit::Failed, "another TLS provider was installed first"));
    }
    let runtime = tokio_runtime()?;
    let ended = runtime.block_on(work);
    // a thread that still waits for a disk must not hold up the end
    runtime.shutdown_timeout(GRACE_FOR_THREADS);
    ended
}

fn tokio_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::other(Exit::Failed, error.to_string()))
}

async fn serve_until_stopped<P: ServiceProgram>(settings: P::Settings) -> Result<Exit, Failure> {
    let Common { log, stop, listen, internal_listen, mongodb_deadline, .. } = P::common(&settings).clone();
    stop.check()?;
    telemetry::init_logs(log.format, &log.level).map_err(Failure::setting)?;
    let metrics = telemetry::init_metrics().map_err(|text| Failure::other(Exit::Failed, text))?;

    let _watchdog = Watchdog::start();
    // one pair of streams to the end: none comes when nobody listens
    let mut signals = Signals::listen().map_err(|error| Failure::new(Exit::Failed, &error))?;
    let mut supervisor = Supervisor::default();
    let shutdown = supervisor.shutdown();
    // probes see a service that waits for its database, and that it is not ready
    let internal = bind("FM_INTERNAL_LISTEN", internal_listen)?;
    let clone = internal.try_clone().map_err(|error| Failure::new(Exit::Failed, &error))?;
    let (early, early_serving) = Early::new(clone, metrics.clone());
    let mut early_serving = std::pin::pin!(early_serving);
    let assemble = early.shows(async {
        let platform = Platform::connect(P::SERVICE, P::common(&settings), shutdown.clone()).await?;
        let (mongo, mut dispensable) = (platform.mongo.clone(), platform.dispensable_checks());
        let clock = platform.clock_part();
        let assembled = P::assemble(settings, platform).await?;
        // what one service cannot do without, another can
        dispensable.retain(|check| assembled.checks.iter().all(|needed| needed.name() != check.name()));
        Ok::<_, Failure>((assembled, dispensable, clock, mongo))
    });
    let (assembled, dispensable, clock, mongo) = tokio::select! {
        assembled = assemble => assembled?,
        ended = &mut early_serving => return Err(ended_early(ended)),
        _ = signals.next() => return Ok(Exit::Stopped),
    };
    // not before: to the gateway a connection that waits in the system's queue looks like a service that hangs
    let public = bind("FM_LISTEN", listen)?;
    early.end();
    early_serving.await.map_err(|error| ended_early(Err(error)))?;
    let addresses = (public.local_addr().unwrap_or(listen), internal.local_addr().unwrap_or(internal_listen));

    let health = Health::new(assembled.checks, shutdown.draining_token()).with_dispensable(dispensable);
    let health = web::Data::new(health);

    // requests and jobs that end after the signal still call and are called: the internal listener ends when all of them have
    let internal_stop = CancellationToken::new();
    let users_of_internal = Arc::new(internal_stop.clone().drop_guard());

    supervisor.part("clock", clock);
    let settings = ServerSettings {
        shutdown_timeout: stop.for_requests(),
        methods: Arc::new(assembled.methods),
        // one question is never cut short
        waits: Waits::AtMost(WAITS.max(mongodb_deadline.duration())),
        // claims wait for jobs
        watches_clients: P::SERVICE == Service::Worker,
        ..ServerSettings::new(P::SERVICE.name())
    };
    let drain = Drain { draining: shutdown.draining_token(), stop: shutdown.stopping_token() };
    let routes = assembled.public;
    let server = serve(settings, public, move |config| routes(config), drain);
    let (after, guard) = (assembled.after_requests, Arc::clone(&users_of_internal));
    supervisor.part("public-listener", async move {
        let result = server.await;
        after.await;
        drop(guard);
        result
    });

    let settings = ServerSettings {
        shutdown_timeout: stop.for_requests(),
        waits: Waits::AsCallersSay,
        ..ServerSettings::new("internal")
    };
    let drain = Drain { draining: shutdown.draining_token(), stop: internal_stop };
    let routes = assembled.internal;
    let configure = move |config: &mut web::ServiceConfig| {
        routes(config);
        health::configure(config, health.clone());
        health::configure_metrics(config, metrics.clone());
    };
    supervisor.part("internal-listener", serve(settings, internal, configure, drain));
    for (name, work) in assembled.parts {
        let guard = Arc::clone(&users_of_internal);
        supervisor.part(name, async move {
            let result = work.await;
            drop(guard);
            result
        });
    }
    drop(users_of_internal);

    greet(P::SERVICE.name(), addresses, assembled.notice.as_deref());
    let exit = supervisor.run(signals, stop.pace()).await;
    // what was cut off in the middle would be held against the others
    mongo.settle(GRACE_FOR_THREADS).await;
    tracing::info!("stopped");
    Ok(exit)
}

fn ended_early(ended: std::io::Result<()>) -> Failure {
    let cause = ended.map_or_else(|error| error.to_string(), |()| "it ended by itself".to_owned());
    Failure::other(Exit::Failed, format!("the internal listener: {cause}"))
}

fn bind(setting: &str, address: SocketAddr) -> Result<Listener, Failure> {
    Listener::bind_tcp(address).map_err(|error| Failure::setting(format!("{setting}: {address}: {error}")))
}

/// Tells whoever started it where it is.
fn greet(name: &str, (public, internal): (SocketAddr, SocketAddr), notice: Option<&str>) {
    tracing::info!(%public, %internal, "serving");
    let mut text = notice.map(|notice| format!("{notice}\n")).unwrap_or_default();
    text.push_str(&format!("{name} is ready at http://{public}, for other services at http://{internal}\n"));
    let mut out = std::io::stdout();
    // whoever closed standard output does not want to be told
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Asks the internal listener of the process that runs with the same settings.
#[expect(
    clippy::disallowed_methods,
    reason = "a probe of this very service needs no token and no second try"
)]
fn check_health(internal: SocketAddr) -> Result<Exit, Failure> {
    let ip = match internal.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let url = format!("http://{}/health/ready", SocketAddr::new(ip, internal.port()));
    tokio_runtime()?.block_on(async {
        let client =
            reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(HEALTH_DEADLINE).build();
        let answer = async { client?.get(&url).send().await?.error_for_status() };
        match answer.await {
            Ok(_) => Ok(Exit::Stopped),
            Err(error) => Err(Failure::other(Exit::Failed, format!("not ready: {error}"))),
        }
    })
}

#[expect(
    clippy::print_stderr,
    reason = "logs may not be set up yet, and whoever typed the command reads this"
)]
fn fail(name: &str, failure: &Failure) -> ExitCode {
    eprintln!("{name}: {failure}");
    failure.exit.into()
}
