//! The first administrator.

use std::time::Duration;

use auth_service::{AdminCommand, AdminCommandError, CreateAccountError, Verify};
use common::auth::{AuditAction, AuditEntry, AuditFilter, AuditStore as _, AuthStore as _};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Options, PASSWORD, Server, answer, keys, outbox_depth, user_count};

async fn set_up(server: &Server, code: &str, email: &str, password: &str) -> Answer {
    answer(server.post("/api/v1/setup", json!({"code": code, "email": email, "password": password}))).await
}

/// The lines of the audit log about accounts that were made.
async fn made(server: &Server) -> Vec<AuditEntry> {
    let filter =
        AuditFilter { action: Some(AuditAction::UserMade.word().to_owned()), ..AuditFilter::default() };
    server.store.list_audit(&filter, None, 10).await.unwrap()
}

async fn needed(server: &Server) -> Value {
    let state = answer(server.get("/api/v1/setup")).await.expect(StatusCode::OK);
    assert_eq!(keys(&state), ["needed", "registration"]);
    state["needed"].clone()
}

#[actix_web::test]
async fn the_code_makes_the_first_administrator_once() {
    let server = Server::start().await;
    assert_eq!(needed(&server).await, true);
    set_up(&server, "0123-4567-89AC", "root@b", PASSWORD).await.expect_problem(403, "invalid_setup_code");
    let faulty =
        set_up(&server, &server.setup_code, "nobody", "short").await.expect_problem(400, "invalid_request");
    assert_eq!(faulty["errors"].as_array().unwrap().len(), 2);
    assert_eq!(needed(&server).await, true);

    let typed = format!(" {} ", server.setup_code.replace('-', " ").to_lowercase());
    let login = set_up(&server, &typed, "root@b", PASSWORD).await.expect(StatusCode::CREATED);
    assert_eq!((&login["user"]["role"], &login["session"]), (&json!("admin"), &json!("token")));
    let lines = made(&server).await;
    let [line] = &*lines else { panic!("one line: {lines:?}") };
    assert_eq!(
        (&line.details["how"], line.actor.map(|id| json!(id))),
        (&json!("setup"), Some(login["user"]["id"].clone()))
    );
    assert_eq!(
        (line.target.as_deref(), line.address.as_deref()),
        (login["user"]["id"].as_str(), Some("127.0.0.1"))
    );
    let me = answer(server.get("/api/v1/users/me").bearer_auth(login["accessToken"].as_str().unwrap())).await;
    assert_eq!(me.expect(StatusCode::OK), login["user"]);

    assert_eq!(needed(&server).await, false);
    assert!(server.service.setup_code().await.unwrap().is_none());
    set_up(&server, &server.setup_code, "other@b", PASSWORD).await.expect_problem(409, "already_set_up");
    set_up(&server, "wrong", "other@b", PASSWORD).await.expect_problem(409, "already_set_up");
    // it counts in no statistics, and is welcomed by nobody
    assert_eq!(user_count(&server.store).await, 0);
    assert_eq!(outbox_depth(&server.store).await, 0);
}

#[actix_web::test]
async fn whoever_registers_stands_in_the_audit_log() {
    for verify in [Verify::Off, Verify::Required] {
        let mut options = Options::default();
        options.settings.accounts.verify = verify;
        let server = Server::with(options).await;
        let body = json!({"email": "bob@example.org", "password": PASSWORD});
        let register = async || answer(server.post("/api/v1/auth/register", body.clone())).await;
        let user = serde_json::from_str::<Value>(register().await.text()).unwrap()["user"]["id"].clone();
        match verify {
            Verify::Off => drop(register().await.expect_problem(409, "address_taken")),
            Verify::Required => drop(register().await.expect(StatusCode::ACCEPTED)),
        }
        server.sign_up("eve", "x").await.expect(StatusCode::CREATED);
        let lines = made(&server).await;
        assert_eq!(lines.len(), 2);
        assert_eq!((json!(lines[1].actor), &lines[1].details["how"]), (user, &json!("registration")));
    }
}

#[actix_web::test]
async fn it_signs_in_by_cookie_if_asked() {
    let server = Server::start().await;
    let body =
        json!({"code": server.setup_code, "email": "root@b", "password": PASSWORD, "session": "cookie"});
    let made = answer(server.post("/api/v1/setup", body)).await;
    assert_eq!(keys(&made.expect(StatusCode::CREATED)), ["session", "user"]);
    assert!(made.header("set-cookie").unwrap().starts_with("fm_session="));
}

#[actix_web::test]
async fn of_simultaneous_set_ups_one_succeeds() {
    let server = Server::start().await;
    let emails: Vec<_> = (0..6).map(|n| format!("root{n}@b")).collect();
    let all = join_all(emails.iter().map(|email| set_up(&server, &server.setup_code, email, PASSWORD))).await;
    let (made, refused): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.status == StatusCode::CREATED);
    assert_eq!(made.len(), 1);
    for one in refused {
        one.expect_problem(409, "already_set_up");
    }
}

#[actix_web::test]
async fn guessing_is_limited() {
    let server = Server::start().await;
    for n in 0..10 {
        set_up(&server, &format!("guess-{n}"), "root@b", PASSWORD)
            .await
            .expect_problem(403, "invalid_setup_code");
    }
    let limited = set_up(&server, &server.setup_code, "root@b", PASSWORD).await;
    limited.expect_problem(429, "rate_limited");
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    server.clock.advance(Duration::from_secs(wait));
    set_up(&server, &server.setup_code, "root@b", PASSWORD).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn an_address_that_a_user_has_is_taken() {
    let server = Server::start().await;
    server.sign_up("Root@b", PASSWORD).await.expect(StatusCode::CREATED);
    set_up(&server, &server.setup_code, "root@b", PASSWORD).await.expect_problem(409, "address_taken");
    assert_eq!(needed(&server).await, true);
}

#[actix_web::test]
async fn the_code_comes_from_the_master_key() {
    let start = |master: u8| Server::with(Options { master, ..Options::default() });
    let (one, again, other) = (start(1).await, start(1).await, start(2).await);
    assert_eq!(one.setup_code.len(), 19);
    assert_eq!(again.setup_code, one.setup_code);
    assert_ne!(other.setup_code, one.setup_code);
}

#[actix_web::test]
async fn the_administrators_command_makes_one_too() {
    let server = Server::start().await;
    let create = async |email: &str, password: &str| {
        server.command(AdminCommand::Create { email: email.to_owned() }, password).await
    };
    let refused = create("nobody", "short").await.unwrap_err();
    assert!(refused.is_usage(), "{refused}");
    let text = create("root@b", PASSWORD).await.unwrap();
    assert!(text.starts_with("administrator "), "{text}");
    assert!(server.store.has_admin().await.unwrap());
    let lines = made(&server).await;
    assert_eq!((lines.len(), lines[0].actor, &lines[0].details["how"]), (1, None, &json!("command")));
    let again = create("other@b", PASSWORD).await.unwrap_err();
    assert!(matches!(again, AdminCommandError::Account(CreateAccountError::AlreadySetUp)));
    assert!(!again.is_usage());
    server.login("root@b", PASSWORD).await.expect(StatusCode::OK);
}
