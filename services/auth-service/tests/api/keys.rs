//! Signing keys.

use std::sync::Arc;
use std::time::Duration;

use auth_service::KeysError;
use common::SessionId;
use common::auth::AuthStore as _;
use reqwest::StatusCode;
use serde_json::Value;

use crate::second_factor::{STEP, app, enrolled};
use crate::support::{Options, PASSWORD, Server, answer, keys};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn key_set(server: &Server) -> Vec<Value> {
    let answer = answer(server.get("/.well-known/jwks.json")).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    answer.expect(StatusCode::OK)["keys"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn the_key_set_shows_public_parts_only() {
    let server = Server::start().await;
    let set = key_set(&server).await;
    assert_eq!(set.len(), 1);
    assert_eq!(keys(&set[0]), ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(
        (&set[0]["kty"], &set[0]["crv"], &set[0]["alg"]),
        (&"OKP".into(), &"Ed25519".into(), &"EdDSA".into())
    );
}

#[actix_web::test]
async fn keys_survive_a_restart_and_are_sealed() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let ids = Arc::new(testkit::TestIds::new());
    let start = || Server::with(Options { dir: Some(dir.clone()), ids: ids.clone(), ..Options::default() });
    let server = start().await;
    let token = server.classic_token("bob").await;
    let before = key_set(&server).await;
    let stored = server.store.list_signing_keys(server.now()).await.unwrap();
    let seed = server.master.open("signing-key", &stored[0].sealed).unwrap();
    assert!(!stored[0].sealed.windows(seed.len()).any(|part| part == &seed[..]));
    server.stop().await;

    let server = start().await;
    assert_eq!(key_set(&server).await, before);
    assert_eq!(server.me(&token).await, StatusCode::OK);
    server.stop().await;

    let foreign = Options { dir: Some(dir.clone()), master: 2, ..Options::default() };
    assert!(matches!(Server::try_with(foreign).await, Err(KeysError::WrongMasterKey(_))));
}

#[actix_web::test]
async fn a_new_master_key_takes_over_all_that_the_old_one_sealed() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let ids = Arc::new(testkit::TestIds::new());
    let clock = Arc::new(testkit::TestClock::default());
    let start = |master, previous_master| {
        let (dir, ids, clock) = (Some(dir.clone()), ids.clone(), clock.clone());
        Server::with(Options { master, previous_master, dir, ids, clock, ..Options::default() })
    };
    let server = start(1, None).await;
    let (token, secret, _) = enrolled(&server).await;
    assert_eq!(server.service.reseal().await.unwrap(), 0, "there is nothing to do");
    server.stop().await;

    let server = start(2, Some(1)).await;
    let keys = server.store.list_signing_keys(server.now()).await.unwrap();
    assert!(keys.iter().all(|key| !server.master.is_current(&key.sealed)));
    assert_eq!(server.service.reseal().await.unwrap(), 0, "nothing is left");
    let keys = server.store.list_signing_keys(server.now()).await.unwrap();
    assert!(keys.iter().all(|key| server.master.is_current(&key.sealed)));
    server.stop().await;

    // the old one can go
    let server = start(2, None).await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
    clock.advance(STEP);
    let sign_in = serde_json::json!({
        "email": "bob@example.org", "password": PASSWORD, "totp": app(&server, &secret),
    });
    answer(server.post("/api/v1/auth/login", sign_in)).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_key_is_replaced_and_the_old_one_verifies_what_it_signed() {
    let server = Server::start().await;
    let old_key = key_set(&server).await[0]["kid"].clone();
    server.sign_up("a@b", "correct horse").await.expect(StatusCode::CREATED);
    server.clock.advance(90 * DAY - Duration::from_secs(1));
    server.service.refresh_keys().await.unwrap();
    assert_eq!(key_set(&server).await.len(), 1);
    let cookie = {
        let body = serde_json::json!({"email": "a@b", "password": "correct horse", "session": "cookie"});
        let answer = answer(server.post("/api/v1/auth/login", body)).await;
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    };
    let by_cookie =
        || async { answer(server.get("/api/v1/users/me").header("cookie", &cookie)).await.status };

    server.clock.advance(Duration::from_secs(1));
    server.service.refresh_keys().await.unwrap();
    let set = key_set(&server).await;
    assert_eq!(set.len(), 2);
    assert_eq!(set[1]["kid"], old_key);
    // the new key waits until every service knows it, then signs
    assert_eq!(kid(&server.token_of_v1("a@b").await), old_key);
    server.clock.advance(Duration::from_secs(120));
    server.service.refresh_keys().await.unwrap();
    let token = server.token_of_v1("a@b").await;
    assert_eq!(kid(&token), set[0]["kid"]);
    assert_eq!(server.me(&token).await, StatusCode::OK);
    assert_eq!(by_cookie().await, StatusCode::OK);

    server.clock.advance(29 * DAY);
    assert_eq!(by_cookie().await, StatusCode::OK);
    server.clock.advance(3 * DAY);
    server.service.refresh_keys().await.unwrap();
    let set = key_set(&server).await;
    assert_eq!(set.len(), 1);
    assert_ne!(set[0]["kid"], old_key);
}

#[actix_web::test]
async fn a_service_that_was_off_for_long_makes_a_new_key() {
    let server = Server::start().await;
    server.clock.advance(400 * DAY);
    assert!(key_set(&server).await.is_empty());
    server.service.refresh_keys().await.unwrap();
    assert_eq!(key_set(&server).await.len(), 1);
    let token = server.classic_token("bob").await;
    assert_eq!(server.me(&token).await, StatusCode::OK);
}

fn kid(token: &str) -> Value {
    part(token, 0)["kid"].clone()
}

fn part(token: &str, n: usize) -> Value {
    use base64::Engine as _;
    let text = token.split('.').nth(n).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[actix_web::test]
async fn the_background_replaces_keys_and_removes_sessions() {
    let server = Server::start().await;
    let session: SessionId =
        part(&server.classic_token("bob").await, 1)["sid"].as_str().unwrap().parse().unwrap();
    let old = key_set(&server).await[0]["kid"].clone();
    server.clock.advance(91 * DAY);
    let parts = server.service.background();
    let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["session-sweeper", "session-uses", "account-deletions", "resealing", "signing-keys", "token-uses"]
    );
    let running: Vec<_> = parts.into_iter().map(|(_, work)| actix_web::rt::spawn(work)).collect();
    let done = async {
        while key_set(&server).await[0]["kid"] == old
            || server.store.find_session(session).await.unwrap().is_some()
        {}
    };
    tokio::time::timeout(Duration::from_secs(30), done).await.unwrap();
    assert!(running.iter().all(|part| !part.is_finished()), "they run until they are dropped");
    for part in running {
        part.abort();
    }
}
