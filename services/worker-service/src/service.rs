use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use clients::{AuthClient, FilesClient};
use common::jobs::{JobAdmin, JobBus, JobEvents, JobStore, KnownJobs, ScheduleStore};
use common::notifications::NotificationStore;
use common::webhooks::WebhookStore;
use common::{Clock, IdGen, JobId, PortResult};
use egress::Egress;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use http_kit::cursor::CursorKey;
use http_kit::health::{self, ReadyCheck};
use http_kit::seats::Seats;
use http_kit::ticket::TicketKey;
use runtime::secrets::MasterKey;
use tokio_util::sync::CancellationToken;

use crate::bookkeeping::Bookkeeper;
use crate::follow::Hub;
use crate::handlers::{AccountEndedHandler, AccountExportHandler, LinkNoticeHandler};
use crate::intake::Intake;
use crate::maintenance;
use crate::reconcile::Reconciler;
use crate::schedule::Scheduler;
use crate::settings::WorkerSettings;
use crate::waiting::WaitingRoom;
use crate::webhooks::{DeliverHandler, FileTeller, Resealer, Secrets, Teller};
use crate::work::{Bells, GivenUp, Registry, Workers};

/// What the service is made of.
#[derive(Clone)]
pub struct Parts {
    /// All jobs.
    pub store: Arc<dyn JobStore>,
    /// The same, as people look after them.
    pub admin: Arc<dyn JobAdmin>,
    /// What it tells.
    pub events: Arc<dyn JobEvents>,
    /// What makes jobs at times.
    pub schedules: Arc<dyn ScheduleStore>,
    /// Where programs of users want to be told.
    pub webhooks: Arc<dyn WebhookStore>,
    /// What users are told.
    pub notifications: Arc<dyn NotificationStore>,
    /// Brings new jobs, and rings.
    pub bus: Arc<dyn JobBus>,
    /// file-service, for its upkeep.
    pub files: FilesClient,
    /// auth-service: whether the owners of webhooks are there.
    pub auth: AuthClient,
    /// Reaches webhooks.
    pub egress: Egress,
    /// Seals the secrets of webhooks.
    pub master_key: Arc<MasterKey>,
    /// The handlers of this process.
    pub registry: Registry,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
    /// Signs the cursors of lists.
    pub cursor_key: [u8; 32],
    /// Signs the leases that programs hold over HTTP.
    pub lease_key: [u8; 32],
    /// Signs the tickets for contents; the same as file-service's.
    pub ticket_key: [u8; 32],
    /// What can be set.
    pub settings: WorkerSettings,
}

/// The service. Put it into the app's data as `web::Data<WorkerService>`, and run its parts.
pub struct WorkerService {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) admin: Arc<dyn JobAdmin>,
    pub(crate) schedules: Arc<dyn ScheduleStore>,
    pub(crate) webhooks: Arc<dyn WebhookStore>,
    pub(crate) notifications: Arc<dyn NotificationStore>,
    pub(crate) egress: Egress,
    pub(crate) secrets: Secrets,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGen>,
    pub(crate) cursor_key: CursorKey,
    pub(crate) lease_key: CursorKey,
    pub(crate) ticket_key: TicketKey,
    pub(crate) settings: WorkerSettings,
    pub(crate) bells: Bells,
    /// Follows what happens, for streams.
    pub(crate) hub: Arc<Hub>,
    /// Places for streams.
    pub(crate) seats: Arc<Seats>,
    /// Places for claims that wait.
    pub(crate) waiting_claims: WaitingRoom,
    /// Cancelled when shut-down begins: what waits ends.
    pub(crate) closing: CancellationToken,
    /// Calls jobs off and removes them, so that whoever waits for them learns of it.
    pub(crate) given_up: GivenUp,
    parts: Parts,
}

