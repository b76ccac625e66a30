use common::GroupId;
use common::auth::GroupName;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, address, answer, id_of, keys, names_of, user_id};

async fn share(owner: &Client<'_>, file: &str, with: &str, role: &str) -> Answer {
    let body = json!({"address": address(with), "role": role});
    owner.post(&format!("/api/v1/files/{file}/shares"), body).await
}

#[actix_web::test]
async fn a_share_is_given_listed_changed_and_ended() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let folder = owner.folder("Photos", "root").await;
    let given = share(&owner, &folder, "b", "viewer").await.expect(StatusCode::CREATED);
    assert_eq!(keys(&given), ["createdAt", "fileId", "givenBy", "grantee", "id", "role"]);
    assert_eq!(
        given["grantee"],
        json!({"type": "user", "id": b.id, "address": "b@example.org", "name": null})
    );
    assert_eq!(given["givenBy"], json!({"id": owner.id, "address": "a@example.org"}));
    assert_eq!((&given["role"], &given["fileId"]), (&json!("viewer"), &json!(folder)));

    // given once more it is the same one, with the new role; by id it is the same person
    let again = owner
        .post(&format!("/api/v1/files/{folder}/shares"), json!({"userId": b.id, "role": "editor"}))
        .await
        .expect(StatusCode::OK);
    assert_eq!((&again["id"], &again["role"]), (&given["id"], &json!("editor")));
    let list = owner.get(&format!("/api/v1/files/{folder}/shares")).await.expect(StatusCode::OK);
    assert_eq!(list, json!({"items": [again]}));

    let id = id_of(&given);
    let with_me = b.get("/api/v1/shares/with-me").await.expect(StatusCode::OK);
    assert_eq!(with_me["total"], 1);
    let item = &with_me["items"][0];
    assert_eq!((&item["share"]["id"], &item["file"]["name"]), (&json!(id), &json!("Photos")));
    assert_eq!((&item["file"]["role"], &item["file"]["parentId"]), (&json!("editor"), &Value::Null));
    let by_me = owner.get("/api/v1/shares/by-me").await.expect(StatusCode::OK);
    assert_eq!((&by_me["items"][0]["share"]["id"], &by_me["total"]), (&json!(id), &json!(1)));
    assert_eq!(b.get("/api/v1/shares/by-me").await.expect(StatusCode::OK)["items"], json!([]));
    assert_eq!(owner.get("/api/v1/shares/with-me").await.expect(StatusCode::OK)["items"], json!([]));

    let changed = owner.patch(&format!("/api/v1/shares/{id}"), json!({"role": "manager"})).await;
    assert_eq!(changed.expect(StatusCode::OK)["role"], "manager");
    owner.delete(&format!("/api/v1/shares/{id}")).await.expect(StatusCode::NO_CONTENT);
    owner.delete(&format!("/api/v1/shares/{id}")).await.expect_problem(404, "not_found");
    // on the next request
    b.get(&format!("/api/v1/files/{folder}")).await.expect_problem(404, "not_found");
    assert_eq!(b.get("/api/v1/shares/with-me").await.expect(StatusCode::OK)["items"], json!([]));
}

