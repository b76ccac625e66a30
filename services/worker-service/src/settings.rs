use std::time::Duration;

use common::jobs::types;
use http_kit::event_stream::Pace;

use crate::job_types::BuiltInJobs;
use crate::webhooks::WebhookSettings;

/// How the service goes about its work. The defaults are for production; tests shorten the times.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSettings {
    /// Name of this process, for people: jobs say who works them.
    pub name: String,
    /// How long a worker may be silent before its jobs are taken from it. Default 30 s.
    pub lease: Duration,
    /// How often to look for work without a doorbell, for jobs that are due and for workers that died. Default 5 s.
    pub look_around: Duration,
    /// How often to look for jobs whose end their handlers may not know of, since whoever should have told them died. Default 1 minute.
    pub look_for_ends: Duration,
    /// How long running jobs may go on after shut-down began; then they are given back. Default 10 s.
    pub drain: Duration,
    /// How long finished jobs are kept.
    pub retention: Retention,
    /// How jobs of built-in types are tried and worked, where that is not as usual.
    pub jobs: BuiltInJobs,
    /// Jobs worked at once, by type, where [`WorkerSettings::jobs`] does not say it.
    pub concurrency: Concurrency,
    /// How many may wait or listen at once.
    pub listeners: Listeners,
    /// What is done in file-service over and over, and how often.
    pub maintenance: Vec<MaintenanceTask>,
    /// How messages to webhooks are delivered.
    pub webhooks: WebhookSettings,
    /// How long after the start, and how often, what the previous master key sealed is sealed anew: so long may replicas run that have the old key alone.
    /// Default 10 minutes.
    pub reseal_every: Duration,
    /// Where the product is reached, for links in mails.
    pub public_url: Option<String>,
}

/// How long finished jobs, and what was told of them, are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Those that are complete, or were called off. Default 7 days.
    pub complete: Duration,
    /// Those that failed: the dead-letter list. Default 30 days.
    pub failed: Duration,
    /// What happened to jobs, for whoever follows it. Default 1 day.
    pub events: Duration,
    /// What was sent to webhooks. Default 30 days.
    pub deliveries: Duration,
    /// What users were told. Default 90 days.
    pub notifications: Duration,
    /// How often to look. Default 1 hour.
    pub every: Duration,
}

/// Who waits for something in this process, and how it is kept in bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listeners {
    /// Streams of events. Default 500.
    pub streams: usize,
    /// Streams of one person, at least 1; with one more the oldest ends. Default 20.
    pub streams_of_one: usize,
    /// Claims that wait for jobs: see [`crate::ClaimsSection`]. Default 500.
    pub waiting_claims: usize,
    /// Those of one account; one more is refused. Default 50.
    pub waiting_claims_of_one: usize,
    /// How often a silent stream says that it is alive. Default 15 s.
    pub heartbeat: Duration,
    /// How often it is looked whether a stream's client is still there. Default 1 s.
    pub look_for_client: Duration,
    /// How often it is asked whether a stream's credential is still good. Default 3 s.
    pub recheck: Duration,
    /// How often events are looked for while somebody listens; what this process does itself is told at once. Default 500 ms.
    pub look: Duration,
}

/// How many jobs this process works at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Thumbnails: as many as there are child processes. Default: the processors of the machine, at most 4.
    pub thumbnails: usize,
    /// Purges: each is a chain of short commits in one store. Default 2.
    pub purge: usize,
    /// Copies of folders.
    pub copy: usize,
    /// Facts of sounds and films: each waits for some small reads. Default 2.
    pub media_facts: usize,
    /// Texts: each holds a few MiB. Default 2.
    pub text: usize,
    /// Mails. Default 4.
    pub mail: usize,
}

/// A task of file-service that is done over and over: once in each period, by a job of the type of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaintenanceTask {
    /// Its name in file-service's internal API, which is the type of its jobs.
    pub name: &'static str,
    /// How long a period is.
    pub every: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            lease: Duration::from_secs(30),
            look_around: Duration::from_secs(5),
            look_for_ends: MINUTE,
            drain: Duration::from_secs(10),
            retention: Retention::default(),
            jobs: BuiltInJobs::default(),
            concurrency: Concurrency::default(),
            listeners: Listeners::default(),
            maintenance: MaintenanceTask::defaults(),
            webhooks: WebhookSettings::default(),
            reseal_every: Duration::from_secs(600),
            public_url: None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            complete: 7 * DAY,
            failed: 30 * DAY,
            events: DAY,
            deliveries: 30 * DAY,
            notifications: 90 * DAY,
            every: HOUR,
        }
    }
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            streams: 500,
            streams_of_one: 20,
            waiting_claims: 500,
            waiting_claims_of_one: 50,
            heartbeat: Duration::from_secs(15),
            look_for_client: Duration::from_secs(1),
            recheck: Duration::from_secs(3),
            look: Duration::from_millis(500),
        }
    }
}

impl Listeners {
    /// How streams are kept alive, and when they end.
    pub(crate) fn pace(&self) -> Pace {
        let Self { heartbeat, look_for_client, recheck, .. } = *self;
        Pace { heartbeat, look_for_client, recheck }
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { thumbnails: processors.min(4), purge: 2, copy: 2, media_facts: 2, text: 2, mail: 4 }
    }
}

impl MaintenanceTask {
    /// All tasks with their usual times: what frees quota soon, what looks at everything seldom.
    pub fn defaults() -> Vec<Self> {
        [
            (types::SWEEP_RESERVATIONS, 5 * MINUTE),
            (types::EXPIRE_UPLOADS, 5 * MINUTE),
            (types::EXPIRE_TRASH, HOUR),
            (types::EXPIRE_VERSIONS, HOUR),
            (types::PURGE_TOMBSTONES, HOUR),
            (types::COLLECT_BLOBS, HOUR),
            (types::SWEEP_STRAYS, DAY),
            (types::RECOUNT_USAGE, 7 * DAY),
            (types::SCRUB_BLOBS, 30 * DAY),
            (types::INDEX_FILES, DAY),
        ]
        .map(|(name, every)| Self { name, every })
        .into()
    }
}
