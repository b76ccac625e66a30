//! All that is an account's in one download, and what is known of it here.

use bytes::Bytes;
use common::auth::{EXPORT_PART_BYTES, ExportState};
use common::files::internal::{EXPORTED, ExportLength, ExportMeasure, ExportPage, ExportQuestion};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::archives::unzipped;
use crate::helpers::noise;
use crate::support::{Client, Server, answer, user_id};

/// `/ {Reise / {a.txt, Ü.bin}}`, and in the trash a file and a folder of one name, with something in it.
async fn filled(user: &Client<'_>) -> String {
    let top = user.folder("Reise", "root").await;
    user.file("a.txt", &top, "first").await;
    user.file("Ü.bin", &top, noise(600_000)).await;
    let file = user.file("x", "root", "thrown away").await;
    user.delete(&format!("/api/v1/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    let folder = user.folder("x", "root").await;
    user.file("inside", &folder, "with its folder").await;
    user.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    top
}

#[actix_web::test]
async fn an_export_has_what_is_known_of_its_owner_and_all_files() {
    let server = Server::start().await;
    let user = server.user("a");
    filled(&user).await;
    server.user("b").file("hers.txt", "root", "hers").await;
    // of three parts, the last one short
    let long = noise(2 * EXPORT_PART_BYTES + 1000);
    let files = [
        ("profile.json", Bytes::from_static(b"[]\n")),
        ("jobs.json", long.clone()),
        ("none.json", Bytes::new()),
    ];
    let id = server.export.keep(user.id, ExportState::Ready, server.now(), &files);
    let path = format!("/api/v1/exports/{id}");
    let whole = user.get(&path).await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text());
    assert_eq!(whole.header("content-disposition"), Some("attachment; filename=\"export.zip\""));
    assert_eq!(whole.header("content-length"), Some(&*whole.bytes.len().to_string()));
    let mut found = unzipped(&whole.bytes);
    found.sort();
    let entry = |name: &str, content: &[u8]| (name.to_owned(), content.to_vec());
    let mut expected = vec![
        entry("account/", b""),
        entry("account/jobs.json", &long),
        entry("account/none.json", b""),
        entry("account/profile.json", b"[]\n"),
        entry("files/", b""),
        entry("files/Reise/", b""),
        entry("files/Reise/a.txt", b"first"),
        entry("files/Reise/Ü.bin", &noise(600_000)),
        entry("trash/", b""),
        entry("trash/x/", b""),
        entry("trash/x/inside", b"with its folder"),
        entry("trash/x (2)", b"thrown away"),
    ];
    expected.sort();
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    assert!(found == expected, "the contents are those");

    // gone on with anywhere, among that in the midst of a part
    let etag = whole.header("etag").unwrap().to_owned();
    for start in [
        1,
        200,
        EXPORT_PART_BYTES,
        EXPORT_PART_BYTES + 300,
        2 * EXPORT_PART_BYTES + 900,
        whole.bytes.len() - 1,
    ] {
        let fields = [("range", &*format!("bytes={start}-")), ("if-range", &etag)];
        let part = user.get_with(&path, &fields).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert!(part.bytes == whole.bytes[start..], "from {start}");
    }
    let head = answer(user.request(Method::HEAD, &path)).await;
    assert_eq!(head.header("content-length"), whole.header("content-length"));
    assert_eq!(
        user.get(&format!("{path}?format=tar")).await.header("content-type"),
        Some("application/x-tar")
    );

    let kept = files.iter().map(|(name, content)| {
        let mut hasher = common::digest::Hasher::default();
        hasher.update(content);
        let (size, _, crc32) = hasher.finish();
        common::auth::ExportFile { name: (*name).to_owned(), size, crc32: crc32.0 }
    });
    let question = ExportMeasure { user: user.id, files: kept.collect() };
    let measured =
        answer(server.internal(Method::POST, "/internal/users/export/measure").json(&question)).await;
    let measured: ExportLength = serde_json::from_value(measured.expect(StatusCode::OK)).unwrap();
    assert_eq!(measured.bytes, Some(whole.bytes.len() as u64));
}

#[actix_web::test]
async fn an_export_is_for_its_owner_alone_and_when_it_is_ready() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let now = server.now();
    let id = server.export.keep(user.id, ExportState::Ready, now, &[]);
    let path = format!("/api/v1/exports/{id}");
    user.get(&path).await.bytes.starts_with(b"PK").then_some(()).unwrap();
    other.get(&path).await.expect_problem(404, "not_found");
    answer(server.request(Method::GET, &path)).await.expect_problem(401, "unauthorized");
    user.get("/api/v1/exports/000000000000000000000000").await.expect_problem(404, "not_found");
    user.get("/api/v1/exports/x").await.expect_problem(404, "not_found");
    for state in [ExportState::Running, ExportState::Failed] {
        server.export.keep(user.id, state, now, &[]);
        user.get(&path).await.expect_problem(404, "not_found");
    }
}