#[actix_web::test]
async fn a_group_has_what_it_was_given_for_as_long_as_one_is_in_it() {
    let server = Server::start().await;
    let (owner, b, c) = (server.user("a"), server.user("b"), server.user("c"));
    let folder = owner.folder("Team", "root").await;
    let file = owner.file("plan.txt", &folder, "plan").await;
    let shares = format!("/api/v1/files/{folder}/shares");
    let name = GroupName { id: GroupId::from_bytes([7; 12]), name: "Team".to_owned() };
    let group = name.id.to_string();
    let give = async || owner.post(&shares, json!({"groupId": group, "role": "editor"})).await;
    give().await.expect_problem(422, "unknown_person");
    let members = |names: &[&str]| {
        let members = names.iter().map(|name| user_id(name)).collect();
        *server.group.lock().unwrap() = Some((name.clone(), members));
    };
    members(&["b"]);
    give().await.expect_problem(422, "unknown_person");
    members(&["a", "b"]);
    let given = give().await.expect(StatusCode::CREATED);
    assert_eq!(given["grantee"], json!({"type": "group", "id": group, "address": null, "name": "Team"}));

    let path = format!("/api/v1/files/{file}");
    assert_eq!(b.get(&path).await.expect(StatusCode::OK)["role"], "editor");
    c.get(&path).await.expect_problem(404, "not_found");
    let with = async |who: &Client<'_>| {
        who.get("/api/v1/shares/with-me").await.expect(StatusCode::OK)["total"].clone()
    };
    assert_eq!((with(&b).await, with(&c).await), (json!(1), json!(0)));
    members(&["a", "c"]);
    b.get(&path).await.expect_problem(404, "not_found");
    c.get(&path).await.expect(StatusCode::OK);
    assert_eq!((with(&b).await, with(&c).await), (json!(0), json!(1)));

    // who is in it cannot be asked: nobody is let in, and the owner does not notice
    server.directory_outage.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(c.get(&path).await.status, 503);
    owner.get(&path).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn what_cannot_be_shared_is_refused() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "a").await;
    let path = format!("/api/v1/files/{file}/shares");
    let give = async |body: Value| owner.post(&path, body).await;
    for unknown in [
        json!({"address": "nobody@example.org", "role": "viewer"}),
        json!({"address": "", "role": "viewer"}),
        json!({"userId": "5f1e8896c7ba06511e683b25", "role": "viewer"}),
        json!({"userId": "x", "role": "viewer"}),
        json!({"groupId": "x", "role": "viewer"}),
    ] {
        give(unknown).await.expect_problem(422, "unknown_person");
    }
    for wrong in [
        json!({"role": "viewer"}),
        json!({"address": "b@example.org"}),
        json!({"address": "b@example.org", "role": "owner"}),
        json!({"address": "b@example.org", "userId": "x", "role": "viewer"}),
        json!({"address": "b@example.org", "role": "viewer", "more": 1}),
    ] {
        give(wrong).await.expect_problem(400, "invalid_request");
    }
    // with oneself, and all that there is
    share(&owner, &file, "a", "viewer").await.expect_problem(422, "unprocessable");
    share(&owner, "root", "b", "viewer").await.expect_problem(422, "unprocessable");
    server.directory_outage.store(true, std::sync::atomic::Ordering::SeqCst);
    share(&owner, &file, "b", "viewer").await.expect_problem(503, "unavailable");
    // who was given a right is listed all the same, without a name
    server.directory_outage.store(false, std::sync::atomic::Ordering::SeqCst);
    share(&owner, &file, "b", "viewer").await.expect(StatusCode::CREATED);
    server.directory_outage.store(true, std::sync::atomic::Ordering::SeqCst);
    let list = owner.get(&path).await.expect(StatusCode::OK);
    assert_eq!(list["items"][0]["grantee"]["address"], Value::Null);
}

#[actix_web::test]
async fn addresses_cannot_be_tried_without_end() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "a").await;
    let by_id = async |name: &str| {
        let body = json!({ "userId": user_id(name), "role": "viewer" });
        owner.post(&format!("/api/v1/files/{file}/shares"), body).await
    };
    for _ in 0..30 {
        share(&owner, &file, "nobody", "viewer").await.expect_problem(422, "unknown_person");
        by_id("nobody").await.expect_problem(422, "unknown_person");
    }
    by_id("nobody").await.expect_problem(429, "rate_limited");
    let refused = share(&owner, &file, "nobody", "viewer").await;
    refused.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
}

