//! What is remembered between the page, the provider and the way back: sealed, in a cookie of the browser that began.

use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{PortError, PortResult, SessionId, Sha256, Timestamp, UserId};
use runtime::secrets::MasterKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How long somebody may take at the provider.
pub(crate) const FLOW_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long somebody may take to find their second factor.
pub(crate) const PENDING_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Longest ID token that is kept to remind the provider of a sign-in; with it the cookie stays below 4 KiB.
const MAX_HINT_BYTES: usize = 2048;

/// What a sealed text is good for: one opens none of another.
pub(crate) trait Sealed: Serialize + DeserializeOwned {
    const LABEL: &'static str;
    /// Until when it counts.
    fn expires(&self) -> Option<Timestamp>;
}

/// A sign-in, or the linking of an identity, that somebody went to a provider for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    #[serde(rename = "p")]
    pub(crate) provider: String,
    #[serde(rename = "s")]
    pub(crate) state: String,
    #[serde(rename = "n")]
    pub(crate) nonce: String,
    #[serde(rename = "v")]
    pub(crate) verifier: String,
    /// Whose account the identity shall open; none for a sign-in.
    #[serde(rename = "l")]
    pub(crate) link: Option<UserId>,
    /// Where in the page they want to be.
    #[serde(rename = "r")]
    pub(crate) back: Option<String>,
    #[serde(rename = "e")]
    expires_at: Timestamp,
}

impl Flow {
    pub(crate) fn new(
        provider: &str,
        link: Option<UserId>,
        back: Option<String>,
        now: Timestamp,
    ) -> PortResult<Self> {
        Ok(Self {
            provider: provider.to_owned(),
            state: random_text()?,
            nonce: random_text()?,
            verifier: random_text()?,
            link,
            back,
            expires_at: now + FLOW_LIFETIME,
        })
    }

    /// What the provider holds the verifier against (RFC 7636, 4.2, S256).
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::of(self.verifier.as_bytes()).0)
    }
}

impl Sealed for Flow {
    const LABEL: &'static str = "oidc-flow";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Somebody came back from a provider, and their account wants more of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    #[serde(rename = "p")]
    pub(crate) provider: String,
    #[serde(rename = "i")]
    pub(crate) issuer: String,
    #[serde(rename = "s")]
    pub(crate) subject: String,
    #[serde(rename = "h")]
    pub(crate) hint: Option<String>,
    #[serde(rename = "e")]
    pub(crate) expires_at: Timestamp,
}

impl Sealed for Pending {
    const LABEL: &'static str = "oidc-pending";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Which provider a session came from, so that it can be ended there too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    #[serde(rename = "p")]
    pub(crate) provider: String,
    #[serde(rename = "s")]
    pub(crate) session: SessionId,
    #[serde(rename = "h")]
    pub(crate) hint: Option<String>,
}

impl Sealed for Origin {
    const LABEL: &'static str = "oidc-origin";

    fn expires(&self) -> Option<Timestamp> {
        None
    }
}

/// An ID token that is short enough to be kept.
pub(crate) fn hint(id_token: String) -> Option<String> {
    Some(id_token).filter(|token| token.len() <= MAX_HINT_BYTES)
}

/// As the value of a cookie.
pub(crate) fn seal<T: Sealed>(master: &MasterKey, value: &T) -> String {
    let plain = serde_json::to_vec(value).expect("it is plain data");
    URL_SAFE_NO_PAD.encode(master.seal(T::LABEL, &plain))
}

/// What [`seal`] made, if it still counts.
pub(crate) fn open<T: Sealed>(master: &MasterKey, text: &str, now: Timestamp) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    let value: T = serde_json::from_slice(&master.open(T::LABEL, &sealed)?).ok()?;
    value.expires().is_none_or(|at| now < at).then_some(value)
}

fn random_text() -> PortResult<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| PortError::broken("random", "the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A place in the page that an answer may lead to: a path of ours below `/app`, and nothing that a browser could read as another site.
pub(crate) fn place_in_page(text: &str) -> Option<String> {
    let good = text == "/app" || text.starts_with("/app/") || text.starts_with("/app?");
    let plain = text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (good && plain && !text.contains("//")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::parse(&"07".repeat(32), None).unwrap()
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_rfcs() {
        let now = Timestamp::from_millis(0);
        let flow = Flow {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            ..Flow::new("a", None, None, now).unwrap()
        };
        assert_eq!(flow.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn what_was_sealed_counts_for_its_use_and_its_time() {
        let now = Timestamp::from_millis(1000);
        let flow =
            Flow::new("company", Some(UserId::from_bytes([1; 12])), Some("/app/x".to_owned()), now).unwrap();
        let text = seal(&key(), &flow);
        assert!(text.len() < 1000, "{}", text.len());
        assert_eq!(open(&key(), &text, now), Some(flow.clone()));
        assert_eq!(open::<Flow>(&key(), &text, now + FLOW_LIFETIME), None);
        assert_eq!(open::<Pending>(&key(), &text, now), None);
        assert_eq!(open::<Flow>(&key(), &text[1..], now), None);
        assert_ne!(flow.state, Flow::new("company", None, None, now).unwrap().state);
    }

    #[test]
    fn an_answer_leads_into_the_page_and_nowhere_else() {
        for good in ["/app", "/app/files/0123", "/app/?view=1", "/app?x=y", "/app/s/x#y"] {
            assert_eq!(place_in_page(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "/",
            "/apple",
            "//evil.example",
            "/app//evil",
            "/app/\\evil",
            "https://evil",
            "/app/ x",
            "/app/\n",
            "/api/v1",
        ] {
            assert_eq!(place_in_page(bad), None, "{bad}");
        }
    }
}
