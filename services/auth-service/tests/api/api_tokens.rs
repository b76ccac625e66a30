//! API tokens.

use std::time::Duration;

use common::auth::internal::{ResolveToken, ResolvedToken};
use common::auth::mail::{AccountEvent, MailContent};
use common::auth::{AuditAction, AuditFilter, AuditStore as _, TokenStore as _, TokenText};
use common::routes::Service;
use common::{Sha256, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::second_factor::{STEP, app, enrolled};
use crate::support::{PASSWORD, Server, answer, keys};

const TOKENS: &str = "/api/v1/users/me/tokens";

async fn session(server: &Server, email: &str) -> String {
    server.sign_up(email, PASSWORD).await.expect(StatusCode::CREATED);
    server.token_of_v1(email).await
}

async fn list(server: &Server, session: &str) -> Value {
    answer(server.get(TOKENS).bearer_auth(session)).await.expect(StatusCode::OK)
}

async fn me(server: &Server, token: &str) -> StatusCode {
    answer(server.get("/api/v1/users/me").bearer_auth(token)).await.status
}

async fn log(server: &Server, action: AuditAction) -> usize {
    let filter = AuditFilter { action: Some(action.word().to_owned()), ..AuditFilter::default() };
    server.store.list_audit(&filter, None, 100).await.unwrap().len()
}

#[actix_web::test]
async fn a_token_is_shown_once_and_opens_from_each_place() {
    let server = Server::start().await;
    let bob = session(&server, "bob@b").await;
    let body = json!({"name": " laptop ", "scopes": ["shares", "files:read"], "folderId": "5f1e8896c7ba06511e683b25", "password": PASSWORD});
    let made = answer(server.post(TOKENS, body).bearer_auth(&bob)).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.expect(StatusCode::CREATED);
    assert_eq!(
        keys(&made),
        ["createdAt", "expiresAt", "folderId", "id", "lastUsedAt", "name", "scopes", "token"]
    );
    assert_eq!((&made["name"], &made["scopes"]), (&json!("laptop"), &json!(["files:read", "shares"])));
    let text = made["token"].as_str().unwrap();
    assert!(TokenText::parse(text).is_some(), "{text}");

    let listed = list(&server, &bob).await;
    assert_eq!(keys(&listed), ["items", "nextCursor", "total"]);
    assert_eq!((&listed["total"], &listed["items"][0]["id"]), (&json!(1), &made["id"]));
    assert!(!listed.to_string().contains(text));
    let stored = server.store.find_token(&TokenText::parse(text).unwrap().hash()).await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains(&text[4..]));

    for request in [
        server.get("/api/v1/users/me").bearer_auth(text),
        server.get("/api/v1/users/me").header("x-token", text),
        server.get("/api/v1/users/me").basic_auth("bob@b", Some(text)),
        server.get("/users/me").basic_auth("anything", Some(text)),
    ] {
        assert_eq!(answer(request).await.expect(StatusCode::OK)["email"], "bob@b");
    }
    let by_cookie = server.get("/api/v1/users/me").header("cookie", format!("fm_session={text}"));
    answer(by_cookie).await.expect_problem(401, "unauthorized");
    // it is no password
    answer(server.connect("bob@b", text)).await.expect_classic(401, "Unauthorized");
    assert_eq!(log(&server, AuditAction::TokenMade).await, 1);
}

