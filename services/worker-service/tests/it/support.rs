//! A service over a fresh job store and the embedded bus, with a clock that stands still.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use clients::{AuthClient, FilesClient};
use common::jobs::{Backoff, Job, JobBus, JobState, JobStore, NewJob};
use common::{Clock, JobId, UserId};
use futures_util::future::BoxFuture;
use runtime::memory::EmbeddedBus;
use runtime::secrets::MasterKey;
use serde_json::{Value, json};
use store_sqlite::{JobsDb, OpenOptions};
use tempfile::TempDir;
use testkit::{TestClock, TestIds};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use worker_service::{
    Ending, HandlerError, JobContext, JobHandler, Parts, Registry, Retention, WebhookSettings,
    WebhooksSection, WorkerService, WorkerSettings,
};

use crate::watched::Watched;

/// Signs tickets for contents, in both services.
pub(crate) const TICKET_KEY: [u8; 32] = [8; 32];

/// Longest wait for anything: a failure, never a measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until something holds.
pub(crate) async fn until_true(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || {
        let holds = holds();
        async move { holds.then_some(()) }
    })
    .await;
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) store: Arc<Watched>,
    pub(crate) bus: Arc<EmbeddedBus>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    pub(crate) settings: WorkerSettings,
    pub(crate) auth: AuthClient,
    pub(crate) files: FilesClient,
    pub(crate) webhooks: WebhooksSection,
    pub(crate) master_key: Arc<MasterKey>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Watched::new(open(folder.path())));
        Self {
            folder,
            store,
            bus: Arc::new(EmbeddedBus::default()),
            clock: Arc::new(TestClock::default()),
            ids: Arc::new(TestIds::new()),
            settings: settings(),
            auth: crate::files_double::nobody(),
            files: crate::files_double::nowhere(),
            webhooks: WebhooksSection::default(),
            master_key: Arc::new(MasterKey::parse(&"5e".repeat(32), None).unwrap()),
        }
    }

    /// Loses everything but the disk, as a restart does.
    pub(crate) fn restarted(self) -> Self {
        let Self { folder, store, clock, ids, settings, auth, files, webhooks, master_key, .. } = self;
        store.db.close();
        drop(store);
        let store = Arc::new(Watched::new(open(folder.path())));
        let bus = Arc::new(EmbeddedBus::default());
        Self { folder, store, bus, clock, ids, settings, auth, files, webhooks, master_key }
    }

    pub(crate) fn service(&self, registry: Registry) -> WorkerService {
        WorkerService::new(self.parts(registry))
    }

    /// A service with another bus, or by another clock.
    pub(crate) fn service_by(
        &self,
        registry: Registry,
        bus: Arc<dyn JobBus>,
        clock: Arc<dyn Clock>,
    ) -> WorkerService {
        WorkerService::new(Parts { bus, clock, ..self.parts(registry) })
    }

    pub(crate) fn parts(&self, registry: Registry) -> Parts {
        Parts {
            store: Arc::clone(&self.store) as _,
            admin: Arc::clone(&self.store.db) as _,
            events: Arc::clone(&self.store.db) as _,
            schedules: Arc::clone(&self.store.db) as _,
            webhooks: Arc::clone(&self.store.db) as _,
            notifications: Arc::clone(&self.store.db) as _,
            bus: Arc::clone(&self.bus) as _,
            files: self.files.clone(),
            auth: self.auth.clone(),
            egress: self.webhooks.egress().unwrap(),
            master_key: Arc::clone(&self.master_key),
            registry,
            clock: Arc::clone(&self.clock) as _,
            ids: Arc::clone(&self.ids) as _,
            cursor_key: [7; 32],
            lease_key: [6; 32],
            ticket_key: TICKET_KEY,
            settings: self.settings.clone(),
        }
    }

    pub(crate) fn run(&self, registry: Registry) -> Running {
        Running::start(self.service(registry))
    }

    /// A job of this type; change what matters.
    pub(crate) fn new_job(&self, kind: &str) -> NewJob {
        NewJob {
            max_attempts: 3,
            backoff: Backoff::Fixed { delay_ms: 1000 },
            ttl_ms: 60_000,
            ..NewJob::new(self.ids.next(), kind, json!({}), self.clock.now())
        }
    }

    pub(crate) fn job_of(&self, kind: &str, user: UserId) -> NewJob {
        NewJob { user: Some(user), ..self.new_job(kind) }
    }

    pub(crate) async fn submit(&self, jobs: &[NewJob]) {
        self.bus.submit(jobs).await.unwrap();
    }

    pub(crate) async fn job(&self, id: JobId) -> Option<Job> {
        self.store.find(id).await.unwrap()
    }

    pub(crate) async fn until_state(&self, id: JobId, state: JobState) -> Job {
        until(&format!("{id} to be {}", state.word()), || async move {
            self.job(id).await.filter(|job| job.state == state)
        })
        .await
    }

    pub(crate) async fn log(&self, id: JobId) -> Vec<String> {
        self.store.list_log(id).await.unwrap().into_iter().map(|(_, line)| line).collect()
    }
}

