//! `/internal`.

use std::time::Duration;

use common::auth::internal::{OwnedCredentials, PublicKeys, ResolveCredential, ResolvedCredential};
use common::auth::{
    Address, AuditAction, AuditEntry, Identity, IdentityStore as _, OwnCredentialKind, Role, SessionKind,
    User,
};
use common::jobs::internal::{FindUser, FoundUser, UserStats};
use common::routes::Service;
use common::{IdentityId, SessionId, UserId};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, answer};

fn as_files(server: &Server, request: RequestBuilder) -> RequestBuilder {
    request.bearer_auth(server.tokens.mint(Service::Files, Service::Auth, server.now()))
}

/// User and session of a token, by what it says.
fn ids(token: &str) -> (UserId, SessionId) {
    use base64::Engine as _;
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    (claims["sub"].as_str().unwrap().parse().unwrap(), claims["sid"].as_str().unwrap().parse().unwrap())
}

async fn resolve(server: &Server, session: SessionId, user: UserId) -> Option<ResolvedCredential> {
    let request = server.post("/internal/credentials/resolve", json!(ResolveCredential { session, user }));
    serde_json::from_value(answer(as_files(server, request)).await.expect(StatusCode::OK)).unwrap()
}

#[actix_web::test]
async fn nobody_comes_in_without_a_service_token() {
    let server = Server::start().await;
    let user_token = server.classic_token("bob").await;
    let other_target = server.tokens.mint(Service::Files, Service::Worker, server.now());
    let old = server.tokens.mint(Service::Files, Service::Auth, server.now() - Duration::from_secs(120));
    for (method, path) in [
        (Method::GET, "/internal/keys"),
        (Method::POST, "/internal/credentials/resolve"),
        (Method::POST, "/internal/credentials/list"),
        (Method::POST, "/internal/credentials/end"),
        (Method::GET, "/internal/stats"),
        (Method::POST, "/internal/users/find"),
        (Method::POST, "/internal/people/find"),
    ] {
        let request = || server.request(method.clone(), path);
        answer(request()).await.expect_problem(401, "unauthorized");
        for token in [&user_token, &other_target, &old, "x"] {
            answer(request().bearer_auth(token)).await.expect_problem(401, "unauthorized");
        }
    }
}

#[actix_web::test]
async fn keys_are_told() {
    let server = Server::start().await;
    let body = answer(as_files(&server, server.get("/internal/keys"))).await.expect(StatusCode::OK);
    let told: PublicKeys = serde_json::from_value(body).unwrap();
    assert_eq!(told.keys, server.service.credential_source().public_keys().await.unwrap());
    assert_eq!(told.keys.len(), 1);
}

#[actix_web::test]
async fn only_what_is_live_resolves() {
    let server = Server::start().await;
    let token = server.classic_token("bob").await;
    let (user, session) = ids(&token);
    let (ann, _) = ids(&server.classic_token("ann").await);
    let known = resolve(&server, session, user).await.unwrap();
    assert_eq!((known.session.user, known.session.kind), (user, SessionKind::Classic));
    assert_eq!(known.session.expires_at, server.now() + Duration::from_secs(24 * 60 * 60));
    assert_eq!(resolve(&server, session, ann).await, None);
    assert_eq!(resolve(&server, SessionId::from_bytes([9; 12]), user).await, None);

    answer(server.get("/disconnect").header("x-token", &token)).await;
    assert_eq!(resolve(&server, session, user).await, None);

    let (user, session) = ids(&server.token_of("bob").await);
    assert!(resolve(&server, session, user).await.is_some());
    server.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(resolve(&server, session, user).await, None);
}

