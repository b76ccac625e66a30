//! Webhooks, and what was sent to them.

mod deliveries;
mod hooks;

use async_trait::async_trait;
use common::webhooks::{
    ChangeWebhookError, Delivery, DeliveryAttempt, DeliveryPage, DeliveryPlace, DeliveryState, Health,
    OffReason, Webhook, WebhookStore,
};
use common::{DeliveryId, PortResult, Timestamp, UserId, WebhookId};

use super::JobsDb;
use crate::engine::Durability;

#[async_trait]
impl WebhookStore for JobsDb {
    async fn create_webhook(&self, webhook: &Webhook) -> PortResult<()> {
        let webhook = webhook.clone();
        self.write(Durability::Durable, move |tx| hooks::create(tx, &webhook)).await
    }

    async fn list_webhooks(&self, user: UserId) -> PortResult<Vec<Webhook>> {
        self.read(move |connection| hooks::list(connection, user)).await
    }

    async fn find_webhook(&self, id: WebhookId) -> PortResult<Option<Webhook>> {
        self.read(move |connection| hooks::find(connection, id)).await
    }

    async fn page_webhooks(&self, after: Option<WebhookId>, limit: u32) -> PortResult<Vec<Webhook>> {
        self.read(move |connection| hooks::page(connection, after, limit)).await
    }

    async fn reseal_webhook(&self, id: WebhookId, old: &[u8], new: &[u8]) -> PortResult<bool> {
        let (old, new) = (old.to_vec(), new.to_vec());
        self.write(Durability::Durable, move |tx| hooks::reseal(tx, id, &old, &new)).await
    }

    async fn listening_webhooks(&self, users: &[UserId]) -> PortResult<Vec<Webhook>> {
        let users = users.to_vec();
        self.read(move |connection| hooks::listening(connection, &users)).await
    }

    async fn update_webhook(&self, webhook: &Webhook) -> Result<(), ChangeWebhookError> {
        let webhook = webhook.clone();
        self.engine.write(Durability::Durable, move |tx| hooks::update(tx, &webhook)).await
    }

    async fn delete_webhook(&self, id: WebhookId) -> PortResult<bool> {
        self.write(Durability::Durable, move |tx| hooks::delete(tx, id)).await
    }

    async fn switch_off_webhook(&self, id: WebhookId, why: OffReason, now: Timestamp) -> PortResult<bool> {
        self.write(Durability::Durable, move |tx| hooks::switch_off(tx, id, why, now)).await
    }

    async fn note_webhook_attempt(
        &self,
        id: WebhookId,
        worked: bool,
        now: Timestamp,
    ) -> PortResult<Option<Health>> {
        self.write(Durability::Relaxed, move |tx| hooks::note_attempt(tx, id, worked, now)).await
    }

    async fn create_deliveries(&self, deliveries: &[Delivery]) -> PortResult<()> {
        let new = deliveries.to_vec();
        self.write(Durability::Durable, move |tx| deliveries::create(tx, &new)).await
    }

    async fn find_delivery(&self, id: DeliveryId) -> PortResult<Option<Delivery>> {
        self.read(move |connection| deliveries::find(connection, id)).await
    }

    async fn note_delivery(
        &self,
        id: DeliveryId,
        attempt: Option<&DeliveryAttempt>,
        state: DeliveryState,
        now: Timestamp,
    ) -> PortResult<()> {
        let attempt = attempt.cloned();
        self.write(Durability::Relaxed, move |tx| deliveries::note(tx, id, attempt, state, now)).await
    }

    async fn list_deliveries(
        &self,
        webhook: WebhookId,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> PortResult<DeliveryPage> {
        self.read(move |connection| deliveries::list(connection, webhook, after, limit)).await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.write(Durability::Relaxed, move |tx| deliveries::forget(tx, before, limit)).await
    }

    async fn events_told(&self) -> PortResult<u64> {
        self.read(deliveries::events_told).await
    }

    async fn set_events_told(&self, seq: u64, restart: bool) -> PortResult<()> {
        // lost by a crash, the same is told again under the same ids
        self.write(Durability::Relaxed, move |tx| deliveries::set_events_told(tx, seq, restart)).await
    }

    async fn webhooks_of_files(
        &self,
        after: Option<WebhookId>,
        limit: u32,
    ) -> PortResult<Vec<(Webhook, Option<u64>)>> {
        self.read(move |connection| hooks::of_files(connection, after, limit)).await
    }

    async fn set_files_told(&self, id: WebhookId, from: Option<u64>, to: u64) -> PortResult<bool> {
        // as above
        self.write(Durability::Relaxed, move |tx| hooks::set_files_told(tx, id, from, to)).await
    }

    async fn forget_files_told(&self, id: WebhookId) -> PortResult<()> {
        self.write(Durability::Durable, move |tx| hooks::forget_files_told(tx, id)).await
    }
}
