//! What stores of jobs do later than the changes themselves: events get their places, texts come into their index, old events are forgotten. Any number of
//! processes may do it at once.

use std::sync::Arc;
use std::time::Duration;

use common::jobs::{JobAdmin, JobEvents};
use common::{Causes, Clock, PortResult};
use metrics::counter;
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Parts;

/// Jobs, or events, in one call.
const BATCH: u32 = 500;

/// Keeps the books.
pub(crate) struct Bookkeeper {
    admin: Arc<dyn JobAdmin>,
    events: Arc<dyn JobEvents>,
    clock: Arc<dyn Clock>,
    look_around: Duration,
    keep_events: Duration,
}

impl Bookkeeper {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            admin: Arc::clone(&parts.admin),
            events: Arc::clone(&parts.events),
            clock: Arc::clone(&parts.clock),
            look_around: parts.settings.look_around,
            keep_events: parts.settings.retention.events,
        }
    }

    /// Works until `stop` is cancelled. May be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let mut delay = RetryDelay::default();
            loop {
                match self.keep().await {
                    Ok(true) => delay.reset(),
                    Ok(false) => {
                        delay.reset();
                        sleep(self.look_around).await;
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot keep the books of jobs");
                        sleep(wait).await;
                    }
                }
            }
        })
        .await;
    }

    /// Takes each of the books a step further, so that none waits for another that does not end; whether there may be more.
    async fn keep(&self) -> PortResult<bool> {
        let ordered = self.events.order_events(BATCH, self.clock.now()).await?;
        let indexed = self.admin.index_text(BATCH).await?;
        let forgotten = self.events.forget_events(self.clock.now() - self.keep_events, BATCH).await?;
        counter!("fm_jobs_events_forgotten_total").increment(forgotten.into());
        Ok([ordered, indexed, forgotten].into_iter().any(|step| step >= BATCH))
    }
}
