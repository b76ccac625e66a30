//! `/api/v1/admin/users`.

use auth_service::{AdminCommand, RoleWord, UsersCommand, Verify};
use common::auth::mail::{AccountEvent, MailContent};
use common::auth::{AuditAction, AuditFilter, AuditStore as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::second_factor::{STEP, app};
use crate::support::{Answer, Options, PASSWORD, Server, answer, keys, proven};

const USERS: &str = "/api/v1/admin/users";

struct Admin {
    server: Server,
    token: String,
}

impl Admin {
    async fn start() -> Self {
        Self::of(Server::start().await).await
    }

    async fn of(server: Server) -> Self {
        let token = server.administrator().await;
        Self { server, token }
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.server.get(path).bearer_auth(&self.token)).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        answer(self.server.request(method, path).json(&proven(body)).bearer_auth(&self.token)).await
    }

    async fn made(&self, email: &str, role: &str) -> String {
        let body = json!({"email": email, "password": PASSWORD, "role": role});
        let made = self.send(Method::POST, USERS, body).await.expect(StatusCode::CREATED);
        made["id"].as_str().unwrap().to_owned()
    }

    async fn change(&self, id: &str, body: Value) -> Answer {
        self.send(Method::PATCH, &format!("{USERS}/{id}"), body).await
    }

    /// As the body stands, without the usual proof.
    async fn bare(&self, method: Method, path: &str, body: Value) -> Answer {
        answer(self.server.request(method, path).json(&body).bearer_auth(&self.token)).await
    }

    /// Whom mails told of another administrator, and of which.
    async fn told(&self) -> Vec<(String, String)> {
        let mails = self.server.mails().await.into_iter();
        mails
            .filter_map(|mail| match mail.content {
                MailContent::Notice { event: AccountEvent::AdministratorMade { account }, .. } => {
                    Some((mail.to, account))
                }
                _ => None,
            })
            .collect()
    }

    async fn log(&self, action: AuditAction) -> usize {
        let filter = AuditFilter { action: Some(action.word().to_owned()), ..AuditFilter::default() };
        self.server.store.list_audit(&filter, None, 100).await.unwrap().len()
    }
}

