//! Invitations, the audit log, groups, people, and the signing keys of administrators.

use std::time::Duration;

use auth_service::{AdministrationSection, People, Registration};
use common::auth::mail::MailContent;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::second_factor::enrolled;
use crate::support::{Answer, Options, PASSWORD, Server, answer, keys, outbox_depth, proven};

async fn get(server: &Server, token: &str, path: &str) -> Answer {
    answer(server.get(path).bearer_auth(token)).await
}

async fn send(server: &Server, token: &str, method: Method, path: &str, body: Value) -> Answer {
    answer(server.request(method, path).json(&proven(body)).bearer_auth(token)).await
}

fn closed() -> Options {
    let mut options = Options::default();
    options.settings.registration = Registration::Closed;
    options
}

const INVITATIONS: &str = "/api/v1/admin/invitations";

async fn invite(server: &Server, admin: &str, body: Value) -> (String, String) {
    let made = send(server, admin, Method::POST, INVITATIONS, body).await.expect(StatusCode::CREATED);
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    (text("id"), text("code"))
}

async fn register(server: &Server, email: &str, code: &str) -> Answer {
    let body = json!({"email": email, "password": PASSWORD, "invitation": code});
    answer(server.post("/api/v1/auth/register", body)).await
}

#[actix_web::test]
async fn an_invitation_opens_a_closed_registration_once() {
    let server = Server::with(closed()).await;
    let admin = server.administrator().await;
    let plain = json!({"email": "bob@b", "password": PASSWORD});
    answer(server.post("/api/v1/auth/register", plain)).await.expect_problem(403, "registration_closed");
    let (_, code) = invite(&server, &admin, json!({})).await;
    assert_eq!(outbox_depth(&server.store).await, 0, "without an address there is no mail");
    register(&server, "bob@b", "fmi_00").await.expect_problem(403, "invalid_invitation");
    let login = register(&server, "bob@b", &code).await.expect(StatusCode::CREATED);
    assert_eq!(login["user"]["role"], "user");
    register(&server, "eve@b", &code).await.expect_problem(403, "invalid_invitation");
    let listed = get(&server, &admin, INVITATIONS).await.expect(StatusCode::OK);
    assert_eq!((&listed["total"], &listed["items"]), (&json!(0), &json!([])));
}

#[actix_web::test]
async fn an_invitation_is_worth_no_more_than_its_maker() {
    let server = Server::with(closed()).await;
    let root = server.administrator().await;
    let (_, by_root) = invite(&server, &root, json!({"role": "admin"})).await;
    let eve = register(&server, "eve@b", &by_root).await.expect(StatusCode::CREATED);
    let (token, eve) = (eve["accessToken"].as_str().unwrap(), eve["user"]["id"].as_str().unwrap());
    let (_, by_eve) = invite(&server, token, json!({"role": "admin"})).await;
    let path = format!("/api/v1/admin/users/{eve}");
    for change in [json!({"role": "user"}), json!({"role": "admin", "disabled": true})] {
        send(&server, &root, Method::PATCH, &path, change).await.expect(StatusCode::OK);
        register(&server, "bob@b", &by_eve).await.expect_problem(403, "invalid_invitation");
    }
    send(&server, &root, Method::PATCH, &path, json!({"disabled": false})).await.expect(StatusCode::OK);
    register(&server, "bob@b", &by_eve).await.expect(StatusCode::CREATED);
    let endless = json!({"expiresAt": server.now() + Duration::from_secs(400 * 24 * 60 * 60)});
    send(&server, &root, Method::POST, INVITATIONS, endless).await.expect_problem(400, "invalid_request");
}

