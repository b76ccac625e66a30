//! What is left of an account that is gone, as worker-service has it removed.

use std::time::Duration;

use common::files::{FileStore as _, LinkStore as _, ShareStore as _, SharesOf, UploadStore as _, Uploader};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, answer, id_of, user_id};

const DAY: Duration = Duration::from_secs(86_400);

async fn step(server: &Server, name: &str) -> Value {
    let request = server.internal(Method::POST, "/internal/users/end");
    answer(request.json(&json!({ "user": user_id(name) }))).await.expect(StatusCode::OK)
}

/// All steps; how many.
async fn end(server: &Server, name: &str) -> u32 {
    for steps in 1..100 {
        if step(server, name).await["done"] == true {
            return steps;
        }
    }
    panic!("it does not come to its end");
}

async fn maintain(server: &Server, task: &str) {
    for _ in 0..100 {
        let request = server.internal(Method::POST, &format!("/internal/maintenance/{task}"));
        if answer(request.json(&json!({}))).await.expect(StatusCode::OK)["done"] == true {
            return;
        }
    }
    panic!("{task} does not come to its end");
}

async fn share(from: &Client<'_>, node: &str, to: &str, role: &str) -> String {
    let body = json!({ "userId": user_id(to), "role": role });
    id_of(&from.post(&format!("/api/v1/files/{node}/shares"), body).await.expect(StatusCode::CREATED))
}

async fn link(from: &Client<'_>, node: &str) -> String {
    let body = json!({ "role": "viewer" });
    id_of(&from.post(&format!("/api/v1/files/{node}/links"), body).await.expect(StatusCode::CREATED))
}

async fn upload(from: &Client<'_>) {
    let metadata = "filename YmlnLmJpbg=="; // big.bin
    let request = from.request(Method::POST, "/api/v1/uploads");
    let made = request.header("tus-resumable", "1.0.0").header("upload-length", "1000");
    answer(made.header("upload-metadata", metadata)).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn nothing_of_an_account_is_left_and_all_of_others_is() {
    let server = Server::start().await;
    let (gone, other) = (server.user("a"), server.user("b"));
    let mine = gone.folder("mine", "root").await;
    for number in 0..450 {
        gone.file(&format!("{number}.txt"), &mine, "bytes").await;
    }
    let large = gone.file("large.bin", &mine, vec![7_u8; 100_000]).await;
    let trashed = gone.file("trashed", "root", "x").await;
    gone.delete(&format!("/api/v1/files/{trashed}")).await.expect(StatusCode::NO_CONTENT);
    share(&gone, &mine, "b", "viewer").await;
    link(&gone, &mine).await;
    upload(&gone).await;
    let theirs = other.folder("theirs", "root").await;
    let kept = other.file("kept", &theirs, "bytes").await;
    share(&other, &theirs, "a", "manager").await;
    let given = share(&gone, &theirs, "c", "viewer").await;
    let made = link(&gone, &theirs).await;
    let (others_share, others_link) =
        (share(&other, &theirs, "viewer", "viewer").await, link(&other, &theirs).await);
    assert_eq!(server.blob_files(), 1);

    assert!(end(&server, "a").await > 2, "it goes in steps");
    assert_eq!(end(&server, "a").await, 1, "and can be repeated");
    gone.get("/api/v1/files/root").await.expect_problem(404, "not_found");
    gone.get(&format!("/api/v1/files/{large}")).await.expect_problem(404, "not_found");
    assert!(server.store.list_uploads(Uploader::User(user_id("a")), None, 10).await.unwrap().is_empty());
    let received = SharesOf::Receiver(user_id("a"), Vec::new());
    assert_eq!(server.store.count_shares(&received).await.unwrap(), 0);
    for (share, is_left) in [(given, false), (others_share, true)] {
        assert_eq!(server.store.find_share(share.parse().unwrap()).await.unwrap().is_some(), is_left);
    }
    for (link, is_left) in [(made, false), (others_link, true)] {
        assert_eq!(server.store.find_link(link.parse().unwrap()).await.unwrap().is_some(), is_left);
    }
    assert_eq!(other.get(&format!("/api/v1/files/{kept}/content")).await.text(), "bytes");
    assert_eq!(server.store.count_nodes().await.unwrap(), 2);

    // what was on its way finds nothing to write to, until the tombstone goes with the space
    let late = gone.request(Method::PUT, "/api/v1/files/root/children/late.txt/content").body("late");
    answer(late).await.expect_problem(404, "parent_not_found");
    server.clock.advance(2 * DAY);
    for task in ["purge-tombstones", "collect-blobs"] {
        maintain(&server, task).await;
    }
    assert_eq!(server.blob_files(), 0, "its contents are gone");
    assert!(server.store.list_tombstones(server.now(), 10).await.unwrap().is_empty());
    assert_eq!(end(&server, "a").await, 1);
}

#[actix_web::test]
async fn an_account_that_had_nothing_leaves_nothing() {
    let server = Server::start().await;
    assert_eq!(end(&server, "a").await, 1);
    // a request that was on its way when the account went
    server.user("a").get("/api/v1/files/root").await.expect_problem(404, "not_found");
}
