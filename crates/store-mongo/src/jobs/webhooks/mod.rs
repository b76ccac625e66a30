//! Webhooks, and what was sent to them.

mod deliveries;
mod hooks;

pub(super) use deliveries::forget_old;

use async_trait::async_trait;
use common::webhooks::{
    ChangeWebhookError, Delivery, DeliveryAttempt, DeliveryPage, DeliveryPlace, DeliveryState, Health,
    OffReason, Webhook, WebhookStore,
};
use common::{DeliveryId, PortResult, Timestamp, UserId, WebhookId};

use super::JobsDb;

#[async_trait]
impl WebhookStore for JobsDb {
    async fn create_webhook(&self, webhook: &Webhook) -> PortResult<()> {
        self.engine.write_run(hooks::create(&self.engine, webhook)).await
    }

    async fn list_webhooks(&self, user: UserId) -> PortResult<Vec<Webhook>> {
        self.engine.run(hooks::list(&self.engine, user)).await
    }

    async fn find_webhook(&self, id: WebhookId) -> PortResult<Option<Webhook>> {
        self.engine.run(hooks::find(&self.engine, id)).await
    }

    async fn page_webhooks(&self, after: Option<WebhookId>, limit: u32) -> PortResult<Vec<Webhook>> {
        self.engine.run(hooks::page(&self.engine, after, limit)).await
    }

    async fn reseal_webhook(&self, id: WebhookId, old: &[u8], new: &[u8]) -> PortResult<bool> {
        self.engine.run(hooks::reseal(&self.engine, id, old, new)).await
    }

    async fn listening_webhooks(&self, users: &[UserId]) -> PortResult<Vec<Webhook>> {
        self.engine.run(hooks::listening(&self.engine, users)).await
    }

    async fn update_webhook(&self, webhook: &Webhook) -> Result<(), ChangeWebhookError> {
        self.engine.write(hooks::update(&self.engine, webhook)).await
    }

    async fn delete_webhook(&self, id: WebhookId) -> PortResult<bool> {
        self.engine.write_run(hooks::delete(&self.engine, id)).await
    }

    async fn switch_off_webhook(&self, id: WebhookId, why: OffReason, now: Timestamp) -> PortResult<bool> {
        self.engine.write_run(hooks::switch_off(&self.engine, id, why, now)).await
    }

    async fn note_webhook_attempt(
        &self,
        id: WebhookId,
        worked: bool,
        now: Timestamp,
    ) -> PortResult<Option<Health>> {
        self.engine.run(hooks::note_attempt(&self.engine, id, worked, now)).await
    }

    async fn create_deliveries(&self, deliveries: &[Delivery]) -> PortResult<()> {
        self.engine.write_run(deliveries::create(&self.engine, deliveries)).await
    }

    async fn find_delivery(&self, id: DeliveryId) -> PortResult<Option<Delivery>> {
        self.engine.run(deliveries::find(&self.engine, id)).await
    }

    async fn note_delivery(
        &self,
        id: DeliveryId,
        attempt: Option<&DeliveryAttempt>,
        state: DeliveryState,
        now: Timestamp,
    ) -> PortResult<()> {
        self.engine.run(deliveries::note(&self.engine, id, attempt, state, now)).await
    }

    async fn list_deliveries(
        &self,
        webhook: WebhookId,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> PortResult<DeliveryPage> {
        self.engine.run(deliveries::list(&self.engine, webhook, after, limit)).await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(deliveries::forget(&self.engine, before, limit)).await
    }

    async fn events_told(&self) -> PortResult<u64> {
        self.engine.run(deliveries::events_told(&self.engine)).await
    }

    async fn set_events_told(&self, seq: u64, restart: bool) -> PortResult<()> {
        self.engine.run(deliveries::set_events_told(&self.engine, seq, restart)).await
    }

    async fn webhooks_of_files(
        &self,
        after: Option<WebhookId>,
        limit: u32,
    ) -> PortResult<Vec<(Webhook, Option<u64>)>> {
        self.engine.run(hooks::of_files(&self.engine, after, limit)).await
    }

    async fn set_files_told(&self, id: WebhookId, from: Option<u64>, to: u64) -> PortResult<bool> {
        self.engine.run(hooks::set_files_told(&self.engine, id, from, to)).await
    }

    async fn forget_files_told(&self, id: WebhookId) -> PortResult<()> {
        self.engine.run(hooks::forget_files_told(&self.engine, id)).await
    }
}
