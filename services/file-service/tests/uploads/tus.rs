//! tus 1.0.0: the core, creation and termination.

use common::Sha256;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, metadata};
use crate::support::{Server, answer, names_of};

#[actix_web::test]
async fn an_upload_in_three_goes_becomes_a_file() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let folder = ann.folder("docs", "root").await;
    let bytes = content(3_000_000);
    let said = metadata(&[
        ("filename", "ä report.txt"),
        ("folder", &folder),
        ("modifiedAt", "2020-02-29T12:00:00Z"),
        ("mine", "x"),
    ]);
    let made =
        ann.tus(Method::POST, UPLOADS).header("upload-length", bytes.len()).header("upload-metadata", &said);
    let made = answer(made).await;
    made.expect(StatusCode::CREATED);
    assert_eq!(made.header("tus-resumable"), Some("1.0.0"));
    assert!(made.header("upload-expires").is_some_and(|at| httpdate::parse_http_date(at).is_ok()));
    let upload = address(&made);

    let mut offset = 0;
    for end in [1, 1_500_000] {
        let sent = ann.send(&upload, offset, &bytes[offset..end]).await;
        assert_eq!(sent.status, StatusCode::NO_CONTENT);
        assert_eq!(sent.header("upload-offset"), Some(&*end.to_string()));
        assert_eq!((sent.header("tus-resumable"), sent.header("file-id")), (Some("1.0.0"), None));
        offset = end;
        // nothing of it shows
        assert!(ann.names(&folder).await.is_empty());
    }
    let stands = ann.stands(&upload).await;
    assert_eq!(stands.status, StatusCode::OK);
    assert_eq!(stands.header("upload-offset"), Some("1500000"));
    assert_eq!(stands.header("upload-length"), Some("3000000"));
    assert_eq!(stands.header("upload-metadata"), Some(&*said));
    assert_eq!(stands.header("cache-control"), Some("no-store"));
    let shown = ann.get(&upload).await.expect(StatusCode::OK);
    assert_eq!(
        (&shown["state"], &shown["offset"], &shown["folderId"]),
        (&json!("open"), &json!(1_500_000), &json!(folder))
    );
    let listed = ann.get(UPLOADS).await.expect(StatusCode::OK);
    assert_eq!(names_of(&listed), ["ä report.txt"]);

    let done = ann.send(&upload, offset, &bytes[offset..]).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    let file = file_id(&done);
    assert_eq!(ann.content_of(&file).await, bytes);
    let node = ann.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!(node["sha256"], Sha256::of(&bytes).to_string());
    assert_eq!((&node["name"], &node["parentId"]), (&json!("ä report.txt"), &json!(folder)));
    assert_eq!(node["contentModifiedAt"], "2020-02-29T12:00:00.000Z");
    assert_eq!(ann.names(&folder).await, ["ä report.txt"]);
    assert_eq!(names_of(&ann.get(UPLOADS).await.expect(StatusCode::OK)), [""; 0]);

    // who did not hear of it learns of it
    let stands = ann.stands(&upload).await;
    assert_eq!((stands.header("upload-offset"), stands.header("file-id")), (Some("3000000"), Some(&*file)));
    // the last bytes once more: one file, as before
    ann.send(&upload, offset, &bytes[offset..]).await.expect_problem(409, "upload_offset");
    let again = ann.send(&upload, bytes.len(), &[]).await;
    assert_eq!((again.status, file_id(&again)), (StatusCode::NO_CONTENT, file.clone()));
    assert_eq!(ann.names(&folder).await.len(), 1);
    let usage = ann.get("/api/v1/usage").await.expect(StatusCode::OK);
    assert_eq!(usage["usedBytes"], 3_000_000);

    // a new upload of the same name and size starts anew
    let again = ann.begin("again", bytes.len()).await;
    assert_eq!(ann.offset(&again).await, 0);
}

