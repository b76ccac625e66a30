//! A new master key: secrets that the previous one sealed are sealed anew, so that the previous one can go.

use std::sync::Arc;
use std::time::Duration;

use common::webhooks::WebhookStore;
use common::{Causes, PortResult};
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::secret::Secrets;
use crate::Parts;

/// Webhooks read at a time.
const BATCH: u32 = 500;

/// Seals anew. Any number of processes may do it at once.
pub(crate) struct Resealer {
    webhooks: Arc<dyn WebhookStore>,
    secrets: Secrets,
    every: Duration,
}

impl Resealer {
    pub(crate) fn new(parts: &Parts, secrets: Secrets) -> Self {
        Self { webhooks: Arc::clone(&parts.webhooks), secrets, every: parts.settings.reseal_every }
    }

    /// Works until `stop` is cancelled, if there is anything to do. May be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        if !self.secrets.has_previous_key() {
            return;
        }
        stop.run_until_cancelled(async {
            match self.walk(false).await {
                Ok(secrets) => {
                    tell(secrets);
                    tracing::info!(secrets, "secrets of webhooks sealed by the previous master key, and to be sealed anew");
                }
                Err(error) => {
                    tracing::warn!(cause = %Causes(&error), "cannot say how much the previous master key seals");
                }
            }
            sleep(self.every).await;
            let mut delay = RetryDelay::default();
            loop {
                match self.reseal().await {
                    Ok(()) => {
                        delay.reset();
                        sleep(self.every).await;
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot seal the secrets of webhooks anew");
                        sleep(wait).await;
                    }
                }
            }
        })
        .await;
    }

    async fn reseal(&self) -> PortResult<()> {
        if self.walk(true).await? == 0 {
            tell(0);
            return Ok(());
        }
        let left = self.walk(false).await?;
        tell(left);
        if left == 0 {
            tracing::info!("no secret of a webhook is sealed by the previous master key any more");
        } else {
            tracing::warn!(secrets = left, "still sealed by another master key; trying again later");
        }
        Ok(())
    }

    /// Counts what the present key did not seal, and seals it anew if that is wanted.
    async fn walk(&self, reseals: bool) -> PortResult<u64> {
        let (mut found, mut after) = (0, None);
        loop {
            let page = self.webhooks.page_webhooks(after, BATCH).await?;
            for webhook in &page {
                for (old, new) in self.secrets.of_previous_key(webhook) {
                    found += 1;
                    if reseals && let Some(new) = new {
                        self.webhooks.reseal_webhook(webhook.id, old, &new).await?;
                    }
                }
            }
            after = page.last().map(|webhook| webhook.id);
            if page.len() < BATCH as usize {
                return Ok(found);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many webhooks")]
fn tell(secrets: u64) {
    metrics::gauge!("fm_sealed_by_previous_key", "what" => "webhook_secrets").set(secrets as f64);
}
