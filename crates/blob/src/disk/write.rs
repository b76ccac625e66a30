//! Writing a blob: a batch is hashed on one thread and written on another while the next one comes in, and the disk is set to work
//! before the last byte is there.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use common::digest::Hasher;
use common::files::{BlobWriter, WrittenBlob};
use common::{BlobKey, PortError, PortResult};
use metrics::{counter, histogram};
use tokio::task::{JoinHandle, spawn_blocking};

use super::blocking;
use super::error::{no_room, port_error};
use super::layout::{Layout, Promise};
use super::patience::soon;
use crate::PART;
use crate::hashing::{BATCH_BYTES, Batch, Hashing, hash_all, joined};

/// After so many bytes the disk is set to work, so that the last sync has little left to do.
pub(super) const SYNC_EVERY_BYTES: u64 = 16 * 1024 * 1024;

/// With so many bytes not yet known to be on disk an upload waits: a network faster than the disk shall not fill the page cache, in whose
/// flushing everybody else's syncs would have to wait.
pub(super) const MAX_UNSYNCED_BYTES: u64 = 64 * 1024 * 1024;

/// A file that goes away with its last owner, unless it was published.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(layout: &Layout, key: BlobKey) -> io::Result<Self> {
        let (path, file) = layout.create_temporary(key)?;
        Ok(Self { path, file })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {}
            // published, or swept
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove a temporary file")
            }
        }
    }
}