#[actix_web::test]
async fn bytes_may_come_with_the_creation() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let bytes = content(100_000);
    for (name, first) in [("whole", bytes.len()), ("half", 40_000)] {
        let made = ann
            .tus(Method::POST, UPLOADS)
            .header("upload-length", bytes.len())
            .header("upload-metadata", metadata(&[("filename", name)]))
            .header("content-type", "application/offset+octet-stream")
            .body(bytes[..first].to_vec());
        let made = answer(made).await;
        made.expect(StatusCode::CREATED);
        assert_eq!(made.header("upload-offset"), Some(&*first.to_string()));
        let file = if first == bytes.len() {
            file_id(&made)
        } else {
            file_id(&ann.send(&address(&made), first, &bytes[first..]).await)
        };
        assert_eq!(ann.content_of(&file).await, bytes);
    }
}

#[actix_web::test]
async fn an_empty_file_is_there_at_once() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let made = ann
        .tus(Method::POST, UPLOADS)
        .header("upload-length", 0)
        .header("upload-metadata", metadata(&[("filename", "empty")]));
    let made = answer(made).await;
    made.expect(StatusCode::CREATED);
    assert_eq!(ann.content_of(&file_id(&made)).await, b"");
}

#[actix_web::test]
async fn the_length_may_be_said_later() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let made = ann
        .tus(Method::POST, UPLOADS)
        .header("upload-defer-length", "1")
        .header("upload-metadata", metadata(&[("filename", "later")]));
    let upload = address(&answer(made).await);
    let stands = ann.stands(&upload).await;
    assert_eq!((stands.header("upload-defer-length"), stands.header("upload-length")), (Some("1"), None));
    assert_eq!(ann.send(&upload, 0, b"Hello ").await.status, StatusCode::NO_CONTENT);
    let patch = |offset: usize, length: &str, bytes: &'static str| {
        let request =
            ann.tus(Method::PATCH, &upload).header("upload-offset", offset).header("upload-length", length);
        answer(request.header("content-type", "application/offset+octet-stream").body(bytes))
    };
    // less than is there, or than comes
    patch(6, "5", "").await.expect_problem(400, "upload_length");
    patch(6, "10", "Webstack!").await.expect_problem(413, "too_large");
    assert_eq!(patch(6, "15", "Web").await.status, StatusCode::NO_CONTENT);
    patch(9, "16", "stack!").await.expect_problem(400, "upload_length");
    let done = patch(9, "15", "stack!").await;
    assert_eq!(ann.content_of(&file_id(&done)).await, b"Hello Webstack!");
}

#[actix_web::test]
async fn what_a_creation_lacks_is_named() {
    let server = Server::with(|settings| settings.max_upload_bytes = Some(1000)).await;
    let ann = server.user("ann");
    ann.file("taken", "root", "x").await;
    let named = metadata(&[("filename", "new")]);
    for (fields, status, code) in [
        (vec![("upload-length", "10")], 400, "invalid_request"),
        (vec![("upload-metadata", &*named)], 400, "invalid_request"),
        (vec![("upload-metadata", &*named), ("upload-length", "-1")], 400, "invalid_request"),
        (
            vec![("upload-metadata", &*named), ("upload-length", "1"), ("upload-defer-length", "1")],
            400,
            "invalid_request",
        ),
        (vec![("upload-metadata", &*named), ("upload-defer-length", "2")], 400, "invalid_request"),
        (vec![("upload-metadata", "filename !"), ("upload-length", "10")], 400, "invalid_request"),
        (
            vec![("upload-metadata", &*metadata(&[("filename", "a/b")])), ("upload-length", "10")],
            400,
            "invalid_name",
        ),
        (
            vec![("upload-metadata", &*metadata(&[("filename", "taken")])), ("upload-length", "10")],
            409,
            "name_taken",
        ),
        (
            vec![
                ("upload-metadata", &*metadata(&[("filename", "a"), ("folder", "0123456789abcdef01234567")])),
                ("upload-length", "10"),
            ],
            404,
            "parent_not_found",
        ),
        (vec![("upload-metadata", &*named), ("upload-length", "1001")], 413, "too_large"),
    ] {
        let mut request = ann.tus(Method::POST, UPLOADS);
        for (name, value) in &fields {
            request = request.header(*name, *value);
        }
        let refused = answer(request).await;
        refused.expect_problem(status, code);
        assert_eq!(refused.header("tus-resumable"), Some("1.0.0"), "{fields:?}");
    }
    // another version of the protocol, no protocol, and another type of bytes
    let version = answer(ann.request(Method::POST, UPLOADS).header("tus-resumable", "2.0.0")).await;
    version.expect_problem(412, "precondition_failed");
    assert_eq!(version.header("tus-version"), Some("1.0.0"));
    answer(ann.request(Method::POST, UPLOADS)).await.expect_problem(400, "invalid_request");
    let typed =
        ann.tus(Method::POST, UPLOADS).header("upload-length", 1).header("upload-metadata", &named).body("x");
    answer(typed).await.expect_problem(415, "unsupported_media_type");
    assert_eq!(ann.get(UPLOADS).await.expect(StatusCode::OK)["items"], json!([]));
}

