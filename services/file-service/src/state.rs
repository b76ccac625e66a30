use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use common::auth::{Exports, OpenAccounts, OwnCredentials, People, RateLimiter, UserCount};
use common::files::internal::StepDone;
use common::files::{
    ActivityStore, BlobLocator, BlobStore, CopyStore, FileStore, JournalStore, LinkStore, MarkStore,
    PartialBlobs, SearchStore, ShareStore, UploadStore, VersionStore,
};
use common::{Clock, Code, IdGen};
use http_kit::cursor::CursorKey;
use http_kit::event_stream::Pace;
use http_kit::health::ReadyCheck;
use http_kit::seats::Seats;
use http_kit::ticket::TicketKey;
use http_kit::{BodyLimits, TrustedProxies};
use runtime::passwords::PasswordHasher;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::access::Gate;
use crate::app::archive::{ArchiveSettings, Room};
use crate::app::follow::Lookout;
use crate::app::maintenance::{self, Task};
use crate::app::resumable::Uploads;
use crate::app::sharing::guesses::Guesses;
use crate::app::usage::Alive;
use crate::background::Background;
use crate::error::AppError;

/// Who sends the bytes of contents that do not stand in the metadata store.
#[derive(Clone, Default)]
pub enum Delivery {
    /// The service itself.
    #[default]
    Service,
    /// The gateway, which is told where they are by `X-Accel-Redirect`. Only for a service that is reached through the gateway alone: anybody
    /// else would get that address, and no bytes.
    Gateway(Arc<dyn BlobLocator>),
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "Service",
            Self::Gateway(_) => "Gateway",
        })
    }
}

/// What can be set, with the built-in defaults.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// Largest content of one file in bytes; none is no limit but the room that there is.
    pub max_upload_bytes: Option<u64>,
    /// The quota of a space that is made from now on; none is no limit.
    pub default_quota_bytes: Option<u64>,
    /// Contents up to so many bytes stand in the metadata store itself, and cost one commit instead of three.
    pub inline_bytes: usize,
    /// How many old contents of a file are kept.
    pub keep_versions: u32,
    /// How long they are kept after they were replaced; none is no limit.
    pub keep_versions_for: Option<Duration>,
    /// Largest body of the classic upload in bytes.
    pub classic_body_bytes: usize,
    /// Most bytes of classic upload bodies that are held in memory at once, as they cannot be streamed.
    pub classic_bodies_in_flight_bytes: usize,
    /// How long such a body waits for room; then 503.
    pub classic_room_wait: Duration,
    /// How slowly the body of an upload may come.
    pub upload_pace: BodyLimits,
    /// How long something stays in the trash.
    pub trash_retention: Duration,
    /// How long a tombstone stays, so that an upload which raced with the deletion shares its fate.
    pub tombstone_retention: Duration,
    /// How long a blob without references, or bytes without a row, are left alone before they go.
    pub blob_grace: Duration,
    /// How long after its last byte an upload may still be committed; less than `blob_grace`, so that bytes which a sweep takes for strays are never
    /// committed any more.
    pub commit_within: Duration,
    /// How long an upload that comes in several goes is kept after the last of them.
    pub keep_uploads: Duration,
    /// How many uploads by one link may be unfinished at once.
    pub most_uploads_by_link: u64,
    /// How many of these may come from one address (of IPv6, one /64): nobody closes a link to the others.
    pub most_uploads_by_link_from_one: u64,
    /// How many files may come by one link from one address at once, each in one request; then one more a second. At least 1.
    pub most_drops_at_once: u32,
    /// Who sends the bytes of contents.
    pub delivery: Delivery,
    /// How long a request waits for the copy of a folder that it began, and its process works at it; then a job goes on with it.
    pub copy_patience: Duration,
    /// With more files and folders than so many in it, the copy of a folder is not waited for: the request is answered as soon as it has begun.
    pub copy_awaited_entries: u64,
    /// Of the copies that are not waited for, this process works at so many at a time, each for as long as a request would wait; the others are left to
    /// their jobs from the start.
    pub copies_unawaited: usize,
    /// How long it is known what somebody did and how a copy ended, and so how long it can be undone.
    pub keep_operations: Duration,
    /// How long it is known what happened to files.
    pub keep_activity: Duration,
    /// How often it is looked whether somebody who reads what is not theirs still may.
    pub recheck_every: Duration,
    /// The gateways that are believed when they say whose a request is.
    pub trusted_proxies: TrustedProxies,
    /// Who follows what happens to files.
    pub streams: StreamSettings,
    /// How much may be known of archives that are being sent.
    pub archives: ArchiveSettings,
}

/// Streams of events in this process, and how they are kept in bounds.
#[derive(Debug, Clone, Copy)]
pub struct StreamSettings {
    /// How many there are at once.
    pub most: usize,
    /// How many of one person, at least 1; with one more the oldest ends.
    pub most_of_one: usize,
    /// How often a silent one says that it is alive.
    pub heartbeat: Duration,
    /// How often it is looked whether something happened, while anybody follows.
    pub look: Duration,
}

