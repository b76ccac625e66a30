//! Uploads in parts that are sent at the same time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::files::{FileStore as _, Saved, Taken, UploadStore as _};
use common::{Sha256, UploadId};
use reqwest::{Method, StatusCode};

use crate::closed::clear_up;
use crate::deferred::with_limit;
use crate::faulty::{Faults, faulty};
use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, metadata};
use crate::repeated::LEASE;
use crate::shared::{Gate, Gated, QUOTA, free, used, with_quota};
use crate::support::{Answer, Client, Server, answer, id_of, until};

async fn part(ann: &Client<'_>, length: usize) -> String {
    let made =
        ann.tus(Method::POST, UPLOADS).header("upload-length", length).header("upload-concat", "partial");
    let made = answer(made).await;
    made.expect(StatusCode::CREATED);
    address(&made)
}

async fn join(ann: &Client<'_>, name: &str, parts: &[String]) -> Answer {
    let made = ann.tus(Method::POST, UPLOADS).header("upload-concat", format!("final;{}", parts.join(" ")));
    answer(made.header("upload-metadata", metadata(&[("filename", name)]))).await
}

#[actix_web::test]
async fn parts_become_a_file_in_their_order() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(10_000_000)).await;
    let ann = server.user("ann");
    let bytes = content(6_000_000);
    let sizes = [3_000_000, 1, 0, 2_999_999];
    let (mut parts, mut sent, mut start) = (Vec::new(), Vec::new(), 0);
    for size in sizes {
        parts.push(part(&ann, size).await);
        sent.push(&bytes[start..start + size]);
        start += size;
    }
    let sent = parts
        .iter()
        .zip(&sent)
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(part, bytes)| ann.send(part, 0, bytes));
    for answer in futures_util::future::join_all(sent).await {
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("file-id"), None);
    }
    assert_eq!(ann.stands(&parts[0]).await.header("upload-concat"), Some("partial"));
    assert!(ann.names("root").await.is_empty());
    let made = join(&ann, "joined", &parts).await;
    made.expect(StatusCode::CREATED);
    let file = file_id(&made);
    assert_eq!(ann.content_of(&file).await, bytes);
    let stands = ann.stands(&address(&made)).await;
    // from the address of the upload, so that it is right behind a prefix, too
    let told: Vec<_> = parts.iter().map(|part| part.replace("/api/v1/", "../")).collect();
    assert_eq!(stands.header("upload-concat").unwrap(), format!("final;{}", told.join(" ")));
    assert_eq!(
        (stands.header("upload-length"), stands.header("upload-offset")),
        (Some("6000000"), Some("6000000"))
    );
    ann.send(&address(&made), 6_000_000, b"x").await.expect_problem(403, "forbidden");
    // the parts are gone, and what they took
    assert_eq!(ann.stands(&parts[0]).await.status, StatusCode::NOT_FOUND);
    let usage = ann.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(usage["usedBytes"], 6_000_000);
    assert_eq!(ann.get("/api/v1/limits").await.expect(StatusCode::OK)["freeBytes"], 4_000_000);
    assert_eq!(server.store.count_nodes().await.unwrap(), 1);
    until("no part lies beside the file", async || server.blob_files() == 1).await;
}

#[actix_web::test]
async fn a_final_may_come_before_its_parts_are_whole() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let parts = [part(&ann, 5).await, part(&ann, 3).await];
    let made = join(&ann, "joined", &parts).await;
    made.expect(StatusCode::CREATED);
    assert_eq!((made.header("upload-offset"), made.header("file-id")), (None, None));
    let whole = address(&made);
    let stands = ann.stands(&whole).await;
    assert_eq!((stands.header("upload-length"), stands.header("upload-offset")), (Some("8"), None));
    ann.send(&whole, 0, b"x").await.expect_problem(403, "forbidden");
    ann.send(&parts[1], 0, b"678").await;
    ann.send(&parts[0], 0, b"12345").await;
    let mut file = String::new();
    until("the parts are joined", async || {
        let stands = ann.stands(&whole).await;
        file = stands.header("file-id").unwrap_or_default().to_owned();
        !file.is_empty()
    })
    .await;
    assert_eq!(ann.content_of(&file).await, b"12345678");
    assert_eq!(ann.names("root").await, ["joined"]);
}

