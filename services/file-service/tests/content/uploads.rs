//! Uploads that end well.

use common::files::FileStore as _;
use common::{BlobKey, FileId, Sha256};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use crate::helpers::{child, chunked, content, digest_field, noise};
use crate::support::{Server, answer, id_of, names_of, segment};

#[actix_web::test]
async fn contents_of_any_size_come_back() {
    let server = Server::start().await;
    let user = server.user("a");
    for (number, size) in [0, 1, 16_384, 16_385, 524_288, 3_000_001].into_iter().enumerate() {
        for announced in [true, false] {
            let bytes = noise(size);
            let name = format!("{number} {announced}.bin");
            let body = if announced { bytes.clone().into() } else { chunked(bytes.clone()) };
            let made = user.upload(&child("root", &name, ""), body).await;
            let file = made.expect(StatusCode::CREATED);
            let sha256 = Sha256::of(&bytes).to_string();
            assert_eq!(
                (&file["size"], &file["sha256"], &file["version"]),
                (&size.into(), &sha256.into(), &1.into()),
                "{size}"
            );
            let location = made.header("location").unwrap();
            let base = reqwest::Url::parse(&format!("{}{}", server.base, child("root", &name, ""))).unwrap();
            assert_eq!(base.join(location).unwrap().path(), format!("/api/v1/files/{}", id_of(&file)));
            let got = user.get(&content(&id_of(&file))).await;
            assert_eq!((got.status, &got.bytes[..]), (StatusCode::OK, &bytes[..]), "{size}");
            assert_eq!(got.header("content-length"), Some(&*size.to_string()));
            assert_eq!(got.header("repr-digest"), Some(&*digest_field(&bytes)));
            assert_eq!(got.header("etag"), made.header("etag"), "C044");
        }
    }
    // small ones stand in the store itself
    assert_eq!(server.stored().len(), 6);
    assert!(server.temporary().is_empty());
}

