//! Jobs over a real broker that loses what it has, and consumers that die between store and broker.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bus_amqp::{AmqpBus, AmqpSettings};
use common::jobs::{JobState, JobStore as _, NewJob};
use testkit::servers::RabbitMq;

use crate::relay::Producer;
use crate::support::{Does, Running, World, registry, until, until_true};

fn bus(broker: &RabbitMq) -> Arc<AmqpBus> {
    let settings = AmqpSettings { prefix: "test.".to_owned(), ..AmqpSettings::new(broker.url()) };
    Arc::new(AmqpBus::start(settings).unwrap())
}

fn run(world: &World, broker: &RabbitMq, handler: &Arc<Does>) -> Running {
    Running::start(world.service_by(registry(&[handler]), bus(broker), Arc::clone(&world.clock) as _))
}

async fn caused(world: &World, producer: &Producer, count: usize) -> Vec<NewJob> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        jobs.push(producer.cause(world).await);
    }
    jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_its_queues_loses_no_job() {
    let mut broker = RabbitMq::start().await.unwrap();
    let world = World::new();
    let producer = Producer::over(&world, bus(&broker), 2);
    // nobody consumes yet: what is confirmed stands in the queue
    let before = caused(&world, &producer, 20).await;
    until_true("the confirms", || producer.bus.delivered.load(Ordering::SeqCst) >= 20).await;
    broker.restart_empty().await.unwrap();
    let after = caused(&world, &producer, 5).await;
    let handler = Does::nothing("t");
    let running = run(&world, &broker, &handler);
    for job in before.iter().chain(&after) {
        world.until_state(job.id, JobState::Complete).await;
    }
    producer.until_settled().await;
    assert_eq!(handler.runs(), 25);
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_dies_before_it_acknowledges_causes_nothing_twice() {
    let broker = RabbitMq::start().await.unwrap();
    let world = World::new();
    let producer = Producer::over(&world, bus(&broker), 1);
    let jobs = caused(&world, &producer, 10).await;
    world.store.silent_inserts.store(true, Ordering::SeqCst);
    // it works nothing, so that what is counted is the next one's
    let dying = Running::start(world.service_by(
        worker_service::Registry::default(),
        bus(&broker),
        Arc::clone(&world.clock) as _,
    ));
    until("a job in the store", || async {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        (!world.store.known(&ids).await.unwrap().is_empty()).then_some(())
    })
    .await;
    dying.kill().await;
    world.store.silent_inserts.store(false, Ordering::SeqCst);
    let handler = Does::nothing("t");
    let running = run(&world, &broker, &handler);
    for job in &jobs {
        let done = world.until_state(job.id, JobState::Complete).await;
        assert_eq!(done.attempts_made, 1);
    }
    producer.until_settled().await;
    assert_eq!(handler.runs(), 10);
    producer.stop().await;
    running.stop().await;
}
