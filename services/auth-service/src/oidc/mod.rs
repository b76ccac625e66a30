//! Identity providers by OpenID Connect: the code flow with PKCE (OpenID Connect Core 1.0; RFC 9700, 2.1.1).
//!
//! Written here on the JWT library that verifies our own tokens: the flow is one redirect and three requests, and what has to be checked is seen in one place.

pub(crate) mod flow;
mod metadata;
mod settings;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::{Clock, allowance};
use egress::{Known, Limits, NoAnswer, Reply};
use subtle::ConstantTimeEq as _;
use url::Url;

use flow::Flow;
use metadata::Source;

pub use settings::{OIDC_DOCS, OidcSection, ProviderSection, ProviderSettings, providers};
pub(crate) use tokens::Person;

/// How long a provider may take: less than a request may wait in all.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(2),
    whole: Duration::from_millis(3_500),
    // a set of keys with certificates
    body_bytes: 512 * 1024,
};

/// Why a provider is of no help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// It does not answer, or not as a provider does.
    #[error("the identity provider is unavailable: {0}")]
    Unavailable(String),
    /// The answer belongs to no sign-in of this browser, or came too late.
    #[error("no such sign-in is under way in this browser")]
    State,
    /// The provider, or whoever stood before it, said no.
    #[error("the identity provider refused: {0}")]
    Refused(String),
    /// Its answer cannot be trusted.
    #[error("the identity provider's answer is not good: {0}")]
    Answer(&'static str),
}

impl OidcError {
    fn unusable(why: &'static str) -> Self {
        Self::Unavailable(why.to_owned())
    }
}

/// Waits for a provider, within the request's allowance.
async fn call(asked: impl Future<Output = Result<Reply, NoAnswer>>) -> Result<Reply, OidcError> {
    let answered = allowance::wait(LIMITS.whole, asked).await;
    let answered = answered.map_err(|late| OidcError::Unavailable(late.to_string()))?;
    answered.map_err(|error| OidcError::Unavailable(error.to_string()))
}

/// The providers of the installation.
#[derive(Default)]
pub(crate) struct Providers(BTreeMap<String, Provider>);

/// One provider.
pub(crate) struct Provider {
    pub(crate) settings: ProviderSettings,
    /// Where it sends people back to: exactly this.
    redirect_uri: String,
    /// Where the page stands.
    page: String,
    source: Source,
    http: Known,
    clock: Arc<dyn Clock>,
}

/// What came back with somebody (RFC 6749, 4.1.2; RFC 9207).
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct Returned {
    pub(crate) state: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) iss: Option<String>,
    pub(crate) error: Option<String>,
}

impl Providers {
    /// Asks nobody anything yet.
    ///
    /// # Errors
    /// As when the system's certificates cannot be read.
    pub(crate) fn new(
        settings: &[ProviderSettings],
        public_url: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, egress::CannotBuild> {
        if settings.is_empty() {
            return Ok(Self::default());
        }
        let http = Known::new(LIMITS)?;
        let base = public_url.trim_end_matches('/');
        let provider = |settings: &ProviderSettings| Provider {
            redirect_uri: format!("{base}/api/v1/auth/oidc/{}/callback", settings.name),
            page: base.to_owned(),
            source: Source::new(settings.issuer.clone(), http.clone(), Arc::clone(clock)),
            http: http.clone(),
            clock: Arc::clone(clock),
            settings: settings.clone(),
        };
        Ok(Self(settings.iter().map(|one| (one.name.clone(), provider(one))).collect()))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Provider> {
        self.0.values()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Provider> {
        self.0.get(name)
    }

    /// The first provider that is this issuer, for people's lists.
    pub(crate) fn of_issuer(&self, issuer: &str) -> Option<&Provider> {
        self.0.values().find(|provider| provider.settings.issuer == issuer)
    }
}

impl Provider {
    /// Where the page, or a place in it, stands.
    pub(crate) fn page(&self, place: &str) -> String {
        format!("{}{place}", self.page)
    }

    /// Where a browser goes to sign in.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn way_there(&self, flow: &Flow) -> Result<Url, OidcError> {
        let metadata = self.source.metadata().await?;
        let mut url = metadata.authorization_endpoint.0.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &flow.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Who came back. Before anything else is looked at, the answer has to belong to what this browser began, and to come from this provider.
    ///
    /// # Errors
    /// [`OidcError`].
    pub(crate) async fn who(&self, flow: &Flow, returned: &Returned) -> Result<Person, OidcError> {
        let state = returned.state.as_deref().unwrap_or_default();
        if flow.provider != self.settings.name || !bool::from(state.as_bytes().ct_eq(flow.state.as_bytes())) {
            return Err(OidcError::State);
        }
        let metadata = self.source.metadata().await?;
        match &returned.iss {
            Some(issuer) if *issuer != self.settings.issuer => {
                return Err(OidcError::Answer("it came from another issuer"));
            }
            None if metadata.authorization_response_iss_parameter_supported => {
                return Err(OidcError::Answer("it does not say which issuer it came from"));
            }
            _ => {}
        }
        if let Some(error) = &returned.error {
            let word = error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
            return Err(OidcError::Refused(word));
        }
        let code = returned.code.as_deref().ok_or(OidcError::Answer("there is no code in it"))?;
        self.redeem(code, &flow.verifier, &flow.nonce).await
    }

    /// Where a browser goes to sign out there too (OpenID Connect RP-Initiated Logout 1.0); none if there is no such place, or it is not wanted, or the
    /// provider does not answer: signing out here does not depend on it.
    pub(crate) async fn way_out(&self, hint: Option<&str>) -> Option<Url> {
        if !self.settings.end_session {
            return None;
        }
        let metadata = match self.source.metadata().await {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::info!(provider = self.settings.name, %error, "not signed out at the identity provider");
                return None;
            }
        };
        let mut url = metadata.end_session_endpoint.clone()?.0;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &self.page("/app/"));
        if let Some(hint) = hint {
            url.query_pairs_mut().append_pair("id_token_hint", hint);
        }
        Some(url)
    }
}
