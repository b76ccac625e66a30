use common::auth::{OwnCredential, OwnCredentialKind, Scope, Scopes};
use common::{FileId, ObjectId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, answer, id_of, keys, user_id};

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
            "linkId",
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
    for path in [
        "/api/v1/access/session/x",
        "/api/v1/access/fly/x",
        "/api/v1/access/share/x",
        "/api/v1/access/link/5f1e8896c7ba06511e683b25",
    ] {
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

fn credential(server: &Server, kind: OwnCredentialKind, id: u8, folder: Option<FileId>) -> OwnCredential {
    let scopes = (kind == OwnCredentialKind::Token).then(|| Scopes::from_iter([Scope::FilesRead]));
    OwnCredential {
        kind,
        id: ObjectId::from_bytes([id; 12]),
        label: Some(format!("number {id}")),
        scopes,
        folder,
        created_at: server.now(),
        expires_at: None,
        last_used_at: Some(server.now()),
    }
}

/// Pages of one, put together.
async fn paged(user: &Client<'_>) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = user.get(&format!("/api/v1/access?limit=1{cursor}")).await.expect(StatusCode::OK);
        items.extend(page["items"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[actix_web::test]
async fn what_ones_programs_and_devices_open_is_in_the_list_too() {
    use OwnCredentialKind::{Identity, Session, Token};
    let server = Server::start().await;
    let owner = server.user("a");
    let folder = owner.folder("f", "root").await;
    let root = id_of(&owner.get("/api/v1/files/root").await.expect(StatusCode::OK));
    owner.post(&format!("/api/v1/files/{folder}/links"), json!({})).await.expect(StatusCode::CREATED);
    let limited = FileId::parse(&folder).unwrap();
    for (name, one) in [
        ("a", credential(&server, Token, 4, Some(limited))),
        ("a", credential(&server, Token, 2, None)),
        ("a", credential(&server, Session, 9, None)),
        ("a", credential(&server, Session, 1, None)),
        ("a", credential(&server, Identity, 5, None)),
        ("a", credential(&server, Identity, 3, None)),
        ("b", credential(&server, Token, 7, None)),
    ] {
        server.credentials.lock().unwrap().push((user_id(name), one));
    }
    let begun = owner
        .request(Method::POST, "/api/v1/uploads")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", "5")
        .header("upload-metadata", "filename YS50eHQ=");
    let begun = answer(begun).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text());
    let list = owner.get("/api/v1/access").await.expect(StatusCode::OK);
    assert_eq!(list["total"], 8);
    let items = list["items"].as_array().unwrap().clone();
    let facts: Vec<_> = items
        .iter()
        .map(|item| [&item["kind"], &item["label"], &item["role"], &item["file"]["id"]].map(Clone::clone))
        .collect();
    let expected = [
        json!(["link", "", "viewer", folder]),
        json!(["token", "number 4", "viewer", folder]),
        json!(["token", "number 2", "viewer", root]),
        json!(["session", "number 9", "manager", root]),
        json!(["session", "number 1", "manager", root]),
        json!(["identity", "number 5", "manager", root]),
        json!(["identity", "number 3", "manager", root]),
        json!(["upload", "a.txt", "editor", root]),
    ];
    assert_eq!(json!(facts), json!(expected));
    assert_eq!(items[1]["madeBy"]["id"], json!(owner.id));
    assert_eq!(items[1]["lastUsedAt"], items[1]["createdAt"]);
    assert_eq!(paged(&owner).await, items);

    // nobody else's
    let theirs = ObjectId::from_bytes([7; 12]);
    owner.delete(&format!("/api/v1/access/token/{theirs}")).await.expect_problem(404, "not_found");
    server
        .user("b")
        .delete(&format!("/api/v1/access/upload/{}", id_of(&items[7])))
        .await
        .expect_problem(404, "not_found");
    // while auth-service is away nobody can say
    let outage = |on| server.directory_outage.store(on, std::sync::atomic::Ordering::SeqCst);
    let token = format!("/api/v1/access/token/{}", id_of(&items[1]));
    outage(true);
    owner.get("/api/v1/access").await.expect_problem(503, "unavailable");
    owner.delete(&token).await.expect_problem(503, "unavailable");
    outage(false);
    let last =
        OwnCredential { label: Some("the last way in".to_owned()), ..credential(&server, Identity, 8, None) };
    server.credentials.lock().unwrap().push((user_id("b"), last));
    let last = format!("/api/v1/access/identity/{}", ObjectId::from_bytes([8; 12]));
    server.user("b").delete(&last).await.expect_problem(409, "last_way_in");
    for item in &items[1..] {
        let path = format!("/api/v1/access/{}/{}", item["kind"].as_str().unwrap(), id_of(item));
        owner.delete(&path).await.expect(StatusCode::NO_CONTENT);
        owner.delete(&path).await.expect_problem(404, "not_found");
    }
    assert_eq!(owner.get("/api/v1/access").await.expect(StatusCode::OK)["total"], 1);
}
