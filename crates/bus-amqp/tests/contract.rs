//! The bus on a real broker keeps the contract of its port, and what this adapter promises beyond it.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

mod support;

use std::sync::Arc;

use bus_amqp::{AmqpBus, AmqpSettings, InvalidSettings};
use common::jobs::JobBus as _;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeleteOptions};
use lapin::types::AMQPValue;
use lapin::{Connection, ConnectionProperties};
use testkit::job_bus::BusSubject;
use testkit::servers::RabbitMq;

use support::{eventually, ids, jobs, receive, settings, unavailable};
use testkit::wait::soon;

async fn subject() -> BusSubject {
    let (url, own) = RabbitMq::shared().await.unwrap();
    BusSubject::new(Arc::new(AmqpBus::start(settings(&url)).unwrap()), own)
}

testkit::job_bus_suite!(subject);

struct Fixture {
    bus: AmqpBus,
    settings: AmqpSettings,
    _own: Option<RabbitMq>,
}

impl Fixture {
    async fn new(change: impl FnOnce(&mut AmqpSettings)) -> Self {
        let (url, own) = RabbitMq::shared().await.unwrap();
        let mut settings = settings(&url);
        change(&mut settings);
        let bus = AmqpBus::start(settings.clone()).unwrap();
        bus.ping().await.unwrap();
        Self { bus, settings, _own: own }
    }

    fn name(&self, base: &str) -> String {
        format!("{}{base}", self.settings.prefix)
    }
}

/// Somebody else's connection.
async fn stranger(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_consumer_leaves_behind_goes_to_another() {
    let fixture = Fixture::new(|_| ()).await;
    let jobs = jobs(20);
    let mut first = fixture.bus.submissions().await.unwrap();
    fixture.bus.submit(&jobs).await.unwrap();
    let taken = soon(first.next()).await.unwrap();
    let mut second = fixture.bus.submissions().await.unwrap();
    drop((first, taken));
    receive(&mut *second, &ids(&jobs)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_holds_no_more_than_its_share() {
    let fixture = Fixture::new(|settings| settings.prefetch = 3).await;
    let mut greedy = fixture.bus.submissions().await.unwrap();
    let jobs = jobs(5);
    fixture.bus.submit(&jobs).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(soon(greedy.next()).await.unwrap());
    }
    let mut other = fixture.bus.submissions().await.unwrap();
    let rest = &ids(&jobs) - &held.iter().map(|held| held.job().id).collect();
    receive(&mut *other, &rest).await;
    assert!(greedy.try_next().is_none());
    for held in held {
        held.acknowledge().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_read_goes_to_the_dead_letters() {
    let fixture = Fixture::new(|_| ()).await;
    let (submit, dead) = (fixture.name("job.submit"), fixture.name("job.dead"));
    let connection = stranger(&fixture.settings.url).await;
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(Default::default()).await.unwrap();
    let bodies: [&[u8]; 3] = [b"", b"not JSON", br#"{"id": 5}"#];
    for body in bodies {
        let options = BasicPublishOptions::default();
        channel
            .basic_publish("".into(), submit.as_str().into(), options, body, Default::default())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let jobs = jobs(3);
    fixture.bus.submit(&jobs).await.unwrap();
    let mut consumer = fixture.bus.submissions().await.unwrap();
    receive(&mut *consumer, &ids(&jobs)).await;
    let mut found = Vec::new();
    soon(async {
        while found.len() < bodies.len() {
            let options = BasicGetOptions { no_ack: true };
            match channel.basic_get(dead.as_str().into(), options).await.unwrap() {
                Some(message) => found.push(message.delivery.data),
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    found.sort();
    assert_eq!(found, bodies);
    assert!(consumer.try_next().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_say_what_they_are() {
    let fixture = Fixture::new(|_| ()).await;
    let mut job = jobs(1).remove(0);
    job.request_id = Some("a-request".to_owned());
    job.trace = Some(testkit::a_trace());
    fixture.bus.submit(std::slice::from_ref(&job)).await.unwrap();
    let connection = stranger(&fixture.settings.url).await;
    let channel = connection.create_channel().await.unwrap();
    let queue = fixture.name("job.submit");
    let message = channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true }).await.unwrap();
    let message = message.expect("the job is there").delivery;
    assert_eq!(serde_json::from_slice::<common::jobs::NewJob>(&message.data).unwrap(), job);
    let properties = message.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
    assert_eq!(text(properties.content_type()).as_deref(), Some("application/json"));
    assert_eq!(text(properties.message_id()), Some(job.id.to_string()));
    assert_eq!(text(properties.correlation_id()), job.request_id);
    assert_eq!(text(properties.kind()).as_deref(), Some("job.submit"));
    assert_eq!(*properties.delivery_mode(), Some(2));
    let headers = properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers.get("fm-version"), Some(&AMQPValue::LongInt(1)));
    let trace = AMQPValue::LongString(testkit::a_trace().to_string().into());
    assert_eq!(headers.get("traceparent"), Some(&trace));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_is_declared_again() {
    let fixture = Fixture::new(|_| ()).await;
    let mut consumer = fixture.bus.submissions().await.unwrap();
    let connection = stranger(&fixture.settings.url).await;
    let channel = connection.create_channel().await.unwrap();
    let queue = fixture.name("job.submit");
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    unavailable(&soon(consumer.next()).await.err().expect("the consumer ends"));
    unavailable(&soon(consumer.next()).await.err().expect("it stays ended"));
    assert!(consumer.try_next().is_none());

    // nobody takes it: that is a failure, although the broker acknowledges
    let jobs = jobs(2);
    unavailable(&fixture.bus.submit(&jobs).await.unwrap_err());
    eventually(async || fixture.bus.submit(&jobs).await).await;
    let mut consumer = eventually(async || fixture.bus.submissions().await).await;
    receive(&mut *consumer, &ids(&jobs)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_and_long_lists_are_confirmed() {
    let fixture = Fixture::new(|_| ()).await;
    let jobs = jobs(1500);
    let (long, short) = jobs.split_at(1000);
    let singly = short.chunks(1).map(|job| fixture.bus.submit(job));
    let (list, singly) = tokio::join!(fixture.bus.submit(long), futures_util::future::join_all(singly));
    list.unwrap();
    singly.into_iter().for_each(Result::unwrap);
    let mut consumer = fixture.bus.submissions().await.unwrap();
    receive(&mut *consumer, &ids(&jobs)).await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let refused = |settings| AmqpBus::start(settings).err().expect("it is refused");
    let wrong = refused(AmqpSettings::new("http://user:secret@localhost"));
    assert!(matches!(wrong, InvalidSettings::Url(_)));
    assert!(!wrong.to_string().contains("secret"), "{wrong}");
    let prefix = "x".repeat(101);
    let long = AmqpSettings { prefix, ..AmqpSettings::new("amqp://localhost") };
    assert!(matches!(refused(long), InvalidSettings::LongPrefix));
    // the client library would not encrypt, and not tell
    #[cfg(not(feature = "amqps"))]
    assert!(matches!(refused(AmqpSettings::new("amqps://localhost")), InvalidSettings::NoTls));
    let debug = format!("{:?}", AmqpSettings::new("amqp://user:secret@localhost"));
    assert!(!debug.contains("secret"), "{debug}");
}
