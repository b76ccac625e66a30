//! The work that passwords cost.

use std::sync::Arc;
use std::time::Duration;

use auth_service::{HashError, HashingSettings};
use common::auth::{Address, AuthStore as _, Password, Role, Session, SessionKind, User};
use common::{IdGen as _, SessionId, Sha256, UserId};
use futures_util::FutureExt as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Answer, Options, PASSWORD, Server, answer, user_count};

#[actix_web::test]
async fn a_wrong_sign_in_costs_the_same_whether_the_account_exists_or_not() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    let mut work = Vec::new();
    for email in ["bob", "nobody", "BOB", "nobody@example.org"] {
        let before = server.hasher.runs();
        answer(server.connect(email, "wrong")).await.expect_classic(401, "Unauthorized");
        server.login(email, "wrong").await.expect_problem(401, "invalid_credentials");
        work.push(server.hasher.runs() - before);
    }
    assert_eq!(work, [2, 2, 2, 2]);
}

/// A password takes a while to be checked; meanwhile its owner may have changed it, since somebody else knows it.
#[actix_web::test]
async fn a_sign_in_that_is_under_way_does_not_outlive_the_password() {
    let server = Server::start().await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let access = |login: &Answer| {
        let body = login.expect(StatusCode::OK);
        body["accessToken"].as_str().unwrap().to_owned()
    };
    let mut current = PASSWORD.to_owned();
    let mut session = access(&server.login("bob@example.org", &current).await);
    for round in 0..5 {
        let next = format!("another password {round}");
        let body = json!({ "current": current, "new": next });
        let change = server.post("/api/v1/users/me/password", body).bearer_auth(&session);
        let logins = (0..4).map(|_| server.login("bob@example.org", &current));
        let (changed, logins) = futures_util::join!(answer(change), futures_util::future::join_all(logins));
        assert!(changed.status.is_success(), "{}", changed.text());
        for login in logins.iter().filter(|login| login.status == StatusCode::OK) {
            assert_eq!(server.me(&access(login)).await, StatusCode::UNAUTHORIZED);
        }
        // what was guessed at the old password has its time
        server.clock.advance(Duration::from_secs(3600));
        session = access(&server.login("bob@example.org", &next).await);
        current = next;
    }
}

#[actix_web::test]
async fn what_no_password_can_be_costs_nothing_for_anybody() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    let before = server.hasher.runs();
    for email in ["bob", "nobody"] {
        answer(server.connect(email, &"x".repeat(73))).await.expect_classic(401, "Unauthorized");
        answer(server.connect(email, "")).await.expect_classic(401, "Unauthorized");
    }
    assert_eq!(server.hasher.runs(), before);
}

#[actix_web::test]
async fn a_hash_of_another_cost_is_upgraded_at_the_next_sign_in() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let start = |cost: u32, ids: Arc<testkit::TestIds>| {
        let hashing = HashingSettings { cost, threads: 2, queue: 64 };
        Server::with(Options { dir: Some(dir.clone()), hashing, ids, ..Options::default() })
    };
    let ids = Arc::new(testkit::TestIds::new());
    let old = start(4, ids.clone()).await;
    old.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    old.stop().await;

    let server = start(5, ids).await;
    let hash = || async {
        let key = Address::parse("bob").unwrap().key();
        server.store.find_user_by_address(&key).await.unwrap().unwrap().password_hash
    };
    assert!(hash().await.starts_with("$2b$04$"));
    answer(server.connect("bob", "wrong")).await.expect_classic(401, "Unauthorized");
    assert!(hash().await.starts_with("$2b$04$"));
    answer(server.connect("bob", PASSWORD)).await.expect(StatusCode::OK);
    assert!(hash().await.starts_with("$2b$05$"));
    let before = server.hasher.runs();
    answer(server.connect("bob", PASSWORD)).await.expect(StatusCode::OK);
    assert_eq!(server.hasher.runs() - before, 1);
}

#[actix_web::test]
async fn more_than_the_queue_holds_is_refused_with_a_time_to_come_back() {
    // one hash of this cost takes a second or more, so that the queue stays full for as long as the test looks
    let hashing = HashingSettings { cost: 14, threads: 1, queue: 1 };
    let server = Server::with(Options { hashing, ..Options::default() }).await;
    let password = Password::parse(PASSWORD).unwrap();
    let mut taking_the_thread = Box::pin(server.hasher.hash(&password));
    let mut taking_the_queue = Box::pin(server.hasher.hash(&password));
    assert!((&mut taking_the_thread).now_or_never().is_none());
    while let Some(refused) = (&mut taking_the_queue).now_or_never() {
        // the thread had not taken up the first one yet
        assert!(matches!(refused, Err(HashError::Busy)));
        taking_the_queue = Box::pin(server.hasher.hash(&password));
    }
    let classic = server.sign_up("bob", PASSWORD).await;
    assert!(classic.expect(StatusCode::SERVICE_UNAVAILABLE)["error"].is_string());
    let v1 = server.login("bob", PASSWORD).await;
    v1.expect_problem(503, "unavailable");
    for refused in [classic, v1] {
        assert_eq!(refused.header("retry-after"), Some("2"));
    }
    assert_eq!(user_count(&server.store).await, 0);
}

#[actix_web::test]
async fn a_disabled_account_is_nobody_whatever_it_holds() {
    let server = Server::start().await;
    let user = User {
        id: UserId(server.ids.object_id()),
        address: Address::parse("bob").unwrap(),
        password_hash: server.hasher.hash(&Password::parse(PASSWORD).unwrap()).await.unwrap(),
        role: Role::User,
        disabled: true,
        bootstrap: false,
        created_at: server.now(),
    };
    server.store.create_user(&user, &[]).await.unwrap();
    let before = server.hasher.runs();
    answer(server.connect("bob", PASSWORD)).await.expect_classic(401, "Unauthorized");
    assert_eq!(server.hasher.runs() - before, 1);

    // a session from before it was disabled
    let (token, hash) = ("A".repeat(43), Sha256::of("A".repeat(43).as_bytes()).0);
    let session = Session {
        id: SessionId(server.ids.object_id()),
        user: user.id,
        kind: SessionKind::Token,
        created_at: server.now(),
        expires_at: server.now() + Duration::from_secs(3600),
        revoked_at: None,
        device: None,
        address: None,
        refresh_hash: Some(hash),
    };
    server.store.create_session(&session).await.unwrap();
    assert_eq!(server.service.credential_source().resolve(session.id, user.id).await.unwrap(), None);
    let refresh = server.post("/api/v1/auth/refresh", json!({ "refreshToken": token }));
    answer(refresh).await.expect_problem(401, "invalid_credentials");
    assert!(!server.store.find_session(session.id).await.unwrap().unwrap().is_live(server.now()));
}
