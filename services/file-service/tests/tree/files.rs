//! A file or folder itself.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Server, answer, id_of, keys};

#[actix_web::test]
async fn the_root_is_there_from_the_first_request() {
    let server = Server::start().await;
    let user = server.user("a");
    let root = user.get("/api/v1/files/root").await.expect(StatusCode::OK);
    assert_eq!(root["name"], "");
    assert_eq!(root["type"], "folder");
    assert_eq!(root["parentId"], json!(null));
    assert_eq!(root["ownerId"], user.id.to_string());
    assert_eq!(root["childCount"], 0);
    let again =
        user.get(&format!("/api/v1/files/{}", root["id"].as_str().unwrap())).await.expect(StatusCode::OK);
    assert_eq!(again, root);
    let other = server.user("b").get("/api/v1/files/root").await.expect(StatusCode::OK);
    assert_ne!(other["id"], root["id"]);
    assert_ne!(other["spaceId"], root["spaceId"]);
}

#[actix_web::test]
async fn many_first_requests_at_once_make_one_root() {
    let server = Server::start().await;
    let user = server.user("a");
    let answers = futures_util::future::join_all((0..16).map(|_| user.get("/api/v1/files/root"))).await;
    let ids: std::collections::HashSet<_> =
        answers.iter().map(|answer| answer.expect(StatusCode::OK)["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[actix_web::test]
async fn a_file_has_every_documented_member() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("notes.txt", "root", "Hello").await;
    let file = user.get(&format!("/api/v1/files/{id}")).await.expect(StatusCode::OK);
    assert_eq!(
        keys(&file),
        [
            "childCount",
            "contentModifiedAt",
            "createdAt",
            "etag",
            "id",
            "isPublic",
            "linked",
            "media",
            "mimeType",
            "modifiedAt",
            "name",
            "ownerId",
            "parentId",
            "role",
            "sha256",
            "shared",
            "size",
            "spaceId",
            "starred",
            "tags",
            "thumbnails",
            "trashedAt",
            "type",
            "version"
        ]
    );
    assert_eq!(file["name"], "notes.txt");
    assert_eq!(file["type"], "file");
    assert_eq!(file["size"], 5);
    assert_eq!(file["sha256"], "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969");
    assert_eq!(file["createdAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(file["version"], 1);
    assert_eq!(file["childCount"], json!(null));
    assert_eq!(file["role"], "manager");
    assert_eq!(file["isPublic"], false);
    assert_eq!(file["trashedAt"], json!(null));
    assert_eq!(file["thumbnails"], json!({"state": "none", "sizes": [], "reason": null}));
}

#[actix_web::test]
async fn a_folder_has_no_content() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("docs", "root").await;
    let folder = user.get(&format!("/api/v1/files/{id}")).await.expect(StatusCode::OK);
    for member in ["mimeType", "size", "sha256", "contentModifiedAt", "media", "trashedAt"] {
        assert_eq!(folder[member], json!(null), "{member}");
    }
    assert_eq!(folder["childCount"], 0);
}

#[actix_web::test]
async fn tags_tell_whether_anything_changed() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("docs", "root").await;
    let path = format!("/api/v1/files/{id}");
    let first = user.get(&path).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(first.expect(StatusCode::OK)["etag"], tag);
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));

    let same = answer(user.request(Method::GET, &path).header("if-none-match", &tag)).await;
    assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(same.header("etag"), Some(&*tag));

    // the number of its children is part of what is shown, so a new child must be seen
    user.folder("inner", &id).await;
    let changed = answer(user.request(Method::GET, &path).header("if-none-match", &tag)).await;
    assert_eq!(changed.expect(StatusCode::OK)["childCount"], 1);
    // yet a change of the folder itself does not mind it
    let renamed =
        answer(user.request(Method::PATCH, &path).header("if-match", &tag).json(&json!({"name": "papers"})))
            .await;
    assert_eq!(renamed.expect(StatusCode::OK)["name"], "papers");
    assert_ne!(renamed.header("etag"), Some(&*tag));
    for (method, body) in [(Method::PATCH, json!({"name": "x"})), (Method::DELETE, json!({}))] {
        let late = answer(user.request(method, &path).header("if-match", &tag).json(&body)).await;
        late.expect_problem(412, "precondition_failed");
    }
    let late =
        answer(user.request(Method::DELETE, &format!("{path}?permanent=true")).header("if-match", &tag))
            .await;
    late.expect_problem(412, "precondition_failed");
    assert_eq!(user.get(&path).await.expect(StatusCode::OK)["name"], "papers");
}

