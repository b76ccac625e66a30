use std::sync::Arc;
use std::time::Duration;

use common::jobs::{Job, JobAdmin, JobFilter, JobOrder, JobState};
use common::{Causes, Clock, PortResult};
use runtime::retry::RetryDelay;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{JobHandler, Registry};

/// Jobs that the store got longer ago than this are not looked at again. The built-in types use up their attempts within the hour.
const HORIZON: Duration = Duration::from_secs(24 * 3600);
/// Jobs in one page of a look.
const PAGE: u32 = 200;
/// Longest pause between looks while handlers cannot be told.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sees to it that handlers learn of their jobs that have failed for good: at once, or later when that fails, or when a worker died over the last attempt.
#[derive(Clone)]
pub(crate) struct GivenUp {
    registry: Registry,
    store: Arc<dyn JobAdmin>,
    clock: Arc<dyn Clock>,
    look: Arc<Notify>,
}

impl GivenUp {
    pub(crate) fn new(registry: Registry, store: Arc<dyn JobAdmin>, clock: Arc<dyn Clock>) -> Self {
        Self { registry, store, clock, look: Arc::default() }
    }

    /// Tells the handler now; a failure is made good by a look.
    pub(super) async fn tell(&self, handler: &Arc<dyn JobHandler>, job: &Job, reason: &str) {
        if let Err(error) = handler.given_up(job, reason).await {
            tracing::warn!(job = %job.spec.id, cause = %error, "cannot tell the handler that its job was given up");
            self.look_again();
        }
    }

    /// Some job may have failed without its handler knowing.
    pub(crate) fn look_again(&self) {
        self.look.notify_one();
    }

    /// Looks when it starts, since the process may have died over a job, and whenever it is asked to.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let work = async {
            let mut delay = RetryDelay::up_to(LONGEST_PAUSE);
            loop {
                match self.tell_all().await {
                    Ok(true) => {
                        delay.reset();
                        self.look.notified().await;
                    }
                    Ok(false) => sleep(delay.next_delay()).await,
                    Err(error) => {
                        tracing::warn!(cause = %Causes(&error), "cannot look for jobs that were given up");
                        sleep(delay.next_delay()).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// Tells the handlers of all jobs that failed lately; false if one could not be told.
    async fn tell_all(&self) -> PortResult<bool> {
        let oldest = self.clock.now() - HORIZON;
        let mut all_told = true;
        for handler in self.registry.iter() {
            let filter = JobFilter {
                kind: Some(handler.kind().to_owned()),
                state: Some(JobState::Failed),
                ..JobFilter::default()
            };
            let mut after = None;
            'pages: loop {
                let page = self.store.list(&filter, JobOrder::Descending, after, PAGE).await?;
                for job in &page.items {
                    if job.inserted_at < oldest {
                        break 'pages;
                    }
                    let reason = job.error.as_deref().unwrap_or("It failed");
                    if let Err(error) = handler.given_up(job, reason).await {
                        tracing::warn!(job = %job.spec.id, cause = %error, "cannot tell the handler that its job was given up");
                        all_told = false;
                    }
                }
                after = page.items.last().map(|job| job.number);
                if !page.more {
                    break;
                }
            }
        }
        Ok(all_told)
    }
}
