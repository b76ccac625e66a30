//! What is done twice: by a client that did not hear of it, or by a request that was overtaken.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::faulty::{Faults, faulty};
use crate::helpers::{Tus as _, UPLOADS, address, file_id, metadata};
use crate::shared::{Gate, Gated};
use crate::support::{Client, Server, answer, id_of};

/// Longer than anybody holds an upload who says nothing.
pub(crate) const LEASE: Duration = Duration::from_secs(16);

async fn unfinished(who: &Client<'_>) -> usize {
    who.get(UPLOADS).await.expect(StatusCode::OK)["items"].as_array().unwrap().len()
}

/// An upload whose length is said later.
pub(crate) async fn begin_without_length(who: &Client<'_>, name: &str) -> String {
    let made = who.tus(Method::POST, UPLOADS).header("upload-defer-length", 1);
    address(&answer(made.header("upload-metadata", metadata(&[("filename", name)]))).await)
}

#[actix_web::test]
async fn who_ends_an_upload_too_late_takes_no_bytes_from_who_goes_on() {
    let faults = Arc::<Faults>::default();
    faults.removal_waits.store(true, Ordering::SeqCst);
    let server = faulty(&faults).await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 4).await;
    ann.send(&upload, 0, b"ab").await.expect(StatusCode::NO_CONTENT);
    let overtake = async {
        faults.reached.acquire().await.unwrap().forget();
        server.clock.advance(LEASE);
        let done = ann.send(&upload, 2, b"cd").await;
        faults.passes.add_permits(1);
        done
    };
    let (ended, done) = join(ann.delete(&upload), overtake).await;
    ended.expect_problem(423, "locked");
    done.expect(StatusCode::NO_CONTENT);
    assert_eq!(ann.content_of(&file_id(&done)).await, b"abcd");
}

#[actix_web::test]
async fn an_empty_request_leaves_a_finished_upload_as_it_is() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 3).await;
    let file = file_id(&ann.send(&upload, 0, b"abc").await);
    let draft = || {
        let request = ann.request(Method::PATCH, &upload).header("upload-offset", 3);
        let request = request.header("content-type", "application/partial-upload");
        answer(request.header("upload-complete", "?1"))
    };
    let shown = draft().await.expect(StatusCode::CREATED);
    assert_eq!((id_of(&shown), &shown["name"]), (file.clone(), &json!("file")));
    ann.delete(&format!("/api/v1/files/{file}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    // it was a file, and is none that waits for its end
    let again = ann.send(&upload, 3, b"").await;
    assert_eq!((again.status, file_id(&again)), (StatusCode::NO_CONTENT, file));
    draft().await.expect_problem(404, "not_found");
    assert_eq!(ann.get(&upload).await.expect(StatusCode::OK)["state"], "done");
    assert_eq!(unfinished(&ann).await, 0);
}

#[actix_web::test]
async fn what_a_lost_answer_made_is_not_taken_for_a_copy_of_it() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let ann = server.user("ann");
    let folder = ann.folder("copies", "root").await;
    for (name, is_deleted) in [("kept", false), ("deleted", true)] {
        faults.done_is_lost.store(true, Ordering::SeqCst);
        let upload = ann.begin(name, 3).await;
        ann.send(&upload, 0, b"abc").await.expect_problem(503, "unavailable");
        faults.done_is_lost.store(false, Ordering::SeqCst);
        let list = ann.get("/api/v1/files/root/children").await.expect(StatusCode::OK);
        let made = list["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap();
        let file = id_of(made);
        let copy = ann.post(&format!("/api/v1/files/{file}/copy"), json!({"parentId": folder})).await;
        copy.expect(StatusCode::CREATED);
        if is_deleted {
            let gone = ann.delete(&format!("/api/v1/files/{file}?permanent=true")).await;
            gone.expect(StatusCode::NO_CONTENT);
            ann.send_when_free(&upload, 3, b"").await.expect_problem(404, "not_found");
        } else {
            assert_eq!(file_id(&ann.send_when_free(&upload, 3, b"").await), file);
        }
    }
}

#[actix_web::test]
async fn what_a_lost_answer_replaced_is_not_taken_for_a_copy_of_it() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let ann = server.user("ann");
    let folder = ann.folder("copies", "root").await;
    for (name, then) in [("kept", "nothing"), ("changed", "content"), ("deleted", "deletion")] {
        let old = ann.file(name, "root", "old").await;
        let made = ann.tus(Method::POST, UPLOADS).header("upload-length", 3);
        let made = made.header("upload-metadata", metadata(&[("filename", name), ("onConflict", "replace")]));
        let upload = address(&answer(made).await);
        faults.done_is_lost.store(true, Ordering::SeqCst);
        ann.send(&upload, 0, b"abc").await.expect_problem(503, "unavailable");
        faults.done_is_lost.store(false, Ordering::SeqCst);
        assert_eq!(ann.content_of(&old).await, b"abc");
        let copy = ann.post(&format!("/api/v1/files/{old}/copy"), json!({"parentId": folder})).await;
        copy.expect(StatusCode::CREATED);
        match then {
            "content" => {
                let other = ann.request(Method::PUT, &format!("/api/v1/files/{old}/content")).body("other");
                answer(other).await.expect(StatusCode::OK);
            }
            "deletion" => {
                let gone = ann.delete(&format!("/api/v1/files/{old}?permanent=true")).await;
                gone.expect(StatusCode::NO_CONTENT);
            }
            _ => {}
        }
        let again = ann.send_when_free(&upload, 3, b"").await;
        if then == "deletion" {
            again.expect_problem(404, "not_found");
        } else {
            assert_eq!(file_id(&again), old, "{then}");
        }
    }
}

#[actix_web::test]
async fn an_empty_upload_whose_name_was_taken_becomes_a_file_of_another() {
    let gate = Arc::new(Gate::default());
    let given = Arc::clone(&gate);
    let server = Server::over(|_| {}, |disk| Arc::new(Gated { disk, gate: given })).await;
    let ann = server.user("ann");
    let upload = begin_without_length(&ann, "empty").await;
    let last = async {
        let request = ann.tus(Method::PATCH, &upload).header("upload-offset", 0).header("upload-length", 0);
        answer(request.header("content-type", "application/offset+octet-stream")).await
    };
    // its bytes are a blob by then
    let take = async {
        gate.reached.acquire().await.unwrap().forget();
        ann.file("empty", "root", "quicker").await;
        gate.passes.add_permits(1);
    };
    let (refused, ()) = join(last, take).await;
    refused.expect_problem(409, "name_taken");
    let made = ann.patch(&upload, json!({"name": "other"})).await.expect(StatusCode::CREATED);
    assert_eq!((&made["name"], &made["size"]), (&json!("other"), &json!(0)));
    assert_eq!(ann.content_of(&id_of(&made)).await, b"");
}