#[actix_web::test]
async fn accounts_are_counted_and_found() {
    let server = Server::start().await;
    let body = json!({"code": server.setup_code, "email": "root@b", "password": PASSWORD});
    answer(server.post("/api/v1/setup", body)).await.expect(StatusCode::CREATED);
    let count = || async {
        let body = answer(as_files(&server, server.get("/internal/stats"))).await.expect(StatusCode::OK);
        serde_json::from_value::<UserStats>(body).unwrap().users
    };
    assert_eq!(count().await, 0);
    let (id, _) = ids(&server.classic_token("Bob").await);
    assert_eq!(count().await, 1);

    let find =
        |id: UserId| answer(as_files(&server, server.post("/internal/users/find", json!(FindUser { id }))));
    let found: Option<FoundUser> = serde_json::from_value(find(id).await.expect(StatusCode::OK)).unwrap();
    assert_eq!(found.map(|user| (user.id, user.address)), Some((id, "Bob".to_owned())));
    assert_eq!(find(UserId::from_bytes([9; 12])).await.expect(StatusCode::OK), Value::Null);
}

#[actix_web::test]
async fn credentials_of_an_account_are_listed_and_ended() {
    let server = Server::start().await;
    let access = server.classic_token("bob").await;
    let (bob, session) = ids(&access);
    let (id, text) = server.api_token(&access, json!({"name": "backup", "scopes": ["files:read"]})).await;
    let (eve, _) = ids(&server.classic_token("eve").await);
    let list = async |user: UserId| {
        let request = server.post("/internal/credentials/list", json!({"user": user, "identities": true}));
        let found: OwnedCredentials =
            serde_json::from_value(answer(as_files(&server, request)).await.expect(StatusCode::OK)).unwrap();
        found.items
    };
    let end = async |user: UserId, kind: &str, id: String| {
        let body = json!({ "user": user, "kind": kind, "id": id });
        let request = as_files(&server, server.post("/internal/credentials/end", body));
        answer(request).await.expect(StatusCode::OK)["ended"].clone()
    };
    let found = list(bob).await;
    let kinds: Vec<_> = found.iter().map(|one| (one.kind, one.id.to_string())).collect();
    let expected =
        [(OwnCredentialKind::Token, id.clone()), (OwnCredentialKind::Session, session.to_string())];
    assert_eq!(kinds, expected);
    assert_eq!(found[0].label.as_deref(), Some("backup"));
    assert_eq!(
        (found[0].scopes.map(|scopes| scopes.to_string()), found[1].scopes),
        (Some("files:read".into()), None)
    );
    // of somebody else's nothing ends
    assert_eq!(end(eve, "token", id.clone()).await, false);
    assert_eq!(end(eve, "session", session.to_string()).await, false);
    assert_eq!(list(bob).await.len(), 2);
    assert_eq!(end(bob, "token", id).await, true);
    answer(server.get("/api/v1/users/me").bearer_auth(&text)).await.expect_problem(401, "unauthorized");
    assert_eq!(end(bob, "session", session.to_string()).await, true);
    answer(server.get("/api/v1/users/me").bearer_auth(&access)).await.expect_problem(401, "unauthorized");
    assert!(list(bob).await.is_empty());
}

