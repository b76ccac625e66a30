//! What is left of an account that is gone.

use std::sync::atomic::Ordering;

use common::jobs::{
    Backoff, CatchUp, JobAdmin as _, JobFilter, JobState, NewJob, Priority, Schedule, ScheduleSpec,
    ScheduleStore as _, types,
};
use common::notifications::{NewNotification, NotificationStore as _};
use common::webhooks::{Webhook, WebhookEvent, WebhookStore as _};
use common::{Clock as _, UserId};
use serde_json::{Value, json};
use worker_service::{Parts, Registry, WorkerService};

use crate::files_double::{FilesServer, Users};
use crate::http::{ann, bob};
use crate::support::{Does, Running, World, registry, until_true};

pub(crate) fn webhook_of(world: &World, user: UserId) -> Webhook {
    let now = world.clock.now();
    Webhook {
        id: world.ids.next(),
        user,
        url: "https://example.org/hook".to_owned(),
        description: String::new(),
        events: vec![WebhookEvent::JobFailed],
        all_jobs: false,
        secret: vec![1],
        previous_secret: None,
        off: None,
        failing_since: None,
        failures: 0,
        created_at: now,
        updated_at: now,
        revision: 1,
    }
}

pub(crate) async fn filled(world: &World, user: UserId) {
    let now = world.clock.now();
    let webhook = webhook_of(world, user);
    world.store.db.create_webhook(&webhook).await.unwrap();
    let spec = ScheduleSpec {
        name: "nightly".to_owned(),
        cron: "0 3 * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        catch_up: CatchUp::Skip,
        kind: "report".to_owned(),
        data: Value::Null,
        priority: Priority::NORMAL,
        max_attempts: 1,
        backoff: Backoff::None,
        ttl_ms: 1000,
        no_overlap: false,
    };
    let schedule = Schedule {
        id: world.ids.next(),
        spec,
        paused: true,
        next_at: None,
        last_at: None,
        user: Some(user),
        created_at: now,
        revision: 1,
    };
    world.store.db.create_schedule(&schedule).await.unwrap();
    let news = NewNotification {
        id: world.ids.next(),
        user,
        kind: "job.failed".to_owned(),
        text: "It failed".to_owned(),
        data: json!({}),
    };
    world.store.db.notify(&[news], now).await.unwrap();
    let jobs: Vec<NewJob> = (0..120).map(|_| world.job_of("waits", user)).collect();
    world.submit(&jobs).await;
}

/// Jobs, schedules, webhooks, notifications.
async fn left(world: &World, user: UserId) -> (u64, usize, usize, usize) {
    let db = &world.store.db;
    let jobs = db.counts(Some(user)).await.unwrap().values().sum();
    let schedules = db.list_schedules(None, 1000).await.unwrap().items;
    let schedules = schedules.iter().filter(|schedule| schedule.user == Some(user)).count();
    let webhooks = db.list_webhooks(user).await.unwrap().len();
    let notifications = db.list_notifications(user, false, None, 10).await.unwrap().items.len();
    (jobs, schedules, webhooks, notifications)
}

pub(crate) fn run(world: &World, files: &FilesServer, registry: Registry) -> Running {
    Running::start(WorkerService::new(Parts { files: files.client(), ..world.parts(registry) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_account_is_left_here_once_its_files_are_gone() {
    let users = Users::start(&[(bob(), "bob@example.org")]).await;
    let world = World { auth: users.client(), ..World::new() };
    let files = FilesServer::start();
    files.state.purge_steps.store(5, Ordering::SeqCst);
    // what somebody works on is called off
    let hangs = Does::new("hangs", 1, |_| Box::pin(std::future::pending()));
    let running = run(&world, &files, registry(&[&hangs]));
    filled(&world, ann()).await;
    filled(&world, bob()).await;
    world.submit(&[world.job_of("hangs", ann())]).await;
    until_true("the job is worked on", || hangs.runs() == 1).await;

    // file-service is away at first
    files.state.failing.store(3, Ordering::SeqCst);
    let job = types::account_ended(ann(), world.clock.now());
    world.submit(std::slice::from_ref(&job)).await;
    let done = world.until_state(job.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "rows": 50, "jobs": 121 })));
    assert_eq!(left(&world, ann()).await, (0, 0, 0, 0));
    assert_eq!(left(&world, bob()).await, (120, 1, 1, 1));
    running.stop().await;
    files.stop().await;
    users.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_there_is_not_touched() {
    let users = Users::start(&[(ann(), "disabled-ann@example.org")]).await;
    let world = World { auth: users.client(), ..World::new() };
    let files = FilesServer::start();
    files.state.purge_steps.store(5, Ordering::SeqCst);
    let running = run(&world, &files, Registry::default());
    filled(&world, ann()).await;
    let job = types::account_ended(ann(), world.clock.now());
    world.submit(std::slice::from_ref(&job)).await;
    let failed = world.until_state(job.id, JobState::Failed).await;
    assert_eq!(failed.error.as_deref(), Some("The account is there"));
    assert_eq!(files.state.purge_steps.load(Ordering::SeqCst), 5, "its files were not asked for");
    assert_eq!(left(&world, ann()).await.1, 1);
    let all = JobFilter { user: Some(ann()), ..JobFilter::default() };
    assert_eq!(world.store.db.total(&all).await.unwrap(), Some(120));
    running.stop().await;
    files.stop().await;
    users.stop().await;
}
