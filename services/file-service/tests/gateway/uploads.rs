//! Bodies pass the gateway without resting there.

use std::path::PathBuf;

use bytes::Bytes;
use file_service::FileSettings;
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, StatusCode};
use testkit::nginx::Nginx;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::helpers::{Installation, OK, ask, expect_own_problem, noise, read, request, socket};
use crate::support::{answer, id_of, until};

const MIB: usize = 1024 * 1024;

fn content_of(folders: &[PathBuf]) -> usize {
    folders.iter().map(|folder| std::fs::read_dir(folder).unwrap().count()).sum()
}

#[actix_web::test]
async fn a_large_upload_never_touches_the_gateways_disk() {
    let installation = Installation::start().await;
    let temporary = installation.nginx.temporary();
    let piece = noise(MIB);
    for length_known in [true, false] {
        let (sent, watched) = (piece.clone(), temporary.clone());
        let pieces = stream::iter(0..64).map(move |_: u32| {
            // what a body rests in is there while it comes
            assert_eq!(content_of(&watched), 0);
            Ok::<_, std::io::Error>(sent.clone())
        });
        let path = format!("/api/v1/files/root/children/{length_known}/content");
        let mut upload = request(Method::PUT, &installation.nginx.address(), &path, &[]);
        if length_known {
            upload = upload.header("content-length", 64 * MIB);
        }
        let made = answer(upload.body(Body::wrap_stream(pieces))).await.expect(StatusCode::CREATED);
        assert_eq!(made["size"], 64 * MIB);
        // and back, through a client that reads in its own time
        let path = format!("/api/v1/files/{}/content", id_of(&made));
        for field in [("accept", "*/*"), ("if-match", "*")] {
            let mut download =
                request(Method::GET, &installation.nginx.address(), &path, &[field]).send().await.unwrap();
            assert_eq!(download.headers()["content-length"], (64 * MIB).to_string());
            let mut got = 0;
            while let Some(bytes) = download.chunk().await.unwrap() {
                if got % MIB + bytes.len() <= MIB {
                    assert!(bytes == piece[got % MIB..got % MIB + bytes.len()]);
                }
                got += bytes.len();
                assert_eq!(content_of(&temporary), 0);
            }
            assert_eq!(got, 64 * MIB);
        }
    }
    expect_nothing_rested(&installation.nginx);
}

#[actix_web::test]
async fn a_slow_client_makes_the_service_wait() {
    use tokio::io::AsyncReadExt as _;
    let installation = Installation::start().await;
    let id = crate::helpers::file(&installation, "a.bin", noise(24 * MIB)).await;
    let mut stream = TcpStream::connect(socket(&installation.nginx.address())).await.unwrap();
    // with a condition, so that the service sends it itself
    let request = format!(
        "GET /api/v1/files/{id}/content HTTP/1.1\r\nHost: x\r\nX-Token: token-of-a\r\nIf-Match: *\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut read, mut buffer) = (0, [0; 1024]);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            count => read += count,
        }
        tokio::task::yield_now().await;
    }
    assert!(read > 24 * MIB, "{read}");
    expect_nothing_rested(&installation.nginx);
}

/// nginx takes the names of its temporary files away at once, but says that it made one.
fn expect_nothing_rested(nginx: &Nginx) {
    let said = nginx.errors().unwrap();
    assert!(!said.contains("temporary file"), "{said}");
}

#[actix_web::test]
async fn an_upload_arrives_while_it_is_sent() {
    let installation = Installation::start().await;
    let head = "PUT /api/v1/files/root/children/slow/content HTTP/1.1\r\nHost: x\r\nX-Token: token-of-a\r\n\
                Connection: close\r\nContent-Length: 8000000\r\n\r\n";
    let mut stream = TcpStream::connect(socket(&installation.nginx.address())).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&noise(8_000_000)[..4_000_000]).await.unwrap();
    let unfinished = installation.server.dir.path().join("blobs/tmp");
    until("half of it has arrived", async || std::fs::read_dir(&unfinished).unwrap().count() == 1).await;
    stream.write_all(&noise(8_000_000)[4_000_000..]).await.unwrap();
    assert_eq!(read(&mut stream).await.0, 201);
}

#[actix_web::test]
async fn a_refusal_comes_before_the_body() {
    let settings = FileSettings { max_upload_bytes: Some(10_000_000), ..FileSettings::default() };
    let installation = Installation::with(settings, |_| {}).await;
    let address = installation.nginx.address();
    let nowhere = "5f1e8896c7ba06511e683b25";
    for (token, folder, length, status, code) in [
        ("token-of-a", nowhere, 5_000_000, 404, "parent_not_found"),
        ("token-of-a", "root", 20_000_000, 413, "too_large"),
        ("nonsense", "root", 5_000_000, 401, "unauthorized"),
    ] {
        let path = format!("/api/v1/files/{folder}/children/a/content");
        // not one byte of the body is sent
        let mut stream = TcpStream::connect(socket(&address)).await.unwrap();
        let head =
            format!("PUT {path} HTTP/1.1\r\nHost: x\r\nX-Token: {token}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (got, text) = first_answer(&mut stream).await;
        assert_eq!(got, status, "{text}");
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{text}");
        // all of it is sent at once, as most clients do
        let sent = answer(
            request(Method::PUT, &address, &path, &[("x-token", token)]).body(Bytes::from(vec![0; length])),
        )
        .await;
        sent.expect_problem(status, code);
        // and of unknown length, a piece at a time
        let pieces =
            stream::iter(0..length / 50_000).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![0; 50_000])));
        let sent = answer(
            request(Method::PUT, &address, &path, &[("x-token", token)]).body(Body::wrap_stream(pieces)),
        )
        .await;
        sent.expect_problem(status, code);
    }
    assert_eq!(ask(Method::GET, &address, "/api/v1/files/root/children", &[]).await.expect(OK)["total"], 0);
}

/// An answer, though the connection stays open for the body.
async fn first_answer(stream: &mut TcpStream) -> (u16, String) {
    use tokio::io::AsyncReadExt as _;
    let mut read = Vec::new();
    let ended = async {
        let mut buffer = [0; 4096];
        while !read.ends_with(b"}") {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "an answer comes: {:?}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.expect("an answer comes");
    let text = String::from_utf8(read).unwrap();
    (text[9..12].parse().unwrap(), text)
}

#[actix_web::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let installation = Installation::start().await;
    let head = "PUT /api/v1/files/root/children/cut/content HTTP/1.1\r\nHost: x\r\nX-Token: token-of-a\r\n\
                Content-Length: 8000000\r\n\r\n";
    let mut stream = TcpStream::connect(socket(&installation.nginx.address())).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&noise(4_000_000)).await.unwrap();
    let unfinished = installation.server.dir.path().join("blobs/tmp");
    until("some of it has arrived", async || std::fs::read_dir(&unfinished).unwrap().count() == 1).await;
    drop(stream);
    until("nothing is left", async || std::fs::read_dir(&unfinished).unwrap().count() == 0).await;
    let root = ask(Method::GET, &installation.nginx.address(), "/api/v1/files/root/children", &[]).await;
    assert_eq!(root.expect(OK)["total"], 0);
}

#[actix_web::test]
async fn the_gateway_says_what_a_lost_service_could_not() {
    let installation = Installation::with(FileSettings::default(), |behind| behind.files.clear()).await;
    let got = ask(Method::GET, &installation.nginx.address(), "/api/v1/files/root", &[]).await;
    expect_own_problem(&got, 503, "unavailable");
}
