//! The end of an account: asked for, taken back, carried out.

use std::time::Duration;

use common::auth::mail::{AccountEvent, MailContent};
use common::jobs::types::ACCOUNT_ENDED;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::second_factor::{STEP, app, enrolled};
use crate::support::{Answer, Options, PASSWORD, Server, answer};

const EMAIL: &str = "bob@example.org";
const DAY: Duration = Duration::from_secs(86_400);

async fn ask(server: &Server, token: &str, body: Value) -> Answer {
    answer(server.request(Method::DELETE, "/api/v1/users/me").bearer_auth(token).json(&body)).await
}

async fn keep(server: &Server, more: Value) -> Answer {
    let mut body = json!({ "email": EMAIL, "password": PASSWORD, "cancelDeletion": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer(server.post("/api/v1/auth/login", body)).await
}

async fn events(server: &Server) -> Vec<AccountEvent> {
    let mails = server.mails().await;
    let event = |content| match content {
        MailContent::Notice { event, .. } => Some(event),
        _ => None,
    };
    mails.into_iter().filter_map(|mail| event(mail.content)).collect()
}

async fn ended_jobs(server: &Server) -> Vec<Value> {
    let jobs = server.jobs().await;
    jobs.into_iter().filter(|job| job.kind == ACCOUNT_ENDED).map(|job| job.data).collect()
}

async fn actions(server: &Server, token: &str) -> Vec<String> {
    let list = answer(server.get("/api/v1/admin/audit").bearer_auth(token)).await.expect(StatusCode::OK);
    let items = list["items"].as_array().unwrap().clone();
    items.iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn an_account_waits_closed_and_is_kept_by_a_sign_in() {
    let server = Server::start().await;
    let classic = server.classic_token(EMAIL).await;
    let token = server.token_of_v1(EMAIL).await;
    let (_, api_token) = server.api_token(&token, json!({"name": "t", "scopes": ["account"]})).await;
    ask(&server, &api_token, json!({ "password": PASSWORD })).await.expect_problem(403, "insufficient_scope");
    ask(&server, &token, json!({ "password": "wrong" })).await.expect_problem(403, "wrong_password");
    ask(&server, &token, json!({})).await.expect_problem(400, "invalid_request");
    assert_eq!(server.me(&token).await, StatusCode::OK, "nothing has happened");

    let asked = ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    let deletes_at = (server.now() + 14 * DAY).to_string();
    assert_eq!(asked, json!({ "deletesAt": deletes_at }));
    // on the next request, whatever was remembered
    for credential in [&token, &classic, &api_token] {
        assert_eq!(server.me(credential).await, StatusCode::UNAUTHORIZED);
    }
    answer(server.connect(EMAIL, PASSWORD)).await.expect_classic(401, "Unauthorized");
    server.login(EMAIL, "wrong").await.expect_problem(401, "invalid_credentials");
    let waits = server.login(EMAIL, PASSWORD).await.expect_problem(403, "deletion_scheduled");
    assert_eq!(waits["deletesAt"], json!(deletes_at));
    // the address is not free
    server.sign_up(EMAIL, PASSWORD).await.expect_classic(400, "Already exist");

    let kept = keep(&server, json!({})).await.expect(StatusCode::OK);
    assert_eq!(server.me(kept["accessToken"].as_str().unwrap()).await, StatusCode::OK);
    assert_eq!(server.me(&api_token).await, StatusCode::OK, "it is as it was");
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED, "but for what was signed in");
    let events = events(&server).await;
    assert!(
        matches!(
            events[..],
            [
                AccountEvent::TokenMade { .. },
                AccountEvent::DeletionAsked { .. },
                AccountEvent::DeletionCancelled
            ]
        ),
        "{events:?}"
    );
    server.clock.advance(15 * DAY);
    assert_eq!(server.service.end_due_accounts().await.unwrap(), 0);
    server.login(EMAIL, PASSWORD).await.expect(StatusCode::OK);
    // to keep what does not wait is an ordinary sign-in
    keep(&server, json!({})).await.expect(StatusCode::OK);
    assert!(ended_jobs(&server).await.is_empty());
}

#[actix_web::test]
async fn an_account_goes_when_its_time_has_come() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let token = server.classic_token(EMAIL).await;
    let me = answer(server.get("/users/me").header("x-token", &token)).await.expect(StatusCode::OK);
    ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    server.clock.advance(14 * DAY - Duration::from_millis(1));
    assert_eq!(server.service.end_due_accounts().await.unwrap(), 0);
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(server.service.end_due_accounts().await.unwrap(), 1);
    assert_eq!(server.service.end_due_accounts().await.unwrap(), 0);
    assert_eq!(ended_jobs(&server).await, [json!({ "userId": me["id"] })]);
    keep(&server, json!({})).await.expect_problem(401, "invalid_credentials");
    let root = refreshed(&server, &root).await;
    let log = actions(&server, &root).await;
    let of = |action: &str| log.iter().filter(|line| *line == action).count();
    assert_eq!((of("account.deletion_asked"), of("user.deleted")), (1, 1), "{log:?}");
    // the address is free
    server.sign_up(EMAIL, PASSWORD).await.expect(StatusCode::CREATED);
}

/// Another access token for the administrator, whose first one has expired.
async fn refreshed(server: &Server, _: &str) -> String {
    server.token_of_v1("root@b").await
}

#[actix_web::test]
async fn both_factors_end_an_account_and_keep_it() {
    let server = Server::start().await;
    let (token, secret, codes) = enrolled(&server).await;
    server.clock.advance(STEP);
    let password = json!({ "password": PASSWORD });
    ask(&server, &token, password).await.expect_problem(401, "second_factor_required");
    let wrong = json!({ "password": PASSWORD, "totp": "x" });
    ask(&server, &token, wrong).await.expect_problem(401, "invalid_second_factor");
    let right = json!({ "password": PASSWORD, "totp": app(&server, &secret) });
    ask(&server, &token, right).await.expect(StatusCode::ACCEPTED);
    // to say that it waits uses no code up
    server.clock.advance(STEP);
    let code = app(&server, &secret);
    let sign_in = json!({ "email": EMAIL, "password": PASSWORD, "totp": code });
    answer(server.post("/api/v1/auth/login", sign_in)).await.expect_problem(403, "deletion_scheduled");
    keep(&server, json!({})).await.expect_problem(401, "second_factor_required");
    keep(&server, json!({ "totp": "x" })).await.expect_problem(401, "invalid_second_factor");
    keep(&server, json!({ "totp": code })).await.expect(StatusCode::OK);
    let by_code = json!({ "password": PASSWORD, "recoveryCode": codes[0] });
    let token = keep(&server, json!({ "recoveryCode": codes[1] })).await.expect(StatusCode::OK);
    ask(&server, token["accessToken"].as_str().unwrap(), by_code).await.expect(StatusCode::ACCEPTED);
}

#[actix_web::test]
async fn the_last_administrator_cannot_leave() {
    let server = Server::start().await;
    let root = server.administrator().await;
    ask(&server, &root, json!({ "password": PASSWORD })).await.expect_problem(409, "last_administrator");
    assert_eq!(server.me(&root).await, StatusCode::OK);
}

#[actix_web::test]
async fn whoever_is_told_can_set_a_new_password_and_keep_the_account() {
    let server = Server::start().await;
    let token = server.classic_token(EMAIL).await;
    ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    let forgot = server.post("/api/v1/auth/password/forgot", json!({ "email": EMAIL }));
    answer(forgot).await.expect(StatusCode::ACCEPTED);
    let mail = server.mails().await.pop().unwrap();
    let MailContent::ResetPassword { code } = mail.content else { panic!("the mail has a code") };
    assert!(!mail.decoy);
    let reset = json!({ "code": code, "password": "another one" });
    answer(server.post("/api/v1/auth/password/reset", reset)).await.expect(StatusCode::NO_CONTENT);
    server.login(EMAIL, "another one").await.expect_problem(403, "deletion_scheduled");
    keep(&server, json!({ "password": "another one" })).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn an_administrator_can_keep_a_waiting_account_out() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let token = server.classic_token(EMAIL).await;
    let me = answer(server.get("/users/me").header("x-token", &token)).await.expect(StatusCode::OK);
    ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    let path = format!("/api/v1/admin/users/{}", me["id"].as_str().unwrap());
    let disable = server.request(Method::PATCH, &path).bearer_auth(&root).json(&json!({ "disabled": true }));
    answer(disable).await.expect(StatusCode::OK);
    keep(&server, json!({})).await.expect_problem(401, "invalid_credentials");
    server.clock.advance(14 * DAY);
    assert_eq!(server.service.end_due_accounts().await.unwrap(), 1, "what its owner asked for goes on");
}

#[actix_web::test]
async fn an_administrators_deletion_leaves_the_job_for_the_rest() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let token = server.classic_token(EMAIL).await;
    let me = answer(server.get("/users/me").header("x-token", &token)).await.expect(StatusCode::OK);
    let path = format!("/api/v1/admin/users/{}", me["id"].as_str().unwrap());
    let delete = server.request(Method::DELETE, &path).bearer_auth(&root);
    answer(delete).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ended_jobs(&server).await, [json!({ "userId": me["id"] })]);
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_closing_that_is_not_known_everywhere_is_not_answered_as_done() {
    let server = Server::with(Options::default()).await;
    let token = server.classic_token(EMAIL).await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
    let body = json!({ "password": PASSWORD });
    server.outage(true);
    ask(&server, &token, body.clone()).await.expect_problem(503, "unavailable");
    server.outage(false);
    // it is closed, but what was remembered of its session passes until the caches are told, as the same call does
    ask(&server, &token, body).await.expect(StatusCode::ACCEPTED);
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
}
