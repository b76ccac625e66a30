//! Servers that are away, silent or not ours.

use std::net::SocketAddr;
use std::time::Duration;

use blob::{S3Blobs, S3Options};
use common::Timestamp;
use common::allowance::{Allowance, scope};
use common::files::BlobStore as _;
use testkit::blob_store::{bytes, key, write};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::support::{BUCKET, Server, assert_unavailable, broken, keys, options, whole};
use testkit::wait::soon;

/// Every call, each with an error that must be `is`.
macro_rules! every_call {
    ($blobs:expr, $is:path) => {{
        let blobs = &$blobs;
        $is(soon(blobs.ping()).await);
        $is(soon(blobs.owner()).await);
        $is(soon(blobs.claim("one")).await);
        $is(soon(blobs.size(key(1))).await);
        $is(soon(blobs.read(key(1), whole(10))).await);
        $is(soon(blobs.stream(key(1), whole(10))).await);
        $is(soon(blobs.list(None, 10)).await);
        $is(soon(blobs.delete(key(1))).await);
        $is(soon(blobs.sweep_temporary(Timestamp::MAX)).await);
        $is(soon(write(blobs, key(2), &bytes(1, 10), 10)).await);
        $is(soon(write(blobs, key(3), &bytes(1, 9_000_000), 1 << 20)).await);
    }};
}

#[tokio::test]
async fn an_outage_is_told_and_ends() {
    let mut server = Server::start().await;
    let blobs = server.blobs();
    write(&blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    server.s3.stop().await;
    every_call!(blobs, assert_unavailable);
    server.s3.start_again().await.unwrap();
    blobs.ping().await.unwrap();
    assert_eq!(blobs.read(key(1), whole(10)).await.unwrap().unwrap(), bytes(1, 10));
    write(&blobs, key(2), &bytes(1, 10), 10).await.unwrap();
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let server = Server::start().await;
    let blobs = server.open(S3Options { bucket: "nowhere".to_owned(), ..server.options() });
    let is = |text: String| assert!(text.contains("the bucket nowhere does not exist"), "{text}");
    // above all, nothing in it counts as deleted
    is(broken(blobs.size(key(1)).await));
    is(broken(blobs.delete(key(1)).await));
    is(broken(blobs.read(key(1), whole(10)).await));
    every_call!(blobs, broken);
}

#[tokio::test]
async fn wrong_credentials_are_told_without_the_secret() {
    let server = Server::start().await;
    for (access_key, secret_key) in
        [("test-access-key", "hunter2hunter2"), ("nobody", "hunter2hunter2"), ("nobody", "test-secret-key")]
    {
        let credentials = keys(access_key, secret_key);
        let blobs = server.open(S3Options { credentials, ..server.options() });
        let text = broken(blobs.ping().await);
        assert!(text.contains(&format!("access to the bucket {BUCKET} is denied")), "{text}");
        assert!(!text.contains(secret_key), "{text}");
        every_call!(blobs, broken);
    }
}

/// A server that takes connections and does with them what it is told.
async fn strange_server<F: Future<Output = ()> + Send + 'static>(
    tasks: &mut JoinSet<()>,
    talk: fn(TcpStream) -> F,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(talk(socket));
        }
    });
    address
}

fn open(address: SocketAddr) -> S3Blobs {
    let options = options(format!("http://{address}"));
    S3Blobs::open(&S3Options { request_timeout: Duration::from_millis(300), ..options }).unwrap()
}

async fn swallow(mut socket: TcpStream) {
    let mut buffer = vec![0; 65_536];
    while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let mut tasks = JoinSet::new();
    let blobs = open(strange_server(&mut tasks, swallow).await);
    every_call!(blobs, assert_unavailable);
}

#[tokio::test]
async fn a_request_that_has_waited_enough_waits_for_no_other_answer() {
    let mut tasks = JoinSet::new();
    let options = options(format!("http://{}", strange_server(&mut tasks, swallow).await));
    let far_too_long = 10 * testkit::wait::PATIENCE;
    let blobs = S3Blobs::open(&S3Options { request_timeout: far_too_long, ..options }).unwrap();
    let allowance = Allowance::new(Duration::from_millis(300));
    scope(Some(allowance), async {
        assert_unavailable(soon(blobs.read(key(1), whole(10))).await);
        // what is sent by a task of its own too
        assert_unavailable(soon(write(&blobs, key(2), &bytes(1, 10), 10)).await);
        assert_unavailable(soon(write(&blobs, key(3), &bytes(1, 9_000_000), 1 << 20)).await);
    })
    .await;
}

async fn begin_and_stop(mut socket: TcpStream) {
    let mut buffer = vec![0; 65_536];
    while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {
        let answer = "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/10\r\nETag: \"e\"\r\n\r\nhalf";
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_content_that_stops_is_not_waited_for() {
    let mut tasks = JoinSet::new();
    let blobs = open(strange_server(&mut tasks, begin_and_stop).await);
    // it goes on where it stopped, and is sent something else
    broken(soon(blobs.read(key(1), whole(10))).await);
}

async fn break_off(mut socket: TcpStream) {
    let mut buffer = vec![0; 65_536];
    if socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {
        let answer =
            "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/10\r\n\r\n";
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_content_that_breaks_off_is_an_error() {
    let mut tasks = JoinSet::new();
    let blobs = open(strange_server(&mut tasks, break_off).await);
    assert_unavailable(soon(blobs.read(key(1), whole(10))).await);
}

async fn say_nonsense(mut socket: TcpStream) {
    let mut buffer = vec![0; 65_536];
    while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>";
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn another_server_s_404_is_no_missing_blob() {
    let mut tasks = JoinSet::new();
    let blobs = open(strange_server(&mut tasks, say_nonsense).await);
    broken(soon(blobs.owner()).await);
    broken(soon(blobs.read(key(1), whole(10))).await);
    broken(soon(blobs.stream(key(1), whole(10))).await);
    broken(soon(blobs.list(None, 10)).await);
}