#[actix_web::test]
async fn the_type_is_found_from_the_content() {
    let server = Server::start().await;
    let user = server.user("a");
    for (name, bytes, kind) in [
        ("a.png", b"<script>alert(1)</script>".as_slice(), "text/html"),
        ("b.html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        ("c.csv", b"a,b\n1,2\n", "text/csv"),
        ("d", b"\0\x01\x02\x03", "application/octet-stream"),
        ("e.ts", b"export const a = 1;\n", "text/x-typescript"),
    ] {
        let made = user.upload_with(&child("root", name, ""), bytes, &[("content-type", "text/html")]).await;
        assert_eq!(made.expect(StatusCode::CREATED)["mimeType"], kind, "{name}");
    }
    // the first bytes decide of large ones too, however they come
    let large = [b"%PDF-1.7\n".as_slice(), &noise(100_000)].concat();
    let made = user.upload(&child("root", "large", ""), chunked(large.into())).await;
    assert_eq!(made.expect(StatusCode::CREATED)["mimeType"], "application/pdf");
}

#[actix_web::test]
async fn a_taken_name_is_treated_as_asked() {
    let server = Server::start().await;
    let user = server.user("a");
    let first = user.file("a.txt", "root", "one").await;
    let folder = user.folder("folder", "root").await;
    for query in ["", "?onConflict=fail"] {
        let taken =
            user.upload(&child("root", "a.txt", query), "two").await.expect_problem(409, "name_taken");
        assert_eq!(taken["existingId"], first);
    }
    let taken = user
        .upload_with(&child("root", "a.txt", "?onConflict=replace"), "two", &[("if-none-match", "*")])
        .await;
    taken.expect_problem(409, "name_taken");
    let renamed =
        user.upload(&child("root", "a.txt", "?onConflict=rename"), "two").await.expect(StatusCode::CREATED);
    assert_eq!(renamed["name"], "a (2).txt");
    let replaced = user.upload(&child("root", "a.txt", "?onConflict=replace"), "three").await;
    assert_eq!(replaced.header("location"), None);
    let replaced = replaced.expect(StatusCode::OK);
    assert_eq!((id_of(&replaced), &replaced["version"]), (first.clone(), &2.into()));
    assert_eq!(user.get(&content(&first)).await.text(), "three");
    let taken = user
        .upload(&child("root", "folder", "?onConflict=replace"), "x")
        .await
        .expect_problem(409, "name_taken");
    assert_eq!(taken["existingId"], folder);
    let made =
        user.upload(&child("root", "new.txt", "?onConflict=replace"), "x").await.expect(StatusCode::CREATED);
    assert_eq!(made["name"], "new.txt");
    user.upload(&child("root", "b.txt", "?onConflict=perhaps"), "x")
        .await
        .expect_problem(400, "invalid_request");
    user.upload(&child("root", "b.txt", "?unknown=1"), "x").await.expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn a_condition_holds_for_what_is_replaced() {
    let server = Server::start().await;
    let user = server.user("a");
    let made = user.upload(&child("root", "a.txt", ""), "one").await;
    let tag = made.header("etag").unwrap().to_owned();
    let file = made.expect(StatusCode::CREATED);
    let (id, own_tag) = (id_of(&file), file["etag"].as_str().unwrap().to_owned());
    for path in [child("root", "a.txt", ""), content(&id)] {
        user.upload_with(&path, "two", &[("if-match", "\"other\"")])
            .await
            .expect_problem(412, "precondition_failed");
    }
    user.upload_with(&child("root", "b.txt", ""), "x", &[("if-match", "*")])
        .await
        .expect_problem(412, "precondition_failed");
    // the tag of the content, that of the file, and any
    let second = user.upload_with(&child("root", "a.txt", ""), "two", &[("if-match", &tag)]).await;
    assert_eq!(second.expect(StatusCode::OK)["version"], 2);
    user.upload_with(&content(&id), "three", &[("if-match", &tag)])
        .await
        .expect_problem(412, "precondition_failed");
    user.upload_with(&content(&id), "three", &[("if-match", &own_tag)])
        .await
        .expect_problem(412, "precondition_failed");
    let own_tag = user.show(&id).await["etag"].as_str().unwrap().to_owned();
    user.upload_with(&content(&id), "three", &[("if-match", &own_tag)]).await.expect(StatusCode::OK);
    let last = user.upload_with(&content(&id), "four", &[("if-match", "*")]).await;
    assert_eq!(last.expect(StatusCode::OK)["version"], 4);
    assert_eq!(user.get(&content(&id)).await.header("etag"), last.header("etag"));
}

#[actix_web::test]
async fn new_content_keeps_the_old_one_as_a_version() {
    let server = Server::with(|settings| settings.keep_versions = 2).await;
    let user = server.user("a");
    let id = user.file("a.bin", "root", noise(20_000)).await;
    for version in 2..=5 {
        let file = user.upload(&content(&id), noise(20_000 + version)).await.expect(StatusCode::OK);
        assert_eq!((&file["version"], &file["size"]), (&version.into(), &(20_000 + version).into()));
    }
    // the current one and two old ones
    assert_eq!(server.usage_of(&user).await.used_bytes, 20_003 + 20_004 + 20_005);
    let folder = user.folder("f", "root").await;
    user.upload(&content(&folder), "x").await.expect_problem(409, "not_a_file");
    user.upload(&content("5f1e8896c7ba06511e683b25"), "x").await.expect_problem(404, "not_found");
    server.user("b").upload(&content(&id), "x").await.expect_problem(404, "not_found");
    server.user("b").upload(&child(&folder, "x", ""), "x").await.expect_problem(404, "parent_not_found");
    user.upload(&child(&id, "x", ""), "x").await.expect_problem(409, "parent_not_folder");
}

#[actix_web::test]
async fn of_racing_uploads_each_gets_what_it_asked_for() {
    let server = Server::start().await;
    let user = server.user("a");
    let contents: Vec<_> = (0..16).map(|number| noise(20_000 + number)).collect();
    let race = async |name: &str, query: &str| {
        let path = child("root", name, query);
        join_all(contents.iter().map(|content| user.upload(&path, content.clone()))).await
    };
    let failing = race("fail", "").await;
    assert_eq!(failing.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 1);
    assert!(failing.iter().all(|answer| [201, 409].contains(&answer.status.as_u16())));
    let renaming = race("rename", "?onConflict=rename").await;
    assert!(renaming.iter().all(|answer| answer.status == StatusCode::CREATED));
    let replacing = race("replace", "?onConflict=replace").await;
    assert!(
        replacing.iter().all(|answer| answer.status.is_success()),
        "{:?}",
        replacing.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    assert_eq!(replacing.iter().filter(|answer| answer.status == StatusCode::CREATED).count(), 1);
    let list = user.get("/api/v1/files/root/children?limit=1000").await.expect(StatusCode::OK);
    assert_eq!(names_of(&list).len(), 1 + 16 + 1);
    // whoever was refused left nothing
    crate::support::until("no stray is left", async || server.stored().len() == 1 + 16 + 16).await;
    let replaced = user.child_named("replace").await.unwrap();
    assert_eq!(replaced["version"], 16);
    assert_eq!(server.usage_of(&user).await.reserved_bytes, 0);
}

#[actix_web::test]
async fn c112_the_time_of_the_content_is_kept() {
    let server = Server::start().await;
    let user = server.user("a");
    for (number, (sent, shown, header)) in [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("2040-02-29T12:00:00.5%2B01:00", "2040-02-29T11:00:00.500Z", "Wed, 29 Feb 2040 11:00:00 GMT"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ]
    .into_iter()
    .enumerate()
    {
        let made =
            user.upload(&child("root", &number.to_string(), &format!("?modifiedAt={sent}")), "x").await;
        let file = made.expect(StatusCode::CREATED);
        assert_eq!(file["contentModifiedAt"], shown);
        assert_eq!(user.get(&content(&id_of(&file))).await.header("last-modified"), Some(header));
    }
    for wrong in ["yesterday", "1700000000", "20260-01-01T00:00:00Z"] {
        user.upload(&child("root", "w", &format!("?modifiedAt={wrong}")), "x")
            .await
            .expect_problem(400, "invalid_request");
    }
    let file = user.file("now", "root", "x").await;
    assert_eq!(user.show(&file).await["contentModifiedAt"], common::Clock::now(&*server.clock).to_string());
}

#[actix_web::test]
async fn names_of_every_kind_can_be_uploaded() {
    let server = Server::start().await;
    let user = server.user("a");
    let long = format!("{}.txt", "x".repeat(251));
    for name in
        ["50%.txt", "%zz", "a+b c", "what?.txt", "a#b;c&d=e", " ends ", "naïve “quote” 日本.txt", "😀", &long]
    {
        for size in [10, 20_000] {
            let path = child("root", name, "?onConflict=replace");
            let made = user.upload(&path, noise(size)).await;
            assert!(made.status.is_success(), "{name}");
        }
        assert!(user.child_named(name).await.is_some(), "{name}");
    }
    // `..` is not among them: a client resolves it before it sends anything
    for (name, code) in
        [(&*"é".repeat(128), "invalid_name"), ("a\0b", "invalid_name"), ("a\\b", "invalid_name")]
    {
        let path = format!("/api/v1/files/root/children/{}/content", segment(name));
        answer(user.request(Method::PUT, &path).body("x")).await.expect_problem(400, code);
    }
}

#[actix_web::test]
async fn digests_are_checked() {
    let server = Server::start().await;
    let user = server.user("a");
    for size in [100, 100_000] {
        let bytes = noise(size);
        let (right, wrong) = (digest_field(&bytes), digest_field(b"other"));
        for field in ["repr-digest", "content-digest"] {
            let refused = user.upload_with(&child("root", "a", ""), bytes.clone(), &[(field, &wrong)]).await;
            refused.expect_problem(400, "digest_mismatch");
            user.upload_with(&child("root", "a", ""), bytes.clone(), &[(field, "sha-256=x")])
                .await
                .expect_problem(400, "invalid_request");
        }
        let both = [("repr-digest", &*right), ("content-digest", &*wrong)];
        user.upload_with(&child("root", "a", ""), bytes.clone(), &both)
            .await
            .expect_problem(400, "digest_mismatch");
        server.nothing_is_left(&user).await;
    }
    for (name, size) in [("a", 100), ("b", 100_000)] {
        let bytes = noise(size);
        let both = [("repr-digest", &*digest_field(&bytes)), ("content-digest", "sha-512=:AAAA:")];
        user.upload_with(&child("root", name, ""), bytes, &both).await.expect(StatusCode::CREATED);
    }
}

#[actix_web::test]
async fn a_file_that_was_made_inline_can_be_read_under_another_bound() {
    // the setting may have been another when the content was kept
    let server = Server::with(|settings| settings.inline_bytes = 0).await;
    let user = server.user("a");
    let id = user.file("a", "root", "small").await;
    assert_eq!(server.stored().len(), 1);
    assert_eq!(user.get(&content(&id)).await.text(), "small");
    let node = server.store.find_path(FileId::parse(&id).unwrap()).await.unwrap().unwrap().node;
    let key: BlobKey = node.content.unwrap().blob;
    assert!(!server.store.find_blob(key).await.unwrap().unwrap().inline);
}
