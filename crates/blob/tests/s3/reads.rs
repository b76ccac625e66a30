//! Reading: broken connections, objects that changed, and URLs for others.

use std::time::Duration;

use bytes::Bytes;
use common::PortResult;
use common::files::{BlobRange, BlobStore as _};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::StatusCode;
use testkit::blob_store::{bytes, key, write};
use tokio::time::{Instant, sleep};

use super::support::{BUCKET, Server, assert_unavailable, broken, whole};
use testkit::wait::soon;

const LARGE: usize = 30_000_000;

/// A client as any proxy is one.
fn client() -> reqwest::Client {
    reqwest::ClientBuilder::new().no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_signed_url_gives_the_bytes_until_it_expires() {
    let server = Server::start().await;
    let blobs = server.blobs();
    let stored = bytes(1, 300_000);
    write(&blobs, key(1), &stored, 65_536).await.unwrap();
    let (url, client) = (blobs.signed_url(key(1), Duration::from_secs(600)).await.unwrap(), client());

    let answer = client.get(url.clone()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-length"], "300000");
    assert_eq!(answer.bytes().await.unwrap(), stored);
    for (range, part, content_range) in [
        ("bytes=0-9", 0..10, "bytes 0-9/300000"),
        ("bytes=299990-", 299_990..300_000, "bytes 299990-299999/300000"),
        ("bytes=-5", 299_995..300_000, "bytes 299995-299999/300000"),
    ] {
        let answer = client.get(url.clone()).header("range", range).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(answer.headers()["content-range"], content_range);
        assert_eq!(answer.bytes().await.unwrap(), stored.slice(part), "{range}");
    }

    // for this blob and this method alone
    let other = blobs.signed_url(key(2), Duration::from_secs(600)).await.unwrap();
    assert_eq!(client.get(other.clone()).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let mut forged = other;
    forged.set_query(url.query());
    assert_eq!(client.get(forged).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(client.delete(url).send().await.unwrap().status(), StatusCode::FORBIDDEN);

    let brief = blobs.signed_url(key(1), Duration::from_secs(1)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while client.get(brief.clone()).send().await.unwrap().status() != StatusCode::FORBIDDEN {
        assert!(Instant::now() < deadline, "it does not expire");
        sleep(Duration::from_millis(50)).await;
    }
    for wrong in [Duration::ZERO, Duration::from_secs(8 * 86_400)] {
        broken(blobs.signed_url(key(1), wrong).await);
    }
}

/// A stream from which a piece was read, and the piece.
async fn begun(server: &Server) -> (common::files::ByteStream, Bytes) {
    let blobs = server.blobs();
    write(&blobs, key(1), &bytes(1, LARGE), 1 << 20).await.unwrap();
    let mut stream = blobs.stream(key(1), whole(LARGE)).await.unwrap().unwrap();
    let first = stream.next().await.unwrap().unwrap();
    (stream, first)
}

#[tokio::test]
async fn a_stream_outlives_its_server() {
    let mut server = Server::start().await;
    let (stream, first) = begun(&server).await;
    server.s3.start_again().await.unwrap();
    let rest: Vec<_> = soon(stream.try_collect()).await.unwrap();
    assert!([first, rest.concat().into()].concat() == bytes(1, LARGE));
}

#[tokio::test]
async fn a_stream_whose_server_stays_away_ends_with_an_error() {
    let mut server = Server::start().await;
    let (mut stream, _) = begun(&server).await;
    server.s3.stop().await;
    let rest: PortResult<Vec<_>> = soon(stream.by_ref().try_collect()).await;
    assert_unavailable(rest);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_is_not_continued_with_another_blob() {
    for replaced in [false, true] {
        let mut server = Server::start().await;
        let (stream, _) = begun(&server).await;
        assert!(server.blobs().delete(key(1)).await.unwrap());
        if replaced {
            write(&server.blobs(), key(1), &bytes(2, LARGE), 1 << 20).await.unwrap();
        }
        server.s3.start_again().await.unwrap();
        let rest: PortResult<Vec<_>> = soon(stream.try_collect()).await;
        assert!(broken(rest).contains("changed or went away"));
    }
}

#[tokio::test]
async fn a_cut_blob_breaks_before_the_first_byte() {
    let server = Server::start().await;
    let blobs = server.blobs();
    write(&blobs, key(1), &bytes(1, 300_000), 65_536).await.unwrap();
    let file = server.s3.objects(BUCKET).join(format!("some/prefix/blobs/{}", key(1)));
    std::fs::File::options().write(true).open(file).unwrap().set_len(200_000).unwrap();
    assert!(broken(blobs.read(key(1), whole(300_000)).await).contains("shorter"));
    assert!(broken(blobs.stream(key(1), whole(300_000)).await).contains("shorter"));
    assert!(broken(blobs.stream(key(1), BlobRange { start: 250_000, len: 9 }).await).contains("shorter"));
    assert_eq!(blobs.size(key(1)).await.unwrap(), Some(200_000));
    assert_eq!(
        blobs.read(key(1), whole(200_000)).await.unwrap().unwrap(),
        bytes(1, 300_000).slice(..200_000)
    );
}
