//! The work that passwords cost.

use std::sync::Arc;

use auth_service::HashingSettings;
use common::auth::{Address, AuthStore as _};
use futures_util::future::join_all;
use reqwest::StatusCode;

use crate::support::{Options, PASSWORD, Server, answer};

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
    let hashing = HashingSettings { cost: 8, threads: 1, queue: 2 };
    let server = Server::with(Options { hashing, ..Options::default() }).await;
    let emails: Vec<_> = (0..30).map(|n| format!("user{n}")).collect();
    let all = join_all(emails.iter().map(|email| server.sign_up(email, PASSWORD))).await;
    let (made, refused): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.status == StatusCode::CREATED);
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for one in refused {
        assert!(one.expect(StatusCode::SERVICE_UNAVAILABLE)["error"].is_string());
        assert!(one.header("retry-after").is_some());
    }
    server.sign_up("later", PASSWORD).await.expect(StatusCode::CREATED);
}
