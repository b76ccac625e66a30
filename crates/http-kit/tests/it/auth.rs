//! Credentials of requests.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use async_trait::async_trait;
use common::auth::{Authenticator, Presented, Principal, Role};
use common::routes::Service;
use common::{Clock, PortError, PortResult, SessionId, UserId};
use http_kit::service_token::{ServiceCaller, ServiceGate, ServiceTokens};
use http_kit::{ApiResult, Authenticated, CookiePolicy, MaybeAuthenticated, input};
use runtime::SystemClock;

use crate::support::{Answer, Server};

const GOOD_TOKEN: &str = "fmt_good";

/// Knows the token `good`; cannot say anything of `unknowable`.
struct Doorman;

#[async_trait]
impl Authenticator for Doorman {
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>> {
        match &*presented.token {
            "good" | GOOD_TOKEN => Ok(Some(Principal::of_session(
                UserId::from_bytes([1; 12]),
                SessionId::from_bytes([2; 12]),
                Role::User,
            ))),
            "unknowable" => Err(PortError::unavailable("auth", "secret")),
            _ => Ok(None),
        }
    }
}

async fn me(caller: Authenticated) -> String {
    format!("{:?}", caller.by)
}

async fn change(caller: Authenticated, request: HttpRequest, payload: web::Payload) -> ApiResult<String> {
    let _: serde_json::Value = input::json(&request, payload, 100).await?;
    Ok(format!("{:?}", caller.by))
}

async fn maybe(MaybeAuthenticated(caller): MaybeAuthenticated) -> String {
    caller.map_or("anonymous", |_| "known").to_owned()
}

async fn internal(ServiceCaller(service): ServiceCaller) -> String {
    service.name().to_owned()
}

fn tokens() -> ServiceTokens {
    ServiceTokens::new(&[7; 32], None).unwrap()
}

fn server() -> Server {
    let doorman: Arc<dyn Authenticator> = Arc::new(Doorman);
    let doorman = web::Data::from(doorman);
    let policy = web::Data::new(CookiePolicy::new(None, false));
    let gate = web::Data::new(ServiceGate::new(tokens(), [Service::Files], Arc::new(SystemClock)));
    Server::start(move |config| {
        config
            .app_data(doorman.clone())
            .app_data(policy.clone())
            .app_data(gate.clone())
            .service(web::resource("/api/v1/me").route(web::get().to(me)).route(web::post().to(change)))
            .route("/users/me", web::get().to(me))
            .route("/files/1/data", web::get().to(maybe))
            .route("/files/1", web::put().to(|_: Authenticated| async { "changed" }))
            .route("/internal/x", web::get().to(internal));
    })
}

