//! Contents whose bytes are not what they were.

use std::fs::{self, OpenOptions};

use common::files::{BlobStore as _, FileStore as _};
use reqwest::{Method, StatusCode};

use crate::helpers::{content, noise};
use crate::support::{Server, answer};

#[actix_web::test]
async fn c209_a_cut_or_missing_blob_is_an_error_before_the_first_byte() {
    let server = Server::start().await;
    let user = server.user("a");
    for size in [50_000, 2_000_000] {
        let id = user.file(&size.to_string(), "root", noise(size)).await;
        let [blob] = &server.stored()[..] else { panic!("one blob") };
        OpenOptions::new().write(true).open(blob).unwrap().set_len(size as u64 - 1).unwrap();
        user.get(&content(&id)).await.expect_problem(500, "internal");
        let last = format!("bytes={}-", size - 10);
        user.get_with(&content(&id), &[("range", &last)]).await.expect_problem(500, "internal");
        // what is still there is sent
        let first = user.get_with(&content(&id), &[("range", "bytes=0-9")]).await;
        assert_eq!((first.status, &first.bytes[..]), (StatusCode::PARTIAL_CONTENT, &noise(size)[..10]));
        fs::remove_file(blob).unwrap();
        user.get(&content(&id)).await.expect_problem(500, "internal");
        user.get_with(&content(&id), &[("range", "bytes=0-9")]).await.expect_problem(500, "internal");
        user.get_with(&content(&id), &[("range", "bytes=0-9,100-109")]).await.expect_problem(500, "internal");
        // the file itself can be looked at, and given new content
        assert_eq!(user.show(&id).await["size"], size);
        user.upload(&content(&id), "new").await.expect(StatusCode::OK);
        assert_eq!(user.get(&content(&id)).await.text(), "new");
    }
}

#[actix_web::test]
async fn a_blob_that_breaks_while_it_is_sent_breaks_the_answer() {
    let server = Server::start().await;
    let user = server.user("a");
    let size = 64 * 1024 * 1024;
    let id = user.file("large", "root", noise(size)).await;
    let mut response = user.request(Method::GET, &content(&id)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let first = response.chunk().await.unwrap().unwrap();
    assert_eq!(first, noise(size)[..first.len()]);
    let [blob] = &server.stored()[..] else { panic!("one blob") };
    OpenOptions::new().write(true).open(blob).unwrap().set_len(0).unwrap();
    let mut received = first.len();
    let error = loop {
        match response.chunk().await {
            Ok(Some(piece)) => received += piece.len(),
            Ok(None) => panic!("a clean end after {received} bytes"),
            Err(error) => break error,
        }
    };
    assert!(received < size, "{error}");
}

#[actix_web::test]
async fn c208_a_lost_disk_does_not_pass_for_a_new_one() {
    let server = Server::start().await;
    let (store, blobs) = (&*server.store, &*server.blobs);
    file_service::claim_blobs(store, blobs).await.unwrap();
    let user = server.user("a");
    user.file("a", "root", noise(50_000)).await;
    let root = server.dir.path().join("blobs");
    fs::rename(root.join("store-id"), server.dir.path().join("aside")).unwrap();
    assert!(blobs.owner().await.unwrap().is_none());
    assert!(file_service::claim_blobs(store, blobs).await.is_err());
    // nor does the sweep touch it
    server.clock.advance(std::time::Duration::from_secs(90 * 86_400));
    let sweep =
        server.internal(Method::POST, "/internal/maintenance/sweep-strays").json(&serde_json::json!({}));
    answer(sweep).await.expect_problem(503, "unavailable");
    assert_eq!(server.stored().len(), 1);
    fs::rename(server.dir.path().join("aside"), root.join("store-id")).unwrap();
    file_service::claim_blobs(store, blobs).await.unwrap();
    assert_eq!(blobs.owner().await.unwrap(), Some(store.store_id().await.unwrap()));
}
