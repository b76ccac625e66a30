//! Purges and maintenance: loops of short calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::jobs::{Job, JobAdmin as _, JobChange, JobFilter, JobOrder, JobState, NewJob, types};
use common::{Clock as _, FileId};
use serde_json::json;
use worker_service::{MaintenanceTask, Parts, PurgeHandler, Registry, WorkerService};

use crate::files_double::FilesServer;
use crate::http::bob;
use crate::support::{Running, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_goes_on_until_nothing_is_left() {
    let world = World::new();
    let files = FilesServer::start();
    files.state.purge_steps.store(7, Ordering::SeqCst);
    let running = world.run(Registry::default().with(Arc::new(PurgeHandler::new(files.client(), 1))));
    let job = types::purge(world.ids.next(), FileId::from_bytes([4; 12]), bob(), world.clock.now());
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "removed": 70 })));
    for data in [json!({}), json!({ "node": "x" })] {
        let job = NewJob { data, ..world.new_job(types::PURGE) };
        world.submit(std::slice::from_ref(&job)).await;
        world.until_state(job.id, JobState::Failed).await;
    }
    running.stop().await;
    files.stop().await;
}

const HOUR: Duration = Duration::from_secs(3600);
const ALL_STEPS: [(&str, Option<&str>); 3] =
    [("collect-blobs", None), ("collect-blobs", Some("1")), ("collect-blobs", Some("2"))];

/// One of any number of processes that do this upkeep.
fn upkeep(world: &World, files: &FilesServer, tasks: &[MaintenanceTask]) -> Running {
    let mut settings = world.settings.clone();
    settings.maintenance = tasks.to_vec();
    Running::start(WorkerService::new(Parts {
        files: files.client(),
        settings,
        ..world.parts(Registry::default())
    }))
}

async fn jobs_of(world: &World, kind: &str) -> Vec<Job> {
    let filter = JobFilter { kind: Some(kind.to_owned()), ..JobFilter::default() };
    world.store.db.list(&filter, JobOrder::Ascending, None, 100).await.unwrap().items
}

/// Waits until the next job waits for its period.
async fn until_planned(world: &World, jobs: usize) -> Vec<Job> {
    until("the next job", || async {
        let found = jobs_of(world, "collect-blobs").await;
        let waits = found.last().is_some_and(|job| job.state == JobState::Delayed);
        (found.len() == jobs && waits).then_some(found)
    })
    .await
}

fn steps(files: &FilesServer) -> Vec<(String, Option<String>)> {
    files.state.maintained.lock().unwrap().clone()
}

