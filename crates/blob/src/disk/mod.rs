//! Blobs as files on a local (or shared) disk.
//!
//! `<root>/blobs/ab/cdef…` holds the blob `abcdef…`, `<root>/tmp` what is being written, `<root>/partial` what comes in
//! several goes, `<root>/store-id` the mark of the metadata store that the blobs belong to.

mod error;
mod layout;
mod partial;
mod patience;
mod read;
mod stream;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{BlobLocator, BlobRange, BlobStore, BlobWriter, ByteStream, StoredBlob};
use common::routes::DISK_LOCATION;
use common::{BlobKey, PortError, PortResult, Timestamp};
use metrics::counter;

use self::error::{absent_as_none, damaged, port_error};
use self::layout::{Layout, Promise};
use self::patience::{soon, soon_if_there};
use self::stream::{Buffers, FileStream};
use self::write::Writer;
use crate::hashing::joined;
use crate::{MAX_READ_BYTES, PART};

/// How a disk is used.
#[derive(Debug, Clone, Copy)]
pub struct DiskOptions {
    /// So many bytes are left free, so that a metadata store on the same disk can still commit deletions. Default 64 MiB.
    pub keep_free_bytes: u64,
    /// How many blobs are synced and renamed at once. Beyond about 8 the journal gains nothing more, and each waits longer. Default 8.
    pub finishing_at_once: usize,
    /// Longest wait for the disk to open a file, look at it or read a piece of it; then it is unavailable. Syncs, lists and the bodies of uploads and
    /// downloads have no such end. Default 4 s, so that a request is answered within five.
    pub answer_within: Duration,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            keep_free_bytes: 64 * 1024 * 1024,
            finishing_at_once: 8,
            answer_within: Duration::from_secs(4),
        }
    }
}

/// Blobs as files. A blob that was written is durable: the file and its folder are synced before `finish` returns.
///
/// All file work is done on tokio's blocking threads, except reads that the page cache can answer without waiting.
#[derive(Clone)]
pub struct DiskBlobs {
    layout: Arc<Layout>,
    buffers: Buffers,
}

impl DiskBlobs {
    /// Opens the store below `root`, and makes its folders if they are not there. Blocks for a few system calls: for the start.
    ///
    /// # Errors
    /// `Broken` if the folders cannot be made or used, or do not lie on one file system.
    pub fn open(root: impl Into<PathBuf>, options: DiskOptions) -> PortResult<Self> {
        let layout = Layout::open(root.into(), options).map_err(port_error)?;
        Ok(Self { layout: Arc::new(layout), buffers: Buffers::default() })
    }

    /// Runs `work` on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Layout) -> std::io::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        let layout = Arc::clone(&self.layout);
        blocking(move || work(&layout)).await
    }
}

/// Notes that so many bytes will come, on the disk that was claimed.
async fn promise(layout: &Arc<Layout>, bytes: u64) -> PortResult<Promise> {
    let shared = Arc::clone(layout);
    soon(layout, move |layout| {
        layout.check_mark()?;
        shared.promise(bytes)
    })
    .await
}

/// Runs `work` on a blocking thread of this runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> PortResult<T> {
    joined(tokio::task::spawn_blocking(work).await)?.map_err(port_error)
}

#[async_trait]
impl BlobStore for DiskBlobs {
    async fn create(&self, key: BlobKey, size_hint: Option<u64>) -> PortResult<Box<dyn BlobWriter>> {
        let promise = promise(&self.layout, size_hint.unwrap_or(0)).await?;
        Ok(Box::new(Writer::new(Arc::clone(&self.layout), key, promise)))
    }

    async fn read(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        let len = match usize::try_from(range.len) {
            Ok(len) if range.len <= MAX_READ_BYTES => len,
            _ => return Err(PortError::broken(PART, "more than a read may ask for")),
        };
        let path = self.layout.path(key);
        let bytes = match read::cached(&path, range.start, len) {
            Some(bytes) => Some(bytes),
            None => soon_if_there(&self.layout, move |_| read::whole(&path, range.start, len)).await?,
        };
        counter!("fm_blobs_read_bytes_total").increment(range.len);
        Ok(bytes.map(Bytes::from))
    }

    async fn stream(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<ByteStream>> {
        let path = self.layout.path(key);
        let buffers = self.buffers.clone();
        let opened = match FileStream::open_cached(&path, range, buffers.clone()) {
            Some(stream) => Some(stream),
            None => soon_if_there(&self.layout, move |_| FileStream::open(&path, range, buffers)).await?,
        };
        Ok(opened.map(|stream| Box::pin(stream) as ByteStream))
    }

    async fn size(&self, key: BlobKey) -> PortResult<Option<u64>> {
        soon_if_there(&self.layout, move |layout| Ok(layout.path(key).metadata()?.len())).await
    }

    async fn delete(&self, key: BlobKey) -> PortResult<bool> {
        // not synced: what a power cut brings back is a stray, and goes with the others
        let gone = soon(&self.layout, move |layout| {
            layout.check_mark()?;
            std::fs::remove_file(layout.path(key))
        });
        Ok(absent_as_none(gone.await)?.is_some())
    }

    async fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        self.blocking(move |layout| {
            layout.check_mark()?;
            layout.list(after, limit as usize)
        })
        .await
    }

    async fn sweep_temporary(&self, before: Timestamp) -> PortResult<u32> {
        self.blocking(move |layout| {
            layout.check_mark()?;
            layout.sweep_temporary(before)
        })
        .await
    }

    async fn free_bytes(&self) -> PortResult<Option<u64>> {
        let free = soon(&self.layout, |layout| {
            layout.check_mark()?;
            layout.free_bytes()
        });
        free.await.map(Some)
    }

    async fn owner(&self) -> PortResult<Option<String>> {
        soon(&self.layout, Layout::read_mark).await
    }

    async fn claim(&self, store_id: &str) -> PortResult<()> {
        let store_id = store_id.to_owned();
        soon(&self.layout, move |layout| layout.claim(store_id)).await
    }

    async fn ping(&self) -> PortResult<()> {
        soon(&self.layout, |layout| {
            layout.check_mark()?;
            layout.probe()
        })
        .await
    }
}

#[async_trait]
impl BlobLocator for DiskBlobs {
    async fn locate(&self, key: BlobKey, size: u64) -> PortResult<Option<String>> {
        let path = self.layout.path(key);
        let there = match read::open_cached(&path).and_then(|file| file.metadata().ok()) {
            Some(metadata) => Some(metadata.len()),
            None => soon_if_there(&self.layout, move |_| Ok(path.metadata()?.len())).await?,
        };
        match there {
            None => Ok(None),
            Some(there) if there == size => Ok(Some(format!("{DISK_LOCATION}/{}", Layout::relative(key)))),
            Some(_) => Err(port_error(damaged("the blob has another size than what is known of it"))),
        }
    }
}
