//! What is set aside for a length that is said later, or ahead of bytes, when something fails after that.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::files::FileStore as _;
use futures_util::future::join;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::closed::clear_up;
use crate::faulty::{Faults, faulty};
use crate::helpers::{Tus as _, content, file_id};
use crate::repeated::{LEASE, begin_without_length};
use crate::shared::{QUOTA, free, used, with_quota};
use crate::support::{Answer, Client, Server, answer, until};

async fn send_with_length(
    who: &Client<'_>,
    upload: &str,
    (offset, length): (usize, usize),
    bytes: &[u8],
) -> Answer {
    let request = who.tus(Method::PATCH, upload).header("upload-offset", offset);
    let request = request.header("upload-length", length);
    answer(request.header("content-type", "application/offset+octet-stream").body(bytes.to_vec())).await
}

/// Somebody whose space has this quota, over a store that can fail.
pub(crate) async fn with_limit(server: &Server, quota: u64) -> Client<'_> {
    let ann = server.user("ann");
    ann.folder("f", "root").await;
    let space = server.store.find_space_of(ann.id).await.unwrap().unwrap().id;
    server.store.set_quota(space, Some(quota)).await.unwrap();
    ann
}

#[actix_web::test]
async fn room_for_a_length_goes_back_when_its_bytes_find_no_place() {
    let server = with_quota().await;
    let ann = server.user("ann");
    let upload = begin_without_length(&ann, "later").await;
    ann.send(&upload, 0, &content(100_000)).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(free(&ann).await, QUOTA - 100_000);
    for entry in server.dir.path().join("blobs/partial").read_dir().unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let refused = send_with_length(&ann, &upload, (100_000, 900_000), b"x").await;
    refused.expect_problem(404, "not_found");
    let shown = ann.get(&upload).await.expect(StatusCode::OK);
    assert_eq!((&shown["length"], free(&ann).await), (&Value::Null, QUOTA - 100_000));
}

#[actix_web::test]
async fn room_for_a_length_is_set_aside_with_it_or_not_at_all() {
    for is_kept in [false, true] {
        let faults = Arc::<Faults>::default();
        let server = faulty(&faults).await;
        let ann = with_limit(&server, QUOTA).await;
        let upload = begin_without_length(&ann, "later").await;
        faults.lengths_are_kept.store(is_kept, Ordering::SeqCst);
        faults.all_is_lost.store(true, Ordering::SeqCst);
        send_with_length(&ann, &upload, (0, 900_000), b"x").await.expect_problem(503, "unavailable");
        // the length, what would take it back, and that nobody holds the upload
        until("nothing more is tried", async || faults.lost.load(Ordering::SeqCst) == 3).await;
        faults.all_is_lost.store(false, Ordering::SeqCst);
        let expected = if is_kept { (json!(900_000), QUOTA - 900_000) } else { (Value::Null, QUOTA) };
        for _ in 0..2 {
            let shown = ann.get(&upload).await.expect(StatusCode::OK);
            assert_eq!((shown["length"].clone(), free(&ann).await), expected);
            // what is left of whoever held it
            server.clock.advance(LEASE);
            clear_up(&server).await;
        }
        let done = send_with_length(&ann, &upload, (0, 900_000), &content(900_000)).await;
        assert_eq!(ann.content_of(&file_id(&done)).await.len(), 900_000);
        assert_eq!((used(&ann).await, free(&ann).await), (900_000, QUOTA - 900_000));
    }
}

/// What one may have who sends without a length.
const LIMIT: u64 = 100_000_000;

/// An upload whose holder has crashed with more set aside than had come: it left nothing.
async fn crashed(faults: &Faults, ann: &Client<'_>) -> String {
    let upload = begin_without_length(ann, "later").await;
    faults.leaving_is_lost.store(true, Ordering::SeqCst);
    ann.send(&upload, 0, &content(100_000)).await.expect_problem(503, "unavailable");
    until("nothing more is tried", async || faults.lost.load(Ordering::SeqCst) == 2).await;
    faults.leaving_is_lost.store(false, Ordering::SeqCst);
    assert!(free(ann).await < LIMIT - 8_000_000);
    upload
}

#[actix_web::test]
async fn what_was_set_aside_ahead_of_bytes_goes_back_after_a_crash() {
    for by in ["the upkeep", "the next start"] {
        let faults = Arc::<Faults>::default();
        let server = faulty(&faults).await;
        let ann = with_limit(&server, LIMIT).await;
        let upload = crashed(&faults, &ann).await;
        if by == "the upkeep" {
            server.clock.advance(LEASE);
            clear_up(&server).await;
        } else {
            server.store.end_upload_leases().await.unwrap();
        }
        let shown = ann.get(&upload).await.expect(StatusCode::OK);
        assert_eq!(free(&ann).await, LIMIT - shown["offset"].as_u64().unwrap(), "{by}");
        // and between two requests none is kept
        let offset = ann.offset(&upload).await;
        ann.send(&upload, offset, &content(100_000)).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(free(&ann).await, LIMIT - offset as u64 - 100_000, "{by}");
    }
}

#[actix_web::test]
async fn what_was_set_aside_ahead_of_bytes_goes_back_with_who_comes_first_after_a_crash() {
    for first in ["looks", "is refused", "renames"] {
        let faults = Arc::<Faults>::default();
        let server = faulty(&faults).await;
        let ann = with_limit(&server, LIMIT).await;
        let upload = crashed(&faults, &ann).await;
        if first == "looks" {
            // and waits for whoever had it
            let time_passes = async {
                until("it is wanted", async || faults.busy.load(Ordering::SeqCst) > 0).await;
                server.clock.advance(LEASE);
            };
            join(ann.offset(&upload), time_passes).await;
        } else {
            server.clock.advance(LEASE);
            if first == "is refused" {
                ann.send(&upload, 50_000_000, b"x").await.expect_problem(409, "upload_offset");
            } else {
                ann.patch(&upload, json!({"name": "other"})).await.expect(StatusCode::OK);
            }
        }
        let shown = ann.get(&upload).await.expect(StatusCode::OK);
        assert_eq!(free(&ann).await, LIMIT - shown["offset"].as_u64().unwrap(), "{first}");
    }
}
