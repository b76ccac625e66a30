//! What every answer has, and what never reaches a handler.

use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use http_kit::server::ServerSettings;
use http_kit::{ApiResult, input, request_id};

use common::TraceContext;

use crate::support::{Server, get, settings};

#[get("/api/v1/ok")]
async fn ok() -> String {
    request_id::current().unwrap().to_string()
}

#[get("/files/{id}")]
async fn classic() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

#[get("/api/v1/panic")]
async fn panics() -> HttpResponse {
    panic!("on purpose")
}

#[get("/files/panic/now")]
async fn panics_classic() -> HttpResponse {
    panic!("on purpose")
}

#[get("/api/v1/framework")]
async fn framework(_: web::Query<Wanted>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[derive(serde::Deserialize)]
struct Wanted {
    #[expect(dead_code, reason = "only its absence matters")]
    number: u32,
}

#[post("/api/v1/json")]
async fn json(request: actix_web::HttpRequest, payload: web::Payload) -> ApiResult<HttpResponse> {
    let value: serde_json::Value = input::json(&request, payload, 1000).await?;
    Ok(HttpResponse::Ok().json(value))
}

#[get("/api/v1/trace")]
async fn traced() -> String {
    http_kit::trace::current().unwrap().to_string()
}

fn server() -> Server {
    Server::start(|config| {
        config
            .service(ok)
            .service(traced)
            .service(panics_classic)
            .service(classic)
            .service(panics)
            .service(framework)
            .service(json)
            .service(web::resource("/api/v1/resource").route(web::get().to(HttpResponse::Ok)));
    })
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_default_fields() {
    let server = server();
    let answer =
        server.ask("GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nX-Request-Id: from.a-gateway_1\r\n\r\n").await;
    assert_eq!((answer.status, &*answer.body), (200, "from.a-gateway_1"));
    assert_eq!(answer.header("x-request-id"), Some("from.a-gateway_1"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    let answer = server.ask("GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\n\r\n").await;
    assert_ne!(answer.body, "a b");
    assert_eq!(answer.header("x-request-id"), Some(&*answer.body));
}

#[tokio::test]
async fn a_trace_is_continued_if_one_comes() {
    let server = server();
    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = async |fields: &str| -> TraceContext {
        let request = format!("GET /api/v1/trace HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        server.ask(&request).await.body.parse().unwrap()
    };
    let own = ask(&format!("TraceParent:  {sent} \r\n")).await;
    assert_eq!(own.trace_id().to_string(), &sent[3..35]);
    assert_ne!(own.span_id().to_string(), &sent[36..52]);
    for fields in [
        "",
        &format!("traceparent: {}\r\n", sent.to_uppercase()),
        &format!("traceparent: {sent}\r\n").repeat(2),
    ] {
        assert_ne!(ask(fields).await.trace_id().to_string(), &sent[3..35], "{fields}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_the_form_of_their_face() {
    let server = server();
    let answer = server.ask(&get("/api/v1/nothing")).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    assert_eq!(answer.json()["requestId"].as_str(), answer.header("x-request-id"));
    let answer = server.ask(&get("/files")).await;
    assert_eq!((answer.status, &*answer.body), (404, r#"{"error":"Not found"}"#));
    let answer = server.ask("POST /api/v1/ok HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET, OPTIONS"));
    let answer = server.ask("BREW /files/1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((answer.status, &*answer.body), (405, r#"{"error":"Method not allowed"}"#));
    assert_eq!(answer.header("allow"), Some("GET, DELETE, OPTIONS"));
    let answer = server.ask("OPTIONS /files/1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (204, Some("GET, DELETE, OPTIONS")));
    let answer = server.ask("POST /api/v1/resource HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
}

#[tokio::test]
async fn an_empty_answer_has_neither_type_nor_length() {
    let answer = server().ask(&get("/files/1")).await;
    assert_eq!(answer.status, 204);
    assert_eq!((answer.header("content-type"), answer.header("content-length")), (None, None));
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_server_goes_on() {
    let server = server();
    let answer = server.ask("GET /api/v1/panic HTTP/1.1\r\nHost: x\r\nX-Request-Id: p1\r\n\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert_eq!(
        (answer.header("x-request-id"), answer.json()["requestId"].as_str()),
        (Some("p1"), Some("p1"))
    );
    assert!(!answer.body.contains("purpose"));
    let answer = server.ask(&get("/files/panic/now")).await;
    assert_eq!((answer.status, &*answer.body), (500, r#"{"error":"A fault on our side"}"#));
    assert_eq!(server.ask(&get("/api/v1/ok")).await.status, 200);
}

#[tokio::test]
async fn refusals_of_the_framework_take_our_form() {
    let answer = server().ask(&get("/api/v1/framework?number=x")).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let server = server();
    let long = "x".repeat(40_000);
    let answer = server.ask(&format!("GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n")).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "headers_too_large"));
    let answer = server.ask(&format!("GET /files/1 HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n")).await;
    assert_eq!((answer.status, &*answer.body), (431, r#"{"error":"The header fields are too large"}"#));
    // beyond what the parser keeps: answered without a body
    let mut client = server.connect().await;
    client
        .send(format!("GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(140_000)).as_bytes())
        .await;
    assert_eq!(client.answer().await.status, 431);
    let many: String = (0..100).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert_eq!(server.ask(&format!("GET /api/v1/ok HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await.status, 431);
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let server = server();
    for request in [
        "GET\r\n\r\n",
        "GET /api/v1/ok HTTP/9.9\r\n\r\n",
        "GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        "POST /api/v1/json HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "POST /api/v1/json HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
        "POST /api/v1/json HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert_eq!(server.ask(request).await.status, 400, "{request}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let settings = ServerSettings { client_request_timeout: Duration::from_millis(300), ..settings() };
    let server = Server::start_with(settings, |_| {});
    let mut client = server.connect().await;
    client.send(b"GET /api/v1/ok HTTP/1.1\r\nHost:").await;
    assert_eq!(client.answer().await.status, 408);
    client.closed().await;
}

#[tokio::test]
async fn expectations_are_met_or_refused() {
    let server = server();
    let head =
        "POST /api/v1/json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
    let answer = server.ask(&format!("{head}Expect: wonders\r\n\r\n")).await;
    assert_eq!((answer.status, answer.code().as_str()), (417, "expectation_failed"));
    let mut client = server.connect().await;
    client.send(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).await;
    let first = client.answer().await;
    assert_eq!(first.status, 100);
    client.send(b"{}").await;
    assert_eq!(client.answer().await.status, 200);
}