#[actix_web::test]
async fn a_token_that_was_ended_fails_on_the_next_request() {
    let server = Server::start().await;
    let (bob, eve) = (session(&server, "bob@b").await, session(&server, "eve@b").await);
    let (id, text) = server.api_token(&bob, json!({"name": "a", "scopes": ["files:read"]})).await;
    assert_eq!(me(&server, &text).await, StatusCode::OK);
    let end = |session: &str| {
        answer(server.request(Method::DELETE, &format!("{TOKENS}/{id}")).bearer_auth(session))
    };
    end(&eve).await.expect_problem(404, "not_found");
    assert_eq!(me(&server, &text).await, StatusCode::OK);
    // the cache cannot be told: not done, and the same call may be repeated
    server.outage(true);
    end(&bob).await.expect_problem(503, "unavailable");
    server.outage(false);
    end(&bob).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(me(&server, &text).await, StatusCode::UNAUTHORIZED);
    assert_eq!(list(&server, &bob).await["total"], 0);
    assert_eq!(log(&server, AuditAction::TokenRevoked).await, 1);
    answer(server.request(Method::DELETE, &format!("{TOKENS}/x")).bearer_auth(&bob))
        .await
        .expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_token_ends_in_time() {
    let server = Server::start().await;
    let bob = session(&server, "bob@b").await;
    let end = server.now() + Duration::from_secs(100);
    let (_, text) =
        server.api_token(&bob, json!({"name": "a", "scopes": ["files:read"], "expiresAt": end})).await;
    assert_eq!(me(&server, &text).await, StatusCode::OK);
    server.clock.advance(Duration::from_secs(99));
    assert_eq!(me(&server, &text).await, StatusCode::OK);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(me(&server, &text).await, StatusCode::UNAUTHORIZED);
    assert_eq!(list(&server, &bob).await["total"], 1, "its owner sees that it ended");
}

#[actix_web::test]
async fn a_token_makes_no_token_and_widens_nothing() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let (_, all) = server
        .api_token(&root, json!({"name": "all", "scopes": ["files:read", "files:write", "shares", "jobs:read", "jobs:work", "account", "admin"]}))
        .await;
    let (_, narrow) = server.api_token(&root, json!({"name": "narrow", "scopes": ["files:read"]})).await;
    for token in [&all, &narrow] {
        let made = answer(
            server
                .post(TOKENS, json!({"name": "b", "scopes": ["files:read"], "password": PASSWORD}))
                .bearer_auth(token),
        )
        .await;
        made.expect_problem(403, "insufficient_scope");
    }
    assert_eq!(list(&server, &all).await["total"], 2);
    let refused = answer(server.get(TOKENS).bearer_auth(&narrow)).await;
    refused.expect_problem(403, "insufficient_scope");
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"account\"")
    );
    // nor does it sign anybody out
    answer(server.post("/api/v1/auth/logout", json!({})).bearer_auth(&all))
        .await
        .expect_problem(403, "insufficient_scope");
    assert_eq!(server.me(&all).await, StatusCode::OK);
}

