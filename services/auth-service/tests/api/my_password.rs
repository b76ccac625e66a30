//! New passwords: by the old one, and by a code that goes by mail.

use std::time::Duration;

use common::auth::mail::{AccountEvent, MailContent};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Options, PASSWORD, Server, answer};

const NEW: &str = "battery staple";
const MINUTE: Duration = Duration::from_secs(60);

async fn change(server: &Server, token: &str, current: &str, new: &str) -> Answer {
    let body = json!({"current": current, "new": new});
    answer(server.post("/api/v1/users/me/password", body).bearer_auth(token)).await
}

async fn forgot(server: &Server, email: &str) -> Answer {
    answer(server.post("/api/v1/auth/password/forgot", json!({ "email": email }))).await
}

async fn reset(server: &Server, code: &str, password: &str) -> Answer {
    answer(server.post("/api/v1/auth/password/reset", json!({"code": code, "password": password}))).await
}

/// The code of the newest mail.
async fn code(server: &Server) -> String {
    match server.mails().await.pop().unwrap().content {
        MailContent::ResetPassword { code } => code,
        _ => panic!("the newest mail holds no code"),
    }
}

#[actix_web::test]
async fn a_new_password_ends_all_other_sessions() {
    let server = Server::start().await;
    let (mine, other) =
        (server.classic_token("bob@example.org").await, server.token_of("bob@example.org").await);
    let login = server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
    for token in [&mine, &other] {
        assert_eq!(server.me(token).await, StatusCode::OK);
    }
    change(&server, &mine, PASSWORD, NEW).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&mine).await, StatusCode::OK);
    assert_eq!(server.me(&other).await, StatusCode::UNAUTHORIZED);
    let refresh = json!({"refreshToken": login["refreshToken"]});
    answer(server.post("/api/v1/auth/refresh", refresh)).await.expect_problem(401, "invalid_credentials");
    server.login("bob@example.org", PASSWORD).await.expect_problem(401, "invalid_credentials");
    server.login("bob@example.org", NEW).await.expect(StatusCode::OK);

    let mail = server.mails().await.pop().unwrap();
    assert_eq!((&*mail.to, mail.decoy), ("bob@example.org", false));
    let MailContent::Notice { event, address, .. } = mail.content else { panic!("a notice") };
    assert_eq!(
        (event, address.as_deref()),
        (AccountEvent::PasswordChanged { tokens_ended: false, identities_ended: false }, Some("127.0.0.1"))
    );
}

#[actix_web::test]
async fn whoever_has_only_a_session_cannot_set_a_password() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    answer(server.post("/api/v1/users/me/password", json!({}))).await.expect_problem(401, "unauthorized");
    for _ in 0..10 {
        change(&server, &token, "wrong", NEW).await.expect_problem(403, "wrong_password");
    }
    let refused = change(&server, &token, PASSWORD, NEW).await;
    refused.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    // the limit is on this alone: the owner still signs in
    server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
    server.clock.advance(MINUTE);
    change(&server, &token, PASSWORD, NEW).await.expect(StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn a_password_that_is_easily_guessed_is_refused() {
    let server = Server::start().await;
    let token = server.classic_token("adalovelace@example.org").await;
    for (new, code) in [
        ("short", "too_short"),
        ("", "missing"),
        ("Password123", "common"),
        ("ADALOVELACE", "is_address"),
        ("adalovelace@example.org", "is_address"),
        (&*"x".repeat(73), "too_long"),
    ] {
        let problem = change(&server, &token, PASSWORD, new).await.expect_problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/new");
        assert_eq!(problem["errors"][0]["code"], code, "{new}");
    }
    let register = json!({"email": "eve@example.org", "password": "iloveyou1"});
    let problem =
        answer(server.post("/api/v1/auth/register", register)).await.expect_problem(400, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "common");
    // the classic sign-up has always taken any
    server.sign_up("eve@example.org", "password").await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn the_shortest_password_is_a_setting() {
    let mut options = Options::default();
    options.settings.accounts.min_password = 20;
    let server = Server::with(options).await;
    let register = |password: &str| {
        answer(
            server.post("/api/v1/auth/register", json!({"email": "bob@example.org", "password": password})),
        )
    };
    let problem = register(PASSWORD).await.expect_problem(400, "invalid_request");
    assert_eq!(problem["errors"][0]["detail"], "The password has fewer than 20 characters");
    register("correct horse battery staple").await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn a_lost_password_is_replaced_by_a_code() {
    let server = Server::start().await;
    let token = server.classic_token("Bob@example.org").await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
    forgot(&server, "bob@EXAMPLE.org").await.expect(StatusCode::ACCEPTED);
    let mail = server.mails().await.pop().unwrap();
    assert_eq!((&*mail.to, mail.decoy), ("Bob@example.org", false), "as it stands in the account");
    let first = code(&server).await;
    forgot(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let second = code(&server).await;

    reset(&server, &first, "short").await.expect_problem(400, "invalid_request");
    reset(&server, &first, "bob@example.org").await.expect_problem(400, "invalid_request");
    let typed = first.to_lowercase().replace('-', " ");
    reset(&server, &typed, NEW).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED, "all sessions have ended");
    server.login("bob@example.org", NEW).await.expect(StatusCode::OK);
    for code in [&first, &second] {
        reset(&server, code, "another one").await.expect_problem(403, "invalid_code");
    }
    // its owner is told of both: of the new password, and of the first sign-in with it, whoever that was
    let event = |mail: common::auth::mail::AccountMail| match mail.content {
        MailContent::Notice { event, .. } => Some(event),
        _ => None,
    };
    let events: Vec<_> = server.mails().await.into_iter().filter_map(event).collect();
    assert_eq!(events, [AccountEvent::PasswordReset { identities_ended: false }, AccountEvent::NewDevice]);
}

#[actix_web::test]
async fn api_tokens_do_not_outlive_a_lost_password() {
    let server = Server::start().await;
    let session = server.classic_token("bob@example.org").await;
    let wanted = || json!({"name": "a", "scopes": ["files:read"]});
    let (_, token) = server.api_token(&session, wanted()).await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
    // whoever knows the old password decides, and keeps them unless they say otherwise
    change(&server, &session, PASSWORD, NEW).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&token).await, StatusCode::OK);
    let body = json!({"current": NEW, "new": PASSWORD, "endTokens": true});
    let changed = answer(server.post("/api/v1/users/me/password", body).bearer_auth(&session)).await;
    changed.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.me(&session).await, StatusCode::OK);
    let MailContent::Notice { event, .. } = server.mails().await.pop().unwrap().content else {
        panic!("a notice")
    };
    assert_eq!(event, AccountEvent::PasswordChanged { tokens_ended: true, identities_ended: false });

    let (_, token) = server.api_token(&session, wanted()).await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
    forgot(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    reset(&server, &code(&server).await, NEW).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED, "somebody else may have made it");
}

