//! Where contents are kept: adapters of [`common::files::BlobStore`].
//!
//! [`DiskBlobs`] keeps a blob as a file and is durable when it says so; `S3Blobs` (feature `s3`) keeps it in a bucket; [`MemoryBlobs`] is
//! for tests. [`BlobUrl`] is how a setting says which.

mod disk;
mod hashing;
mod memory;
#[cfg(feature = "s3")]
mod s3;
mod url;

pub use self::url::{BlobUrl, BlobUrlError};
pub use disk::{DiskBlobs, DiskOptions};
pub use memory::MemoryBlobs;
#[cfg(feature = "s3")]
pub use s3::{CreateOnly, S3Blobs, S3Credentials, S3Options};

/// How this part is called in errors and by readiness.
const PART: &str = "blobs";

/// Most bytes of one [`common::files::BlobStore::read`].
const MAX_READ_BYTES: u64 = 1024 * 1024;
