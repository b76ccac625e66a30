use std::collections::BTreeSet;

use bus_amqp::AmqpSettings;
use common::jobs::{NewJob, Submissions, types};
use common::{Clock as _, JobId, PortError, PortResult};
use testkit::wait::{self, soon};
use testkit::{TestClock, TestIds};

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

/// Tries again until the broker has come back.
pub(crate) async fn eventually<T>(what: impl AsyncFn() -> PortResult<T>) -> T {
    wait::recovered("bus", what).await
}

#[track_caller]
pub(crate) fn unavailable(error: &PortError) {
    wait::assert_unavailable("bus", error);
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
