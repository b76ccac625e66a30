//! Thumbnails: real children over file-service's double.

use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::files::MediaFacts;
use common::jobs::{Backoff, JobState, NewJob, types};
use common::{Clock as _, FileId};
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use thumbnails::{Pool, PoolConfig};
use worker_service::{Registry, ThumbnailsHandler};

use crate::files_double::FilesServer;
use crate::http::{bob, eve};
use crate::support::{World, until, until_true};

/// An example of this crate, which cargo builds with the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is not built: run the tests of the whole package", program.display());
    program
}

/// The program that decodes.
pub(crate) fn child() -> PathBuf {
    example("thumbnail-child")
}

pub(crate) fn pool(program: PathBuf) -> Pool {
    Pool::new(PoolConfig { children: 2, program, ..PoolConfig::default() }).unwrap()
}

/// A program that is killed over contents that begin with `KILL`, and works otherwise.
fn mortal_child(folder: &Path) -> PathBuf {
    let script = format!(
        "#!/bin/sh\n[ \"$(head -c4 /proc/self/fd/0)\" = KILL ] && kill -9 $$\nexec '{}' \"$@\"\n",
        child().display()
    );
    let path = folder.join("mortal-child");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 128]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

struct Studio {
    world: World,
    files: FilesServer,
    temporary: PathBuf,
}

impl Studio {
    fn new() -> Self {
        let world = World::new();
        let temporary = world.folder.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        Self { world, files: FilesServer::start(), temporary }
    }

    fn registry(&self, program: PathBuf) -> Registry {
        let handler = ThumbnailsHandler::new(self.files.client(), pool(program), &self.temporary, 3);
        Registry::default().with(Arc::new(handler))
    }

    /// The job that an upload makes.
    fn upload(&self, content: Vec<u8>) -> (NewJob, FileId) {
        let file: FileId = self.world.ids.next();
        let blob = self.files.state.add(file, bob(), content);
        let job = types::thumbnails(self.world.ids.next(), bob(), file, blob, self.world.clock.now());
        (NewJob { backoff: Backoff::None, ..job }, file)
    }

    fn classic(&self, data: Value) -> NewJob {
        NewJob { data, ..self.world.new_job(types::THUMBNAILS) }
    }

    fn reason(&self, job: &NewJob) -> Option<String> {
        let blob = serde_json::from_value(job.data["blob"].clone()).unwrap();
        self.files.state.failed.lock().unwrap().get(&blob).cloned()
    }

