//! Webhooks: where programs of users want to be told what happens, and the messages to them.

mod delivery;
mod store;
mod webhook;

pub use delivery::{
    Delivery, DeliveryAttempt, DeliveryPage, DeliveryPlace, DeliveryState, MAX_ATTEMPTS_KEPT,
};
pub use store::{ChangeWebhookError, Health, WebhookStore};
pub use webhook::{OffReason, PreviousSecret, SwitchedOff, Webhook, WebhookEvent};
