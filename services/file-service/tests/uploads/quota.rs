//! What uploads set aside.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::Sha256;
use common::files::FileStore as _;
use futures_util::future::join;
use reqwest::{Method, StatusCode};

use crate::deferred::with_limit;
use crate::faulty::{Faults, faulty};
use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, metadata};
use crate::repeated::begin_without_length;
use crate::support::{Answer, Client, Server, answer, until};

async fn free(ann: &Client<'_>) -> u64 {
    ann.get("/api/v1/limits").await.expect(StatusCode::OK)["freeBytes"].as_u64().unwrap()
}

async fn used(ann: &Client<'_>) -> u64 {
    ann.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"].as_u64().unwrap()
}

#[actix_web::test]
async fn bytes_are_set_aside_when_their_number_is_known() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(1_000_000)).await;
    let ann = server.user("ann");
    assert_eq!(free(&ann).await, 1_000_000);
    let one = ann.begin("one", 600_000).await;
    assert_eq!(free(&ann).await, 400_000);
    let made = ann.tus(Method::POST, UPLOADS).header("upload-length", 400_001);
    let made = made.header("upload-metadata", metadata(&[("filename", "two")]));
    answer(made).await.expect_problem(507, "quota_exceeded");
    // ended and finished ones give it back
    assert_eq!(ann.delete(&one).await.status, StatusCode::NO_CONTENT);
    assert_eq!(free(&ann).await, 1_000_000);
    let two = ann.begin("two", 500_000).await;
    let done = ann.send(&two, 0, &content(500_000)).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    assert_eq!((free(&ann).await, used(&ann).await), (500_000, 500_000));
}

#[actix_web::test]
async fn unknown_lengths_stay_within_the_quota() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(1_000_000)).await;
    let ann = server.user("ann");
    let made = ann.tus(Method::POST, UPLOADS).header("upload-defer-length", 1);
    let upload = address(&answer(made.header("upload-metadata", metadata(&[("filename", "later")]))).await);
    assert_eq!(ann.send(&upload, 0, &content(700_000)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(free(&ann).await, 300_000);
    ann.send(&upload, 700_000, &content(300_001)).await.expect_problem(507, "quota_exceeded");
    let offset = ann.offset(&upload).await;
    assert!((700_000..=1_000_000).contains(&offset), "{offset}");
    let request =
        ann.tus(Method::PATCH, &upload).header("upload-offset", offset).header("upload-length", offset);
    let done = answer(request.header("content-type", "application/offset+octet-stream")).await;
    file_id(&done);
    assert_eq!(used(&ann).await, offset as u64);
    assert_eq!(free(&ann).await, 1_000_000 - offset as u64);
}

#[actix_web::test]
async fn a_length_that_finds_no_room_is_not_noted() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(1_000_000)).await;
    let ann = server.user("ann");
    let made = ann.tus(Method::POST, UPLOADS).header("upload-defer-length", 1);
    let upload = address(&answer(made.header("upload-metadata", metadata(&[("filename", "later")]))).await);
    let last = |offset: usize, length: &str| {
        let request = ann.tus(Method::PATCH, &upload).header("upload-offset", offset);
        let request = request.header("content-type", "application/offset+octet-stream");
        request.header("upload-length", length)
    };
    let refused = last(0, "300000000000").header("repr-digest", Sha256::of(b"other").to_field());
    answer(refused).await.expect_problem(507, "quota_exceeded");
    let stands = ann.stands(&upload).await;
    assert_eq!((stands.header("upload-defer-length"), stands.header("upload-length")), (Some("1"), None));
    let bytes = content(1_000_001);
    ann.send(&upload, 0, &bytes).await.expect_problem(507, "quota_exceeded");
    let offset = ann.offset(&upload).await;
    assert!(offset <= 1_000_000, "{offset}");
    // nor is the digest that came with it, and another length is no contradiction
    let done = answer(last(offset, "1000000").body(bytes[offset..1_000_000].to_vec())).await;
    assert_eq!(ann.content_of(&file_id(&done)).await, bytes[..1_000_000]);
}

