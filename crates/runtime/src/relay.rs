//! Brings jobs from an outbox to the job store: publishes them with confirms, and lets a row go only when the job store says that it has the job.
//!
//! Any number of relays may run over one outbox: rows are leased, and a job that is published twice is inserted once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{JobBus, KnownJobs, MAX_KNOWN_IDS, Outbox};
use common::{Causes, Clock, JobId, PortError, PortResult};
use metrics::{counter, gauge};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::crash_point_of;
use crate::retry::RetryDelay;

/// How a relay goes about it. The defaults are for production; tests shorten the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelaySettings {
    /// Rows that are published together. 200 fill the bus's window of confirms a few times.
    pub batch: u32,
    /// How long rows are set aside for one relay. Also the longest that one publish may take. Default 30 s.
    pub lease: Duration,
    /// How long to sleep when nothing seems to happen, in case a wake-up was missed or another relay died. Default 5 s.
    pub look_around: Duration,
    /// How long after its publication a row is held against the job store. Default 5 s, and twice as long each time that some
    /// are not known, up to [`RelaySettings::settle_after_most`]: while submissions pile up in the bus, sending them again only adds to the pile.
    pub settle_after: Duration,
    /// Default 5 minutes.
    pub settle_after_most: Duration,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            batch: 200,
            lease: Duration::from_secs(30),
            look_around: Duration::from_secs(5),
            settle_after: Duration::from_secs(5),
            settle_after_most: Duration::from_secs(300),
        }
    }
}

/// The relay of one outbox. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    service: &'static str,
    outbox: Arc<dyn Outbox>,
    bus: Arc<dyn JobBus>,
    known: Arc<dyn KnownJobs>,
    clock: Arc<dyn Clock>,
    settings: RelaySettings,
    published: Arc<Notify>,
    unsent: Arc<Notify>,
}

impl Relay {
    /// A relay for the outbox of `service`, which is its name in logs and metrics.
    pub fn new(
        service: &'static str,
        outbox: Arc<dyn Outbox>,
        bus: Arc<dyn JobBus>,
        known: Arc<dyn KnownJobs>,
        clock: Arc<dyn Clock>,
        settings: RelaySettings,
    ) -> Self {
        Self {
            service,
            outbox,
            bus,
            known,
            clock,
            settings,
            published: Arc::default(),
            unsent: Arc::default(),
        }
    }