#[actix_web::test]
async fn an_invitation_for_somebody_goes_by_mail_and_fits_nobody_else() {
    let server = Server::with(closed()).await;
    let admin = server.administrator().await;
    let (_, code) = invite(&server, &admin, json!({"email": "Ann@b", "role": "admin"})).await;
    assert_eq!(outbox_depth(&server.store).await, 1);
    let rows = common::jobs::Outbox::lease_unsent(&*server.store, 10, Duration::from_secs(1), server.now());
    let job = rows.await.unwrap().remove(0).job;
    assert_eq!((job.kind.as_str(), job.user), ("account-mail", None));
    assert!(!job.data.to_string().contains(&code) && !job.data.to_string().contains("Ann"), "it is sealed");
    let listed = get(&server, &admin, INVITATIONS).await.expect(StatusCode::OK);
    assert_eq!(keys(&listed["items"][0]), ["createdAt", "email", "expiresAt", "id", "madeBy", "role"]);
    assert!(!listed.to_string().contains(&code));
    register(&server, "eve@b", &code).await.expect_problem(403, "invalid_invitation");
    let login = register(&server, "ann@B", &code).await.expect(StatusCode::CREATED);
    assert_eq!(login["user"]["role"], "admin");
}

#[actix_web::test]
async fn a_token_makes_nobody_an_administrator() {
    let server = Server::with(closed()).await;
    let admin = server.administrator().await;
    let (_, token) = server.api_token(&admin, json!({"name": "ops", "scopes": ["admin"]})).await;
    let users = "/api/v1/admin/users";
    let body = |role: &str, email: &str| json!({"email": email, "password": PASSWORD, "role": role});
    let refused = send(&server, &token, Method::POST, users, body("admin", "eve@b")).await;
    refused.expect_problem(403, "insufficient_scope");
    let made =
        send(&server, &token, Method::POST, users, body("user", "bob@b")).await.expect(StatusCode::CREATED);
    let bob = format!("{users}/{}", made["id"].as_str().unwrap());
    for change in [json!({"role": "admin"}), json!({"resetSecondFactor": true})] {
        let refused = send(&server, &token, Method::PATCH, &bob, change.clone()).await;
        refused.expect_problem(403, "insufficient_scope");
        send(&server, &admin, Method::PATCH, &bob, change).await.expect(StatusCode::OK);
    }
    send(&server, &token, Method::PATCH, &bob, json!({"role": "user"})).await.expect(StatusCode::OK);
    let invitation = send(&server, &token, Method::POST, INVITATIONS, json!({"role": "admin"})).await;
    invitation.expect_problem(403, "insufficient_scope");
}

#[actix_web::test]
async fn invitations_end_in_time_or_when_they_are_withdrawn() {
    let server = Server::with(closed()).await;
    let admin = server.administrator().await;
    let (id, withdrawn) = invite(&server, &admin, json!({})).await;
    let path = format!("{INVITATIONS}/{id}");
    send(&server, &admin, Method::DELETE, &path, json!({})).await.expect(StatusCode::NO_CONTENT);
    send(&server, &admin, Method::DELETE, &path, json!({})).await.expect_problem(404, "not_found");
    register(&server, "bob@b", &withdrawn).await.expect_problem(403, "invalid_invitation");
    let (_, late) =
        invite(&server, &admin, json!({"expiresAt": server.now() + Duration::from_secs(60)})).await;
    server.clock.advance(Duration::from_secs(60));
    register(&server, "bob@b", &late).await.expect_problem(403, "invalid_invitation");
    for body in [json!({"expiresAt": server.now()}), json!({"email": "nobody"}), json!({"role": "king"})] {
        send(&server, &admin, Method::POST, INVITATIONS, body).await.expect_problem(400, "invalid_request");
    }
    let bob = {
        let (_, code) = invite(&server, &admin, json!({})).await;
        let login = register(&server, "bob@b", &code).await.expect(StatusCode::CREATED);
        login["accessToken"].as_str().unwrap().to_owned()
    };
    get(&server, &bob, INVITATIONS).await.expect_problem(403, "forbidden");
}

const AUDIT: &str = "/api/v1/admin/audit";