#[actix_web::test]
async fn only_parts_are_joined() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let whole = ann.begin("whole", 3).await;
    join(&ann, "a", &[whole]).await.expect_problem(400, "invalid_request");
    join(&ann, "a", &[]).await.expect_problem(400, "invalid_request");
    let one = part(&ann, 1).await;
    let made = ann
        .tus(Method::POST, UPLOADS)
        .header("upload-concat", format!("final;{one}"))
        .header("upload-length", 1);
    answer(made.header("upload-metadata", metadata(&[("filename", "a")])))
        .await
        .expect_problem(400, "invalid_request");
    // a part is no file, and needs no name
    ann.send(&one, 0, b"x").await;
    assert!(ann.names("root").await.is_empty());
}

#[actix_web::test]
async fn a_taken_name_keeps_the_joined_bytes() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let parts = [part(&ann, 2).await, part(&ann, 2).await];
    let made = join(&ann, "file", &parts).await;
    ann.file("file", "root", "quicker").await;
    for (part, bytes) in parts.iter().zip([b"ab", b"cd"]) {
        ann.send(part, 0, bytes).await;
    }
    let upload = address(&made);
    until("the bytes are joined", async || {
        ann.get(&upload).await.expect(StatusCode::OK)["state"] == "complete"
    })
    .await;
    let made = ann.patch(&upload, serde_json::json!({"name": "other"})).await;
    let file = made.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    assert_eq!(ann.content_of(&file).await, b"abcd");
}

#[actix_web::test]
async fn an_upload_is_ended_while_it_is_put_together() {
    let gate = Arc::new(Gate::in_stream());
    let given = Arc::clone(&gate);
    let server = Server::over(|_| {}, |disk| Arc::new(Gated { disk, gate: given })).await;
    let ann = server.user("ann");
    let parts = [part(&ann, 3).await];
    ann.send(&parts[0], 0, b"abc").await.expect(StatusCode::NO_CONTENT);
    let end = async {
        gate.reached.acquire().await.unwrap().forget();
        let list = ann.get(UPLOADS).await.expect(StatusCode::OK);
        let items = list["items"].as_array().unwrap();
        let whole = id_of(items.iter().find(|item| item["role"] == "final").unwrap());
        let whole = format!("{UPLOADS}/{whole}");
        // whoever asks ends nothing
        assert_eq!(ann.stands(&whole).await.status, StatusCode::OK);
        ann.delete(&whole).await.expect(StatusCode::NO_CONTENT);
    };
    let (made, ()) = futures_util::future::join(join(&ann, "joined", &parts), end).await;
    made.expect_problem(404, "not_found");
    assert!(ann.names("root").await.is_empty());
}

