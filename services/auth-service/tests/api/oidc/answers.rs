//! What a provider answers, or does not.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::servers::IdentityProvider;
use url::Url;

use super::{Browser, Scene, led_to};
use crate::support::answer;

#[actix_web::test]
async fn an_answer_that_this_browser_did_not_ask_for_is_refused() {
    let scene = Scene::new(|section| section.sign_up = true).await;
    let mut browser = Browser::new();
    let place = scene.start(&mut browser, "bob@example.org").await;
    let back = browser.at_provider(place.as_str(), &scene.provider.issuer()).await;

    // login CSRF: somebody else's browser is sent there
    let mut victim = Browser::new();
    victim.get(&back).await.expect_problem(400, "provider_state");
    scene.start(&mut victim, "eve@example.org").await;
    victim.get(&back).await.expect_problem(400, "provider_state");
    scene.me(&mut victim).await.expect_problem(401, "unauthorized");

    let changed = |name: &str, value: Option<&str>| {
        let mut url = Url::parse(&back).unwrap();
        let pairs: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
        String::from(url)
    };
    for (name, value, status, code) in [
        ("state", Some("x"), 400, "provider_state"),
        ("state", None, 400, "provider_state"),
        ("iss", Some("https://evil.example"), 403, "provider_answer"),
        ("iss", None, 403, "provider_answer"),
        ("code", None, 403, "provider_answer"),
        ("code", Some("x"), 400, "provider_state"),
    ] {
        browser.get(&changed(name, value)).await.expect_problem(status, code);
    }
    // it still counts once: the code was not used up, since nothing of that went to the provider but another code
    led_to(&browser.get(&back).await);
    browser.get(&back).await.expect_problem(400, "provider_state");

    // too late
    let place = scene.start(&mut browser, "bob@example.org").await;
    let back = browser.at_provider(place.as_str(), &scene.provider.issuer()).await;
    scene.server.clock.advance(Duration::from_secs(601));
    browser.get(&back).await.expect_problem(400, "provider_state");
}

#[actix_web::test]
async fn a_token_that_is_not_for_this_sign_in_is_refused() {
    let scene = Scene::new(|section| section.sign_up = true).await;
    let issuer = scene.provider.issuer();
    // another nonce: an answer that was made for somebody else's sign-in is brought into this one
    let mut browser = Browser::new();
    let mut place = scene.start(&mut browser, "bob@example.org").await;
    let pairs: Vec<_> = place.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().map(|(name, value)| {
        let value = if name == "nonce" { "another".to_owned() } else { value };
        (name, value)
    });
    let pairs: Vec<_> = pairs.collect();
    place.query_pairs_mut().clear().extend_pairs(pairs);
    let back = browser.at_provider(place.as_str(), &issuer).await;
    browser.get(&back).await.expect_problem(403, "provider_answer");

    // another audience: a token that the same provider made for another client, with the right nonce
    let place = scene.start(&mut browser, "bob@example.org").await;
    let nonce = place.query_pairs().find(|(name, _)| name == "nonce").unwrap().1.into_owned();
    let foreign = token_for_other(&scene, &nonce).await;
    scene.spoil(json!({"kind": "other", "token": foreign})).await;
    let back = browser.at_provider(place.as_str(), &issuer).await;
    browser.get(&back).await.expect_problem(403, "provider_answer");

    // another key, under the id of the right one and under its own; the public key as a secret; no signature at all
    for kind in ["key", "unknown-key", "hs256", "none"] {
        scene.spoil(json!({ "kind": kind })).await;
        scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(403, "provider_answer");
    }
    scene.me(&mut browser).await.expect_problem(401, "unauthorized");
    assert_eq!(crate::support::user_count(&scene.server.store).await, 0);
    led_to(&scene.sign_in(&mut browser, "bob@example.org").await);
}

