//! `POST /files`, rule by rule.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::classic_files::PNG;
use crate::support::{Client, Server, answer, id_of, keys, until, user_id};

/// "Hello Webstack!\n".
const HELLO: &str = "SGVsbG8gV2Vic3RhY2shCg==";

async fn upload(user: &Client<'_>, body: Value) -> Value {
    user.post("/files", body).await.expect(StatusCode::CREATED)
}

#[actix_web::test]
async fn a_file_object_has_six_keys_and_no_other() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = upload(&user, json!({"name": "images", "type": "folder"})).await;
    assert_eq!(
        folder,
        json!({"id": id_of(&folder), "userId": user.id.to_string(), "name": "images", "type": "folder", "isPublic": false, "parentId": 0})
    );
    let body = json!({"name": "image.png", "type": "image", "isPublic": true, "data": HELLO, "parentId": folder["id"]});
    let image = upload(&user, body).await;
    assert_eq!(keys(&image), ["id", "isPublic", "name", "parentId", "type", "userId"]);
    assert_eq!(
        (&image["type"], &image["isPublic"], &image["parentId"]),
        (&json!("image"), &json!(true), &folder["id"])
    );
    let file = upload(&user, json!({"name": "myText.txt", "type": "file", "data": HELLO})).await;
    assert_eq!(
        (&file["type"], &file["isPublic"], &file["parentId"]),
        (&json!("file"), &json!(false), &json!(0))
    );
    // the same object from every call
    for object in [&folder, &image, &file] {
        let id = id_of(object);
        assert_eq!(user.get(&format!("/files/{id}")).await.expect(StatusCode::OK), *object);
    }
    assert_eq!(user.get("/files").await.expect(StatusCode::OK), json!([file, folder]));
    let inside = user.get(&format!("/files?parentId={}", id_of(&folder))).await.expect(StatusCode::OK);
    assert_eq!(inside, json!([image]));
    let unpublished = user.put(&format!("/files/{}/unpublish", id_of(&image))).await.expect(StatusCode::OK);
    assert_eq!((keys(&unpublished), &unpublished["isPublic"]), (keys(&image), &json!(false)));
    assert_eq!(unpublished["parentId"], folder["id"]);
}

#[actix_web::test]
async fn rules_are_checked_in_their_order() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = id_of(&upload(&user, json!({"name": "f", "type": "file", "data": HELLO})).await);
    let gone = user.folder("gone", "root").await;
    user.delete(&format!("/files/{gone}")).await.expect(StatusCode::NO_CONTENT);
    let foreign = server.user("b").folder("foreign", "root").await;
    let me = user_id("a").to_string();
    let unknown = "5f1e8896c7ba06511e683b25";
    let with_parent = |parent: Value| json!({"name": "a", "type": "file", "data": HELLO, "parentId": parent});
    for (body, message) in [
        (json!({}), "Missing name"),
        (json!({"type": "nope", "parentId": 55}), "Missing name"),
        (json!({"name": "", "type": "file"}), "Missing name"),
        (json!({"name": null, "type": "file"}), "Missing name"),
        (json!({"name": "a/b"}), "Invalid name"),
        (json!({"name": "a\u{0}b", "type": "folder"}), "Invalid name"),
        (json!({"name": "..", "type": "folder"}), "Invalid name"),
        (json!({"name": "x".repeat(10_000), "type": "folder"}), "Invalid name"),
        (json!({"name": {"$ne": 1}, "type": "folder"}), "Invalid name"),
        (json!({"name": ["a"], "type": "folder"}), "Invalid name"),
        (json!({"name": 5, "type": "folder"}), "Invalid name"),
        (json!({"name": "a"}), "Missing type"),
        (json!({"name": "a", "type": "nope"}), "Missing type"),
        (json!({"name": "a", "type": 1, "data": HELLO}), "Missing type"),
        (json!({"name": "a", "type": "file"}), "Missing data"),
        (json!({"name": "a", "type": "image", "data": ""}), "Missing data"),
        (json!({"name": "a", "type": "file", "data": null}), "Missing data"),
        // data first, then the parent
        (json!({"name": "a", "type": "file", "parentId": 55}), "Missing data"),
        (json!({"name": "a", "type": "file", "parentId": file}), "Missing data"),
        (json!({"name": "a", "type": "file", "data": "%%%%"}), "Missing data"),
        (json!({"name": "a", "type": "file", "data": "===="}), "Missing data"),
        (json!({"name": "a", "type": "file", "data": [1]}), "Invalid data"),
        (json!({"name": "a", "type": "file", "data": HELLO, "isPublic": "yes"}), "Invalid isPublic"),
        (with_parent(json!(55)), "Parent not found"),
        (with_parent(json!(-1)), "Parent not found"),
        (with_parent(json!(true)), "Parent not found"),
        (with_parent(json!([])), "Parent not found"),
        (with_parent(json!({"$gt": ""})), "Parent not found"),
        (with_parent(json!("root")), "Parent not found"),
        (with_parent(json!("00")), "Parent not found"),
        (with_parent(json!(unknown)), "Parent not found"),
        (with_parent(json!(format!("{unknown}0"))), "Parent not found"),
        (with_parent(json!("5f1e8896c7ba06511e683b2g")), "Parent not found"),
        (with_parent(json!(me)), "Parent not found"),
        (with_parent(json!(gone)), "Parent not found"),
        (with_parent(json!(foreign)), "Parent not found"),
        (with_parent(json!(file)), "Parent is not a folder"),
        (json!({"name": "a", "type": "folder", "parentId": file}), "Parent is not a folder"),
        (json!({"name": "a", "type": "folder", "parentId": 55}), "Parent not found"),
    ] {
        user.post("/files", body.clone()).await.expect_classic(400, message);
    }
    assert_eq!(user.names("root").await, ["f"], "nothing was made");
    assert_eq!(user.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"], 16);
}

