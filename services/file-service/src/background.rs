use std::future::Future;

use common::{allowance, idempotency};
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

    /// Starts work that the present request waits for, within what that may wait and under its key. Its logs are those of who starts it.
    pub(crate) fn spawn_awaited<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.spawn(allowance::carried(idempotency::carried(work)))
    }

    /// Starts work that nobody waits for. Its logs are those of who starts it.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::allowance::{Allowance, current, scope};

    use super::*;

    #[tokio::test]
    async fn only_what_a_request_waits_for_shares_its_allowance() {
        let (background, allowance) = (Background::here(), Allowance::new(Duration::from_secs(1)));
        let shares = scope(Some(allowance), async {
            let awaited = background.spawn_awaited(async { current().is_some() });
            let left = background.spawn(async { current().is_some() });
            (awaited.await.unwrap(), left.await.unwrap())
        });
        assert_eq!(shares.await, (true, false));
    }
}