/// An ID token with this nonce that the provider makes for its other client.
async fn token_for_other(scene: &Scene, nonce: &str) -> String {
    let issuer = scene.provider.issuer();
    // RFC 7636, appendix B
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let redirect = scene.at("/elsewhere");
    let place = Url::parse_with_params(
        &format!("{issuer}/auth"),
        [
            ("response_type", "code"),
            ("client_id", "other"),
            ("redirect_uri", &redirect),
            ("scope", "openid"),
            ("state", "s"),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
            ("login_hint", "bob@example.org"),
        ],
    );
    let mut browser = Browser::new();
    let back = Url::parse(&browser.at_provider(place.unwrap().as_str(), &issuer).await).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect),
            ("code_verifier", verifier),
            ("client_id", "other"),
            ("client_secret", &IdentityProvider::secret("other")),
        ])
        .finish();
    let request = browser
        .client
        .post(format!("{issuer}/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let tokens = answer(request).await.expect(StatusCode::OK);
    tokens["id_token"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn whoever_says_no_at_the_provider_is_not_signed_in() {
    let scene = Scene::new(|section| section.sign_up = true).await;
    let mut browser = Browser::new();
    scene.sign_in(&mut browser, "refuse").await.expect_problem(403, "provider_refused");
    // the page is told as well
    let place = scene.start(&mut browser, "refuse").await;
    let back = browser.at_provider(place.as_str(), &scene.provider.issuer()).await;
    let got = browser.send(Method::GET, &back, None, "text/html,*/*").await;
    assert_eq!(led_to(&got), scene.at("/app/#sign-in=provider_refused&provider=company"));
}

#[actix_web::test]
async fn a_provider_may_change_its_keys() {
    let mut scene = Scene::new(|section| section.sign_up = true).await;
    let mut browser = Browser::new();
    led_to(&scene.sign_in(&mut browser, "bob@example.org").await);
    scene.provider.change_keys().await.unwrap();
    // they were asked for a moment ago, and are not asked for again at once
    scene.sign_in(&mut browser, "bob@example.org").await.expect_problem(403, "provider_answer");
    scene.server.clock.advance(Duration::from_secs(11));
    led_to(&scene.sign_in(&mut browser, "bob@example.org").await);
}

#[actix_web::test]
async fn a_provider_that_is_down_is_said_to_be() {
    let mut scene = Scene::new(|section| section.sign_up = true).await;
    scene.provider.0.kill();
    let mut browser = Browser::new();
    let start = scene.at("/api/v1/auth/oidc/company/start");
    let down = browser.get(&start).await;
    down.expect_problem(503, "provider_unavailable");
    assert_eq!(down.header("retry-after"), Some("2"));
    let got = browser.send(Method::GET, &start, None, "text/html").await;
    assert_eq!(led_to(&got), scene.at("/app/#sign-in=provider_unavailable&provider=company"));
    // others come in as before
    scene.registered("eve@example.org").await;

    scene.provider.0.restart().await.unwrap();
    browser.get(&start).await.expect_problem(503, "provider_unavailable");
    scene.server.clock.advance(Duration::from_secs(3));
    let place = scene.start(&mut browser, "bob@example.org").await;
    let back = browser.at_provider(place.as_str(), &scene.provider.issuer()).await;
    scene.provider.0.kill();
    browser.get(&back).await.expect_problem(503, "provider_unavailable");
    // one that takes connections and says nothing
    scene.provider.0.restart().await.unwrap();
    let place = scene.start(&mut browser, "bob@example.org").await;
    let back = browser.at_provider(place.as_str(), &scene.provider.issuer()).await;
    scene.provider.0.freeze();
    let begun = std::time::Instant::now();
    browser.get(&back).await.expect_problem(503, "provider_unavailable");
    assert!(begun.elapsed() < common::ANSWER_WITHIN, "{:?}", begun.elapsed());
    browser.get(&scene.at("/api/v1/auth/oidc/nobody/start")).await.expect_problem(404, "not_found");
}
