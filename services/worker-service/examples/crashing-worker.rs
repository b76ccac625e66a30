//! A producer, its relay and a worker in one process, for the tests that kill it: `crashing-worker FOLDER` commits one job with its cause (unless an
//! earlier run did), and ends when the job is complete or given up, and its row has gone from the outbox.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clients::{AuthClient, FilesClient, InternalClient};
use common::auth::{Address, AuthStore as _, Role, User};
use common::jobs::{JobStore as _, NewJob, Outbox as _};
use common::routes::Service;
use common::{Clock as _, JobId, UserId};
use http_kit::service_token::ServiceTokens;
use runtime::SystemClock;
use runtime::memory::EmbeddedBus;
use runtime::relay::{Relay, RelaySettings};
use runtime::secrets::{MasterKey, random_secret};
use serde_json::{Value, json};
use store_sqlite::{AuthDb, JobsDb, OpenOptions};
use tokio_util::sync::CancellationToken;
use worker_service::{
    HandlerError, JobContext, JobHandler, Parts, Registry, Retention, WebhooksSection, WorkerService,
    WorkerSettings,
};

/// What a dead process held comes free soon.
const LEASE: Duration = Duration::from_millis(500);
const OFTEN: Duration = Duration::from_millis(20);

/// Leaves a file by the job's name: the effect. Each run adds a line.
struct Effect(PathBuf);

#[async_trait]
impl JobHandler for Effect {
    fn kind(&self) -> &'static str {
        "effect"
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let path = self.0.join(job.job().spec.id.to_string());
        let written = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| writeln!(file, "attempt {}", job.job().attempts_made));
        written.map_err(|error| HandlerError::Retry(error.to_string()))?;
        Ok(None)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("which folder?")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(Path::new(&folder)))
}

async fn run(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let auth = Arc::new(AuthDb::open(folder.join("auth.db"), &OpenOptions::default())?);
    let store = Arc::new(JobsDb::open(folder.join("jobs.db"), &OpenOptions::default())?);
    let job = JobId::from_bytes([7; 12]);
    if auth.count_users().await? == 0 {
        cause(&auth, job).await?;
    }
    let bus = Arc::new(EmbeddedBus::default());
    let service = WorkerService::new(Parts {
        store: store.clone(),
        admin: store.clone(),
        events: store.clone(),
        schedules: store.clone(),
        webhooks: store.clone(),
        notifications: store.clone(),
        bus: bus.clone(),
        files: FilesClient::new(nobody(Service::Files)?),
        auth: AuthClient::new(nobody(Service::Auth)?),
        egress: WebhooksSection::default().egress()?,
        master_key: Arc::new(MasterKey::parse(&random_secret(), None)?),
        registry: Registry::default().with(Arc::new(Effect(folder.join("effects")))),
        clock: Arc::new(SystemClock),
        ids: Arc::new(runtime::RandomIds::default()),
        cursor_key: [1; 32],
        lease_key: [2; 32],
        ticket_key: [3; 32],
        settings: WorkerSettings {
            lease: LEASE,
            look_around: OFTEN,
            retention: Retention::default(),
            maintenance: Vec::new(),
            ..WorkerSettings::default()
        },
    });
    let settings =
        RelaySettings { lease: LEASE, look_around: OFTEN, settle_after: OFTEN, ..RelaySettings::default() };
    let clock = Arc::new(SystemClock);
    let relay = Relay::new("auth-service", auth.clone(), bus, service.known_jobs(), clock, settings);
    let stop = CancellationToken::new();
    let done = async {
        loop {
            let has_ended = store.find(job).await?.is_some_and(|job| !job.state.is_live());
            if has_ended && auth.depth().await? == 0 {
                stop.cancel();
                return Ok::<_, common::PortError>(());
            }
            tokio::time::sleep(OFTEN).await;
        }
    };
    let (done, (), ()) = tokio::join!(done, service.run(stop.clone()), relay.run(stop.clone()));
    Ok(done?)
}

async fn cause(auth: &AuthDb, id: JobId) -> Result<(), Box<dyn std::error::Error>> {
    let now = SystemClock.now();
    let user = User {
        id: UserId::from_bytes([8; 12]),
        address: Address::parse("bob@dylan.com")?,
        password_hash: "-".to_owned(),
        role: Role::User,
        disabled: false,
        bootstrap: false,
        created_at: now,
    };
    let job = NewJob {
        user: Some(user.id),
        max_attempts: 3,
        ttl_ms: 60_000,
        ..NewJob::new(id, "effect", json!({}), now)
    };
    Ok(auth.create_user(&user, &[job]).await?)
}

fn nobody(target: Service) -> Result<InternalClient, Box<dyn std::error::Error>> {
    let tokens = ServiceTokens::new(&[0; 32], None)?;
    let base = "http://127.0.0.1:9".parse()?;
    Ok(InternalClient::tcp(&[base], Service::Worker, target, tokens, Arc::new(SystemClock))?)
}
