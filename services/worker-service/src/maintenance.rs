//! Has file-service clear up from time to time. Its steps are idempotent, so that any number of processes may ask at once.

use std::time::Duration;

use clients::FilesClient;
use common::files::internal::MaintenanceStep;
use common::{Causes, PortResult};
use futures_util::future::join_all;
use metrics::counter;
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::MaintenanceTask;

/// The first round comes soon after the start, so that a process that is restarted each day does what is done once a day; at most this much later.
const FIRST_ROUND: Duration = Duration::from_secs(60);
/// Longest pause after a failed round.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Runs all tasks, each by itself, until `stop` is cancelled. May be dropped at any point.
pub(crate) async fn run(files: FilesClient, tasks: Vec<MaintenanceTask>, stop: CancellationToken) {
    stop.run_until_cancelled(async {
        join_all(tasks.iter().map(|task| repeat(&files, task))).await;
        // without tasks there is nothing to do but to wait
        stop.cancelled().await;
    })
    .await;
}

async fn repeat(files: &FilesClient, task: &MaintenanceTask) {
    // spread over the time, so that processes that start together do not ask together
    sleep(FIRST_ROUND.min(task.every).mul_f64(rand::random())).await;
    let mut delay = RetryDelay::up_to(LONGEST_PAUSE);
    loop {
        let wait = match round(files, task).await {
            Ok(changed) => {
                delay.reset();
                counter!("fm_maintenance_changed_total", "task" => task.name.clone()).increment(changed);
                if changed > 0 {
                    tracing::info!(task = task.name, changed, "cleared up");
                }
                task.every
            }
            Err(error) => {
                let wait = delay.next_delay();
                tracing::warn!(task = task.name, cause = %Causes(&error), ?wait, "cannot clear up");
                wait
            }
        };
        sleep(wait).await;
    }
}

/// Takes step after step until one says that nothing is left; how many rows changed.
async fn round(files: &FilesClient, task: &MaintenanceTask) -> PortResult<u64> {
    let mut step = MaintenanceStep::default();
    let mut changed = 0;
    loop {
        let done = files.maintenance(&task.name, &step).await?;
        changed += done.changed;
        // a step that neither does anything nor knows where to go on would be repeated for ever
        if done.done || (done.changed == 0 && (done.cursor.is_none() || done.cursor == step.cursor)) {
            return Ok(changed);
        }
        step.cursor = done.cursor;
    }
}
