//! Hands messages over to webhooks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use clients::AuthClient;
use common::auth::Role;
use common::jobs::{Job, types};
use common::webhooks::{
    Delivery, DeliveryAttempt, DeliveryState, OffReason, Webhook, WebhookEvent, WebhookStore,
};
use common::{Clock, DeliveryId, PortResult};
use egress::{Answer, Egress, NoAnswer};
use metrics::{counter, histogram};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::off::Switch;
use super::secret::{Secrets, Signed};
use crate::work::{Bells, Ending, HandlerError, JobContext, JobHandler};
use crate::{Parts, WebhookSettings};

/// Failures below which no webhook is switched off, however long ago the first one was: a message a week apart from the next says little.
const LEAST_FAILURES: u32 = 5;
/// The receiver says that it is no more.
const GONE: u16 = 410;

/// Delivers. A receiver may get a message more than once, always with the same id.
pub(crate) struct DeliverHandler {
    webhooks: Arc<dyn WebhookStore>,
    switch: Switch,
    users: AuthClient,
    secrets: Secrets,
    egress: Egress,
    clock: Arc<dyn Clock>,
    settings: WebhookSettings,
}

impl DeliverHandler {
    pub(crate) fn new(parts: &Parts, secrets: Secrets, bells: Bells) -> Self {
        Self {
            webhooks: Arc::clone(&parts.webhooks),
            switch: Switch {
                webhooks: Arc::clone(&parts.webhooks),
                notifications: Arc::clone(&parts.notifications),
                clock: Arc::clone(&parts.clock),
                bells,
            },
            users: parts.auth.clone(),
            secrets,
            egress: parts.egress.clone(),
            clock: Arc::clone(&parts.clock),
            settings: parts.settings.webhooks,
        }
    }

    /// Why a webhook must not be told, if so: it is off, or its owner may not be told any more.
    async fn obstacle(
        &self,
        webhook: &Webhook,
        event: WebhookEvent,
    ) -> Result<Option<&'static str>, HandlerError> {
        if webhook.off.is_some() && event != WebhookEvent::Ping {
            return Ok(Some("The webhook is off"));
        }
        let Some(owner) = self.users.find_user(webhook.user).await? else {
            return Ok(Some("The account of the webhook is gone"));
        };
        if owner.disabled {
            return Ok(Some("The account of the webhook is disabled"));
        }
        if !webhook.all_jobs {
            return Ok(None);
        }
        match owner.role {
            Some(Role::Admin) => Ok(None),
            Some(Role::User) => {
                self.switch.off(webhook, OffReason::NotAdministrator).await?;
                Ok(Some("The owner of the webhook is no administrator"))
            }
            None => Err(HandlerError::Retry("Nobody says whether the owner is an administrator".to_owned())),
        }
    }

    async fn send(&self, webhook: &Webhook, delivery: &Delivery) -> Result<Sent, HandlerError> {
        let at = self.clock.now();
        let id = format!("msg_{}", delivery.id);
        let message = Signed { id: &id, timestamp: at.seconds(), body: &delivery.body };
        let signature = self.secrets.sign(webhook, &message, at).map_err(|error| {
            tracing::error!(webhook = %webhook.id, cause = %error, "cannot sign a message");
            HandlerError::Permanent("The secret of the webhook cannot be read".to_owned())
        })?;
        let fields = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", concat!("files-manager/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("webhook-id", id.clone()),
            ("webhook-timestamp", at.seconds().to_string()),
            ("webhook-signature", signature),
            ("webhook-event", delivery.event.word().to_owned()),
        ];
        let begun = Instant::now();
        let outcome = self.egress.post(&webhook.url, &fields, Bytes::from(delivery.body.clone())).await;
        let took = begun.elapsed();
        histogram!("fm_webhooks_request_seconds").record(took.as_secs_f64());
        let attempt = DeliveryAttempt {
            at,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            status: outcome.as_ref().ok().map(|answer| answer.status),
            error: error_of(outcome),
        };
        let wait = match outcome {
            Ok(Answer { status: 429 | 503, retry_after: Some(after) }) => {
                Some(after.wait(self.clock.now(), self.settings.longest_pause))
            }
            _ => None,
        };
        let is_hopeless = matches!(outcome, Err(NoAnswer::Place(_) | NoAnswer::Address));
        Ok(Sent { attempt, is_hopeless, wait })
    }

    /// Whether a webhook has failed for so long that it is better off.
    async fn has_failed_for_long(&self, webhook: &Webhook) -> PortResult<bool> {
        let now = self.clock.now();
        let health = self.webhooks.note_webhook_attempt(webhook.id, false, now).await?;
        Ok(health.is_some_and(|health| {
            let since = health.failing_since.unwrap_or(now);
            health.failures >= LEAST_FAILURES && now.since(since) >= self.settings.off_after
        }))
    }

    async fn note(
        &self,
        delivery: DeliveryId,
        attempt: Option<&DeliveryAttempt>,
        state: DeliveryState,
    ) -> PortResult<()> {
        self.webhooks.note_delivery(delivery, attempt, state, self.clock.now()).await
    }
}

