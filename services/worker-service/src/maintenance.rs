//! Plans the upkeep of file-service: a job for each task and period, however many processes plan it. `handlers::upkeep` does them.

use std::sync::Arc;
use std::time::Duration;

use common::jobs::{InsertOutcome, JobAdmin, JobStore, types};
use common::{Causes, Clock, PortResult};
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::handlers::UpkeepHandler;
use crate::work::Registry;
use crate::{MaintenanceTask, Parts};

/// Longest time between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// Shortest one.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);
/// Periods that are tried, where the jobs of the next ones were done early or removed by somebody.
const PERIODS: i64 = 3;

/// The handlers of these tasks, beside the others.
pub(crate) fn with_handlers(registry: Registry, parts: &Parts) -> Registry {
    parts.settings.maintenance.iter().fold(registry, |registry, task| {
        registry.with(Arc::new(UpkeepHandler::new(task.name, parts.files.clone())))
    })
}

/// Sees to it that of each task one job is under way or waits for its period.
pub(crate) struct Planner {
    store: Arc<dyn JobStore>,
    admin: Arc<dyn JobAdmin>,
    clock: Arc<dyn Clock>,
    tasks: Vec<MaintenanceTask>,
}

impl Planner {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            admin: Arc::clone(&parts.admin),
            clock: Arc::clone(&parts.clock),
            tasks: parts.settings.maintenance.clone(),
        }
    }

    /// Plans until `stop` is cancelled. May be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let Some(shortest) = self.tasks.iter().map(|task| task.every).min() else {
                return stop.cancelled().await;
            };
            let look = (shortest / 2).clamp(SHORTEST_LOOK, LONGEST_LOOK);
            let mut delay = RetryDelay::up_to(LONGEST_LOOK);
            loop {
                let wait = match self.plan().await {
                    Ok(()) => {
                        delay.reset();
                        look
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot plan upkeep");
                        wait
                    }
                };
                sleep(wait).await;
            }
        })
        .await;
    }

    async fn plan(&self) -> PortResult<()> {
        let types = self.admin.types().await?.types;
        for task in &self.tasks {
            let counts = types.iter().find(|found| found.kind == task.name).map(|found| &found.counts);
            let is_live = counts
                .is_some_and(|counts| counts.iter().any(|(state, count)| state.is_live() && *count > 0));
            if !is_live {
                self.plan_next(task).await?;
            }
        }
        Ok(())
    }

    /// Inserts the job of the next period. It waits there for its time, so that it is done even if nothing runs when the period begins.
    async fn plan_next(&self, task: &MaintenanceTask) -> PortResult<()> {
        let now = self.clock.now();
        let next = types::upkeep_period(task.every, now) + 1;
        for period in next..next + PERIODS {
            let job = types::upkeep(task.name, task.every, period, now);
            let id = job.id;
            let outcome = self.store.insert(&[job], now).await?;
            if outcome.first() != Some(&InsertOutcome::Known)
                || self.store.find(id).await?.is_some_and(|job| job.state.is_live())
            {
                return Ok(());
            }
            // it was done early, or somebody removed it: this period is served
        }
        Ok(())
    }
}
