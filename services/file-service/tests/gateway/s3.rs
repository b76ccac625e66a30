//! Contents in an S3 store: the gateway fetches them by an address that the service signed.

use std::sync::Arc;

use actix_web::HttpResponse;
use async_trait::async_trait;
use common::files::BlobLocator;
use common::{BlobKey, PortResult};
use file_service::{Delivery, FileSettings};
use reqwest::{Method, StatusCode};
use testkit::nginx::{Behind, Nginx};

use crate::helpers::{Asked, Double, OK, ask, expect_own_problem, noise, socket, start};
use crate::support::Server;

const SIGNATURE: &str = "X-Amz-Credential=a%2F20260101%2Fus-east-1&X-Amz-Signature=0123abcd";

/// Signs as the adapter would.
struct Signing;

#[async_trait]
impl BlobLocator for Signing {
    async fn locate(&self, key: BlobKey, _: u64) -> PortResult<Option<String>> {
        Ok(Some(format!("/_s3/bucket/blobs/{key}?{SIGNATURE}")))
    }
}

/// A store that has one object, whatever it is called, and much to say of itself.
fn store(bytes: bytes::Bytes) -> Double {
    Double::start(move |asked: &Asked| {
        let mut response = HttpResponse::Ok();
        let range = asked.fields.get("range").map(|range| range.strip_prefix("bytes=").unwrap());
        let part = match range.and_then(|range| range.split_once('-')) {
            None => bytes.clone(),
            Some((first, last)) => {
                let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                response.status(actix_web::http::StatusCode::PARTIAL_CONTENT);
                response.insert_header(("content-range", format!("bytes {first}-{last}/{}", bytes.len())));
                bytes.slice(first..=last)
            }
        };
        response
            .insert_header(("etag", "\"of-the-store\""))
            .insert_header(("last-modified", "Thu, 01 Jan 1970 00:00:01 GMT"))
            .insert_header(("content-type", "binary/octet-stream"))
            .insert_header(("accept-ranges", "bytes"))
            .insert_header(("cache-control", "public"))
            .insert_header(("content-disposition", "inline; filename=theirs"))
            .insert_header(("set-cookie", "a=b"))
            .insert_header(("vary", "Origin"))
            .insert_header(("x-accel-redirect", "/_blobs/x"))
            .insert_header(("x-amz-request-id", "1"))
            .insert_header(("x-amz-id-2", "2"))
            .body(part)
    })
}

async fn gateway(server: &Server, store: &Double) -> (Nginx, http_kit::server::Drain) {
    let settings = FileSettings { delivery: Delivery::Gateway(Arc::new(Signing)), ..FileSettings::default() };
    let (behind, drain) = server.replica(settings);
    let s3 = Some((store.address, "store.internal:9000".to_owned()));
    (start(Behind { files: vec![socket(&behind)], s3, ..Behind::default() }).await, drain)
}

#[actix_web::test]
async fn clients_see_nothing_of_the_store_and_the_store_nothing_of_clients() {
    let server = Server::start().await;
    let content = noise(100_000);
    let id = server.user("a").file("ä b.bin", "root", content.clone()).await;
    let store = store(content);
    let (nginx, drain) = gateway(&server, &store).await;
    let path = format!("/api/v1/files/{id}/content");
    let plain = ask(Method::GET, &server.base, &path, &[]).await;
    let tag = plain.header("etag").unwrap();
    let common = [
        ("x-request-id", "1"),
        ("cookie", "fm_session=secret"),
        ("authorization", "Basic c2VjcmV0"),
        ("accept-encoding", "gzip"),
        ("user-agent", "secret"),
        ("referer", "http://secret.example/"),
    ];
    let mut fetched = 0;
    for extra in [
        &[][..],
        &[("range", "bytes=10-19")],
        &[("range", "bytes=10-19"), ("if-range", tag)],
        &[("range", "bytes=10-19"), ("if-range", "\"of-the-store\"")],
        &[("if-none-match", "\"of-the-store\"")],
        &[("if-modified-since", "Thu, 01 Jan 1970 00:00:01 GMT")],
        &[("range", "bytes=x")],
    ] {
        let fields = [&common[..], extra].concat();
        let [through, without] = [
            ask(Method::GET, &nginx.address(), &path, &fields).await,
            ask(Method::GET, &server.base, &path, &fields).await,
        ];
        assert_eq!((through.status, through.bytes == without.bytes), (without.status, true), "{extra:?}");
        let shown = |answer: &crate::support::Answer| {
            let mut fields: Vec<_> =
                answer.headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
            fields.retain(|(name, _)| !matches!(&**name, "date" | "server" | "connection"));
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            fields
        };
        assert_eq!(shown(&through), shown(&without), "{extra:?}");
        fetched += 1;
        let asked = store.asked();
        assert_eq!(asked.len(), fetched);
        let last = asked.last().unwrap();
        let (object, query) = last.path.split_once('?').unwrap();
        assert!(object.starts_with("/bucket/blobs/"), "{object}");
        assert_eq!((&*last.method, query), ("GET", SIGNATURE));
        let mut known: Vec<_> = last.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        known.retain(|(name, _)| *name != "range");
        assert_eq!(known, [("host", "store.internal:9000")], "{extra:?}");
        let part = through.status == StatusCode::PARTIAL_CONTENT;
        assert_eq!(last.fields.get("range").map(String::as_str), part.then_some("bytes=10-19"));
    }
    drain.stop.cancel();
}

#[actix_web::test]
async fn failures_of_the_store_are_told_in_our_words() {
    let server = Server::start().await;
    let id = server.user("a").file("a.bin", "root", noise(100_000)).await;
    for (status, own, code) in [
        (403, 500, "internal"),
        (404, 500, "internal"),
        (301, 500, "internal"),
        (416, 500, "internal"),
        (500, 503, "unavailable"),
        (503, 503, "unavailable"),
        (429, 503, "unavailable"),
    ] {
        let store = Double::start(move |_| {
            HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap())
                .insert_header(("location", "http://elsewhere.example/"))
                .content_type("application/xml")
                .body("<Error><BucketName>secret</BucketName></Error>")
        });
        let (nginx, drain) = gateway(&server, &store).await;
        let got = ask(Method::GET, &nginx.address(), &format!("/api/v1/files/{id}/content"), &[]).await;
        let problem = got.expect_problem(own, code);
        assert!(!problem.to_string().contains("secret"));
        assert_eq!((got.header("location"), got.header("etag")), (None, None), "{status}");
        drain.stop.cancel();
    }
}

#[actix_web::test]
async fn a_store_that_is_not_there_is_unavailable() {
    let server = Server::start().await;
    let id = server.user("a").file("a.bin", "root", noise(100_000)).await;
    let store = Double::content();
    let (nginx, drain) = gateway(&server, &store).await;
    store.stop().await;
    let got = ask(Method::GET, &nginx.address(), &format!("/api/v1/files/{id}/content"), &[]).await;
    got.expect_problem(503, "unavailable");
    assert_eq!(got.header("retry-after"), Some("2"));
    // what does not need it works
    let shown = ask(Method::GET, &nginx.address(), &format!("/api/v1/files/{id}"), &[]).await;
    assert_eq!(shown.status, OK);
    let missing = ask(Method::GET, &nginx.address(), "/_s3/bucket/blobs/x", &[]).await;
    expect_own_problem(&missing, 404, "not_found");
    drain.stop.cancel();
}
