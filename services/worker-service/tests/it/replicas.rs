//! Several processes over one store: what they watch over is done once, and whose clock is wrong goes by the store's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use common::jobs::{
    Backoff, ClaimRequest, JobEventFilter, JobEventKind, JobEvents as _, JobState, JobStore as _, NewJob,
};
use common::{Clock, JobId, PortResult, TimeSource, Timestamp};
use runtime::StoreClock;
use testkit::TestClock;
use tokio::sync::Semaphore;
use worker_service::Registry;

use crate::support::{Does, Running, World, registry, until, until_true};

/// How often each thing happened to each job.
async fn told(world: &World) -> HashMap<(JobId, JobEventKind), usize> {
    let mut told = HashMap::new();
    let mut last = 0;
    loop {
        let page = world.store.db.events_after(last, &JobEventFilter::default(), 100).await.unwrap();
        if page.events.is_empty() {
            return told;
        }
        last = page.last;
        for event in page.events {
            *told.entry((event.job, event.event)).or_default() += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_reconcilers_take_and_promote_each_job_once() {
    let world = World::new();
    let now = world.clock.now();
    let jobs_of = |count: usize, job: &dyn Fn() -> NewJob| (0..count).map(|_| job()).collect::<Vec<_>>();
    let delayed =
        jobs_of(200, &|| NewJob { run_at: Some(now + Duration::from_secs(5)), ..world.new_job("later") });
    let again = jobs_of(100, &|| NewJob { backoff: Backoff::None, ..world.new_job("held") });
    let deadly = jobs_of(100, &|| NewJob { max_attempts: 1, ..world.new_job("held") });
    world.store.insert(&[delayed.clone(), again.clone(), deadly.clone()].concat(), now).await.unwrap();
    let held = ClaimRequest {
        types: vec!["held".to_owned()],
        worker: "one that died".to_owned(),
        max: 200,
        lease: Duration::from_secs(30),
    };
    assert_eq!(world.store.claim(&held, now).await.unwrap().jobs.len(), 200);
    world.clock.advance(Duration::from_secs(31));
    let processes: Vec<_> = (0..3).map(|_| world.run(Registry::default())).collect();
    for job in delayed.iter().chain(&again) {
        world.until_state(job.id, JobState::Inactive).await;
    }
    for job in &deadly {
        world.until_state(job.id, JobState::Failed).await;
    }
    for process in processes {
        process.stop().await;
    }
    let told = told(&world).await;
    let times = |job: &NewJob, event| told.get(&(job.id, event)).copied().unwrap_or(0);
    assert!(delayed.iter().all(|job| times(job, JobEventKind::Promotion) == 1));
    assert!(again.iter().all(|job| times(job, JobEventKind::FailedAttempt) == 1));
    assert!(deadly.iter().all(|job| times(job, JobEventKind::Failed) == 1));
    for job in again.iter().chain(&deadly) {
        assert_eq!(world.job(job.id).await.unwrap().failures.len(), 1);
    }
}

/// The store as the one who tells the time.
struct StoreTime(Arc<TestClock>);

#[async_trait]
impl TimeSource for StoreTime {
    async fn time(&self) -> PortResult<Timestamp> {
        Ok(self.0.now())
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// The clock of a process on a host whose own one is wrong.
async fn clock_of_a_host_at(world: &World, local: Timestamp) -> Arc<StoreClock> {
    let clock = StoreClock::over(Arc::new(TestClock::new(local)));
    clock.ask(&StoreTime(Arc::clone(&world.clock))).await.unwrap();
    Arc::new(clock)
}

/// Its neighbours had lost all jobs to a host that was ahead, and it had lost its own to them where it was late.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_host_is_an_hour_off_takes_no_job_from_others_and_loses_none() {
    for ahead in [true, false] {
        let mut world = World::new();
        // heartbeats every 100 ms; by the clocks of this test it never ends
        world.settings.lease = Duration::from_millis(300);
        let now = world.clock.now();
        let gate = Arc::new(Semaphore::new(0));
        let held = |kind| {
            let gate = Arc::clone(&gate);
            Does::new(kind, 1, move |_| {
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(None)
                })
            })
        };
        let (right, wrong) = (held("right"), held("wrong"));
        let local = if ahead { now + HOUR } else { now - HOUR };
        let clock = clock_of_a_host_at(&world, local).await;
        assert_eq!(clock.now(), now);
        let of_right = world.run(registry(&[&right]));
        let of_wrong =
            Running::start(world.service_by(registry(&[&wrong]), Arc::clone(&world.bus) as _, clock));
        let jobs = ["right", "wrong"].map(|kind| world.new_job(kind));
        let later = NewJob { run_at: Some(now + HOUR / 2), ..world.new_job("right") };
        world.store.insert(&[jobs.to_vec(), vec![later.clone()]].concat(), now).await.unwrap();
        until_true("both runs", || right.runs() == 1 && wrong.runs() == 1).await;
        // both look around and report meanwhile
        let beats = || world.store.heartbeats.load(Ordering::SeqCst);
        let seen = beats();
        until_true("heartbeats of both", || beats() >= seen + 8).await;
        for job in &jobs {
            let held = world.job(job.id).await.unwrap();
            assert_eq!(
                (held.state, held.attempts_made, held.failures.len()),
                (JobState::Active, 1, 0),
                "{ahead}"
            );
        }
        assert_eq!(world.job(later.id).await.unwrap().state, JobState::Delayed, "{ahead}");
        gate.add_permits(2);
        for job in &jobs {
            let done = world.until_state(job.id, JobState::Complete).await;
            assert_eq!(done.finished_at, Some(now));
        }
        of_right.stop().await;
        of_wrong.stop().await;
    }
}

/// A worker that hangs with its whole thread says nothing, and is not asked: others go on, and its last word is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_loses_its_jobs_and_cannot_write_any_more() {
    let world = World::new();
    let job = NewJob { backoff: Backoff::None, ..world.new_job("t") };
    world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
    let request = ClaimRequest {
        types: vec!["t".to_owned()],
        worker: "hangs".to_owned(),
        max: 1,
        lease: Duration::from_secs(30),
    };
    let hanging = world.store.claim(&request, world.clock.now()).await.unwrap().jobs.remove(0).holder;
    let handler = Does::new("t", 1, |_| Box::pin(async { Ok(Some(serde_json::json!("in time"))) }));
    let running = world.run(registry(&[&handler]));
    world.clock.advance(Duration::from_secs(31));
    let done = until("the job to be done elsewhere", || async {
        world.job(job.id).await.filter(|job| job.state == JobState::Complete)
    })
    .await;
    let (store, now) = (&world.store, world.clock.now());
    let failure = common::jobs::Failure {
        error: "late".to_owned(),
        retryable: true,
        jitter_percent: 0,
        not_before: None,
        uncounted: false,
    };
    assert!(store.complete(hanging, Some(&serde_json::json!("late")), now).await.is_err());
    assert!(store.fail(hanging, &failure, now).await.is_err());
    assert!(store.progress(hanging, 1, None, now).await.is_err());
    assert!(store.log(hanging, "late", now).await.is_err());
    assert!(store.heartbeat(hanging, Duration::from_secs(30), now).await.is_err());
    assert!(store.give_back(hanging, now).await.is_err());
    assert_eq!(world.job(job.id).await.unwrap(), done);
    assert_eq!((done.attempts_made, &*done.failures[0].error), (2, "lease lost"));
    running.stop().await;
}
