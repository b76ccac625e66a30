//! Plans the upkeep of file-service: a job for each task and period, however many processes plan it. `handlers::upkeep` does them.

use std::sync::Arc;
use std::time::Duration;

use common::jobs::{
    ChangeJobError, InsertOutcome, Job, JobAdmin, JobFilter, JobOrder, JobState, JobStore, NewJob, TypeUse,
    types,
};
use common::{Causes, Clock, PortResult, Timestamp};
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::handlers::UpkeepHandler;
use crate::work::Registry;
use crate::{BuiltInJobs, MaintenanceTask, Parts};

/// Longest time between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// Shortest one.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);
/// Longest time from a task's first planning to its first job. Else the first look at all contents (each 30 days) came up to a month after an installation, or
/// after the update that brought the task. Not at once, since programs have more to do when they start.
const FIRST_WITHIN: Duration = Duration::from_secs(3600);
/// The same for the task that makes files of a version before search be found: people wait for it.
const FIRST_INDEX_WITHIN: Duration = Duration::from_secs(10);
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
    jobs: BuiltInJobs,
}

impl Planner {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            admin: Arc::clone(&parts.admin),
            clock: Arc::clone(&parts.clock),
            tasks: parts.settings.maintenance.clone(),
            jobs: parts.settings.jobs.clone(),
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
            let mut is_first = true;
            loop {
                let wait = match self.plan(is_first).await {
                    Ok(()) => {
                        is_first = false;
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

    /// One look at all tasks. At the first one of the process its settings may be new.
    async fn plan(&self, is_first: bool) -> PortResult<()> {
        for task in &self.tasks {
            match self.admin.type_use(task.name).await? {
                TypeUse::Live if is_first => self.bring_forward(task).await?,
                TypeUse::Live => {}
                used => self.plan_next(task, used == TypeUse::Never).await?,
            }
        }
        Ok(())
    }

    /// Plans anew where the waiting job was made by an older setting, for later than this one says: what is set counts from now on, not from a month later.
    async fn bring_forward(&self, task: &MaintenanceTask) -> PortResult<()> {
        let (kind, state) = (Some(task.name.to_owned()), Some(JobState::Delayed));
        let filter = JobFilter { kind, state, ..JobFilter::default() };
        let waiting = self.admin.list(&filter, JobOrder::Ascending, None, 1).await?.items.pop();
        let now = self.clock.now();
        let next = next_begin(task, now);
        let is_late = |job: &Job| {
            let at = job.spec.run_at.filter(|at| job.attempts_made == 0 && *at > next);
            let ours =
                |at| types::upkeep(task.name, task.every, types::upkeep_period(task.every, at), now).id;
            at.is_some_and(|at| ours(at) != job.spec.id)
        };
        let Some(job) = waiting.filter(is_late) else { return Ok(()) };
        match self.admin.remove(job.spec.id, now).await {
            Ok(()) => self.plan_next(task, false).await,
            // it has begun, or another process was faster
            Err(ChangeJobError::NotFound | ChangeJobError::State(_) | ChangeJobError::Taken(_)) => Ok(()),
            Err(ChangeJobError::Port(error)) => Err(error),
        }
    }

    /// Inserts the job of the next period. It waits there for its time, so that it is done even if nothing runs when the period begins. A task that is new here
    /// has one in this period, too, unless the next one begins soon.
    async fn plan_next(&self, task: &MaintenanceTask, is_new: bool) -> PortResult<()> {
        let now = self.clock.now();
        let next = types::upkeep_period(task.every, now) + 1;
        let soon = now + if task.name == types::INDEX_FILES { FIRST_INDEX_WITHIN } else { FIRST_WITHIN };
        if is_new && next_begin(task, now) > soon {
            let [first, following] =
                [next - 1, next].map(|period| types::upkeep(task.name, task.every, period, now));
            // who removed the waiting job did not ask for one at once
            if self.store.known(&[following.id]).await?.is_empty() {
                let first = self.jobs.apply(NewJob { run_at: Some(soon), ..first });
                let outcome = self.store.insert(&[first], now).await?;
                if outcome.first() != Some(&InsertOutcome::Known) {
                    return Ok(());
                }
            }
        }
        for period in next..next + PERIODS {
            let job = self.jobs.apply(types::upkeep(task.name, task.every, period, now));
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

/// When the next period of a task begins.
fn next_begin(task: &MaintenanceTask, now: Timestamp) -> Timestamp {
    let job = types::upkeep(task.name, task.every, types::upkeep_period(task.every, now) + 1, now);
    job.run_at.unwrap_or(Timestamp::MAX)
}
