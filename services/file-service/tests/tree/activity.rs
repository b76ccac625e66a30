//! What happened to files, over HTTP.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, address, answer, id_of, keys};

async fn activity(user: &Client<'_>, query: &str) -> Value {
    user.get(&format!("/api/v1/activity?{query}")).await.expect(StatusCode::OK)
}

fn types(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn the_history_of_a_file_tells_what_was_done_and_by_whom() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let root = user.get("/api/v1/files/root").await.expect(StatusCode::OK);
    let id = user.file("a.txt", "root", "x").await;
    let at = format!("/api/v1/files/{id}");
    answer(user.request(Method::PUT, &format!("{at}/content")).body("longer")).await.expect(StatusCode::OK);
    user.patch(&at, json!({"name": "b.txt"})).await.expect(StatusCode::OK);
    user.patch(&at, json!({"parentId": folder, "tags": ["x"]})).await.expect(StatusCode::OK);
    user.delete(&at).await.expect(StatusCode::NO_CONTENT);
    user.post(&format!("{at}/restore"), json!({})).await.expect(StatusCode::OK);

    let of_file = activity(&user, &format!("file={id}")).await;
    assert_eq!(keys(&of_file), ["items", "nextCursor"]);
    assert_eq!(types(&of_file), ["restored", "trashed", "tagged", "moved", "renamed", "updated", "created"]);
    let moved = &of_file["items"][3];
    assert_eq!(
        moved,
        &json!({
            "id": moved["id"], "type": "moved", "at": moved["at"], "fileId": id, "fileType": "file",
            "name": "b.txt", "parentId": folder, "oldName": "b.txt", "oldParentId": root["id"],
            "userId": user.id.to_string(), "linkId": null,
        })
    );
    let renamed = &of_file["items"][4];
    assert_eq!((&renamed["name"], &renamed["oldName"]), (&json!("b.txt"), &json!("a.txt")));

    // pages of two, of all that is the caller's
    let whole = activity(&user, "limit=1000").await;
    assert_eq!(whole["items"].as_array().unwrap().len(), 8);
    assert_eq!(types(&whole)[7], "created");
    let (mut paged, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = activity(&user, &query).await;
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("limit=2&cursor={cursor}");
        let other = format!("/api/v1/activity?file={id}&cursor={cursor}");
        user.get(&other).await.expect_problem(400, "invalid_cursor");
    }
    assert_eq!(json!(paged), whole["items"]);

    // what is gone for good stays in its owner's list
    user.delete(&format!("{at}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    user.get(&format!("/api/v1/activity?file={id}")).await.expect_problem(404, "not_found");
    assert_eq!(types(&activity(&user, "limit=1").await), ["deleted"]);
    // and ends with its time
    server.clock.advance(file_service::FileSettings::default().keep_activity + Duration::from_millis(1));
    let upkeep = server.internal(Method::POST, "/internal/maintenance/expire-versions").json(&json!({}));
    answer(upkeep).await.expect(StatusCode::OK);
    assert_eq!(types(&activity(&user, "limit=9").await), ["deleted"; 0]);
}

#[actix_web::test]
async fn others_see_the_history_of_what_they_may_see_and_no_more() {
    let server = Server::start().await;
    let (owner, viewer, editor) = (server.user("owner"), server.user("viewer"), server.user("editor"));
    let hidden = owner.folder("hidden", "root").await;
    let shared = owner.folder("shared", &hidden).await;
    let file = owner.file("a", &hidden, "x").await;
    let give = async |who: &str, role: &str| {
        let body = json!({"address": address(who), "role": role});
        owner.post(&format!("/api/v1/files/{shared}/shares"), body).await.expect(StatusCode::CREATED)
    };
    give("viewer", "viewer").await;
    give("editor", "editor").await;
    let of_file = format!("/api/v1/activity?file={file}");
    viewer.get(&of_file).await.expect_problem(404, "not_found");
    owner.patch(&format!("/api/v1/files/{file}"), json!({"parentId": shared})).await.expect(StatusCode::OK);
    editor.patch(&format!("/api/v1/files/{file}"), json!({"name": "b"})).await.expect(StatusCode::OK);
    let link = json!({"role": "viewer"});
    owner.post(&format!("/api/v1/files/{file}/links"), link).await.expect(StatusCode::CREATED);

    let seen = viewer.get(&of_file).await.expect(StatusCode::OK);
    assert_eq!(types(&seen), ["renamed", "moved", "created"]);
    let items = &seen["items"];
    assert_eq!(items[0]["userId"], editor.id.to_string());
    assert_eq!((&items[1]["parentId"], &items[1]["oldParentId"]), (&json!(shared), &Value::Null));
    assert_eq!(items[2]["parentId"], Value::Null);
    assert!(!seen.to_string().contains(&hidden) && !seen.to_string().contains("hidden"), "{seen}");
    let own = owner.get(&of_file).await.expect(StatusCode::OK);
    assert_eq!(types(&own), ["linked", "renamed", "moved", "created"]);
    assert_eq!(own["items"][3]["parentId"], json!(hidden));
    // the page is full although something is left out of it
    let page = viewer.get(&format!("{of_file}&limit=1")).await.expect(StatusCode::OK);
    assert_eq!(types(&page), ["renamed"]);
    assert!(page["nextCursor"].is_string());
    // what happens to others' files is no part of one's own list
    assert_eq!(types(&activity(&editor, "").await), ["created"; 0]);
    let dropped = json!({"role": "dropper"});
    let link =
        owner.post(&format!("/api/v1/files/{shared}/links"), dropped).await.expect(StatusCode::CREATED);
    let at = format!("/api/v1/public/{}/children/gift/content", link["token"].as_str().unwrap());
    answer(server.request(Method::PUT, &at).body("x")).await.expect(StatusCode::CREATED);
    let newest = &activity(&owner, "limit=1").await["items"][0];
    assert_eq!((&newest["type"], &newest["name"]), (&json!("created"), &json!("gift")));
    assert_eq!((&newest["linkId"], &newest["userId"]), (&json!(id_of(&link)), &json!(owner.id.to_string())));
    for wrong in ["limit=0", "cursor=x", "what=1"] {
        assert_eq!(
            owner.get(&format!("/api/v1/activity?{wrong}")).await.status,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
    owner.get("/api/v1/activity?file=nonsense").await.expect_problem(404, "not_found");
}
