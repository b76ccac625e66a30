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

    mod partial {
        use super::*;
        use testkit::partial_blobs::Subject;

        async fn subject() -> Subject {
            let folder = tempfile::tempdir().unwrap();
            let open = || Arc::new(DiskBlobs::open(folder.path(), DiskOptions::default()).unwrap());
            let (one, two) = (open(), open());
            Subject { blobs: one.clone(), partial: one, other: two, keep: Box::new(folder) }
        }

        testkit::partial_blobs_suite!(subject);
    }
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

    mod partial {
        use super::*;
        use testkit::partial_blobs::Subject;

        async fn subject() -> Subject {
            let blobs = Arc::new(MemoryBlobs::new(Arc::new(Fixed)));
            Subject { blobs: blobs.clone(), partial: blobs.clone(), other: blobs, keep: Box::new(()) }
        }

        testkit::partial_blobs_suite!(subject);
    }
}
