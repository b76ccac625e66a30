//! Old contents.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, answer, user_id};

async fn put(user: &Client<'_>, id: &str, content: &'static str) -> Value {
    let request = user.request(Method::PUT, &format!("/api/v1/files/{id}/content")).body(content);
    answer(request).await.expect(StatusCode::OK)
}

async fn numbers(user: &Client<'_>, id: &str) -> Vec<u64> {
    let list = user.get(&format!("/api/v1/files/{id}/versions")).await.expect(StatusCode::OK);
    list["items"].as_array().unwrap().iter().map(|item| item["version"].as_u64().unwrap()).collect()
}

async fn used(user: &Client<'_>) -> u64 {
    user.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"].as_u64().unwrap()
}

#[actix_web::test]
async fn old_contents_are_listed_read_restored_and_deleted() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = user.file("page.html", "root", "<p>first</p>").await;
    server.clock.advance(Duration::from_secs(1));
    put(&user, &file, "second, which is longer").await;
    let base = format!("/api/v1/files/{file}/versions");
    let list = user.get(&base).await.expect(StatusCode::OK);
    let [second, first] = list["items"].as_array().unwrap().as_slice() else { panic!("two: {list}") };
    assert_eq!((&second["version"], &second["current"]), (&json!(2), &json!(true)));
    assert_eq!(
        (&first["version"], &first["current"], &first["size"]),
        (&json!(1), &json!(false), &json!(12))
    );
    assert_eq!((&first["mimeType"], &first["createdBy"]), (&json!("text/html"), &json!(user.id.to_string())));
    assert_eq!(
        (&first["createdAt"], &list["nextCursor"]),
        (&json!("2026-01-01T00:00:00.000Z"), &json!(null))
    );
    let page = user.get(&format!("{base}?limit=1")).await.expect(StatusCode::OK);
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = user.get(&format!("{base}?cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!(rest["items"], json!([first]));

    // as harmless as every content: ranges, conditions, and never shown as a page
    let path = format!("{base}/1/content");
    let whole = user.get(&path).await;
    assert_eq!((whole.status, whole.text()), (StatusCode::OK, "<p>first</p>"));
    assert_eq!(whole.header("etag"), first["etag"].as_str());
    assert!(whole.header("content-disposition").unwrap().starts_with("attachment"), "it is markup");
    assert!(whole.header("content-security-policy").unwrap().starts_with("sandbox"));
    let part = answer(user.request(Method::GET, &path).header("range", "bytes=3-7")).await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "first"));
    assert_eq!(part.header("content-range"), Some("bytes 3-7/12"));
    let tag = first["etag"].as_str().unwrap();
    let same = answer(user.request(Method::GET, &path).header("if-none-match", tag)).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let head = answer(user.request(Method::HEAD, &path)).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, Some("12")));
    let beyond = answer(user.request(Method::GET, &path).header("range", "bytes=12-")).await;
    beyond.expect_problem(416, "range_not_satisfiable");

    // the condition is on the file
    let stale = user.request(Method::POST, &format!("{base}/1/restore")).header("if-match", "\"other\"");
    answer(stale).await.expect_problem(412, "precondition_failed");
    let restored = user.post(&format!("{base}/1/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((&restored["version"], &restored["sha256"]), (&json!(3), &first["sha256"]));
    assert_eq!(user.get(&format!("/api/v1/files/{file}/content")).await.text(), "<p>first</p>");
    assert_eq!((numbers(&user, &file).await, used(&user).await), (vec![3, 2, 1], 12 + 23 + 12));
    let again = user.post(&format!("{base}/3/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(again["version"], 3, "it is the content already");

    user.delete(&format!("{base}/1")).await.expect(StatusCode::NO_CONTENT);
    user.delete(&format!("{base}/1")).await.expect_problem(404, "not_found");
    user.delete(&format!("{base}/3")).await.expect_problem(409, "version_is_current");
    user.get(&path).await.expect_problem(404, "not_found");
    assert_eq!(user.get(&format!("{base}/3/content")).await.text(), "<p>first</p>", "they shared it");
    assert_eq!((numbers(&user, &file).await, used(&user).await), (vec![3, 2], 12 + 23));
    for number in ["0", "9", "-1", "x", "4294967296"] {
        user.get(&format!("{base}/{number}/content")).await.expect_problem(404, "not_found");
        user.post(&format!("{base}/{number}/restore"), json!({})).await.expect_problem(404, "not_found");
    }
    let folder = user.folder("f", "root").await;
    user.get(&format!("/api/v1/files/{folder}/versions")).await.expect_problem(409, "not_a_file");
    user.get(&format!("/api/v1/files/{folder}/versions/1/content")).await.expect_problem(409, "not_a_file");
    user.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    user.get(&base).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn old_contents_are_for_those_who_may_change_the_file() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "secret of old").await;
    put(&owner, &file, "harmless").await;
    let base = format!("/api/v1/files/{file}/versions");
    for (name, role) in [("viewer", "viewer"), ("editor", "editor")] {
        let share = json!({"role": role, "userId": user_id(name).to_string()});
        owner.post(&format!("/api/v1/files/{file}/shares"), share).await.expect(StatusCode::CREATED);
    }
    owner.put(&format!("/api/v1/files/{file}/public")).await.expect(StatusCode::OK);
    for (name, status, code) in [("viewer", 403, "forbidden"), ("stranger", 404, "not_found")] {
        let user = server.user(name);
        user.get(&base).await.expect_problem(status, code);
        user.get(&format!("{base}/1/content")).await.expect_problem(status, code);
        user.post(&format!("{base}/1/restore"), json!({})).await.expect_problem(status, code);
        user.delete(&format!("{base}/1")).await.expect_problem(status, code);
    }
    answer(server.request(Method::GET, &format!("{base}/1/content")))
        .await
        .expect_problem(401, "unauthorized");
    let editor = server.user("editor");
    assert_eq!(editor.get(&format!("{base}/1/content")).await.text(), "secret of old");
    let restored = editor.post(&format!("{base}/1/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((&restored["version"], &restored["role"]), (&json!(3), &json!("editor")));
}

#[actix_web::test]
async fn upkeep_gives_up_what_the_settings_do_not_keep() {
    let server = Server::with(|settings| {
        settings.keep_versions = 3;
        settings.keep_versions_for = Some(Duration::from_secs(3600));
    })
    .await;
    let user = server.user("a");
    let file = user.file("a.txt", "root", "1").await;
    for content in ["22", "333", "4444", "55555"] {
        server.clock.advance(Duration::from_secs(1800));
        put(&user, &file, content).await;
    }
    assert_eq!(numbers(&user, &file).await, [5, 4, 3, 2], "the oldest went when the last came");
    assert_eq!(used(&user).await, 5 + 4 + 3 + 2);
    server.clock.advance(Duration::from_secs(60));
    let step = server.internal(Method::POST, "/internal/maintenance/expire-versions").json(&json!({}));
    let step = answer(step).await.expect(StatusCode::OK);
    assert_eq!((&step["done"], &step["changed"]), (&json!(true), &json!(1)));
    // number 2 was replaced more than an hour ago, number 3 half an hour ago
    assert_eq!((numbers(&user, &file).await, used(&user).await), (vec![5, 4, 3], 5 + 4 + 3));
}

#[actix_web::test]
async fn a_restore_needs_room_beside_the_old_version() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(25)).await;
    let user = server.user("a");
    let file = user.file("a.txt", "root", "0123456789").await;
    put(&user, &file, "0123456789").await;
    let restore = format!("/api/v1/files/{file}/versions/1/restore");
    user.post(&restore, json!({})).await.expect_problem(507, "quota_exceeded");
    assert_eq!((numbers(&user, &file).await, used(&user).await), (vec![2, 1], 20));
}
