//! Jobs that somebody waits for, and that are called off or removed: nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::files::internal::CopyGiveUp;
use common::jobs::{ClaimRequest, JobAdmin as _, JobChange, JobState, JobStore as _, NewJob, types};
use common::{BlobKey, Clock as _, JobId, OperationId};
use reqwest::Method;
use serde_json::{Value, json};
use worker_service::{CopyHandler, Registry};

use crate::api::Api;
use crate::files_double::{Files, FilesServer};
use crate::http::bob;
use crate::pictures::{child, jpeg, pool};
use crate::support::{Does, World, registry, until, until_true};

/// A way in which an administrator ends a job.
#[derive(Debug, Clone, Copy)]
enum Way {
    Cancel,
    Patch,
    Remove,
    Force,
}

const WAYS: [Way; 4] = [Way::Cancel, Way::Patch, Way::Remove, Way::Force];

impl Way {
    async fn go(self, api: &Api, job: JobId) -> (u16, Value) {
        let path = format!("/jobs/{job}");
        match self {
            Self::Cancel => api.send(api.request(Method::POST, &format!("{path}/cancel"), "ann")).await,
            Self::Patch => api.call(Method::PATCH, &path, &json!({ "state": "cancelled" })).await,
            Self::Remove => api.send(api.request(Method::DELETE, &path, "ann")).await,
            Self::Force => api.send(api.request(Method::DELETE, &format!("{path}?force=true"), "ann")).await,
        }
    }

    const fn removes(self) -> bool {
        matches!(self, Self::Remove | Self::Force)
    }
}

/// A job that waits for tomorrow.
fn later(world: &World, job: NewJob) -> NewJob {
    NewJob { run_at: Some(world.clock.now() + Duration::from_secs(86_400)), ..job }
}

fn thumbnails(world: &World, files: &Files) -> (NewJob, BlobKey) {
    let file = world.ids.next();
    let blob = files.add(file, bob(), jpeg(200, 100));
    (types::thumbnails(world.ids.next(), bob(), file, blob, world.clock.now()), blob)
}

fn pictures(world: &World, files: &FilesServer) -> Registry {
    let handler =
        worker_service::ThumbnailsHandler::new(files.client(), pool(child()), world.folder.path(), 2);
    Registry::default().with(Arc::new(handler))
}