    fn kept(&self) -> usize {
        self.files.state.kept.lock().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_gets_its_thumbnails() {
    let studio = Studio::new();
    let running = studio.world.run(studio.registry(child()));
    let (job, _) = studio.upload(jpeg(1600, 800));
    studio.world.submit(std::slice::from_ref(&job)).await;
    let done = studio.world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.result, done.progress), (Some(json!({ "made": 4 })), 100));
    let (header, pictures) = studio.files.state.kept.lock().unwrap().values().next().unwrap().clone();
    assert_eq!(header.media, Some(MediaFacts::of_size(1600, 800)));
    let sizes: Vec<_> = header.pictures.iter().map(|picture| (picture.size, &*picture.mime)).collect();
    assert_eq!(sizes, [100, 250, 500, 1280].map(|size| (size, "image/jpeg")));
    for (picture, bytes) in header.pictures.iter().zip(&pictures) {
        let made = image::load_from_memory(bytes).unwrap();
        assert_eq!((made.width(), made.height()), (picture.size, picture.size / 2));
    }
    // a second delivery to a second worker, as after a lost lease, has nothing to do
    let again = NewJob { id: studio.world.ids.next(), ..job };
    studio.world.submit(std::slice::from_ref(&again)).await;
    let done = studio.world.until_state(again.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "made": 0 })));
    running.stop().await;
    assert_eq!(std::fs::read_dir(&studio.temporary).unwrap().count(), 0);
    studio.files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c127_a_damaged_picture_fails_once_with_a_reason_and_disturbs_nobody() {
    let studio = Studio::new();
    let running = studio.world.run(studio.registry(child()));
    let (text, _) = studio.upload(b"no picture at all".to_vec());
    let mut cut = jpeg(400, 300);
    cut.truncate(100);
    let (cut, _) = studio.upload(cut);
    let good: Vec<_> = (0..5).map(|number| studio.upload(jpeg(200 + number, 100)).0).collect();
    studio.world.submit(&[vec![text.clone(), cut.clone()], good.clone()].concat()).await;
    for job in &good {
        studio.world.until_state(job.id, JobState::Complete).await;
    }
    for job in [text, cut] {
        let dead = studio.world.until_state(job.id, JobState::Failed).await;
        assert_eq!(dead.attempts_made, 1, "a permanent failure is not tried again");
        until_true("the reason at the file", || studio.reason(&job).is_some()).await;
        assert_eq!(studio.reason(&job), dead.error);
    }
    assert_eq!(studio.kept(), 5);
    running.stop().await;
    studio.files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c148_a_picture_that_kills_its_child_each_time_is_given_up_while_others_go_on() {
    let studio = Studio::new();
    let running = studio.world.run(studio.registry(mortal_child(studio.world.folder.path())));
    let (deadly, _) = studio.upload(b"KILL".to_vec());
    let deadly = NewJob { max_attempts: 3, ..deadly };
    let good: Vec<_> = (0..5).map(|number| studio.upload(jpeg(200 + number, 100)).0).collect();
    studio.world.submit(&[vec![deadly.clone()], good.clone()].concat()).await;
    for job in &good {
        studio.world.until_state(job.id, JobState::Complete).await;
    }
    let dead = studio.world.until_state(deadly.id, JobState::Failed).await;
    assert_eq!((dead.attempts_made, dead.failures.len()), (3, 3));
    let error = dead.error.unwrap();
    assert!(error.contains("signal 9"), "{error}");
    until_true("the reason at the file", || studio.reason(&deadly).as_deref() == Some(&*error)).await;
    running.stop().await;
    studio.files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c154_a_file_that_is_deleted_at_any_moment_ends_its_job_quietly() {
    let studio = Studio::new();
    let (before, file) = studio.upload(jpeg(100, 100));
    studio.files.state.files.lock().unwrap().remove(&file);
    let (reading, _) = studio.upload(jpeg(100, 100));
    let blob = serde_json::from_value(reading.data["blob"].clone()).unwrap();
    studio.files.state.unreadable.lock().unwrap().push(blob);
    let (keeping, _) = studio.upload(jpeg(100, 100));
    let blob = serde_json::from_value(keeping.data["blob"].clone()).unwrap();
    studio.files.state.vanishing.lock().unwrap().push(blob);
    let (replaced, file) = studio.upload(jpeg(100, 100));
    studio.files.state.add(file, eve(), jpeg(50, 50));
    let running = studio.world.run(studio.registry(child()));
    let jobs = [before, reading, keeping, replaced];
    studio.world.submit(&jobs).await;
    for job in &jobs {
        let done = studio.world.until_state(job.id, JobState::Complete).await;
        assert_eq!(done.result, Some(json!({ "obsolete": "the file is gone" })));
        assert_eq!((done.failures.len(), studio.reason(job)), (0, None));
    }
    assert_eq!(studio.kept(), 0);
    running.stop().await;
    studio.files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_the_classic_queue_have_their_classic_failures() {
    let studio = Studio::new();
    let running = studio.world.run(studio.registry(child()));
    let file: FileId = studio.world.ids.next();
    studio.files.state.add(file, bob(), jpeg(300, 300));
    for (data, error) in [
        (json!({ "userId": bob() }), "Missing fileId"),
        (json!({ "fileId": file }), "Missing userId"),
        (json!({ "fileId": file, "userId": eve() }), "File not found"),
        (json!({ "fileId": FileId::from_bytes([9; 12]), "userId": bob() }), "File not found"),
    ] {
        let job = studio.classic(data);
        studio.world.submit(std::slice::from_ref(&job)).await;
        let dead = studio.world.until_state(job.id, JobState::Failed).await;
        assert_eq!((dead.error.as_deref(), dead.attempts_made), (Some(error), 1));
    }
    let job = studio.classic(json!({ "fileId": file, "userId": bob() }));
    studio.world.submit(std::slice::from_ref(&job)).await;
    let done = studio.world.until_state(job.id, JobState::Complete).await;
    assert_eq!(done.result, Some(json!({ "made": 4 })));
    running.stop().await;
    studio.files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_file_service_cannot_do_now_is_tried_again() {
    let studio = Studio::new();
    let running = studio.world.run(studio.registry(child()));
    studio.files.state.failing.store(1, Ordering::SeqCst);
    let (job, _) = studio.upload(jpeg(100, 100));
    studio.world.submit(std::slice::from_ref(&job)).await;
    let done = studio.world.until_state(job.id, JobState::Complete).await;
    assert_eq!((done.attempts_made, done.failures.len()), (1, 0), "it is not the job that failed");
    // an original that does not come whole is no picture
    studio.files.state.short.store(1, Ordering::SeqCst);
    let (job, _) = studio.upload(jpeg(100, 100));
    let job = NewJob { backoff: Backoff::Fixed { delay_ms: 1000 }, ..job };
    studio.world.submit(std::slice::from_ref(&job)).await;
    let delayed = studio.world.until_state(job.id, JobState::Delayed).await;
    assert_eq!(delayed.error.as_deref(), Some("the picture could not be read whole"));
    studio.files.state.short.store(0, Ordering::SeqCst);
    studio.world.clock.advance(Duration::from_secs(1));
    studio.world.until_state(job.id, JobState::Complete).await;
    running.stop().await;
    studio.files.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_learns_of_its_failure_even_if_it_could_not_be_told_at_first() {
    let studio = Studio::new();
    let running = studio.world.run(studio.registry(child()));
    let (job, _) = studio.upload(b"no picture".to_vec());
    let job = NewJob { max_attempts: 2, ..job };
    // both attempts find nobody, nor does who tells of it
    studio.files.state.failing.store(4, Ordering::SeqCst);
    studio.world.submit(std::slice::from_ref(&job)).await;
    studio.world.until_state(job.id, JobState::Failed).await;
    until("the reason at the file", || async { studio.reason(&job) }).await;
    running.stop().await;
    studio.files.stop().await;
}