#[actix_web::test]
async fn accounts_are_made_listed_and_shown() {
    let admin = Admin::start().await;
    let ada = admin.made("Ada@example.org", "user").await;
    admin.made("bob@example.org", "admin").await;
    let shown = admin.get(&format!("{USERS}/{ada}")).await.expect(StatusCode::OK);
    assert_eq!(keys(&shown), ["createdAt", "disabled", "email", "id", "role", "usage"]);
    assert_eq!(shown["usage"], json!({"usedBytes": 5, "quotaBytes": null, "fileCount": 1}));
    let list = async |query: &str| -> Vec<String> {
        let listed = admin.get(&format!("{USERS}?{query}")).await.expect(StatusCode::OK);
        assert_eq!(keys(&listed), ["items", "nextCursor", "total"]);
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["email"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(list("").await, ["bob@example.org", "Ada@example.org", "root@b"]);
    assert_eq!(list("q=ADA").await, ["Ada@example.org"]);
    assert_eq!(list("q=example&role=admin").await, ["bob@example.org"]);
    assert_eq!(list("state=disabled").await, [] as [&str; 0]);
    let first = admin.get(&format!("{USERS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!(first["total"], 3);
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(list(&format!("limit=2&cursor={cursor}")).await, ["root@b"]);
    admin.get(&format!("{USERS}?q=x&cursor={cursor}")).await.expect_problem(400, "invalid_cursor");
    for query in ["limit=0", "limit=1001", "role=king", "state=x", "else=1"] {
        admin.get(&format!("{USERS}?{query}")).await.expect_problem(400, "invalid_request");
    }
    let taken = json!({"email": "ADA@example.org", "password": PASSWORD});
    admin.send(Method::POST, USERS, taken).await.expect_problem(409, "address_taken");
    let weak = json!({"email": "x", "password": "short"});
    admin.send(Method::POST, USERS, weak).await.expect_problem(400, "invalid_request");
    for path in ["0123456789abcdef01234567", "x"] {
        admin.get(&format!("{USERS}/{path}")).await.expect_problem(404, "not_found");
        admin.change(path, json!({"disabled": true})).await.expect_problem(404, "not_found");
    }
    // two of them, and the first administrator
    assert_eq!(admin.log(AuditAction::UserMade).await, 3);
}

#[actix_web::test]
async fn only_administrators_and_only_while_they_are() {
    let admin = Admin::start().await;
    let server = &admin.server;
    let ann = admin.made("ann@b", "admin").await;
    let ann_session = server.token_of_v1("ann@b").await;
    let (_, ann_token) = server.api_token(&ann_session, json!({"name": "a", "scopes": ["admin"]})).await;
    let (_, narrow) = server.api_token(&ann_session, json!({"name": "a", "scopes": ["files:read"]})).await;
    let bob = server.classic_token("bob@b").await;
    let list = async |token: &str| answer(server.get(USERS).bearer_auth(token)).await;
    list("").await.expect_problem(401, "unauthorized");
    list(&bob).await.expect_problem(403, "forbidden");
    list(&narrow).await.expect_problem(403, "insufficient_scope");
    list(&ann_session).await.expect(StatusCode::OK);
    list(&ann_token).await.expect(StatusCode::OK);
    admin.change(&ann, json!({"role": "user"})).await.expect(StatusCode::OK);
    list(&ann_session).await.expect_problem(403, "forbidden");
    list(&ann_token).await.expect_problem(403, "insufficient_scope");
}

#[actix_web::test]
async fn a_disabled_account_is_out_at_once() {
    let admin = Admin::start().await;
    let server = &admin.server;
    let bob = admin.made("bob@b", "user").await;
    let session = server.token_of_v1("bob@b").await;
    let (_, token) = server.api_token(&session, json!({"name": "a", "scopes": ["files:read"]})).await;
    assert_eq!((server.me(&session).await, server.me(&token).await), (StatusCode::OK, StatusCode::OK));
    let changed = admin.change(&bob, json!({"disabled": true})).await.expect(StatusCode::OK);
    assert_eq!(changed["disabled"], true);
    for credential in [&session, &token] {
        assert_eq!(server.me(credential).await, StatusCode::UNAUTHORIZED);
    }
    server.login("bob@b", PASSWORD).await.expect_problem(401, "invalid_credentials");
    admin.change(&bob, json!({"disabled": false})).await.expect(StatusCode::OK);
    assert_eq!(server.me(&session).await, StatusCode::UNAUTHORIZED, "he signs in anew");
    assert_eq!(server.me(&token).await, StatusCode::OK);
    server.login("bob@b", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn an_account_is_signed_out_everywhere() {
    let admin = Admin::start().await;
    let server = &admin.server;
    let bob = admin.made("bob@b", "user").await;
    let sessions = [server.token_of_v1("bob@b").await, server.token_of("bob@b").await];
    for session in &sessions {
        assert_eq!(server.me(session).await, StatusCode::OK);
    }
    admin.change(&bob, json!({"signOut": true})).await.expect(StatusCode::OK);
    for session in &sessions {
        assert_eq!(server.me(session).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(admin.log(AuditAction::UserSignedOut).await, 1);
    server.login("bob@b", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_quota_is_set_and_lifted() {
    let admin = Admin::start().await;
    let bob = admin.made("bob@b", "user").await;
    let changed = admin.change(&bob, json!({"quotaBytes": 1000})).await.expect(StatusCode::OK);
    assert_eq!(changed["usage"]["quotaBytes"], 1000);
    let same = admin.change(&bob, json!({"disabled": false})).await.expect(StatusCode::OK);
    assert_eq!(same["usage"]["quotaBytes"], 1000, "what is left out stays");
    let lifted = admin.change(&bob, json!({"quotaBytes": null})).await.expect(StatusCode::OK);
    assert_eq!(lifted["usage"]["quotaBytes"], Value::Null);
    for body in [json!({}), json!({"quotaBytes": -1}), json!({"role": "king"}), json!({"else": 1})] {
        admin.change(&bob, body).await.expect_problem(400, "invalid_request");
    }
}

#[actix_web::test]
async fn the_last_administrator_stays() {
    let admin = Admin::start().await;
    let me = admin.get("/api/v1/users/me").await.expect(StatusCode::OK)["id"].as_str().unwrap().to_owned();
    for body in [json!({"disabled": true}), json!({"role": "user"})] {
        admin.change(&me, body).await.expect_problem(409, "last_administrator");
    }
    let removed = admin.send(Method::DELETE, &format!("{USERS}/{me}"), json!({})).await;
    removed.expect_problem(409, "last_administrator");
    let ann = admin.made("ann@b", "admin").await;
    admin.change(&ann, json!({"disabled": true})).await.expect(StatusCode::OK);
    admin.change(&me, json!({"role": "user"})).await.expect_problem(409, "last_administrator");
    admin.change(&ann, json!({"disabled": false})).await.expect(StatusCode::OK);
    admin.change(&me, json!({"role": "user"})).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_removed_account_is_gone() {
    let admin = Admin::start().await;
    let server = &admin.server;
    let bob = admin.made("bob@b", "user").await;
    let session = server.token_of_v1("bob@b").await;
    let (_, token) = server.api_token(&session, json!({"name": "a", "scopes": ["files:read"]})).await;
    let path = format!("{USERS}/{bob}");
    admin.send(Method::DELETE, &path, json!({})).await.expect(StatusCode::NO_CONTENT);
    for credential in [&session, &token] {
        assert_eq!(server.me(credential).await, StatusCode::UNAUTHORIZED);
    }
    admin.get(&path).await.expect_problem(404, "not_found");
    admin.send(Method::DELETE, &path, json!({})).await.expect_problem(404, "not_found");
    server.login("bob@b", PASSWORD).await.expect_problem(401, "invalid_credentials");
    admin.made("BOB@b", "user").await;
}

#[actix_web::test]
async fn what_the_cache_cannot_be_told_is_not_done() {
    let admin = Admin::start().await;
    let bob = admin.made("bob@b", "user").await;
    admin.server.outage(true);
    admin.change(&bob, json!({"disabled": true})).await.expect_problem(503, "unavailable");
    admin.server.outage(false);
    admin.change(&bob, json!({"disabled": true})).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_quota_needs_no_cache() {
    let admin = Admin::start().await;
    let bob = admin.made("bob@b", "user").await;
    let quota = async || {
        let shown = admin.get(&format!("{USERS}/{bob}")).await.expect(StatusCode::OK);
        shown["usage"]["quotaBytes"].clone()
    };
    admin.server.outage(true);
    admin.change(&bob, json!({"quotaBytes": 7})).await.expect(StatusCode::OK);
    assert_eq!(quota().await, json!(7));
    // what could not be told to the cache keeps nothing else back
    let both = json!({"role": "admin", "quotaBytes": 8});
    admin.change(&bob, both.clone()).await.expect_problem(503, "unavailable");
    assert_eq!(quota().await, json!(8));
    admin.server.outage(false);
    admin.change(&bob, both).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_removal_that_the_cache_missed_can_be_repeated() {
    let admin = Admin::start().await;
    let bob = admin.made("bob@b", "user").await;
    let session = admin.server.token_of_v1("bob@b").await;
    assert_eq!(admin.server.me(&session).await, StatusCode::OK);
    let path = format!("{USERS}/{bob}");
    admin.server.outage(true);
    for _ in 0..2 {
        admin.send(Method::DELETE, &path, json!({})).await.expect_problem(503, "unavailable");
    }
    // the cache comes back with what it held
    admin.server.outage(false);
    admin.send(Method::DELETE, &path, json!({})).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(admin.server.me(&session).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn an_account_that_an_administrator_makes_can_be_verified() {
    let mut options = Options::default();
    options.settings.accounts.verify = Verify::Required;
    let admin = Admin::of(Server::with(options).await).await;
    let server = &admin.server;
    let verify = async |email: &str| {
        server.login(email, PASSWORD).await.expect_problem(403, "not_verified");
        let mail = server.mails().await.into_iter().rfind(|mail| mail.to == email).unwrap();
        let MailContent::VerifyAddress { code } = mail.content else { panic!("a code") };
        answer(server.post("/api/v1/auth/verify", json!({ "code": code })))
            .await
            .expect(StatusCode::NO_CONTENT);
        server.login(email, PASSWORD).await.expect(StatusCode::OK);
    };
    admin.made("ann@b", "user").await;
    verify("ann@b").await;
    let create = |email: &str, verified| {
        AdminCommand::Users(UsersCommand::Create { email: email.to_owned(), role: RoleWord::User, verified })
    };
    server.command(create("bob@b", false), PASSWORD).await.unwrap();
    verify("bob@b").await;
    // whoever makes it may know whose the address is
    let body = json!({"email": "eve@b", "password": PASSWORD, "verified": true});
    admin.send(Method::POST, USERS, body).await.expect(StatusCode::CREATED);
    server.command(create("joe@b", true), PASSWORD).await.unwrap();
    for email in ["eve@b", "joe@b"] {
        let login = server.login(email, PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(login["user"]["verified"], true);
        assert!(server.mails().await.iter().all(|mail| mail.to != email), "no code is on its way");
    }
}

#[actix_web::test]
async fn an_open_session_alone_makes_no_administrator() {
    let admin = Admin::start().await;
    let bob = admin.made("bob@b", "user").await;
    let path = format!("{USERS}/{bob}");
    let new = json!({"email": "eve@b", "password": PASSWORD, "role": "admin"});
    let acts = [
        (Method::POST, USERS.to_owned(), new),
        (Method::POST, "/api/v1/admin/invitations".to_owned(), json!({"role": "admin"})),
        (Method::PATCH, path.clone(), json!({"role": "admin"})),
        (Method::PATCH, path.clone(), json!({"resetSecondFactor": true})),
    ];
    let with = |body: &Value, password: &str| {
        let mut body = body.clone();
        body["proof"] = json!({ "password": password });
        body
    };
    for (method, path, body) in &acts {
        let bare = admin.bare(method.clone(), path, body.clone()).await;
        assert_eq!(bare.expect_problem(400, "invalid_request")["errors"][0]["pointer"], "/proof", "{body}");
        let wrong = admin.bare(method.clone(), path, with(body, "wrong")).await;
        wrong.expect_problem(403, "wrong_password");
    }
    let shown = admin.get(&path).await.expect(StatusCode::OK);
    assert_eq!(shown["role"], "user");
    assert_eq!(admin.get(USERS).await.expect(StatusCode::OK)["total"], 2);
    for (method, path, body) in &acts {
        let done = admin.bare(method.clone(), path, with(body, PASSWORD)).await;
        assert!(done.status.is_success(), "{body}: {}", done.text());
    }
    // one that was shut out comes back no more easily than it came
    admin.bare(Method::PATCH, &path, json!({"disabled": true})).await.expect(StatusCode::OK);
    admin.bare(Method::PATCH, &path, json!({"disabled": false})).await.expect_problem(400, "invalid_request");
    admin.change(&bob, json!({"disabled": false})).await.expect(StatusCode::OK);
    // what makes nobody more than they are wants no proof
    for body in [json!({"role": "user"}), json!({"disabled": true}), json!({"disabled": false})] {
        admin.bare(Method::PATCH, &path, body).await.expect(StatusCode::OK);
    }
}

#[actix_web::test]
async fn the_second_factor_is_asked_for_where_an_administrator_is_made() {
    let admin = Admin::start().await;
    let server = &admin.server;
    let begun = admin.bare(Method::POST, "/api/v1/users/me/totp", json!({"password": PASSWORD})).await;
    let secret = begun.expect(StatusCode::OK)["secret"].as_str().unwrap().to_owned();
    let code = json!({"code": app(server, &secret)});
    admin.bare(Method::POST, "/api/v1/users/me/totp/confirm", code).await.expect(StatusCode::OK);
    let make = async |proof: Value| {
        let body = json!({"email": "eve@b", "password": PASSWORD, "role": "admin", "proof": proof});
        admin.bare(Method::POST, USERS, body).await
    };
    make(json!({"password": PASSWORD})).await.expect_problem(401, "second_factor_required");
    let wrong = json!({"password": PASSWORD, "totp": "x"});
    make(wrong).await.expect_problem(401, "invalid_second_factor");
    server.clock.advance(STEP);
    let right = json!({"password": PASSWORD, "totp": app(server, &secret)});
    make(right).await.expect(StatusCode::CREATED);
}

#[actix_web::test]
async fn all_administrators_are_told_of_another_one() {
    let admin = Admin::start().await;
    let server = &admin.server;
    admin.made("bob@b", "user").await;
    assert!(admin.told().await.is_empty());
    let pair = |to: &str, account: &str| (to.to_owned(), account.to_owned());
    let ann = admin.made("ann@b", "admin").await;
    assert_eq!(admin.told().await, [pair("root@b", "ann@b")]);
    let promote = UsersCommand::Role { email: "bob@b".to_owned(), role: RoleWord::Admin };
    server.command(AdminCommand::Users(promote.clone()), "").await.unwrap();
    let told = admin.told().await;
    assert_eq!(told[1..], [pair("ann@b", "bob@b"), pair("root@b", "bob@b")]);
    // who is one already is no news, nor are those who are shut out told
    server.command(AdminCommand::Users(promote), "").await.unwrap();
    admin.change(&ann, json!({"disabled": true})).await.expect(StatusCode::OK);
    assert_eq!(admin.told().await.len(), 3);
    let invitation = admin.send(Method::POST, "/api/v1/admin/invitations", json!({"role": "admin"})).await;
    let code = invitation.expect(StatusCode::CREATED)["code"].clone();
    assert_eq!(admin.told().await.len(), 3, "an invitation is nobody yet");
    let register = json!({"email": "eve@b", "password": PASSWORD, "invitation": code});
    answer(server.post("/api/v1/auth/register", register)).await.expect(StatusCode::CREATED);
    assert_eq!(admin.told().await[3..], [pair("bob@b", "eve@b"), pair("root@b", "eve@b")]);
    admin.change(&ann, json!({"disabled": false})).await.expect(StatusCode::OK);
    assert_eq!(admin.told().await.len(), 8, "one who is let in again is another one, too");
}
