//! What is in memory and on its way, counted in bytes.

use std::sync::atomic::{AtomicU64, Ordering};

use common::files::BlobStore as _;
use futures_util::StreamExt as _;
use futures_util::future::join;
use testkit::blob_store::{bytes, key, write};

use super::support::{Server, whole};
use testkit::wait::until;

const MIB: u64 = 1024 * 1024;
const TOTAL: u64 = 100 * MIB;
const PIECE: u64 = MIB / 4;

/// Two parts, and the piece that waits.
const MOST_TO_WRITE: u64 = 2 * 8 * MIB + PIECE;

/// Buffers of the client, and of the system on both sides of a connection (Linux lets them grow to 4 and 6 MiB).
const MOST_TO_READ: u64 = 16 * MIB;

#[tokio::test]
async fn an_upload_has_two_parts_in_memory() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let accepted = AtomicU64::new(0);
    let in_flight = || accepted.load(Ordering::Relaxed).saturating_sub(server.s3.received_bytes());
    let piece = bytes(1, PIECE as usize);
    server.s3.take_bodies(false);
    let upload = async {
        let mut writer = blobs.create(key(1), None).await.unwrap();
        for _ in 0..TOTAL / PIECE {
            writer.write(piece.clone()).await.unwrap();
            accepted.fetch_add(PIECE, Ordering::Relaxed);
            assert!(in_flight() <= MOST_TO_WRITE, "{} bytes on their way", in_flight());
        }
        writer.finish().await.unwrap()
    };
    // it fills what it may, and stands until the server goes on
    let server_goes_on = async {
        until(|| in_flight() >= 2 * 8 * MIB).await;
        server.s3.take_bodies(true);
    };
    let (written, ()) = join(upload, server_goes_on).await;
    assert_eq!(written.size, TOTAL);
    assert_eq!(server.s3.received_bytes(), TOTAL);
}

#[tokio::test]
async fn a_download_is_not_read_ahead_of_its_reader() {
    let server = Server::start().await;
    let blobs = server.blobs();
    write(&blobs, key(1), &bytes(1, TOTAL as usize), 1 << 20).await.unwrap();
    let mut stream = blobs.stream(key(1), whole(TOTAL as usize)).await.unwrap().unwrap();
    // with nobody reading, the server gets rid of so much and no more: it stands still when the runtime has nothing else to do
    let mut sent = 0;
    until(|| {
        let before = std::mem::replace(&mut sent, server.s3.sent_bytes());
        sent > 0 && sent == before
    })
    .await;
    let mut read = 0;
    while let Some(piece) = stream.next().await {
        read += piece.unwrap().len() as u64;
        let ahead = server.s3.sent_bytes().saturating_sub(read);
        assert!(ahead <= MOST_TO_READ, "{ahead} bytes ahead of the reader");
    }
    assert_eq!(read, TOTAL);
    assert_eq!(server.s3.sent_bytes(), TOTAL);
}
