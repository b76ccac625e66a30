//! Purges and maintenance: loops of short calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::jobs::{JobState, NewJob, types};
use common::{Clock as _, FileId};
use serde_json::json;
use worker_service::{MaintenanceTask, Parts, PurgeHandler, Registry, WorkerService};

use crate::files_double::FilesServer;
use crate::http::bob;
use crate::support::{Running, World, until_true};

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

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_takes_all_steps_of_each_round_again_and_again() {
    let world = World::new();
    let files = FilesServer::start();
    let mut settings = world.settings.clone();
    settings.maintenance =
        vec![MaintenanceTask { name: "collect-blobs".to_owned(), every: Duration::from_millis(10) }];
    let service = WorkerService::new(Parts {
        store: Arc::clone(&world.store) as _,
        bus: Arc::clone(&world.bus) as _,
        files: files.client(),
        registry: Registry::default(),
        clock: Arc::clone(&world.clock) as _,
        cursor_key: [7; 32],
        settings,
    });
    let running = Running::start(service);
    until_true("two rounds", || files.state.maintained.lock().unwrap().len() >= 6).await;
    running.stop().await;
    let steps = files.state.maintained.lock().unwrap().clone();
    let cursors: Vec<_> = steps[..6].iter().map(|(task, cursor)| (&**task, cursor.as_deref())).collect();
    let round = [("collect-blobs", None), ("collect-blobs", Some("1")), ("collect-blobs", Some("2"))];
    assert_eq!(cursors, [round, round].concat());
    files.stop().await;
}

#[test]
fn all_tasks_of_file_service_are_done() {
    let names: Vec<_> = MaintenanceTask::defaults().into_iter().map(|task| task.name).collect();
    for task in ["expire-trash", "purge-tombstones", "collect-blobs", "sweep-strays", "sweep-reservations"] {
        assert!(names.iter().any(|name| name == task), "{task}");
    }
}
