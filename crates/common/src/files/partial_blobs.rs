use async_trait::async_trait;
use bytes::Bytes;

use super::{StoredBlob, WrittenBlob};
use crate::error::{PortError, PortResult};
use crate::{BlobKey, Timestamp};

/// How much of a blob is there that comes in several goes. Whoever keeps this value can go on from it, whatever was written after it: those bytes
/// do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialBlob {
    /// The key that the blob will have.
    pub key: BlobKey,
    /// Number of bytes that are there, durable.
    pub size: u64,
    /// What the adapter must know to go on, such as the digests so far; of no meaning to others. Empty at the start. Visible ASCII.
    pub state: String,
}

impl PartialBlob {
    /// Nothing of it is there yet.
    pub fn new(key: BlobKey) -> Self {
        Self { key, size: 0, state: String::new() }
    }
}

/// Why bytes cannot be appended now.
#[derive(Debug, thiserror::Error)]
pub enum PartialError {
    /// Another writer is at it. Becomes 423.
    #[error("another writer is at it")]
    Busy,
    /// What was there is not any more. The upload must begin again.
    #[error("the bytes are gone")]
    Gone,
    /// The store could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Blobs that come in several goes, by any of the processes that share the store, and through crashes of all of them.
///
/// The caller keeps the [`PartialBlob`] durably and sees to it that of several that go on from one value only one is kept. Those that lose may be
/// slow to notice: what they still write never gets into what the others go on with.
#[async_trait]
pub trait PartialBlobs: Send + Sync {
    /// Goes on from this value. What was written after it is dropped.
    ///
    /// `length` is how long the whole blob will be, if known. `unsaved` is the most bytes that will be written from one value that the caller keeps to
    /// the next. [`PartialWriter::durable`] must be kept before the first byte is written, if it is not equal to `from`.
    ///
    /// # Errors
    /// `Busy` while another writer of this process or another is at it; `Gone` if the bytes are not there; `Full`, `Unavailable`.
    async fn append(
        &self,
        from: &PartialBlob,
        length: Option<u64>,
        unsaved: u64,
    ) -> Result<Box<dyn PartialWriter>, PartialError>;

    /// Makes the blob durable and visible under its key, as `BlobStore` sees it, as if it had been written just now. Safe to repeat, also after a crash
    /// in the middle.
    ///
    /// # Errors
    /// As [`PartialBlobs::append`].
    async fn finish(&self, whole: &PartialBlob) -> Result<WrittenBlob, PartialError>;

    /// Removes what is there of a blob that will not be finished. A finished one stays. Safe to repeat.
    async fn discard(&self, partial: &PartialBlob) -> PortResult<()>;

    /// Partial blobs in an order that is the same at each call, after `after`, at most `limit`: to find those that nobody knows. Their sizes
    /// may be less than what is there.
    async fn list_partial(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>>;

    /// Removes a partial blob of which nothing but the key is known, if nothing was written to it since `before`. False if it is younger or not there.
    async fn discard_stray(&self, key: BlobKey, before: Timestamp) -> PortResult<bool>;
}

/// A writer at the end of a partial blob. Hashes as it goes. When it is dropped, what is durable by then stays.
#[async_trait]
pub trait PartialWriter: Send {
    /// Takes the next bytes. Returns when there is room for more, so memory stays bounded.
    ///
    /// # Errors
    /// `Full`, `Unavailable`; then the writer is of no use any more, and the last value that was kept counts.
    async fn write(&mut self, bytes: Bytes) -> PortResult<()>;

    /// What is durable by now. It grows by itself while bytes are written.
    fn durable(&self) -> &PartialBlob;

    /// Makes all of it durable. Nobody else can be at it before this returns.
    ///
    /// # Errors
    /// As `write`.
    async fn close(self: Box<Self>) -> PortResult<PartialBlob>;
}