#[actix_web::test]
async fn joined_parts_keep_to_the_largest_upload() {
    let server = Server::with(|settings| settings.max_upload_bytes = Some(1_000)).await;
    let ann = server.user("ann");
    let mut parts = Vec::new();
    for _ in 0..2 {
        let made = ann.tus(Method::POST, UPLOADS).header("upload-defer-length", 1);
        parts.push(address(&answer(made.header("upload-concat", "partial")).await));
    }
    let made = join(&ann, "joined", &parts).await;
    made.expect(StatusCode::CREATED);
    for part in &parts {
        let last = ann.tus(Method::PATCH, part).header("upload-offset", 0).header("upload-length", 600);
        let last = last.header("content-type", "application/offset+octet-stream").body(content(600));
        answer(last).await.expect(StatusCode::NO_CONTENT);
    }
    // whoever tried last may still hold it for a moment
    until("it is told why there is no file", async || {
        ann.stands(&address(&made)).await.status == StatusCode::PAYLOAD_TOO_LARGE
    })
    .await;
    assert!(ann.names("root").await.is_empty());
    // nor is one part several
    let twice = [parts[0].clone(), parts[0].clone()];
    join(&ann, "twice", &twice).await.expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn parts_end_with_a_final_that_is_no_file() {
    let server = with_quota().await;
    let ann = server.user("ann");
    for ends in ["digest", "deletion", "time"] {
        let parts = [part(&ann, 300_000).await, part(&ann, 300_000).await];
        let made =
            ann.tus(Method::POST, UPLOADS).header("upload-concat", format!("final;{}", parts.join(" ")));
        let mut made = made.header("upload-metadata", metadata(&[("filename", ends)]));
        if ends == "digest" {
            made = made.header("repr-digest", Sha256::of(b"other").to_field());
        }
        let whole = address(&answer(made).await);
        if ends != "digest" {
            ann.file(ends, "root", "quicker").await;
        }
        let left = QUOTA - used(&ann).await;
        for part in &parts {
            ann.send(part, 0, &content(300_000)).await.expect(StatusCode::NO_CONTENT);
        }
        if ends != "digest" {
            until("the bytes are joined", async || {
                ann.get(&whole).await.expect(StatusCode::OK)["state"] == "complete"
            })
            .await;
            assert_eq!(free(&ann).await, left - 600_000);
        }
        if ends == "deletion" {
            ann.delete(&whole).await.expect(StatusCode::NO_CONTENT);
        }
        // whoever asked last may still be at it, and with that has it kept for longer
        let time_passes = async || {
            if ends == "time" {
                server.clock.advance(Duration::from_secs(8 * 24 * 3600));
                clear_up(&server).await;
            }
        };
        until(&format!("it is gone by {ends}"), async || {
            time_passes().await;
            ann.get(&whole).await.status == StatusCode::NOT_FOUND
        })
        .await;
        until("nothing is set aside", async || {
            time_passes().await;
            free(&ann).await == left
        })
        .await;
        for part in &parts {
            assert_eq!(ann.get(part).await.status, StatusCode::NOT_FOUND, "{ends}");
        }
        until("no content is left", async || server.blob_files() == 0).await;
        assert_eq!(server.dir.path().join("blobs/partial").read_dir().unwrap().count(), 0, "{ends}");
    }
}

#[actix_web::test]
async fn a_part_is_held_against_its_digest() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let checked = async |digest: Sha256, with_last: bool| {
        let mut made =
            ann.tus(Method::POST, UPLOADS).header("upload-length", 6).header("upload-concat", "partial");
        if !with_last {
            made = made.header("repr-digest", digest.to_field());
        }
        let part = address(&answer(made).await);
        ann.send(&part, 0, b"abc").await.expect(StatusCode::NO_CONTENT);
        let mut last = ann.tus(Method::PATCH, &part).header("upload-offset", 3);
        if with_last {
            last = last.header("repr-digest", digest.to_field());
        }
        let sent = answer(last.header("content-type", "application/offset+octet-stream").body("def")).await;
        (part, sent)
    };
    let mut parts = Vec::new();
    for with_last in [false, true] {
        let (part, sent) = checked(Sha256::of(b"abcdeF"), with_last).await;
        sent.expect_problem(400, "digest_mismatch");
        assert_eq!(ann.stands(&part).await.status, StatusCode::NOT_FOUND);
        let (part, sent) = checked(Sha256::of(b"abcdef"), with_last).await;
        sent.expect(StatusCode::NO_CONTENT);
        parts.push(part);
    }
    assert_eq!(server.blob_files(), 2, "nothing is left of the wrong ones");
    let file = file_id(&join(&ann, "joined", &parts).await);
    assert_eq!(ann.content_of(&file).await, b"abcdefabcdef");
    until("no part lies beside the file", async || server.blob_files() == 1).await;
}

