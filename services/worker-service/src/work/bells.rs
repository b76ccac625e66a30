use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use common::jobs::JobBus;
use common::{Causes, JobId, PortResult};
use runtime::retry::RetryDelay;
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Registry;

/// Rings that a slow listener may be behind; then it is told that it missed some.
const MOST_BEHIND: usize = 256;

/// Wakes who sleeps in this process: one bell for each type that it works, one for the promoter, one for the scheduler, one for whoever reads events. A ring
/// while nobody sleeps is remembered, once. Rings of all types, and calls to stop, are also passed on to any number of listeners.
#[derive(Clone)]
pub(crate) struct Bells(Arc<Inner>);

struct Inner {
    types: HashMap<&'static str, Notify>,
    promoter: Notify,
    scheduler: Notify,
    changed: Notify,
    rings: broadcast::Sender<Arc<str>>,
    cancelled: broadcast::Sender<JobId>,
    bus: Arc<dyn JobBus>,
}

impl Bells {
    /// Bells for the types that this process works.
    pub(crate) fn new(registry: &Registry, bus: Arc<dyn JobBus>) -> Self {
        let types = registry.iter().map(|handler| (handler.kind(), Notify::new())).collect();
        Self(Arc::new(Inner {
            types,
            promoter: Notify::new(),
            scheduler: Notify::new(),
            changed: Notify::new(),
            rings: broadcast::Sender::new(MOST_BEHIND),
            cancelled: broadcast::Sender::new(MOST_BEHIND),
            bus,
        }))
    }

    /// Rings for these types here and, by the bus, everywhere: there may be something to claim or to promote.
    pub(crate) async fn ring(&self, types: &[String]) {
        for kind in types {
            self.ring_here(kind);
        }
        if !types.is_empty() {
            self.0.bus.ring(types).await;
        }
    }

    /// Rings in this process only, as when a doorbell was heard on the bus.
    pub(crate) fn ring_here(&self, kind: &str) {
        if let Some(bell) = self.0.types.get(kind) {
            bell.notify_one();
        }
        // nobody may be listening
        let _ = self.0.rings.send(kind.into());
        self.ring_promoter();
        self.changed();
    }

    /// The types for which it rings from now on.
    pub(crate) fn rings(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.rings.subscribe()
    }

    /// This process changed something about jobs: whoever follows what happens can look.
    pub(crate) fn changed(&self) {
        self.0.changed.notify_one();
    }

    /// Sleeps until this process changed something, or heard that another one did. For one sleeper.
    pub(crate) async fn change(&self) {
        self.0.changed.notified().await;
    }

    /// A job was called off, or removed: whoever works it here can see to its lease at once.
    pub(crate) fn call_off(&self, job: JobId) {
        let _ = self.0.cancelled.send(job);
        self.changed();
    }

    /// The jobs that are called off in this process from now on.
    pub(crate) fn cancellations(&self) -> broadcast::Receiver<JobId> {
        self.0.cancelled.subscribe()
    }

    /// Wakes the scheduler: a schedule may be due sooner than it thinks.
    pub(crate) fn ring_scheduler(&self) {
        self.0.scheduler.notify_one();
    }

    /// Sleeps until somebody wakes the scheduler.
    pub(crate) async fn scheduler_called(&self) {
        self.0.scheduler.notified().await;
    }

    /// Wakes the promoter: a job may be due sooner than it thinks.
    pub(crate) fn ring_promoter(&self) {
        self.0.promoter.notify_one();
    }

    /// Passes on what the bus rings, until `stop` is cancelled. While the bus is broken, everybody still looks around by themselves.
    pub(crate) async fn listen(&self, stop: CancellationToken) {
        let work = async {
            let mut delay = RetryDelay::default();
            loop {
                let Err(error) = self.hear(&mut delay).await;
                let wait = delay.next_delay();
                tracing::warn!(cause = %Causes(&error), ?wait, "cannot hear doorbells, subscribing again");
                sleep(wait).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn hear(&self, delay: &mut RetryDelay) -> PortResult<Infallible> {
        let mut doorbells = self.0.bus.doorbells().await?;
        // what rang while nobody listened is lost
        for kind in self.0.types.keys() {
            self.ring_here(kind);
        }
        loop {
            self.ring_here(&doorbells.next().await?);
            delay.reset();
        }
    }

    /// Sleeps until there is a ring for this type.
    pub(crate) async fn heard(&self, kind: &str) {
        match self.0.types.get(kind) {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Sleeps until somebody wakes the promoter.
    pub(crate) async fn promoter_called(&self) {
        self.0.promoter.notified().await;
    }
}
