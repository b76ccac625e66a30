//! What happens when the broker fails. Each test has a broker of its own.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

mod support;

use std::time::Duration;

use bus_amqp::{AmqpBus, AmqpSettings};
use common::jobs::JobBus as _;
use testkit::servers::RabbitMq;

use support::{eventually, ids, jobs, receive, settings, unavailable};
use testkit::wait::soon;

/// A broker, and settings that give up on it soon.
async fn broker() -> (RabbitMq, AmqpSettings) {
    let broker = RabbitMq::start().await.unwrap();
    let settings = AmqpSettings {
        connect_deadline: Duration::from_secs(2),
        confirm_deadline: Duration::from_secs(3),
        ..settings(&broker.url())
    };
    (broker, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_before_it_confirms_is_an_error_and_then_history() {
    let (mut broker, settings) = broker().await;
    let bus = AmqpBus::start(settings.clone()).unwrap();
    bus.ping().await.unwrap();
    broker.has_written_down(&format!("{}job.submit", settings.prefix)).await;
    let (before, lost) = (jobs(5), jobs(5));
    bus.submit(&before).await.unwrap();
    let mut consumer = bus.submissions().await.unwrap();
    let mut bells = bus.doorbells().await.unwrap();

    broker.freeze();
    let publish = bus.submit(&lost);
    let mut publish = std::pin::pin!(publish);
    // it is on its way, and not confirmed
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut publish).await.is_err());
    broker.kill();
    unavailable(&soon(publish).await.unwrap_err());
    // what had arrived may still be told before the end is
    let ended = async {
        loop {
            match consumer.next().await {
                Ok(submission) => unavailable(&submission.acknowledge().await.unwrap_err()),
                Err(error) => return error,
            }
        }
    };
    unavailable(&soon(ended).await);
    unavailable(&soon(bells.next()).await.unwrap_err());
    // nobody waits for a broker that is known to be away
    eventually(async || match bus.ping().await {
        Ok(()) => Err(common::PortError::unavailable("bus", "it still counts as connected")),
        Err(_) => Ok(()),
    })
    .await;
    unavailable(&soon(bus.submit(&lost)).await.unwrap_err());
    unavailable(&soon(bus.submissions()).await.err().expect("nobody is there"));
    bus.ring(&["thumbnails".to_owned()]).await;

    broker.restart().await.unwrap();
    eventually(async || bus.ping().await).await;
    eventually(async || bus.submit(&lost).await).await;
    let mut consumer = eventually(async || bus.submissions().await).await;
    receive(&mut *consumer, &(&ids(&before) | &ids(&lost))).await;
    let mut bells = eventually(async || bus.doorbells().await).await;
    bus.ring(&["thumbnails".to_owned()]).await;
    assert_eq!(soon(bells.next()).await.unwrap(), "thumbnails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_comes_back_empty_gets_everything_declared_again() {
    let (mut broker, settings) = broker().await;
    let bus = AmqpBus::start(settings).unwrap();
    bus.submit(&jobs(5)).await.unwrap();
    let mut consumer = bus.submissions().await.unwrap();
    broker.restart_empty().await.unwrap();
    let ended = async {
        while let Ok(submission) = consumer.next().await {
            drop(submission);
        }
    };
    soon(ended).await;
    let after = jobs(5);
    eventually(async || bus.submit(&after).await).await;
    let mut consumer = eventually(async || bus.submissions().await).await;
    receive(&mut *consumer, &ids(&after)).await;
    let mut bells = eventually(async || bus.doorbells().await).await;
    bus.ring(&["thumbnails".to_owned()]).await;
    assert_eq!(soon(bells.next()).await.unwrap(), "thumbnails");
}

/// Nothing is published meanwhile that would find it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_is_not_taken_for_a_working_one() {
    let (broker, settings) = broker().await;
    let bus = AmqpBus::start(settings).unwrap();
    bus.ping().await.unwrap();
    broker.freeze();
    unavailable(&soon(bus.ping()).await.unwrap_err());
    broker.thaw();
    eventually(async || bus.ping().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_holds_nobody_up() {
    let (broker, settings) = broker().await;
    let bus = AmqpBus::start(settings).unwrap();
    bus.ping().await.unwrap();
    broker.freeze();
    let late = jobs(2);
    unavailable(&soon(bus.submit(&late)).await.unwrap_err());
    for _ in 0..5 {
        unavailable(&soon(bus.submissions()).await.err().expect("it does not answer"));
        unavailable(&soon(bus.doorbells()).await.err().expect("it does not answer"));
        unavailable(&soon(bus.submit(&late)).await.unwrap_err());
        unavailable(&soon(bus.ping()).await.unwrap_err());
        bus.ring(&["thumbnails".to_owned()]).await;
    }
    // each connection has a thread in the client library: those that were given up must not pile up; one may be under way
    eventually(async || match library_threads() {
        0..=1 => Ok(()),
        many => Err(common::PortError::unavailable("bus", format!("{many} threads"))),
    })
    .await;
    broker.thaw();
    eventually(async || bus.submit(&late).await).await;
    let mut consumer = eventually(async || bus.submissions().await).await;
    receive(&mut *consumer, &ids(&late)).await;
}

/// Threads of the client library in this process. The test runner gives each test a process; with another, other tests count in.
fn library_threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // a thread may end meanwhile
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|name| name.starts_with("lapin-io-loop")).count()
}