#[actix_web::test]
async fn the_root_comes_back_as_the_number_0() {
    let server = Server::start().await;
    let user = server.user("a");
    let root = id_of(&user.get("/api/v1/files/root").await.expect(StatusCode::OK));
    for parent in [json!(0), json!("0"), json!(""), json!(null), json!(0.0), json!(root)] {
        let made = upload(&user, json!({"name": "a", "type": "folder", "parentId": parent})).await;
        assert_eq!(made["parentId"], json!(0), "{parent}");
    }
    let list = user.get(&format!("/files?parentId={root}")).await.expect(StatusCode::OK);
    assert!(list.as_array().unwrap().iter().all(|item| item["parentId"] == json!(0)));
    assert_eq!(list.as_array().unwrap().len(), 6);
}

#[actix_web::test]
async fn bodies_of_every_kind_are_answered_as_json() {
    let server = Server::start().await;
    let user = server.user("a");
    let send = async |kind: Option<&str>, body: &str| {
        let mut request = user.request(Method::POST, "/files").body(body.to_owned());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        answer(request).await
    };
    let good = r#"{"name":"a","type":"folder"}"#;
    // no body, or another type, counts as {}
    for (kind, body) in [
        (None, ""),
        (None, good),
        (Some("application/json"), ""),
        (Some("text/plain"), good),
        (Some("application/x-www-form-urlencoded"), "name=a&type=folder"),
        (Some("multipart/form-data; boundary=x"), good),
        (Some("application/json"), "{}"),
    ] {
        send(kind, body).await.expect_classic(400, "Missing name");
    }
    for body in ["{", "[]", "\"a\"", "null", "7", "{\"name\":\"a\",}", good.trim_end_matches('}'), "\u{0}"] {
        send(Some("application/json"), body).await.expect_classic(400, "Invalid JSON");
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        send(Some(kind), good).await.expect(StatusCode::CREATED);
    }
}

#[actix_web::test]
async fn a_body_over_the_limit_is_413_as_json() {
    let server = Server::with(|settings| settings.classic_body_bytes = 10_000).await;
    let user = server.user("a");
    let body = json!({"name": "a.txt", "type": "file", "data": "QUJD".repeat(2400)});
    upload(&user, body).await;
    let body = json!({"name": "a.txt", "type": "file", "data": "QUJD".repeat(2500)}).to_string();
    let request = user.request(Method::POST, "/files").header("content-type", "application/json");
    answer(request.body(body.clone())).await.expect_classic(413, "Payload too large");
    // and when nobody said how long it is
    let pieces = body
        .into_bytes()
        .chunks(1000)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
        .collect::<Vec<_>>();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = user.request(Method::POST, "/files").header("content-type", "application/json");
    answer(request.body(stream)).await.expect_classic(413, "Payload too large");
    assert_eq!(user.names("root").await, ["a.txt"]);
}

