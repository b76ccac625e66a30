//! Where contents are kept: adapters of [`common::files::BlobStore`].
//!
//! [`DiskBlobs`] keeps a blob as a file and is durable when it says so; [`MemoryBlobs`] is for tests.

mod disk;
mod memory;

pub use disk::{DiskBlobs, DiskOptions};
pub use memory::MemoryBlobs;

/// How this part is called in errors and by readiness.
const PART: &str = "blobs";

/// Most bytes of one [`common::files::BlobStore::read`].
const MAX_READ_BYTES: u64 = 1024 * 1024;
