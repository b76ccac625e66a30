//! Usage, limits, and the classic `/status` and `/stats`.

use std::sync::atomic::Ordering;

use common::files::FileStore as _;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Server, answer, until};

#[actix_web::test]
async fn usage_counts_what_there_is() {
    let server = Server::start().await;
    let user = server.user("a");
    let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(usage, json!({"usedBytes": 0, "quotaBytes": null, "fileCount": 0, "trashCount": 0}));
    let folder = user.folder("docs", "root").await;
    user.file("a.txt", &folder, "12345").await;
    let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(usage, json!({"usedBytes": 5, "quotaBytes": null, "fileCount": 2, "trashCount": 0}));
    user.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(usage, json!({"usedBytes": 5, "quotaBytes": null, "fileCount": 2, "trashCount": 1}));
    let other = server.user("b").get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(other["usedBytes"], 0);
}

#[actix_web::test]
async fn usage_by_type_counts_what_there_is() {
    let server = Server::start().await;
    let user = server.user("a");
    let of = async || user.get("/api/v1/usage/types").await.expect(StatusCode::OK);
    let nothing = json!({"count": 0, "bytes": 0});
    assert_eq!(of().await, json!({"types": [], "versions": nothing, "trash": nothing, "complete": true}));
    user.file("a.txt", "root", "12345").await;
    user.file("b.txt", "root", "123").await;
    let thrown = user.file("c.txt", "root", "1").await;
    user.delete(&format!("/api/v1/files/{thrown}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(
        of().await,
        json!({
            "types": [{"mimeType": "text/plain", "count": 2, "bytes": 8}],
            "versions": nothing, "trash": {"count": 1, "bytes": 1}, "complete": true,
        })
    );
    let other = server.user("b").get("/api/v1/usage/types").await.expect(StatusCode::OK);
    assert_eq!(other["types"], json!([]));
}

#[actix_web::test]
async fn limits_say_what_an_upload_may_bring() {
    let server = Server::start().await;
    let limits = server.user("a").get("/api/v1/limits").await.expect(StatusCode::OK);
    assert_eq!(
        limits,
        json!({"maxUploadBytes": null, "freeBytes": null, "maxNameBytes": 255, "maxDepth": 128, "keepUploadsSeconds": 604_800})
    );

    let server = Server::with(|settings| {
        settings.default_quota_bytes = Some(100);
        settings.max_upload_bytes = Some(50);
    })
    .await;
    let user = server.user("a");
    user.file("a.txt", "root", "12345").await;
    let limits = user.get("/api/v1/limits").await.expect(StatusCode::OK);
    assert_eq!((&limits["maxUploadBytes"], &limits["freeBytes"]), (&json!(50), &json!(95)));
    assert_eq!(user.get("/api/v1/usage").await.expect(StatusCode::OK)["quotaBytes"], 100);
    // a limit below what is there already
    let space = server
        .store
        .ensure_space(
            user.id,
            (common::SpaceId::from_bytes([1; 12]), common::FileId::from_bytes([1; 12])),
            None,
            common::Clock::now(&*server.clock),
        )
        .await
        .unwrap();
    server.store.set_quota(space.id, Some(3)).await.unwrap();
    assert_eq!(user.get("/api/v1/limits").await.expect(StatusCode::OK)["freeBytes"], 0);
}

#[actix_web::test]
async fn status_says_what_answers_and_is_200_all_the_same() {
    let server = Server::start().await;
    let becomes = async |expected: serde_json::Value| {
        // an answer is given again for half a second
        until("the status changes", async || {
            answer(server.request(Method::GET, "/status")).await.expect(StatusCode::OK) == expected
        })
        .await;
    };
    becomes(json!({"redis": true, "db": true})).await;
    server.cache_outage.store(true, Ordering::SeqCst);
    becomes(json!({"redis": false, "db": true})).await;
    server.cache_outage.store(false, Ordering::SeqCst);
    server.store.close();
    becomes(json!({"redis": true, "db": false})).await;
}

#[actix_web::test]
async fn stats_count_everything_exactly() {
    let server = Server::start().await;
    let stats = async || answer(server.request(Method::GET, "/stats")).await;
    assert_eq!(stats().await.expect(StatusCode::OK), json!({"users": 0, "files": 0}));
    server.accounts.store(4, Ordering::SeqCst);
    let user = server.user("a");
    // roots are no files
    user.get("/api/v1/files/root").await.expect(StatusCode::OK);
    let folder = user.folder("docs", "root").await;
    user.file("a.txt", &folder, "x").await;
    server
        .user("b")
        .post("/files", json!({"name": "i.png", "type": "image", "data": "iVBORw0KGgo="}))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(stats().await.expect(StatusCode::OK), json!({"users": 4, "files": 3}));
    // a dead dependency makes no wrong number
    server.auth_outage.store(true, Ordering::SeqCst);
    let dead = stats().await;
    dead.expect_classic(503, "Service unavailable");
    assert_eq!(dead.header("retry-after"), Some("2"));
}