async fn lines(server: &Server, admin: &str, query: &str) -> Vec<Value> {
    let log = get(server, admin, &format!("{AUDIT}?{query}")).await.expect(StatusCode::OK);
    log["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn the_log_tells_of_sessions_that_are_ended_from_another_one() {
    let server = Server::start().await;
    let admin = server.administrator().await;
    let sessions = "/api/v1/users/me/sessions";
    server.classic_token("bob@b").await;
    let login = server.login("bob@b", PASSWORD).await.expect(StatusCode::OK);
    let bob = login["accessToken"].as_str().unwrap();
    let listed = get(&server, bob, sessions).await.expect(StatusCode::OK);
    let items = listed["items"].as_array().unwrap();
    let other = items.iter().find(|session| session["current"] != true).unwrap()["id"].as_str().unwrap();
    send(&server, bob, Method::DELETE, &format!("{sessions}/{other}"), json!({}))
        .await
        .expect(StatusCode::NO_CONTENT);
    send(&server, bob, Method::DELETE, sessions, json!({})).await.expect(StatusCode::NO_CONTENT);
    let ended = lines(&server, &admin, "action=session.ended").await;
    let targets: Vec<_> = ended.iter().map(|line| &line["target"]).collect();
    assert_eq!(targets, [&Value::Null, &json!(other)]);
    assert!(ended.iter().all(|line| line["actor"] == login["user"]["id"]), "{ended:?}");
}

#[actix_web::test]
async fn the_log_tells_who_did_what() {
    let server = Server::start().await;
    let admin = server.administrator().await;
    let bob = server.classic_token("bob@b").await;
    server.connect("bob@b", "wrong password").send().await.unwrap();
    answer(server.get("/disconnect").header("x-token", &bob)).await;
    let all = lines(&server, &admin, "").await;
    assert_eq!(
        keys(&all[0]),
        ["action", "actor", "address", "at", "details", "id", "sessionId", "target", "tokenId"]
    );
    let actions: Vec<_> = all.iter().map(|line| line["action"].as_str().unwrap()).collect();
    let of_bob = ["session.ended", "session.refused", "session.opened", "user.made"];
    assert_eq!(actions, [&of_bob[..], &["session.opened", "user.made"]].concat());
    assert_eq!(all[0]["address"], "127.0.0.1");
    let bobs_id = all[0]["actor"].as_str().unwrap();
    assert_eq!((&all[1]["actor"], &all[1]["target"]), (&Value::Null, &json!(bobs_id)));
    assert_eq!(lines(&server, &admin, &format!("actor={bobs_id}")).await.len(), 3);
    assert_eq!(lines(&server, &admin, "action=session.refused").await.len(), 1);
    let text = json!(all).to_string();
    assert!(!text.contains("bob@b") && !text.contains("wrong password"), "{text}");

    let first = get(&server, &admin, &format!("{AUDIT}?limit=3")).await.expect(StatusCode::OK);
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(lines(&server, &admin, &format!("limit=3&cursor={cursor}")).await, all[3..]);
    get(&server, &admin, &format!("{AUDIT}?action=x&cursor={cursor}"))
        .await
        .expect_problem(400, "invalid_cursor");
    for query in ["actor=x", "from=yesterday", "limit=0"] {
        get(&server, &admin, &format!("{AUDIT}?{query}")).await.expect_problem(400, "invalid_request");
    }
}

#[actix_web::test]
async fn the_log_tells_of_recovery_codes_reused_tokens_and_verified_addresses() {
    let server = Server::start().await;
    let admin = server.administrator().await;
    let (_, _, codes) = enrolled(&server).await;
    let only = async |action: &str| {
        let found = lines(&server, &admin, &format!("action={action}")).await;
        assert_eq!(found.len(), 1, "{action}: {found:?}");
        found[0].clone()
    };
    let body = json!({"email": "bob@example.org", "password": PASSWORD, "recoveryCode": codes[0]});
    let login = answer(server.post("/api/v1/auth/login", body)).await.expect(StatusCode::OK);
    let bob = login["user"]["id"].clone();
    let used = only("account.recovery_code_used").await;
    assert_eq!((&used["actor"], &used["target"], &used["address"]), (&bob, &bob, &json!("127.0.0.1")));
    assert_eq!(only("account.second_factor_on").await["actor"], bob);

    let refresh = async |token: &Value| {
        answer(server.post("/api/v1/auth/refresh", json!({ "refreshToken": token }))).await
    };
    let second = refresh(&login["refreshToken"]).await.expect(StatusCode::OK);
    refresh(&second["refreshToken"]).await.expect(StatusCode::OK);
    for _ in 0..2 {
        refresh(&login["refreshToken"]).await.expect_problem(401, "invalid_credentials");
        server.clock.advance(Duration::from_secs(1));
    }
    let reused = only("session.reused").await;
    assert_eq!(reused["actor"], bob);
    assert!(reused["target"].is_string(), "{reused}");

    let resend = json!({"email": "bob@example.org"});
    answer(server.post("/api/v1/auth/verify/resend", resend)).await.expect(StatusCode::ACCEPTED);
    let MailContent::VerifyAddress { code } = server.mails().await.pop().unwrap().content else {
        panic!("a code")
    };
    for (code, status) in [("ABCDE", 403), (code.as_str(), 204), (code.as_str(), 403)] {
        let verify = answer(server.post("/api/v1/auth/verify", json!({ "code": code }))).await;
        assert_eq!(verify.status.as_u16(), status, "{code}");
    }
    let verified = only("account.verified").await;
    assert_eq!((&verified["actor"], &verified["target"]), (&bob, &bob));

    // an administrator's reset is one commit with its line, so that it cannot be done without one
    let path = format!("/api/v1/admin/users/{}", bob.as_str().unwrap());
    let reset = json!({"resetSecondFactor": true});
    send(&server, &admin, Method::PATCH, &path, reset).await.expect(StatusCode::OK);
    assert_eq!(only("user.second_factor_reset").await["target"], bob);
}

#[actix_web::test]
async fn failures_are_told_only_so_often() {
    let server = Server::start().await;
    let admin = server.administrator().await;
    for n in 0..30 {
        server.connect(&format!("nobody{n}@b"), "wrong password").send().await.unwrap();
    }
    assert_eq!(lines(&server, &admin, "action=session.refused").await.len(), 10);
    server.clock.advance(Duration::from_secs(60));
    server.connect("nobody@b", "wrong password").send().await.unwrap();
    assert_eq!(lines(&server, &admin, "action=session.refused").await.len(), 11);
}

#[actix_web::test]
async fn the_log_is_exported_line_by_line_and_forgotten_in_time() {
    let mut options = Options::default();
    options.settings.administration = AdministrationSection {
        audit_retention: runtime::settings::Span::from_millis(1_000_000),
        ..AdministrationSection::default()
    };
    let server = Server::with(options).await;
    let admin = server.administrator().await;
    for n in 0..5 {
        let body = json!({"name": format!("group {n}")});
        send(&server, &admin, Method::POST, "/api/v1/groups", body).await.expect(StatusCode::CREATED);
    }
    let request = server.get(&format!("{AUDIT}?action=group.made")).bearer_auth(&admin);
    let export = answer(request.header("accept", "application/x-ndjson")).await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let exported: Vec<Value> =
        export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported, lines(&server, &admin, "action=group.made").await);
    assert_eq!(exported.len(), 5);
    server.clock.advance(Duration::from_secs(500));
    assert_eq!(server.service.sweep_audit().await.unwrap(), 0);
    server.clock.advance(Duration::from_secs(501));
    assert_eq!(server.service.sweep_audit().await.unwrap(), 7);
}