impl StreamSettings {
    /// How a stream is kept alive, and when it ends: with its credential as soon as what is sent to somebody ends with their right.
    pub(crate) fn pace(&self, settings: &FileSettings) -> Pace {
        Pace {
            heartbeat: self.heartbeat,
            look_for_client: Duration::from_secs(1),
            recheck: settings.recheck_every,
        }
    }
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            most: 500,
            most_of_one: 20,
            heartbeat: Duration::from_secs(15),
            look: Duration::from_millis(500),
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MIB: usize = 1024 * 1024;

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            max_upload_bytes: None,
            default_quota_bytes: None,
            inline_bytes: 16 * 1024,
            keep_versions: 50,
            keep_versions_for: None,
            classic_body_bytes: 64 * MIB,
            classic_bodies_in_flight_bytes: 256 * MIB,
            classic_room_wait: Duration::from_secs(10),
            upload_pace: BodyLimits::default(),
            trash_retention: 30 * DAY,
            tombstone_retention: DAY,
            blob_grace: DAY,
            commit_within: DAY / 2,
            keep_uploads: 7 * DAY,
            most_uploads_by_link: 200,
            most_uploads_by_link_from_one: 50,
            most_drops_at_once: 1_000,
            delivery: Delivery::default(),
            copy_patience: Duration::from_secs(3),
            copy_awaited_entries: 1_000,
            copies_unawaited: 4,
            keep_operations: 30 * DAY,
            keep_activity: 90 * DAY,
            recheck_every: Duration::from_secs(3),
            trusted_proxies: TrustedProxies::default(),
            streams: StreamSettings::default(),
            archives: ArchiveSettings::default(),
        }
    }
}

/// What the classic `/status` and `/stats` tell of the whole product.
#[derive(Clone)]
pub struct Overview {
    /// Counts the accounts.
    pub users: Arc<dyn UserCount>,
    /// `redis` is true while all of these pass: the cache of credentials.
    pub cache: Vec<Arc<dyn ReadyCheck>>,
    /// `db` is true while all of these pass: the stores of metadata.
    pub stores: Vec<Arc<dyn ReadyCheck>>,
}

/// For which use [`Sharing::link_key`] is derived from the master key.
pub const LINK_LABEL: &str = "link-ticket";

/// What sharing needs.
pub struct Sharing {
    /// Rights that people were given.
    pub shares: Arc<dyn ShareStore>,
    /// Links.
    pub links: Arc<dyn LinkStore>,
    /// Who there is.
    pub people: Arc<dyn People>,
    /// Which accounts are open: what belongs to one that is closed opens to nobody else.
    pub accounts: Arc<dyn OpenAccounts>,
    /// What accounts can be used by.
    pub credentials: Arc<dyn OwnCredentials>,
    /// Counts guesses at the passwords of links, and look-ups of people.
    pub limiter: Arc<dyn RateLimiter>,
    /// Hashes the passwords of links.
    pub hasher: PasswordHasher,
    /// Signs what a visitor of a link gets for its password, and for a download that was counted.
    pub link_key: [u8; 32],
}

/// What the service is made of.
pub struct Parts {
    /// Nodes, usage, blobs' rows.
    pub store: Arc<dyn FileStore>,
    /// Contents that do not stand in the store.
    pub blobs: Arc<dyn BlobStore>,
    /// Uploads that come in several goes.
    pub uploads: Arc<dyn UploadStore>,
    /// Their bytes, in the same place as `blobs`.
    pub partial_blobs: Arc<dyn PartialBlobs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGen>,
    /// Signs the cursors of lists.
    pub cursor_key: [u8; 32],
    /// Signs the tickets for contents; the same as worker-service's.
    pub ticket_key: [u8; 32],
    /// What the classic `/status` and `/stats` tell.
    pub overview: Overview,
    /// Stars and tags.
    pub marks: Arc<dyn MarkStore>,
    /// What files are found by.
    pub search: Arc<dyn SearchStore>,
    /// Old versions.
    pub versions: Arc<dyn VersionStore>,
    /// Copies of folders.
    pub copies: Arc<dyn CopyStore>,
    /// What people did, to be undone.
    pub journal: Arc<dyn JournalStore>,
    /// What happened to files.
    pub activity: Arc<dyn ActivityStore>,
    /// What accounts take with them.
    pub exports: Arc<dyn Exports>,
    /// What sharing needs.
    pub sharing: Sharing,
    /// What can be set.
    pub settings: FileSettings,
}

