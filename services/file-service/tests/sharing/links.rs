use common::jobs::Outbox as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Server, answer, id_of, keys};

#[actix_web::test]
async fn a_link_is_made_listed_changed_and_ended() {
    let server = Server::start().await;
    let owner = server.user("a");
    let folder = owner.folder("Photos", "root").await;
    let path = format!("/api/v1/files/{folder}/links");
    let body = json!({
        "role": "preview-only", "label": " for ann ", "password": "secret",
        "expiresAt": "2026-02-01T00:00:00.000Z", "maxDownloads": 3,
    });
    let made = owner.post(&path, body).await.expect(StatusCode::CREATED);
    assert_eq!(
        keys(&made),
        [
            "createdAt",
            "downloads",
            "expiresAt",
            "fileId",
            "hasPassword",
            "id",
            "kind",
            "label",
            "lastUsedAt",
            "madeBy",
            "maxDownloads",
            "notify",
            "opens",
            "role",
            "token",
        ]
    );
    assert_eq!(made["token"].as_str().unwrap().len(), 32);
    let expected = json!({
        "id": made["id"], "kind": "link", "fileId": folder, "token": made["token"], "role": "preview-only",
        "label": "for ann", "hasPassword": true, "expiresAt": "2026-02-01T00:00:00.000Z", "maxDownloads": 3,
        "notify": false, "downloads": 0, "opens": 0, "lastUsedAt": null, "createdAt": "2026-01-01T00:00:00.000Z",
        "madeBy": {"id": owner.id, "address": "a@example.org"},
    });
    assert_eq!(made, expected);
    assert_eq!(owner.get(&path).await.expect(StatusCode::OK), json!({"items": [expected]}));
    let all = owner.get("/api/v1/links").await.expect(StatusCode::OK);
    assert_eq!(all, json!({"items": [expected], "nextCursor": null, "total": 1}));

    let link = format!("/api/v1/links/{}", id_of(&made));
    let same = owner.patch(&link, json!({})).await.expect(StatusCode::OK);
    assert_eq!(same, expected);
    let body = json!({"role": "viewer", "label": "x", "notify": true});
    let changed = owner.patch(&link, body).await.expect(StatusCode::OK);
    assert_eq!(changed["notify"], true);
    assert_eq!(
        (&changed["role"], &changed["label"], &changed["hasPassword"]),
        (&json!("viewer"), &json!("x"), &json!(true))
    );
    let lifted = json!({"password": null, "expiresAt": null, "maxDownloads": null});
    let changed = owner.patch(&link, lifted).await.expect(StatusCode::OK);
    assert_eq!(changed["hasPassword"], false);
    assert_eq!((&changed["expiresAt"], &changed["maxDownloads"]), (&Value::Null, &Value::Null));
    owner.delete(&link).await.expect(StatusCode::NO_CONTENT);
    owner.delete(&link).await.expect_problem(404, "not_found");
    owner.patch(&link, json!({})).await.expect_problem(404, "not_found");
    let token = made["token"].as_str().unwrap();
    crate::support::answer(server.request(reqwest::Method::GET, &format!("/api/v1/public/{token}")))
        .await
        .expect_problem(404, "not_found");
}

