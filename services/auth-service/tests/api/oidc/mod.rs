//! Sign-ins by an identity provider: a real one, which `cargo xtask test` installs.

mod accounts;
mod answers;

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_service::{OidcSection, ProviderSection, providers};
use common::Clock as _;
use common::auth::mail::{AccountEvent, MailContent};
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
            assert_eq!(got.status, StatusCode::SEE_OTHER, "{place}: {}", got.text());
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
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.text());
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
    assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.text());
    got.header("location").unwrap()
}
