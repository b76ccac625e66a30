//! Bodies that stall, break off, are too large, or are not wanted.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, put, web};
use common::Code;
use http_kit::{ApiResult, BodyLimits, BodyStream, Problem};
use tokio::io::AsyncWriteExt as _;

use crate::support::{Client, Server, get};

const MAX_BYTES: u64 = 1_000_000;

async fn receive(
    request: &HttpRequest,
    payload: web::Payload,
    limits: BodyLimits,
) -> ApiResult<HttpResponse> {
    limits.check_declared(request)?;
    let body = BodyStream::new(payload, limits).collect().await?;
    Ok(HttpResponse::Ok().body(body.len().to_string()))
}

#[put("/api/v1/upload")]
async fn upload(request: HttpRequest, payload: web::Payload) -> ApiResult<HttpResponse> {
    receive(&request, payload, BodyLimits::up_to(MAX_BYTES)).await
}

#[put("/api/v1/impatient")]
async fn impatient(request: HttpRequest, payload: web::Payload) -> ApiResult<HttpResponse> {
    let limits = BodyLimits { chunk_deadline: Duration::from_millis(300), ..BodyLimits::up_to(MAX_BYTES) };
    receive(&request, payload, limits).await
}

#[put("/api/v1/refused")]
async fn refused(_payload: web::Payload) -> ApiResult<HttpResponse> {
    Err(Problem::new(Code::Unauthorized))
}

fn server() -> Server {
    Server::start(|config| {
        config
            .service(upload)
            .service(impatient)
            .service(refused)
            .route("/api/v1/next", web::get().to(HttpResponse::Ok));
    })
}

fn head(path: &str, framing: &str) -> Vec<u8> {
    format!("PUT {path} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n").into_bytes()
}

async fn begin(server: &Server, path: &str, framing: &str) -> Client {
    let mut client = server.connect().await;
    client.send(&head(path, framing)).await;
    client
}

/// Writes until the server has had enough: how many bytes of body it took, at most `most`.
async fn push(client: &mut Client, piece: &[u8], most: usize) -> usize {
    let mut sent = 0;
    while sent < most {
        match tokio::time::timeout(Duration::from_millis(700), client.0.write_all(piece)).await {
            Ok(Ok(())) => sent += piece.len(),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    sent
}

#[tokio::test]
async fn whole_bodies_of_either_framing_are_read_and_the_connection_lives_on() {
    let server = server();
    let mut client = begin(&server, "/api/v1/upload", "Content-Length: 5").await;
    client.send(b"12345").await;
    assert_eq!(client.answer().await.body, "5");
    client.send(&head("/api/v1/upload", "Transfer-Encoding: chunked")).await;
    client.send(b"3\r\nabc\r\n2\r\nde\r\n").await;
    client.send(b"1\r\nf\r\n0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((&*answer.body, answer.header("connection")), ("6", None));
    client.send(get("/api/v1/next").as_bytes()).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_stalled_body_is_answered_and_the_connection_closed() {
    let server = server();
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let mut client = begin(&server, "/api/v1/impatient", framing).await;
        client.send(b"3\r\n").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"), "{framing}");
        assert_eq!(answer.header("connection"), Some("close"), "{framing}");
        assert_eq!(client.closed().await, b"", "{framing}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_incomplete() {
    let server = server();
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let mut client = begin(&server, "/api/v1/upload", framing).await;
        client.send(b"3\r\nabc\r\n").await;
        client.0.shutdown().await.unwrap();
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "incomplete_body"), "{framing}");
        assert_eq!(client.closed().await, b"", "{framing}");
    }
}

#[tokio::test]
async fn a_broken_chunk_is_refused() {
    let server = server();
    let mut client = begin(&server, "/api/v1/upload", "Transfer-Encoding: chunked").await;
    client.send(b"zz\r\n").await;
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
}

#[tokio::test]
async fn too_large_a_body_is_refused_by_its_length_before_it_is_read() {
    let server = server();
    let mut client = begin(&server, "/api/v1/upload", "Content-Length: 1000000000").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    assert_eq!(
        (answer.json()["maxBytes"].as_u64(), answer.header("connection")),
        (Some(MAX_BYTES), Some("close"))
    );
    client.closed().await;
}

#[tokio::test]
async fn too_large_a_chunked_body_is_refused_and_not_read_for_ever() {
    let server = server();
    let mut client = begin(&server, "/api/v1/upload", "Transfer-Encoding: chunked").await;
    let piece = [b"8000\r\n", [b'x'; 0x8000].as_slice(), b"\r\n"].concat();
    // without a bound on what is thrown away this would go on to the end
    let sent = push(&mut client, &piece, 2_000_000_000).await;
    assert!(sent < 2_000_000_000);
}

#[tokio::test]
async fn a_client_that_still_sends_sees_the_refusal() {
    let server = server();
    for framing in ["Content-Length: 3000000", "Transfer-Encoding: chunked"] {
        let mut client = begin(&server, "/api/v1/refused", framing).await;
        let piece = [b"8000\r\n", [b'x'; 0x8000].as_slice(), b"\r\n"].concat();
        push(&mut client, &piece, 500_000).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{framing}");
        assert_eq!(answer.header("connection"), Some("close"), "{framing}");
        client.0.shutdown().await.unwrap();
        assert_eq!(client.closed().await, b"", "{framing}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_leave_sees_the_refusal() {
    let server = server();
    let mut client = begin(&server, "/api/v1/refused", "Content-Length: 10\r\nExpect: 100-continue").await;
    assert_eq!(client.answer().await.status, 100);
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    client.0.shutdown().await.unwrap();
    assert_eq!(client.closed().await, b"");
}