/// A message that was sent, for better or worse.
struct Sent {
    attempt: DeliveryAttempt,
    /// The same comes of it every time.
    is_hopeless: bool,
    /// How long the receiver wants to be left alone.
    wait: Option<Duration>,
}

/// Why an outcome is none to be content with.
fn error_of(outcome: Result<Answer, NoAnswer>) -> Option<String> {
    match outcome {
        Ok(Answer { status: 200..=299, .. }) => None,
        Ok(Answer { status: status @ 300..=399, .. }) => {
            Some(format!("the receiver answered {status}; redirects are not followed"))
        }
        Ok(Answer { status, .. }) => Some(format!("the receiver answered {status}")),
        Err(error) => Some(error.to_string()),
    }
}

#[async_trait]
impl JobHandler for DeliverHandler {
    fn kind(&self) -> &'static str {
        types::WEBHOOK_DELIVER
    }

    fn concurrency(&self) -> usize {
        self.settings.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let id = DeliveryId(job.job().spec.id.0);
        let found = self.webhooks.find_delivery(id).await?;
        let delivery = found.ok_or_else(|| HandlerError::Obsolete("The delivery is gone".to_owned()))?;
        if delivery.state == DeliveryState::Delivered {
            return Ok(None);
        }
        let found = self.webhooks.find_webhook(delivery.webhook).await?;
        let webhook = found.ok_or_else(|| HandlerError::Obsolete("The webhook is gone".to_owned()))?;
        if let Some(obstacle) = self.obstacle(&webhook, delivery.event).await? {
            self.note(id, None, DeliveryState::Cancelled).await?;
            return Err(HandlerError::Obsolete(obstacle.to_owned()));
        }
        let Sent { attempt, is_hopeless, wait } = self.send(&webhook, &delivery).await?;
        let counts = delivery.event != WebhookEvent::Ping;
        let Some(error) = attempt.error.clone() else {
            counter!("fm_webhooks_attempts_total", "outcome" => "delivered").increment(1);
            self.note(id, Some(&attempt), DeliveryState::Delivered).await?;
            if counts && webhook.failing_since.is_some() {
                self.webhooks.note_webhook_attempt(webhook.id, true, self.clock.now()).await?;
            }
            return Ok(Some(json!({ "status": attempt.status })));
        };
        counter!("fm_webhooks_attempts_total", "outcome" => "failed").increment(1);
        let is_gone = counts && attempt.status == Some(GONE);
        let is_last = is_gone || is_hopeless || job.is_last_attempt();
        let state = if is_last { DeliveryState::Failed } else { DeliveryState::Pending };
        self.note(id, Some(&attempt), state).await?;
        if is_gone {
            self.switch.off(&webhook, OffReason::Gone).await?;
        } else if counts && self.has_failed_for_long(&webhook).await? {
            self.switch.off(&webhook, OffReason::Failing).await?;
        }
        Err(match wait {
            _ if is_gone || is_hopeless => HandlerError::Permanent(error),
            Some(wait) => HandlerError::RetryAfter(error, wait),
            None => HandlerError::Retry(error),
        })
    }

    fn hears_of_ends(&self) -> bool {
        true
    }

    /// Also when its worker died over the last attempt.
    async fn given_up(&self, job: &Job, ending: Ending<'_>) -> Result<(), HandlerError> {
        let id = DeliveryId(job.spec.id.0);
        let found = self.webhooks.find_delivery(id).await?;
        if found.is_some_and(|delivery| delivery.state == DeliveryState::Pending) {
            let state = match ending {
                Ending::Failed(_) => DeliveryState::Failed,
                Ending::CalledOff => DeliveryState::Cancelled,
            };
            self.note(id, None, state).await?;
        }
        Ok(())
    }
}