#[actix_web::test]
async fn a_code_dies_within_the_hour() {
    let server = Server::start().await;
    server.classic_token("bob@example.org").await;
    forgot(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let code = code(&server).await;
    server.clock.advance(60 * MINUTE);
    reset(&server, &code, NEW).await.expect_problem(403, "invalid_code");
    server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn asking_tells_nothing_about_who_has_an_account() {
    let server = Server::start().await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let mut answers = Vec::new();
    for email in ["bob@example.org", "eve@example.org"] {
        let (hashes, jobs) = (server.hasher.runs(), server.mails().await.len());
        let answer = forgot(&server, email).await;
        let sealed = server.jobs().await.pop().unwrap().data["sealed"].as_str().unwrap().len();
        answers.push((
            answer.status,
            answer.text().to_owned(),
            server.hasher.runs() - hashes,
            server.mails().await.len() - jobs,
            sealed,
        ));
    }
    // both addresses have as many letters
    let known = server.mails().await[0].decoy;
    let unknown = server.mails().await[1].decoy;
    assert_eq!((known, unknown), (false, true), "nobody writes to a stranger");
    let eves = answers.pop().unwrap();
    // `"decoy":true` is a letter shorter than `"decoy":false`
    assert_eq!((answers[0].0, &answers[0].1, answers[0].2, answers[0].3), (eves.0, &eves.1, eves.2, eves.3));
    assert!(answers[0].4.abs_diff(eves.4) <= 2);
    let decoy = match &server.mails().await[1].content {
        MailContent::ResetPassword { code } => code.clone(),
        _ => panic!("a code"),
    };
    reset(&server, &decoy, NEW).await.expect_problem(403, "invalid_code");
    forgot(&server, "no mailbox").await.expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn nobody_is_buried_in_mails() {
    let server = Server::start().await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    for email in ["bob@example.org", "eve@example.org"] {
        for _ in 0..5 {
            forgot(&server, email).await.expect(StatusCode::ACCEPTED);
        }
        forgot(&server, email).await.expect_problem(429, "rate_limited");
    }
    assert_eq!(server.mails().await.len(), 10);
}

#[actix_web::test]
async fn codes_are_not_guessed() {
    let server = Server::start().await;
    server.classic_token("bob@example.org").await;
    forgot(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let code = code(&server).await;
    for n in 0..10 {
        reset(&server, &format!("{n}"), NEW).await.expect_problem(403, "invalid_code");
    }
    reset(&server, &code, NEW).await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn no_code_stands_anywhere_in_clear() {
    let server = Server::start().await;
    server.classic_token("bob@example.org").await;
    forgot(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let code = code(&server).await;
    let jobs = server.jobs().await;
    let job = jobs.last().unwrap();
    assert_eq!((&*job.kind, job.user), ("account-mail", None));
    assert_eq!(job.data.as_object().unwrap().keys().collect::<Vec<_>>(), ["sealed"]);
    let kept = [
        server.database(),
        serde_json::to_vec(&Value::from(jobs.iter().map(|job| job.data.clone()).collect::<Vec<_>>()))
            .unwrap(),
    ]
    .concat();
    for secret in [code.as_str(), &code.replace('-', "")] {
        assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[actix_web::test]
async fn a_new_password_that_the_cache_missed_can_be_set_by_the_same_proof() {
    let server = Server::start().await;
    let (mine, other) =
        (server.classic_token("bob@example.org").await, server.token_of("bob@example.org").await);
    assert_eq!(server.me(&other).await, StatusCode::OK);
    server.outage(true);
    // more often than anybody may guess
    for _ in 0..11 {
        change(&server, &mine, PASSWORD, NEW).await.expect_problem(503, "unavailable");
    }
    server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
    // the cache comes back with what it held
    server.outage(false);
    change(&server, &mine, PASSWORD, NEW).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&other).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.me(&mine).await, StatusCode::OK);
}

#[actix_web::test]
async fn a_code_for_a_new_password_is_not_used_up_by_a_reset_that_the_cache_missed() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
    forgot(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let code = code(&server).await;
    server.outage(true);
    for _ in 0..11 {
        reset(&server, &code, NEW).await.expect_problem(503, "unavailable");
    }
    server.outage(false);
    reset(&server, &code, NEW).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
    server.login("bob@example.org", NEW).await.expect(StatusCode::OK);
}
