//! Uploads that nobody goes on with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::Clock as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::faulty::{Faults, faulty};
use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, metadata};
use crate::support::{Server, answer};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn run(server: &Server, task: &str) -> u64 {
    let (mut changed, mut cursor) = (0, Value::Null);
    loop {
        let request = server.internal(Method::POST, &format!("/internal/maintenance/{task}"));
        let step = answer(request.json(&json!({ "cursor": cursor }))).await.expect(StatusCode::OK);
        changed += step["changed"].as_u64().unwrap();
        if step["done"] == true {
            return changed;
        }
        cursor = step["cursor"].clone();
    }
}

#[actix_web::test]
async fn an_upload_expires_with_all_that_it_took() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(1_000_000)).await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 900_000).await;
    ann.send(&upload, 0, &content(500_000)).await;
    let kept = ann.begin("kept", 50_000).await;
    let whole = ann.begin("whole", 3).await;
    file_id(&ann.send(&whole, 0, b"abc").await);
    server.clock.advance(6 * DAY);
    assert_eq!(run(&server, "expire-uploads").await, 1, "what is a file is forgotten after a day");
    // gone on with, so kept for longer
    ann.send(&kept, 0, &content(10_000)).await;
    server.clock.advance(DAY + Duration::from_secs(1));
    assert_eq!(ann.stands(&upload).await.status, StatusCode::NOT_FOUND);
    assert_eq!(run(&server, "expire-uploads").await, 1);
    assert_eq!(run(&server, "expire-uploads").await, 0);
    assert_eq!(run(&server, "sweep-reservations").await, 0, "nothing is left to other sweeps");
    let limits = ann.get("/api/v1/limits").await.expect(StatusCode::OK);
    assert_eq!(limits["freeBytes"], 1_000_000 - 50_000 - 3);
    assert_eq!(server.dir.path().join("blobs/partial").read_dir().unwrap().count(), 1);
    assert_eq!(ann.offset(&kept).await, 10_000);
    let done = ann.send(&kept, 10_000, &content(40_000)).await;
    assert_eq!(ann.content_of(&file_id(&done)).await.len(), 50_000);
}

#[actix_web::test]
async fn what_is_set_aside_for_an_unknown_length_lasts_as_long_as_its_upload() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(100_000_000)).await;
    let ann = server.user("ann");
    let free = async || ann.get("/api/v1/limits").await.expect(StatusCode::OK)["freeBytes"].clone();
    let made = ann.tus(Method::POST, UPLOADS).header("upload-defer-length", 1);
    let upload = address(&answer(made.header("upload-metadata", metadata(&[("filename", "x")]))).await);
    ann.send(&upload, 0, &content(100_000)).await.expect(StatusCode::NO_CONTENT);
    server.clock.advance(6 * DAY);
    ann.send(&upload, 100_000, b"x").await.expect(StatusCode::NO_CONTENT);
    let left = free().await;
    // more than a day beyond what it was kept for at first
    server.clock.advance(3 * DAY);
    assert_eq!(run(&server, "sweep-reservations").await, 0);
    assert_eq!(free().await, left);
    assert_eq!(ann.offset(&upload).await, 100_001);
    // it goes with the upload
    server.clock.advance(6 * DAY);
    assert_eq!(run(&server, "expire-uploads").await, 1);
    assert_eq!(free().await, 100_000_000);
}

#[actix_web::test]
async fn bytes_of_no_upload_are_swept_and_others_stay() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let folder = server.dir.path().join("blobs/partial");
    let open = ann.begin("open", 10).await;
    ann.send(&open, 0, b"12345").await;
    // all bytes are there, and the name is taken: its blob has no row, and is no stray
    let complete = ann.begin("complete", 5).await;
    ann.file("complete", "root", "x").await;
    ann.send(&complete, 0, b"12345").await.expect_problem(409, "name_taken");
    std::fs::write(folder.join("0123456789abcdef0123456789abcdef"), "stray").unwrap();
    std::fs::write(folder.join("not a key"), "somebody's").unwrap();
    server.clock.set(far_future());
    assert_eq!(run(&server, "sweep-strays").await, 0);
    server.clock.set(testkit::TestClock::default().now());
    assert_eq!(run(&server, "expire-uploads").await, 0, "it is too young");
    server.clock.set(far_future());
    // the uploads have expired by then as well
    assert_eq!(run(&server, "expire-uploads").await, 3);
    assert_eq!(folder.read_dir().unwrap().count(), 1);
}

#[actix_web::test]
async fn what_becomes_a_file_while_strays_are_looked_for_is_none() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let ann = server.user("ann");
    for waits in [&faults.question_waits, &faults.answer_waits] {
        let upload = ann.begin("late", 5).await;
        let taken = ann.file("late", "root", "x").await;
        ann.send(&upload, 0, b"12345").await.expect_problem(409, "name_taken");
        // its bytes are old, and it is not
        server.clock.advance(2 * DAY);
        ann.delete(&format!("/api/v1/files/{taken}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
        waits.store(true, Ordering::SeqCst);
        let becomes_a_file = async {
            faults.reached.acquire().await.unwrap().forget();
            let done = ann.send(&upload, 5, b"").await;
            faults.passes.add_permits(1);
            file_id(&done)
        };
        let (_, file) = futures_util::future::join(run(&server, "sweep-strays"), becomes_a_file).await;
        assert_eq!(ann.content_of(&file).await, b"12345");
        ann.delete(&format!("/api/v1/files/{file}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    }
}

fn far_future() -> common::Timestamp {
    common::Timestamp::from_millis(4_000_000_000_000)
}
