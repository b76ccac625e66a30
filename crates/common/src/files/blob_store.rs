use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::error::PortResult;
use crate::{BlobKey, Crc32, Sha256, Timestamp};

/// Bytes as they come, in pieces of about 64 KiB.
pub type ByteStream = Pin<Box<dyn Stream<Item = PortResult<Bytes>> + Send>>;

/// A part of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRange {
    /// First byte.
    pub start: u64,
    /// How many.
    pub len: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenBlob {
    /// Number of bytes.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
    /// Their CRC-32.
    pub crc32: Crc32,
}

/// A blob that a listing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its name.
    pub key: BlobKey,
    /// Number of bytes.
    pub size: u64,
    /// When it was written.
    pub written_at: Timestamp,
}

/// Immutable bytes by random key. A key is written once and never overwritten.
///
/// Two processes may use one store. It holds no metadata: what a blob belongs to is known by the metadata store alone.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Begins a blob. Nothing is visible under the key before [`BlobWriter::finish`]; dropping the writer leaves nothing behind
    /// (after a crash: at most a temporary file, which [`BlobStore::sweep_temporary`] removes). `size_hint` is what is expected, if known.
    ///
    /// # Errors
    /// `Full` at once when less than the hint is free.
    async fn create(&self, key: BlobKey, size_hint: Option<u64>) -> PortResult<Box<dyn BlobWriter>>;

    /// A whole small part in one go: at most 1 MiB. None if there is no such blob.
    ///
    /// # Errors
    /// `Broken` if the blob is shorter than the range says: never a short answer.
    async fn read(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>>;

    /// A part as a stream, read ahead by one piece. None if there is no such blob.
    ///
    /// # Errors
    /// `Broken` at once if the blob is shorter than the range says; in the stream if it breaks later.
    async fn stream(&self, key: BlobKey, range: BlobRange) -> PortResult<Option<ByteStream>>;

    /// Number of bytes, or none if there is no such blob.
    async fn size(&self, key: BlobKey) -> PortResult<Option<u64>>;

    /// Deletes a blob. False if there is none. Safe to repeat.
    async fn delete(&self, key: BlobKey) -> PortResult<bool>;

    /// Blobs in an order that is the same at each call, after `after`, at most `limit`: to find strays.
    async fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>>;

    /// Removes temporary files that were last written before `before`; how many.
    async fn sweep_temporary(&self, before: Timestamp) -> PortResult<u32>;

    /// Bytes that can still be written, if there is a bound that can be known.
    async fn free_bytes(&self) -> PortResult<Option<u64>>;

    /// The metadata store that this store was claimed for, if it was. Asked before [`BlobStore::claim`]: an unmarked store under a metadata store
    /// that has files is a disk that was lost or not mounted.
    async fn owner(&self) -> PortResult<Option<String>>;

    /// Marks an empty store as belonging to this metadata store, and checks it ever after, so that a foreign or unmounted disk deletes nothing.
    ///
    /// # Errors
    /// `Broken` if the mark names another store, or is missing where blobs are.
    async fn claim(&self, store_id: &str) -> PortResult<()>;

    /// Answers if the store can be read and written and still carries the mark.
    async fn ping(&self) -> PortResult<()>;
}

/// A blob being written. Hashes as it goes.
#[async_trait]
pub trait BlobWriter: Send {
    /// Takes the next bytes. Returns when there is room for more, so memory stays bounded.
    ///
    /// # Errors
    /// `Full` or `Unavailable`; the blob is lost then, and nothing is left behind.
    async fn write(&mut self, bytes: Bytes) -> PortResult<()>;

    /// Makes the blob durable and visible under its key.
    ///
    /// # Errors
    /// As `write`; after an error there is no such blob.
    async fn finish(self: Box<Self>) -> PortResult<WrittenBlob>;
}

/// Where the gateway finds the bytes of blobs, so that it can send them itself.
#[async_trait]
pub trait BlobLocator: Send + Sync {
    /// The address of a blob below one of the gateway's internal locations ([`crate::routes::DISK_LOCATION`], [`crate::routes::S3_LOCATION`]),
    /// as a path with what query it needs, in visible ASCII. It need not work for longer than a minute. None if there is no such blob.
    ///
    /// # Errors
    /// `Broken` if the blob has another size than this, where that can be known without asking a network: never a short answer.
    async fn locate(&self, key: BlobKey, size: u64) -> PortResult<Option<String>>;
}
