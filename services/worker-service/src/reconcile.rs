//! Puts right what time brings: delays that are over, workers that died, jobs that nobody asks about any more. Any number of processes may do it at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{JobAdmin, JobState, JobStore};
use common::notifications::NotificationStore;
use common::webhooks::WebhookStore;
use common::{Causes, Clock, PortResult, Timestamp};
use metrics::{counter, gauge};
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::work::{Bells, GivenUp};
use crate::{Parts, Retention};

/// Jobs in one commit.
const BATCH: u32 = 500;
/// Shortest sleep of the promoter.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// The promoter, the reaper and the remover of finished jobs and of what was told of them.
#[derive(Clone)]
pub(crate) struct Reconciler {
    store: Arc<dyn JobStore>,
    admin: Arc<dyn JobAdmin>,
    webhooks: Arc<dyn WebhookStore>,
    notifications: Arc<dyn NotificationStore>,
    clock: Arc<dyn Clock>,
    bells: Bells,
    given_up: GivenUp,
    look_around: Duration,
    retention: Retention,
}

impl Reconciler {
    pub(crate) fn new(parts: &Parts, bells: Bells, given_up: GivenUp) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            admin: Arc::clone(&parts.admin),
            webhooks: Arc::clone(&parts.webhooks),
            notifications: Arc::clone(&parts.notifications),
            clock: Arc::clone(&parts.clock),
            bells,
            given_up,
            look_around: parts.settings.look_around,
            retention: parts.settings.retention,
        }
    }

    /// Works until `stop` is cancelled. Each step is one commit that may be repeated, so this may be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.promote() => {}
            () = self.reap() => {}
            () = self.measure() => {}
            () = self.remove() => {}
        }
    }

    async fn promote(&self) {
        let mut delay = RetryDelay::default();
        loop {
            let wait = match self.promote_due().await {
                Ok(next) => {
                    delay.reset();
                    let until_due = next.map_or(self.look_around, |at| at.since(self.clock.now()));
                    // never hot, even if the store finds a job due that it does not promote
                    until_due.clamp(SHORTEST_SLEEP.min(self.look_around), self.look_around)
                }
                Err(error) => {
                    let wait = delay.next_delay();
                    tracing::warn!(cause = %Causes(&error), ?wait, "cannot promote delayed jobs");
                    sleep(wait).await;
                    continue;
                }
            };
            tokio::select! {
                () = self.bells.promoter_called() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Makes all due jobs ready; when the next one is due.
    async fn promote_due(&self) -> PortResult<Option<Timestamp>> {
        loop {
            let types = self.store.promote_due(BATCH, self.clock.now()).await?;
            if types.is_empty() {
                return self.store.next_due().await;
            }
            self.bells.ring(&distinct(types)).await;
        }
    }

    async fn reap(&self) {
        loop {
            if let Err(error) = self.reap_all().await {
                tracing::warn!(cause = %Causes(&error), "cannot look for jobs whose worker died");
            }
            sleep(self.look_around).await;
        }
    }

    async fn reap_all(&self) -> PortResult<()> {
        loop {
            let types = self.store.reap(BATCH, self.clock.now()).await?;
            if types.is_empty() {
                break;
            }
            counter!("fm_jobs_reaped_total").increment(types.len() as u64);
            tracing::warn!(jobs = types.len(), "took jobs from workers that did not report in time");
            // some may have failed for good by this, others are ready or delayed
            self.given_up.look_again();
            self.bells.ring(&distinct(types)).await;
        }
        Ok(())
    }

    /// By itself: where jobs are many, counting them takes longer than a worker may be silent.
    async fn measure(&self) {
        loop {
            if let Err(error) = self.measure_depths().await {
                tracing::warn!(cause = %Causes(&error), "cannot count jobs");
            }
            sleep(self.look_around).await;
        }
    }

    async fn measure_depths(&self) -> PortResult<()> {
        let counts = self.admin.depths(self.clock.now()).await?;
        for state in JobState::ALL {
            let count = counts.get(&state).copied().unwrap_or(0);
            gauge!("fm_jobs_depth", "state" => state.word()).set(count as f64);
        }
        Ok(())
    }

    async fn remove(&self) {
        loop {
            if let Err(error) = self.remove_finished().await {
                tracing::warn!(cause = %Causes(&error), "cannot remove finished jobs");
            }
            if let Err(error) = self.forget_told().await {
                tracing::warn!(cause = %Causes(&error), "cannot forget what was told of jobs");
            }
            sleep(self.retention.every).await;
        }
    }

    async fn remove_finished(&self) -> PortResult<()> {
        let Retention { complete, failed, .. } = self.retention;
        for (state, keep) in
            [(JobState::Complete, complete), (JobState::Cancelled, complete), (JobState::Failed, failed)]
        {
            loop {
                let now = self.clock.now();
                let removed = self.store.remove_finished(state, now - keep, BATCH, now).await?;
                counter!("fm_jobs_removed_total", "state" => state.word()).increment(removed.into());
                if removed < BATCH {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn forget_told(&self) -> PortResult<()> {
        let Retention { deliveries, notifications, .. } = self.retention;
        while self.webhooks.forget_deliveries(self.clock.now() - deliveries, BATCH).await? >= BATCH {}
        while self.notifications.forget_notifications(self.clock.now() - notifications, BATCH).await? >= BATCH
        {
        }
        Ok(())
    }
}

fn distinct(types: Vec<String>) -> Vec<String> {
    Vec::from_iter(BTreeSet::from_iter(types))
}