impl WorkerService {
    /// Puts the service together. Nothing runs before [`WorkerService::run`].
    pub fn new(mut parts: Parts) -> Self {
        parts.settings.webhooks = parts.settings.jobs.of_webhooks(parts.settings.webhooks);
        parts.registry = maintenance::with_handlers(parts.registry.clone(), &parts);
        let secrets = Secrets::new(Arc::clone(&parts.master_key));
        let bells = Bells::new(&parts.registry, Arc::clone(&parts.bus));
        // it rings, and is rung for
        let deliver = DeliverHandler::new(&parts, secrets.clone(), bells.clone());
        let notices = LinkNoticeHandler::new(&parts, bells.clone());
        let export = AccountExportHandler::new(&parts, bells.clone());
        let registry = parts.registry.clone().with(Arc::new(deliver));
        let registry = registry.with(Arc::new(notices)).with(Arc::new(export));
        let given_up = GivenUp::new(registry.clone(), &parts, bells.clone());
        parts.registry = registry.with(Arc::new(AccountEndedHandler::new(&parts, given_up.clone())));
        let listeners = parts.settings.listeners;
        Self {
            store: Arc::clone(&parts.store),
            admin: Arc::clone(&parts.admin),
            schedules: Arc::clone(&parts.schedules),
            webhooks: Arc::clone(&parts.webhooks),
            notifications: Arc::clone(&parts.notifications),
            egress: parts.egress.clone(),
            secrets,
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
            cursor_key: CursorKey::new(&parts.cursor_key),
            lease_key: CursorKey::new(&parts.lease_key),
            ticket_key: TicketKey::new(&parts.ticket_key),
            settings: parts.settings.clone(),
            hub: Arc::new(Hub::new(&parts, bells.clone())),
            seats: Arc::new(Seats::new(listeners.streams, listeners.streams_of_one)),
            waiting_claims: WaitingRoom::new(listeners.waiting_claims, listeners.waiting_claims_of_one),
            closing: CancellationToken::new(),
            bells,
            given_up,
            parts,
        }
    }

    /// Answers relays in this process. Other processes ask over the internal API.
    pub fn known_jobs(&self) -> Arc<dyn KnownJobs> {
        Arc::new(Store(Arc::clone(&self.store)))
    }

    /// What has to work for the service to be ready, beside its store, which whoever opened that checks under the name that it has there.
    pub fn bus_check(&self) -> Arc<dyn ReadyCheck> {
        let bus = Arc::clone(&self.parts.bus);
        health::check("bus", move || {
            let bus = Arc::clone(&bus);
            async move { bus.ping().await }
        })
    }

    /// Takes jobs in, works them and watches over them, until `stop` is cancelled; then claims no more and returns when what runs has ended or was
    /// given back, soon after [`WorkerSettings::drain`] at the latest (but for handlers that compute without a pause).
    ///
    /// Failures of what it needs are logged and waited out: it never ends by itself. Run it once.
    pub async fn run(&self, stop: CancellationToken) {
        let Parts { store, bus, clock, registry, settings, .. } = &self.parts;
        let intake = Intake {
            store: Arc::clone(store),
            bus: Arc::clone(bus),
            clock: Arc::clone(clock),
            bells: self.bells.clone(),
            jobs: settings.jobs.clone(),
        };
        let closing = async {
            stop.cancelled().await;
            self.closing.cancel();
        };
        let scheduler = Scheduler::new(&self.parts, self.bells.clone());
        let reconciler = Reconciler::new(&self.parts, self.bells.clone(), self.given_up.clone());
        let workers = Workers::new(&self.parts, registry.clone(), self.bells.clone(), self.given_up.clone());
        // only the part that is woken is looked at
        let parts: [BoxFuture<'_, ()>; 13] = [
            workers.run(stop.clone()).boxed(),
            intake.run(stop.clone()).boxed(),
            self.bells.listen(stop.clone()).boxed(),
            reconciler.run(stop.clone()).boxed(),
            self.given_up.run(stop.clone()).boxed(),
            scheduler.run(stop.clone()).boxed(),
            self.hub.run(stop.clone()).boxed(),
            closing.boxed(),
            Bookkeeper::new(&self.parts).run(stop.clone()).boxed(),
            maintenance::Planner::new(&self.parts).run(stop.clone()).boxed(),
            Teller::new(&self.parts, self.bells.clone()).run(stop.clone()).boxed(),
            FileTeller::new(&self.parts, self.bells.clone()).run(stop.clone()).boxed(),
            Resealer::new(&self.parts, self.secrets.clone()).run(stop.clone()).boxed(),
        ];
        FuturesUnordered::from_iter(parts).collect::<()>().await;
    }
}

impl fmt::Debug for WorkerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerService").field("settings", &self.parts.settings).finish_non_exhaustive()
    }
}

/// The job store as relays see it.
struct Store(Arc<dyn JobStore>);

#[async_trait]
impl KnownJobs for Store {
    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        self.0.known(ids).await
    }
}
