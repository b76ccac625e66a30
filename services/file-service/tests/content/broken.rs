//! Uploads that do not end well: nothing of them is left, and nobody else is held up.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::io::AsyncWriteExt as _;

use crate::helpers::{child, chunked, content, head, noise, read_head};
use crate::support::Server;

#[actix_web::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    let server = Server::start().await;
    let user = server.user("a");
    let bytes = noise(1_000_000);
    for sent in [0, 10, 20_000, 600_000, 999_999] {
        let path = child("root", "cut", "");
        let request = head(&user, "PUT", &path, "Content-Length: 1000000\r\n");
        let mut stream = server.send_raw(request.as_bytes()).await;
        stream.write_all(&bytes[..sent]).await.unwrap();
        // half closed, so that an answer could come, and then altogether
        stream.shutdown().await.unwrap();
        let (status, text) = read_head(&mut stream).await;
        assert!(status == 400 || text.is_empty(), "{text}");
        drop(stream);
        server.nothing_is_left(&user).await;
    }
    let request = head(&user, "PUT", &child("root", "cut", ""), "Transfer-Encoding: chunked\r\n");
    for rest in ["5\r\nabc", "186a0\r\nabc", "zz\r\nabc\r\n", "5\r\nabcdefgh\r\n0\r\n\r\n"] {
        let mut stream = server.send_raw(format!("{request}{rest}").as_bytes()).await;
        stream.shutdown().await.unwrap();
        let (status, text) = read_head(&mut stream).await;
        assert!(status == 400 || text.is_empty(), "{text}");
        server.nothing_is_left(&user).await;
    }
}

#[actix_web::test]
async fn a_replacement_that_is_cut_off_leaves_the_old_content() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a", "root", noise(50_000)).await;
    let before = user.show(&id).await;
    let request = head(&user, "PUT", &content(&id), "Content-Length: 1000000\r\n");
    let mut stream = server.send_raw(request.as_bytes()).await;
    stream.write_all(&noise(500_000)).await.unwrap();
    drop(stream);
    crate::support::until("the upload has gone", async || {
        let usage = server.usage_of(&user).await;
        usage.reserved_bytes == 0 && server.stored().len() == 1 && server.temporary().is_empty()
    })
    .await;
    assert_eq!(user.show(&id).await, before);
    assert_eq!(user.get(&content(&id)).await.bytes, noise(50_000));
}

#[actix_web::test]
async fn a_client_that_goes_away_leaves_nothing() {
    let server = Server::start().await;
    let user = server.user("a");
    server.set_quota_of(&user, 100_000_000).await;
    let request = head(&user, "PUT", &child("root", "gone", ""), "Content-Length: 9000000\r\n");
    let mut stream = server.send_raw(request.as_bytes()).await;
    stream.write_all(&noise(4_000_000)).await.unwrap();
    crate::support::until("it is under way", async || {
        server.usage_of(&user).await.reserved_bytes == 9_000_000 && !server.temporary().is_empty()
    })
    .await;
    drop(stream);
    server.nothing_is_left(&user).await;
}

#[actix_web::test]
async fn a_stalled_body_is_ended() {
    let server =
        Server::with(|settings| settings.upload_pace.chunk_deadline = Duration::from_millis(200)).await;
    let user = server.user("a");
    for sent in [0, 10, 600_000] {
        let request = head(&user, "PUT", &child("root", "slow", ""), "Content-Length: 1000000\r\n");
        let mut stream = server.send_raw(request.as_bytes()).await;
        stream.write_all(&noise(1_000_000)[..sent]).await.unwrap();
        let (status, text) = read_head(&mut stream).await;
        assert_eq!(status, 408, "{text}");
        server.nothing_is_left(&user).await;
    }
}

#[actix_web::test]
async fn slow_uploads_hold_nobody_up() {
    let server = Server::start().await;
    let user = server.user("a");
    let mut slow = Vec::new();
    for number in 0..100 {
        let request =
            head(&user, "PUT", &child("root", &format!("slow {number}"), ""), "Content-Length: 1000000\r\n");
        let mut stream = server.send_raw(request.as_bytes()).await;
        // some have a blob begun, some not
        stream.write_all(&noise(600_000)[..if number % 2 == 0 { 600_000 } else { 100 }]).await.unwrap();
        slow.push(stream);
    }
    let others = async {
        for size in [100, 100_000, 2_000_000] {
            let id = user.file(&size.to_string(), "root", noise(size)).await;
            assert_eq!(user.get(&content(&id)).await.bytes, noise(size));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), others).await.expect("others are served");
    // one of them comes to its end after all
    slow[0].write_all(&noise(600_000)[..400_000]).await.unwrap();
    let (status, text) = read_head(&mut slow[0]).await;
    assert_eq!(status, 201, "{text}");
    drop(slow);
    crate::support::until("the others are cleared away", async || {
        server.temporary().is_empty() && server.stored().len() == 3
    })
    .await;
    assert_eq!(user.names("root").await.len(), 4);
}

#[actix_web::test]
async fn what_is_too_large_is_refused_before_it_is_sent() {
    let server = Server::with(|settings| settings.max_upload_bytes = Some(100_000)).await;
    let user = server.user("a");
    let id = user.file("fits", "root", noise(100_000)).await;
    for path in [child("root", "large", ""), content(&id)] {
        let request = head(&user, "PUT", &path, "Content-Length: 100001\r\n");
        let mut stream = server.send_raw(request.as_bytes()).await;
        let (status, text) = read_head(&mut stream).await;
        assert!(status == 413, "{text}");
    }
    user.upload(&child("root", "large", ""), chunked(noise(100_001))).await.expect_problem(413, "too_large");
    user.upload(&child("root", "fits too", ""), chunked(noise(100_000))).await.expect(StatusCode::CREATED);
    crate::support::until("no stray is left", async || {
        server.stored().len() == 2 && server.temporary().is_empty()
    })
    .await;
}

#[actix_web::test]
async fn what_is_refused_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a", "root", "x").await;
    user.folder("f", "root").await;
    let nobody = server.user("b");
    for (caller, path, fields, expected) in [
        (&user, child("root", "a", ""), "", 409),
        (&user, child("root", "f", "?onConflict=replace"), "", 409),
        (&user, child("root", "a", ""), "If-Match: \"x\"\r\n", 412),
        (&user, child(&id, "b", ""), "", 409),
        (&user, child("root", "..", ""), "", 400),
        (&user, child("root", "b", "?modifiedAt=x"), "", 400),
        (&user, child("root", "b", ""), "Repr-Digest: sha-256=x\r\n", 400),
        (&nobody, child(&id, "b", ""), "", 404),
        (&nobody, content(&id), "", 404),
    ] {
        let fields = format!("{fields}Content-Length: 1000000\r\n");
        let mut stream = server.send_raw(head(caller, "PUT", &path, &fields).as_bytes()).await;
        let (status, text) = read_head(&mut stream).await;
        assert_eq!(status, expected, "{path} {text}");
    }
}