#[actix_web::test]
async fn what_is_wrong_with_a_new_token_is_said() {
    let server = Server::start().await;
    let bob = session(&server, "bob@b").await;
    let folder = "5f1e8896c7ba06511e683b25";
    for (body, pointer) in [
        (json!({"name": " ", "scopes": ["files:read"]}), "/name"),
        (json!({"name": "x".repeat(101), "scopes": ["files:read"]}), "/name"),
        (json!({"name": "a\nb", "scopes": ["files:read"]}), "/name"),
        (json!({"name": "a", "scopes": []}), "/scopes"),
        (json!({"name": "a", "scopes": ["files:read", "files"]}), "/scopes/1"),
        (json!({"name": "a", "scopes": ["account"], "folderId": folder}), "/scopes"),
        (
            json!({"name": "a", "scopes": ["files:read"], "expiresAt": Timestamp::from_millis(0)}),
            "/expiresAt",
        ),
    ] {
        let mut asked = body.clone();
        asked["password"] = json!(PASSWORD);
        let problem = answer(server.post(TOKENS, asked).bearer_auth(&bob)).await;
        let problem = problem.expect_problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    for scope in ["admin", "jobs:work"] {
        let body = json!({"name": "a", "scopes": ["files:read", scope], "password": PASSWORD});
        answer(server.post(TOKENS, body).bearer_auth(&bob)).await.expect_problem(403, "forbidden");
    }
    for n in 0..100 {
        server.api_token(&bob, json!({"name": n.to_string(), "scopes": ["files:read"]})).await;
    }
    let body = json!({"name": "a", "scopes": ["files:read"], "password": PASSWORD});
    answer(server.post(TOKENS, body).bearer_auth(&bob)).await.expect_problem(409, "too_many");
}

#[actix_web::test]
async fn whoever_has_only_a_session_makes_no_lasting_token() {
    let server = Server::start().await;
    let bob = session(&server, "bob@example.org").await;
    let make = async |more: Value| {
        let mut body = json!({"name": "laptop", "scopes": ["files:read"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer(server.post(TOKENS, body).bearer_auth(&bob)).await
    };
    let missing = make(json!({})).await.expect_problem(400, "invalid_request");
    assert_eq!(missing["errors"][0]["code"], "missing", "{missing}");
    for wrong in ["", "wrong"] {
        make(json!({ "password": wrong })).await.expect_problem(403, "wrong_password");
    }
    assert_eq!(
        (list(&server, &bob).await["total"].clone(), log(&server, AuditAction::TokenMade).await),
        (json!(0), 0)
    );
    make(json!({ "password": PASSWORD })).await.expect(StatusCode::CREATED);
    let told = server.mails().await.pop().unwrap();
    let MailContent::Notice { event, address, .. } = told.content else { panic!("a notice") };
    assert_eq!((&*told.to, address.as_deref()), ("bob@example.org", Some("127.0.0.1")));
    assert_eq!(event, AccountEvent::TokenMade { name: "laptop".to_owned() });
    // and nobody guesses the password here
    for _ in 0..10 {
        make(json!({ "password": "wrong" })).await.expect_problem(403, "wrong_password");
    }
    make(json!({ "password": PASSWORD })).await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn a_token_is_no_way_around_the_second_factor() {
    let server = Server::start().await;
    let (bob, secret, codes) = enrolled(&server).await;
    server.clock.advance(STEP);
    let make = async |more: Value| {
        let mut body = json!({"name": "a", "scopes": ["files:read"], "password": PASSWORD});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer(server.post(TOKENS, body).bearer_auth(&bob)).await
    };
    make(json!({})).await.expect_problem(401, "second_factor_required");
    make(json!({ "totp": "x" })).await.expect_problem(401, "invalid_second_factor");
    make(json!({ "totp": app(&server, &secret) })).await.expect(StatusCode::CREATED);
    make(json!({ "recoveryCode": codes[0] })).await.expect(StatusCode::CREATED);
    assert_eq!(list(&server, &bob).await["total"], 2);
}

#[actix_web::test]
async fn the_last_use_is_written_now_and_then() {
    let server = Server::start().await;
    let bob = session(&server, "bob@b").await;
    let (_, text) = server.api_token(&bob, json!({"name": "a", "scopes": ["account"]})).await;
    let used = || async { list(&server, &text).await["items"][0]["lastUsedAt"].clone() };
    assert_eq!(used().await, Value::Null, "the request does not wait for it");
    let first = server.now();
    server.service.write_token_uses().await.unwrap();
    assert_eq!(used().await, json!(first));
    for (seconds, expected) in [(240, first), (61, first + Duration::from_secs(301))] {
        server.clock.advance(Duration::from_secs(seconds));
        assert_eq!(me(&server, &text).await, StatusCode::OK);
        server.service.write_token_uses().await.unwrap();
        assert_eq!(used().await, json!(expected));
    }
}

#[actix_web::test]
async fn other_services_resolve_tokens() {
    let server = Server::start().await;
    let bob = session(&server, "bob@b").await;
    let (id, text) = server.api_token(&bob, json!({"name": "a", "scopes": ["files:read"]})).await;
    let resolve = async |hash: [u8; 32]| -> Option<ResolvedToken> {
        let question = json!(ResolveToken { token: Sha256(hash) });
        let request = server.post("/internal/credentials/resolve", question);
        let as_files = server.tokens.mint(Service::Files, Service::Auth, server.now());
        let told = answer(request.bearer_auth(as_files)).await.expect(StatusCode::OK);
        serde_json::from_value(told).unwrap()
    };
    let hash = TokenText::parse(&text).unwrap().hash();
    let resolved = resolve(hash).await.unwrap();
    assert_eq!(resolved.token.id.to_string(), id);
    assert_eq!(resolved.token.scopes.to_string(), "files:read");
    assert_eq!(resolve([1; 32]).await, None);
    answer(server.request(Method::DELETE, &format!("{TOKENS}/{id}")).bearer_auth(&bob)).await;
    assert_eq!(resolve(hash).await, None);
}
