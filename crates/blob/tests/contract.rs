//! Every adapter keeps the contract of the port.

#![allow(clippy::unwrap_used, reason = "this is test code")]

use std::sync::Arc;

use testkit::blob_store::Opened;

mod disk {
    use super::*;
    use blob::{DiskBlobs, DiskOptions};

    async fn open() -> Opened {
        let folder = tempfile::tempdir().unwrap();
        let blobs = DiskBlobs::open(folder.path(), DiskOptions::default()).unwrap();
        Opened { blobs: Arc::new(blobs), keep: Box::new(folder) }
    }

    testkit::blob_store_suite!(open());
}

mod memory {
    use super::*;
    use blob::MemoryBlobs;
    use common::{Clock, Timestamp};

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_000)
        }
    }

    async fn open() -> Opened {
        Opened { blobs: Arc::new(MemoryBlobs::with_capacity(Arc::new(Fixed), 1 << 30)), keep: Box::new(()) }
    }

    testkit::blob_store_suite!(open());
}
