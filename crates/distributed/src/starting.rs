//! What a service shows of itself before it has all it needs.

use std::future::Future;
use std::io;

use http_kit::health::{Starting, configure_starting};
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static STARTING: Starting;
}

/// The internal listener of a service that is put together: probes and metrics alone. Other services are told to ask somebody else.
pub(crate) struct Early {
    starting: Starting,
    stop: CancellationToken,
}

impl Early {
    /// One, and the work of serving until it ends. Connections that come later wait for whoever serves the listener then.
    pub(crate) fn new(
        listener: Listener,
        metrics: PrometheusHandle,
    ) -> (Self, impl Future<Output = io::Result<()>>) {
        let (starting, stop) = (Starting::default(), CancellationToken::new());
        // each answer closes its connection: the next question is for the service itself
        let drain = Drain { stop: stop.clone(), ..Drain::default() };
        drain.draining.cancel();
        let settings = ServerSettings {
            workers: 1,
            shutdown_timeout: std::time::Duration::from_secs(1),
            ..ServerSettings::new("starting")
        };
        let shown = starting.clone();
        let work = serve(
            settings,
            listener,
            move |config| configure_starting(config, shown.clone(), metrics.clone()),
            drain,
        );
        (Self { starting, stop }, work)
    }

    /// Shows what `work` waits for.
    pub(crate) async fn shows<F: Future>(&self, work: F) -> F::Output {
        STARTING.scope(self.starting.clone(), work).await
    }

    /// Accepts nothing more.
    pub(crate) fn end(&self) {
        self.stop.cancel();
    }
}

/// Notes that this part is waited for, or none, in work that is shown.
pub(crate) fn waits_for(part: Option<&'static str>) {
    // a command shows nothing
    let _ = STARTING.try_with(|starting| starting.waits_for(part));
}
