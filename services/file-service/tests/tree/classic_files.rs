//! `/files` and `/files/:id`, rule by rule; and the points on which public implementations differ.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::files::{BlobStore as _, FileStore as _, NewBlob, NewThumbnail, Place, ThumbnailSize};
use common::{Crc32, FileId, IdGen as _, Sha256};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, answer, id_of};

/// A picture of one red pixel.
pub(crate) const PNG: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82";

async fn upload(user: &Client<'_>, name: &str, kind: &str, content: &[u8]) -> String {
    let body = json!({"name": name, "type": kind, "data": STANDARD.encode(content)});
    id_of(&user.post("/files", body).await.expect(StatusCode::CREATED))
}

async fn folder(user: &Client<'_>, name: &str, parent: Value) -> String {
    let body = json!({"name": name, "type": "folder", "parentId": parent});
    id_of(&user.post("/files", body).await.expect(StatusCode::CREATED))
}

async fn anonymous(server: &Server, path: &str) -> Answer {
    answer(server.request(Method::GET, path)).await
}

fn ids_of(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(id_of).collect()
}

#[actix_web::test]
async fn a_list_is_one_folder_newest_first_twenty_at_a_time() {
    let server = Server::start().await;
    let user = server.user("a");
    let parent = folder(&user, "many", json!(0)).await;
    let sub = folder(&user, "sub", json!(parent)).await;
    folder(&user, "deep", json!(sub)).await;
    server.user("b").folder("theirs", "root").await;
    let mut expected = vec![sub];
    for n in 0..44 {
        expected.insert(0, folder(&user, &format!("f{}", n % 7), json!(parent)).await);
    }
    let mut seen = Vec::new();
    for page in 0..3 {
        let list = user.get(&format!("/files?parentId={parent}&page={page}")).await.expect(StatusCode::OK);
        let ids = ids_of(&list);
        assert_eq!(ids.len(), [20, 20, 5][page]);
        assert!(list.as_array().unwrap().iter().all(|item| item["parentId"] == json!(parent)));
        seen.extend(ids);
    }
    assert_eq!(seen, expected);
    for beyond in ["3", "4", "1000000", "99999999999999999999999999", "1e300"] {
        let list = user.get(&format!("/files?parentId={parent}&page={beyond}")).await.expect(StatusCode::OK);
        assert_eq!(list, json!([]), "{beyond}");
    }
    for first in ["", "0", "abc", "-1", "-99999999999999999999", "NaN", "%00", "1x"] {
        let list = user.get(&format!("/files?parentId={parent}&page={first}")).await.expect(StatusCode::OK);
        assert_eq!(ids_of(&list), expected[..20], "{first}");
    }
    // the root alone, and nobody else's
    for root in [
        "/files",
        "/files?parentId=0",
        "/files?parentId=",
        "/files?page=0",
        "/files?parentId=0&page=",
        "/files?other=1",
    ] {
        assert_eq!(ids_of(&user.get(root).await.expect(StatusCode::OK)), [parent.as_str()], "{root}");
    }
}

#[actix_web::test]
async fn what_is_no_folder_of_mine_lists_nothing() {
    let server = Server::start().await;
    let user = server.user("a");
    let file = upload(&user, "a.txt", "file", b"x").await;
    let foreign = folder(&server.user("b"), "theirs", json!(0)).await;
    let gone = folder(&user, "gone", json!(0)).await;
    folder(&user, "inside", json!(gone)).await;
    user.delete(&format!("/files/{gone}")).await.expect(StatusCode::NO_CONTENT);
    let me = user.id.to_string();
    for parent in [
        &*file,
        &foreign,
        &gone,
        &me,
        "5f1e8896c7ba06511e683b25",
        "x",
        "1",
        "%00",
        "root",
        "5f1e8896c7ba06511e683b25z",
        "[object Object]",
    ] {
        let list = user.get(&format!("/files?parentId={parent}")).await.expect(StatusCode::OK);
        assert_eq!(list, json!([]), "{parent}");
    }
}

#[actix_web::test]
async fn show_is_for_the_owner_alone() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let file = upload(&user, "a.txt", "file", b"x").await;
    user.put(&format!("/files/{file}/publish")).await.expect(StatusCode::OK);
    // public or not
    other.get(&format!("/files/{file}")).await.expect_classic(404, "Not found");
    let root = id_of(&user.get("/api/v1/files/root").await.expect(StatusCode::OK));
    for id in [
        &*root,
        "0",
        "x",
        "5f1e8896c7ba06511e683b25",
        "5f1e8896c7ba06511e683b2",
        "%C3%BC",
        "5F1E8896C7BA06511E683B25",
    ] {
        let path = format!("/files/{id}");
        user.get(&path).await.expect_classic(404, "Not found");
        user.delete(&path).await.expect_classic(404, "Not found");
        user.put(&format!("{path}/publish")).await.expect_classic(404, "Not found");
        user.put(&format!("{path}/unpublish")).await.expect_classic(404, "Not found");
        user.get(&format!("{path}/data")).await.expect_classic(404, "Not found");
    }
}

