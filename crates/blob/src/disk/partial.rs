//! Blobs that come in several goes: each is a file that grows in place.
//!
//! Whoever writes to it holds the lock of the file (`flock`), which the system takes from a process that has died. So nobody who was
//! slow to notice that another goes on with the upload can write into what that one wrote.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::digest::Hasher;
use common::files::{PartialBlob, PartialBlobs, PartialError, PartialWriter, StoredBlob, WrittenBlob};
use common::{BlobKey, PortError, PortResult, Timestamp};
use metrics::counter;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use tokio::task::{JoinHandle, spawn_blocking};

use super::error::{absent_as_none, damaged, port_error};
use super::layout::{Layout, Promise, sync_folder, timestamp};
use super::patience::soon;
use super::write::{MAX_UNSYNCED_BYTES, SYNC_EVERY_BYTES, check_room, write_all};
use super::{DiskBlobs, blocking, promise};
use crate::PART;
use crate::hashing::{BATCH_BYTES, Batch, Hashing, joined};

/// How often the lock of a file is tried whose last writer is about to let it go, and the wait between.
const LOCK_TRIES: u32 = 40;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// How a file could not be opened.
enum Refusal {
    Busy,
    Gone,
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Gone } else { Self::Failed(error) }
    }
}

impl From<Refusal> for PartialError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            Refusal::Gone => Self::Gone,
            Refusal::Failed(error) => Self::Port(port_error(error)),
        }
    }
}

/// The file with its lock, cut to what counts, and the digests of that. `makes` it if it is not there.
fn open(layout: &Layout, from: &PartialBlob, makes: bool) -> Result<(File, Hasher), Refusal> {
    let path = layout.partial(from.key);
    let mut file = OpenOptions::new().read(true).write(true).create(makes).mode(0o600).open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(Refusal::Busy),
        Err(fs::TryLockError::Error(error)) => return Err(error.into()),
    }
    let facts = file.metadata()?;
    // it may have been published or removed since it was opened
    if fs::metadata(&path)?.ino() != facts.ino() || facts.len() < from.size {
        return Err(Refusal::Gone);
    }
    if facts.len() > from.size {
        file.set_len(from.size)?;
    }
    if makes {
        sync_folder(layout.partials())?;
    }
    let hasher = digests(&mut file, from)?;
    file.seek(SeekFrom::Start(from.size))?;
    Ok((file, hasher))
}