#[actix_web::test]
async fn parts_end_with_the_commit_of_the_whole_whoever_holds_them() {
    let server = with_quota().await;
    let ann = server.user("ann");
    let parts = [part(&ann, 3).await, part(&ann, 3).await];
    for part in &parts {
        ann.send(part, 0, b"abc").await.expect(StatusCode::NO_CONTENT);
    }
    // as a request to another replica does that does not leave
    let id: UploadId = parts[1].rsplit('/').next().unwrap().parse().unwrap();
    let lease = server.now() + Duration::from_secs(3600);
    let Taken::Held(held) = server.store.take_upload(id, server.now(), lease).await.unwrap() else {
        panic!("somebody holds it")
    };
    let file = file_id(&join(&ann, "joined", &parts).await);
    for part in &parts {
        assert_eq!(ann.get(part).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(server.store.save_upload(&held).await.unwrap(), Saved::Lost);
    assert_eq!(ann.content_of(&file).await, b"abcabc");
    assert_eq!((used(&ann).await, free(&ann).await), (6, QUOTA - 6));
    until("no part lies beside the file", async || server.blob_files() == 1).await;
}

#[actix_web::test]
async fn parts_stay_until_it_is_kept_that_the_whole_is_a_file() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let ann = server.user("ann");
    let parts = [part(&ann, 3).await, part(&ann, 3).await];
    for part in &parts {
        ann.send(part, 0, b"abc").await.expect(StatusCode::NO_CONTENT);
    }
    faults.done_is_lost.store(true, Ordering::SeqCst);
    let made = join(&ann, "joined", &parts).await;
    made.expect_problem(503, "unavailable");
    for part in &parts {
        assert_eq!(ann.get(part).await.status, StatusCode::OK);
    }
    faults.done_is_lost.store(false, Ordering::SeqCst);
    let mut file = String::new();
    until("it is told what they became", async || {
        let stands = ann.stands(&address(&made)).await;
        file = stands.header("file-id").unwrap_or_default().to_owned();
        !file.is_empty()
    })
    .await;
    assert_eq!(ann.content_of(&file).await, b"abcabc");
    for part in &parts {
        assert_eq!(ann.get(part).await.status, StatusCode::NOT_FOUND);
    }
    until("no part lies beside the file", async || server.blob_files() == 1).await;
}

#[actix_web::test]
async fn parts_end_with_a_final_only_if_it_has_what_was_set_aside_for_them() {
    for has_theirs in [false, true] {
        let faults = Arc::<Faults>::default();
        let server = faulty(&faults).await;
        let ann = with_limit(&server, QUOTA).await;
        let parts = [part(&ann, 300_000).await, part(&ann, 300_000).await];
        for part in &parts {
            ann.send(part, 0, &content(300_000)).await.expect(StatusCode::NO_CONTENT);
        }
        // a crash before the merging, or right behind it
        faults.lengths_are_kept.store(has_theirs, Ordering::SeqCst);
        faults.room_is_lost.store(true, Ordering::SeqCst);
        let made = join(&ann, "joined", &parts).await;
        made.expect_problem(503, "unavailable");
        faults.room_is_lost.store(false, Ordering::SeqCst);
        assert_eq!(free(&ann).await, QUOTA - 600_000, "{has_theirs}");
        server.clock.advance(LEASE);
        ann.delete(&address(&made)).await.expect(StatusCode::NO_CONTENT);
        if has_theirs {
            assert_eq!(free(&ann).await, QUOTA);
            for part in &parts {
                assert_eq!(ann.get(part).await.status, StatusCode::NOT_FOUND);
            }
            continue;
        }
        assert_eq!(free(&ann).await, QUOTA - 600_000);
        let file = file_id(&join(&ann, "again", &parts).await);
        assert_eq!(ann.content_of(&file).await.len(), 600_000);
        assert_eq!((used(&ann).await, free(&ann).await), (600_000, QUOTA - 600_000));
    }
}
