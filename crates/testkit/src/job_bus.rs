//! What every [`JobBus`] promises.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use common::jobs::{Doorbells, JobBus, NewJob, Submissions, types};
use common::{Clock as _, JobId};

use crate::wait::soon;
use crate::{TestClock, TestIds, a_trace};

/// A fresh bus.
pub struct BusSubject {
    /// The bus.
    pub bus: Arc<dyn JobBus>,
    ids: TestIds,
    _keep: Box<dyn Any + Send + Sync>,
}

impl BusSubject {
    /// A subject over an empty bus; `keep` lives as long as it does.
    pub fn new(bus: Arc<dyn JobBus>, keep: impl Any + Send + Sync) -> Self {
        Self { bus, ids: TestIds::new(), _keep: Box::new(keep) }
    }

    fn job(&self) -> NewJob {
        types::welcome_mail(self.ids.next(), self.ids.next(), TestClock::default().now())
    }

    fn jobs(&self, count: usize) -> Vec<NewJob> {
        (0..count).map(|_| self.job()).collect()
    }
}

/// Takes, and acknowledges, until all of these have come.
async fn receive(from: &mut dyn Submissions, wanted: &BTreeSet<JobId>) -> BTreeSet<JobId> {
    let mut came = BTreeSet::new();
    while !came.is_superset(wanted) {
        let submission = soon(from.next()).await.unwrap();
        came.insert(submission.job().id);
        submission.acknowledge().await.unwrap();
    }
    came
}

fn ids(jobs: &[NewJob]) -> BTreeSet<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// A job arrives with all that it was sent with.
pub async fn a_job_arrives_whole(subject: &BusSubject) {
    let mut job = subject.job();
    job.request_id = Some("request".to_owned());
    job.trace = Some(a_trace());
    job.run_at = Some(TestClock::default().now());
    let mut consumer = subject.bus.submissions().await.unwrap();
    subject.bus.submit(std::slice::from_ref(&job)).await.unwrap();
    let submission = soon(consumer.next()).await.unwrap();
    assert_eq!(submission.job(), &job);
    submission.acknowledge().await.unwrap();
}

/// What was sent before anybody consumed is kept for the first who does.
pub async fn jobs_wait_for_a_consumer(subject: &BusSubject) {
    let jobs = subject.jobs(50);
    subject.bus.submit(&jobs).await.unwrap();
    let mut consumer = subject.bus.submissions().await.unwrap();
    assert_eq!(receive(&mut *consumer, &ids(&jobs)).await, ids(&jobs));
}

/// Each job goes to one of the consumers.
pub async fn consumers_share_the_jobs(subject: &BusSubject) {
    let jobs = subject.jobs(200);
    let (sender, mut came) = tokio::sync::mpsc::unbounded_channel();
    let mut consumers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut consumer = subject.bus.submissions().await.unwrap();
        let sender = sender.clone();
        consumers.spawn(async move {
            while let Ok(submission) = consumer.next().await {
                if sender.send(submission.job().id).is_err() {
                    return;
                }
                submission.acknowledge().await.unwrap();
            }
        });
    }
    for part in jobs.chunks(30) {
        subject.bus.submit(part).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < jobs.len() {
        seen.push(soon(came.recv()).await.unwrap());
    }
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), ids(&jobs));
}

/// `try_next` takes what is there and never waits.
pub async fn what_is_there_can_be_taken_without_waiting(subject: &BusSubject) {
    let mut consumer = subject.bus.submissions().await.unwrap();
    assert!(consumer.try_next().is_none());
    let jobs = subject.jobs(10);
    subject.bus.submit(&jobs).await.unwrap();
    let mut came = BTreeSet::new();
    let first = soon(consumer.next()).await.unwrap();
    came.insert(first.job().id);
    first.acknowledge().await.unwrap();
    let all = async {
        while came.len() < jobs.len() {
            match consumer.try_next() {
                Some(submission) => {
                    came.insert(submission.job().id);
                    submission.acknowledge().await.unwrap();
                }
                None => tokio::task::yield_now().await,
            }
        }
    };
    soon(all).await;
    assert!(consumer.try_next().is_none());
    assert_eq!(came, ids(&jobs));
}

/// A wait that is given up takes no job with it.
pub async fn a_dropped_wait_loses_nothing(subject: &BusSubject) {
    let mut consumer = subject.bus.submissions().await.unwrap();
    let mut other = subject.bus.submissions().await.unwrap();
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = consumer.next() => panic!("nothing was sent"),
            () = tokio::task::yield_now() => {}
        }
    }
    let jobs = subject.jobs(2);
    subject.bus.submit(&jobs[..1]).await.unwrap();
    assert_eq!(receive(&mut *consumer, &ids(&jobs[..1])).await, ids(&jobs[..1]));
    drop(consumer);
    subject.bus.submit(&jobs[1..]).await.unwrap();
    assert_eq!(receive(&mut *other, &ids(&jobs[1..])).await, ids(&jobs[1..]));
}

async fn hears(bells: &mut dyn Doorbells, wanted: &[&str]) {
    let mut missing: BTreeSet<_> = wanted.iter().map(|kind| (*kind).to_owned()).collect();
    while !missing.is_empty() {
        let kind = soon(bells.next()).await.unwrap();
        assert!(wanted.contains(&kind.as_str()), "nobody rang for {kind}");
        missing.remove(&kind);
    }
}

fn kinds(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|kind| (*kind).to_owned()).collect()
}

/// Every listener hears every type, however often it was rung for.
pub async fn every_listener_hears_the_bell(subject: &BusSubject) {
    // nobody listens: that is no error
    subject.bus.ring(&kinds(&["unheard"])).await;
    let mut first = subject.bus.doorbells().await.unwrap();
    let mut second = subject.bus.doorbells().await.unwrap();
    for _ in 0..100 {
        subject.bus.ring(&kinds(&["a", "b"])).await;
    }
    hears(&mut *first, &["a", "b"]).await;
    hears(&mut *second, &["a", "b"]).await;
}

/// A ring between two waits is heard by the next one.
pub async fn a_ring_between_two_waits_is_heard(subject: &BusSubject) {
    let mut bells = subject.bus.doorbells().await.unwrap();
    for kind in ["a", "b", "c", "a"] {
        subject.bus.ring(&kinds(&[kind])).await;
        hears(&mut *bells, &[kind]).await;
    }
}

/// A listener that went does not disturb the others.
pub async fn a_listener_may_go(subject: &BusSubject) {
    let gone = subject.bus.doorbells().await.unwrap();
    let mut stays = subject.bus.doorbells().await.unwrap();
    drop(gone);
    subject.bus.ring(&kinds(&["a"])).await;
    hears(&mut *stays, &["a"]).await;
    subject.bus.ping().await.unwrap();
}

/// Makes tests of an async function that returns a fresh [`BusSubject`].
#[macro_export]
macro_rules! job_bus_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            job_bus,
            [
                a_job_arrives_whole,
                jobs_wait_for_a_consumer,
                consumers_share_the_jobs,
                what_is_there_can_be_taken_without_waiting,
                a_dropped_wait_loses_nothing,
                every_listener_hears_the_bell,
                a_ring_between_two_waits_is_heard,
                a_listener_may_go,
            ]
        );
    };
}