#[actix_web::test]
async fn ten_megabytes_pass_by_default_and_come_back_the_same() {
    let server = Server::start().await;
    let user = server.user("a");
    let content: Vec<u8> = (0u32..2_700_000).flat_map(u32::to_le_bytes).collect();
    let data = STANDARD.encode(&content);
    let file = upload(&user, json!({"name": "big.bin", "type": "file", "data": data})).await;
    let back = user.get(&format!("/files/{}/data", id_of(&file))).await;
    assert_eq!(back.status, StatusCode::OK);
    assert!(back.bytes == content);
    assert_eq!(user.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"], content.len());
}

#[actix_web::test]
async fn many_large_bodies_wait_for_room_and_all_pass() {
    // room for one of them at a time
    let server = Server::with(|settings| {
        settings.classic_body_bytes = 400_000;
        settings.classic_bodies_in_flight_bytes = 500_000;
    })
    .await;
    let user = server.user("a");
    let data = "QUJD".repeat(75_000);
    let made = futures_util::future::join_all(
        (0..6).map(|n| upload(&user, json!({"name": format!("f{n}"), "type": "file", "data": data}))),
    )
    .await;
    assert_eq!(made.len(), 6);
    assert_eq!(user.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"], 6 * 225_000);
}

/// A request that promises a body of this length and then says nothing more.
fn begun(user: &Client<'_>, length: usize) -> Vec<u8> {
    format!(
        "POST /files HTTP/1.1\r\nhost: x\r\nx-token: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
         {{\"name\":\"half.txt\",\"type\":\"file\",\"data\":\"QUJD",
        user.token
    )
    .into_bytes()
}

#[actix_web::test]
async fn without_room_there_is_503_until_there_is_room_again() {
    let server = Server::with(|settings| {
        settings.classic_body_bytes = 400_000;
        settings.classic_bodies_in_flight_bytes = 400_000;
        settings.classic_room_wait = std::time::Duration::from_millis(20);
    })
    .await;
    let user = server.user("a");
    let mut most_of_it = begun(&user, 390_000);
    most_of_it.resize(most_of_it.len() + 350_000, b'Q');
    let mut holds = vec![server.send_raw(&most_of_it).await];
    let body = json!({"name": "a.txt", "type": "file", "data": "QUJD".repeat(50_000)});
    until("there is no room", async || {
        // takes what is left, and then the place of the one that goes on without room; where another request has that for too long, it is refused itself
        holds.push(server.send_raw(&most_of_it).await);
        let refused = user.post("/files", body.clone()).await;
        if refused.status == StatusCode::SERVICE_UNAVAILABLE {
            refused.expect_classic(503, "Service unavailable");
            assert_eq!(refused.header("retry-after"), Some("2"));
            return true;
        }
        refused.expect(StatusCode::CREATED);
        false
    })
    .await;
    drop(holds);
    until("there is room again", async || {
        user.post("/files", body.clone()).await.status == StatusCode::CREATED
    })
    .await;
    assert!(
        user.names("root").await.iter().all(|name| name.starts_with('a')),
        "nothing is left of what broke off"
    );
}

#[actix_web::test]
async fn bodies_that_trickle_hold_no_more_room_than_they_have_sent() {
    let server = Server::with(|settings| {
        settings.classic_body_bytes = 400_000;
        settings.classic_bodies_in_flight_bytes = 800_000;
        settings.classic_room_wait = std::time::Duration::from_millis(20);
    })
    .await;
    let user = server.user("a");
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(server.send_raw(&begun(&user, 390_000)).await);
    }
    let body = json!({"name": "a.txt", "type": "file", "data": "QUJD".repeat(50_000)});
    for _ in 0..5 {
        user.post("/files", body.clone()).await.expect(StatusCode::CREATED);
    }
    drop(slow);
}

#[actix_web::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start().await;
    let user = server.user("a");
    user.get("/api/v1/files/root").await.expect(StatusCode::OK);
    let raw = format!(
        "PUT /api/v1/files/root/children/half.txt/content HTTP/1.1\r\nhost: x\r\nx-token: {}\r\ncontent-length: 100000\r\n\r\nhalf",
        user.token
    );
    for request in [begun(&user, 100_000), raw.into_bytes()] {
        drop(server.send_raw(&request).await);
    }
    // C049: an entry comes with all of its bytes or not at all
    let whole = upload(&user, json!({"name": "whole.txt", "type": "file", "data": HELLO})).await;
    assert_eq!(user.get("/files").await.expect(StatusCode::OK), json!([whole]));
    until("what was set aside is given back", async || {
        let usage = user.get("/api/v1/usage").await.expect(StatusCode::OK);
        usage == json!({"usedBytes": 16, "quotaBytes": null, "fileCount": 1, "trashCount": 0})
    })
    .await;
    // the job that reads the text of the one that is whole
    assert_eq!(common::jobs::Outbox::depth(&*server.store).await.unwrap(), 1);
}

#[actix_web::test]
async fn bytes_in_are_bytes_out_however_they_are_written() {
    let server = Server::start().await;
    let user = server.user("a");
    let bytes: Vec<u8> = (0..=255).collect();
    let standard = STANDARD.encode(&bytes);
    let lines: Vec<_> =
        standard.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    for data in [
        standard.clone(),
        STANDARD_NO_PAD.encode(&bytes),
        URL_SAFE.encode(&bytes),
        lines.join("\r\n"),
        format!("{standard}trailing"),
    ] {
        let file = upload(&user, json!({"name": "all.bin", "type": "file", "data": data})).await;
        let back = user.get(&format!("/files/{}/data", id_of(&file))).await;
        assert_eq!(back.bytes, bytes, "{data:.20}");
    }
}

#[actix_web::test]
async fn names_need_not_be_unique_here() {
    let server = Server::start().await;
    let user = server.user("a");
    let mut ids = Vec::new();
    for n in 0..3 {
        let data = STANDARD.encode(format!("content {n}"));
        let made = upload(&user, json!({"name": "a.txt", "type": "file", "data": data})).await;
        assert_eq!(made["name"], "a.txt");
        ids.push(id_of(&made));
    }
    for _ in 0..2 {
        assert_eq!(upload(&user, json!({"name": "docs", "type": "folder"})).await["name"], "docs");
    }
    assert_eq!(user.names("root").await, ["docs", "docs (2)", "a (2).txt", "a (3).txt", "a.txt"]);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(user.get(&format!("/files/{id}")).await.expect(StatusCode::OK)["name"], "a.txt");
        assert_eq!(user.get(&format!("/files/{id}/data")).await.text(), format!("content {n}"));
    }
    let list = user.get("/files").await.expect(StatusCode::OK);
    let names: Vec<_> = list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["docs", "docs", "a.txt", "a.txt", "a.txt"]);
    // a move keeps the name that was asked for only as long as the node is not renamed
    user.patch(&format!("/api/v1/files/{}", ids[1]), json!({"name": "b.txt"})).await.expect(StatusCode::OK);
    assert_eq!(user.get(&format!("/files/{}", ids[1])).await.expect(StatusCode::OK)["name"], "b.txt");
}

