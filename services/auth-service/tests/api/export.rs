//! All that is an account's: asked for, kept for some days, gone.

use std::time::Duration;

use common::auth::internal::{EXPORTED, EndExport, FindExport};
use common::auth::mail::{AccountEvent, MailContent};
use common::auth::{Export, ExportEnd, ExportFile, ExportState};
use common::files::internal::{ExportPage, ExportQuestion};
use common::jobs::types::ACCOUNT_EXPORT;
use common::routes::Service;
use common::{ExportId, UserId};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::second_factor::{STEP, app, enrolled};
use crate::support::{Answer, PASSWORD, Server, answer};

const EMAIL: &str = "bob@example.org";
const PATH: &str = "/api/v1/users/me/export";
const DAY: Duration = Duration::from_secs(86_400);

async fn ask(server: &Server, token: &str, body: Value) -> Answer {
    answer(server.post(PATH, body).bearer_auth(token)).await
}

async fn shown(server: &Server, token: &str) -> Value {
    answer(server.get(PATH).bearer_auth(token)).await.expect(StatusCode::OK)
}

fn as_worker(server: &Server, request: RequestBuilder) -> RequestBuilder {
    request.bearer_auth(server.tokens.mint(Service::Worker, Service::Auth, server.now()))
}

async fn found(server: &Server, user: UserId) -> Option<Export> {
    let asked = server.post("/internal/exports/find", json!(FindExport { user }));
    serde_json::from_value(answer(as_worker(server, asked)).await.expect(StatusCode::OK)).unwrap()
}

async fn end(server: &Server, user: UserId, id: ExportId, end: ExportEnd) -> Answer {
    answer(as_worker(server, server.post("/internal/exports/end", json!(EndExport { user, id, end })))).await
}

async fn put(server: &Server, export: &Export, place: &str, run: i64, bytes: Vec<u8>) -> StatusCode {
    let path = format!("/internal/exports/{}/{}/{place}?run={run}", export.user, export.id);
    answer(as_worker(server, server.request(Method::PUT, &path).body(bytes))).await.status
}

async fn read(server: &Server, export: &Export, place: &str) -> StatusCode {
    let path = format!("/internal/exports/{}/{}/{place}", export.user, export.id);
    as_worker(server, server.get(&path)).send().await.unwrap().status()
}

/// Jobs, as whose they are and which export they are for.
async fn jobs(server: &Server) -> Vec<Value> {
    let jobs = server.jobs().await;
    jobs.into_iter().filter(|job| job.kind == ACCOUNT_EXPORT).map(|job| job.data).collect()
}