#[actix_web::test]
async fn identities_are_among_the_credentials_of_an_account() {
    let server = Server::start().await;
    let admin = server.administrator().await;
    let (bob, _) = ids(&server.classic_token("bob@example.org").await);
    let identity = |user: UserId, subject: &str| Identity {
        id: server.ids.next(),
        user,
        issuer: "https://id.example.org".to_owned(),
        subject: subject.to_owned(),
        address: None,
        created_at: server.now(),
        last_used_at: None,
    };
    let line = |user: UserId| AuditEntry {
        id: server.ids.next(),
        at: server.now(),
        actor: Some(user),
        credential: None,
        action: AuditAction::IdentityLinked,
        target: None,
        address: None,
        details: serde_json::Map::new(),
    };
    let linked = identity(bob, "bob");
    server.store.add_identity(&linked, &[], &line(bob)).await.unwrap();
    let list = async |question: Value| {
        let request = as_files(&server, server.post("/internal/credentials/list", question));
        let found: OwnedCredentials =
            serde_json::from_value(answer(request).await.expect(StatusCode::OK)).unwrap();
        found.items.into_iter().filter(|one| one.kind == OwnCredentialKind::Identity).collect::<Vec<_>>()
    };
    let found = list(json!({"user": bob, "identities": true})).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].label.as_deref()), (linked.id.0, Some("https://id.example.org")));
    assert!(list(json!({ "user": bob })).await.is_empty(), "an earlier version knows of none");
    let asks: SessionId = server.ids.next();
    let end = async |user: UserId, id: IdentityId| {
        let body =
            json!({"user": user, "kind": "identity", "id": id, "session": asks, "address": "192.0.2.7"});
        let request = as_files(&server, server.post("/internal/credentials/end", body));
        let answer = answer(request).await.expect(StatusCode::OK);
        (answer["ended"] == true, answer["last_way_in"] == true)
    };
    assert_eq!(end(UserId::from_bytes([9; 12]), linked.id).await, (false, false));
    assert_eq!(end(bob, linked.id).await, (true, false));
    assert_eq!(end(bob, linked.id).await, (false, false));
    let log = server.get("/api/v1/admin/audit?action=account.identity_removed").bearer_auth(&admin);
    let log = answer(log).await.expect(StatusCode::OK);
    let removed = log["items"].as_array().unwrap();
    assert_eq!(removed.len(), 1, "{log}");
    assert_eq!((&removed[0]["sessionId"], &removed[0]["address"]), (&json!(asks), &json!("192.0.2.7")));
    // the way that an account without a password has stays
    let address = Address::parse("ann@example.org").unwrap();
    let ann = User {
        id: server.ids.next(),
        address,
        password_hash: String::new(),
        role: Role::User,
        disabled: false,
        bootstrap: false,
        created_at: server.now(),
    };
    let only = identity(ann.id, "ann");
    server.store.create_identified_user(&ann, &only, &[], &line(ann.id)).await.unwrap();
    assert_eq!(end(ann.id, only.id).await, (false, true));
    assert_eq!(server.mails().await.len(), 1, "its owner is told of the one that ended");
}

#[actix_web::test]
async fn malformed_questions_are_400() {
    let server = Server::start().await;
    for path in ["/internal/credentials/resolve", "/internal/users/find"] {
        for body in [json!({}), json!({"session": "x", "user": "x", "id": "x"}), json!([])] {
            answer(as_files(&server, server.post(path, body))).await.expect_problem(400, "invalid_request");
        }
    }
}

#[actix_web::test]
async fn ended_sessions_are_removed_some_days_later() {
    let server = Server::start().await;
    let (user, ended) = ids(&server.classic_token("bob").await);
    let (_, live) = ids(&{
        let body = json!({"email": "bob", "password": PASSWORD});
        let login = answer(server.post("/api/v1/auth/login", body)).await.expect(StatusCode::OK);
        login["accessToken"].as_str().unwrap().to_owned()
    });
    server.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!(server.service.sweep_sessions().await.unwrap(), 0);
    server.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(server.service.sweep_sessions().await.unwrap(), 1);
    assert_eq!(resolve(&server, ended, user).await, None);
    assert!(resolve(&server, live, user).await.is_some());
}

#[actix_web::test]
async fn people_are_found_by_id_and_by_address_whatever_its_case() {
    let server = Server::start().await;
    let (bob, _) = ids(&server.classic_token("Bob").await);
    let find = |question: Value| answer(as_files(&server, server.post("/internal/people/find", question)));
    let unknown = UserId::from_bytes([9; 12]);
    let found = find(json!({"ids": [bob, unknown], "address": " BOB "})).await.expect(StatusCode::OK);
    let person = json!({"id": bob, "address": "Bob", "disabled": false});
    assert_eq!((&found["people"], &found["person"]), (&json!([person]), &person));
    for address in ["bo", "", "a\nb"] {
        let found = find(json!({ "address": address })).await.expect(StatusCode::OK);
        assert_eq!((&found["people"], &found["person"]), (&json!([]), &Value::Null));
    }
    find(json!({"ids": vec![bob; 1001]})).await.expect_problem(400, "invalid_request");
}