fn reason(files: &FilesServer, blob: BlobKey) -> Option<String> {
    files.state.failed.lock().unwrap().get(&blob).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_thumbnails_job_is_called_off_or_removed_does_not_stay_pending() {
    let world = World::new();
    let files = FilesServer::start();
    let api = Api::with(&world, pictures(&world, &files));
    for way in WAYS {
        let (job, blob) = thumbnails(&world, &files.state);
        let job = later(&world, job);
        world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
        let (status, body) = way.go(&api, job.id).await;
        assert!((200..300).contains(&status), "{way:?}: {status} {body}");
        // when it is answered, the file knows
        assert_eq!(reason(&files, blob).as_deref(), Some("It was called off"), "{way:?}");
        let left = world.job(job.id).await;
        assert_eq!(left.map(|job| job.state), (!way.removes()).then_some(JobState::Cancelled), "{way:?}");
        if !way.removes() {
            // and tried again after all, it makes them
            api.done(&format!("/jobs/{}/retry", job.id), &Value::Null).await;
            let done = world.until_state(job.id, JobState::Complete).await;
            assert_eq!(done.result, Some(json!({ "made": 4 })));
        }
    }
    // of one that is complete nothing is said
    let (job, blob) = thumbnails(&world, &files.state);
    world.submit(std::slice::from_ref(&job)).await;
    world.until_state(job.id, JobState::Complete).await;
    assert_eq!(Way::Remove.go(&api, job.id).await.0, 204);
    assert_eq!(reason(&files, blob), None);
    api.stop().await;
    files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_job_is_called_off_removed_or_given_up_ends() {
    let world = World::new();
    let files = FilesServer::start();
    let copies = Registry::default().with(Arc::new(CopyHandler::new(files.client(), 8)));
    let api = Api::with(&world, copies);
    let ended = |operation, called_off| {
        files.state.ended_copies.lock().unwrap().contains(&CopyGiveUp { operation, called_off })
    };
    let copy = |operation: OperationId| {
        types::copy(world.ids.next(), operation, bob(), world.clock.now(), world.clock.now())
    };
    for way in WAYS {
        let operation = world.ids.next();
        let job = copy(operation);
        // the double's copies go on for ever: it is being worked
        let job = if matches!(way, Way::Remove) { later(&world, job) } else { job };
        world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
        if !matches!(way, Way::Remove) {
            world.until_state(job.id, JobState::Active).await;
            assert_eq!(Way::Remove.go(&api, job.id).await.0, 409, "nothing of it is lost by accident");
        }
        let (status, body) = way.go(&api, job.id).await;
        assert!((200..300).contains(&status), "{way:?}: {status} {body}");
        assert!(ended(operation, true), "{way:?}");
        assert_eq!(world.job(job.id).await.is_none(), way.removes(), "{way:?}");
    }
    // and one whose attempts are used up
    let operation = world.ids.next();
    let broken = NewJob { ttl_ms: 1, max_attempts: 1, ..copy(operation) };
    world.store.insert(std::slice::from_ref(&broken), world.clock.now()).await.unwrap();
    world.until_state(broken.id, JobState::Failed).await;
    until_true("the end of the copy", || ended(operation, false)).await;
    api.stop().await;
    files.stop().await;
}

/// The store says that the job is called off, and nobody has told its handler: whoever should have died.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_learns_of_a_job_that_was_called_off_though_its_process_died() {
    let mut world = World::new();
    world.settings.look_for_ends = Duration::from_millis(10);
    let files = FilesServer::start();
    // another process that is there all the time
    let other = world.run(pictures(&world, &files));
    let (job, blob) = thumbnails(&world, &files.state);
    let job = later(&world, job);
    world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
    world.store.db.change(job.id, JobChange::Cancel, world.clock.now()).await.unwrap();
    until("the reason at the file", || async { reason(&files, blob) }).await;
    other.stop().await;

    // nobody is there, and it waited for days
    let (job, blob) = thumbnails(&world, &files.state);
    let job = later(&world, job);
    world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(3 * 86_400));
    world.store.db.change(job.id, JobChange::Cancel, world.clock.now()).await.unwrap();
    let world = world.restarted();
    let running = world.run(pictures(&world, &files));
    until("the reason at the file", || async { reason(&files, blob) }).await;
    running.stop().await;
    files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_removed_only_when_who_waits_for_it_has_been_told() {
    let world = World::new();
    let handler = Does::nothing("t");
    handler.deaf.store(1, Ordering::SeqCst);
    let api = Api::with(&world, registry(&[&handler]));
    let told = || handler.given_up.lock().unwrap().clone();
    let job = later(&world, world.new_job("t"));
    world.store.insert(std::slice::from_ref(&job), world.clock.now()).await.unwrap();
    let (status, body) = Way::Remove.go(&api, job.id).await;
    assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
    assert_eq!(world.job(job.id).await.unwrap().state, JobState::Cancelled, "it is called off, and there");
    // a look makes it good
    until_true("the handler's knowledge", || told() == [(job.id, "It was called off".to_owned())]).await;
    assert_eq!(Way::Remove.go(&api, job.id).await.0, 204);
    assert!(world.job(job.id).await.is_none());
    api.stop().await;
}

/// Somebody looks, a worker begins the job, and the removal goes on: it had called off what was being worked.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_begun_while_it_is_removed_is_not_called_off() {
    let world = World::new();
    let handler = Does::new("t", 1, |_| Box::pin(std::future::pending()));
    let api = Api::with(&world, registry(&[&handler]));
    let jobs = [world.new_job("t"), world.new_job("t")];
    world.store.insert(&jobs, world.clock.now()).await.unwrap();
    // the place of this process is taken: the other job waits
    world.until_state(jobs[0].id, JobState::Active).await;
    *world.store.claim_after_find.lock().unwrap() = Some(ClaimRequest {
        types: vec!["t".to_owned()],
        worker: "another process".to_owned(),
        max: 1,
        lease: Duration::from_secs(30),
    });
    let (status, body) = Way::Remove.go(&api, jobs[1].id).await;
    assert_eq!((status, &body["code"], &body["state"]), (409, &json!("job_state"), &json!("active")));
    assert_eq!(world.job(jobs[1].id).await.unwrap().state, JobState::Active);
    assert_eq!(Way::Force.go(&api, jobs[1].id).await.0, 204);
    assert!(world.job(jobs[1].id).await.is_none());
    api.stop_hard().await;
}