#[actix_web::test]
async fn a_shared_file_shows_nothing_of_what_is_above_it() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let secret = owner.folder("secret plans", "root").await;
    let top = owner.folder("top", &secret).await;
    let inner = owner.folder("inner", &top).await;
    let file = owner.file("f.txt", &inner, "text").await;
    share(&owner, &top, "b", "viewer").await.expect(StatusCode::CREATED);
    let way = b.get(&format!("/api/v1/files/{file}/path")).await.expect(StatusCode::OK);
    assert_eq!(names_of(&way), ["top", "inner", "f.txt"]);
    let way = b.get(&format!("/api/v1/files/{top}/path")).await.expect(StatusCode::OK);
    assert_eq!(names_of(&way), ["top"]);
    let shown = b.get(&format!("/api/v1/files/{top}")).await.expect(StatusCode::OK);
    assert_eq!((&shown["parentId"], &shown["role"]), (&Value::Null, &json!("viewer")));
    let shown = b.get(&format!("/api/v1/files/{inner}")).await.expect(StatusCode::OK);
    assert_eq!((&shown["parentId"], &shown["role"]), (&json!(top), &json!("viewer")));
    let list = b.get(&format!("/api/v1/files/{inner}/children")).await.expect(StatusCode::OK);
    assert_eq!(list["items"][0]["role"], "viewer");
    // the classic API has the shared folder at the root
    let object = b.get(&format!("/files/{top}")).await.expect(StatusCode::OK);
    assert_eq!(object["parentId"], 0);
    let object = b.get(&format!("/files/{inner}")).await.expect(StatusCode::OK);
    assert_eq!(object["parentId"], json!(top));
    let list = b.get(&format!("/files?parentId={top}")).await.expect(StatusCode::OK);
    assert_eq!(list[0]["name"], "inner");
    // a second right further down widens what may be done there, and what is seen stays
    share(&owner, &inner, "b", "editor").await.expect(StatusCode::CREATED);
    let shown = b.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!(shown["role"], "editor");
    let way = b.get(&format!("/api/v1/files/{file}/path")).await.expect(StatusCode::OK);
    assert_eq!(names_of(&way), ["top", "inner", "f.txt"]);
}

#[actix_web::test]
async fn a_file_says_how_it_is_opened_and_its_tag_follows() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let file = owner.file("f.txt", "root", "text").await;
    let path = format!("/api/v1/files/{file}");
    let shown = async |who: &Client<'_>| {
        let answer = who.get(&path).await;
        let body = answer.expect(StatusCode::OK);
        assert_eq!(answer.header("etag"), body["etag"].as_str());
        (body["shared"].clone(), body["linked"].clone(), body["etag"].as_str().unwrap().to_owned())
    };
    let (shared, linked, plain) = shown(&owner).await;
    assert_eq!((shared, linked), (json!(false), json!(false)));
    let given = id_of(&share(&owner, &file, "b", "viewer").await.expect(StatusCode::CREATED));
    let (shared, _, with_share) = shown(&owner).await;
    assert_eq!(shared, true);
    assert_ne!(with_share, plain);
    let (_, _, of_viewer) = shown(&b).await;
    owner.patch(&format!("/api/v1/shares/{given}"), json!({"role": "editor"})).await.expect(StatusCode::OK);
    let (_, _, of_editor) = shown(&b).await;
    assert_ne!(of_viewer, of_editor);
    let made = owner.post(&format!("{path}/links"), json!({})).await.expect(StatusCode::CREATED);
    let (_, linked, _) = shown(&owner).await;
    assert_eq!(linked, true);
    owner.delete(&format!("/api/v1/links/{}", id_of(&made))).await.expect(StatusCode::NO_CONTENT);
    owner.delete(&format!("/api/v1/shares/{given}")).await.expect(StatusCode::NO_CONTENT);
    let (_, _, again) = shown(&owner).await;
    assert_eq!(again, plain);
    owner.put(&format!("{path}/public")).await.expect(StatusCode::OK);
    let (_, linked, _) = shown(&owner).await;
    assert_eq!(linked, true);
    // a condition on a change is one on the file, not on who else may see it
    let (_, _, seen) = shown(&owner).await;
    let renamed = owner.request(reqwest::Method::PATCH, &path).header("if-match", seen);
    answer(renamed.json(&json!({"name": "g.txt"}))).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn what_is_put_into_a_shared_folder_is_its_owners() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(1000)).await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, "b", "editor").await.expect(StatusCode::CREATED);
    let file = b.file("b.txt", &folder, vec![7; 600]).await;
    let used =
        async |who: &Client<'_>| who.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"].clone();
    assert_eq!((used(&owner).await, used(&b).await), (json!(600), json!(0)));
    let shown = owner.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!(shown["ownerId"], json!(owner.id));
    let full = b.request(reqwest::Method::PUT, &format!("/api/v1/files/{folder}/children/c.txt/content"));
    answer(full.body(vec![7; 600])).await.expect_problem(507, "quota_exceeded");
    // what is trashed by an editor stands in the owner's trash, and is closed to the editor
    b.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    b.get(&format!("/api/v1/files/{file}")).await.expect_problem(404, "not_found");
    // what they put there themselves they can take back, and so undo
    b.post(&format!("/api/v1/files/{file}/restore"), json!({})).await.expect(StatusCode::OK);
    b.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    let trash = owner.get("/api/v1/trash").await.expect(StatusCode::OK);
    assert_eq!(names_of(&trash), ["b.txt"]);
    assert_eq!(b.get("/api/v1/trash").await.expect(StatusCode::OK)["items"], json!([]));
    owner.post(&format!("/api/v1/files/{file}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(b.get(&format!("/api/v1/files/{file}/content")).await.bytes, vec![7; 600]);
}

#[actix_web::test]
async fn an_editor_moves_between_folders_of_which_both_are_open() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let (one, two) = (owner.folder("one", "root").await, owner.folder("two", "root").await);
    let file = owner.file("f.txt", &one, "text").await;
    share(&owner, &one, "b", "editor").await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/files/{file}");
    b.patch(&path, json!({"parentId": two})).await.expect_problem(404, "parent_not_found");
    share(&owner, &two, "b", "viewer").await.expect(StatusCode::CREATED);
    b.patch(&path, json!({"parentId": two})).await.expect_problem(403, "forbidden");
    share(&owner, &two, "b", "editor").await.expect(StatusCode::OK);
    let moved = b.patch(&path, json!({"parentId": two})).await.expect(StatusCode::OK);
    assert_eq!((&moved["parentId"], &moved["role"]), (&json!(two), &json!("editor")));
}

