use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use common::jobs::JobBus;
use common::{Causes, PortResult};
use runtime::retry::RetryDelay;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Registry;

/// Wakes who sleeps in this process: one bell for each type, one for the promoter. A ring while nobody sleeps is remembered, once.
#[derive(Clone)]
pub(crate) struct Bells(Arc<Inner>);

struct Inner {
    types: HashMap<&'static str, Notify>,
    promoter: Notify,
    bus: Arc<dyn JobBus>,
}

impl Bells {
    /// Bells for the types that this process works.
    pub(crate) fn new(registry: &Registry, bus: Arc<dyn JobBus>) -> Self {
        let types = registry.iter().map(|handler| (handler.kind(), Notify::new())).collect();
        Self(Arc::new(Inner { types, promoter: Notify::new(), bus }))
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
        self.ring_promoter();
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
