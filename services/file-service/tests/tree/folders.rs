//! Making folders.

use std::collections::HashSet;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Server, answer, id_of};

#[actix_web::test]
async fn a_folder_is_made_with_its_place() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = user.post("/api/v1/files", json!({"name": "docs"})).await;
    let folder = made.expect(StatusCode::CREATED);
    assert_eq!(made.header("location").unwrap(), format!("files/{}", id_of(&folder)));
    assert_eq!(made.header("etag").unwrap(), folder["etag"]);
    let root = user.get("/api/v1/files/root").await.expect(StatusCode::OK);
    assert_eq!(folder["parentId"], root["id"]);
    assert_eq!(root["childCount"], 1);
    let inner = user.folder("inner", folder["id"].as_str().unwrap()).await;
    assert_eq!(
        user.get(&format!("/api/v1/files/{inner}")).await.expect(StatusCode::OK)["parentId"],
        folder["id"]
    );
}

#[actix_web::test]
async fn a_taken_name_names_who_has_it() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("docs", "root").await;
    let taken = user.post("/api/v1/files", json!({"name": "docs"})).await.expect_problem(409, "name_taken");
    assert_eq!(taken["existingId"], id);
    // other text is another name, whatever its case
    user.folder("Docs", "root").await;
}

#[actix_web::test]
async fn what_cannot_be_a_parent_is_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = user.file("a.txt", "root", "x").await;
    let gone = user.folder("gone", "root").await;
    let inside = user.folder("inside", &gone).await;
    user.delete(&format!("/api/v1/files/{gone}")).await.expect(StatusCode::NO_CONTENT);
    let foreign = server.user("b").folder("foreign", "root").await;
    for parent in [&*gone, &inside, &foreign, "5f1e8896c7ba06511e683b25", "nonsense", "", "0"] {
        let body = json!({"name": "x", "parentId": parent});
        user.post("/api/v1/files", body).await.expect_problem(404, "parent_not_found");
        let body = json!({"path": "x/y", "parentId": parent});
        user.post("/api/v1/files", body).await.expect_problem(404, "parent_not_found");
    }
    for body in [json!({"name": "x", "parentId": file}), json!({"path": "x", "parentId": file})] {
        user.post("/api/v1/files", body).await.expect_problem(409, "parent_not_folder");
    }
    assert_eq!(user.names("root").await, ["a.txt"]);
}

#[actix_web::test]
async fn malformed_bodies_are_refused_with_their_place() {
    let server = Server::start().await;
    let user = server.user("a");
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({"name": "a", "path": "b"}), "/name"),
        (json!({"name": 5}), "/name"),
        (json!({"path": ["a"]}), "/path"),
        (json!({"name": "a", "parentId": 0}), "/parentId"),
        (json!({"name": "a", "type": "folder"}), "/type"),
    ] {
        let problem = user.post("/api/v1/files", body.clone()).await.expect_problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    let text = answer(
        user.request(Method::POST, "/api/v1/files").header("content-type", "application/json").body("{"),
    )
    .await;
    text.expect_problem(400, "invalid_json");
    let plain = answer(user.request(Method::POST, "/api/v1/files").body("{}")).await;
    plain.expect_problem(415, "unsupported_media_type");
    // whoever has no credential hears of that alone
    let stranger = answer(server.request(Method::POST, "/api/v1/files").body("{")).await;
    stranger.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn a_path_is_made_as_far_as_it_is_missing() {
    let server = Server::start().await;
    let user = server.user("a");
    let deep = user.post("/api/v1/files", json!({"path": "a/b/c"})).await;
    let c = deep.expect(StatusCode::CREATED);
    assert_eq!(c["name"], "c");
    assert_eq!(deep.header("location").unwrap(), format!("files/{}", id_of(&c)));
    let again = user.post("/api/v1/files", json!({"path": "a/b/c"})).await;
    assert_eq!(again.expect(StatusCode::OK), c);
    assert_eq!(again.header("location"), None);
    let d =
        user.post("/api/v1/files", json!({"path": "b/d", "parentId": user.folder("x", "root").await})).await;
    let way = user.get(&format!("/api/v1/files/{}/path", id_of(&d.expect(StatusCode::CREATED)))).await;
    let way = way.expect(StatusCode::OK);
    let names: Vec<_> =
        way["items"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["", "x", "b", "d"]);
    assert_eq!(user.names("root").await, ["a", "x"]);
}

#[actix_web::test]
async fn a_path_over_a_file_or_with_a_bad_step_is_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = user.file("f", "root", "x").await;
    user.post("/api/v1/files", json!({"path": "f/x"})).await.expect_problem(409, "parent_not_folder");
    let taken = user.post("/api/v1/files", json!({"path": "f"})).await.expect_problem(409, "name_taken");
    assert_eq!(taken["existingId"], file);
    for path in ["", "/", "a//b", "/a", "a/", "a/../b", ".", "a/b\\c", "a\u{0}"] {
        let problem =
            user.post("/api/v1/files", json!({ "path": path })).await.expect_problem(400, "invalid_name");
        assert_eq!(problem["errors"][0]["pointer"], "/path", "{path:?}");
    }
    assert_eq!(user.names("root").await, ["f"]);
}

