//! What a provider says of itself (OpenID Connect Discovery 1.0), and its keys (RFC 7517): asked for when they are wanted, and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use common::{Clock, Timestamp, allowance};
use egress::Known;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::settings::is_safe;
use super::{OidcError, call};

/// After this time a provider is asked again, so that a key that it has withdrawn stops counting.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// So long its description counts while it does not answer.
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// A provider that did not answer is not asked again within this time.
const PAUSE: Duration = Duration::from_secs(3);
/// Unknown key ids make the keys be asked for no more often than this.
const KEYS_APART: Duration = Duration::from_secs(10);
/// Keys of one set that are looked at.
const MAX_KEYS: usize = 64;

/// A place that a description names.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Place(pub(super) Url);

impl TryFrom<String> for Place {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Url::parse(&text).map(Self)
    }
}

/// As much of a provider's description as is used. Whatever else it says is passed over.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: Place,
    pub(super) token_endpoint: Place,
    jwks_uri: Place,
    pub(super) userinfo_endpoint: Option<Place>,
    pub(super) end_session_endpoint: Option<Place>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    /// RFC 9207, 3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Whether the secret goes in the body, since the provider knows no other way. HTTP Basic is what each has to know (RFC 6749, 2.3.1).
    pub(super) fn takes_secret_in_body_only(&self) -> bool {
        self.token_endpoint_auth_methods_supported.as_ref().is_some_and(|known| {
            let knows = |method: &str| known.iter().any(|one| one == method);
            !knows("client_secret_basic") && knows("client_secret_post")
        })
    }

    /// Refuses what is of another provider, or would have secrets go over an open line.
    fn check(&self, issuer: &str) -> Result<(), OidcError> {
        if self.issuer != issuer {
            return Err(OidcError::unusable("its description is of another issuer"));
        }
        let others = [self.userinfo_endpoint.as_ref(), self.end_session_endpoint.as_ref()];
        let places = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        if !places.into_iter().chain(others.into_iter().flatten()).all(|place| is_safe(&place.0)) {
            return Err(OidcError::unusable("its description names places without TLS"));
        }
        if self
            .code_challenge_methods_supported
            .as_ref()
            .is_some_and(|known| !known.iter().any(|one| one == "S256"))
        {
            return Err(OidcError::unusable("it knows no PKCE with S256"));
        }
        Ok(())
    }
}

/// What is known of one provider.
pub(super) struct Source {
    issuer: String,
    http: Known,
    clock: Arc<dyn Clock>,
    /// Held while the provider is asked: once, however many wait.
    slot: tokio::sync::Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    failed_at: Option<Timestamp>,
    keys: Vec<Jwk>,
    keys_at: Option<Timestamp>,
}

impl Source {
    pub(super) fn new(issuer: String, http: Known, clock: Arc<dyn Clock>) -> Self {
        Self { issuer, http, clock, slot: tokio::sync::Mutex::default() }
    }

    /// The provider's description.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let mut slot = self.turn().await?;
        self.described(&mut slot).await
    }

    /// The key that a token claims to be signed with. An unknown one has the keys be asked for again, now and then, since providers change them.
    ///
    /// # Errors
    /// `Unavailable`, and `Answer` where there is no such key.
    pub(super) async fn key(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, OidcError> {
        let mut slot = self.turn().await?;
        let now = self.clock.now();
        let age = slot.keys_at.map(|at| now.since(at));
        let is_unknown = find(&slot.keys, kid, algorithm).is_none();
        if age.is_none_or(|age| age >= MAX_AGE || (is_unknown && age >= KEYS_APART)) {
            self.ask_keys(&mut slot, now).await?;
        }
        find(&slot.keys, kid, algorithm).ok_or(OidcError::Answer("it is signed with an unknown key"))
    }

    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, Slot>, OidcError> {
        // whoever holds it may wait for long
        let turn = allowance::wait(Duration::MAX, self.slot.lock()).await;
        turn.map_err(|late| OidcError::Unavailable(late.to_string()))
    }

    async fn described(&self, slot: &mut Slot) -> Result<Arc<Metadata>, OidcError> {
        let now = self.clock.now();
        if let Some((metadata, at)) = &slot.metadata
            && now.since(*at) < MAX_AGE
        {
            return Ok(Arc::clone(metadata));
        }
        let paused = slot.failed_at.is_some_and(|at| now.since(at) < PAUSE);
        let asked = if paused {
            Err(OidcError::Unavailable("it did not answer a moment ago".to_owned()))
        } else {
            self.ask().await
        };
        match asked {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *slot = Slot {
                    metadata: Some((Arc::clone(&metadata), now)),
                    failed_at: None,
                    ..std::mem::take(slot)
                };
                Ok(metadata)
            }
            Err(error) => {
                if !paused {
                    slot.failed_at = Some(now);
                }
                match &slot.metadata {
                    Some((metadata, at)) if now.since(*at) < MAX_STALE => {
                        tracing::warn!(issuer = self.issuer, %error, "identity provider not asked; going on with what it said before");
                        Ok(Arc::clone(metadata))
                    }
                    _ => Err(error),
                }
            }
        }
    }

    async fn ask(&self) -> Result<Metadata, OidcError> {
        let place = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let place = Url::parse(&place).map_err(|_| OidcError::unusable("its issuer is no address"))?;
        let metadata: Metadata = self.get(&place).await?;
        metadata.check(&self.issuer)?;
        Ok(metadata)
    }

    async fn ask_keys(&self, slot: &mut Slot, now: Timestamp) -> Result<(), OidcError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let metadata = self.described(slot).await?;
        let set: Set = self.get(&metadata.jwks_uri.0).await?;
        // a kind of key that is not known here does not spoil the others
        let keys = set.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        slot.keys = keys.collect();
        slot.keys_at = Some(now);
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, place: &Url) -> Result<T, OidcError> {
        let reply = call(self.http.get(place, None)).await?;
        if reply.status != 200 {
            return Err(OidcError::Unavailable(format!("it answered {}", reply.status)));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|error| OidcError::Unavailable(format!("its answer cannot be read: {error}")))
    }
}