#[actix_web::test]
async fn the_way_to_a_node_starts_at_the_root() {
    let server = Server::start().await;
    let user = server.user("a");
    let a = user.folder("a", "root").await;
    let b = user.folder("b", &a).await;
    let path = user.get(&format!("/api/v1/files/{b}/path")).await.expect(StatusCode::OK);
    let names: Vec<_> =
        path["items"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["", "a", "b"]);
    assert_eq!(path["items"][1], json!({"id": a, "name": "a"}));
    let root = user.get("/api/v1/files/root/path").await.expect(StatusCode::OK);
    assert_eq!(root["items"].as_array().unwrap().len(), 1);
    // in the trash there is no way
    user.delete(&format!("/api/v1/files/{a}")).await.expect(StatusCode::NO_CONTENT);
    user.get(&format!("/api/v1/files/{b}/path")).await.expect_problem(404, "not_found");
    user.get(&format!("/api/v1/files/{a}/path")).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn opening_to_everybody_can_be_repeated_and_undone() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("docs", "root").await;
    let path = format!("/api/v1/files/{id}/public");
    let first = user.put(&path).await.expect(StatusCode::OK);
    assert_eq!(first["isPublic"], true);
    assert_eq!(user.put(&path).await.expect(StatusCode::OK), first);
    assert_eq!(user.delete(&path).await.expect(StatusCode::OK)["isPublic"], false);
    assert_eq!(user.delete(&path).await.expect(StatusCode::OK)["isPublic"], false);
    user.put("/api/v1/files/root/public").await.expect_problem(409, "root_is_fixed");
    user.delete(&format!("/api/v1/files/{id}")).await.expect(StatusCode::NO_CONTENT);
    user.put(&path).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn unknown_methods_and_paths_say_so() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("docs", "root").await;
    for (path, allowed) in [
        (format!("/api/v1/files/{id}"), "GET, PATCH, DELETE, OPTIONS"),
        (format!("/api/v1/files/{id}/children/x/content"), "PUT, OPTIONS"),
        ("/api/v1/trash".into(), "GET, DELETE, OPTIONS"),
        ("/api/v1/usage".into(), "GET, OPTIONS"),
    ] {
        let wrong = user.post(&path, json!({})).await;
        wrong.expect_problem(405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), Some(allowed), "{path}");
    }
    for path in ["/api/v1/nothing", "/api/v1/files/", "/api/v1/files/root/nothing", "/api/v1/trash/x"] {
        user.get(path).await.expect_problem(404, "not_found");
    }
}

#[actix_web::test]
async fn a_store_that_is_closed_is_an_error_and_never_an_empty_list() {
    // C094, the server's part
    let server = Server::start().await;
    let user = server.user("a");
    for n in 0..3 {
        user.folder(&format!("f{n}"), "root").await;
    }
    let first = user.get("/api/v1/files/root/children?limit=2").await.expect(StatusCode::OK);
    let cursor = first["nextCursor"].as_str().unwrap();
    server.store.close();
    let next = user.get(&format!("/api/v1/files/root/children?limit=2&cursor={cursor}")).await;
    next.expect_problem(503, "unavailable");
    assert_eq!(next.header("retry-after"), Some("2"));
    let classic = user.get("/files?page=0").await;
    classic.expect_classic(503, "Service unavailable");
}

#[actix_web::test]
async fn c188_new_files_say_where_they_are_behind_any_prefix() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = [
        ("/api/v1/files", user.post("/api/v1/files", json!({"name": "a"})).await),
        ("/api/v1/files", user.post("/api/v1/files", json!({"path": "b/c"})).await),
    ];
    let upload = "/api/v1/files/root/children/x%2520y/content";
    let uploaded = answer(user.request(Method::PUT, upload).body("x")).await;
    for (path, answer) in made.into_iter().chain([(upload, uploaded)]) {
        let id = id_of(&answer.expect(StatusCode::CREATED));
        for prefix in ["https://files.example", "https://example.org:8443/cloud"] {
            let called = reqwest::Url::parse(&format!("{prefix}{path}")).unwrap();
            let told = called.join(answer.header("location").unwrap()).unwrap();
            assert_eq!(told.as_str(), format!("{prefix}/api/v1/files/{id}"), "{path}");
        }
    }
}
