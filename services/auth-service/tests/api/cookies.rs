//! Sessions by cookie.

use std::time::Duration;

use common::auth::{AuditAction, AuditFilter, AuditStore as _};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, Server, answer, keys};

/// The `name=value` of a new cookie session.
async fn sign_in(server: &Server) -> String {
    let body = json!({"email": "a@b", "password": PASSWORD, "session": "cookie"});
    let answer = answer(server.post("/api/v1/auth/login", body)).await;
    answer.expect(StatusCode::OK);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

async fn server() -> Server {
    let server = Server::start().await;
    server.sign_up("a@b", PASSWORD).await.expect(StatusCode::CREATED);
    server
}

#[actix_web::test]
async fn the_cookie_carries_the_session_and_the_answer_no_token() {
    let server = Server::start().await;
    let body = json!({"email": "a@b", "password": PASSWORD, "session": "cookie"});
    for (path, status) in
        [("/api/v1/auth/register", StatusCode::CREATED), ("/api/v1/auth/login", StatusCode::OK)]
    {
        let signed_in = answer(server.post(path, body.clone())).await;
        let login = signed_in.expect(status);
        assert_eq!(keys(&login), ["session", "user"]);
        assert_eq!(login["session"], "cookie");
        let cookie = signed_in.header("set-cookie").unwrap();
        for part in ["fm_session=ey", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap();
        let me = answer(server.get("/api/v1/users/me").header("cookie", cookie)).await;
        assert_eq!(me.expect(StatusCode::OK), login["user"]);
    }
}

#[actix_web::test]
async fn a_cookie_session_lasts_thirty_days() {
    let server = server().await;
    let cookie = sign_in(&server).await;
    let me = || answer(server.get("/api/v1/users/me").header("cookie", &cookie));
    server.clock.advance(Duration::from_secs(30 * 24 * 60 * 60 - 1));
    me().await.expect(StatusCode::OK);
    server.clock.advance(Duration::from_secs(1));
    me().await.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn c197_a_change_by_cookie_must_come_from_the_page_itself() {
    let server = server().await;
    let cookie = sign_in(&server).await;
    let logout = |fields: &[(&str, &str)]| {
        let request = server.request(Method::POST, "/api/v1/auth/logout").header("cookie", &cookie);
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    for foreign in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", server.base.as_str())],
    ] {
        answer(logout(foreign)).await.expect_problem(403, "cross_origin");
    }
    answer(server.get("/api/v1/users/me").header("cookie", &cookie)).await.expect(StatusCode::OK);

    let left = answer(logout(&[("sec-fetch-site", "same-origin")])).await;
    assert_eq!(left.status, StatusCode::NO_CONTENT);
    let cleared = left.header("set-cookie").unwrap();
    assert!(cleared.starts_with("fm_session=;") && cleared.contains("Max-Age=0"), "{cleared}");
    answer(server.get("/api/v1/users/me").header("cookie", &cookie))
        .await
        .expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn the_origin_does_as_well() {
    let server = server().await;
    let cookie = sign_in(&server).await;
    let logout = server
        .request(Method::POST, "/api/v1/auth/logout")
        .header("cookie", &cookie)
        .header("origin", &server.base);
    assert_eq!(answer(logout).await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn a_foreign_page_cannot_sign_its_visitor_in() {
    let server = server().await;
    let login = |session: &str, name: &str, value: &str| {
        let body = json!({"email": "a@b", "password": PASSWORD, "session": session});
        answer(server.post("/api/v1/auth/login", body).header(name, value))
    };
    login("cookie", "origin", "https://evil.example").await.expect_problem(403, "cross_origin");
    login("cookie", "sec-fetch-site", "cross-site").await.expect_problem(403, "cross_origin");
    login("cookie", "sec-fetch-site", "same-origin").await.expect(StatusCode::OK);
    login("token", "origin", "https://evil.example").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_sign_in_never_keeps_a_session_that_it_was_given() {
    let server = server().await;
    let planted = sign_in(&server).await;
    let body = json!({"email": "a@b", "password": PASSWORD, "session": "cookie"});
    let request = server.post("/api/v1/auth/login", body).header("cookie", &planted);
    let answer = answer(request.header("sec-fetch-site", "same-origin")).await;
    answer.expect(StatusCode::OK);
    assert_ne!(answer.header("set-cookie").unwrap().split(';').next().unwrap(), planted);
}

#[actix_web::test]
async fn a_sign_in_over_a_session_ends_that_one() {
    let server = server().await;
    server.sign_up("eve@b", PASSWORD).await.expect(StatusCode::CREATED);
    let me = async |cookie: &str| answer(server.get("/api/v1/users/me").header("cookie", cookie)).await;
    let over = async |cookie: &str, email: &str, session: &str| {
        let body = json!({"email": email, "password": PASSWORD, "session": session});
        let request = server.post("/api/v1/auth/login", body).header("cookie", cookie);
        let answer = answer(request.header("sec-fetch-site", "same-origin")).await;
        answer.expect(StatusCode::OK);
        answer.header("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned())
    };
    let ended = async || {
        let action = Some(AuditAction::SignedOut.word().to_owned());
        let filter = AuditFilter { action, ..AuditFilter::default() };
        server.store.list_audit(&filter, None, 10).await.unwrap()
    };
    let elsewhere = sign_in(&server).await;
    let first = sign_in(&server).await;
    // a program that signs in beside it takes no cookie away
    assert_eq!(over(&first, "a@b", "token").await, None);
    me(&first).await.expect(StatusCode::OK);
    assert!(ended().await.is_empty());

    let second = over(&first, "a@b", "cookie").await.unwrap();
    me(&first).await.expect_problem(401, "unauthorized");
    let owner = me(&second).await.expect(StatusCode::OK)["id"].clone();
    let third = over(&second, "eve@b", "cookie").await.unwrap();
    me(&second).await.expect_problem(401, "unauthorized");
    assert_eq!(me(&third).await.expect(StatusCode::OK)["email"], "eve@b");
    me(&elsewhere).await.expect(StatusCode::OK);
    let lines = ended().await;
    assert_eq!(lines.len(), 2);
    assert_eq!(json!(lines[1].actor), owner);
    assert_ne!(json!(lines[0].actor), owner, "whoever signed in over it has ended it");
    // one that is no session any more ends nothing
    over(&first, "a@b", "cookie").await.unwrap();
    assert_eq!(ended().await.len(), 2);
}

#[actix_web::test]
async fn a_link_cannot_sign_the_page_out() {
    let server = server().await;
    let cookie = sign_in(&server).await;
    answer(server.get("/disconnect").header("cookie", &cookie)).await.expect_classic(401, "Unauthorized");
    answer(server.get("/api/v1/users/me").header("cookie", &cookie)).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn two_different_cookies_are_nobody() {
    let server = server().await;
    let (one, other) = (sign_in(&server).await, sign_in(&server).await);
    let both = server.get("/api/v1/users/me").header("cookie", format!("{one}; {other}"));
    answer(both).await.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn a_session_that_the_store_did_not_end_is_not_said_to_be_ended() {
    let server = server().await;
    let former = sign_in(&server).await;
    let me = async |cookie: &str| answer(server.get("/api/v1/users/me").header("cookie", cookie)).await;
    let over = async |cookie: &str| {
        let body = json!({"email": "a@b", "password": PASSWORD, "session": "cookie"});
        let request = server.post("/api/v1/auth/login", body).header("cookie", cookie);
        let answer = answer(request.header("sec-fetch-site", "same-origin")).await;
        answer.expect(StatusCode::OK);
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    };
    let ended = async || {
        let action = Some(AuditAction::SignedOut.word().to_owned());
        let filter = AuditFilter { action, ..AuditFilter::default() };
        server.store.list_audit(&filter, None, 10).await.unwrap().len()
    };
    let database = rusqlite::Connection::open(server.database_file()).unwrap();
    let broken = "CREATE TRIGGER broken BEFORE UPDATE OF revoked_at ON sessions
                  BEGIN SELECT RAISE(ABORT, 'cut off by the test'); END";
    database.execute_batch(broken).unwrap();
    let second = over(&former).await;
    me(&second).await.expect(StatusCode::OK);
    me(&former).await.expect(StatusCode::OK);
    assert_eq!(ended().await, 0, "it goes on, and nobody says otherwise");
    database.execute_batch("DROP TRIGGER broken").unwrap();
    over(&former).await;
    me(&former).await.expect_problem(401, "unauthorized");
    assert_eq!(ended().await, 1);
}
