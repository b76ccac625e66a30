use async_trait::async_trait;

use super::{Delivery, DeliveryAttempt, DeliveryPage, DeliveryPlace, DeliveryState, OffReason, Webhook};
use crate::error::{PortError, PortResult};
use crate::{DeliveryId, Timestamp, UserId, WebhookId};

/// A webhook that stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeWebhookError {
    /// There is none.
    #[error("there is no such webhook")]
    NotFound,
    /// It has been changed, or switched off, since it was read.
    #[error("the webhook was changed meanwhile")]
    Changed,
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How a webhook has been doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// How many those are.
    pub failures: u32,
}

/// Webhooks, and what was sent to them. Durable when they return, but for what is said of attempts: its loss is a gap in a log.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Keeps a new one. Safe to repeat: a known id changes nothing.
    async fn create_webhook(&self, webhook: &Webhook) -> PortResult<()>;

    /// Those of a user, oldest first. They are few: see [`Webhook::MAX_OF_ONE`].
    async fn list_webhooks(&self, user: UserId) -> PortResult<Vec<Webhook>>;

    /// The one with this id.
    async fn find_webhook(&self, id: WebhookId) -> PortResult<Option<Webhook>>;

    /// Up to `limit` of all, by ascending ids after `after`.
    async fn page_webhooks(&self, after: Option<WebhookId>, limit: u32) -> PortResult<Vec<Webhook>>;

    /// Replaces a sealed secret of one, the present or the previous one, if either still is `old`, by another sealing of the same secret; false if neither is.
    /// No change of its revision. Safe to repeat.
    async fn reseal_webhook(&self, id: WebhookId, old: &[u8], new: &[u8]) -> PortResult<bool>;

    /// Those that are not off and are of one of these users, or told of all jobs.
    async fn listening_webhooks(&self, users: &[UserId]) -> PortResult<Vec<Webhook>>;

    /// Changes everything but id, owner and the time of making, if the revision is still that of `webhook`, which then is one more.
    ///
    /// # Errors
    /// `NotFound`, `Changed`.
    async fn update_webhook(&self, webhook: &Webhook) -> Result<(), ChangeWebhookError>;

    /// Removes one with its deliveries; whether there was one.
    async fn delete_webhook(&self, id: WebhookId) -> PortResult<bool>;

    /// Switches one off that is not; whether this call did. Of any number of callers one does.
    async fn switch_off_webhook(&self, id: WebhookId, why: OffReason, now: Timestamp) -> PortResult<bool>;

    /// Notes that an attempt worked, or failed; how the webhook has been doing since. No change of its revision.
    async fn note_webhook_attempt(
        &self,
        id: WebhookId,
        worked: bool,
        now: Timestamp,
    ) -> PortResult<Option<Health>>;

    /// Keeps new deliveries. Safe to repeat: a known id changes nothing.
    async fn create_deliveries(&self, deliveries: &[Delivery]) -> PortResult<()>;

    /// The one with this id.
    async fn find_delivery(&self, id: DeliveryId) -> PortResult<Option<Delivery>>;

    /// Adds an attempt, if there was one, and says what has become of the delivery. One that is delivered stays so. No error if it is gone.
    async fn note_delivery(
        &self,
        id: DeliveryId,
        attempt: Option<&DeliveryAttempt>,
        state: DeliveryState,
        now: Timestamp,
    ) -> PortResult<()>;

    /// Up to `limit` of a webhook, newest first, behind `after`.
    async fn list_deliveries(
        &self,
        webhook: WebhookId,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> PortResult<DeliveryPage>;

    /// Forgets up to `limit` that were made before `before`; how many.
    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> PortResult<u32>;

    /// Up to which event of jobs everybody has been told; 0 at first.
    async fn events_told(&self) -> PortResult<u64>;

    /// Sets that, never back unless `restart` says that the events begin anew.
    async fn set_events_told(&self, seq: u64, restart: bool) -> PortResult<()>;

    /// Up to `limit` of those that [hear of files](Webhook::hears_of_files), by ascending ids after `after`, each with the number of the event of its owner's
    /// files up to which it was told; none where that was never set, or was forgotten.
    async fn webhooks_of_files(
        &self,
        after: Option<WebhookId>,
        limit: u32,
    ) -> PortResult<Vec<(Webhook, Option<u64>)>>;

    /// Sets that number, if it still is `from`; whether it was. No change of the webhook's revision, and no change of the webhook touches it.
    async fn set_files_told(&self, id: WebhookId, from: Option<u64>, to: u64) -> PortResult<bool>;

    /// Forgets it, so that the webhook begins anew. Safe to repeat.
    async fn forget_files_told(&self, id: WebhookId) -> PortResult<()>;
}
