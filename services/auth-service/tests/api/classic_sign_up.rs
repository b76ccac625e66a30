//! `POST /users`.

use std::time::Duration;

use common::jobs::Outbox as _;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, Server, answer, keys, outbox_depth, user_count};

#[actix_web::test]
async fn a_sign_up_answers_id_and_email_alone() {
    let server = Server::start().await;
    let made = server.sign_up("Bob@dylan.com", "toto1234!").await;
    let body = made.expect(StatusCode::CREATED);
    assert_eq!(keys(&body), ["email", "id"]);
    assert_eq!(body["email"], "Bob@dylan.com");
    assert_eq!(body["id"].as_str().unwrap().len(), 24);
    assert!(made.header("content-type").unwrap().starts_with("application/json"));
}

#[actix_web::test]
async fn what_is_missing_is_said_in_order() {
    let server = Server::start().await;
    server.sign_up("taken", "x").await.expect(StatusCode::CREATED);
    for (body, message) in [
        (json!({}), "Missing email"),
        (json!({"password": "x"}), "Missing email"),
        (json!({"email": null, "password": "x"}), "Missing email"),
        (json!({"email": "", "password": ""}), "Missing email"),
        (json!({"email": " \t", "password": "x"}), "Missing email"),
        (json!({"email": "a"}), "Missing password"),
        (json!({"email": "a", "password": null}), "Missing password"),
        (json!({"email": "a", "password": ""}), "Missing password"),
        (json!({"email": "taken"}), "Missing password"),
        (json!({"email": "taken", "password": "y"}), "Already exist"),
        (json!({"email": {"$ne": null}, "password": "x"}), "Invalid email"),
        (json!({"email": ["a"], "password": "x"}), "Invalid email"),
        (json!({"email": 5}), "Invalid email"),
        (json!({"email": "a\u{0}b", "password": "x"}), "Invalid email"),
        (json!({"email": "a".repeat(255), "password": "x"}), "Invalid email"),
        (json!({"email": "a", "password": {"$ne": null}}), "Invalid password"),
        (json!({"email": "a", "password": 89}), "Invalid password"),
        (json!({"email": "a", "password": true}), "Invalid password"),
        (json!({"email": "a", "password": "abc\u{0}abc"}), "Invalid password"),
        (json!({"email": "a", "password": "x".repeat(73)}), "Invalid password"),
        (json!({"email": "a", "password": "ü".repeat(37)}), "Invalid password"),
    ] {
        answer(server.post("/users", body.clone())).await.expect_classic(400, message);
    }
    assert_eq!(user_count(&server.store).await, 1);
}

#[actix_web::test]
async fn bodies_of_other_types_count_as_empty_and_broken_ones_do_not() {
    let server = Server::start().await;
    let post = |content_type: Option<&'static str>, body: &'static str| {
        let request = server.request(Method::POST, "/users").body(body);
        match content_type {
            Some(kind) => request.header("content-type", kind),
            None => request,
        }
    };
    let good = r#"{"email":"a","password":"x"}"#;
    answer(server.request(Method::POST, "/users")).await.expect_classic(400, "Missing email");
    answer(post(None, good)).await.expect_classic(400, "Missing email");
    answer(post(Some("text/plain"), good)).await.expect_classic(400, "Missing email");
    answer(post(Some("application/x-www-form-urlencoded"), "email=a&password=x"))
        .await
        .expect_classic(400, "Missing email");
    answer(post(Some("application/json"), "")).await.expect_classic(400, "Missing email");
    for broken in ["{", "{\"email\":", "[]", "null", "\"a\"", "5", "{} {}"] {
        let refused = answer(post(Some("application/json"), broken)).await;
        assert!(refused.expect(StatusCode::BAD_REQUEST)["error"].is_string(), "{broken}");
    }
    let long = format!("{{\"email\":\"{}\"}}", "a".repeat(1 << 20));
    let refused =
        answer(server.request(Method::POST, "/users").header("content-type", "application/json").body(long))
            .await;
    assert!(refused.expect(StatusCode::PAYLOAD_TOO_LARGE)["error"].is_string());
    answer(post(Some("application/json; charset=utf-8"), good)).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn of_simultaneous_sign_ups_one_succeeds() {
    let server = Server::start().await;
    let spellings = ["bob@dylan.com", "BOB@dylan.com", " bob@Dylan.com ", "Bob@Dylan.Com"];
    let all = join_all((0..12).map(|n| server.sign_up(spellings[n % 4], PASSWORD))).await;
    let (made, refused): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.status == StatusCode::CREATED);
    assert_eq!(made.len(), 1);
    for one in refused {
        one.expect_classic(400, "Already exist");
    }
    assert_eq!(user_count(&server.store).await, 1);
    assert_eq!(outbox_depth(&server.store).await, 1);
}

#[actix_web::test]
async fn an_address_is_one_account_whatever_its_case() {
    let server = Server::start().await;
    server.sign_up("User@Example.org", PASSWORD).await.expect(StatusCode::CREATED);
    for taken in ["user@example.org", "USER@EXAMPLE.ORG", "  User@Example.org  "] {
        server.sign_up(taken, PASSWORD).await.expect_classic(400, "Already exist");
    }
    server.sign_up("user+tag@example.org", PASSWORD).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn a_sign_up_brings_its_welcome_in_the_same_commit() {
    let server = Server::start().await;
    let request =
        server.post("/users", json!({"email": "a@b", "password": "x"})).header("x-request-id", "sign-up.1");
    let id = answer(request).await.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    server.sign_up("a@b", "x").await.expect_classic(400, "Already exist");
    let jobs = server.store.lease_unsent(10, Duration::from_secs(60), server.now()).await.unwrap();
    let [row] = &jobs[..] else { panic!("one job, not {jobs:?}") };
    assert_eq!(row.job.kind, "welcome-mail");
    assert_eq!(row.job.data, json!({ "userId": id }));
    assert_eq!(row.job.request_id.as_deref(), Some("sign-up.1"));
}
