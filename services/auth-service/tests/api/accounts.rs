//! `/api/v1/auth` and `/api/v1/users/me`, by token.

use std::time::Duration;

use common::auth::REFRESH_GRACE;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Server, answer, keys, outbox_depth, user_count};

async fn register(server: &Server, email: &str, password: &str) -> Answer {
    answer(server.post("/api/v1/auth/register", json!({"email": email, "password": password}))).await
}

async fn refresh(server: &Server, token: &Value) -> Answer {
    answer(server.post("/api/v1/auth/refresh", json!({ "refreshToken": token }))).await
}

async fn status(server: &Server, access: &Value) -> StatusCode {
    let request = server.get("/api/v1/users/me").bearer_auth(access.as_str().unwrap());
    answer(request).await.status
}

#[actix_web::test]
async fn a_registration_signs_in() {
    let server = Server::start().await;
    let made = register(&server, " Ada@Example.org ", PASSWORD).await;
    let login = made.expect(StatusCode::CREATED);
    assert_eq!(keys(&login), ["accessToken", "expiresIn", "refreshToken", "session", "user"]);
    assert_eq!((&login["session"], &login["expiresIn"]), (&json!("token"), &json!(900)));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert_eq!(made.header("set-cookie"), None);
    let user = &login["user"];
    assert_eq!(
        keys(user),
        ["createdAt", "email", "id", "name", "preferences", "role", "secondFactor", "verified"]
    );
    assert_eq!((&user["email"], &user["role"]), (&json!("Ada@Example.org"), &json!("user")));
    assert_eq!(user["createdAt"], "2026-01-01T00:00:00.000Z");
    let me = answer(server.get("/api/v1/users/me").bearer_auth(login["accessToken"].as_str().unwrap())).await;
    assert_eq!(me.expect(StatusCode::OK), *user);
    assert_eq!(outbox_depth(&server.store).await, 1);
}