#[actix_web::test]
async fn publishing_answers_with_the_new_state_and_can_be_repeated() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let parent = folder(&user, "docs", json!(0)).await;
    let inside = folder(&user, "inside", json!(parent)).await;
    for (id, parent_id) in [(&parent, json!(0)), (&inside, json!(parent))] {
        for (call, state) in [
            ("publish", true),
            ("publish", true),
            ("unpublish", false),
            ("unpublish", false),
            ("publish", true),
        ] {
            let object = user.put(&format!("/files/{id}/{call}")).await.expect(StatusCode::OK);
            assert_eq!((&object["isPublic"], &object["parentId"]), (&json!(state), &parent_id), "{call}");
            assert_eq!(user.get(&format!("/files/{id}")).await.expect(StatusCode::OK), object);
        }
        other.put(&format!("/files/{id}/unpublish")).await.expect_classic(404, "Not found");
        assert_eq!(user.get(&format!("/files/{id}")).await.expect(StatusCode::OK)["isPublic"], true);
    }
}

#[actix_web::test]
async fn deleting_is_an_extension_and_leaves_no_object() {
    let server = Server::start().await;
    let user = server.user("a");
    let parent = folder(&user, "docs", json!(0)).await;
    let inside = folder(&user, "inside", json!(parent)).await;
    user.put(&format!("/files/{parent}/publish")).await.expect(StatusCode::OK);
    let deleted = user.delete(&format!("/files/{parent}")).await;
    assert_eq!((deleted.status, deleted.bytes.len()), (StatusCode::NO_CONTENT, 0));
    for id in [&parent, &inside] {
        for path in [format!("/files/{id}"), format!("/files/{id}/data")] {
            user.get(&path).await.expect_classic(404, "Not found");
        }
        user.put(&format!("/files/{id}/publish")).await.expect_classic(404, "Not found");
        user.delete(&format!("/files/{id}")).await.expect_classic(404, "Not found");
    }
    assert_eq!(user.get("/files").await.expect(StatusCode::OK), json!([]));
    // it is in the trash, from where v1 brings it back
    user.post(&format!("/api/v1/files/{parent}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(user.get(&format!("/files/{inside}")).await.expect(StatusCode::OK)["parentId"], json!(parent));
}

#[actix_web::test]
async fn who_gets_the_data() {
    let server = Server::start().await;
    let (user, other) = (server.user("a"), server.user("b"));
    let file = upload(&user, "a.txt", "file", b"Hello Webstack!\n").await;
    let dir = folder(&user, "docs", json!(0)).await;
    let path = format!("/files/{file}/data");
    assert_eq!(user.get(&path).await.text(), "Hello Webstack!\n");
    // private: neither without nor with somebody else's token
    anonymous(&server, &path).await.expect_classic(404, "Not found");
    other.get(&path).await.expect_classic(404, "Not found");
    let wrong = answer(server.request(Method::GET, &path).header("x-token", "wrong")).await;
    wrong.expect_classic(404, "Not found");
    anonymous(&server, &format!("/files/{dir}/data")).await.expect_classic(404, "Not found");
    other.get(&format!("/files/{dir}/data")).await.expect_classic(404, "Not found");
    user.get(&format!("/files/{dir}/data")).await.expect_classic(400, "A folder doesn't have content");
    // public: everybody, a wrong token is none
    for id in [&file, &dir] {
        user.put(&format!("/files/{id}/publish")).await.expect(StatusCode::OK);
    }
    for open in [
        anonymous(&server, &path).await,
        other.get(&path).await,
        answer(server.request(Method::GET, &path).header("x-token", "wrong")).await,
    ] {
        assert_eq!((open.status, open.text()), (StatusCode::OK, "Hello Webstack!\n"));
    }
    anonymous(&server, &format!("/files/{dir}/data"))
        .await
        .expect_classic(400, "A folder doesn't have content");
    user.put(&format!("/files/{file}/unpublish")).await.expect(StatusCode::OK);
    anonymous(&server, &path).await.expect_classic(404, "Not found");
    // what is in the trash is gone here, even for its owner
    user.put(&format!("/files/{file}/publish")).await.expect(StatusCode::OK);
    user.delete(&format!("/files/{file}")).await.expect(StatusCode::NO_CONTENT);
    anonymous(&server, &path).await.expect_classic(404, "Not found");
    user.get(&path).await.expect_classic(404, "Not found");
}

#[actix_web::test]
async fn the_type_follows_the_name() {
    let server = Server::start().await;
    let user = server.user("a");
    let html = b"<!doctype html><script>alert(1)</script>";
    for (name, content, kind) in [
        ("a.txt", &b"text"[..], "text/plain; charset=utf-8"),
        ("A.TXT", b"text", "text/plain; charset=utf-8"),
        ("page.html", html, "text/html; charset=utf-8"),
        ("page.txt", html, "text/plain; charset=utf-8"),
        ("a.css", b"a{}", "text/css; charset=utf-8"),
        ("a.json", b"{}", "application/json"),
        ("image.png", b"no picture", "image/png"),
        ("photo.JPG", PNG, "image/jpeg"),
        ("README", "ünïcödé".as_bytes(), "text/plain; charset=utf-8"),
        ("noextension", PNG, "application/octet-stream"),
        ("a.unknownthing", b"\xff\xfe\x00", "application/octet-stream"),
        ("a.unknownthing", b"plain", "text/plain; charset=utf-8"),
    ] {
        let id = upload(&user, name, "file", content).await;
        let data = user.get(&format!("/files/{id}/data")).await;
        assert_eq!((data.status, data.header("content-type")), (StatusCode::OK, Some(kind)), "{name}");
        assert_eq!(data.bytes, content);
        assert_eq!(data.header("content-length"), Some(&*content.len().to_string()));
        // whatever it says, no script of it runs in our origin
        assert_eq!(data.header("x-content-type-options"), Some("nosniff"));
        let policy = data.header("content-security-policy").unwrap_or_default();
        let attached = data.header("content-disposition").unwrap_or_default().starts_with("attachment");
        assert!(
            policy.contains("sandbox") || attached || !(kind.contains("html") || kind.contains("svg")),
            "{name}"
        );
    }
}

#[actix_web::test]
async fn data_is_served_as_by_any_static_file_server() {
    let server = Server::start().await;
    let user = server.user("a");
    let large: Vec<u8> = (0..40_000u32).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
    for content in [&b"0123456789"[..], &large] {
        let id = upload(&user, "a.txt", "file", content).await;
        let path = format!("/files/{id}/data");
        let whole = user.get(&path).await;
        assert_eq!(whole.bytes, content);
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
        let tag = whole.header("etag").unwrap();
        let head = answer(user.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-length"), Some(&*content.len().to_string()));
        assert_eq!(
            (head.header("content-type"), head.header("etag")),
            (whole.header("content-type"), Some(tag))
        );
        let part = answer(user.request(Method::GET, &path).header("range", "bytes=2-5")).await;
        assert_eq!((part.status, &part.bytes[..]), (StatusCode::PARTIAL_CONTENT, &content[2..6]));
        assert_eq!(part.header("content-range"), Some(&*format!("bytes 2-5/{}", content.len())));
        assert_eq!(part.header("content-type"), whole.header("content-type"));
        let beyond = answer(user.request(Method::GET, &path).header("range", "bytes=100000-")).await;
        beyond.expect_classic(416, &format!("The content has {} bytes", content.len()));
        assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{}", content.len())));
        let same = answer(user.request(Method::GET, &path).header("if-none-match", tag)).await;
        assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
        let head = answer(server.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.bytes.len()), (StatusCode::NOT_FOUND, 0));
    }
}

/// Keeps thumbnails as worker-service would, each telling its width.
async fn keep_thumbnails(server: &Server, id: &str) {
    let node = server.store.find_path(FileId::parse(id).unwrap()).await.unwrap().unwrap().node;
    let content = node.content.unwrap();
    let thumbnails: Vec<_> = ThumbnailSize::ALL
        .into_iter()
        .map(|size| {
            let bytes = format!("thumbnail {}", size.pixels()).into_bytes();
            let blob = NewBlob {
                key: server.ids.blob_key(),
                size: bytes.len() as u64,
                sha256: Sha256::of(&bytes),
                crc32: Crc32(0),
                place: Place::Inline(bytes.into()),
            };
            NewThumbnail { size, blob, mime: "image/png".into() }
        })
        .collect();
    let now = common::Clock::now(&*server.clock);
    assert!(server.store.keep_thumbnails(content.blob, None, &thumbnails, now).await.unwrap());
}

#[actix_web::test]
async fn thumbnails_have_three_sizes_and_the_rights_of_the_original() {
    let server = Server::start().await;
    let user = server.user("a");
    let image = upload(&user, "photo.png", "image", PNG).await;
    let path = |size: &str| format!("/files/{image}/data?size={size}");
    // not made yet
    for size in ["500", "250", "100"] {
        user.get(&path(size)).await.expect_classic(404, "Not found");
    }
    keep_thumbnails(&server, &image).await;
    for size in ["500", "250", "100"] {
        let made = user.get(&path(size)).await;
        assert_eq!((made.status, made.text()), (StatusCode::OK, &*format!("thumbnail {size}")));
        assert_eq!(made.header("content-type"), Some("image/png"));
        anonymous(&server, &path(size)).await.expect_classic(404, "Not found");
        server.user("b").get(&path(size)).await.expect_classic(404, "Not found");
    }
    for wrong in ["300", "abc", "0", "-100", "1280", "100.0", "0100", "100%20", "..%2F..%2Fetc", "%00"] {
        user.get(&path(wrong)).await.expect_classic(404, "Not found");
    }
    assert_eq!(user.get(&path("")).await.bytes, PNG, "an empty size means the original");
    user.put(&format!("/files/{image}/publish")).await.expect(StatusCode::OK);
    assert_eq!(anonymous(&server, &path("100")).await.text(), "thumbnail 100");
    // a file, even of a picture, and a folder have none
    let file = upload(&user, "photo.png", "file", PNG).await;
    keep_thumbnails(&server, &file).await;
    user.get(&format!("/files/{file}/data?size=100")).await.expect_classic(404, "Not found");
    let dir = folder(&user, "docs", json!(0)).await;
    user.get(&format!("/files/{dir}/data?size=100"))
        .await
        .expect_classic(400, "A folder doesn't have content");
    let text = upload(&user, "a.txt", "image", b"no picture").await;
    user.get(&format!("/files/{text}/data?size=100")).await.expect_classic(404, "Not found");
    assert_eq!(user.get(&format!("/files/{text}/data")).await.text(), "no picture");
}

#[actix_web::test]
async fn what_was_made_elsewhere_shows_as_what_it_is() {
    let server = Server::start().await;
    let user = server.user("a");
    let picture = user.file("photo.png", "root", PNG).await;
    let text = user.file("a.txt", "root", "x").await;
    let empty = user.file("empty", "root", "").await;
    let dir = user.folder("docs", "root").await;
    for (id, kind) in [(&picture, "image"), (&text, "file"), (&empty, "file"), (&dir, "folder")] {
        assert_eq!(user.get(&format!("/files/{id}")).await.expect(StatusCode::OK)["type"], kind);
    }
    keep_thumbnails(&server, &picture).await;
    assert_eq!(user.get(&format!("/files/{picture}/data?size=250")).await.text(), "thumbnail 250");
    // an empty file made by v1 has its data here
    let data = user.get(&format!("/files/{empty}/data")).await;
    assert_eq!((data.status, data.bytes.len()), (StatusCode::OK, 0));
    // and what was moved says where it is
    user.patch(&format!("/api/v1/files/{text}"), json!({ "parentId": dir })).await.expect(StatusCode::OK);
    assert_eq!(user.get(&format!("/files/{text}")).await.expect(StatusCode::OK)["parentId"], json!(dir));
}

#[actix_web::test]
async fn stored_bytes_that_are_missing_are_404() {
    let server = Server::with(|settings| settings.inline_bytes = 0).await;
    let user = server.user("a");
    let file = upload(&user, "a.txt", "file", b"Hello").await;
    let node = server.store.find_path(FileId::parse(&file).unwrap()).await.unwrap().unwrap().node;
    assert!(server.blobs.delete(node.content.unwrap().blob).await.unwrap());
    user.get(&format!("/files/{file}/data")).await.expect_classic(404, "Not found");
    user.get(&format!("/files/{file}")).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn unknown_paths_and_methods_are_json() {
    let server = Server::start().await;
    let user = server.user("a");
    for path in ["/files/x/y", "/files/", "/files/a/data/b", "/stats/x", "/status/"] {
        user.get(path).await.expect_classic(404, "Not found");
    }
    let id = folder(&user, "docs", json!(0)).await;
    for (method, path, allow) in [
        (Method::PATCH, "/files".to_owned(), "GET, POST, OPTIONS"),
        (Method::POST, format!("/files/{id}"), "GET, DELETE, OPTIONS"),
        (Method::GET, format!("/files/{id}/publish"), "PUT, OPTIONS"),
        (Method::POST, format!("/files/{id}/data"), "GET, HEAD, OPTIONS"),
        (Method::POST, "/stats".to_owned(), "GET, OPTIONS"),
    ] {
        let wrong = answer(user.request(method, &path)).await;
        wrong.expect_classic(405, "Method not allowed");
        assert_eq!(wrong.header("allow"), Some(allow), "{path}");
    }
    server.clock.advance(Duration::from_secs(1));
}
