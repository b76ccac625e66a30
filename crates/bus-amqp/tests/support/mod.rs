use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use bus_amqp::AmqpSettings;
use common::jobs::{NewJob, Submissions, types};
use common::{Clock as _, JobId, PortError};
use testkit::{TestClock, TestIds};
use tokio::time::{sleep, timeout};

/// Longest wait for anything that does not start a broker.
const DEADLINE: Duration = Duration::from_secs(60);

/// Queues of its own on a broker that others use too.
pub(crate) fn settings(url: &str) -> AmqpSettings {
    AmqpSettings { prefix: format!("test-{:016x}.", rand::random::<u64>()), ..AmqpSettings::new(url) }
}

pub(crate) fn jobs(count: usize) -> Vec<NewJob> {
    let ids = TestIds::seeded(rand::random());
    (0..count).map(|_| types::welcome_mail(ids.next(), ids.next(), TestClock::default().now())).collect()
}

pub(crate) fn ids(jobs: &[NewJob]) -> BTreeSet<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it happens before the deadline")
}

/// Tries again until it works.
pub(crate) async fn eventually<T>(what: impl AsyncFn() -> Result<T, PortError>) -> T {
    soon(async {
        loop {
            match what().await {
                Ok(value) => return value,
                Err(error) => unavailable(&error),
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[track_caller]
pub(crate) fn unavailable(error: &PortError) {
    assert!(matches!(error, PortError::Unavailable { part: "bus", .. }), "{error:?}");
}

/// Takes, and acknowledges, until all of these have come.
pub(crate) async fn receive(from: &mut dyn Submissions, wanted: &BTreeSet<JobId>) {
    let mut came = BTreeSet::new();
    while !came.is_superset(wanted) {
        let submission = soon(from.next()).await.unwrap();
        came.insert(submission.job().id);
        submission.acknowledge().await.unwrap();
    }
}