async fn ask(server: &Server, start: &str, fields: &[&str]) -> Answer {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    server.ask(&format!("{start} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).await
}

#[tokio::test]
async fn a_good_token_opens_from_each_place() {
    let server = server();
    for (field, by) in [
        ("Authorization: Bearer good", "Header"),
        ("authorization: bEARER   good ", "Header"),
        ("X-Token: good", "Header"),
        ("Cookie: a=b; fm_session=good", "Cookie"),
        // the password is an API token, whatever the name is
        ("Authorization: Basic Ym9iQGV4YW1wbGUub3JnOmZtdF9nb29k", "Header"),
    ] {
        let answer = ask(&server, "GET /api/v1/me", &[field]).await;
        assert_eq!((answer.status, &*answer.body), (200, by), "{field}");
    }
    // another scheme is somebody else's affair
    let answer = ask(&server, "GET /api/v1/me", &["Authorization: Basic eDp5", "X-Token: good"]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn c170_anything_else_is_401_and_never_500() {
    let server = server();
    let long = format!("X-Token: {}", "a".repeat(9000));
    for fields in [
        &[][..],
        &["Authorization: Bearer"],
        &["Authorization: Bearer "],
        &["Authorization: Bearergood"],
        &["Authorization: good"],
        &["Authorization: Basic Z29vZA=="],
        &["Authorization: Bearer wrong"],
        &["Authorization: Bearer good good"],
        &["Authorization: Bearer gööd"],
        &["Authorization: Bearer good", "Authorization: Bearer good"],
        &["Authorization: Bearer good", "Authorization: Basic x"],
        &["X-Token: "],
        &["X-Token: good", "X-Token: good"],
        &["X-Token: ", "Cookie: fm_session=good"],
        &["Cookie: fm_session=good; fm_session=other"],
        &["Cookie: fm_session="],
        &["Cookie: __Host-fm_session=good"],
        &["Cookie: fm_session=gööd"],
        &[&*long],
    ] {
        let answer = ask(&server, "GET /api/v1/me", fields).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{fields:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{fields:?}");
        let answer = ask(&server, "GET /users/me", fields).await;
        assert_eq!((answer.status, &*answer.body), (401, r#"{"error":"Unauthorized"}"#), "{fields:?}");
        let answer = ask(&server, "GET /files/1/data", fields).await;
        assert_eq!((answer.status, &*answer.body), (200, "anonymous"), "{fields:?}");
    }
    assert_eq!(ask(&server, "GET /files/1/data", &["X-Token: good"]).await.body, "known");
}

#[tokio::test]
async fn authentication_comes_before_the_body() {
    let server = server();
    let body = ["Content-Type: text/plain", "Content-Length: 0"];
    assert_eq!(ask(&server, "POST /api/v1/me", &body).await.status, 401);
    let answer = ask(&server, "POST /api/v1/me", &[&body[..], &["X-Token: good"]].concat()).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn who_cannot_be_asked_is_a_503() {
    let server = server();
    for path in ["/api/v1/me", "/users/me", "/files/1/data"] {
        let answer = ask(&server, &format!("GET {path}"), &["X-Token: unknowable"]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")), "{path}");
        assert!(!answer.body.contains("secret"));
    }
}

#[tokio::test]
async fn c197_a_changing_request_by_cookie_proves_its_origin() {
    let server = server();
    let put = async |fields: &[&str]| {
        let fields = [fields, &["Content-Length: 2", "Content-Type: application/json"]].concat();
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        server.ask(&format!("POST /api/v1/me HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n{{}}")).await
    };
    let cookie = "Cookie: fm_session=good";
    for fields in
        [&["Sec-Fetch-Site: same-origin"][..], &["Sec-Fetch-Site: none"], &["Origin: http://localhost"]]
    {
        assert_eq!(put(&[&[cookie], fields].concat()).await.status, 200, "{fields:?}");
    }
    for fields in [
        &[][..],
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site", "Origin: http://localhost"],
        &["Origin: http://evil.example"],
        &["Origin: null"],
        &["Referer: http://localhost/"],
    ] {
        let answer = put(&[&[cookie], fields].concat()).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "cross_origin"), "{fields:?}");
    }
    // tokens in headers cannot be sent by a foreign page, so they need no proof
    assert_eq!(put(&["X-Token: good", "Sec-Fetch-Site: cross-site"]).await.status, 200);
    let answer = ask(&server, "PUT /files/1", &[cookie, "Content-Length: 0"]).await;
    assert_eq!((answer.status, &*answer.body), (403, r#"{"error":"Forbidden"}"#));
}

#[tokio::test]
async fn internal_calls_want_a_token_for_this_service() {
    let server = server();
    let now = SystemClock.now();
    let good = format!("Authorization: Bearer {}", tokens().mint(Service::Worker, Service::Files, now));
    let answer = ask(&server, "GET /internal/x", &[&good]).await;
    assert_eq!((answer.status, &*answer.body), (200, "worker-service"));
    let other = format!("Authorization: Bearer {}", tokens().mint(Service::Worker, Service::Auth, now));
    for fields in [&[][..], &["Authorization: Bearer good"], &[&*other], &[&*good, &*good]] {
        let answer = ask(&server, "GET /internal/x", fields).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{fields:?}");
    }
}

#[tokio::test]
async fn no_other_origin_is_allowed_to_read() {
    let server = server();
    for (start, fields) in [
        ("GET /api/v1/me", &["Origin: https://evil.example", "X-Token: good"][..]),
        ("GET /files/1/data", &["Origin: null"][..]),
        ("OPTIONS /api/v1/me", &["Origin: https://evil.example", "Access-Control-Request-Method: POST"][..]),
    ] {
        let answer = ask(&server, start, fields).await;
        let head = answer.head.to_ascii_lowercase();
        assert!(!head.contains("access-control-"), "{start}: {head}");
    }
}
