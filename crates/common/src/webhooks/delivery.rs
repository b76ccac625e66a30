use serde::{Deserialize, Serialize};

use super::WebhookEvent;
use crate::{DeliveryId, JobId, Timestamp, WebhookId};

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is under way, or waits for its next attempt.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It is given up.
    Failed,
    /// It was called off: the webhook is off.
    Cancelled,
}

impl DeliveryState {
    const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Cancelled];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`DeliveryState::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// One try to hand a message over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// What the receiver answered, if it did.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// Attempts that are kept of one message: the last ones.
pub const MAX_ATTEMPTS_KEPT: usize = 50;

/// A message to a webhook. The job that delivers it has the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id: what receivers know it by, however often it comes.
    pub id: DeliveryId,
    /// Where it goes.
    pub webhook: WebhookId,
    /// What it tells.
    pub event: WebhookEvent,
    /// It, as JSON: exactly what is sent and signed.
    pub body: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What has become of it.
    pub state: DeliveryState,
    /// The tries, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
    /// When it reached its state, unless that is `pending`.
    pub finished_at: Option<Timestamp>,
}

impl Delivery {
    /// The job that delivers it.
    pub fn job(&self) -> JobId {
        JobId(self.id.0)
    }

    /// Where it stands.
    pub fn place(&self) -> DeliveryPlace {
        DeliveryPlace { at: self.created_at, id: self.id }
    }
}

/// A place in a webhook's list: newest first, those of one time by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeliveryPlace {
    /// When it was made.
    pub at: Timestamp,
    /// Which it is.
    pub id: DeliveryId,
}

/// A page of a webhook's list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryPage {
    /// Newest first.
    pub items: Vec<Delivery>,
    /// There are more behind the last.
    pub more: bool,
}