/// The key with this id, or, where a token names none, the only one that it can be (OpenID Connect Core 1.0, 10.1).
fn find(keys: &[Jwk], kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
    let suits = |key: &&Jwk| {
        let common = &key.common;
        let is_for_encryption = matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
        let is_for_this = common
            .key_algorithm
            .is_none_or(|said| Algorithm::try_from(said).is_ok_and(|said| said == algorithm));
        let is_named = kid.is_none_or(|kid| common.key_id.as_deref() == Some(kid));
        is_named && !is_for_encryption && is_for_this
    };
    let mut good = keys
        .iter()
        .filter(suits)
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
        .filter(|key| key.family() == algorithm.family());
    let found = good.next()?;
    (kid.is_some() || good.next().is_none()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(change: impl FnOnce(&mut Value)) -> Result<(), OidcError> {
        let mut said = json!({
            "issuer": "https://id.example.org",
            "authorization_endpoint": "https://id.example.org/auth",
            "token_endpoint": "https://id.example.org/token",
            "jwks_uri": "https://id.example.org/keys",
            "something": ["else"],
        });
        change(&mut said);
        serde_json::from_value::<Metadata>(said).unwrap().check("https://id.example.org")
    }

    #[test]
    fn a_description_is_of_its_own_issuer_and_names_safe_places() {
        metadata(|_| {}).unwrap();
        metadata(|said| said["code_challenge_methods_supported"] = json!(["plain", "S256"])).unwrap();
        for (key, value) in [
            ("issuer", json!("https://id.example.org/")),
            ("token_endpoint", json!("http://id.example.org/token")),
            ("jwks_uri", json!("http://10.0.0.1/keys")),
            ("userinfo_endpoint", json!("http://id.example.org/me")),
            ("end_session_endpoint", json!("javascript:alert(1)")),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            assert!(metadata(|said| said[key] = value.clone()).is_err(), "{key}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_id_or_by_being_the_only_one() {
        let key = |kid: Option<&str>, more: Value| -> Jwk {
            // RFC 8037, appendix A.2
            let mut key =
                json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
            if let Some(kid) = kid {
                key["kid"] = json!(kid);
            }
            for (name, value) in more.as_object().unwrap() {
                key[name] = value.clone();
            }
            serde_json::from_value(key).unwrap()
        };
        let finds = |keys: &[Jwk], kid, algorithm| find(keys, kid, algorithm).is_some();
        let keys = [key(Some("a"), json!({})), key(Some("b"), json!({"use": "enc"}))];
        assert!(finds(&keys, Some("a"), Algorithm::EdDSA));
        assert!(finds(&keys, None, Algorithm::EdDSA), "the other one is for something else");
        assert!(!finds(&keys, Some("b"), Algorithm::EdDSA));
        assert!(!finds(&keys, Some("c"), Algorithm::EdDSA));
        assert!(!finds(&keys, Some("a"), Algorithm::RS256), "it is of another kind");
        assert!(!finds(&[key(Some("a"), json!({"alg": "RS256"}))], Some("a"), Algorithm::EdDSA));
        let two = [key(Some("a"), json!({})), key(None, json!({}))];
        assert!(!finds(&two, None, Algorithm::EdDSA), "it could be either");
    }
}
