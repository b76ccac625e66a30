use common::webhooks::{
    Delivery, DeliveryAttempt, DeliveryState, OffReason, PreviousSecret, SwitchedOff, Webhook, WebhookEvent,
};
use common::{DeliveryId, Timestamp, UserId, WebhookId};
use serde::{Deserialize, Serialize};

use super::Strange;

record!(
    /// A secret that was replaced.
    PreviousRecord {
        #[serde(with = "hex::serde")]
        sealed: Vec<u8>,
        until: Timestamp,
    }
);

record!(
    /// That a webhook is off.
    OffRecord {
        why: OffReason,
        at: Timestamp,
    }
);

record!(
    /// A webhook.
    WebhookRecord {
        id: WebhookId,
        user: UserId,
        url: String,
        description: String,
        events: Vec<WebhookEvent>,
        all_jobs: bool,
        #[serde(with = "hex::serde")]
        secret: Vec<u8>,
        previous: Option<PreviousRecord>,
        off: Option<OffRecord>,
        failing_since: Option<Timestamp>,
        failures: u32,
        created_at: Timestamp,
        updated_at: Timestamp,
        revision: u64,
    }
);

impl WebhookRecord {
    pub(in crate::portable) fn of(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            user: webhook.user,
            url: webhook.url,
            description: webhook.description,
            events: webhook.events,
            all_jobs: webhook.all_jobs,
            secret: webhook.secret,
            previous: webhook
                .previous_secret
                .map(|previous| PreviousRecord { sealed: previous.sealed, until: previous.until }),
            off: webhook.off.map(|off| OffRecord { why: off.why, at: off.at }),
            failing_since: webhook.failing_since,
            failures: webhook.failures,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            revision: webhook.revision,
        }
    }

    pub(in crate::portable) fn read(self) -> Webhook {
        Webhook {
            id: self.id,
            user: self.user,
            url: self.url,
            description: self.description,
            events: self.events,
            all_jobs: self.all_jobs,
            secret: self.secret,
            previous_secret: self
                .previous
                .map(|previous| PreviousSecret { sealed: previous.sealed, until: previous.until }),
            off: self.off.map(|off| SwitchedOff { why: off.why, at: off.at }),
            failing_since: self.failing_since,
            failures: self.failures,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: self.revision,
        }
    }
}

record!(
    /// Up to which event of its owner's files a webhook was told.
    ToldRecord {
        webhook: WebhookId,
        event: u64,
    }
);

impl ToldRecord {
    pub(in crate::portable) const fn of(webhook: WebhookId, event: u64) -> Self {
        Self { webhook, event }
    }

    pub(in crate::portable) const fn read(self) -> (WebhookId, u64) {
        (self.webhook, self.event)
    }
}

record!(
    /// A message to a webhook, and what has become of it.
    DeliveryRecord {
        id: DeliveryId,
        webhook: WebhookId,
        event: WebhookEvent,
        body: String,
        created_at: Timestamp,
        state: DeliveryState,
        attempts: Vec<DeliveryAttempt>,
        finished_at: Option<Timestamp>,
    }
);

impl DeliveryRecord {
    pub(in crate::portable) fn of(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            webhook: delivery.webhook,
            event: delivery.event,
            body: delivery.body,
            created_at: delivery.created_at,
            state: delivery.state,
            attempts: delivery.attempts,
            finished_at: delivery.finished_at,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<Delivery, Strange> {
        Ok(Delivery {
            id: self.id,
            webhook: self.webhook,
            event: self.event,
            body: self.body,
            created_at: self.created_at,
            state: self.state,
            attempts: self.attempts,
            finished_at: self.finished_at,
        })
    }
}