async fn begun(server: &Server) -> (String, Export) {
    let token = server.classic_token(EMAIL).await;
    let me = answer(server.get("/users/me").header("x-token", &token)).await.expect(StatusCode::OK);
    ask(server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    let export = found(server, me["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    (token, export)
}

#[actix_web::test]
async fn whoever_proves_to_be_the_owner_gets_one_export_at_a_time() {
    let server = Server::start().await;
    let token = server.classic_token(EMAIL).await;
    let (_, api_token) = server.api_token(&token, json!({"name": "t", "scopes": ["account"]})).await;
    let none = json!({
        "state": "none", "requestedAt": null, "endedAt": null, "expiresAt": null, "sizeBytes": null, "url": null,
    });
    assert_eq!(shown(&server, &api_token).await, none);
    ask(&server, &api_token, json!({ "password": PASSWORD })).await.expect_problem(403, "insufficient_scope");
    ask(&server, &token, json!({ "password": "wrong" })).await.expect_problem(403, "wrong_password");
    ask(&server, &token, json!({})).await.expect_problem(400, "invalid_request");
    assert_eq!(shown(&server, &token).await, none);
    assert!(jobs(&server).await.is_empty());

    let first = ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    let running = json!({
        "state": "running", "requestedAt": server.now(), "endedAt": null, "expiresAt": null, "sizeBytes": null, "url": null,
    });
    assert_eq!(first, running);
    server.clock.advance(Duration::from_secs(60));
    let second = ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    assert_eq!(second, first);
    assert_eq!(jobs(&server).await.len(), 1);
    // one that its job has left makes way
    server.clock.advance(DAY);
    let token = server.token_of(EMAIL).await;
    assert_eq!(shown(&server, &token).await["state"], "none");
    ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    assert_eq!(jobs(&server).await.len(), 2);
}

#[actix_web::test]
async fn the_second_factor_is_asked_for_too() {
    let server = Server::start().await;
    let (token, secret, _) = enrolled(&server).await;
    server.clock.advance(STEP);
    let password = json!({ "password": PASSWORD });
    ask(&server, &token, password).await.expect_problem(401, "second_factor_required");
    let right = json!({ "password": PASSWORD, "totp": app(&server, &secret) });
    ask(&server, &token, right).await.expect(StatusCode::ACCEPTED);
}

#[actix_web::test]
async fn what_is_put_together_can_be_had_for_a_week() {
    let server = Server::start().await;
    let (token, export) = begun(&server).await;
    assert_eq!(jobs(&server).await, [json!({ "userId": export.user, "exportId": export.id })]);
    assert_eq!(put(&server, &export, "0/0", 7, vec![1; 256 * 1024]).await, StatusCode::NO_CONTENT);
    assert_eq!(put(&server, &export, "0/1", 7, vec![1; 256 * 1024 + 1]).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(put(&server, &export, "0/1", 6, vec![1]).await, StatusCode::NOT_FOUND, "an older run");
    assert_eq!(put(&server, &export, "0/x", 7, vec![1]).await, StatusCode::NOT_FOUND);
    let files = vec![ExportFile { name: "profile.json".to_owned(), size: 256 * 1024, crc32: 1 }];
    let ready = |run| ExportEnd::Ready { run, files: files.clone(), size_bytes: 300_000 };
    assert_eq!(end(&server, export.user, export.id, ready(6)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(end(&server, export.user, export.id, ready(7)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(end(&server, export.user, export.id, ready(7)).await.status, StatusCode::NOT_FOUND);

    let expires_at = server.now() + 7 * DAY;
    let shows = shown(&server, &token).await;
    assert_eq!((&shows["state"], &shows["sizeBytes"]), (&json!("ready"), &json!(300_000)));
    assert_eq!(shows["expiresAt"], json!(expires_at));
    assert_eq!(shows["url"], json!(format!("/api/v1/exports/{}", export.id)));
    let kept = found(&server, export.user).await.unwrap();
    assert_eq!((kept.state, kept.files), (ExportState::Ready, files));
    let mails = server.mails().await;
    let told = mails.iter().filter(|mail| {
        matches!(&mail.content, MailContent::Notice { event: AccountEvent::ExportReady { expires_at: at }, .. } if *at == expires_at)
    });
    assert_eq!(told.count(), 1);

    server.clock.advance(7 * DAY);
    assert_eq!(found(&server, export.user).await, None);
    assert_eq!(read(&server, &export, "0/0").await, StatusCode::OK, "until it is swept");
    assert_eq!(server.service.sweep_exports().await.unwrap(), 1);
    assert_eq!(server.service.sweep_exports().await.unwrap(), 0);
    assert_eq!(read(&server, &export, "0/0").await, StatusCode::NOT_FOUND);
    assert_eq!(shown(&server, &server.token_of(EMAIL).await).await["state"], "none");
}

#[actix_web::test]
async fn one_that_was_given_up_is_shown_so_and_can_be_asked_for_again() {
    let server = Server::start().await;
    let (token, export) = begun(&server).await;
    assert_eq!(end(&server, export.user, export.id, ExportEnd::Failed).await.status, StatusCode::NO_CONTENT);
    let shows = shown(&server, &token).await;
    assert_eq!(
        (&shows["state"], &shows["url"], &shows["expiresAt"]),
        (&json!("failed"), &Value::Null, &Value::Null)
    );
    ask(&server, &token, json!({ "password": PASSWORD })).await.expect(StatusCode::ACCEPTED);
    assert_eq!(shown(&server, &token).await["state"], "running");
    assert!(!server.mails().await.iter().any(|mail| matches!(
        mail.content,
        MailContent::Notice { event: AccountEvent::ExportReady { .. }, .. }
    )));
}

/// All pages of what is known of an account.
async fn known(server: &Server, user: UserId, what: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let question = ExportQuestion { user, what: what.to_owned(), cursor };
        let page = answer(as_worker(server, server.post("/internal/accounts/export", json!(question)))).await;
        let page: ExportPage = serde_json::from_value(page.expect(StatusCode::OK)).unwrap();
        all.extend(page.items);
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

#[actix_web::test]
async fn what_is_known_of_an_account_is_told_without_secrets() {
    let server = Server::start().await;
    let (token, export) = begun(&server).await;
    let user = export.user;
    let (_, secret) = server.api_token(&token, json!({"name": "nightly", "scopes": ["account"]})).await;
    let eve = server.classic_token("eve@example.org").await;
    server.api_token(&eve, json!({"name": "hers", "scopes": ["account"]})).await;
    // more than a page has
    let change =
        |name: String| server.request(Method::PATCH, "/api/v1/users/me").json(&json!({ "name": name }));
    answer(change("Bob".to_owned()).bearer_auth(&token)).await.expect(StatusCode::OK);
    let mut tokens = vec![token.clone()];
    for _ in 0..210 {
        tokens.push(server.token_of(EMAIL).await);
        // sign-ins of one account are limited by time
        server.clock.advance(Duration::from_secs(60));
    }
    let mut all = String::new();
    for what in EXPORTED {
        let items = known(&server, user, what).await;
        all.push_str(&json!(items).to_string());
        match *what {
            "profile" => {
                assert_eq!(items.len(), 1);
                assert_eq!((&items[0]["email"], &items[0]["name"]), (&json!(EMAIL), &json!("Bob")));
            }
            "sessions" => {
                assert_eq!(items.len(), 211);
                let mut ids: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
                ids.dedup();
                assert_eq!(ids.len(), 211, "none twice");
            }
            "tokens" => assert_eq!(items[0]["name"], "nightly"),
            "groups" => assert_eq!(items.len(), 0),
            "audit" => {
                let asked = items.iter().filter(|line| line["action"] == "account.export_asked");
                assert_eq!(asked.count(), 1);
                assert!(items.len() > 200, "{}", items.len());
            }
            other => panic!("this test does not know what {other} is"),
        }
    }
    for foreign in ["eve@", "hers", &secret, "$2b$", "hash"] {
        assert!(!all.contains(foreign), "{foreign}");
    }
    assert!(tokens.iter().all(|token| !all.contains(token)));
    let unknown = ExportQuestion { user, what: "all".to_owned(), cursor: None };
    let asked = as_worker(&server, server.post("/internal/accounts/export", json!(unknown)));
    answer(asked).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn nobody_reads_or_ends_an_export_without_a_service_token() {
    let server = Server::start().await;
    let (token, export) = begun(&server).await;
    let part = format!("/internal/exports/{}/{}/0/0", export.user, export.id);
    for (method, path) in [
        (Method::POST, "/internal/accounts/export"),
        (Method::POST, "/internal/exports/find"),
        (Method::POST, "/internal/exports/end"),
        (Method::GET, &part),
        (Method::PUT, &part),
    ] {
        answer(server.request(method, path).bearer_auth(&token)).await.expect_problem(401, "unauthorized");
    }
}
