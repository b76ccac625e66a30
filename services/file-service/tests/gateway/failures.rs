//! What the gateway says when it has to answer itself.

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::nginx::{Behind, Nginx};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::helpers::{Double, OK, ask, expect_own_problem, nobody, raw, read, request, socket, start};
use crate::support::{answer, until};

async fn alone() -> Nginx {
    let services = vec![nobody()];
    let (auth, files) = (services.clone(), services.clone());
    start(Behind { auth, files, jobs: services, ..Behind::default() }).await
}

#[actix_web::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let nginx = alone().await;
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        for path in ["/api/v1/files/root", "/api/v1/users/me", "/api/v1/jobs", "/api/v1/files/1/content"] {
            let got = ask(method.clone(), &nginx.address(), path, &[]).await;
            expect_own_problem(&got, 503, "unavailable");
            assert_eq!(got.header("retry-after"), Some("2"));
        }
        for path in ["/files", "/users", "/files/1/data"] {
            let got = ask(method.clone(), &nginx.address(), path, &[]).await;
            got.expect_classic(503, "Service unavailable");
            assert_eq!(got.header("retry-after"), Some("2"));
        }
    }
    let got = ask(Method::GET, &nginx.address(), "/api/v1/usage", &[("x-request-id", "mine")]).await;
    assert_eq!(expect_own_problem(&got, 503, "unavailable")["requestId"], "mine");
    let head = ask(Method::HEAD, &nginx.address(), "/api/v1/usage", &[]).await;
    assert_eq!((head.status, head.bytes.len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    // a body of unknown length, and one that is long
    for length in
        ["Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "Content-Length: 1000000\r\n\r\nabc"]
    {
        let text =
            format!("PUT /api/v1/files/1/content HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}");
        let mut stream = TcpStream::connect(socket(&nginx.address())).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let (status, head, body) = read(&mut stream).await;
        assert_eq!(status, 503);
        assert!(head.contains("retry-after: 2"), "{head}");
        assert!(String::from_utf8(body).unwrap().contains("\"unavailable\""));
    }
}

/// A token in a log opens what it opens for whoever reads the log.
#[actix_web::test]
async fn what_the_gateway_logs_of_failures_holds_no_token() {
    let said = async |errors: Option<&'static str>| {
        let nginx = start(Behind { files: vec![nobody()], errors, ..Behind::default() }).await;
        for path in ["/api/v1/public/the-token/content", "/api/v1/public/the-token/events"] {
            expect_own_problem(&ask(Method::GET, &nginx.address(), path, &[]).await, 503, "unavailable");
        }
        // a request is logged when its answer has been sent
        until("both are logged", async || nginx.requests().is_ok_and(|logged| logged.len() == 2)).await;
        nginx.errors().unwrap()
    };
    assert!(!said(Some("alert")).await.contains("the-token"));
    // it would be there
    assert!(said(None).await.contains("the-token"));
}

#[actix_web::test]
async fn what_a_service_says_itself_is_left_alone() {
    let double = Double::start(|asked| {
        let status = asked.path.rsplit('/').next().unwrap().parse().unwrap();
        actix_web::HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap())
            .insert_header(("retry-after", "7"))
            .body(format!("own {status}"))
    });
    let nginx = start(Behind { files: vec![double.address], ..Behind::default() }).await;
    for status in
        [400, 401, 403, 404, 405, 409, 412, 413, 416, 418, 419, 420, 429, 431, 460, 500, 502, 503, 504, 507]
    {
        for method in [Method::GET, Method::POST, Method::PUT] {
            let got = ask(method.clone(), &nginx.address(), &format!("/api/v1/files/{status}"), &[]).await;
            assert_eq!((got.status.as_u16(), got.text()), (status, &*format!("own {status}")), "{method}");
            assert_eq!(got.header("retry-after"), Some("7"));
        }
    }
}

#[actix_web::test]
async fn bodies_that_no_service_takes_are_too_large() {
    let double = Double::content();
    let services = vec![double.address];
    let nginx = start(Behind { auth: services.clone(), files: services, ..Behind::default() }).await;
    let large = || vec![b'x'; 1_100_000];
    let post = |path: &'static str| request(Method::POST, &nginx.address(), path, &[]);
    expect_own_problem(&answer(post("/api/v1/auth/login").body(large())).await, 413, "too_large");
    answer(post("/users").body(large())).await.expect_classic(413, "Too large");
    assert!(double.asked().is_empty());
    assert_eq!(answer(post("/api/v1/files").body(large())).await.status, OK);
}

#[actix_web::test]
async fn requests_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "page").unwrap();
    let page = Some(folder.path().to_owned());
    let nginx = start(Behind { page, ..Behind::default() }).await;
    let address = nginx.address();
    let field = |len: usize| format!("X-Long: {}\r\n", "x".repeat(len));
    for (request, status, code) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "invalid_request"),
        ("GET /api/v1/files/%00 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400, "invalid_request"),
        ("GET /../x HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400, "invalid_request"),
        (format!("GET /api/v1/x HTTP/1.1\r\nHost: x\r\n{}\r\n", field(33_000)), 431, "headers_too_large"),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(33_000)), 400, "invalid_request"),
        ("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 405, "method_not_allowed"),
        (
            "DELETE /app/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            405,
            "method_not_allowed",
        ),
    ] {
        let (got, head, body) = raw(&address, request.as_bytes()).await;
        let what = request.lines().next().unwrap().chars().take(50).collect::<String>();
        assert_eq!(got, status, "{what}");
        assert!(head.contains("content-type: application/problem+json"), "{what}: {head}");
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{what}");
    }
}

#[actix_web::test]
async fn too_many_requests_at_once_are_limited() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let nginx = start(Behind { files: vec![address], connections: Some(2), ..Behind::default() }).await;
    let mut waiting = Vec::new();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(socket(&nginx.address())).await.unwrap();
        stream.write_all(b"GET /files HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        waiting.push(stream);
        held.push(silent.accept().await.unwrap());
    }
    let refused = ask(Method::GET, &nginx.address(), "/api/v1/usage", &[]).await;
    expect_own_problem(&refused, 429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop((waiting, held));
    until("there is room again", async || {
        ask(Method::GET, &nginx.address(), "/", &[]).await.status != StatusCode::TOO_MANY_REQUESTS
    })
    .await;
}