fn owned(steps: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    steps.iter().map(|(task, cursor)| ((*task).to_owned(), cursor.map(str::to_owned))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_is_done_once_in_each_period_however_many_processes_run() {
    let world = World::new();
    let files = FilesServer::start();
    // planning looks around as often as its shortest period says
    let often = MaintenanceTask { name: "test-often", every: Duration::from_millis(20) };
    let tasks = [MaintenanceTask { name: "collect-blobs", every: HOUR }, often];
    let processes: Vec<_> = (0..3).map(|_| upkeep(&world, &files, &tasks)).collect();
    for period in 1..=3 {
        until_planned(&world, period).await;
        world.clock.advance(HOUR);
    }
    let jobs = until_planned(&world, 4).await;
    for (job, next) in jobs.iter().zip(&jobs[1..]) {
        assert_eq!((job.state, job.attempts_made), (JobState::Complete, 1));
        assert_eq!(job.result, Some(json!({ "changed": 3 })));
        assert_eq!(job.spec.user, None);
        assert_eq!(next.spec.run_at.unwrap(), job.spec.run_at.unwrap() + HOUR);
    }
    let done: Vec<_> = steps(&files).into_iter().filter(|(task, _)| task == "collect-blobs").collect();
    assert_eq!(done, owned(&ALL_STEPS.repeat(3)));
    for process in processes {
        process.stop().await;
    }
    files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_that_was_done_early_or_removed_is_not_done_twice_in_its_period() {
    let world = World::new();
    let files = FilesServer::start();
    let tasks = [
        MaintenanceTask { name: "collect-blobs", every: HOUR },
        MaintenanceTask { name: "test-often", every: Duration::from_millis(20) },
    ];
    let process = upkeep(&world, &files, &tasks);
    let first = until_planned(&world, 1).await.remove(0);
    world.store.db.change(first.spec.id, JobChange::Promote, world.clock.now()).await.unwrap();
    let second = until_planned(&world, 2).await.remove(1);
    assert_eq!(second.spec.run_at.unwrap(), first.spec.run_at.unwrap() + HOUR);
    world.store.db.remove(second.spec.id, world.clock.now()).await.unwrap();
    let third = until_planned(&world, 2).await.remove(1);
    assert_eq!(third.spec.run_at.unwrap(), first.spec.run_at.unwrap() + 2 * HOUR);
    process.stop().await;
    files.stop().await;
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Often enough that planning looks around all the time.
const OFTEN: MaintenanceTask = MaintenanceTask { name: "test-often", every: Duration::from_millis(20) };

const fn collecting(every: Duration) -> MaintenanceTask {
    MaintenanceTask { name: "collect-blobs", every }
}

/// The first look at all contents had come up to 30 days after the installation.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_upkeep_of_an_installation_comes_within_an_hour() {
    let world = World::new();
    let files = FilesServer::start();
    let processes: Vec<_> = (0..3).map(|_| upkeep(&world, &files, &[collecting(30 * DAY), OFTEN])).collect();
    let first = until_planned(&world, 1).await.remove(0);
    assert_eq!(first.spec.run_at, Some(world.clock.now() + HOUR));
    world.clock.advance(HOUR);
    let jobs = until_planned(&world, 2).await;
    assert_eq!((jobs[0].state, jobs[0].attempts_made), (JobState::Complete, 1));
    // from then on by periods
    let next = jobs[1].spec.run_at.unwrap();
    assert_eq!(next.millis() % i64::try_from((30 * DAY).as_millis()).unwrap(), 0);
    assert!(next > world.clock.now() && next <= world.clock.now() + 30 * DAY);
    // and when that one was removed there is none at once
    world.store.db.remove(jobs[1].spec.id, world.clock.now()).await.unwrap();
    world.clock.advance(8 * DAY);
    let left = until_planned(&world, 1).await.remove(0);
    assert!(left.spec.run_at.unwrap() >= next, "{left:?}");
    for process in processes {
        process.stop().await;
    }
    files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_period_counts_from_the_next_start_on() {
    let world = World::new();
    let files = FilesServer::start();
    let process = upkeep(&world, &files, &[collecting(30 * DAY), OFTEN]);
    until_planned(&world, 1).await;
    world.clock.advance(HOUR);
    let monthly = until_planned(&world, 2).await.remove(1);
    process.stop().await;
    // the same setting again changes nothing
    let process = upkeep(&world, &files, &[collecting(30 * DAY), OFTEN]);
    until_often_ran(&world).await;
    assert_eq!(until_planned(&world, 2).await[1], monthly);
    process.stop().await;
    let process = upkeep(&world, &files, &[collecting(DAY), OFTEN]);
    let daily = until("the job of the new setting", || async {
        until_planned(&world, 2).await.pop().filter(|job| job.spec.id != monthly.spec.id)
    })
    .await;
    assert!(daily.spec.run_at.unwrap() <= world.clock.now() + DAY, "{daily:?}");
    process.stop().await;
    // a longer one counts after the job that waits
    let process = upkeep(&world, &files, &[collecting(30 * DAY), OFTEN]);
    until_often_ran(&world).await;
    assert_eq!(until_planned(&world, 2).await[1], daily);
    process.stop().await;
    files.stop().await;
}

/// Waits until this process has planned at least twice.
async fn until_often_ran(world: &World) {
    let filter = JobFilter { kind: Some(OFTEN.name.to_owned()), ..JobFilter::default() };
    let newest =
        async || world.store.db.list(&filter, JobOrder::Descending, None, 1).await.unwrap().items.pop();
    for _ in 0..2 {
        let before = newest().await;
        until("another job", || async {
            world.clock.advance(OFTEN.every);
            let last = newest().await.map(|job| job.spec.id);
            (last != before.as_ref().map(|job| job.spec.id)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upkeep_goes_on_after_a_restart_where_it_was() {
    let world = World::new();
    let files = FilesServer::start();
    files.state.held.store(true, Ordering::SeqCst);
    let tasks = [MaintenanceTask { name: "collect-blobs", every: HOUR }];
    let process = upkeep(&world, &files, &tasks);
    let id = until_planned(&world, 1).await[0].spec.id;
    world.clock.advance(HOUR);
    // it has taken a step and notes where it is, and cannot come to its end
    until("a place", || async { world.job(id).await.unwrap().progress_data }).await;
    process.kill().await;
    files.state.held.store(false, Ordering::SeqCst);
    let world = world.restarted();
    let before = steps(&files).len();
    world.clock.advance(Duration::from_secs(60));
    let process = upkeep(&world, &files, &tasks);
    // the lease of the one that was killed has ended
    world.until_state(id, JobState::Delayed).await;
    world.clock.advance(Duration::from_secs(60));
    let done = world.until_state(id, JobState::Complete).await;
    let after: Vec<_> = steps(&files).split_off(before).into_iter().map(|(_, cursor)| cursor).collect();
    assert_eq!(after, [Some("1".to_owned()), Some("2".to_owned())], "the first step is not taken again");
    assert_eq!(done.result, Some(json!({ "changed": 3 })));
    process.stop().await;
    files.stop().await;
}

#[test]
fn all_tasks_of_file_service_are_done() {
    let names: Vec<_> = MaintenanceTask::defaults().into_iter().map(|task| task.name).collect();
    for task in [
        "expire-trash",
        "purge-tombstones",
        "collect-blobs",
        "sweep-strays",
        "sweep-reservations",
        "expire-uploads",
        "scrub-blobs",
        "recount-usage",
    ] {
        assert!(names.contains(&task), "{task}");
    }
}