#[actix_web::test]
async fn what_no_link_can_be_is_refused() {
    let server = Server::start().await;
    let owner = server.user("a");
    let (folder, file) = (owner.folder("f", "root").await, owner.file("a", "root", "a").await);
    let make = async |id: &str, body: Value| owner.post(&format!("/api/v1/files/{id}/links"), body).await;
    for wrong in [
        json!({"role": "owner"}),
        json!({"role": "manager"}),
        json!({"label": "x".repeat(201)}),
        json!({"label": "a\nb"}),
        json!({"password": ""}),
        json!({"password": "x".repeat(73)}),
        json!({"password": "a\u{0}b"}),
        json!({"expiresAt": "2026-01-01T00:00:00Z"}),
        json!({"expiresAt": "tomorrow"}),
        json!({"maxDownloads": 0}),
        json!({"maxDownloads": -1}),
        json!({"maxDownloads": u64::MAX}),
        json!({"token": "x"}),
    ] {
        make(&folder, wrong.clone()).await.expect_problem(400, "invalid_request");
        let link = id_of(&make(&folder, json!({})).await.expect(StatusCode::CREATED));
        owner.patch(&format!("/api/v1/links/{link}"), wrong).await.expect_problem(400, "invalid_request");
    }
    make("root", json!({})).await.expect_problem(422, "unprocessable");
    make(&file, json!({"role": "dropper"})).await.expect_problem(422, "unprocessable");
    let link = id_of(&make(&file, json!({})).await.expect(StatusCode::CREATED));
    let dropper = json!({"role": "dropper"});
    owner.patch(&format!("/api/v1/links/{link}"), dropper).await.expect_problem(422, "unprocessable");
}

/// C173, C185.
#[actix_web::test]
async fn links_are_their_owners_and_no_answer_holds_a_password() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let file = owner.file("a", "root", "a").await;
    let path = format!("/api/v1/files/{file}/links");
    let made = owner.post(&path, json!({"password": "open sesame"})).await;
    let link = format!("/api/v1/links/{}", id_of(&made.expect(StatusCode::CREATED)));
    b.get(&path).await.expect_problem(404, "not_found");
    b.post(&path, json!({})).await.expect_problem(404, "not_found");
    b.patch(&link, json!({"label": "mine"})).await.expect_problem(404, "not_found");
    b.delete(&link).await.expect_problem(404, "not_found");
    assert_eq!(b.get("/api/v1/links").await.expect(StatusCode::OK)["items"], json!([]));
    let changed = owner.patch(&link, json!({"password": "another sesame"})).await;
    for answer in [
        made,
        changed,
        owner.get(&path).await,
        owner.get("/api/v1/links").await,
        owner.get("/api/v1/access").await,
    ] {
        assert_eq!(answer.status.as_u16() / 100, 2);
        assert!(!answer.text().contains("sesame") && !answer.text().contains("$2"), "{}", answer.text());
    }
}

