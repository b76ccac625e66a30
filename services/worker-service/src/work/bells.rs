use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use common::jobs::{JobBus, NewJob, types};
use common::{Causes, JobId, PortResult, UserId};
use runtime::retry::RetryDelay;
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Registry;

/// Rings that a slow listener may be behind; then it is told that it missed some.
const MOST_BEHIND: usize = 256;
/// What the bus rings for a user who has news, with the user's id behind it. No type of jobs that anybody waits for begins so.
const NEWS: &str = "news of the user ";

/// Wakes who sleeps in this process: one bell for each type that it works, one for the promoter, one for the scheduler, one for whoever reads events, one
/// for whoever tells users and webhooks of them. A ring while nobody sleeps is remembered, once. Rings of all types, calls to stop, and that a user has news
/// are also passed on to any number of listeners.
#[derive(Clone)]
pub(crate) struct Bells(Arc<Inner>);

struct Inner {
    types: HashMap<&'static str, Notify>,
    promoter: Notify,
    scheduler: Notify,
    changed: Notify,
    to_tell: Notify,
    rings: broadcast::Sender<Arc<str>>,
    cancelled: broadcast::Sender<JobId>,
    news: broadcast::Sender<UserId>,
    bus: Arc<dyn JobBus>,
}

impl Bells {
    /// Bells for the types that this process works: those of the registry, and those whose handlers themselves ring.
    pub(crate) fn new(registry: &Registry, bus: Arc<dyn JobBus>) -> Self {
        let own = [types::WEBHOOK_DELIVER, types::ACCOUNT_EXPORT, types::LINK_NOTICE, types::ACCOUNT_ENDED];
        let types = registry.iter().map(|handler| handler.kind()).chain(own);
        let types = types.map(|kind| (kind, Notify::new())).collect();
        Self(Arc::new(Inner {
            types,
            promoter: Notify::new(),
            scheduler: Notify::new(),
            changed: Notify::new(),
            to_tell: Notify::new(),
            rings: broadcast::Sender::new(MOST_BEHIND),
            cancelled: broadcast::Sender::new(MOST_BEHIND),
            news: broadcast::Sender::new(MOST_BEHIND),
            bus,
        }))
    }

    /// Rings for these types here and, by the bus, everywhere: there may be something to claim or to promote.
    pub(crate) async fn ring(&self, types: &[String]) {
        if !types.is_empty() {
            self.ring_promoter();
        }
        self.ring_ready(types).await;
    }

    /// Rings for jobs that are in the store now.
    pub(crate) async fn ring_new(&self, jobs: &[NewJob]) {
        let types: BTreeSet<&String> = jobs.iter().map(|job| &job.kind).collect();
        let types: Vec<String> = types.into_iter().cloned().collect();
        if jobs.iter().any(|job| job.run_at.is_some()) {
            self.ring(&types).await
        } else {
            self.ring_ready(&types).await
        }
    }

    /// The same where nothing is there to be promoted: the promoter of this process sleeps on, since looking costs it a commit.
    pub(crate) async fn ring_ready(&self, types: &[String]) {
        for kind in types {
            self.ring_type(kind);
        }
        // a bus of this process alone would say it a second time
        if !types.is_empty() && self.0.bus.is_shared() {
            self.0.bus.ring(types).await;
        }
    }

    /// Rings in this process only, as when a doorbell was heard on the bus.
    pub(crate) fn ring_here(&self, kind: &str) {
        self.ring_type(kind);
        self.ring_promoter();
    }

    fn ring_type(&self, kind: &str) {
        if let Some(user) = kind.strip_prefix(NEWS).and_then(|user| UserId::parse(user).ok()) {
            // nobody may be listening
            let _ = self.0.news.send(user);
            return;
        }
        if let Some(bell) = self.0.types.get(kind) {
            bell.notify_one();
        }
        // nobody may be listening
        let _ = self.0.rings.send(kind.into());
        self.changed();
    }

    /// Says here and, by the bus, everywhere that these users have been told something.
    pub(crate) async fn ring_news(&self, users: impl IntoIterator<Item = UserId>) {
        let names: Vec<String> = users.into_iter().map(|user| format!("{NEWS}{user}")).collect();
        self.ring_ready(&names).await;
    }

    /// The users who are told something from now on.
    pub(crate) fn news(&self) -> broadcast::Receiver<UserId> {
        self.0.news.subscribe()
    }

    /// The types for which it rings from now on.
    pub(crate) fn rings(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.rings.subscribe()
    }

    /// This process changed something about jobs: whoever follows what happens can look.
    pub(crate) fn changed(&self) {
        self.0.changed.notify_one();
        self.0.to_tell.notify_one();
    }

    /// As [`Bells::change`], for the one who tells users and webhooks.
    pub(crate) async fn something_to_tell(&self) {
        self.0.to_tell.notified().await;
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
