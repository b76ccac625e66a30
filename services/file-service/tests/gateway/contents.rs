//! Bytes and header fields are the same with the gateway and without it.

use common::jobs::Outbox as _;
use common::jobs::types::ThumbnailsData;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::helpers::{Installation, OK, ask, file, noise};
use crate::support::{Answer, answer};

/// Fields that belong to a connection or a moment.
const OF_THE_HOP: &[&str] = &["connection", "date", "keep-alive", "server", "transfer-encoding"];

/// Every field with each of its values, sorted.
fn fields(answer: &Answer) -> Vec<(String, String)> {
    let mut fields: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !OF_THE_HOP.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    fields.sort();
    fields
}

#[track_caller]
fn expect_same(case: &str, (through, without): &(Answer, Answer)) {
    assert_eq!(through.status, without.status, "{case}: {:?}", String::from_utf8_lossy(&through.bytes));
    assert_eq!(fields(through), fields(without), "{case}");
    assert!(through.bytes == without.bytes, "{case}: the bytes differ");
}

/// A method, fields, and whether the gateway sends the bytes of a blob.
type Question = (Method, Vec<(&'static str, String)>, bool);

/// What a content is asked.
fn questions(etag: &str, modified: &str) -> Vec<Question> {
    let ask = |fields: &[(&'static str, &str)]| {
        fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
    };
    let earlier = "Thu, 01 Jan 1970 00:00:01 GMT";
    let later = "Fri, 31 Dec 2100 23:59:59 GMT";
    let part = ("range", "bytes=10-19");
    let mut questions = vec![
        (Method::GET, ask(&[]), true),
        (Method::GET, ask(&[("accept-encoding", "gzip, br")]), true),
        (Method::GET, ask(&[("want-content-digest", "sha-256=10")]), true),
        (Method::GET, ask(&[("want-content-digest", "sha-256=10"), ("accept-encoding", "gzip")]), true),
        (Method::GET, ask(&[("want-content-digest", "sha-256=10"), part]), true),
        (Method::GET, ask(&[("want-content-digest", "sha-256=10"), ("want-repr-digest", "sha-256=0")]), true),
        (Method::GET, ask(&[("want-repr-digest", "sha-256=0"), part]), true),
        (Method::GET, ask(&[("if-none-match", etag)]), false),
        (Method::GET, ask(&[("if-none-match", "*")]), false),
        (Method::GET, ask(&[("if-none-match", "\"other\"")]), true),
        (Method::GET, ask(&[("if-none-match", "\"other\""), part]), true),
        (Method::GET, ask(&[("if-modified-since", modified)]), false),
        (Method::GET, ask(&[("if-modified-since", later)]), false),
        (Method::GET, ask(&[("if-modified-since", earlier)]), true),
        (Method::GET, ask(&[("if-match", etag)]), false),
        (Method::GET, ask(&[("if-match", etag), part]), false),
        (Method::GET, ask(&[("if-match", "\"other\"")]), false),
        (Method::GET, ask(&[("if-unmodified-since", modified)]), false),
        (Method::GET, ask(&[("if-unmodified-since", earlier)]), false),
        (Method::GET, ask(&[("if-range", etag), part]), true),
        (Method::GET, ask(&[("if-range", modified), part]), true),
        (Method::GET, ask(&[("if-range", "\"stale\""), part]), true),
        (Method::GET, ask(&[("if-range", earlier), part]), true),
        (Method::GET, ask(&[("if-range", "nonsense"), part]), true),
        (Method::GET, ask(&[("if-range", etag)]), true),
        (Method::HEAD, ask(&[]), false),
        (Method::HEAD, ask(&[part]), false),
        (Method::HEAD, ask(&[("if-none-match", etag)]), false),
    ];
    for (range, handed_over) in [
        ("bytes=0-0", true),
        ("bytes=0-", true),
        ("bytes=50-", true),
        ("bytes=-7", true),
        ("bytes=-999999999", true),
        ("bytes=90-999999999", true),
        ("bytes=-18446744073709551616", false),
        ("bytes=0-18446744073709551616", false),
        ("bytes=999999999-", false),
        ("bytes=-0", false),
        ("bytes=5-4", true),
        ("bytes=x", true),
        ("lines=0-9", true),
        ("bytes=0-4,5-9", false),
        ("bytes=0-4,10-19,30-39", false),
        ("bytes= 0-9", false),
    ] {
        questions.push((Method::GET, ask(&[("range", range)]), handed_over));
    }
    questions
}

async fn compare(installation: &Installation, path: &str, is_blob: bool) {
    let plain = ask(Method::GET, &installation.server.base, path, &[]).await;
    assert_eq!(plain.status, OK);
    let (etag, modified) = (plain.header("etag").unwrap(), plain.header("last-modified").unwrap());
    for (method, extra, handed_over) in questions(etag, modified) {
        let case = format!("{method} {path} {extra:?}");
        let mut fields: Vec<(&str, &str)> = vec![("x-request-id", "the-same")];
        fields.extend(extra.iter().map(|(name, value)| (*name, value.as_str())));
        let mut both = installation.both(method.clone(), path, &fields).await;
        for answer in [&mut both.0, &mut both.1] {
            without_boundary(answer);
        }
        expect_same(&case, &both);
        let behind = ask(method, &installation.behind, path, &fields).await;
        let address = behind.header("x-accel-redirect");
        assert_eq!(address.is_some(), is_blob && handed_over, "{case}");
        let leaks = both.0.headers.keys().any(|name| name.as_str().starts_with("x-accel"));
        assert!(!leaks, "{case}");
    }
}

/// Parts of one answer are divided by random characters.
fn without_boundary(answer: &mut Answer) {
    let Some(kind) = answer.header("content-type").map(str::to_owned) else { return };
    let Some((_, boundary)) = kind.split_once("boundary=") else { return };
    let text = String::from_utf8_lossy(&answer.bytes).replace(boundary, "-");
    answer.bytes = text.into_bytes();
    answer.headers.insert("content-type", "multipart/byteranges".parse().unwrap());
}

#[actix_web::test]
async fn contents_in_blobs() {
    let installation = Installation::start().await;
    let html = [b"<!doctype html><html><body>".to_vec(), vec![b'x'; 60_000]].concat();
    let json = format!("{{\"a\": \"{}\"}}", "x".repeat(60_000));
    for (name, content) in [
        ("plain.bin", noise(100_000).to_vec()),
        ("odd \"quoted\" 'name' %41;=,.txt", "a line\n".repeat(10_000).into_bytes()),
        ("Übersicht 文件 \u{1f4c1}.html", html),
        ("data.json", json.into_bytes()),
        ("picture.png", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), noise(50_000).to_vec()].concat()),
        (
            "drawing.svg",
            format!("<svg xmlns='http://www.w3.org/2000/svg'>{}</svg>", " ".repeat(30_000)).into(),
        ),
    ] {
        let id = file(&installation, name, content).await;
        compare(&installation, &format!("/api/v1/files/{id}/content"), true).await;
        compare(&installation, &format!("/files/{id}/data"), true).await;
        let saved = installation
            .both(Method::GET, &format!("/api/v1/files/{id}/content?download=true"), &[("x-request-id", "1")])
            .await;
        expect_same(name, &saved);
        assert!(saved.0.header("content-disposition").unwrap().starts_with("attachment"));
    }
}

#[actix_web::test]
async fn contents_in_the_store() {
    let installation = Installation::start().await;
    let json = format!("{{\"a\": \"{}\"}}", "x".repeat(10_000));
    for (name, content) in [("a.txt", "text\n".repeat(100)), ("data.json", json)] {
        let id = file(&installation, name, content).await;
        compare(&installation, &format!("/api/v1/files/{id}/content"), false).await;
        compare(&installation, &format!("/files/{id}/data"), false).await;
    }
    let empty = file(&installation, "empty", "").await;
    let both = installation
        .both(Method::GET, &format!("/api/v1/files/{empty}/content"), &[("x-request-id", "1")])
        .await;
    expect_same("empty", &both);
}

#[actix_web::test]
async fn public_files_are_for_everybody_and_others_are_not() {
    let installation = Installation::start().await;
    let id = file(&installation, "a.bin", noise(100_000)).await;
    let nobody = [("x-token", ""), ("x-request-id", "1")];
    let path = format!("/files/{id}/data");
    let hidden = installation.both(Method::GET, &path, &nobody).await;
    hidden.0.expect_classic(404, "Not found");
    expect_same("hidden", &hidden);
    let stranger = [("x-token", "token-of-b"), ("x-request-id", "1")];
    let hidden = installation.both(Method::GET, &format!("/api/v1/files/{id}/content"), &stranger).await;
    hidden.0.expect_problem(404, "not_found");
    expect_same("a stranger", &hidden);
    installation.server.user("a").put(&format!("/files/{id}/publish")).await.expect(OK);
    for extra in [("range", "bytes=0-9"), ("accept", "*/*")] {
        let shown = installation.both(Method::GET, &path, &[nobody[0], nobody[1], extra]).await;
        assert!(shown.0.status.is_success());
        expect_same("shown", &shown);
    }
}

#[actix_web::test]
async fn thumbnails() {
    let installation = Installation::start().await;
    let server = &installation.server;
    let id = file(&installation, "a.png", &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on"[..]).await;
    let second = std::time::Duration::from_secs(1);
    let rows = server.store.lease_unsent(1, second, common::Clock::now(&*server.clock)).await.unwrap();
    let job: ThumbnailsData = serde_json::from_value(rows[0].job.data.clone()).unwrap();
    let (small, large) = (noise(500), noise(40_000));
    let mut body = serde_json::to_vec(&json!({
        "media": {"width": 4, "height": 3},
        "pictures": [{"size": 100, "mime": "image/png", "bytes": 500}, {"size": 500, "mime": "image/png", "bytes": 40_000}],
    }))
    .unwrap();
    body.push(b'\n');
    body.extend_from_slice(&small);
    body.extend_from_slice(&large);
    let path = format!("/internal/blobs/{}/thumbnails", job.blob.unwrap());
    let kept = answer(server.internal(Method::PUT, &path).body(body)).await;
    assert_eq!(kept.status, StatusCode::NO_CONTENT);

    for (size, bytes, is_blob) in [(100, small, false), (500, large, true)] {
        for path in [
            format!("/api/v1/files/{id}/thumbnails/{size}"),
            format!("/api/v1/files/{id}/thumbnails/{size}?v=1"),
            format!("/files/{id}/data?size={size}"),
        ] {
            let id = ("x-request-id", "1");
            let plain = installation.both(Method::GET, &path, &[id]).await;
            assert!(plain.0.bytes == bytes);
            expect_same(&path, &plain);
            let tag = plain.0.header("etag").unwrap();
            for field in [
                ("if-none-match", tag),
                ("range", "bytes=0-9"),
                ("if-match", tag),
                ("accept-encoding", "gzip"),
            ] {
                expect_same(
                    &format!("{path} {field:?}"),
                    &installation.both(Method::GET, &path, &[id, field]).await,
                );
            }
            let behind = ask(Method::GET, &installation.behind, &path, &[]).await;
            assert_eq!(behind.header("x-accel-redirect").is_some(), is_blob, "{path}");
        }
    }
}

#[actix_web::test]
async fn damaged_contents_are_never_sent_in_part() {
    let installation = Installation::start().await;
    let id = file(&installation, "a.bin", noise(100_000)).await;
    let (v1, classic) = (format!("/api/v1/files/{id}/content"), format!("/files/{id}/data"));
    let blob = installation.the_blob();
    std::fs::File::options().write(true).open(&blob).unwrap().set_len(99_999).unwrap();
    for path in [&v1, &classic] {
        let cut = installation.both(Method::GET, path, &[("x-request-id", "1")]).await;
        assert_eq!(cut.0.status, StatusCode::INTERNAL_SERVER_ERROR);
        expect_same("cut", &cut);
    }
    std::fs::remove_file(blob).unwrap();
    let gone = installation.both(Method::GET, &v1, &[("x-request-id", "1")]).await;
    gone.0.expect_problem(500, "internal");
    expect_same("gone", &gone);
    let gone = installation.both(Method::GET, &classic, &[("x-request-id", "1")]).await;
    gone.0.expect_classic(404, "Not found");
    expect_same("gone", &gone);
}

#[actix_web::test]
async fn the_times_of_files_on_the_disk_mean_nothing() {
    let installation = Installation::start().await;
    // 2090: a content may be newer than its bytes, which copies share
    installation.server.clock.set(common::Timestamp::from_millis(3_786_912_000_000));
    let id = file(&installation, "a.bin", noise(100_000)).await;
    let written = std::fs::metadata(installation.the_blob()).unwrap().modified().unwrap();
    let date = httpdate::fmt_http_date(written);
    let path = format!("/api/v1/files/{id}/content");
    for field in [("if-modified-since", &*date), ("if-range", &*date)] {
        for range in [None, Some(("range", "bytes=0-9"))] {
            let fields: Vec<_> = [("x-request-id", "1"), field].into_iter().chain(range).collect();
            let both = installation.both(Method::GET, &path, &fields).await;
            assert!(both.0.status.is_success(), "{field:?}");
            expect_same(&format!("{field:?} {range:?}"), &both);
        }
    }
    // nor do those of contents, once there was another
    let shown = installation.both(Method::GET, &path, &[]).await.0;
    let date = shown.header("last-modified").unwrap().to_owned();
    let owner = installation.server.user("a");
    let other = answer(owner.request(Method::PUT, &path).body(noise(100_001))).await;
    assert_eq!(other.status, StatusCode::OK);
    for field in [("if-modified-since", &*date), ("if-range", &*date)] {
        let fields = [("x-request-id", "1"), field, ("range", "bytes=0-9")];
        let asked = if field.0 == "if-range" { &fields[..] } else { &fields[..2] };
        let both = installation.both(Method::GET, &path, asked).await;
        assert_eq!((both.0.status, both.0.bytes.len()), (OK, 100_001), "{field:?}");
        expect_same(&format!("{field:?} of a replaced content"), &both);
    }
}
