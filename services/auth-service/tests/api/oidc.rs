//! Sign-ins by an identity provider: a real one, which `cargo xtask test` installs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth_service::{OidcSection, ProviderSection, providers};
use common::Clock as _;
use common::auth::mail::{AccountEvent, MailContent};
use common::jobs::types::WELCOME_MAIL;
use http_kit::server::Listener;
use reqwest::{Client, Method, StatusCode};
use runtime::SystemClock;
use serde_json::{Value, json};
use testkit::TestClock;
use testkit::servers::IdentityProvider;
use url::Url;

use crate::support::{Answer, Options, PASSWORD, Server, answer};

/// A browser: it keeps cookies, and is led on.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a client as any program has it")]
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, cookies: BTreeMap::new() }
    }

    async fn send(&mut self, method: Method, url: &str, body: Option<&Value>, accept: &str) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url).header("accept", accept);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(body) = body {
            request = request.json(body).header("sec-fetch-site", "same-origin");
        }
        let got = answer(request).await;
        for set in got.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() || set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        got
    }

    async fn get(&mut self, url: &str) -> Answer {
        self.send(Method::GET, url, None, "application/json").await
    }

    async fn post(&mut self, url: &str, body: Value) -> Answer {
        self.send(Method::POST, url, Some(&body), "application/json").await
    }

    /// Follows a provider's redirects until it sends the browser back; where to.
    async fn at_provider(&mut self, start: &str, issuer: &str) -> String {
        let mut place = start.to_owned();
        while place.starts_with(issuer) {
            let got = self.get(&place).await;
            assert_eq!(got.status, StatusCode::SEE_OTHER, "{place}: {}", got.text);
            place = Url::parse(&place).unwrap().join(got.header("location").unwrap()).unwrap().into();
        }
        place
    }
}

/// A service with one real provider.
struct Scene {
    server: Server,
    provider: IdentityProvider,
}

impl Scene {
    async fn new(change: impl FnOnce(&mut ProviderSection)) -> Self {
        let provider = IdentityProvider::start().await.unwrap();
        let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let back = |path: &str| format!("{base}{path}");
        let told = json!({
            "redirectUris": [back("/api/v1/auth/oidc/company/callback"), back("/elsewhere")],
            "logoutUris": [back("/app/")],
        });
        provider.control(&told).await.unwrap();
        let mut section = ProviderSection {
            title: Some("The company".to_owned()),
            issuer: provider.issuer(),
            client_id: "files".to_owned(),
            client_secret: Some(IdentityProvider::secret("files")),
            ..ProviderSection::default()
        };
        change(&mut section);
        let section = OidcSection::from([("company".to_owned(), section)]);
        let mut options = Options {
            // the provider goes by the real time
            clock: Arc::new(TestClock::new(SystemClock.now())),
            listener: Some(listener),
            ..Options::default()
        };
        options.settings.providers = providers(&section, Some(&base)).unwrap();
        options.settings.public_url = Some(base);
        Self { server: Server::with(options).await, provider }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.base)
    }

    /// Begins a sign-in; where the provider is asked to sign this person in.
    async fn start(&self, browser: &mut Browser, login: &str) -> Url {
        let got = browser.get(&self.at("/api/v1/auth/oidc/company/start?returnTo=/app/files")).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.text);
        self.hinted(got.header("location").unwrap(), login)
    }

    fn hinted(&self, place: &str, login: &str) -> Url {
        let mut place = Url::parse(place).unwrap();
        place.query_pairs_mut().append_pair("login_hint", login);
        place
    }

    /// Goes to the provider and takes its answer back.
    async fn sign_in(&self, browser: &mut Browser, login: &str) -> Answer {
        let place = self.start(browser, login).await;
        let back = browser.at_provider(place.as_str(), &self.provider.issuer()).await;
        browser.get(&back).await
    }

    async fn spoil(&self, spoil: Value) {
        self.provider.control(&json!({ "spoil": spoil })).await.unwrap();
    }

    async fn me(&self, browser: &mut Browser) -> Answer {
        browser.get(&self.at("/api/v1/users/me")).await
    }

    /// A browser that somebody with a password is signed in with.
    async fn registered(&self, email: &str) -> Browser {
        let mut browser = Browser::new();
        let body = json!({"email": email, "password": PASSWORD, "session": "cookie"});
        browser.post(&self.at("/api/v1/auth/register"), body).await.expect(StatusCode::CREATED);
        browser
    }

    /// Links an identity to whoever the browser is signed in as.
    async fn link(&self, browser: &mut Browser, login: &str) -> Answer {
        let body = json!({"provider": "company", "password": PASSWORD});
        let way = browser.post(&self.at("/api/v1/users/me/identities"), body).await.expect(StatusCode::OK);
        let place = self.hinted(way["url"].as_str().unwrap(), login);
        let back = browser.at_provider(place.as_str(), &self.provider.issuer()).await;
        browser.get(&back).await
    }

    async fn identities(&self, browser: &mut Browser) -> Value {
        browser.get(&self.at("/api/v1/users/me/identities")).await.expect(StatusCode::OK)
    }

    async fn events(&self) -> Vec<AccountEvent> {
        let mails = self.server.mails().await.into_iter();
        mails
            .filter_map(|mail| match mail.content {
                MailContent::Notice { event, .. } => Some(event),
                _ => None,
            })
            .collect()
    }
}

fn led_to(got: &Answer) -> &str {
    assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.text);
    got.header("location").unwrap()
}

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
    assert_eq!(shown.status, StatusCode::OK, "the provider takes it: {}", shown.text);
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
