//! Prints how many jobs a second a broker confirms, one at a time and many at once.
//!
//! `cargo run -p bus-amqp --features servers --example publish_rate`, with `FM_TEST_AMQP_URL` for a broker that runs already.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints its result, and may fail")]

use std::time::Instant;

use bus_amqp::{AmqpBus, AmqpSettings};
use common::jobs::{JobBus as _, NewJob, types};
use common::{Clock as _, PortResult};
use futures_util::future::join_all;
use testkit::servers::RabbitMq;
use testkit::{TestClock, TestIds};

#[tokio::main]
async fn main() {
    let (url, _own) = RabbitMq::shared().await.unwrap();
    let prefix = format!("rate-{:016x}.", rand::random::<u64>());
    let bus = AmqpBus::start(AmqpSettings { prefix, ..AmqpSettings::new(url) }).unwrap();
    bus.ping().await.unwrap();
    bus.submit(&jobs(500)).await.unwrap();

    report("one at a time", 1000, async |jobs| {
        for job in jobs.chunks(1) {
            bus.submit(job).await?;
        }
        Ok(())
    })
    .await;
    report("100 callers with one each", 10_000, async |jobs| {
        for hundred in jobs.chunks(100) {
            join_all(hundred.chunks(1).map(|job| bus.submit(job)))
                .await
                .into_iter()
                .collect::<PortResult<()>>()?;
        }
        Ok(())
    })
    .await;
    report("lists of 100", 10_000, async |jobs| {
        for hundred in jobs.chunks(100) {
            bus.submit(hundred).await?;
        }
        Ok(())
    })
    .await;
    report("lists of 200, as a relay has them", 10_000, async |jobs| {
        for batch in jobs.chunks(200) {
            bus.submit(batch).await?;
        }
        Ok(())
    })
    .await;
}

async fn report(what: &str, count: usize, work: impl AsyncFn(&[NewJob]) -> PortResult<()>) {
    let jobs = jobs(count);
    let begin = Instant::now();
    work(&jobs).await.unwrap();
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    println!("{what}: {rate:.0} a second");
}

fn jobs(count: usize) -> Vec<NewJob> {
    let ids = TestIds::seeded(rand::random());
    (0..count).map(|_| types::welcome_mail(ids.next(), ids.next(), TestClock::default().now())).collect()
}