/// C181, C182: a right goes with the file, whatever happens to names and places.
#[actix_web::test]
async fn a_right_stays_with_its_file() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let folder = owner.folder("f", "root").await;
    let file = owner.file("a.md", &folder, "old").await;
    share(&owner, &file, "b", "viewer").await.expect(StatusCode::CREATED);
    let elsewhere = owner.folder("g", "root").await;
    owner
        .patch(&format!("/api/v1/files/{file}"), json!({"parentId": elsewhere}))
        .await
        .expect(StatusCode::OK);
    owner.patch(&format!("/api/v1/files/{elsewhere}"), json!({"name": "h"})).await.expect(StatusCode::OK);
    let successor = owner.file("a.md", &folder, "new").await;
    assert_eq!(b.get(&format!("/api/v1/files/{file}/content")).await.text(), "old");
    b.get(&format!("/api/v1/files/{successor}")).await.expect_problem(404, "not_found");
    // in the trash it is closed, restored it is open, deleted it is gone
    owner.delete(&format!("/api/v1/files/{elsewhere}")).await.expect(StatusCode::NO_CONTENT);
    b.get(&format!("/api/v1/files/{file}/content")).await.expect_problem(404, "not_found");
    assert_eq!(b.get("/api/v1/shares/with-me").await.expect(StatusCode::OK)["items"], json!([]));
    owner.post(&format!("/api/v1/files/{elsewhere}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(b.get(&format!("/api/v1/files/{file}/content")).await.text(), "old");
    owner.delete(&format!("/api/v1/files/{file}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    b.get(&format!("/api/v1/files/{file}/content")).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn lists_of_rights_come_in_pages() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    for name in ["1", "2", "3", "4", "5"] {
        let folder = owner.folder(name, "root").await;
        share(&owner, &folder, "b", "viewer").await.expect(StatusCode::CREATED);
    }
    for (who, list) in [(&b, "with-me"), (&owner, "by-me")] {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                who.get(&format!("/api/v1/shares/{list}?limit=2{cursor}")).await.expect(StatusCode::OK);
            assert_eq!(page["total"], 5);
            let items = page["items"].as_array().unwrap();
            names.extend(items.iter().map(|item| item["file"]["name"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(names, ["5", "4", "3", "2", "1"], "{list}");
        let other = if list == "with-me" { "by-me" } else { "with-me" };
        who.get(&format!("/api/v1/shares/{other}?limit=2{cursor}"))
            .await
            .expect_problem(400, "invalid_cursor");
        who.get(&format!("/api/v1/shares/{list}?limit=0")).await.expect_problem(400, "invalid_request");
    }
}

#[actix_web::test]
async fn nothing_is_given_to_an_account_that_is_disabled() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a.txt", "root", "a").await;
    let body = json!({ "userId": user_id("disabled"), "role": "viewer" });
    owner.post(&format!("/api/v1/files/{file}/shares"), body).await.expect_problem(422, "unknown_person");
}
