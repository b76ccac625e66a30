//! What signs messages: <https://github.com/standard-webhooks/standard-webhooks>, symmetric.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::webhooks::{PreviousSecret, Webhook};
use common::{Timestamp, WebhookId};
use runtime::secrets::MasterKey;

/// Bytes of a secret; the specification wants 24 to 64.
const SECRET_BYTES: usize = 32;
/// What stands before a secret, so that people and scanners know it for one.
const PREFIX: &str = "whsec_";

/// Makes, seals and uses the secrets of webhooks.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<MasterKey>);

/// A secret that cannot be opened: it was sealed by a master key that is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of the webhook cannot be opened")]
pub(crate) struct Unreadable;

/// A secret that was just made: what its owner is shown once, and what is kept.
pub(crate) struct Made {
    pub(crate) shown: String,
    pub(crate) sealed: Vec<u8>,
}

impl Secrets {
    pub(crate) fn new(master: Arc<MasterKey>) -> Self {
        Self(master)
    }

    /// A fresh secret for a webhook, sealed for it alone.
    pub(crate) fn make(&self, webhook: WebhookId) -> Made {
        let secret: [u8; SECRET_BYTES] = rand::random();
        Made {
            shown: format!("{PREFIX}{}", STANDARD.encode(secret)),
            sealed: self.0.seal(&label(webhook), &secret),
        }
    }

    /// Whether a master key before the present one is at hand.
    pub(crate) fn has_previous_key(&self) -> bool {
        self.0.has_previous()
    }

    /// The secrets of a webhook that the present master key did not seal, each with another sealing of it; none where it cannot be opened.
    pub(crate) fn of_previous_key<'w>(
        &self,
        webhook: &'w Webhook,
    ) -> impl Iterator<Item = (&'w [u8], Option<Vec<u8>>)> {
        let previous = webhook.previous_secret.iter().map(|previous| &previous.sealed);
        let others =
            [&webhook.secret].into_iter().chain(previous).filter(|sealed| !self.0.is_current(sealed));
        others.map(|sealed| (sealed.as_slice(), self.0.reseal(&label(webhook.id), sealed)))
    }

    /// The signatures of a message: of the secret, and of the one before while that is still good.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(crate) fn sign(
        &self,
        webhook: &Webhook,
        message: &Signed<'_>,
        now: Timestamp,
    ) -> Result<String, Unreadable> {
        let previous = webhook.previous_secret.iter().filter(|previous| previous.until > now);
        let sealed =
            std::iter::once(&webhook.secret).chain(previous.map(|PreviousSecret { sealed, .. }| sealed));
        let signatures = sealed.map(|sealed| {
            let secret = self.0.open(&label(webhook.id), sealed).ok_or(Unreadable)?;
            Ok(signature(&secret, message))
        });
        Ok(signatures.collect::<Result<Vec<_>, _>>()?.join(" "))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// What is signed.
pub(crate) struct Signed<'a> {
    pub(crate) id: &'a str,
    /// Seconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) body: &'a str,
}

fn label(webhook: WebhookId) -> String {
    format!("webhook/{webhook}")
}

fn signature(secret: &[u8], message: &Signed<'_>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let Signed { id, timestamp, body } = message;
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_signed_as_the_specification_says() {
        // the example of the specification's reference libraries
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = Signed {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: r#"{"test": 2432232314}"#,
        };
        assert_eq!(signature(&secret, &message), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_sealed_for_its_webhook() {
        let master = MasterKey::parse(&"11".repeat(32), None).unwrap();
        let secrets = Secrets::new(Arc::new(master));
        let (one, other) = (WebhookId::from_bytes([1; 12]), WebhookId::from_bytes([2; 12]));
        let made = secrets.make(one);
        let plain = secrets.0.open(&label(one), &made.sealed).unwrap();
        assert_eq!(made.shown, format!("whsec_{}", STANDARD.encode(&plain)));
        assert_eq!(plain.len(), SECRET_BYTES);
        assert_eq!(secrets.0.open(&label(other), &made.sealed), None);
        assert_ne!(secrets.make(one).shown, made.shown);
    }
}
