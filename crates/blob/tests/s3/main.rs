//! Blobs in a bucket of a real server.

#![allow(clippy::unwrap_used, reason = "this is test code")]

mod faults;
mod memory;
mod reads;
mod support;
mod tls;
mod uploads;

mod contract {
    use std::sync::Arc;

    use testkit::blob_store::Opened;

    use super::support::Server;

    async fn open() -> Opened {
        let server = Server::start().await;
        Opened { blobs: Arc::new(server.blobs()), keep: Box::new(server) }
    }

    testkit::blob_store_suite!(open());
}

mod partial {
    use std::sync::Arc;

    use testkit::partial_blobs::Subject;

    use super::support::Server;

    async fn subject() -> Subject {
        let server = Server::start().await;
        let (one, two) = (Arc::new(server.blobs()), Arc::new(server.blobs()));
        Subject { blobs: one.clone(), partial: one, other: two, keep: Box::new(server) }
    }

    testkit::partial_blobs_suite!(subject);
}

/// The same rules where the server does not know conditions.
mod contract_without_conditions {
    use std::sync::Arc;

    use blob::{CreateOnly, S3Options};
    use testkit::blob_store::{self, Opened};

    use super::support::Server;

    async fn open() -> Opened {
        let server = Server::start().await;
        server.s3.overwrite(true);
        let blobs = server.open(S3Options { create_only: CreateOnly::LookFirst, ..server.options() });
        Opened { blobs: Arc::new(blobs), keep: Box::new(server) }
    }

    // all but the rules about writers of one key that meet
    testkit::blob_store_suite!(@tests open();
        what_was_written_is_read
        nothing_shows_before_the_end
        a_dropped_writer_leaves_nothing
        a_deletion_can_be_repeated
        many_blobs_are_written_at_once
        a_store_is_claimed_once
        blobs_without_a_mark_are_not_claimed
    );

    #[tokio::test]
    async fn a_key_is_not_written_again() {
        let opened = open().await;
        for (number, size) in [(1, 100), (2, 9_000_000)] {
            let (key, first) = (blob_store::key(number), blob_store::bytes(1, size));
            blob_store::write(&*opened.blobs, key, &first, 65_536).await.unwrap();
            let again = blob_store::write(&*opened.blobs, key, &blob_store::bytes(2, size), 65_536).await;
            assert!(matches!(again, Err(common::PortError::Broken { .. })), "{again:?}");
        }
    }
}