const GROUPS: &str = "/api/v1/groups";

async fn user(server: &Server, email: &str) -> (String, String) {
    server.sign_up(email, PASSWORD).await.expect(StatusCode::CREATED);
    let token = server.token_of_v1(email).await;
    let me = get(server, &token, "/api/v1/users/me").await.expect(StatusCode::OK);
    (me["id"].as_str().unwrap().to_owned(), token)
}

#[actix_web::test]
async fn groups_are_made_by_administrators_and_seen_by_members() {
    let server = Server::start().await;
    let admin = server.administrator().await;
    let ((bob_id, bob), (_, eve)) = (user(&server, "bob@b").await, user(&server, "eve@b").await);
    let body = json!({"name": " Friends ", "members": [bob_id, bob_id]});
    send(&server, &bob, Method::POST, GROUPS, body.clone()).await.expect_problem(403, "forbidden");
    let made = send(&server, &admin, Method::POST, GROUPS, body).await.expect(StatusCode::CREATED);
    assert_eq!(keys(&made), ["createdAt", "id", "members", "name"]);
    assert_eq!((&made["name"], &made["members"]), (&json!("Friends"), &json!([bob_id])));
    let path = format!("{GROUPS}/{}", made["id"].as_str().unwrap());
    for (who, total) in [(&admin, 1), (&bob, 1), (&eve, 0)] {
        assert_eq!(get(&server, who, GROUPS).await.expect(StatusCode::OK)["total"], total);
    }
    get(&server, &bob, &path).await.expect(StatusCode::OK);
    get(&server, &eve, &path).await.expect_problem(404, "not_found");
    send(&server, &admin, Method::POST, GROUPS, json!({"name": "FRIENDS"}))
        .await
        .expect_problem(409, "name_taken");
    for body in
        [json!({"name": " "}), json!({"name": "x", "members": ["0123456789abcdef01234567"]}), json!({})]
    {
        send(&server, &admin, Method::POST, GROUPS, body).await.expect_problem(400, "invalid_request");
    }
    let changed = send(&server, &admin, Method::PATCH, &path, json!({"members": []})).await;
    let changed = changed.expect(StatusCode::OK);
    assert_eq!((&changed["name"], &changed["members"]), (&json!("Friends"), &json!([])));
    get(&server, &bob, &path).await.expect_problem(404, "not_found");
    send(&server, &admin, Method::DELETE, &path, json!({})).await.expect(StatusCode::NO_CONTENT);
    send(&server, &admin, Method::DELETE, &path, json!({})).await.expect_problem(404, "not_found");
    send(&server, &admin, Method::PATCH, &path, json!({"name": "x"})).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn people_see_one_another_as_far_as_is_set() {
    for (people, prefix, groups) in [
        (People::All, vec!["eva@b", "eve@b"], 1),
        (People::Groups, vec!["eve@b"], 1),
        (People::Exact, vec![], 0),
    ] {
        let mut options = Options::default();
        options.settings.administration.people = people;
        let server = Server::with(options).await;
        let admin = server.administrator().await;
        let ((bob_id, bob), (eve_id, _)) = (user(&server, "bob@b").await, user(&server, "eve@b").await);
        user(&server, "eva@b").await;
        let body = json!({"name": "Friends", "members": [bob_id, eve_id]});
        send(&server, &admin, Method::POST, GROUPS, body).await.expect(StatusCode::CREATED);
        let find = async |q: &str| -> Vec<String> {
            let found = get(&server, &bob, &format!("/api/v1/people?q={q}")).await.expect(StatusCode::OK);
            let found = found["items"].as_array().unwrap().iter();
            found.map(|person| person["email"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(find("EV").await, prefix, "{people:?}");
        assert_eq!(find("Eve@").await.len(), groups, "{people:?}");
        assert_eq!(find("eva@b").await, ["eva@b"], "a whole address is always found: {people:?}");
        assert_eq!(find("bob").await, [] as [&str; 0], "oneself is not");
        assert_eq!(find("").await, [] as [&str; 0]);
    }
}

const ROTATE: &str = "/api/v1/admin/keys/rotate";

async fn key_ids(server: &Server) -> Vec<String> {
    let set = answer(server.get("/.well-known/jwks.json")).await.expect(StatusCode::OK);
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn signed_in(server: &Server) -> (String, String, String) {
    let body = |session: &str| json!({"email": "root@b", "password": PASSWORD, "session": session});
    let login = answer(server.post("/api/v1/auth/login", body("token"))).await.expect(StatusCode::OK);
    let cookie = answer(server.post("/api/v1/auth/login", body("cookie"))).await;
    let cookie = cookie.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let text = |member: &str| login[member].as_str().unwrap().to_owned();
    (text("accessToken"), text("refreshToken"), cookie)
}

#[actix_web::test]
async fn a_rotation_signs_nobody_out() {
    let server = Server::start().await;
    server.administrator().await;
    let (access, refresh, cookie) = signed_in(&server).await;
    let old = key_ids(&server).await;
    let rotated = send(&server, &access, Method::POST, ROTATE, json!({})).await.expect(StatusCode::CREATED);
    let new = rotated["keyId"].as_str().unwrap().to_owned();
    assert_eq!(key_ids(&server).await, [new.clone(), old[0].clone()]);
    server.clock.advance(Duration::from_secs(180));
    server.service.refresh_keys().await.unwrap();
    get(&server, &access, "/api/v1/users/me").await.expect(StatusCode::OK);
    answer(server.get("/api/v1/users/me").header("cookie", &cookie)).await.expect(StatusCode::OK);
    let renewed = answer(server.post("/api/v1/auth/refresh", json!({"refreshToken": refresh}))).await;
    let renewed = renewed.expect(StatusCode::OK);
    get(&server, renewed["accessToken"].as_str().unwrap(), "/api/v1/users/me").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn keys_that_others_know_stop_verifying_and_refresh_tokens_go_on() {
    let server = Server::start().await;
    server.administrator().await;
    let (access, refresh, cookie) = signed_in(&server).await;
    let (_, api_token) = server.api_token(&access, json!({"name": "a", "scopes": ["files:read"]})).await;
    let body = json!({"compromised": true});
    let rotated = send(&server, &access, Method::POST, ROTATE, body).await.expect(StatusCode::CREATED);
    assert_eq!(key_ids(&server).await, [rotated["keyId"].as_str().unwrap()]);
    get(&server, &access, "/api/v1/users/me").await.expect_problem(401, "unauthorized");
    answer(server.get("/api/v1/users/me").header("cookie", &cookie))
        .await
        .expect_problem(401, "unauthorized");
    assert_eq!(server.me(&api_token).await, StatusCode::OK);
    let renewed = answer(server.post("/api/v1/auth/refresh", json!({"refreshToken": refresh}))).await;
    let renewed = renewed.expect(StatusCode::OK);
    get(&server, renewed["accessToken"].as_str().unwrap(), "/api/v1/users/me").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_rotation_that_the_cache_missed_leaves_sign_ins_that_can_repeat_it() {
    let server = Server::start().await;
    server.administrator().await;
    let (old, ..) = signed_in(&server).await;
    get(&server, &old, "/api/v1/users/me").await.expect(StatusCode::OK);
    let body = json!({"compromised": true});
    server.outage(true);
    send(&server, &old, Method::POST, ROTATE, body.clone()).await.expect_problem(503, "unavailable");
    // the key that is gone signs no more: whoever signs in holds a token that is good
    let (access, ..) = signed_in(&server).await;
    server.clock.advance(Duration::from_secs(5));
    get(&server, &access, "/api/v1/users/me").await.expect(StatusCode::OK);
    server.outage(false);
    let rotated = send(&server, &access, Method::POST, ROTATE, body).await.expect(StatusCode::CREATED);
    assert_eq!(key_ids(&server).await, [rotated["keyId"].as_str().unwrap()]);
    for token in [&old, &access] {
        get(&server, token, "/api/v1/users/me").await.expect_problem(401, "unauthorized");
    }
}
