//! From the commit that causes a job to its one effect, whatever is lost on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::auth::{Address, AuthStore as _, Role, User};
use common::jobs::{Doorbells, JobBus, JobState, KnownJobs, NewJob, Outbox, Submissions};
use common::{Clock as _, JobId, PortError, PortResult, UserId};
use runtime::relay::{Relay, RelaySettings};
use store_sqlite::{AuthDb, OpenOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Does, World, registry, until, until_true};

/// A relay that does not wait long for anything.
pub(crate) fn quick(outbox: Arc<dyn Outbox>, bus: Arc<dyn JobBus>, known: Arc<dyn KnownJobs>) -> Relay {
    let settings = RelaySettings {
        look_around: Duration::from_millis(20),
        settle_after: Duration::from_millis(20),
        settle_after_most: Duration::from_millis(40),
        ..RelaySettings::default()
    };
    // rows settle by the clock, so this one has to move
    Relay::new("test", outbox, bus, known, Arc::new(runtime::SystemClock), settings)
}

/// A bus between producers and the service that loses what it was told to lose.
pub(crate) struct Losing {
    bus: Arc<dyn JobBus>,
    /// Submissions are confirmed and lost.
    losing: AtomicBool,
    /// Submissions are refused.
    refusing: AtomicBool,
    /// Jobs that went through, every delivery counted.
    pub(crate) delivered: AtomicU32,
    /// Jobs that were lost.
    lost: AtomicU32,
    refused: AtomicU32,
}

impl Losing {
    fn over(bus: Arc<dyn JobBus>) -> Arc<Self> {
        Arc::new(Self {
            bus,
            losing: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            delivered: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            refused: AtomicU32::new(0),
        })
    }
}

#[async_trait]
impl JobBus for Losing {
    async fn submit(&self, jobs: &[NewJob]) -> PortResult<()> {
        let count = u32::try_from(jobs.len()).unwrap();
        if self.refusing.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(PortError::unavailable("bus", "the test says so"));
        }
        if self.losing.load(Ordering::SeqCst) {
            self.lost.fetch_add(count, Ordering::SeqCst);
            return Ok(());
        }
        self.bus.submit(jobs).await?;
        self.delivered.fetch_add(count, Ordering::SeqCst);
        Ok(())
    }

    async fn submissions(&self) -> PortResult<Box<dyn Submissions>> {
        self.bus.submissions().await
    }

    async fn ring(&self, types: &[String]) {
        self.bus.ring(types).await;
    }

    async fn doorbells(&self) -> PortResult<Box<dyn Doorbells>> {
        self.bus.doorbells().await
    }

    async fn ping(&self) -> PortResult<()> {
        self.bus.ping().await
    }
}

/// A job store that cannot be asked while it is down.
pub(crate) struct Asked {
    known: Arc<dyn KnownJobs>,
    down: AtomicBool,
    asked: AtomicU32,
}

#[async_trait]
impl KnownJobs for Asked {
    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("jobs", "the test says so"));
        }
        self.known.known(ids).await
    }
}

/// A store with an outbox, and its relays.
pub(crate) struct Producer {
    db: Arc<AuthDb>,
    pub(crate) bus: Arc<Losing>,
    known: Arc<Asked>,
    stop: CancellationToken,
    relays: JoinSet<()>,
}

impl Producer {
    fn new(world: &World, relays: usize) -> Self {
        Self::over(world, Arc::clone(&world.bus) as _, relays)
    }

    pub(crate) fn over(world: &World, bus: Arc<dyn JobBus>, relays: usize) -> Self {
        let db =
            Arc::new(AuthDb::open(world.folder.path().join("auth.db"), &OpenOptions::default()).unwrap());
        let known = world.service(worker_service::Registry::default()).known_jobs();
        let mut producer = Self {
            db,
            bus: Losing::over(bus),
            known: Arc::new(Asked { known, down: AtomicBool::new(false), asked: AtomicU32::new(0) }),
            stop: CancellationToken::new(),
            relays: JoinSet::new(),
        };
        for _ in 0..relays {
            producer.start_relay();
        }
        producer
    }

    fn start_relay(&mut self) {
        let (outbox, bus, known) = (self.db.clone() as _, self.bus.clone() as _, self.known.clone() as _);
        self.relays.spawn(quick(outbox, bus, known).run(self.stop.clone()));
    }

    /// Commits a user together with a job.
    pub(crate) async fn cause(&self, world: &World) -> NewJob {
        let job = world.new_job("t");
        let id: UserId = world.ids.next();
        let user = User {
            id,
            address: Address::parse(&format!("{id}@example.org")).unwrap(),
            password_hash: "-".to_owned(),
            role: Role::User,
            disabled: false,
            bootstrap: false,
            created_at: world.clock.now(),
        };
        self.db.create_user(&user, std::slice::from_ref(&job)).await.unwrap();
        job
    }