    /// Works until `stop` is cancelled. Failures are logged and waited out: it never ends by itself.
    ///
    /// May also be dropped at any point: what was under way is then done again when its lease has ended.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.publish(&stop), stop.run_until_cancelled(self.settle()));
    }

    async fn publish(&self, stop: &CancellationToken) {
        let mut delay = RetryDelay::default();
        // a batch under way is not dropped: its rows would have to wait for the end of their lease
        while !stop.is_cancelled() {
            match self.publish_batch(stop).await {
                // a full batch: more may wait
                Ok(count) if count >= self.settings.batch as usize => delay.reset(),
                Ok(_) => {
                    delay.reset();
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.outbox.wait() => {}
                        () = self.unsent.notified() => {}
                        () = sleep(self.settings.look_around) => {}
                    }
                }
                Err(_) if stop.is_cancelled() => {}
                Err(error) => {
                    counter!("fm_outbox_publish_failures_total", "service" => self.service).increment(1);
                    let wait = delay.next_delay();
                    tracing::warn!(service = self.service, cause = %Causes(&error), ?wait, "cannot relay jobs, trying again");
                    stop.run_until_cancelled(sleep(wait)).await;
                }
            }
        }
    }

    /// Publishes what waits; how many rows.
    async fn publish_batch(&self, stop: &CancellationToken) -> PortResult<usize> {
        let rows =
            self.outbox.lease_unsent(self.settings.batch, self.settings.lease, self.clock.now()).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let (jobs, resent): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.job, row.sent > 0)).unzip();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        crash_point_of(self.service, "relay.before-publish");
        let sent = tokio::select! {
            sent = timeout(self.settings.lease, self.bus.submit(&jobs)) => match sent {
                Ok(sent) => sent,
                Err(elapsed) => Err(PortError::unavailable("bus", elapsed)),
            },
            // a full bus would make us wait
            () = stop.cancelled() => Err(PortError::unavailable("bus", "shutting down")),
        };
        if let Err(error) = sent {
            // not waiting for the lease to end; should this fail as well, the lease still ends
            if let Err(error) = self.outbox.unsend(&ids).await {
                tracing::warn!(service = self.service, cause = %Causes(&error), "cannot give rows of the outbox back");
            }
            return Err(error);
        }
        crash_point_of(self.service, "relay.after-publish");
        self.outbox.mark_sent(&ids, self.clock.now()).await?;
        self.published.notify_one();
        let resent = resent.into_iter().filter(|again| *again).count();
        counter!("fm_outbox_published_total", "service" => self.service).increment(ids.len() as u64);
        counter!("fm_outbox_resent_total", "service" => self.service).increment(resent as u64);
        tracing::debug!(service = self.service, jobs = ids.len(), resent, "relayed jobs");
        Ok(ids.len())
    }

    async fn settle(&self) {
        let mut delay = RetryDelay::default();
        let mut grace = self.settings.settle_after;
        loop {
            let wait = match self.settle_sent(grace).await {
                Ok(Settled { unknown: 0, waiting }) => {
                    delay.reset();
                    grace = self.settings.settle_after;
                    if waiting { grace } else { self.idle().await }
                }
                Ok(Settled { unknown, .. }) => {
                    delay.reset();
                    tracing::warn!(
                        service = self.service,
                        unknown,
                        ?grace,
                        "the job store does not know jobs, sending again"
                    );
                    grace = (grace * 2).min(self.settings.settle_after_most);
                    self.settings.settle_after
                }
                Err(error) => {
                    let wait = delay.next_delay();
                    tracing::warn!(service = self.service, cause = %Causes(&error), ?wait, "cannot settle relayed jobs");
                    wait
                }
            };
            sleep(wait).await;
        }
    }

    /// Waits until something was published (by this relay, or perhaps by another one); how long to wait before it can be settled.
    async fn idle(&self) -> Duration {
        tokio::select! {
            () = self.published.notified() => self.settings.settle_after,
            () = sleep(self.settings.look_around) => Duration::ZERO,
        }
    }

    /// Holds every row that was published longer than `grace` ago against the job store.
    async fn settle_sent(&self, grace: Duration) -> PortResult<Settled> {
        let mut unknown = 0;
        loop {
            let ids = self.outbox.list_sent(self.clock.now() - grace, MAX_KNOWN_IDS as u32).await?;
            if ids.is_empty() {
                break;
            }
            let known: HashSet<JobId> = self.known.known(&ids).await?.into_iter().collect();
            let (known, lost): (Vec<_>, Vec<_>) = ids.iter().copied().partition(|id| known.contains(id));
            if !known.is_empty() {
                crash_point_of(self.service, "relay.before-settle");
                self.outbox.settle(&known).await?;
            }
            if !lost.is_empty() {
                self.outbox.unsend(&lost).await?;
                self.unsent.notify_one();
            }
            counter!("fm_outbox_settled_total", "service" => self.service).increment(known.len() as u64);
            unknown += lost.len();
            if ids.len() < MAX_KNOWN_IDS {
                break;
            }
        }
        let depth = self.outbox.depth().await?;
        gauge!("fm_outbox_depth", "service" => self.service).set(depth as f64);
        Ok(Settled { unknown, waiting: depth > 0 })
    }
}

/// What a look at the published rows found.
struct Settled {
    /// Rows that go out again.
    unknown: usize,
    /// Rows are left, sent or not.
    waiting: bool,
}