#[actix_web::test]
async fn all_faults_of_a_registration_are_named() {
    let server = Server::start().await;
    let fields = |body: &Value| {
        let errors = body["errors"].as_array().unwrap().iter();
        errors
            .map(|one| format!("{}:{}", one["pointer"].as_str().unwrap(), one["code"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    for (email, password, expected) in [
        ("", "", vec!["/email:missing", "/password:missing"]),
        ("nobody", PASSWORD, vec!["/email:invalid"]),
        ("a b@c", PASSWORD, vec!["/email:invalid"]),
        ("a@b@c", PASSWORD, vec!["/email:invalid"]),
        ("a@b..c", PASSWORD, vec!["/email:invalid"]),
        ("a@b", "1234567", vec!["/password:too_short"]),
        ("a@b", &"x".repeat(73), vec!["/password:too_long"]),
        ("a@b", "abcdefgh\u{0}", vec!["/password:invalid"]),
        (&format!("{}@b", "a".repeat(300)), "short", vec!["/email:too_long", "/password:too_short"]),
    ] {
        let body = register(&server, email, password).await.expect_problem(400, "invalid_request");
        assert_eq!(fields(&body), expected, "{email} {password}");
    }
    register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    let body = register(&server, "A@B", PASSWORD).await.expect_problem(409, "address_taken");
    assert_eq!(fields(&body), ["/email:taken"]);
    assert_eq!(user_count(&server.store).await, 1);
}

#[actix_web::test]
async fn bodies_of_every_call_are_checked() {
    let server = Server::start().await;
    for path in ["/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/setup"] {
        let post = |body: &str| {
            server
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body.to_owned())
        };
        for broken in ["", "{", "{]", "\u{1}"] {
            answer(post(broken)).await.expect_problem(400, "invalid_json");
        }
        for wrong in ["5", "null", "[]", "{}", r#"{"email":5,"password":[],"refreshToken":{},"code":1}"#] {
            answer(post(wrong)).await.expect_problem(400, "invalid_request");
        }
        answer(post(&format!("{{\"email\":\"{}\"}}", "a".repeat(1 << 20))))
            .await
            .expect_problem(413, "too_large");
        let plain = server.request(Method::POST, path).header("content-type", "text/plain").body("{}");
        answer(plain).await.expect_problem(415, "unsupported_media_type");
    }
    let unknown = json!({"email": "a@b", "password": PASSWORD, "remember": true});
    let body =
        answer(server.post("/api/v1/auth/login", unknown)).await.expect_problem(400, "invalid_request");
    assert_eq!(body["errors"][0]["pointer"], "/remember");
    let session = json!({"email": "a@b", "password": PASSWORD, "session": "classic"});
    answer(server.post("/api/v1/auth/login", session)).await.expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn a_wrong_sign_in_has_one_answer() {
    let server = Server::start().await;
    register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    let unknown = server.login("nobody@b", PASSWORD).await.expect_problem(401, "invalid_credentials");
    for (email, password) in
        [("a@b", "wrong"), ("a@b", ""), ("", ""), ("a@b", &"x".repeat(100)), ("a@b", "\u{0}")]
    {
        let mut body = server.login(email, password).await.expect_problem(401, "invalid_credentials");
        body["requestId"] = unknown["requestId"].clone();
        assert_eq!(body, unknown);
    }
    let login = server.login("A@B", PASSWORD).await.expect(StatusCode::OK);
    assert_eq!(login["user"]["email"], "a@b");
}

#[actix_web::test]
async fn access_is_short_and_refresh_renews_it() {
    let server = Server::start().await;
    let first = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    server.clock.advance(Duration::from_secs(15 * 60 + 6));
    assert_eq!(status(&server, &first["accessToken"]).await, StatusCode::UNAUTHORIZED);
    let second = refresh(&server, &first["refreshToken"]).await.expect(StatusCode::OK);
    assert_eq!(keys(&second), keys(&first));
    assert_ne!(second["refreshToken"], first["refreshToken"]);
    assert_eq!(status(&server, &second["accessToken"]).await, StatusCode::OK);
}

#[actix_web::test]
async fn a_refresh_token_used_twice_ends_its_session() {
    let server = Server::start().await;
    let first = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    let other = server.login("a@b", PASSWORD).await.expect(StatusCode::OK);
    let second = refresh(&server, &first["refreshToken"]).await.expect(StatusCode::OK);
    assert_eq!(status(&server, &second["accessToken"]).await, StatusCode::OK);

    server.clock.advance(REFRESH_GRACE + Duration::from_secs(1));
    refresh(&server, &first["refreshToken"]).await.expect_problem(401, "invalid_credentials");
    assert_eq!(status(&server, &second["accessToken"]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&server, &first["accessToken"]).await, StatusCode::UNAUTHORIZED);
    refresh(&server, &second["refreshToken"]).await.expect_problem(401, "invalid_credentials");
    assert_eq!(status(&server, &other["accessToken"]).await, StatusCode::OK);
}

#[actix_web::test]
async fn a_refresh_whose_answer_was_lost_can_be_sent_again() {
    let server = Server::start().await;
    let first = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    refresh(&server, &first["refreshToken"]).await.expect(StatusCode::OK);
    server.clock.advance(REFRESH_GRACE);
    let again = refresh(&server, &first["refreshToken"]).await.expect(StatusCode::OK);
    assert_eq!(status(&server, &again["accessToken"]).await, StatusCode::OK);
    let next = refresh(&server, &again["refreshToken"]).await.expect(StatusCode::OK);
    assert_eq!(status(&server, &next["accessToken"]).await, StatusCode::OK);
    // the second answer arrived, so the first token is of no use to anyone but a thief
    refresh(&server, &first["refreshToken"]).await.expect_problem(401, "invalid_credentials");
    assert_eq!(status(&server, &next["accessToken"]).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn simultaneous_refreshes_leave_the_session_alive() {
    let server = Server::start().await;
    let login = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    for answer in join_all((0..6).map(|_| refresh(&server, &login["refreshToken"]))).await {
        let pair = answer.expect(StatusCode::OK);
        assert_eq!(status(&server, &pair["accessToken"]).await, StatusCode::OK);
    }
}

#[actix_web::test]
async fn a_reuse_that_the_cache_missed_is_told_to_it_when_repeated() {
    let server = Server::start().await;
    let first = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    let second = refresh(&server, &first["refreshToken"]).await.expect(StatusCode::OK);
    // the cache remembers the session
    assert_eq!(status(&server, &second["accessToken"]).await, StatusCode::OK);
    server.clock.advance(REFRESH_GRACE + Duration::from_secs(1));
    server.outage(true);
    refresh(&server, &first["refreshToken"]).await.expect_problem(503, "unavailable");
    server.outage(false);
    refresh(&server, &first["refreshToken"]).await.expect_problem(401, "invalid_credentials");
    assert_eq!(status(&server, &second["accessToken"]).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_refresh_token_dies_with_its_time_or_its_session() {
    let server = Server::start().await;
    let login = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    server.clock.advance(Duration::from_secs(30 * 24 * 60 * 60));
    refresh(&server, &login["refreshToken"]).await.expect_problem(401, "invalid_credentials");

    let login = server.login("a@b", PASSWORD).await.expect(StatusCode::OK);
    let logout = server
        .request(Method::POST, "/api/v1/auth/logout")
        .bearer_auth(login["accessToken"].as_str().unwrap());
    let left = answer(logout).await;
    assert_eq!((left.status, left.header("set-cookie")), (StatusCode::NO_CONTENT, None));
    refresh(&server, &login["refreshToken"]).await.expect_problem(401, "invalid_credentials");
    assert_eq!(status(&server, &login["accessToken"]).await, StatusCode::UNAUTHORIZED);
    for token in [
        json!(""),
        json!("x"),
        json!("a".repeat(43)),
        json!("A".repeat(43)),
        json!("ü".repeat(4000)),
        login["accessToken"].clone(),
    ] {
        refresh(&server, &token).await.expect_problem(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn a_sign_out_that_the_cache_missed_is_not_answered_as_done() {
    let server = Server::start().await;
    let login = register(&server, "a@b", PASSWORD).await.expect(StatusCode::CREATED);
    assert_eq!(status(&server, &login["accessToken"]).await, StatusCode::OK);
    let logout = || {
        server
            .request(Method::POST, "/api/v1/auth/logout")
            .bearer_auth(login["accessToken"].as_str().unwrap())
    };

    server.outage(true);
    let refused = answer(logout()).await;
    refused.expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    // who cannot reach the cache asks the store, which knows
    assert_eq!(status(&server, &login["accessToken"]).await, StatusCode::UNAUTHORIZED);

    // the cache is back with what it held; asking again puts that right
    server.outage(false);
    assert_eq!(answer(logout()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(status(&server, &login["accessToken"]).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn nobody_is_known_without_a_credential() {
    let server = Server::start().await;
    let refused = answer(server.get("/api/v1/users/me")).await;
    refused.expect_problem(401, "unauthorized");
    assert!(refused.header("www-authenticate").is_some());
    answer(server.request(Method::POST, "/api/v1/auth/logout")).await.expect_problem(401, "unauthorized");
    answer(server.get("/api/v1/users/me").bearer_auth("x")).await.expect_problem(401, "unauthorized");
}