/// Writes everything, in as few calls as the system takes.
pub(super) fn write_all(mut file: &File, pieces: &[Bytes]) -> io::Result<()> {
    // the most slices of one call (IOV_MAX)
    for pieces in pieces.chunks(1024) {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut left = &mut slices[..];
        while !left.is_empty() {
            match file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut left, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// A sync under way, and how far it will have come.
struct Syncing {
    handle: JoinHandle<io::Result<()>>,
    upto: u64,
}

pub(super) struct Writer {
    layout: Arc<Layout>,
    key: BlobKey,
    promise: Promise,
    batch: Batch,
    /// Made when the first batch is full. A smaller blob is made in one go by `finish`.
    temporary: Option<Arc<Temporary>>,
    writing: Option<JoinHandle<io::Result<()>>>,
    hashing: Hashing,
    syncing: Option<Syncing>,
    /// Bytes handed over.
    written: u64,
    /// Bytes that are on disk.
    synced: u64,
}

impl Writer {
    pub(super) fn new(layout: Arc<Layout>, key: BlobKey, promise: Promise) -> Self {
        Self {
            layout,
            key,
            promise,
            batch: Batch::default(),
            temporary: None,
            writing: None,
            hashing: Hashing::default(),
            syncing: None,
            written: 0,
            synced: 0,
        }
    }

    /// Gives the batch to the two threads, once they are done with the one before.
    async fn hand_over(&mut self) -> PortResult<()> {
        let temporary = match &self.temporary {
            Some(temporary) => Arc::clone(temporary),
            None => {
                let key = self.key;
                let temporary = soon(&self.layout, move |layout| Temporary::create(layout, key)).await?;
                Arc::clone(self.temporary.insert(Arc::new(temporary)))
            }
        };
        self.written_all().await?;
        self.hashing.back().await?;
        let len = self.batch.len() as u64;
        let batch = self.batch.take();
        self.hashing.start(Arc::clone(&batch));
        let (layout, promised) = (Arc::clone(&self.layout), self.promise.left());
        self.writing = Some(spawn_blocking(move || {
            check_room(&layout, len, promised)?;
            write_all(&temporary.file, &batch)
        }));
        self.promise.keep(len);
        let before = self.written;
        self.written += len;
        self.sync_some(before).await
    }

    async fn written_all(&mut self) -> PortResult<()> {
        if let Some(handle) = &mut self.writing {
            let result = joined(handle.await);
            self.writing = None;
            result?.map_err(port_error)?;
        }
        Ok(())
    }

    /// Sets the disk to work if enough has come in, and waits for it if it is too far behind. `upto` bytes are written by now.
    async fn sync_some(&mut self, upto: u64) -> PortResult<()> {
        let behind = |writer: &Self| writer.written - writer.synced;
        if self.syncing.as_ref().is_some_and(|sync| sync.handle.is_finished())
            || behind(self) > MAX_UNSYNCED_BYTES
        {
            self.synced_all().await?;
        }
        if self.syncing.is_none()
            && behind(self) >= SYNC_EVERY_BYTES
            && let Some(temporary) = &self.temporary
        {
            let temporary = Arc::clone(temporary);
            let handle = spawn_blocking(move || temporary.file.sync_data());
            self.syncing = Some(Syncing { handle, upto });
        }
        Ok(())
    }

    async fn synced_all(&mut self) -> PortResult<()> {
        if let Some(sync) = &mut self.syncing {
            let result = joined((&mut sync.handle).await);
            self.synced = sync.upto;
            self.syncing = None;
            // an error of the disk is reported to one caller of sync only: it must not get lost
            result?.map_err(port_error)?;
        }
        Ok(())
    }

    /// Everything in one call: for what fits into one batch.
    async fn finish_small(&mut self) -> PortResult<WrittenBlob> {
        let batch = self.batch.take();
        let (layout, key, promised) = (Arc::clone(&self.layout), self.key, self.promise.left());
        let _turn = self.turn().await?;
        published(key, &self.layout, move || {
            let hasher = hash_all(Hasher::default(), &batch);
            let (size, sha256, crc32) = hasher.finish();
            check_room(&layout, size, promised)?;
            let temporary = Temporary::create(&layout, key)?;
            write_all(&temporary.file, &batch)?;
            temporary.file.sync_data()?;
            layout.publish(&temporary.path, key)?;
            Ok(WrittenBlob { size, sha256, crc32 })
        })
        .await
    }

    async fn finish_large(&mut self, temporary: Arc<Temporary>) -> PortResult<WrittenBlob> {
        if self.batch.len() > 0 {
            self.hand_over().await?;
        }
        self.written_all().await?;
        self.synced_all().await?;
        let (size, sha256, crc32) = self.hashing.finish().await?.finish();
        let (layout, key) = (Arc::clone(&self.layout), self.key);
        let _turn = self.turn().await?;
        published(key, &self.layout, move || {
            temporary.file.sync_data()?;
            layout.publish(&temporary.path, key)?;
            Ok(WrittenBlob { size, sha256, crc32 })
        })
        .await
    }

    async fn turn(&self) -> PortResult<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.layout.finishing)
            .acquire_owned()
            .await
            .map_err(|closed| PortError::broken(PART, closed))
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.batch.push(bytes);
        if self.batch.len() >= BATCH_BYTES { self.hand_over().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> PortResult<WrittenBlob> {
        let start = Instant::now();
        let written = match self.temporary.clone() {
            None => self.finish_small().await?,
            Some(temporary) => self.finish_large(temporary).await?,
        };
        histogram!("fm_blobs_finish_seconds").record(start.elapsed());
        counter!("fm_blobs_written_total").increment(1);
        counter!("fm_blobs_written_bytes_total").increment(written.size);
        Ok(written)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // removing a large file takes a while: not on the reactor
        if let Some(temporary) = self.temporary.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(temporary));
        }
    }
}

/// Less than the batch is free, what this upload has announced counted as free for it.
pub(super) fn check_room(layout: &Layout, wanted: u64, promised: u64) -> io::Result<()> {
    let free = layout.free_bytes()?.saturating_add(promised);
    if free < wanted { Err(no_room(wanted, free)) } else { Ok(()) }
}

/// How far a publication is.
enum Stage {
    Running,
    Done,
    /// Nobody waits for it any more.
    Abandoned,
}

/// Runs the last stage on a blocking thread. If its caller goes away meanwhile the blob goes too, however far it is: nobody knows its key.
async fn published(
    key: BlobKey,
    layout: &Arc<Layout>,
    work: impl FnOnce() -> io::Result<WrittenBlob> + Send + 'static,
) -> PortResult<WrittenBlob> {
    let guard =
        Guard { stage: Arc::new(Mutex::new(Stage::Running)), layout: Arc::clone(layout), key, armed: true };
    let (stage, layout) = (Arc::clone(&guard.stage), Arc::clone(layout));
    let result = blocking(move || {
        let written = work()?;
        let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*stage, Stage::Abandoned) {
            remove(&layout, key);
        } else {
            *stage = Stage::Done;
        }
        Ok(written)
    })
    .await;
    guard.disarm();
    result
}

struct Guard {
    stage: Arc<Mutex<Stage>>,
    layout: Arc<Layout>,
    key: BlobKey,
    armed: bool,
}

impl Guard {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match *stage {
            Stage::Done => {
                let (layout, key) = (Arc::clone(&self.layout), self.key);
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn_blocking(move || remove(&layout, key))),
                    Err(_) => remove(&layout, key),
                }
            }
            Stage::Running | Stage::Abandoned => *stage = Stage::Abandoned,
        }
    }
}

fn remove(layout: &Layout, key: BlobKey) {
    if let Err(error) = std::fs::remove_file(layout.path(key)) {
        tracing::warn!(blob = %key, %error, "cannot remove an abandoned blob");
    }
}