#[actix_web::test]
async fn only_the_right_offset_counts() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 10).await;
    assert_eq!(ann.send(&upload, 0, b"12345").await.status, StatusCode::NO_CONTENT);
    for wrong in [0, 4, 6, 10, 11] {
        let refused = ann.send(&upload, wrong, b"x").await;
        let problem = refused.expect_problem(409, "upload_offset");
        assert_eq!(
            problem["type"],
            "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
        );
        assert_eq!((&problem["expected-offset"], &problem["provided-offset"]), (&json!(5), &json!(wrong)));
        assert_eq!(
            (refused.header("upload-offset"), refused.header("tus-resumable")),
            (Some("5"), Some("1.0.0"))
        );
    }
    for wrong in ["-5", "five", "", "5.0"] {
        let request = ann.tus(Method::PATCH, &upload).header("upload-offset", wrong);
        let request = request.header("content-type", "application/offset+octet-stream").body("x");
        answer(request).await.expect_problem(400, "invalid_request");
    }
    let missing = ann.tus(Method::PATCH, &upload).header("content-type", "application/offset+octet-stream");
    answer(missing.body("x")).await.expect_problem(400, "invalid_request");
    let typed =
        ann.tus(Method::PATCH, &upload).header("upload-offset", 5).header("content-type", "text/plain");
    answer(typed.body("x")).await.expect_problem(415, "unsupported_media_type");
    let version =
        ann.request(Method::PATCH, &upload).header("tus-resumable", "0.2.2").header("upload-offset", 5);
    answer(version.body("x")).await.expect_problem(412, "precondition_failed");
    // more than the whole has
    ann.send(&upload, 5, b"678901").await.expect_problem(413, "too_large");
    assert_eq!(ann.offset(&upload).await, 5);
    let done = ann.send(&upload, 5, b"67890").await;
    assert_eq!(ann.content_of(&file_id(&done)).await, b"1234567890");
}

#[actix_web::test]
async fn a_body_without_a_length_stops_at_the_end() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 200_000).await;
    let bytes = content(300_000);
    let chunked = |offset: usize, bytes: Vec<u8>| {
        let pieces: Vec<Result<_, std::io::Error>> =
            bytes.chunks(50_000).map(|piece| Ok(piece.to_vec())).collect();
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        let request = ann.tus(Method::PATCH, &upload).header("upload-offset", offset);
        answer(request.header("content-type", "application/offset+octet-stream").body(body))
    };
    chunked(0, bytes.clone()).await.expect_problem(413, "too_large");
    // what fits may have stayed, but nothing is whole by accident
    let offset = ann.offset(&upload).await;
    assert!(offset <= 200_000);
    let done = chunked(offset, bytes[offset..200_000].to_vec()).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.content_of(&file_id(&done)).await, bytes[..200_000]);
}

#[actix_web::test]
async fn an_ended_upload_is_gone_with_its_bytes() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 10).await;
    ann.send(&upload, 0, b"12345").await;
    let partial = server.dir.path().join("blobs/partial");
    assert_eq!(partial.read_dir().unwrap().count(), 1);
    let ended = answer(ann.tus(Method::DELETE, &upload)).await;
    assert_eq!((ended.status, ended.header("tus-resumable")), (StatusCode::NO_CONTENT, Some("1.0.0")));
    assert_eq!(partial.read_dir().unwrap().count(), 0);
    assert_eq!(ann.stands(&upload).await.status, StatusCode::NOT_FOUND);
    ann.send(&upload, 5, b"67890").await.expect_problem(404, "not_found");
    answer(ann.tus(Method::DELETE, &upload)).await.expect_problem(404, "not_found");
    // a file stays when its upload is ended
    let upload = ann.begin("file", 3).await;
    let file = file_id(&ann.send(&upload, 0, b"abc").await);
    assert_eq!(ann.delete(&upload).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.content_of(&file).await, b"abc");
}

