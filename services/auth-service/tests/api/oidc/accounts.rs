//! Whom a provider lets in, and into which account.

use std::collections::BTreeMap;
use std::time::Duration;

use common::auth::mail::{AccountEvent, MailContent};
use common::jobs::types::WELCOME_MAIL;
use reqwest::{Method, StatusCode};
use serde_json::json;
use url::Url;

use super::{Browser, Scene, led_to};
use crate::support::{PASSWORD, answer};

#[actix_web::test]
async fn somebody_new_gets_an_account_where_the_settings_say_so() {
    let scene = Scene::new(|section| section.sign_up = true).await;
    let listed = answer(scene.server.get("/api/v1/auth/oidc/providers")).await.expect(StatusCode::OK);
    assert_eq!(listed, json!({"items": [{"id": "company", "title": "The company"}]}));

    let mut browser = Browser::new();
    let got = scene.sign_in(&mut browser, "bob@example.org").await;
    assert_eq!(led_to(&got), scene.at("/app/files"));
    assert!(!browser.cookies.contains_key("fm_oidc"), "what the way back needed is gone");
    let me = scene.me(&mut browser).await.expect(StatusCode::OK);
    assert_eq!((&me["email"], &me["verified"]), (&json!("bob@example.org"), &json!(true)));
    let list = scene.identities(&mut browser).await;
    assert_eq!(list["hasPassword"], false);
    assert_eq!(list["items"][0]["provider"], "company");
    let jobs = scene.server.jobs().await;
    assert_eq!(jobs.iter().filter(|job| job.kind == WELCOME_MAIL).count(), 1);

    // the same person from elsewhere is the same account
    let mut other = Browser::new();
    led_to(&scene.sign_in(&mut other, "bob@example.org").await);
    assert_eq!(scene.me(&mut other).await.expect(StatusCode::OK)["id"], me["id"]);

    // no password opens it, an empty one included
    for password in ["", "x", PASSWORD] {
        scene.server.login("bob@example.org", password).await.expect_problem(401, "invalid_credentials");
    }
    let id = list["items"][0]["id"].as_str().unwrap();
    let place = scene.at(&format!("/api/v1/users/me/identities/{id}"));
    let last = other.send(Method::DELETE, &place, Some(&json!({})), "*/*").await;
    last.expect_problem(409, "last_way_in");
}

#[actix_web::test]
async fn somebody_new_gets_no_account_where_they_do_not() {
    let scene = Scene::new(|_| {}).await;
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(403, "registration_closed");
    scene.me(&mut browser).await.expect_problem(401, "unauthorized");
    scene.server.classic_token("root@example.org").await;
    assert_eq!(crate::support::user_count(&scene.server.store).await, 1);
}

#[actix_web::test]
async fn an_address_that_the_provider_has_not_verified_makes_and_opens_no_account() {
    let scene = Scene::new(|section| (section.sign_up, section.trust_addresses) = (true, true)).await;
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "unverified@example.org").await.expect_problem(403, "address_unverified");
    scene.registered("unverified@example.org").await;
    // nor does the answer tell whether an account has it
    scene.sign_in(&mut browser, "unverified@example.org").await.expect_problem(403, "address_unverified");
    // the provider remembers who came by a browser
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "no address").await.expect_problem(403, "address_unverified");
    scene.me(&mut browser).await.expect_problem(401, "unauthorized");
}

#[actix_web::test]
async fn an_account_is_not_taken_over_by_its_address() {
    let scene = Scene::new(|section| section.sign_up = true).await;
    let mut owner = scene.registered("bob@example.org").await;
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "BOB@example.org").await.expect_problem(409, "link_required");
    scene.me(&mut browser).await.expect_problem(401, "unauthorized");

    // its owner links it, and proves to be it before
    let wrong = json!({"provider": "company", "password": "wrong horse"});
    let place = scene.at("/api/v1/users/me/identities");
    owner.post(&place, wrong).await.expect_problem(403, "wrong_password");
    let unknown = json!({"provider": "nobody", "password": PASSWORD});
    owner.post(&place, unknown).await.expect_problem(400, "invalid_request");
    let got = scene.link(&mut owner, "somebody@example.org").await;
    assert_eq!(led_to(&got), scene.at("/app/account/security"));
    assert_eq!(scene.events().await, [AccountEvent::IdentityLinked]);
    // the provider remembers who came by a browser
    let mut browser = Browser::new();
    led_to(&scene.sign_in(&mut browser, "somebody@example.org").await);
    let me = scene.me(&mut browser).await.expect(StatusCode::OK);
    assert_eq!(me["email"], "bob@example.org", "the identity counts, and not what it says of addresses");

    // one identity opens one account
    let mut eve = scene.registered("eve@example.org").await;
    scene.link(&mut eve, "somebody@example.org").await.expect_problem(409, "identity_taken");
    assert_eq!(scene.identities(&mut eve).await["items"], json!([]));

    let list = scene.identities(&mut owner).await;
    assert_eq!(
        (&list["hasPassword"], &list["items"][0]["email"]),
        (&json!(true), &json!("somebody@example.org"))
    );
    let place = format!("{place}/{}", list["items"][0]["id"].as_str().unwrap());
    let gone =
        async |browser: &mut Browser| browser.send(Method::DELETE, &place, Some(&json!({})), "*/*").await;
    gone(&mut eve).await.expect_problem(404, "not_found");
    gone(&mut owner).await.expect(StatusCode::NO_CONTENT);
    gone(&mut owner).await.expect_problem(404, "not_found");
    assert_eq!(scene.events().await.last(), Some(&AccountEvent::IdentityRemoved));
    // whom it lets in now is somebody else
    let mut stranger = Browser::new();
    led_to(&scene.sign_in(&mut stranger, "somebody@example.org").await);
    assert_ne!(scene.me(&mut stranger).await.expect(StatusCode::OK)["id"], me["id"]);
}