#[actix_web::test]
async fn simultaneous_uploads_of_one_name_all_succeed() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = futures_util::future::join_all(
        (0..12).map(|_| upload(&user, json!({"name": "a.txt", "type": "file", "data": HELLO}))),
    )
    .await;
    assert!(made.iter().all(|object| object["name"] == "a.txt"));
    let mut names = user.names("root").await;
    names.dedup();
    assert_eq!(names.len(), 12);
}

#[actix_web::test]
async fn public_is_not_inherited_and_data_of_a_folder_is_ignored() {
    let server = Server::start().await;
    let user = server.user("a");
    let body = json!({"name": "open", "type": "folder", "isPublic": true, "data": HELLO});
    let folder = upload(&user, body).await;
    assert_eq!(folder["isPublic"], true);
    let inside =
        upload(&user, json!({"name": "a", "type": "file", "data": HELLO, "parentId": folder["id"]})).await;
    assert_eq!(inside["isPublic"], false);
    let data = answer(server.request(Method::GET, &format!("/files/{}/data", id_of(&inside)))).await;
    data.expect_classic(404, "Not found");
    assert_eq!(user.get("/api/v1/usage").await.expect(StatusCode::OK)["usedBytes"], 16);
}

#[actix_web::test]
async fn the_bearer_form_of_a_token_works_too() {
    let server = Server::start().await;
    let user = server.user("a");
    let body = json!({"name": "a", "type": "folder"});
    let request = server.request(Method::POST, "/files").bearer_auth(&user.token).json(&body);
    answer(request).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn a_full_space_is_507() {
    let server = Server::with(|settings| settings.default_quota_bytes = Some(20)).await;
    let user = server.user("a");
    upload(&user, json!({"name": "a", "type": "file", "data": HELLO})).await;
    let full = user.post("/files", json!({"name": "b", "type": "file", "data": HELLO})).await;
    assert_eq!(full.status, StatusCode::INSUFFICIENT_STORAGE, "{}", full.text());
    assert_eq!(keys(&full.expect(StatusCode::INSUFFICIENT_STORAGE)), ["error"]);
    assert_eq!(user.names("root").await, ["a"]);
}

#[actix_web::test]
async fn an_image_gets_a_job_in_the_same_commit() {
    use common::jobs::Outbox as _;
    let server = Server::start().await;
    let user = server.user("a");
    let binary = STANDARD.encode([0_u8, 1, 2]);
    upload(&user, json!({"name": "a.bin", "type": "file", "data": binary})).await;
    upload(&user, json!({"name": "a", "type": "folder"})).await;
    assert_eq!(server.store.depth().await.unwrap(), 0);
    let image = upload(&user, json!({"name": "a.png", "type": "image", "data": STANDARD.encode(PNG)})).await;
    let now = common::Clock::now(&*server.clock);
    let rows = server.store.lease_unsent(9, std::time::Duration::from_secs(1), now).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].job.kind, common::jobs::types::THUMBNAILS);
    assert_eq!((&rows[0].job.data["fileId"], &rows[0].job.data["userId"]), (&image["id"], &image["userId"]));
}
