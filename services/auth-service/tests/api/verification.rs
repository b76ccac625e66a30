//! Whether an address is its owner's, and who may register.

use std::time::Duration;

use auth_service::{Registration, Verify};
use common::auth::mail::MailContent;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, Options, PASSWORD, Server, answer, keys, user_count};

async fn strict() -> Server {
    let mut options = Options::default();
    options.settings.accounts.verify = Verify::Required;
    Server::with(options).await
}

async fn register(server: &Server, email: &str) -> Answer {
    answer(server.post("/api/v1/auth/register", json!({"email": email, "password": PASSWORD}))).await
}

async fn verify(server: &Server, code: &str) -> Answer {
    answer(server.post("/api/v1/auth/verify", json!({ "code": code }))).await
}

async fn resend(server: &Server, email: &str) -> Answer {
    answer(server.post("/api/v1/auth/verify/resend", json!({ "email": email }))).await
}

async fn code(server: &Server) -> String {
    let mail = server.mails().await.pop().unwrap();
    let MailContent::VerifyAddress { code } = mail.content else { panic!("a code") };
    code
}

#[actix_web::test]
async fn where_addresses_are_verified_nobody_signs_in_before() {
    let server = strict().await;
    let made = register(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    assert_eq!(made["user"]["verified"], false);
    assert!(made.get("accessToken").is_none());
    let kinds: Vec<_> = server.jobs().await.into_iter().map(|job| job.kind).collect();
    assert_eq!(kinds, ["welcome-mail", "account-mail"], "both come with the account");
    server.login("bob@example.org", PASSWORD).await.expect_problem(403, "not_verified");
    server.login("bob@example.org", "wrong").await.expect_problem(401, "invalid_credentials");
    answer(server.connect("bob@example.org", PASSWORD)).await.expect_classic(401, "Unauthorized");

    let code = code(&server).await;
    verify(&server, "ABCDE").await.expect_problem(403, "invalid_code");
    verify(&server, &code).await.expect(StatusCode::NO_CONTENT);
    verify(&server, &code).await.expect_problem(403, "invalid_code");
    let login = server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
    assert_eq!(login["user"]["verified"], true);
    // the classic sign-up waits as well
    server.sign_up("eve@example.org", "x").await.expect(StatusCode::CREATED);
    answer(server.connect("eve@example.org", "x")).await.expect_classic(401, "Unauthorized");
    // the set-up code proves as much as a mail
    let body = json!({"code": server.setup_code, "email": "admin@example.org", "password": PASSWORD});
    answer(server.post("/api/v1/setup", body)).await.expect(StatusCode::CREATED);
    server.login("admin@example.org", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn another_code_can_be_asked_for_by_anybody_alike() {
    let server = strict().await;
    register(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let first = code(&server).await;
    server.clock.advance(Duration::from_secs(3600));
    verify(&server, &first).await.expect_problem(403, "invalid_code");
    let answers = [resend(&server, "BOB@example.org").await, resend(&server, "eve@example.org").await];
    assert_eq!((answers[0].status, answers[0].text()), (answers[1].status, answers[1].text()));
    assert_eq!(answers[0].status, StatusCode::ACCEPTED);
    let mails = server.mails().await;
    assert_eq!((mails.len(), mails[1].decoy, mails[2].decoy), (3, false, true));
    let MailContent::VerifyAddress { code } = &mails[2].content else { panic!("a code") };
    verify(&server, code).await.expect_problem(403, "invalid_code");
    let MailContent::VerifyAddress { code } = &mails[1].content else { panic!("a code") };
    verify(&server, code).await.expect(StatusCode::NO_CONTENT);
    // whoever is verified gets none
    resend(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    assert!(server.mails().await.pop().unwrap().decoy);
}

#[actix_web::test]
async fn a_reset_password_verifies_as_well() {
    let server = strict().await;
    register(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let forgot = json!({"email": "bob@example.org"});
    answer(server.post("/api/v1/auth/password/forgot", forgot)).await.expect(StatusCode::ACCEPTED);
    let MailContent::ResetPassword { code } = server.mails().await.pop().unwrap().content else {
        panic!("a code")
    };
    let reset = json!({"code": code, "password": "battery staple"});
    answer(server.post("/api/v1/auth/password/reset", reset)).await.expect(StatusCode::NO_CONTENT);
    server.login("bob@example.org", "battery staple").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn without_the_setting_nobody_is_asked() {
    let server = Server::start().await;
    let made = register(&server, "bob@example.org").await.expect(StatusCode::CREATED);
    assert_eq!(made["user"]["verified"], false);
    assert!(server.mails().await.is_empty());
    // but whoever wants to can
    resend(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    verify(&server, &code(&server).await).await.expect(StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn where_one_is_invited_nobody_else_registers() {
    let mut options = Options::default();
    options.settings.registration = Registration::Invitation;
    let server = Server::with(options).await;
    let setup = answer(server.get("/api/v1/setup")).await.expect(StatusCode::OK);
    assert_eq!(setup["registration"], "invitation");
    register(&server, "bob@example.org").await.expect_problem(403, "invitation_required");
    let body = json!({"email": "bob@example.org", "password": PASSWORD, "invitation": "made up"});
    let register = server.request(Method::POST, "/api/v1/auth/register").json(&body);
    answer(register).await.expect_problem(403, "invalid_invitation");
    server.sign_up("bob@example.org", PASSWORD).await.expect_classic(403, "Registration is closed");
    assert_eq!(user_count(&server.store).await, 0);
}

#[actix_web::test]
async fn registering_tells_nothing_about_who_has_an_account() {
    let server = strict().await;
    register(&server, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    let body = json!({"code": server.setup_code, "email": "admin@example.org", "password": PASSWORD});
    let admin = answer(server.post("/api/v1/setup", body)).await.expect(StatusCode::CREATED);
    let invite = async || {
        let request = server.post("/api/v1/admin/invitations", json!({}));
        let request = request.bearer_auth(admin["accessToken"].as_str().unwrap());
        answer(request).await.expect(StatusCode::CREATED)["code"].clone()
    };
    for invitation in [serde_json::Value::Null, invite().await] {
        let mut seen = Vec::new();
        for (email, is_there) in
            [("BOB@example.org", true), ("eve@example.org", false), ("joe@example.org", false)]
        {
            let (hashes, mails) = (server.hasher.runs(), server.mails().await.len());
            let body = json!({"email": email, "password": "battery staple", "invitation": invitation});
            let answer = answer(server.post("/api/v1/auth/register", body)).await;
            if answer.status == StatusCode::FORBIDDEN {
                // it was used up by the one before
                continue;
            }
            let user = answer.expect(StatusCode::ACCEPTED)["user"].clone();
            assert_eq!(user["email"], email);
            let members = keys(&user).into_iter().map(str::to_owned).collect::<Vec<_>>();
            let facts = json!([members, user["verified"], user["role"], user["name"], user["preferences"]]);
            seen.push((facts, server.hasher.runs() - hashes, server.mails().await.len() - mails));
            let mail = server.mails().await.pop().unwrap();
            match (is_there, mail.content) {
                (true, MailContent::AddressInUse) => assert_eq!(mail.to, "bob@example.org"),
                (false, MailContent::VerifyAddress { .. }) => assert_eq!(mail.to, email),
                _ => panic!("{email} is told something else"),
            }
            if !is_there {
                let path = format!("/api/v1/admin/users/{}", user["id"].as_str().unwrap());
                let gone = server.request(Method::DELETE, &path);
                let gone = gone.bearer_auth(admin["accessToken"].as_str().unwrap());
                crate::support::answer(gone).await.expect(StatusCode::NO_CONTENT);
            }
        }
        assert!(seen.len() > 1 && seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    }
    // whoever owns the address is not buried in mails by that, nor does the limit tell
    for email in ["bob@example.org", "ann@example.org"] {
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(register(&server, email).await.status.as_u16());
        }
        assert_eq!(answers.last(), Some(&429), "{email}");
    }
    // the classic API says what it always has
    server.sign_up("bob@example.org", "x").await.expect_classic(400, "Already exist");
}
