//! Events, and what is compressed.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use actix_web::HttpResponse;
use bytes::Bytes;
use common::routes::{STREAMS, Service, owner};
use futures_util::stream;
use reqwest::{Method, StatusCode};
use testkit::nginx::Behind;
use tokio::sync::mpsc;

use crate::helpers::{Double, Installation, OK, ask, file, request, start};

#[actix_web::test]
async fn events_come_one_by_one() {
    for path in STREAMS {
        events_of(path).await;
    }
}

async fn events_of(path: &str) {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let double = Double::start(move |_| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        let events = stream::unfold(receiver, async |mut receiver| {
            Some((Ok::<_, std::io::Error>(receiver.recv().await?), receiver))
        });
        HttpResponse::Ok().content_type("text/event-stream").streaming(Box::pin(events))
    });
    let behind = match owner(path) {
        Some(Service::Worker) => Behind { jobs: vec![double.address], ..Behind::default() },
        _ => Behind { files: vec![double.address], ..Behind::default() },
    };
    let nginx = start(behind).await;
    let fields = [("accept-encoding", "gzip"), ("last-event-id", "7")];
    sender.send("id: 1\n\n".into()).await.unwrap();
    let mut events = request(Method::GET, &nginx.address(), path, &fields).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream", "{path}");
    assert_eq!(events.chunk().await.unwrap().unwrap(), "id: 1\n\n", "{path}");
    for id in 2..5 {
        // the next one is sent only once this one has come
        sender.send(format!("id: {id}\n\n").into()).await.unwrap();
        assert_eq!(events.chunk().await.unwrap().unwrap(), format!("id: {id}\n\n"), "{path}");
    }
    drop(sender);
    assert_eq!(events.chunk().await.unwrap(), None, "{path}");
}

#[actix_web::test]
async fn lists_are_compressed_and_tags_stay_strong() {
    let installation = Installation::start().await;
    let user = installation.server.user("a");
    for number in 0..50 {
        user.file(&format!("file {number}"), "root", "x").await;
    }
    let path = "/api/v1/files/root/children";
    let gzip = [("accept-encoding", "gzip")];
    let packed = ask(Method::GET, &installation.nginx.address(), path, &gzip).await;
    assert_eq!((packed.status, packed.header("content-encoding")), (OK, Some("gzip")));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&packed.bytes[..]).read_to_end(&mut plain).unwrap();
    assert!(packed.bytes.len() * 4 < plain.len());
    let list = ask(Method::GET, &installation.server.base, path, &[]).await;
    assert_eq!(plain, list.bytes);

    // the longest name there is, in an answer that is as long as one file's can be
    let id = file(&installation, &"\"".repeat(255), "x").await;
    let path = format!("/api/v1/files/{id}");
    let one = ask(Method::GET, &installation.nginx.address(), &path, &gzip).await;
    assert_eq!(one.header("content-encoding"), None);
    let tag = one.header("etag").unwrap();
    assert!(tag.starts_with('"'), "{tag}");
    let change = request(Method::PATCH, &installation.nginx.address(), &path, &[("if-match", tag), gzip[0]]);
    let changed = crate::support::answer(change.json(&serde_json::json!({"name": "b"}))).await;
    assert!(changed.header("etag").unwrap().starts_with('"'));
    assert_eq!(changed.expect(StatusCode::OK)["name"], "b");
}
