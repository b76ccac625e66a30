//! Contents that are read again, and counters that are counted again.

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use common::files::{BlobRecord, FileStore as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{content, noise};
use crate::support::{Server, answer};

async fn step(server: &Server, task: &str, cursor: &Value) -> Value {
    let request = server.internal(Method::POST, &format!("/internal/maintenance/{task}"));
    answer(request.json(&json!({ "cursor": cursor }))).await.expect(StatusCode::OK)
}

/// All steps of a task.
async fn run(server: &Server, task: &str) -> Vec<Value> {
    let mut steps = vec![step(server, task, &Value::Null).await];
    while steps.last().is_some_and(|step| step["done"] == false) {
        assert!(steps.len() < 100, "{task} comes to its end");
        let next = step(server, task, &steps.last().unwrap()["cursor"]).await;
        steps.push(next);
    }
    steps
}

fn findings(steps: &[Value]) -> Vec<Value> {
    steps.iter().filter_map(|step| step["findings"].as_array()).flatten().cloned().collect()
}

fn sum(steps: &[Value], field: &str) -> u64 {
    steps.iter().filter_map(|step| step[field].as_u64()).sum()
}

async fn damaged(server: &Server) -> Vec<BlobRecord> {
    let all = server.store.list_blobs(None, 1000).await.unwrap();
    all.into_iter().filter(|blob| blob.damaged_at.is_some()).collect()
}

fn change_byte(path: &Path, at: u64, byte: u8) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[actix_web::test]
async fn good_contents_are_read_to_their_ends_and_left_alone() {
    let server = Server::start().await;
    let user = server.user("a");
    for (name, size) in [("empty", 0), ("inline", 5_000), ("stored", 50_000), ("larger", 3_000_000)] {
        user.file(name, "root", noise(size)).await;
    }
    let steps = run(&server, "scrub-blobs").await;
    assert_eq!((sum(&steps, "readBytes"), sum(&steps, "changed")), (3_055_000, 0));
    assert!(findings(&steps).is_empty());
    assert_eq!(steps.last().unwrap()["percent"], 100);
}

#[actix_web::test]
async fn a_damaged_content_is_told_with_its_files_and_marked_until_it_is_good_again() {
    let server = Server::start().await;
    let user = server.user("a");
    let good = user.file("good", "root", noise(40_000)).await;
    let id = user.file("bad", "root", noise(50_000)).await;
    let path = server.stored().into_iter().find(|path| fs::metadata(path).unwrap().len() == 50_000).unwrap();
    let bytes = noise(50_000);
    let cases: [(&str, &dyn Fn()); 4] = [
        ("its bytes have changed", &|| change_byte(&path, 30_000, !bytes[30_000])),
        ("it has 49999 bytes instead of 50000", &|| fs::write(&path, &bytes[1..]).unwrap()),
        ("it has 50001 bytes instead of 50000", &|| fs::write(&path, [&bytes[..], b"x"].concat()).unwrap()),
        ("it is missing", &|| fs::remove_file(&path).unwrap()),
    ];
    for (problem, damage) in cases {
        damage();
        let steps = run(&server, "scrub-blobs").await;
        let [blob] = &damaged(&server).await[..] else { panic!("one is damaged") };
        let finding =
            json!({ "kind": "damagedBlob", "blob": blob.info.key, "problem": problem, "files": [id] });
        assert_eq!(findings(&steps), [finding]);
        assert_eq!(sum(&steps, "changed"), 1);
        // told each time, marked once
        let again = run(&server, "scrub-blobs").await;
        assert_eq!((findings(&again).len(), sum(&again, "changed")), (1, 0));
        assert_eq!(user.get(&content(&good)).await.bytes, noise(40_000));
        fs::write(&path, &bytes).unwrap();
        let steps = run(&server, "scrub-blobs").await;
        assert_eq!((findings(&steps).len(), sum(&steps, "changed")), (0, 1), "it is good again");
        assert!(damaged(&server).await.is_empty());
        assert_eq!(user.get(&content(&id)).await.bytes, bytes);
    }
}

#[actix_web::test]
async fn a_large_content_is_read_in_parts() {
    let server = Server::start().await;
    let user = server.user("a");
    let size = 150 * 1024 * 1024;
    let id = user.file("large", "root", noise(size)).await;
    user.file("small", "root", noise(50_000)).await;
    let steps = run(&server, "scrub-blobs").await;
    assert!(steps.len() >= 3, "64 MiB in a step at most");
    assert_eq!((sum(&steps, "readBytes"), findings(&steps).len()), (size as u64 + 50_000, 0));
    // damage in each part is seen, wherever the steps end
    let path =
        server.stored().into_iter().find(|path| fs::metadata(path).unwrap().len() == size as u64).unwrap();
    for at in [5, 70 * 1024 * 1024, size as u64 - 1] {
        let byte = noise(size)[usize::try_from(at).unwrap()];
        change_byte(&path, at, !byte);
        let found = findings(&run(&server, "scrub-blobs").await);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0]["problem"], &found[0]["files"]),
            (&json!("its bytes have changed"), &json!([id]))
        );
        change_byte(&path, at, byte);
    }
    assert!(findings(&run(&server, "scrub-blobs").await).is_empty());
}

#[actix_web::test]
async fn a_lost_disk_damages_nothing() {
    let server = Server::start().await;
    file_service::claim_blobs(&*server.store, &*server.blobs).await.unwrap();
    let user = server.user("a");
    user.file("a", "root", noise(50_000)).await;
    let root = server.dir.path().join("blobs");
    fs::rename(root.join("store-id"), server.dir.path().join("aside")).unwrap();
    for path in server.stored() {
        fs::remove_file(path).unwrap();
    }
    let scrub = server.internal(Method::POST, "/internal/maintenance/scrub-blobs").json(&json!({}));
    answer(scrub).await.expect_problem(503, "unavailable");
    assert!(damaged(&server).await.is_empty());
}

#[actix_web::test]
async fn what_waits_for_its_collection_is_not_read() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a", "root", noise(50_000)).await;
    user.delete(&format!("/api/v1/files/{id}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    let purge = server.internal(Method::POST, "/internal/files/purge").json(&json!({ "node": id }));
    answer(purge).await.expect(StatusCode::OK);
    for path in server.stored() {
        fs::remove_file(path).unwrap();
    }
    let steps = run(&server, "scrub-blobs").await;
    assert_eq!((findings(&steps).len(), sum(&steps, "readBytes")), (0, 0));
}

#[actix_web::test]
async fn a_recount_of_what_is_right_changes_nothing() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let id = user.file("a", &folder, noise(50_000)).await;
    user.upload(&content(&id), "new").await.expect(StatusCode::OK);
    let usage = server.usage_of(&user).await;
    let steps = run(&server, "recount-usage").await;
    assert_eq!((sum(&steps, "changed"), findings(&steps).len()), (0, 0));
    assert!(steps.len() >= 3, "folders, spaces, blobs");
    assert_eq!(server.usage_of(&user).await, usage);
    for task in ["scrub-blobs", "recount-usage"] {
        let wrong = server.internal(Method::POST, &format!("/internal/maintenance/{task}"));
        answer(wrong.json(&json!({ "cursor": "x" }))).await.expect_problem(400, "invalid_cursor");
    }
}
