//! The bucket as the other parts use it: keys, single requests, the mark, and what goes on in the background.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::{BlobKey, PortError, PortResult, allowance};
use object_store::aws::AmazonS3;
use object_store::client::HttpClient;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;
use object_store::{
    Attribute, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::client::transfer_time;
use super::error::{S3Error, TimedOut, is_absent, port_error, refused};
use super::{CreateOnly, S3Options};

/// Name of the object that says whose blobs these are.
const MARK: &str = "store-id";

/// Longest content of the mark that is read.
const MAX_MARK_BYTES: u64 = 256;

/// Name of the object that is written to see whether writing works.
const PROBE: &str = "probe";

/// A probe is not written more often than this: each costs a request that is paid for.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// For so long a mark that was read counts when a blob is begun. A request for each small upload would double what it costs.
const MARK_COUNTS_FOR: Duration = Duration::from_secs(5);

/// Metadata of an object: a random word of the writer that made it. It tells a write that was done although its answer got lost, or came
/// twice, from a key that somebody else has written.
const WRITER: &str = "writer";

pub(super) struct Bucket {
    pub(super) store: AmazonS3,
    /// For requests that the store does not know.
    pub(super) http: HttpClient,
    pub(super) name: String,
    pub(super) create_only: CreateOnly,
    pub(super) request_timeout: Duration,
    /// What all keys begin with: nothing, or segments and a slash.
    prefix: String,
    /// The store that this process claimed the bucket for.
    claimed: OnceLock<String>,
    mark_seen: Seen,
    probed: Seen,
    /// Uploads that are being finished or given up.
    tasks: TaskTracker,
}

/// When something was last found in order.
#[derive(Default)]
struct Seen(Mutex<Option<Instant>>);

impl Seen {
    fn within(&self, span: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < span)
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// What is known of an object.
pub(super) struct Head {
    pub(super) size: u64,
    writer: Option<String>,
}

impl Head {
    pub(super) fn is_of(&self, writer: &str) -> bool {
        self.writer.as_deref() == Some(writer)
    }
}

impl Bucket {
    pub(super) fn open(options: &S3Options) -> PortResult<Self> {
        let (store, http) = options.connect()?;
        let prefix = match options.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            store,
            http,
            name: options.bucket.clone(),
            create_only: options.create_only,
            request_timeout: options.request_timeout,
            prefix,
            claimed: OnceLock::new(),
            mark_seen: Seen::default(),
            probed: Seen::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// What the keys of all blobs begin with.
    pub(super) fn blobs(&self) -> String {
        format!("{}blobs/", self.prefix)
    }

    pub(super) fn path(&self, key: BlobKey) -> Path {
        Path::from(format!("{}{key}", self.blobs()))
    }

    /// The blob at this path, unless something else lies there.
    pub(super) fn key_at(&self, path: &str) -> Option<BlobKey> {
        let name = path.strip_prefix(&self.blobs())?;
        // upper-case digits would parse, and name another object
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) { None } else { BlobKey::parse(name).ok() }
    }

    pub(super) fn error(&self, error: object_store::Error) -> PortError {
        port_error(&self.name, error)
    }

    /// Runs to the end, whether its caller goes on to wait or not, within what that may wait. What comes out is dropped then, and [`Bucket::settle`] waits for that too:
    /// dropping it may begin something.
    pub(super) fn run<T: Send + 'static, W: Future<Output = T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, JoinError>> + use<T, W> {
        // a task counts as done before its outcome is dropped; of a pair the first is dropped first
        let held = self.tasks.token();
        let work = allowance::carried(work);
        let running = self.tasks.spawn(async move { (work.await, held) });
        async move { running.await.map(|(outcome, _held)| outcome) }
    }

    /// Does something when nobody waits for it, unless the runtime is gone: then a sweep finds what was left.
    pub(super) fn afterwards(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(self.tasks.spawn_on(work, &runtime));
        }
    }

    /// Waits until everything is done that nobody waits for.
    pub(super) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// What is at this path, without its content.
    pub(super) async fn head(&self, path: &Path) -> PortResult<Option<Head>> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.store.get_opts(path, options).await {
            Ok(found) => {
                let writer = found.attributes.get(&Attribute::Metadata(WRITER.into()));
                Ok(Some(Head { size: found.meta.size, writer: writer.map(|word| word.as_ref().to_owned()) }))
            }
            // an answer without a body does not say whether the object or the whole bucket is missing
            Err(error)
                if refused(&error)
                    .is_some_and(|refused| refused.method == "HEAD" && refused.status == 404) =>
            {
                self.page(path.as_ref(), None, None, 1).await?;
                Ok(None)
            }
            Err(error) => Err(self.error(error)),
        }
    }

    /// A page of the list of objects that begin with `prefix`.
    pub(super) async fn page(
        &self,
        prefix: &str,
        after: Option<String>,
        token: Option<String>,
        limit: usize,
    ) -> PortResult<(Vec<object_store::ObjectMeta>, Option<String>)> {
        let options = PaginatedListOptions {
            offset: after,
            page_token: token,
            max_keys: Some(limit),
            ..PaginatedListOptions::default()
        };
        let page =
            self.store.list_paginated(Some(prefix), options).await.map_err(|error| self.error(error))?;
        Ok((page.result.objects, page.page_token))
    }

    /// Writes a small object where there is none.
    pub(super) async fn put_new(
        &self,
        path: &Path,
        payload: PutPayload,
        writer: &str,
    ) -> object_store::Result<()> {
        let mode = match self.create_only {
            CreateOnly::Conditional => PutMode::Create,
            CreateOnly::LookFirst => PutMode::Overwrite,
        };
        let options = PutOptions { mode, attributes: marked_by(writer), ..PutOptions::default() };
        self.store.put_opts(path, payload, options).await.map(drop)
    }

    /// Deletes what is there.
    pub(super) async fn remove(&self, path: &Path) -> PortResult<()> {
        match self.store.delete(path).await {
            Ok(()) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(self.error(error)),
        }
    }

    fn mark(&self) -> Path {
        Path::from(format!("{}{MARK}", self.prefix))
    }

    /// The store that the bucket is marked for.
    pub(super) async fn read_mark(&self) -> PortResult<Option<String>> {
        let found = match self.store.get_opts(&self.mark(), GetOptions::default()).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.error(error)),
        };
        if found.meta.size > MAX_MARK_BYTES {
            return Err(S3Error::StrangeMark.broken());
        }
        let limit = self.request_timeout + transfer_time(MAX_MARK_BYTES);
        let bytes = match allowance::wait(limit, found.bytes()).await {
            Ok(bytes) => bytes.map_err(|error| self.error(error))?,
            Err(late) => return Err(self.timed_out(late.given)),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| S3Error::StrangeMark.broken())?;
        Ok(Some(text.trim_end().to_owned()))
    }

    pub(super) fn timed_out(&self, limit: Duration) -> PortError {
        S3Error::TimedOut { bucket: self.name.clone(), source: TimedOut(limit) }.unavailable()
    }

    /// Fails if the bucket was claimed by this process and is not the same any more.
    pub(super) async fn check_mark(&self) -> PortResult<()> {
        let Some(claimed) = self.claimed.get() else {
            return Ok(());
        };
        match self.read_mark().await? {
            Some(mark) if mark == *claimed => {
                self.mark_seen.note();
                Ok(())
            }
            Some(_) => Err(S3Error::Foreign(self.name.clone()).broken()),
            None => Err(S3Error::MarkGone(self.name.clone()).broken()),
        }
    }

    /// As [`Bucket::check_mark`], unless that was done a moment ago.
    pub(super) async fn check_mark_lately(&self) -> PortResult<()> {
        if self.mark_seen.within(MARK_COUNTS_FOR) { Ok(()) } else { self.check_mark().await }
    }

    pub(super) async fn claim(&self, store_id: &str) -> PortResult<()> {
        match self.read_mark().await? {
            Some(mark) if mark == store_id => {}
            Some(_) => return Err(S3Error::Foreign(self.name.clone()).broken()),
            None => {
                if !self.page(&self.blobs(), None, None, 1).await?.0.is_empty() {
                    return Err(S3Error::Unmarked(self.name.clone()).broken());
                }
                self.write_mark(store_id).await?;
            }
        }
        if self.create_only == CreateOnly::Conditional {
            self.check_creation(store_id).await?;
        }
        if self.claimed.get_or_init(|| store_id.to_owned()) == store_id {
            self.mark_seen.note();
            Ok(())
        } else {
            Err(S3Error::ClaimedTwice.broken())
        }
    }

    async fn write_mark(&self, store_id: &str) -> PortResult<()> {
        match self.put_new(&self.mark(), PutPayload::from(store_id.to_owned()), &new_writer()).await {
            Ok(()) => {}
            // another process was quicker, or our own answer got lost
            Err(error) if is_occupied(&error) => {}
            Err(error) => return Err(self.error(error)),
        }
        match self.read_mark().await? {
            Some(mark) if mark == store_id => Ok(()),
            _ => Err(S3Error::Foreign(self.name.clone()).broken()),
        }
    }

    /// Fails if the server lets the mark be overwritten, here by what it says already.
    async fn check_creation(&self, store_id: &str) -> PortResult<()> {
        match self.put_new(&self.mark(), PutPayload::from(store_id.to_owned()), &new_writer()).await {
            Ok(()) => Err(S3Error::Overwrites(self.name.clone()).broken()),
            Err(error) if is_occupied(&error) => Ok(()),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Reads the mark, and now and then writes an object.
    pub(super) async fn probe(&self) -> PortResult<()> {
        if self.claimed.get().is_some() {
            self.check_mark().await?;
        } else {
            self.read_mark().await?;
        }
        if !self.probed.within(PROBE_EVERY) {
            let path = Path::from(format!("{}{PROBE}", self.prefix));
            let written = self.store.put(&path, PutPayload::from_static(b"probe")).await;
            written.map_err(|error| self.error(error))?;
            self.probed.note();
        }
        Ok(())
    }
}

/// A new word for one writer.
pub(super) fn new_writer() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The attributes of what this writer makes.
pub(super) fn marked_by(writer: &str) -> object_store::Attributes {
    [(Attribute::Metadata(WRITER.into()), writer.to_owned())].into_iter().collect()
}

/// There is an object already, or somebody is about to make one.
pub(super) fn is_occupied(error: &object_store::Error) -> bool {
    refused(error).is_some_and(|refused| matches!(refused.status, 409 | 412))
}
