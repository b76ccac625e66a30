//! Leases, times to live, and the end of the process.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::jobs::{JobState, NewJob};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Does, World, registry, until, until_true};

#[tokio::test(flavor = "multi_thread")]
async fn progress_gives_an_attempt_its_time_again() {
    let world = World::new();
    let handler = Does::new("t", 1, |job| {
        Box::pin(async move {
            let begun = tokio::time::Instant::now();
            while begun.elapsed() < Duration::from_secs(1) {
                job.progress(50).await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(None)
        })
    });
    let running = world.run(registry(&[&handler]));
    // twice as long as one attempt may be silent
    let job = NewJob { ttl_ms: 500, ..world.new_job("t") };
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.attempts_made, done.failures.len()), (1, 0));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c143_a_job_may_run_longer_than_its_lease_while_it_reports() {
    let mut world = World::new();
    world.settings.lease = Duration::from_millis(450);
    let gate = Arc::new(Semaphore::new(0));
    let its_gate = Arc::clone(&gate);
    let handler = Does::new("t", 1, move |_| {
        let gate = Arc::clone(&its_gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Ok(None)
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    // nearly three leases long, by the store's clock
    let heartbeats = || world.store.heartbeats.load(Ordering::SeqCst);
    for _ in 0..4 {
        world.clock.advance(Duration::from_millis(300));
        // the first may have begun before
        let seen = heartbeats();
        until_true("heartbeats", || heartbeats() >= seen + 2).await;
    }
    gate.add_permits(1);
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.attempts_made, handler.runs()), (1, 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c143_the_result_of_a_worker_that_lost_its_lease_is_refused() {
    let world = World::new();
    // the first run blocks its thread and notices nothing
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let handler = Does::new("t", 2, move |job| {
        let blocked = Arc::clone(&blocked);
        Box::pin(async move {
            let attempt = job.job().attempts_made;
            if attempt == 1 {
                blocked.lock().unwrap().recv().unwrap();
            }
            Ok(Some(json!({ "by": attempt })))
        })
    });
    world.store.no_heartbeats.store(true, Ordering::SeqCst);
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    until_true("the first run", || handler.runs() == 1).await;
    world.clock.advance(Duration::from_secs(31));
    let lost = until("the reaper", || async {
        world.job(job.id).await.filter(|job| job.state == JobState::Delayed)
    })
    .await;
    assert_eq!((lost.failures.len(), lost.error.as_deref()), (1, Some("lease lost")));
    world.clock.advance(Duration::from_secs(1));
    world.until_state(job.id, JobState::Complete).await;
    release.send(()).unwrap();
    until_true("the late report", || world.store.completions.lock().unwrap().len() == 2).await;
    let done = world.job(job.id).await.unwrap();
    assert_eq!((done.result, done.attempts_made), (Some(json!({ "by": 2 })), 2));
    let taken: Vec<_> = world.store.completions.lock().unwrap().iter().map(|(_, taken)| *taken).collect();
    assert_eq!(taken, [true, false]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_called_off_when_its_lease_is_lost() {
    let mut world = World::new();
    world.settings.lease = Duration::from_millis(60);
    let dropped = Arc::new(Mutex::new(0));
    struct Noted(Arc<Mutex<u32>>);
    impl Drop for Noted {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let its_dropped = Arc::clone(&dropped);
    let handler = Does::new("t", 1, move |job| {
        let noted = Noted(Arc::clone(&its_dropped));
        Box::pin(async move {
            let _noted = noted;
            if job.job().attempts_made == 1 { std::future::pending().await } else { Ok(None) }
        })
    });
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    until_true("the first run", || handler.runs() == 1).await;
    world.clock.advance(Duration::from_secs(60));
    until_true("the end of the first run", || *dropped.lock().unwrap() == 1).await;
    world.until_state(job.id, JobState::Delayed).await;
    world.clock.advance(Duration::from_secs(1));
    world.until_state(job.id, JobState::Complete).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handler_learns_of_a_job_whose_worker_died_over_the_last_attempt() {
    let world = World::new();
    let handler = Does::new("t", 1, |_| Box::pin(std::future::pending()));
    let job = NewJob { max_attempts: 1, ..world.new_job("t") };
    let running = world.run(registry(&[&handler]));
    world.submit(std::slice::from_ref(&job)).await;
    until_true("the run", || handler.runs() == 1).await;
    running.kill().await;
    world.clock.advance(Duration::from_secs(31));
    let running = world.run(registry(&[&handler]));
    let dead = world.until_state(job.id, JobState::Failed).await;
    assert_eq!(dead.error.as_deref(), Some("lease lost"));
    until_true("the handler's knowledge", || !handler.given_up.lock().unwrap().is_empty()).await;
    assert_eq!(handler.given_up.lock().unwrap()[0].0, job.id);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_lets_work_finish_and_claims_nothing_more() {
    let world = World::new();
    let gate = Arc::new(Semaphore::new(0));
    let its_gate = Arc::clone(&gate);
    let handler = Does::new("t", 1, move |_| {
        let gate = Arc::clone(&its_gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Ok(None)
        })
    });
    let running = world.run(registry(&[&handler]));
    let (first, second) = (world.new_job("t"), world.new_job("t"));
    world.submit(&[first.clone(), second.clone()]).await;
    until_true("the first run", || handler.runs() == 1).await;
    world.until_state(second.id, JobState::Inactive).await;
    running.begin_to_stop();
    gate.add_permits(2);
    running.stop().await;
    assert_eq!(world.job(first.id).await.unwrap().state, JobState::Complete);
    assert_eq!((world.job(second.id).await.unwrap().state, handler.runs()), (JobState::Inactive, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_gives_back_what_does_not_finish() {
    let mut world = World::new();
    world.settings.drain = Duration::ZERO;
    let handler = Does::new("t", 1, |_| Box::pin(std::future::pending()));
    let running = world.run(registry(&[&handler]));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    until_true("the run", || handler.runs() == 1).await;
    running.stop().await;
    let given = world.job(job.id).await.unwrap();
    assert_eq!((given.state, given.attempts_made, given.failures.len()), (JobState::Inactive, 0, 0));
    // and somebody else goes on with it
    let handler = Does::nothing("t");
    let running = world.run(registry(&[&handler]));
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!(done.attempts_made, 1);
    running.stop().await;
}
