//! Intake, claims, retries, removal.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::jobs::{
    Backoff, JobAdmin as _, JobEventFilter, JobEventKind, JobEvents as _, JobFilter, JobState, JobStore as _,
    NewJob, TypeLimit,
};
use common::{Clock as _, JobId, PortError, UserId};
use serde_json::json;
use tokio::sync::Semaphore;
use worker_service::HandlerError;

use crate::support::{Does, World, registry, until, until_true};

/// Long enough for several rounds of everything that looks around, if it were to do something wrong.
async fn some_rounds(world: &World) {
    let seen = world.store.empty_claims.load(Ordering::SeqCst);
    until_true("some rounds", || world.store.empty_claims.load(Ordering::SeqCst) >= seen + 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_job_is_worked_once_however_often_it_is_delivered() {
    let world = World::new();
    let handler = Does::new("t", 2, |job| {
        Box::pin(async move {
            job.log("working").await?;
            Ok(Some(json!({ "answer": 42 })))
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(&[job.clone(), job.clone()]).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.result, done.attempts_made, done.failures.len()), (Some(json!({ "answer": 42 })), 1, 0));
    // the message comes again after the job is done, and after it was removed
    world.submit(std::slice::from_ref(&job)).await;
    some_rounds(&world).await;
    assert_eq!(
        world
            .store
            .db
            .remove_finished(
                JobState::Complete,
                world.clock.now() + Duration::from_secs(1),
                9,
                world.clock.now()
            )
            .await
            .unwrap(),
        1
    );
    world.submit(std::slice::from_ref(&job)).await;
    let other = world.new_job("t");
    world.submit(std::slice::from_ref(&other)).await;
    world.until_state(other.id, JobState::Complete).await;
    assert_eq!(handler.runs(), 2);
    assert!(world.job(job.id).await.is_none());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_submitted_while_the_store_failed_is_not_lost() {
    let world = World::new();
    let handler = Does::nothing("t");
    world.store.failing_inserts.store(2, Ordering::SeqCst);
    let running = world.run(registry(&[&handler]));
    let jobs: Vec<_> = (0..10).map(|_| world.new_job("t")).collect();
    world.submit(&jobs).await;
    until("all jobs", || async {
        (world.store.db.counts(None).await.unwrap().get(&JobState::Complete) == Some(&10)).then_some(())
    })
    .await;
    assert_eq!(handler.runs(), 10);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_wait_are_taken_in_one_commit() {
    let world = World::new();
    let jobs: Vec<_> = (0..150).map(|_| world.new_job("t")).collect();
    let handler = Does::nothing("t");
    let running = world.run(registry(&[&handler]));
    world.submit(&jobs).await;
    until("all jobs", || async {
        (world.store.db.counts(None).await.unwrap().get(&JobState::Complete) == Some(&150)).then_some(())
    })
    .await;
    let inserts = world.store.inserts.lock().unwrap().clone();
    assert!(inserts.len() < 150 && inserts.iter().sum::<usize>() == 150, "{inserts:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c140_a_delayed_job_runs_once_at_its_time_across_a_restart() {
    let world = World::new();
    let handler = Does::nothing("t");
    let job = NewJob { run_at: Some(world.clock.now() + Duration::from_secs(5)), ..world.new_job("t") };
    let running = world.run(registry(&[&handler]));
    world.submit(std::slice::from_ref(&job)).await;
    world.until_state(job.id, JobState::Delayed).await;
    world.clock.advance(Duration::from_secs(2));
    running.kill().await;
    let world = world.restarted();
    let running = world.run(registry(&[&handler]));
    world.clock.advance(Duration::from_millis(2999));
    some_rounds(&world).await;
    assert_eq!((world.job(job.id).await.unwrap().state, handler.runs()), (JobState::Delayed, 0));
    world.clock.advance(Duration::from_millis(1));
    world.until_state(job.id, JobState::Complete).await;
    some_rounds(&world).await;
    assert_eq!(handler.runs(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c142_delay_attempts_backoff_and_ttl_together() {
    let world = World::new();
    let handler = Does::new("t", 1, |job| {
        Box::pin(async move {
            match job.job().attempts_made {
                // never ends by itself
                1 => std::future::pending().await,
                2 => Err(HandlerError::Retry("not yet".to_owned())),
                _ => Ok(None),
            }
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = NewJob {
        run_at: Some(world.clock.now() + Duration::from_secs(5)),
        max_attempts: 3,
        backoff: Backoff::Exponential { delay_ms: 10_000, max_delay_ms: 60_000 },
        ttl_ms: 500,
        ..world.new_job("t")
    };
    world.submit(std::slice::from_ref(&job)).await;
    world.until_state(job.id, JobState::Delayed).await;
    assert_eq!(handler.runs(), 0);
    world.clock.advance(Duration::from_secs(5));
    let failures = |count: usize| {
        let world = &world;
        until("a failed attempt", move || async move {
            world
                .job(job.id)
                .await
                .filter(|job| job.failures.len() == count && job.state == JobState::Delayed)
        })
    };
    assert_eq!(failures(1).await.error.as_deref(), Some("TTL exceeded"));
    // a fifth is taken away at most
    world.clock.advance(Duration::from_millis(7_900));
    some_rounds(&world).await;
    assert_eq!(handler.runs(), 1);
    world.clock.advance(Duration::from_millis(2_100));
    assert_eq!(failures(2).await.error.as_deref(), Some("not yet"));
    world.clock.advance(Duration::from_millis(15_900));
    some_rounds(&world).await;
    assert_eq!(handler.runs(), 2);
    world.clock.advance(Duration::from_millis(4_100));
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.attempts_made, done.failures.len(), handler.runs()), (3, 2, 3));
    assert_eq!(*handler.given_up.lock().unwrap(), []);
    running.stop().await;
}

/// Thumbnails of everything that came in while the store of contents was away for a quarter of a minute had failed for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_uses_up_no_attempts() {
    let world = World::new();
    let left = Arc::new(AtomicU32::new(3));
    let away = Arc::clone(&left);
    let handler = Does::new("t", 1, move |_| {
        let away = away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        Box::pin(async move {
            if away { Err(PortError::unavailable("files", "it is away").into()) } else { Ok(None) }
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = NewJob { max_attempts: 1, ..world.new_job("t") };
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.attempts_made, done.failures.len(), handler.runs()), (1, 0, 4));

    running.stop().await;
}

/// An outage of half an hour had used up five attempts of five minutes.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_all_attempts_uses_up_none() {
    let world = World::new();
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let handler = Does::new("t", 1, move |_| {
        let away = away.load(Ordering::SeqCst);
        Box::pin(async move {
            if away { Err(PortError::unavailable("files", "it is away").into()) } else { Ok(None) }
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = NewJob { max_attempts: 2, ttl_ms: 200, backoff: Backoff::None, ..world.new_job("t") };
    world.submit(std::slice::from_ref(&job)).await;
    let begun = async || {
        let filter = JobEventFilter { job: Some(job.id), ..JobEventFilter::default() };
        let events = world.store.db.events_after(0, &filter, 1000).await.unwrap().events;
        events.iter().filter(|event| event.event == JobEventKind::Start).count()
    };
    until("more attempts than it has", || async { (begun().await > 4).then_some(()) }).await;
    is_away.store(false, Ordering::SeqCst);
    let done = world.until_state(job.id, JobState::Complete).await;
    let failures: Vec<_> = done.failures.iter().map(|failed| (failed.number, &*failed.error)).collect();
    assert_eq!(
        (done.attempts_made, failures),
        (1, vec![(1, "files is unavailable")]),
        "it says what it waited for"
    );
    running.stop().await;
}

/// What it needs refuses once, and swallows the next call.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_hangs_in_an_outage_is_not_counted() {
    let world = World::new();
    let runs = AtomicU32::new(0);
    let handler = Does::new("t", 1, move |_| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match run {
                0 => Err(PortError::unavailable("files", "it is away").into()),
                1 => std::future::pending().await,
                _ => Ok(None),
            }
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = NewJob { max_attempts: 1, ttl_ms: 2000, backoff: Backoff::None, ..world.new_job("t") };
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.attempts_made, handler.runs()), (1, 3));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_job_and_nothing_else() {
    let world = World::new();
    let handler = Does::new("t", 1, |job| {
        Box::pin(async move {
            assert!(job.member("panic").is_none(), "on purpose");
            Ok(None)
        })
    });
    let running = world.run(registry(&[&handler]));
    let bad = NewJob { data: json!({ "panic": true }), max_attempts: 2, ..world.new_job("t") };
    let good: Vec<_> = (0..5).map(|_| world.new_job("t")).collect();
    world.submit(&[std::slice::from_ref(&bad), &good].concat()).await;
    for job in &good {
        world.until_state(job.id, JobState::Complete).await;
    }
    world.until_state(bad.id, JobState::Delayed).await;
    world.clock.advance(Duration::from_secs(1));
    let dead = world.until_state(bad.id, JobState::Failed).await;
    assert_eq!(dead.error.as_deref(), Some("The handler failed unexpectedly"));
    assert_eq!(dead.failures.len(), 2);
    until_true("the handler's knowledge", || handler.given_up.lock().unwrap().len() == 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_is_not_tried_again() {
    let world = World::new();
    let handler = Does::new("t", 1, |_| Box::pin(async { Err(HandlerError::Permanent("never".to_owned())) }));
    // the first attempts to say so fail
    handler.deaf.store(2, Ordering::SeqCst);
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    let dead = world.until_state(job.id, JobState::Failed).await;
    assert_eq!((dead.attempts_made, dead.error.as_deref()), (1, Some("never")));
    until_true("the handler's knowledge", || handler.given_up.lock().unwrap().len() == 1).await;
    assert_eq!(*handler.given_up.lock().unwrap(), [(job.id, "never".to_owned())]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_obsolete_job_completes_quietly() {
    let world = World::new();
    let handler =
        Does::new("t", 1, |_| Box::pin(async { Err(HandlerError::Obsolete("it is gone".to_owned())) }));
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.error, done.failures.len()), (None, 0));
    assert_eq!(done.result, Some(json!({ "obsolete": "it is gone" })));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_does_not_hold_up_another() {
    let world = World::new();
    let order: Arc<Mutex<Vec<JobId>>> = Arc::default();
    let gate = Arc::new(Semaphore::new(0));
    let (its_order, its_gate) = (Arc::clone(&order), Arc::clone(&gate));
    let handler = Does::new("t", 2, move |job| {
        let (order, gate) = (Arc::clone(&its_order), Arc::clone(&its_gate));
        Box::pin(async move {
            order.lock().unwrap().push(job.job().spec.id);
            gate.acquire().await.unwrap().forget();
            Ok(None)
        })
    });
    let (many, few) = (UserId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
    let mut jobs: Vec<_> = (0..100).map(|_| world.job_of("t", many)).collect();
    jobs.push(world.job_of("t", few));
    let running = world.run(registry(&[&handler]));
    // all are in the store before the first is worked
    world.store.insert(&jobs, world.clock.now()).await.unwrap();
    until_true("two runs", || order.lock().unwrap().len() == 2).await;
    gate.add_permits(2);
    until_true("the other user's job", || order.lock().unwrap().contains(&jobs[100].id)).await;
    assert!(order.lock().unwrap().len() <= 5, "{:?}", order.lock().unwrap().len());
    gate.add_permits(1000);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_share_the_work_and_do_none_of_it_twice() {
    let world = World::new();
    let handler = Does::nothing("t");
    let (one, two) = (world.run(registry(&[&handler])), world.run(registry(&[&handler])));
    let jobs: Vec<_> = (0..200).map(|_| world.new_job("t")).collect();
    world.submit(&jobs).await;
    until("all jobs", || async {
        (world.store.db.counts(None).await.unwrap().get(&JobState::Complete) == Some(&200)).then_some(())
    })
    .await;
    assert_eq!(handler.runs(), 200);
    one.stop().await;
    two.stop().await;
}

/// What a rate limit held back comes when the limit lets it, not when somebody looks around next.
#[tokio::test(flavor = "multi_thread")]
async fn a_limited_type_goes_on_when_its_limit_lets_it() {
    let mut world = World::new();
    world.settings.look_around = Duration::from_secs(3600);
    let per = Duration::from_millis(200);
    world.store.db.set_type_limit("t", Some(TypeLimit { max: 1, per })).await.unwrap();
    let handler = Does::nothing("t");
    let running = world.run(registry(&[&handler]));
    let jobs: Vec<_> = (0..4).map(|_| world.new_job("t")).collect();
    world.submit(&jobs).await;
    for (begun, job) in (1..).zip(&jobs) {
        world.until_state(job.id, JobState::Complete).await;
        assert_eq!(handler.runs(), begun);
        world.clock.advance(per);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_jobs_go_after_their_time() {
    let world = World::new();
    let handler = Does::new("t", 2, |job| {
        Box::pin(async move {
            if job.member("fail").is_some() {
                Err(HandlerError::Permanent("no".to_owned()))
            } else {
                Ok(None)
            }
        })
    });
    let running = world.run(registry(&[&handler]));
    let good = world.new_job("t");
    let bad = NewJob { data: json!({ "fail": 1 }), ..world.new_job("t") };
    world.submit(&[good.clone(), bad.clone()]).await;
    world.until_state(good.id, JobState::Complete).await;
    world.until_state(bad.id, JobState::Failed).await;
    world.clock.advance(Duration::from_secs(8 * 24 * 3600));
    until("the removal", || async { world.job(good.id).await.is_none().then_some(()) }).await;
    assert!(world.job(bad.id).await.is_some());
    world.clock.advance(Duration::from_secs(30 * 24 * 3600));
    until("the removal", || async { world.job(bad.id).await.is_none().then_some(()) }).await;
    assert_eq!(world.store.db.total(&JobFilter::default()).await.unwrap(), Some(0));
    running.stop().await;
}