    pub(crate) async fn until_settled(&self) {
        until("an empty outbox", || async { (self.db.depth().await.unwrap() == 0).then_some(()) }).await;
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.relays.join_next().await {
            ended.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committed_job_is_worked_and_its_row_goes() {
    let world = World::new();
    let handler = Does::nothing("t");
    let producer = Producer::new(&world, 1);
    let running = world.run(registry(&[&handler]));
    let job = producer.cause(&world).await;
    world.until_state(job.id, JobState::Complete).await;
    producer.until_settled().await;
    assert_eq!(handler.runs(), 1);
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c139_a_lost_message_is_sent_again() {
    let world = World::new();
    let handler = Does::nothing("t");
    let producer = Producer::new(&world, 1);
    producer.bus.losing.store(true, Ordering::SeqCst);
    let running = world.run(registry(&[&handler]));
    let job = producer.cause(&world).await;
    // lost more than once
    until_true("two losses", || producer.bus.lost.load(Ordering::SeqCst) >= 2).await;
    assert_eq!(producer.db.depth().await.unwrap(), 1);
    producer.bus.losing.store(false, Ordering::SeqCst);
    world.until_state(job.id, JobState::Complete).await;
    producer.until_settled().await;
    assert_eq!(handler.runs(), 1);
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c139_a_message_without_a_row_is_worked_once() {
    let world = World::new();
    let handler = Does::nothing("t");
    let producer = Producer::new(&world, 1);
    let running = world.run(registry(&[&handler]));
    let job = producer.cause(&world).await;
    producer.until_settled().await;
    // the row is gone; a broker that was restored from a copy delivers once more
    world.submit(std::slice::from_ref(&job)).await;
    let other = producer.cause(&world).await;
    world.until_state(other.id, JobState::Complete).await;
    world.until_state(job.id, JobState::Complete).await;
    assert_eq!(handler.runs(), 2);
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_everything_loses_no_job() {
    let world = World::new();
    let handler = Does::nothing("t");
    // nobody consumes yet: what is submitted stands in the bus
    let producer = Producer::new(&world, 1);
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(producer.cause(&world).await);
    }
    until_true("the delivery", || producer.bus.delivered.load(Ordering::SeqCst) >= 20).await;
    producer.stop().await;
    // the bus goes with all that stood in it
    let world = world.restarted();
    let producer = Producer::new(&world, 1);
    let running = world.run(registry(&[&handler]));
    for job in &jobs {
        world.until_state(job.id, JobState::Complete).await;
    }
    producer.until_settled().await;
    assert_eq!(handler.runs(), 20);
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_on_one_outbox_lose_nothing_and_cause_nothing_twice() {
    let world = World::new();
    let handler = Does::nothing("t");
    let producer = Producer::new(&world, 2);
    let running = world.run(registry(&[&handler]));
    let mut jobs = Vec::new();
    for _ in 0..50 {
        jobs.push(producer.cause(&world).await);
    }
    for job in &jobs {
        world.until_state(job.id, JobState::Complete).await;
    }
    producer.until_settled().await;
    assert_eq!(handler.runs(), 50);
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_bus_is_waited_out() {
    let world = World::new();
    let handler = Does::nothing("t");
    let producer = Producer::new(&world, 1);
    producer.bus.refusing.store(true, Ordering::SeqCst);
    let running = world.run(registry(&[&handler]));
    let job = producer.cause(&world).await;
    until_true("two refusals", || producer.bus.refused.load(Ordering::SeqCst) >= 2).await;
    producer.bus.refusing.store(false, Ordering::SeqCst);
    // long before the lease of the row ends
    world.until_state(job.id, JobState::Complete).await;
    producer.until_settled().await;
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_concluded_from_a_job_store_that_cannot_be_asked() {
    let world = World::new();
    let handler = Does::nothing("t");
    let producer = Producer::new(&world, 1);
    producer.known.down.store(true, Ordering::SeqCst);
    let running = world.run(registry(&[&handler]));
    let job = producer.cause(&world).await;
    world.until_state(job.id, JobState::Complete).await;
    until_true("two questions", || producer.known.asked.load(Ordering::SeqCst) >= 2).await;
    assert_eq!(producer.db.depth().await.unwrap(), 1);
    assert_eq!(producer.bus.delivered.load(Ordering::SeqCst), 1);
    producer.known.down.store(false, Ordering::SeqCst);
    producer.until_settled().await;
    producer.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_stops_leaves_no_row_waiting_for_its_lease() {
    let world = World::new();
    let mut producer = Producer::new(&world, 0);
    // more than the bus holds while nobody consumes: the relay waits in the middle of a batch
    let jobs: Vec<_> = (0..2000).map(|_| world.new_job("t")).collect();
    world.submit(&jobs[..1000]).await;
    for _ in 0..50 {
        producer.cause(&world).await;
    }
    producer.start_relay();
    until("a leased row", || async {
        let rows = producer.db.lease_unsent(1, Duration::ZERO, runtime::SystemClock.now()).await.unwrap();
        rows.is_empty().then_some(())
    })
    .await;
    producer.stop.cancel();
    while let Some(ended) = producer.relays.join_next().await {
        ended.unwrap();
    }
    let rows = producer.db.lease_unsent(100, Duration::ZERO, runtime::SystemClock.now()).await.unwrap();
    assert_eq!(rows.len(), 50);
}