#[actix_web::test]
async fn a_trusted_provider_opens_accounts_whose_address_was_verified_here_too() {
    let scene = Scene::new(|section| section.trust_addresses = true).await;
    let mut owner = scene.registered("bob@example.org").await;
    let mut browser = Browser::new();
    // whoever registered here may be somebody who waits for the owner of the address
    scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(409, "link_required");
    let body = json!({"email": "bob@example.org"});
    owner.post(&scene.at("/api/v1/auth/verify/resend"), body).await.expect(StatusCode::ACCEPTED);
    let mails = scene.server.mails().await;
    let code = mails.iter().find_map(|mail| match &mail.content {
        MailContent::VerifyAddress { code } => Some(code.clone()),
        _ => None,
    });
    owner.post(&scene.at("/api/v1/auth/verify"), json!({"code": code})).await.expect(StatusCode::NO_CONTENT);
    led_to(&scene.sign_in(&mut browser, "bob@example.org").await);
    let me = scene.me(&mut browser).await.expect(StatusCode::OK);
    assert_eq!(me["email"], "bob@example.org");
    assert!(scene.events().await.contains(&AccountEvent::IdentityLinked));
}

#[actix_web::test]
async fn a_second_factor_is_asked_for_after_the_provider_too() {
    let scene = Scene::new(|_| {}).await;
    let mut owner = scene.registered("bob@example.org").await;
    led_to(&scene.link(&mut owner, "bob@example.org").await);
    let totp = scene.at("/api/v1/users/me/totp");
    let enrolled = owner.post(&totp, json!({"password": PASSWORD})).await.expect(StatusCode::OK);
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    let code = || crate::second_factor::app(&scene.server, &secret);
    owner.post(&format!("{totp}/confirm"), json!({"code": code()})).await.expect(StatusCode::OK);
    scene.server.clock.advance(Duration::from_secs(30));

    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(401, "second_factor_required");
    scene.me(&mut browser).await.expect_problem(401, "unauthorized");
    let complete = scene.at("/api/v1/auth/oidc/complete");
    Browser::new().post(&complete, json!({"totp": code()})).await.expect_problem(400, "provider_state");
    browser.post(&complete, json!({})).await.expect_problem(401, "second_factor_required");
    browser.post(&complete, json!({"totp": "000000"})).await.expect_problem(401, "invalid_second_factor");
    let foreign = browser
        .client
        .post(&complete)
        .json(&json!({"totp": code()}))
        .header("origin", "https://evil.example");
    answer(foreign).await.expect_problem(403, "cross_origin");
    let login = browser.post(&complete, json!({"totp": code()})).await.expect(StatusCode::OK);
    assert_eq!(login["user"]["email"], "bob@example.org");
    scene.me(&mut browser).await.expect(StatusCode::OK);
    browser.post(&complete, json!({"totp": code()})).await.expect_problem(400, "provider_state");

    // it is not waited for long
    let mut late = Browser::new();
    scene.sign_in(&mut late, "bob@example.org").await.expect_problem(401, "second_factor_required");
    scene.server.clock.advance(Duration::from_secs(301));
    late.post(&complete, json!({"totp": code()})).await.expect_problem(400, "provider_state");
}

