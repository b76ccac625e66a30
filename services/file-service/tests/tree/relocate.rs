//! Renaming and moving.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::Server;

#[actix_web::test]
async fn c089_a_move_keeps_id_and_times() {
    let server = Server::start().await;
    let user = server.user("a");
    let (from, to) = (user.folder("from", "root").await, user.folder("to", "root").await);
    let file = user.file("a.txt", &from, "content").await;
    let tree = user.folder("tree", &from).await;
    let leaf = user.file("leaf.txt", &tree, "leaf").await;
    let before = user.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    let leaf_before = user.get(&format!("/api/v1/files/{leaf}")).await.expect(StatusCode::OK);
    server.clock.advance(Duration::from_secs(60));
    for id in [&file, &tree] {
        let moved = user
            .patch(&format!("/api/v1/files/{id}"), json!({ "parentId": to }))
            .await
            .expect(StatusCode::OK);
        assert_eq!((&moved["id"], &moved["parentId"]), (&json!(id), &json!(to)));
    }
    let after = user.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    for member in ["id", "createdAt", "contentModifiedAt", "sha256", "version", "name", "size"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(user.get(&format!("/api/v1/files/{leaf}")).await.expect(StatusCode::OK), leaf_before);
    assert_eq!(user.names(&from).await, [""; 0]);
    assert_eq!(user.names(&to).await, ["tree", "a.txt"]);
    let root = user.get(&format!("/api/v1/files/{to}")).await.expect(StatusCode::OK);
    assert_eq!(root["childCount"], 2);
}

#[actix_web::test]
async fn name_and_place_change_at_once() {
    let server = Server::start().await;
    let user = server.user("a");
    let to = user.folder("to", "root").await;
    user.folder("a", &to).await;
    let id = user.folder("a", "root").await;
    let path = format!("/api/v1/files/{id}");
    user.patch(&path, json!({ "parentId": to })).await.expect_problem(409, "name_taken");
    let moved = user.patch(&path, json!({ "parentId": to, "name": "b" })).await.expect(StatusCode::OK);
    assert_eq!((&moved["name"], &moved["parentId"]), (&json!("b"), &json!(to)));
    let back = user.patch(&path, json!({ "parentId": "root" })).await.expect(StatusCode::OK);
    assert_eq!(back["name"], "b");
}

#[actix_web::test]
async fn what_changes_nothing_succeeds() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.folder("a", "root").await;
    let path = format!("/api/v1/files/{id}");
    let before = user.get(&path).await.expect(StatusCode::OK);
    server.clock.advance(Duration::from_secs(60));
    for body in [json!({}), json!({"name": "a"}), json!({"parentId": "root"}), json!({"name": null})] {
        assert_eq!(user.patch(&path, body.clone()).await.expect(StatusCode::OK), before, "{body}");
    }
}

#[actix_web::test]
async fn what_cannot_be_is_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    let a = user.folder("a", "root").await;
    let b = user.folder("b", &a).await;
    let file = user.file("f.txt", "root", "x").await;
    let gone = user.folder("gone", "root").await;
    user.delete(&format!("/api/v1/files/{gone}")).await.expect(StatusCode::NO_CONTENT);
    let foreign = server.user("b").folder("foreign", "root").await;
    let path = format!("/api/v1/files/{a}");
    for (body, status, code) in [
        (json!({"parentId": a}), 409, "would_make_cycle"),
        (json!({"parentId": b}), 409, "would_make_cycle"),
        (json!({"parentId": file}), 409, "parent_not_folder"),
        (json!({"parentId": gone}), 404, "parent_not_found"),
        (json!({"parentId": foreign}), 404, "parent_not_found"),
        (json!({"parentId": "5f1e8896c7ba06511e683b25"}), 404, "parent_not_found"),
        (json!({"parentId": "x"}), 404, "parent_not_found"),
        (json!({"name": "f.txt"}), 409, "name_taken"),
        (json!({"name": ""}), 400, "invalid_name"),
        (json!({"name": "a/b"}), 400, "invalid_name"),
        (json!({"name": 1}), 400, "invalid_request"),
        (json!({"starred": 1}), 400, "invalid_request"),
        (json!({"stared": true}), 400, "invalid_request"),
    ] {
        let problem = user.patch(&path, body.clone()).await.expect_problem(status, code);
        if code == "name_taken" {
            assert_eq!(problem["existingId"], file);
        }
    }
    for body in [json!({"name": "x"}), json!({"parentId": a}), json!({})] {
        user.patch("/api/v1/files/root", body).await.expect_problem(409, "root_is_fixed");
    }
    user.patch(&format!("/api/v1/files/{gone}"), json!({"name": "x"})).await.expect_problem(404, "not_found");
    assert_eq!(user.names("root").await, ["a", "f.txt"]);
    assert_eq!(user.names(&a).await, ["b"]);
}

#[actix_web::test]
async fn c079_a_folder_cannot_move_below_itself_even_by_two_moves_at_once() {
    let server = Server::start().await;
    let user = server.user("a");
    for _ in 0..20 {
        let (a, b) = (user.folder("a", "root").await, user.folder("b", "root").await);
        let (a_path, b_path) = (format!("/api/v1/files/{a}"), format!("/api/v1/files/{b}"));
        let (first, second) = tokio::join!(
            user.patch(&a_path, json!({ "parentId": b })),
            user.patch(&b_path, json!({ "parentId": a }))
        );
        let (winner, loser) = if first.status == StatusCode::OK { (first, second) } else { (second, first) };
        winner.expect(StatusCode::OK);
        loser.expect_problem(409, "would_make_cycle");
        let names = user.names("root").await;
        assert_eq!(names.len(), 1);
        let top = if names[0] == "a" { a } else { b };
        user.delete(&format!("/api/v1/files/{top}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    }
}

#[actix_web::test]
async fn a_rename_and_a_move_at_once_both_stand() {
    let server = Server::start().await;
    let user = server.user("a");
    let to = user.folder("to", "root").await;
    for n in 0..20 {
        let id = user.folder(&format!("old{n}"), "root").await;
        let path = format!("/api/v1/files/{id}");
        let (renamed, moved) = tokio::join!(
            user.patch(&path, json!({ "name": format!("new{n}") })),
            user.patch(&path, json!({ "parentId": to }))
        );
        renamed.expect(StatusCode::OK);
        moved.expect(StatusCode::OK);
        let node = user.get(&path).await.expect(StatusCode::OK);
        assert_eq!((&node["name"], &node["parentId"]), (&json!(format!("new{n}")), &json!(to)));
    }
}