/// The service: what all requests share. Put it into the app's data as `web::Data<FileService>`.
pub struct FileService {
    pub(crate) store: Arc<dyn FileStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) uploads: Uploads,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGen>,
    pub(crate) cursor_key: CursorKey,
    pub(crate) ticket_key: TicketKey,
    pub(crate) overview: Overview,
    pub(crate) settings: FileSettings,
    /// Decides.
    pub(crate) gate: Gate,
    pub(crate) shares: Arc<dyn ShareStore>,
    pub(crate) links: Arc<dyn LinkStore>,
    pub(crate) marks: Arc<dyn MarkStore>,
    pub(crate) search: Arc<dyn SearchStore>,
    pub(crate) versions: Arc<dyn VersionStore>,
    pub(crate) copies: Arc<dyn CopyStore>,
    pub(crate) journal: Arc<dyn JournalStore>,
    pub(crate) activity: Arc<dyn ActivityStore>,
    /// Knows where something happened, for streams of events.
    pub(crate) lookout: Lookout,
    /// Their places.
    pub(crate) seats: Arc<Seats>,
    /// Ends them.
    pub(crate) closing: CancellationToken,
    pub(crate) exports: Arc<dyn Exports>,
    pub(crate) people: Arc<dyn People>,
    pub(crate) credentials: Arc<dyn OwnCredentials>,
    pub(crate) hasher: PasswordHasher,
    pub(crate) guesses: Guesses,
    pub(crate) link_key: CursorKey,
    /// Room for bodies of the classic upload, in KiB.
    pub(crate) classic_room: Arc<Semaphore>,
    /// Lets one such body at a time come to its end without room.
    pub(crate) classic_passing: Arc<Semaphore>,
    /// Room for entries of archives that are planned or sent.
    pub(crate) archive_room: Arc<Room>,
    /// Copies that are worked at here although nobody waits for them.
    pub(crate) copy_turns: Arc<Semaphore>,
    /// What `/status` last found, and when.
    pub(crate) last_alive: tokio::sync::Mutex<Option<(Instant, Alive)>>,
    /// Work that goes on after its request was answered.
    pub(crate) background: Background,
}

impl FileService {
    /// Puts the service together.
    ///
    /// # Panics
    /// Outside of a tokio runtime: what goes on after its request runs on the one that this is called on.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            blobs,
            uploads,
            partial_blobs,
            clock,
            ids,
            cursor_key,
            ticket_key,
            overview,
            marks,
            search,
            versions,
            copies,
            journal,
            activity,
            exports,
            sharing,
            settings,
        } = parts;
        let Sharing { shares, links, people, accounts, credentials, limiter, hasher, link_key } = sharing;
        let gate = Gate::new(&store, &shares, &links, &people, &accounts, &clock);
        let guesses = Guesses::new(limiter, &clock);
        let classic_room = Arc::new(Semaphore::new(settings.classic_bodies_in_flight_bytes.div_ceil(1024)));
        let archive_room = Room::new(settings.archives);
        let copy_turns = Arc::new(Semaphore::new(settings.copies_unawaited));
        let background = Background::here();
        let lookout = Lookout::new(&activity, settings.streams.look);
        let seats = Arc::new(Seats::new(settings.streams.most, settings.streams.most_of_one));
        let (cursor_key, ticket_key) = (CursorKey::new(&cursor_key), TicketKey::new(&ticket_key));
        Self {
            store,
            blobs,
            uploads: Uploads::new(uploads, partial_blobs),
            clock,
            ids,
            cursor_key,
            ticket_key,
            overview,
            settings,
            gate,
            shares,
            links,
            marks,
            search,
            versions,
            copies,
            journal,
            activity,
            lookout,
            seats,
            closing: CancellationToken::new(),
            exports,
            people,
            credentials,
            hasher,
            guesses,
            link_key: CursorKey::new(&link_key),
            classic_room,
            classic_passing: Arc::new(Semaphore::new(1)),
            archive_room,
            copy_turns,
            last_alive: tokio::sync::Mutex::default(),
            background,
        }
    }

    /// Looks what happens to files for those who follow it, until `stop` is cancelled; then their streams end. Failures of the store are logged and waited
    /// out. Run it once.
    pub async fn run(&self, stop: CancellationToken) {
        self.lookout.run(&stop).await;
        self.closing.cancel();
    }

    /// Waits for work that goes on after its request was answered, such as the emptying of a large trash. For shut-down, under the caller's
    /// deadline; what is cut off there is left as it is, and can be asked for again.
    pub async fn finish_background(&self) {
        self.background.finish().await;
    }

    /// One step of a task of upkeep, by its name in the internal API: for the administrator's command.
    ///
    /// # Errors
    /// The stores cannot do it; `invalid_cursor`; `not_found` for an unknown task.
    pub async fn upkeep(self: &Arc<Self>, task: &str, cursor: Option<&str>) -> Result<StepDone, AppError> {
        let task = Task::parse(task).ok_or_else(|| AppError::refused(Code::NotFound))?;
        maintenance::step(self, task, cursor).await
    }
}

impl fmt::Debug for FileService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileService").field("settings", &self.settings).finish_non_exhaustive()
    }
}