#[actix_web::test]
async fn an_account_that_waits_to_be_deleted_or_is_disabled_stays_closed() {
    let scene = Scene::new(|_| {}).await;
    let mut owner = scene.registered("bob@example.org").await;
    led_to(&scene.link(&mut owner, "bob@example.org").await);
    let me = scene.at("/api/v1/users/me");
    owner
        .send(Method::DELETE, &me, Some(&json!({"password": PASSWORD})), "*/*")
        .await
        .expect(StatusCode::ACCEPTED);
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(403, "deletion_scheduled");
    let complete = scene.at("/api/v1/auth/oidc/complete");
    browser.post(&complete, json!({})).await.expect_problem(403, "deletion_scheduled");
    let kept = browser.post(&complete, json!({"cancelDeletion": true})).await.expect(StatusCode::OK);

    let admin = scene.server.administrator().await;
    let place = format!("/api/v1/admin/users/{}", kept["user"]["id"].as_str().unwrap());
    let disable = scene.server.request(Method::PATCH, &place).json(&json!({"disabled": true}));
    answer(disable.bearer_auth(admin)).await.expect(StatusCode::OK);
    scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(403, "account_closed");
}

#[actix_web::test]
async fn an_identity_is_linked_to_whoever_went_there_for_it() {
    let scene = Scene::new(|_| {}).await;
    let (mut bob, mut eve) =
        (scene.registered("bob@example.org").await, scene.registered("eve@example.org").await);
    let body = json!({"provider": "company", "password": PASSWORD});
    let identities = scene.at("/api/v1/users/me/identities");
    let way = eve.post(&identities, body).await.expect(StatusCode::OK);
    let place = scene.hinted(way["url"].as_str().unwrap(), "eve@example.org");
    let back = eve.at_provider(place.as_str(), &scene.provider.issuer()).await;
    // the cookie of the way, planted into a browser that somebody else is signed in with
    bob.cookies.insert("fm_oidc".to_owned(), eve.cookies["fm_oidc"].clone());
    bob.get(&back).await.expect_problem(401, "unauthorized");
    assert_eq!(scene.identities(&mut bob).await["items"], json!([]));
    // nothing changes a browser's account from another site
    let foreign = bob.client.post(&identities).json(&json!({"provider": "company", "password": PASSWORD}));
    let cookie = format!("fm_session={}", bob.cookies["fm_session"]);
    let foreign = foreign.header("cookie", cookie).header("origin", "https://evil.example");
    answer(foreign).await.expect_problem(403, "cross_origin");
}

#[actix_web::test]
async fn signing_out_leads_on_to_the_provider_that_one_came_from() {
    let scene = Scene::new(|section| section.sign_up = true).await;
    let mut browser = Browser::new();
    led_to(&scene.sign_in(&mut browser, "bob@example.org").await);
    let out = browser.post(&scene.at("/api/v1/auth/logout"), json!({})).await.expect(StatusCode::OK);
    let way = Url::parse(out["endSession"].as_str().unwrap()).unwrap();
    assert!(way.as_str().starts_with(&format!("{}/session/end?", scene.provider.issuer())), "{way}");
    let asked: BTreeMap<_, _> = way.query_pairs().into_owned().collect();
    assert_eq!(asked["post_logout_redirect_uri"], scene.at("/app/"));
    assert!(asked.contains_key("id_token_hint"));
    let shown = browser.get(way.as_str()).await;
    assert_eq!(shown.status, StatusCode::OK, "the provider takes it: {}", shown.text());
    scene.me(&mut browser).await.expect_problem(401, "unauthorized");

    // one who came by a password is not led anywhere
    let mut other = scene.registered("eve@example.org").await;
    other.post(&scene.at("/api/v1/auth/logout"), json!({})).await.expect(StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn an_identity_does_not_outlive_a_lost_password() {
    let scene = Scene::new(|_| ()).await;
    let mut stranger = scene.registered("bob@example.org").await;
    // whoever knows the password links an identity of their own
    scene.link(&mut stranger, "stranger@example.org").await;
    assert_eq!(scene.identities(&mut stranger).await["items"].as_array().unwrap().len(), 1);
    let mut back = Browser::new();
    led_to(&scene.sign_in(&mut back, "stranger@example.org").await);
    scene.me(&mut back).await.expect(StatusCode::OK);
    // the owner sets it anew
    let forgot = json!({"email": "bob@example.org"});
    answer(scene.server.post("/api/v1/auth/password/forgot", forgot)).await.expect(StatusCode::ACCEPTED);
    let MailContent::ResetPassword { code } = scene.server.mails().await.pop().unwrap().content else {
        panic!("a code")
    };
    let reset = json!({"code": code, "password": "battery staple"});
    answer(scene.server.post("/api/v1/auth/password/reset", reset)).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(
        scene.events().await.pop(),
        Some(AccountEvent::PasswordReset { identities_ended: true }),
        "and is told of that"
    );
    for browser in [&mut stranger, &mut back] {
        scene.me(browser).await.expect_problem(401, "unauthorized");
    }
    let got = scene.sign_in(&mut back, "stranger@example.org").await;
    got.expect_problem(403, "registration_closed");
    scene.me(&mut back).await.expect_problem(401, "unauthorized");
}
