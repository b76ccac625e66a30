use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Server, id_of, keys};

#[actix_web::test]
async fn everything_that_opens_ones_files_is_in_one_place() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let (folder, file) = (owner.folder("f", "root").await, owner.file("a.txt", "root", "a").await);
    let body = json!({"userId": b.id, "role": "manager"});
    let share =
        id_of(&owner.post(&format!("/api/v1/files/{folder}/shares"), body).await.expect(StatusCode::CREATED));
    let body = json!({"label": "x", "password": "p"});
    // made by somebody else, on the owner's file
    let link =
        id_of(&b.post(&format!("/api/v1/files/{folder}/links"), body).await.expect(StatusCode::CREATED));
    owner.put(&format!("/api/v1/files/{file}/public")).await.expect(StatusCode::OK);
    let list = owner.get("/api/v1/access").await.expect(StatusCode::OK);
    let items = list["items"].as_array().unwrap();
    let kinds: Vec<_> =
        items.iter().map(|item| (item["kind"].as_str().unwrap(), item["id"].as_str().unwrap())).collect();
    assert_eq!(kinds, [("share", &*share), ("link", &*link), ("public", &*file)]);
    assert_eq!(
        keys(&items[0]),
        [
            "createdAt",
            "expiresAt",
            "file",
            "grantee",
            "hasPassword",
            "id",
            "kind",
            "label",
            "lastUsedAt",
            "madeBy",
            "role",
        ]
    );
    assert_eq!(items[0]["grantee"]["address"], "b@example.org");
    assert_eq!(items[0]["file"], json!({"id": folder, "name": "f", "type": "folder", "inTrash": false}));
    assert_eq!((&items[1]["label"], &items[1]["hasPassword"]), (&json!("x"), &json!(true)));
    assert_eq!(items[1]["madeBy"]["id"], json!(b.id));
    assert_eq!(list["total"], 3);
    // in pages
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("/api/v1/access?limit=1{cursor}")).await.expect(StatusCode::OK);
        assert_eq!(page["total"], 3);
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(&paged, items);
    // they open nothing of the other's
    assert_eq!(b.get("/api/v1/access").await.expect(StatusCode::OK)["items"], json!([]));
    for (kind, id) in kinds {
        b.delete(&format!("/api/v1/access/{kind}/{id}")).await.expect_problem(404, "not_found");
    }
    // what is in the trash can be ended, too
    owner.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    let list = owner.get("/api/v1/access").await.expect(StatusCode::OK);
    assert_eq!(list["items"][0]["file"]["inTrash"], true);
    for (kind, id) in [("share", &share), ("link", &link), ("public", &file)] {
        let path = format!("/api/v1/access/{kind}/{id}");
        owner.delete(&path).await.expect(StatusCode::NO_CONTENT);
        owner.delete(&path).await.expect_problem(404, "not_found");
    }
    for path in
        ["/api/v1/access/session/x", "/api/v1/access/share/x", "/api/v1/access/link/5f1e8896c7ba06511e683b25"]
    {
        owner.delete(path).await.expect_problem(404, "not_found");
    }
    assert_eq!(owner.get("/api/v1/access").await.expect(StatusCode::OK)["items"], json!([]));
}

#[actix_web::test]
async fn what_is_deleted_opens_nothing() {
    let server = Server::start().await;
    let owner = server.user("a");
    let folder = owner.folder("f", "root").await;
    owner.post(&format!("/api/v1/files/{folder}/links"), json!({})).await.expect(StatusCode::CREATED);
    owner.delete(&format!("/api/v1/files/{folder}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(owner.get("/api/v1/access").await.expect(StatusCode::OK)["items"], json!([]));
}