#[actix_web::test]
async fn what_is_public_is_a_link_of_its_own_kind() {
    let server = Server::start().await;
    let owner = server.user("a");
    let file = owner.file("a", "root", "a").await;
    let made =
        owner.post(&format!("/api/v1/files/{file}/links"), json!({})).await.expect(StatusCode::CREATED);
    owner.put(&format!("/files/{file}/publish")).await.expect(StatusCode::OK);
    let list = owner.get(&format!("/api/v1/files/{file}/links")).await.expect(StatusCode::OK);
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["id"]), (2, &made["id"]));
    assert_eq!(
        (&items[1]["kind"], &items[1]["id"], &items[1]["token"]),
        (&json!("public"), &json!(file), &Value::Null)
    );
    // one page after another
    let first = owner.get("/api/v1/links?limit=1").await.expect(StatusCode::OK);
    assert_eq!((&first["items"][0]["id"], &first["total"]), (&made["id"], &json!(2)));
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = owner.get(&format!("/api/v1/links?limit=1&cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!((&second["items"][0]["id"], &second["nextCursor"]), (&json!(file), &Value::Null));
    owner.delete(&format!("/api/v1/links/{file}")).await.expect(StatusCode::NO_CONTENT);
    let shown = owner.get(&format!("/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!(shown["isPublic"], false);
    owner.delete(&format!("/api/v1/links/{file}")).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_link_ends_with_the_right_of_who_made_it() {
    let server = Server::start().await;
    let (owner, b) = (server.user("a"), server.user("b"));
    let folder = owner.folder("f", "root").await;
    let file = owner.file("f.txt", &folder, "text").await;
    let body = json!({"userId": b.id, "role": "manager"});
    let share = owner.post(&format!("/api/v1/files/{folder}/shares"), body).await.expect(StatusCode::CREATED);
    let made = b.post(&format!("/api/v1/files/{file}/links"), json!({})).await.expect(StatusCode::CREATED);
    let visit = async || {
        let path = format!("/api/v1/public/{}/content", made["token"].as_str().unwrap());
        crate::support::answer(server.request(reqwest::Method::GET, &path)).await
    };
    assert_eq!(visit().await.text(), "text");
    // the owner sees it, and so does who made it
    for who in [&owner, &b] {
        let links = who.get("/api/v1/links").await.expect(StatusCode::OK);
        assert_eq!(links["items"][0]["id"], made["id"]);
    }
    let share = format!("/api/v1/shares/{}", id_of(&share));
    owner.patch(&share, json!({"role": "editor"})).await.expect(StatusCode::OK);
    visit().await.expect_problem(404, "not_found");
    owner.patch(&share, json!({"role": "manager"})).await.expect(StatusCode::OK);
    assert_eq!(visit().await.text(), "text");
    owner.delete(&share).await.expect(StatusCode::NO_CONTENT);
    visit().await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn uses_of_a_link_that_notifies_are_told_in_bundles() {
    let server = Server::start().await;
    let owner = server.user("a");
    let folder = owner.folder("Photos", "root").await;
    let file = owner.file("a.txt", &folder, "a").await;
    let body = json!({"role": "editor", "label": "Ann", "notify": true});
    let made = owner.post(&format!("/api/v1/files/{folder}/links"), body).await.expect(StatusCode::CREATED);
    assert_eq!(made["notify"], true);
    let (link, token) = (id_of(&made), made["token"].as_str().unwrap().to_owned());
    let jobs = async || {
        let leased =
            server.store.lease_unsent(1000, std::time::Duration::from_secs(1), server.now()).await.unwrap();
        leased.into_iter().map(|row| row.job).filter(|job| job.kind == "link-notice").collect::<Vec<_>>()
    };
    let read = async || {
        let content = server.request(Method::GET, &format!("/api/v1/public/{token}/content?id={file}"));
        assert_eq!(answer(content).await.status, StatusCode::OK);
    };
    for _ in 0..20 {
        read().await;
    }
    let told = jobs().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0].data, told[0].run_at), (&json!({"linkId": link}), Some(server.now())));
    let asked = json!({"link": link, "job": told[0].id});
    let open = async |asked: &Value| {
        let request = server.internal(Method::POST, "/internal/links/notice").json(asked);
        answer(request).await.expect(StatusCode::OK)["notice"].clone()
    };
    let close = async |asked: &Value| {
        let request = server.internal(Method::POST, "/internal/links/noticed").json(asked);
        answer(request).await.expect(StatusCode::NO_CONTENT);
    };
    let notice = json!({
        "users": [owner.id], "label": "Ann", "file": folder, "name": "Photos", "lastFile": file,
        "lastName": "a.txt", "downloads": 20, "drops": 0,
    });
    assert_eq!(open(&asked).await, notice);
    // while it is told
    let put =
        server.request(Method::PUT, &format!("/api/v1/public/{token}/children/new.txt/content")).body("x");
    answer(put).await.expect(StatusCode::CREATED);
    assert_eq!(open(&asked).await["drops"], 0);
    close(&asked).await;
    close(&asked).await;
    assert_eq!(open(&asked).await, Value::Null);
    let next = jobs().await;
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].run_at, Some(server.now() + std::time::Duration::from_secs(3600)));
    let asked = json!({"link": link, "job": next[0].id});
    let told = open(&asked).await;
    assert_eq!(
        (&told["downloads"], &told["drops"], &told["lastName"]),
        (&json!(0), &json!(1), &json!("new.txt"))
    );
    // who wants to hear no more hears no more
    close(&asked).await;
    owner.patch(&format!("/api/v1/links/{link}"), json!({"notify": false})).await.expect(StatusCode::OK);
    read().await;
    assert!(jobs().await.is_empty());
    owner.delete(&format!("/api/v1/links/{link}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(open(&asked).await, Value::Null);
    close(&asked).await;
}
