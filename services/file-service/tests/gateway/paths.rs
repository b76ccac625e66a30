//! What is not for people is not there, however its path is written.

use reqwest::Method;
use testkit::nginx::Behind;

use crate::helpers::{Double, Installation, OK, ask, expect_own_problem, file, noise, raw_get, start};
use crate::support::answer;

#[actix_web::test]
async fn private_paths_are_not_routed() {
    let installation = Installation::start().await;
    let id = file(&installation, "a.bin", noise(100_000)).await;
    let behind = ask(Method::GET, &installation.behind, &format!("/api/v1/files/{id}/content"), &[]).await;
    let blob = behind.header("x-accel-redirect").unwrap().strip_prefix("/_whole/_blobs").unwrap().to_owned();
    let mut paths: Vec<String> = [
        "/internal",
        "/internal/",
        "/internal/blobs/00000000000000000000000000000000",
        "/Internal/files/purge",
        "/%69nternal/files/purge",
        "//internal/files/purge",
        "/./internal/files/purge",
        "/api/../internal/files/purge",
        "/api/v1/%2e%2e/%2e%2e/internal/files/purge",
        "/api/v1/..%2f..%2finternal/files/purge",
        "/internal/../files/0/data",
        "/internal/%2e%2e/api/v1/files/root",
        "/%2finternal/files/purge",
        "/metrics",
        "/metrics/",
        "/%6detrics",
        "//metrics",
        "/health",
        "/health/live",
        "/health/ready",
        "/health/live/../../api/v1/files/root",
        "/_blobs",
        "/_blobs/",
        "/_blobs/../store-id",
        "/_blobs/..%2f",
        "/_blobs/..%2fstore-id",
        "/_blobs../store-id",
        "/%5fblobs/",
        "/_s3/",
        "/_s3/bucket/key?X-Amz-Signature=a",
        "/_whole/_blobs/",
        "/_whole/_s3/bucket/key",
        "/_problems/v1/503",
        "/index.html/../_blobs/",
    ]
    .map(str::to_owned)
    .into();
    for prefix in ["/_blobs", "/%5fblobs", "//_blobs", "/_whole/_blobs", "/api/../_blobs", "/app/../_blobs"] {
        paths.push(format!("{prefix}{blob}"));
    }
    for path in paths {
        let (status, head, body) = raw_get(&installation.nginx.address(), &path).await;
        let body = String::from_utf8_lossy(&body);
        assert_eq!(status, 404, "{path}: {body}");
        assert!(
            head.contains("content-type: application/problem+json\r\n") || path.contains("/files/0"),
            "{path}: {head}"
        );
        assert!(body.contains("Not found") || body.contains("not_found"), "{path}: {body}");
    }
    // and for those who know the blob's place it would have been there
    let internal = answer(
        installation.server.internal(Method::GET, &format!("/internal/blobs/{}", blob.replace('/', ""))),
    )
    .await;
    assert_eq!((internal.status, internal.bytes.len()), (OK, 100_000));
}

#[actix_web::test]
async fn unknown_paths_are_not_found() {
    let installation = Installation::start().await;
    let address = installation.nginx.address();
    for path in ["/unknown", "/filesystem", "/api", "/api/v2/files", "/apps", "/.git/config", "/favicon.ico"]
    {
        expect_own_problem(&ask(Method::GET, &address, path, &[]).await, 404, "not_found");
    }
    // those of the services say it themselves, each in its own form
    ask(Method::GET, &address, "/api/v1/unknown", &[]).await.expect_problem(404, "not_found");
    ask(Method::GET, &address, "/files/1/2/3", &[]).await.expect_classic(404, "Not found");
}

#[actix_web::test]
async fn names_arrive_as_they_were_sent() {
    let installation = Installation::start().await;
    let address = installation.nginx.address();
    for name in ["a b", "100%", "a+b", "ü", "?", "#", "%2F", "a;b=c", "~", "&"] {
        let path = format!("/api/v1/files/root/children/{}/content", crate::support::segment(name));
        let made = ask(Method::PUT, &address, &path, &[]).await.expect(reqwest::StatusCode::CREATED);
        assert_eq!(made["name"], name);
    }
    for name in ["%2E%2E", "a%2Fb", "%2E"] {
        let path = format!("/api/v1/files/root/children/{name}/content");
        let (through, without) = (
            ask(Method::PUT, &address, &path, &[]).await,
            ask(Method::PUT, &installation.server.base, &path, &[]).await,
        );
        assert_eq!((through.status, &through.bytes[..20]), (without.status, &without.bytes[..20]), "{name}");
    }
}

#[actix_web::test]
async fn no_service_is_sent_a_private_path() {
    let double = Double::content();
    let services = vec![double.address];
    let behind =
        Behind { auth: services.clone(), files: services.clone(), jobs: services, ..Behind::default() };
    let nginx = start(behind).await;
    // a service gets paths as they were sent, and would have to take out the dots as we did
    for path in [
        "/internal/../files/1",
        "//internal/../files/1",
        "/internal/%2e%2e/api/v1/files/root",
        "/metrics/../api/v1/jobs",
        "/Health/live/../../users/me",
        "/internal/../events",
    ] {
        assert_eq!(raw_get(&nginx.address(), path).await.0, 404, "{path}");
    }
    assert!(double.asked().is_empty(), "{:?}", double.asked());
    assert_eq!(raw_get(&nginx.address(), "/files/../files/1").await.0, 200);
}
