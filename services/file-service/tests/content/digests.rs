//! Digest fields: which come with contents, and what is said of those that are not checked.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::helpers::{child, content, digest_field, noise};
use crate::support::{Answer, Server, answer};

/// An algorithm that nobody checks here.
const OTHER: &str = "sha-512=:AAAA:";

/// `Repr-Digest` and `Content-Digest` of an answer.
fn digests(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("repr-digest"), answer.header("content-digest"))
}

/// `Want-Repr-Digest` and `Want-Content-Digest` of an answer.
fn wants(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("want-repr-digest"), answer.header("want-content-digest"))
}

#[actix_web::test]
async fn contents_come_with_the_digests_that_are_wanted() {
    let server = Server::start().await;
    let user = server.user("a");
    for size in [0, 100, 100_000] {
        let bytes = noise(size);
        let digest = digest_field(&bytes);
        let own = Some(&*digest);
        let id = user.file(&size.to_string(), "root", bytes.clone()).await;
        let link =
            user.post(&format!("/api/v1/files/{id}/links"), json!({})).await.expect(StatusCode::CREATED);
        let asked = |method: Method| {
            let public = format!("/api/v1/public/{}/content", link["token"].as_str().unwrap());
            [
                user.request(method.clone(), &content(&id)),
                user.request(method.clone(), &format!("/api/v1/files/{id}/versions/1/content")),
                user.request(method.clone(), &format!("/files/{id}/data")),
                server.request(method, &public),
            ]
        };
        for (fields, expected) in [
            (&[][..], (own, None)),
            (&[("want-repr-digest", "sha-256=10")], (own, None)),
            (&[("want-repr-digest", "sha-512=10")], (own, None)),
            (&[("want-repr-digest", "sha-512=10, sha-256=0")], (None, None)),
            (&[("want-repr-digest", "sha-256=0, nonsense")], (own, None)),
            (&[("want-content-digest", "sha-256=1")], (own, own)),
            (&[("want-content-digest", "sha-512=10,sha-256=1")], (own, own)),
            (&[("want-content-digest", "sha-512=10")], (own, None)),
            (&[("want-content-digest", "sha-256=0")], (own, None)),
            (&[("want-content-digest", "sha-256=11")], (own, None)),
            (&[("want-content-digest", "sha-256=3"), ("want-repr-digest", "sha-256=0")], (None, own)),
        ] {
            let with = |request: RequestBuilder| {
                fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))
            };
            for request in asked(Method::GET) {
                let got = answer(with(request)).await;
                assert_eq!((got.status, &got.bytes[..]), (StatusCode::OK, &bytes[..]), "{fields:?}");
                assert_eq!(digests(&got), expected, "{fields:?} {size}");
            }
            for request in asked(Method::HEAD) {
                let got = answer(with(request)).await;
                assert_eq!(got.status, StatusCode::OK);
                // there is no content that it could be the digest of
                assert_eq!(digests(&got), (expected.0, None), "{fields:?} {size}");
            }
        }
    }
}

#[actix_web::test]
async fn parts_come_with_the_digest_of_the_whole_alone() {
    let server = Server::start().await;
    let user = server.user("a");
    for size in [100, 100_000] {
        let bytes = noise(size);
        let digest = digest_field(&bytes);
        let id = user.file(&size.to_string(), "root", bytes).await;
        let get = async |name, value| {
            let fields = [("want-content-digest", "sha-256=10"), (name, value)];
            user.get_with(&content(&id), &fields).await
        };
        for range in ["bytes=0-9", "bytes=0-", "bytes=-5", "bytes=0-4,50-60"] {
            let part = get("range", range).await;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(digests(&part), (Some(&*digest), None), "{range}");
        }
        // not understood, so that all of it comes
        let whole = get("range", "lines=0-9").await;
        assert_eq!((whole.status, digests(&whole)), (StatusCode::OK, (Some(&*digest), Some(&*digest))));
        let beyond = get("range", "bytes=100000-").await;
        assert_eq!((beyond.status.as_u16(), digests(&beyond)), (416, (None, None)));
        let same = get("if-none-match", "*").await;
        assert_eq!((same.status, digests(&same)), (StatusCode::NOT_MODIFIED, (None, None)));
    }
}

#[actix_web::test]
async fn an_upload_whose_digest_is_not_checked_is_told_what_would_be() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("folder", "root").await;
    let link = json!({"role": "editor"});
    let link = user.post(&format!("/api/v1/files/{folder}/links"), link).await.expect(StatusCode::CREATED);
    let public = format!("/api/v1/public/{}/children", link["token"].as_str().unwrap());
    let bytes = noise(100);
    let own = digest_field(&bytes);
    let both = format!("{OTHER}, {own}");
    let wanted = Some("sha-256=10");
    for (number, (fields, expected)) in [
        (&[][..], (None, None)),
        (&[("repr-digest", &*own), ("content-digest", &*own)], (None, None)),
        (&[("repr-digest", OTHER)], (wanted, None)),
        (&[("content-digest", OTHER)], (None, wanted)),
        (&[("repr-digest", OTHER), ("content-digest", OTHER)], (wanted, wanted)),
        (&[("repr-digest", OTHER), ("content-digest", &*own)], (wanted, None)),
        (&[("repr-digest", &*both), ("content-digest", "sha-512=:AAAA:, md5=:AAAA:")], (None, wanted)),
    ]
    .into_iter()
    .enumerate()
    {
        let name = number.to_string();
        let put = async |request: RequestBuilder| {
            let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            answer(request.body(bytes.clone())).await
        };
        let made = put(user.request(Method::PUT, &child("root", &name, ""))).await;
        let id = crate::support::id_of(&made.expect(StatusCode::CREATED));
        assert_eq!(wants(&made), expected, "{fields:?}");
        let replaced = put(user.request(Method::PUT, &content(&id))).await;
        assert_eq!((replaced.status, wants(&replaced)), (StatusCode::OK, expected), "{fields:?}");
        let visitors = put(server.request(Method::PUT, &format!("{public}/{name}/content"))).await;
        assert_eq!((visitors.status, wants(&visitors)), (StatusCode::CREATED, expected), "{fields:?}");
    }
    // what is checked is refused as ever, whatever stands beside it
    let wrong = digest_field(b"other");
    let fields = [("repr-digest", &*wrong), ("content-digest", OTHER)];
    let refused = user.upload_with(&child("root", "wrong", ""), bytes.clone(), &fields).await;
    refused.expect_problem(400, "digest_mismatch");
    assert_eq!(wants(&refused), (None, None));
    let unread = [("repr-digest", "sha-512=nothing")];
    user.upload_with(&child("root", "wrong", ""), bytes, &unread)
        .await
        .expect_problem(400, "invalid_request");
}