fn open(folder: &Path) -> JobsDb {
    JobsDb::open(folder.join("jobs.db"), &OpenOptions::default()).unwrap()
}

/// Looks around often, since the clock of these tests does not wake anybody.
pub(crate) fn settings() -> WorkerSettings {
    WorkerSettings {
        name: "test".to_owned(),
        lease: Duration::from_secs(30),
        look_around: Duration::from_millis(10),
        drain: PATIENCE,
        retention: Retention { every: Duration::from_millis(20), ..Retention::default() },
        maintenance: Vec::new(),
        reseal_every: Duration::from_millis(20),
        webhooks: WebhookSettings { look_at_files: Duration::from_millis(10), ..WebhookSettings::default() },
        ..WorkerSettings::default()
    }
}

/// A service at work.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    pub(crate) fn start(service: WorkerService) -> Self {
        Self::start_shared(Arc::new(service))
    }

    pub(crate) fn start_shared(service: Arc<WorkerService>) -> Self {
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let its_stop = stop.clone();
        task.spawn(async move { service.run(its_stop).await });
        Self { stop, task }
    }

    pub(crate) fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task.join_next()).await.expect("it stops").unwrap().unwrap();
    }

    /// As a power cut does.
    pub(crate) async fn kill(mut self) {
        self.task.shutdown().await;
    }
}

type Outcome = Result<Option<Value>, HandlerError>;
type Run = dyn for<'a> Fn(&'a JobContext) -> BoxFuture<'a, Outcome> + Send + Sync;

/// A handler made of a function.
pub(crate) struct Does {
    kind: &'static str,
    concurrency: usize,
    run: Box<Run>,
    /// Runs that began.
    pub(crate) runs: AtomicU32,
    /// What was heard of jobs that were given up.
    pub(crate) given_up: std::sync::Mutex<Vec<(JobId, String)>>,
    /// So many more times it does not want to hear of them.
    pub(crate) deaf: AtomicU32,
}

impl Does {
    pub(crate) fn new(
        kind: &'static str,
        concurrency: usize,
        run: impl for<'a> Fn(&'a JobContext) -> BoxFuture<'a, Outcome> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let run = Box::new(run);
        Arc::new(Self {
            kind,
            concurrency,
            run,
            runs: AtomicU32::new(0),
            given_up: std::sync::Mutex::default(),
            deaf: AtomicU32::new(0),
        })
    }

    pub(crate) fn nothing(kind: &'static str) -> Arc<Self> {
        Self::new(kind, 2, |_| Box::pin(async { Ok(None) }))
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl JobHandler for Does {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Outcome {
        self.runs.fetch_add(1, Ordering::SeqCst);
        (self.run)(job).await
    }

    fn hears_of_ends(&self) -> bool {
        true
    }

    async fn given_up(&self, job: &Job, ending: Ending<'_>) -> Result<(), HandlerError> {
        if self.deaf.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(HandlerError::Retry("deaf".to_owned()));
        }
        self.given_up.lock().unwrap().push((job.spec.id, ending.reason().to_owned()));
        Ok(())
    }
}

pub(crate) fn registry(handlers: &[&Arc<Does>]) -> Registry {
    handlers.iter().fold(Registry::default(), |registry, handler| registry.with(Arc::clone(handler) as _))
}