#[actix_web::test]
async fn methods_may_be_hidden_in_a_post() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let upload = ann.begin("file", 5).await;
    let hidden = |method: &str| ann.tus(Method::POST, &upload).header("x-http-method-override", method);
    let patch =
        hidden("PATCH").header("upload-offset", 0).header("content-type", "application/offset+octet-stream");
    assert_eq!(answer(patch.body("abc")).await.header("upload-offset"), Some("3"));
    assert_eq!(answer(hidden("HEAD")).await.header("upload-offset"), Some("3"));
    answer(hidden("GET")).await.expect_problem(405, "method_not_allowed");
    answer(ann.tus(Method::POST, &upload)).await.expect_problem(405, "method_not_allowed");
    assert_eq!(answer(hidden("delete")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.stands(&upload).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn options_tell_what_is_spoken() {
    let server = Server::with(|settings| settings.max_upload_bytes = Some(5000)).await;
    let told = answer(server.request(Method::OPTIONS, UPLOADS)).await;
    assert_eq!(told.status, StatusCode::NO_CONTENT);
    assert_eq!(told.header("tus-version"), Some("1.0.0"));
    assert_eq!(told.header("tus-max-size"), Some("5000"));
    assert_eq!(told.header("tus-checksum-algorithm"), Some("sha1,sha256,crc32"));
    assert_eq!(told.header("upload-limit"), Some("max-size=5000, max-age=604800"));
    let extensions = told.header("tus-extension").unwrap();
    for extension in [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
    ] {
        assert!(extensions.split(',').any(|told| told == extension), "{extension}");
    }
    assert!(!extensions.contains("trailer"));
}

#[actix_web::test]
async fn a_taken_name_can_be_changed_when_all_bytes_are_there() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let folder = ann.folder("other", "root").await;
    let upload = ann.begin("file", 5).await;
    // somebody is quicker
    ann.file("file", "root", "theirs").await;
    ann.send(&upload, 0, b"ours!").await.expect_problem(409, "name_taken");
    let shown = ann.get(&upload).await.expect(StatusCode::OK);
    assert_eq!((&shown["state"], &shown["offset"]), (&json!("complete"), &json!(5)));
    ann.send(&upload, 5, b"").await.expect_problem(409, "name_taken");
    ann.send(&upload, 5, b"more").await.expect_problem(400, "upload_complete");
    ann.patch(&upload, json!({"name": "a/b"})).await.expect_problem(400, "invalid_name");
    ann.patch(&upload, json!({"color": "red"})).await.expect_problem(400, "invalid_request");
    let made =
        ann.patch(&upload, json!({"name": "ours", "folderId": folder})).await.expect(StatusCode::CREATED);
    assert_eq!(
        (&made["name"], &made["parentId"], &made["size"]),
        (&json!("ours"), &json!(folder), &json!(5))
    );
    ann.patch(&upload, json!({"name": "again"})).await.expect_problem(400, "upload_complete");
    assert_eq!(ann.names("root").await, ["other", "file"]);
}

#[actix_web::test]
async fn conflicts_end_as_the_client_says() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let old = ann.file("file", "root", "old").await;
    for (policy, names, content) in [("rename", 2, "old"), ("replace", 2, "new")] {
        let made = ann
            .tus(Method::POST, UPLOADS)
            .header("upload-length", 3)
            .header("upload-metadata", metadata(&[("filename", "file"), ("onConflict", policy)]));
        let upload = address(&answer(made).await);
        let done = ann.send(&upload, 0, b"new").await;
        assert_eq!(done.status, StatusCode::NO_CONTENT);
        assert_eq!(file_id(&done) == old, policy == "replace");
        assert_eq!(ann.names("root").await.len(), names);
        assert_eq!(ann.content_of(&old).await, content.as_bytes());
    }
    let node = ann.get(&format!("/api/v1/files/{old}")).await.expect(StatusCode::OK);
    assert_eq!(node["version"], 2);
}