/// The digests of what counts: known, or taken again where another version of this program has kept them.
fn digests(file: &mut File, from: &PartialBlob) -> io::Result<Hasher> {
    if from.size == 0 {
        return Ok(Hasher::default());
    }
    if let Some(hasher) = Hasher::resume(&from.state).filter(|hasher| hasher.size_bytes() == from.size) {
        return Ok(hasher);
    }
    file.rewind()?;
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; BATCH_BYTES]);
    let mut left = file.take(from.size);
    loop {
        match left.read(&mut buffer)? {
            0 if hasher.size_bytes() == from.size => return Ok(hasher),
            0 => return Err(damaged("the upload is shorter than what is known of it")),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// [`open`], with some patience for a writer that is about to end.
async fn opened(
    layout: &Arc<Layout>,
    from: &PartialBlob,
    makes: bool,
) -> Result<(File, Hasher), PartialError> {
    for _ in 0..LOCK_TRIES {
        let (layout, from) = (Arc::clone(layout), from.clone());
        match joined(spawn_blocking(move || open(&layout, &from, makes)).await)? {
            Err(Refusal::Busy) => tokio::time::sleep(LOCK_WAIT).await,
            other => return Ok(other?),
        }
    }
    Err(PartialError::Busy)
}

#[async_trait]
impl PartialBlobs for DiskBlobs {
    async fn append(
        &self,
        from: &PartialBlob,
        length: Option<u64>,
        _unsaved: u64,
    ) -> Result<Box<dyn PartialWriter>, PartialError> {
        let coming = length.map_or(0, |length| length.saturating_sub(from.size));
        let promise = promise(&self.layout, coming).await?;
        let (file, hasher) = opened(&self.layout, from, from.size == 0).await?;
        Ok(Box::new(Writer {
            layout: Arc::clone(&self.layout),
            file: Arc::new(file),
            promise,
            batch: Batch::default(),
            writing: None,
            hashing: Hashing::from(hasher),
            syncing: None,
            written: from.size,
            durable: from.clone(),
        }))
    }

    async fn finish(&self, whole: &PartialBlob) -> Result<WrittenBlob, PartialError> {
        // a file that is made here would hide that an earlier call has published one
        let (file, hasher) = match opened(&self.layout, whole, false).await {
            Ok(opened) => opened,
            Err(PartialError::Gone) => match self.finished(whole).await {
                // there is nothing of it that could be lost
                Err(PartialError::Gone) if whole.size == 0 => opened(&self.layout, whole, true).await?,
                finished => return finished,
            },
            Err(error) => return Err(error),
        };
        let _turn = Arc::clone(&self.layout.finishing)
            .acquire_owned()
            .await
            .map_err(|closed| PortError::broken(PART, closed))?;
        let (layout, key) = (Arc::clone(&self.layout), whole.key);
        blocking(move || publish(&layout, &file, key)).await?;
        let (size, sha256, crc32) = hasher.finish();
        counter!("fm_blobs_written_total").increment(1);
        counter!("fm_blobs_written_bytes_total").increment(size);
        Ok(WrittenBlob { size, sha256, crc32 })
    }

    async fn discard(&self, partial: &PartialBlob) -> PortResult<()> {
        let key = partial.key;
        let gone = soon(&self.layout, move |layout| {
            layout.check_mark()?;
            fs::remove_file(layout.partial(key))
        });
        absent_as_none(gone.await).map(drop)
    }

    async fn list_partial(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        self.blocking(move |layout| {
            layout.check_mark()?;
            list(layout.partials(), after, limit as usize)
        })
        .await
    }

    async fn discard_stray(&self, key: BlobKey, before: Timestamp) -> PortResult<bool> {
        let gone = soon(&self.layout, move |layout| {
            layout.check_mark()?;
            let path = layout.partial(key);
            let young = timestamp(fs::metadata(&path)?.modified()?) >= before;
            if young { Ok(false) } else { fs::remove_file(path).map(|()| true) }
        });
        Ok(absent_as_none(gone.await)?.unwrap_or(false))
    }
}

impl DiskBlobs {
    /// What an earlier call has finished.
    async fn finished(&self, whole: &PartialBlob) -> Result<WrittenBlob, PartialError> {
        let (path, whole) = (self.layout.path(whole.key), whole.clone());
        let found = blocking(move || {
            let mut file = File::open(path)?;
            if file.metadata()?.len() != whole.size {
                return Err(damaged("the blob has another size than the upload"));
            }
            let (size, sha256, crc32) = digests(&mut file, &whole)?.finish();
            Ok(WrittenBlob { size, sha256, crc32 })
        });
        absent_as_none(found.await)?.ok_or(PartialError::Gone)
    }
}

fn publish(layout: &Layout, file: &File, key: BlobKey) -> io::Result<()> {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    // an upload may have rested for days, and what is old and has no row yet is a stray to the sweep
    let times =
        Timestamps { last_access: omit, last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW } };
    rustix::fs::futimens(file, &times)?;
    file.sync_all()?;
    let path = layout.partial(key);
    match layout.publish(&path, key) {
        // linked, and not removed under the old name: the end of an earlier call
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_same(layout, file, key)? => {
            fs::remove_file(path)
        }
        other => other,
    }
}

/// Whether what is published under this key is this file, or as empty as it is: of an empty blob an earlier version of this program made a second file.
fn is_same(layout: &Layout, file: &File, key: BlobKey) -> io::Result<bool> {
    let (published, own) = (fs::metadata(layout.path(key))?, file.metadata()?);
    Ok(published.ino() == own.ino() || (published.len() == 0 && own.len() == 0))
}

fn list(folder: &Path, after: Option<BlobKey>, limit: usize) -> io::Result<Vec<StoredBlob>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let key = name.to_str().and_then(|name| BlobKey::parse(name).ok());
        keys.extend(key.filter(|key| after.is_none_or(|after| *key > after)));
    }
    keys.sort_unstable();
    keys.truncate(limit);
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        match fs::metadata(folder.join(key.to_string())) {
            Ok(facts) => {
                let written_at = facts.modified().map_or(Timestamp::MIN, timestamp);
                found.push(StoredBlob { key, size: facts.len(), written_at });
            }
            // ended while we looked
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// A sync under way, and what will be durable after it.
struct Syncing {
    handle: JoinHandle<io::Result<()>>,
    upto: PartialBlob,
}

struct Writer {
    layout: Arc<Layout>,
    file: Arc<File>,
    promise: Promise,
    batch: Batch,
    writing: Option<JoinHandle<io::Result<()>>>,
    hashing: Hashing,
    syncing: Option<Syncing>,
    /// The size with all bytes that were handed over.
    written: u64,
    durable: PartialBlob,
}

impl Writer {
    /// Gives the batch to the two threads, once they are done with the one before.
    async fn hand_over(&mut self) -> PortResult<()> {
        self.settle().await?;
        self.sync_some().await?;
        let len = self.batch.len() as u64;
        let batch = self.batch.take();
        self.hashing.start(Arc::clone(&batch));
        let (layout, file, promised) =
            (Arc::clone(&self.layout), Arc::clone(&self.file), self.promise.left());
        self.writing = Some(spawn_blocking(move || {
            check_room(&layout, len, promised)?;
            write_all(&file, &batch)
        }));
        self.promise.keep(len);
        self.written += len;
        Ok(())
    }

    /// Waits until all that was handed over is written and hashed.
    async fn settle(&mut self) -> PortResult<()> {
        if let Some(handle) = &mut self.writing {
            let result = joined(handle.await);
            self.writing = None;
            result?.map_err(port_error)?;
        }
        self.hashing.back().await
    }

    /// Sets the disk to work if enough was written, and waits for it if it is too far behind. With all threads idle.
    async fn sync_some(&mut self) -> PortResult<()> {
        let finished = self.syncing.as_ref().is_some_and(|sync| sync.handle.is_finished());
        if finished || self.written - self.durable.size > MAX_UNSYNCED_BYTES {
            self.synced().await?;
        }
        if self.syncing.is_none() && self.written - self.durable.size >= SYNC_EVERY_BYTES {
            let file = Arc::clone(&self.file);
            let handle = spawn_blocking(move || file.sync_data());
            self.syncing = Some(Syncing { handle, upto: self.here() });
        }
        Ok(())
    }

    async fn synced(&mut self) -> PortResult<()> {
        if let Some(sync) = &mut self.syncing {
            let result = joined((&mut sync.handle).await);
            let upto = sync.upto.clone();
            self.syncing = None;
            // an error of the disk is reported to one caller of sync only: it must not get lost
            result?.map_err(port_error)?;
            self.durable = upto;
        }
        Ok(())
    }

    /// All that was written, as it will be known.
    fn here(&self) -> PartialBlob {
        PartialBlob { key: self.durable.key, size: self.written, state: self.hashing.state() }
    }
}

#[async_trait]
impl PartialWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.batch.push(bytes);
        if self.batch.len() >= BATCH_BYTES { self.hand_over().await } else { Ok(()) }
    }

    fn durable(&self) -> &PartialBlob {
        &self.durable
    }

    async fn close(mut self: Box<Self>) -> PortResult<PartialBlob> {
        if self.batch.len() > 0 {
            self.hand_over().await?;
        }
        self.settle().await?;
        self.synced().await?;
        if self.written == self.durable.size {
            return Ok(self.durable.clone());
        }
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_data()).await?;
        Ok(self.here())
    }
}