#[actix_web::test]
async fn a_hundred_uploads_leave_exact_numbers() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(100_000_000)).await;
    let ann = server.user("ann");
    let mut expected = 0;
    for number in 0..100_usize {
        let size = 1000 * number;
        let upload = ann.begin(&format!("file {number}"), size.max(1)).await;
        match number % 4 {
            0 => drop(ann.delete(&upload).await),
            1 => drop(ann.send(&upload, 1, b"x").await.expect_problem(409, "upload_offset")),
            2 => drop(ann.send(&upload, 0, &content(size / 2)).await),
            _ => {
                file_id(&ann.send(&upload, 0, &content(size)).await);
                expected += size as u64;
            }
        }
    }
    assert_eq!(used(&ann).await, expected);
    loop {
        let list = ann.get(UPLOADS).await.expect(StatusCode::OK);
        let items = list["items"].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        for item in items {
            ann.delete(&format!("{UPLOADS}/{}", item["id"].as_str().unwrap())).await;
        }
    }
    assert_eq!((used(&ann).await, free(&ann).await), (expected, 100_000_000 - expected));
    let space = server.store.ensure_space(
        ann.id,
        (testkit::TestIds::seeded(9).next(), testkit::TestIds::seeded(8).next()),
        None,
        server.now(),
    );
    assert_eq!(space.await.unwrap().usage.reserved_bytes, 0);
}

async fn try_to_begin(ann: &Client<'_>, length: usize) -> Answer {
    let made = ann.tus(Method::POST, UPLOADS).header("upload-length", length);
    answer(made.header("upload-metadata", metadata(&[("filename", "file")]))).await
}

#[actix_web::test]
async fn who_leaves_before_an_upload_is_there_leaves_no_room_set_aside() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let ann = with_limit(&server, 1_000_000).await;
    faults.insertion_waits.store(true, Ordering::SeqCst);
    let look = async {
        faults.reached.acquire().await.unwrap().forget();
        let free = free(&ann).await;
        faults.passes.add_permits(1);
        free
    };
    let (made, meanwhile) = join(try_to_begin(&ann, 900_000), look).await;
    made.expect(StatusCode::CREATED);
    assert_eq!((meanwhile, free(&ann).await), (1_000_000, 100_000));
}

#[actix_web::test]
async fn an_upload_of_which_nobody_heard_that_it_is_there_does_not_stay() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let ann = with_limit(&server, 1_000_000).await;
    faults.insertion_is_unheard.store(true, Ordering::SeqCst);
    try_to_begin(&ann, 900_000).await.expect_problem(503, "unavailable");
    until("its room is free", async || free(&ann).await == 1_000_000).await;
    let list = ann.get(UPLOADS).await.expect(StatusCode::OK);
    assert_eq!(list["items"].as_array().unwrap().len(), 0);
}

#[actix_web::test]
async fn near_the_quota_pieces_do_not_cost_a_commit_each() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    // less than is set aside ahead
    let ann = with_limit(&server, 8_000_000).await;
    let upload = begin_without_length(&ann, "later").await;
    let before = faults.rooms.load(Ordering::SeqCst);
    ann.send(&upload, 0, &content(7_000_000)).await.expect(StatusCode::NO_CONTENT);
    // what is ample, what is left, and what goes back
    assert_eq!(faults.rooms.load(Ordering::SeqCst) - before, 3);
    assert_eq!(free(&ann).await, 1_000_000);
    ann.send(&upload, 7_000_000, &content(1_000_000)).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(free(&ann).await, 0);
    ann.send(&upload, 8_000_000, b"x").await.expect_problem(507, "quota_exceeded");
    assert_eq!(ann.offset(&upload).await, 8_000_000);
}