/// All pages of what is known of an account.
async fn known(server: &Server, name: &str, what: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let question = ExportQuestion { user: user_id(name), what: what.to_owned(), cursor };
        let page = answer(server.internal(Method::POST, "/internal/users/export").json(&question)).await;
        let page: ExportPage = serde_json::from_value(page.expect(StatusCode::OK)).unwrap();
        all.extend(page.items);
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

#[actix_web::test]
async fn what_is_known_of_an_account_is_told_page_by_page_and_without_secrets() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let top = filled(&user).await;
    let file = user.file("b.txt", &top, "b").await;
    let one = format!("/api/v1/files/{file}");
    user.patch(&one, json!({ "starred": true, "tags": ["Trip", "two"] })).await.expect(StatusCode::OK);
    // more than a page has
    for number in 0..203 {
        let folder = user.folder(&format!("n{number}"), "root").await;
        user.patch(&format!("/api/v1/files/{folder}"), json!({ "starred": true, "tags": ["trip"] }))
            .await
            .expect(StatusCode::OK);
    }
    user.put(&format!("{one}/public")).await.expect(StatusCode::OK);
    let link = json!({ "role": "viewer", "label": "for Eve", "password": "very secret" });
    let link = user.post(&format!("{one}/links"), link).await.expect(StatusCode::CREATED);
    let give = |address: &str| json!({ "address": address, "role": "editor" });
    user.post(&format!("/api/v1/files/{top}/shares"), give("b@example.org"))
        .await
        .expect(StatusCode::CREATED);
    let theirs = other.folder("theirs", &other.folder("hidden", "root").await).await;
    other
        .post(&format!("/api/v1/files/{theirs}/shares"), give("a@example.org"))
        .await
        .expect(StatusCode::CREATED);
    let upload = user.request(Method::POST, "/api/v1/uploads").header("tus-resumable", "1.0.0");
    let upload = upload.header("upload-length", "10").header("upload-metadata", "name YS50eHQ=");
    answer(upload).await.expect(StatusCode::CREATED);

    let mut all = String::new();
    for what in EXPORTED {
        let items = known(&server, "a", what).await;
        all.push_str(&json!(items).to_string());
        match *what {
            "shares-given" => {
                assert_eq!(items.len(), 1);
                assert_eq!((&items[0]["path"], &items[0]["role"]), (&json!("/Reise"), &json!("editor")));
                assert_eq!(items[0]["to"]["email"], "b@example.org");
            }
            "shares-received" => {
                assert_eq!(items.len(), 1);
                assert_eq!((&items[0]["path"], &items[0]["by"]), (&json!("theirs"), &json!("b@example.org")));
            }
            "links" => {
                assert_eq!((&items[0]["label"], &items[0]["hasPassword"]), (&json!("for Eve"), &json!(true)))
            }
            "public-files" => assert_eq!(items[0]["path"], "/Reise/b.txt"),
            "stars" => assert_eq!(items.len(), 204),
            "tags" => {
                let of = |tag: &str| {
                    items
                        .iter()
                        .filter(|item| item["tag"].as_str().unwrap().eq_ignore_ascii_case(tag))
                        .count()
                };
                assert_eq!((of("trip"), of("two"), items.len()), (204, 1, 205));
            }
            "unfinished-uploads" => {
                assert_eq!((&items[0]["name"], &items[0]["length"]), (&json!("a.txt"), &json!(10)))
            }
            other => panic!("this test does not know what {other} is"),
        }
    }
    for secret in [link["token"].as_str().unwrap(), "very secret", "$2b$", "hidden"] {
        assert!(!all.contains(secret), "{secret}");
    }
    for what in EXPORTED {
        assert!(known(&server, "stranger", what).await.is_empty(), "{what}");
    }
}
