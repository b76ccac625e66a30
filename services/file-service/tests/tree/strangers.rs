//! To somebody else a file is as an id that does not exist, on every verb; and without a credential there is 401 before anything else.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Server, answer};

const UNKNOWN: &str = "5f1e8896c7ba06511e683b25";

/// Every call about one node: method, path with `{}` for the id, body.
fn calls() -> Vec<(Method, &'static str, Option<Value>)> {
    vec![
        (Method::GET, "/api/v1/files/{}", None),
        (Method::PATCH, "/api/v1/files/{}", Some(json!({"name": "mine"}))),
        (Method::PATCH, "/api/v1/files/{}", Some(json!({"parentId": "root"}))),
        (Method::PATCH, "/api/v1/files/{}", Some(json!({"nonsense": 1}))),
        (Method::DELETE, "/api/v1/files/{}", None),
        (Method::DELETE, "/api/v1/files/{}?permanent=true", None),
        (Method::GET, "/api/v1/files/{}/children", None),
        (Method::GET, "/api/v1/files/{}/path", None),
        (Method::POST, "/api/v1/files/{}/restore", None),
        (Method::PUT, "/api/v1/files/{}/public", None),
        (Method::DELETE, "/api/v1/files/{}/public", None),
        (Method::GET, "/api/v1/files/{}/content", None),
        (Method::HEAD, "/api/v1/files/{}/content", None),
        (Method::PUT, "/api/v1/files/{}/content", Some(json!("new content"))),
        (Method::PUT, "/api/v1/files/{}/children/x/content", Some(json!("new file"))),
        (Method::GET, "/api/v1/files/{}/thumbnails/100", None),
        (Method::GET, "/files/{}", None),
        (Method::DELETE, "/files/{}", None),
        (Method::PUT, "/files/{}/publish", None),
        (Method::PUT, "/files/{}/unpublish", None),
        (Method::GET, "/files/{}/data", None),
        (Method::GET, "/files/{}/data?size=100", None),
    ]
}

/// The answer without what differs between any two requests.
fn shape(answer: &Answer) -> (StatusCode, Value) {
    let mut body: Value = serde_json::from_slice(&answer.bytes).unwrap_or(Value::Null);
    if let Some(body) = body.as_object_mut() {
        body.remove("requestId");
    }
    (answer.status, body)
}

#[actix_web::test]
async fn somebody_elses_file_is_as_one_that_does_not_exist() {
    let server = Server::start().await;
    let (owner, stranger) = (server.user("a"), server.user("b"));
    let folder = owner.folder("secret", "root").await;
    let file = owner.file("secret.txt", &folder, "secret").await;
    let trashed = owner.folder("trashed", "root").await;
    owner.delete(&format!("/api/v1/files/{trashed}")).await.expect(StatusCode::NO_CONTENT);
    let root =
        owner.get("/api/v1/files/root").await.expect(StatusCode::OK)["id"].as_str().unwrap().to_owned();
    for (method, path, body) in calls() {
        let send = async |id: &str| {
            let request = stranger.request(method.clone(), &path.replace("{}", id));
            answer(match &body {
                Some(body) => request.json(body),
                None => request,
            })
            .await
        };
        let unknown = shape(&send(UNKNOWN).await);
        assert_eq!(unknown.0, StatusCode::NOT_FOUND, "{method} {path}");
        for id in [&folder, &file, &trashed, &root] {
            assert_eq!(shape(&send(id).await), unknown, "{method} {path}");
        }
        for malformed in
            ["x", "0", "5f1e8896c7ba06511e683b2", "%00", "..%2f..", "5f1e8896c7ba06511e683b25%20"]
        {
            assert_eq!(shape(&send(malformed).await), unknown, "{method} {path} {malformed}");
        }
    }
    // nothing has changed
    assert_eq!(owner.names("root").await, ["secret"]);
    assert_eq!(owner.names(&folder).await, ["secret.txt"]);
    let shown = owner.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!((&shown["isPublic"], &shown["trashedAt"]), (&json!(false), &json!(null)));
    // and nothing goes into somebody else's folder
    let body = json!({"name": "x", "parentId": folder});
    stranger.post("/api/v1/files", body).await.expect_problem(404, "parent_not_found");
    let body = json!({"name": "x", "type": "folder", "parentId": folder});
    stranger.post("/files", body).await.expect_classic(400, "Parent not found");
    let list = stranger.get(&format!("/files?parentId={folder}")).await.expect(StatusCode::OK);
    assert_eq!(list, json!([]));
}

#[actix_web::test]
async fn a_public_file_opens_its_content_and_nothing_else() {
    let server = Server::start().await;
    let (owner, stranger) = (server.user("a"), server.user("b"));
    let folder = owner.folder("open", "root").await;
    let inside = owner.file("inside.txt", &folder, "inside").await;
    let file = owner.file("open.txt", "root", "open").await;
    for id in [&folder, &file] {
        owner.put(&format!("/api/v1/files/{id}/public")).await.expect(StatusCode::OK);
    }
    for (method, path, body) in calls() {
        if path.ends_with("/content")
            || path.ends_with("/data")
            || path.contains("thumbnails")
            || path.contains("size=")
        {
            continue;
        }
        for id in [&folder, &file, &inside] {
            let request = stranger.request(method.clone(), &path.replace("{}", id));
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            assert_eq!(answer(request).await.status, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
    let data = stranger.get(&format!("/files/{file}/data")).await;
    assert_eq!((data.status, data.text()), (StatusCode::OK, "open"));
    stranger.get(&format!("/files/{inside}/data")).await.expect_classic(404, "Not found");
}

#[actix_web::test]
async fn without_a_credential_there_is_401_before_anything_else() {
    let server = Server::start().await;
    let mut all = calls();
    all.extend([
        (Method::POST, "/api/v1/files", None),
        (Method::GET, "/api/v1/trash?limit=x", None),
        (Method::DELETE, "/api/v1/trash", None),
        (Method::GET, "/api/v1/usage", None),
        (Method::GET, "/api/v1/limits", None),
        (Method::POST, "/files", None),
        (Method::GET, "/files?parentId=x&page=y", None),
    ]);
    for (method, path, _) in all {
        if path.starts_with("/files/{}/data") {
            continue;
        }
        for id in [UNKNOWN, "malformed"] {
            let path = path.replace("{}", id);
            for token in [None, Some(""), Some("wrong")] {
                let mut request = server.request(method.clone(), &path).body("{ not json");
                if let Some(token) = token {
                    request = request.header("x-token", token);
                }
                let refused = answer(request).await;
                if method == Method::HEAD {
                    refused.expect(StatusCode::UNAUTHORIZED);
                } else if path.starts_with("/files") {
                    refused.expect_classic(401, "Unauthorized");
                } else {
                    refused.expect_problem(401, "unauthorized");
                }
                assert!(refused.header("www-authenticate").is_some());
            }
        }
    }
}

#[actix_web::test]
async fn where_nobody_can_say_who_asks_there_is_503() {
    let server = Server::start().await;
    server.auth_outage.store(true, std::sync::atomic::Ordering::SeqCst);
    let user = server.user("a");
    user.get("/api/v1/files/root").await.expect_problem(503, "unavailable");
    user.get("/files").await.expect_classic(503, "Service unavailable");
}
