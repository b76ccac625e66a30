use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Work that goes on after its request was answered, or although its client went away.
///
/// It runs on the runtime that the service was made on. A handler's own runtime ends with its server thread, at shut-down before anybody could wait for
/// the work.
#[derive(Debug, Clone)]
pub(crate) struct Background {
    tracker: TaskTracker,
    runtime: Handle,
}

impl Background {
    /// On the present runtime.
    pub(crate) fn here() -> Self {
        Self { tracker: TaskTracker::new(), runtime: Handle::current() }
    }

    /// Starts work. Its logs are those of who starts it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn_on(work.in_current_span(), &self.runtime)
    }

    /// Waits until all work has ended.
    pub(crate) async fn finish(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
