//! `GET /connect`, `GET /disconnect`, `GET /users/me`.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, Server, answer, keys};

#[actix_web::test]
async fn each_sign_in_gives_a_token_of_its_own() {
    let server = Server::start().await;
    let id = server.sign_up("Bob@dylan.com", PASSWORD).await.expect(StatusCode::CREATED)["id"].clone();
    let body = answer(server.connect("Bob@dylan.com", PASSWORD)).await.expect(StatusCode::OK);
    assert_eq!(keys(&body), ["token"]);
    let first = body["token"].as_str().unwrap().to_owned();
    let second = server.token_of("Bob@dylan.com").await;
    assert_ne!(first, second);
    for token in [&first, &second] {
        let me = answer(server.get("/users/me").header("X-Token", token)).await;
        assert_eq!(me.expect(StatusCode::OK), json!({"id": id, "email": "Bob@dylan.com"}));
    }
    let bearer = answer(server.get("/users/me").bearer_auth(&first)).await;
    assert_eq!(bearer.expect(StatusCode::OK)["id"], id);
}

#[actix_web::test]
async fn whatever_is_wrong_with_basic_is_one_answer() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    answer(server.get("/connect")).await.expect_classic(401, "Unauthorized");
    for value in [
        "Basic",
        "Basic ",
        "Basic %%%%",
        "Basic Ym9i",
        "Basic /w==",
        "Bearer Ym9iOmNvcnJlY3QgaG9yc2U=",
        "BasicYm9iOmNvcnJlY3QgaG9yc2U=",
        "Basic Og==",
        "Basic Ym9iOg==",
        "Basic OmNvcnJlY3QgaG9yc2U=",
        "Digest username=bob",
    ] {
        answer(server.get("/connect").header("authorization", value))
            .await
            .expect_classic(401, "Unauthorized");
    }
    for (email, password) in [
        ("nobody", PASSWORD),
        ("bob", "wrong"),
        ("bob", "correct horse "),
        ("bob", &"x".repeat(73)),
        ("bob", "correct horse\u{0}"),
    ] {
        answer(server.connect(email, password)).await.expect_classic(401, "Unauthorized");
    }
    let twice = server.connect("bob", PASSWORD).basic_auth("bob", Some(PASSWORD));
    answer(twice).await.expect_classic(401, "Unauthorized");
    let in_any_case = server.get("/connect").header("authorization", "bAsIc Ym9iOmNvcnJlY3QgaG9yc2U");
    answer(in_any_case).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn c163_the_address_is_read_in_any_case() {
    let server = Server::start().await;
    server.sign_up("user@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    for typed in ["user@example.org", "USER@EXAMPLE.ORG", " user@example.org "] {
        answer(server.connect(typed, PASSWORD)).await.expect(StatusCode::OK);
    }
    answer(server.connect("user+tag@example.org", PASSWORD)).await.expect_classic(401, "Unauthorized");
}

#[actix_web::test]
async fn c164_passwords_of_every_kind_work() {
    let server = Server::start().await;
    let long = "x".repeat(72);
    for (n, password) in
        ["a:b", ":", "::a::", "p@ss", "100%41", "größe", " spaced out ", "日本語", &long].iter().enumerate()
    {
        let email = format!("user{n}@example.org");
        server.sign_up(&email, password).await.expect(StatusCode::CREATED);
        answer(server.connect(&email, password)).await.expect(StatusCode::OK);
        answer(server.connect(&email, &format!("{password}!"))).await.expect_classic(401, "Unauthorized");
        server.login(&email, password).await.expect(StatusCode::OK);
    }
}

#[actix_web::test]
async fn a_sign_out_ends_this_token_at_once() {
    let server = Server::start().await;
    let gone = server.classic_token("bob").await;
    let other = server.token_of("bob").await;
    assert_eq!(server.me(&gone).await, StatusCode::OK);

    let left = answer(server.get("/disconnect").header("x-token", &gone)).await;
    assert_eq!((left.status, left.text()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(left.header("content-type"), None);
    assert_eq!(left.header("content-length"), None);
    assert_eq!(left.header("transfer-encoding"), None);

    answer(server.get("/users/me").header("x-token", &gone)).await.expect_classic(401, "Unauthorized");
    answer(server.get("/disconnect").header("x-token", &gone)).await.expect_classic(401, "Unauthorized");
    answer(server.get("/api/v1/users/me").bearer_auth(&gone)).await.expect_problem(401, "unauthorized");
    assert_eq!(server.me(&other).await, StatusCode::OK);
}

#[actix_web::test]
async fn a_token_lives_a_day_however_much_it_is_used() {
    let server = Server::start().await;
    let token = server.classic_token("bob").await;
    for _ in 0..23 {
        server.clock.advance(Duration::from_secs(60 * 60));
        assert_eq!(server.me(&token).await, StatusCode::OK);
    }
    server.clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
    answer(server.get("/disconnect").header("x-token", &token)).await.expect_classic(401, "Unauthorized");
}

#[actix_web::test]
async fn without_a_token_nobody_is_known() {
    let server = Server::start().await;
    for path in ["/users/me", "/disconnect"] {
        answer(server.get(path)).await.expect_classic(401, "Unauthorized");
        answer(server.get(path).header("x-token", "")).await.expect_classic(401, "Unauthorized");
        answer(server.get(path).header("x-token", "cdac18cb-57c0-4b0b-9f3c-d8ee0d1c1b0b"))
            .await
            .expect_classic(401, "Unauthorized");
    }
}

#[actix_web::test]
async fn other_methods_and_paths_are_404_or_405() {
    let server = Server::start().await;
    let token = server.classic_token("bob").await;
    for (method, path) in [
        (Method::GET, "/users"),
        (Method::POST, "/connect"),
        (Method::PUT, "/users/me"),
        (Method::DELETE, "/users"),
        (Method::GET, "/users/me/more"),
        (Method::GET, "/connect/more"),
    ] {
        let refused = answer(server.request(method.clone(), path).header("x-token", &token)).await;
        assert!(matches!(refused.status.as_u16(), 404 | 405), "{method} {path}: {}", refused.status);
        assert_eq!(keys(&refused.expect(refused.status)), ["error"]);
    }
}