#[actix_web::test]
async fn c052_one_path_made_by_many_at_once_is_one() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = futures_util::future::join_all((0..24).map(|n| {
        let user = user.clone();
        async move { user.post("/api/v1/files", json!({"path": format!("p/q/r{}", n % 3)})).await }
    }))
    .await;
    let mut ids = HashSet::new();
    let mut created = 0;
    for answer in &made {
        assert!(answer.status.is_success(), "{}", answer.text());
        created += u32::from(answer.status == StatusCode::CREATED);
        ids.insert(serde_json::from_slice::<serde_json::Value>(&answer.bytes).unwrap()["id"].to_string());
    }
    assert_eq!((ids.len(), created), (3, 3));
    assert_eq!(user.names("root").await, ["p"]);
    let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(usage["fileCount"], 5);
}

#[actix_web::test]
async fn c095_folders_are_nested_to_a_documented_depth() {
    let server = Server::start().await;
    let user = server.user("a");
    let limits = user.get("/api/v1/limits").await.expect(StatusCode::OK);
    let depth = usize::try_from(limits["maxDepth"].as_u64().unwrap()).unwrap();
    assert_eq!(depth, 128);
    let path = vec!["d"; depth].join("/");
    user.post("/api/v1/files", json!({ "path": format!("{path}/d") })).await.expect_problem(409, "too_deep");
    assert_eq!(user.names("root").await, [""; 0], "nothing of a path that is too deep is made");
    let deepest =
        id_of(&user.post("/api/v1/files", json!({ "path": path })).await.expect(StatusCode::CREATED));
    user.post("/api/v1/files", json!({"name": "d", "parentId": deepest}))
        .await
        .expect_problem(409, "too_deep");
    let way = user.get(&format!("/api/v1/files/{deepest}/path")).await.expect(StatusCode::OK);
    assert_eq!(way["items"].as_array().unwrap().len(), depth + 1);

    // nothing becomes too deep by a move either
    let tall = id_of(&user.post("/api/v1/files", json!({"path": "t/u/v"})).await.expect(StatusCode::CREATED));
    let top = user.get(&format!("/api/v1/files/{tall}/path")).await.expect(StatusCode::OK);
    let top = top["items"][1]["id"].as_str().unwrap().to_owned();
    let place = |level: usize| way["items"][level]["id"].clone();
    let moved = user.patch(&format!("/api/v1/files/{top}"), json!({"parentId": place(depth - 2)})).await;
    moved.expect_problem(409, "too_deep");
    let moved = user.patch(&format!("/api/v1/files/{top}"), json!({"parentId": place(depth - 3)})).await;
    moved.expect(StatusCode::OK);
    // the whole chain moves and goes as one
    let chain = place(1).as_str().unwrap().to_owned();
    user.patch(&format!("/api/v1/files/{chain}"), json!({"name": "chain"})).await.expect(StatusCode::OK);
    user.delete(&format!("/api/v1/files/{chain}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    user.get(&format!("/api/v1/files/{deepest}")).await.expect_problem(404, "not_found");
}
