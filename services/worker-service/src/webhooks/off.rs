//! Switching webhooks off, with a word to their owners.

use std::sync::Arc;

use common::notifications::{NewNotification, NotificationStore, WEBHOOK_OFF};
use common::webhooks::{OffReason, Webhook, WebhookStore};
use common::{Clock, NotificationId, ObjectId, PortResult};
use metrics::counter;
use serde_json::json;

use crate::work::Bells;

/// Switches off what should be told nothing any more.
pub(super) struct Switch {
    pub(super) webhooks: Arc<dyn WebhookStore>,
    pub(super) notifications: Arc<dyn NotificationStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bells: Bells,
}

impl Switch {
    /// Switches a webhook off and tells its owner why. May be repeated: the owner is told once of each time.
    ///
    /// # Errors
    /// As the stores.
    pub(super) async fn off(&self, webhook: &Webhook, why: OffReason) -> PortResult<()> {
        let now = self.clock.now();
        // the news first: if the process dies between the two, the next attempt does the rest
        let id = format!("webhook off {} {}", webhook.id, webhook.revision);
        let name = if webhook.description.is_empty() { "A webhook" } else { &*webhook.description };
        let reason = match why {
            OffReason::Owner => "you wanted it so",
            OffReason::Failing => "all messages to it have failed for long",
            OffReason::Gone => "its receiver answered that it is gone (410)",
            OffReason::NotAdministrator => {
                "it was told of everybody's jobs, and you are no administrator any more"
            }
        };
        let news = NewNotification {
            id: NotificationId(ObjectId::named(&id)),
            user: webhook.user,
            kind: WEBHOOK_OFF.to_owned(),
            text: format!("{name} was switched off: {reason}."),
            data: json!({ "webhookId": webhook.id, "reason": why.word() }),
        };
        let is_new = !self.notifications.notify(&[news], now).await?.is_empty();
        if self.webhooks.switch_off_webhook(webhook.id, why, now).await? {
            tracing::info!(webhook = %webhook.id, reason = why.word(), "a webhook is switched off");
            counter!("fm_webhooks_switched_off_total", "reason" => why.word()).increment(1);
        }
        if is_new {
            self.bells.ring_news([webhook.user]).await;
        }
        Ok(())
    }
}
