//! What users are told of: things that happened to what is theirs while they were not looking.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::PortResult;
use crate::{NotificationId, Timestamp, UserId};

/// A job of theirs is given up; data: `{jobId, type, error}` and what of the job's data names a file.
pub const JOB_FAILED: &str = "job.failed";
/// A webhook of theirs was switched off; data: `{webhookId, reason}`.
pub const WEBHOOK_OFF: &str = "webhook.switched-off";

/// Something was downloaded or dropped by a link of theirs, or to files of theirs; data: `{linkId, label, fileId, downloads, drops}`, and `lastFileId` for
/// the file of the last use.
pub const LINK_USED: &str = "link.used";
/// An export of theirs can be fetched; data: `{exportId, expiresAt}`.
pub const EXPORT_READY: &str = "export.ready";

/// A notification as whoever knows the news makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewNotification {
    /// Its id, minted by its maker: a second one with it changes nothing.
    pub id: NotificationId,
    /// Who is told.
    #[serde(rename = "userId")]
    pub user: UserId,
    /// What it is about, such as `job.failed`: for programs.
    pub kind: String,
    /// The news in a sentence: for people.
    pub text: String,
    /// What it is about, exactly.
    #[serde(default)]
    pub data: Value,
}

/// What is wrong with a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNotification {
    /// See [`NewNotification::MAX_KIND_BYTES`].
    #[error("the kind has 1 to 64 small letters, digits, dots and hyphens")]
    Kind,
    /// See [`NewNotification::MAX_TEXT_BYTES`].
    #[error("the text has 1 to 1000 bytes")]
    Text,
    /// See [`NewNotification::MAX_DATA_BYTES`].
    #[error("the data have at most 4 KiB as JSON")]
    Data,
}

impl NewNotification {
    /// Longest kind, in bytes.
    pub const MAX_KIND_BYTES: usize = 64;
    /// Longest text, in bytes.
    pub const MAX_TEXT_BYTES: usize = 1000;
    /// Most data, as bytes of JSON.
    pub const MAX_DATA_BYTES: usize = 4096;

    /// Whether a store takes it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), InvalidNotification> {
        let is_kind =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        if !(1..=Self::MAX_KIND_BYTES).contains(&self.kind.len()) || !self.kind.bytes().all(is_kind) {
            Err(InvalidNotification::Kind)
        } else if !(1..=Self::MAX_TEXT_BYTES).contains(&self.text.len()) {
            Err(InvalidNotification::Text)
        } else if self.data.to_string().len() > Self::MAX_DATA_BYTES {
            Err(InvalidNotification::Data)
        } else {
            Ok(())
        }
    }
}

/// A notification as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What is told.
    pub news: NewNotification,
    /// When the store got it.
    pub created_at: Timestamp,
    /// When its user marked it as read, if they did.
    pub read_at: Option<Timestamp>,
}

/// A place in a user's list: newest first, those of one time by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotificationPlace {
    /// When the store got it.
    pub at: Timestamp,
    /// Which it is.
    pub id: NotificationId,
}

impl Notification {
    /// Where it stands.
    pub fn place(&self) -> NotificationPlace {
        NotificationPlace { at: self.created_at, id: self.news.id }
    }
}

/// A page of a user's list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NotificationPage {
    /// Newest first.
    pub items: Vec<Notification>,
    /// There are more behind the last.
    pub more: bool,
    /// How many of all are unread.
    pub unread: u64,
}

/// Which notifications are marked as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadMark {
    /// These; those of others and unknown ones are left out.
    Ids(Vec<NotificationId>),
    /// All that the store got until then, that time included.
    UpTo(Timestamp),
}

/// Most notifications that are kept for a user: older ones go when new ones come.
pub const MAX_NOTIFICATIONS: u32 = 1000;

/// Notifications of all users. Durable when they return.
#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// Keeps new ones, and of each user the newest [`MAX_NOTIFICATIONS`]; which of them are new. Safe to repeat: a known id changes nothing.
    async fn notify(&self, news: &[NewNotification], now: Timestamp) -> PortResult<Vec<NotificationId>>;

    /// Up to `limit` of a user, newest first, behind `after`.
    async fn list_notifications(
        &self,
        user: UserId,
        only_unread: bool,
        after: Option<NotificationPlace>,
        limit: u32,
    ) -> PortResult<NotificationPage>;

    /// Marks some of a user as read; how many are unread still. Safe to repeat: what is read stays read since then.
    async fn mark_read(&self, user: UserId, which: &ReadMark, now: Timestamp) -> PortResult<u64>;

    /// Forgets up to `limit` of a user; how many.
    async fn forget_notifications_of(&self, user: UserId, limit: u32) -> PortResult<u32>;

    /// Forgets up to `limit` that the store got before `before`; how many.
    async fn forget_notifications(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}

/// `POST /internal/notifications`: tells users something. Answer: [`Notified`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notify {
    /// At most [`MAX_AT_ONCE`].
    pub items: Vec<NewNotification>,
}

/// Most notifications in one call.
pub const MAX_AT_ONCE: usize = 100;

/// Which of them are new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// Their ids.
    pub ids: Vec<NotificationId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_no_store_takes_is_named() {
        let good = || NewNotification {
            id: NotificationId::from_bytes([1; 12]),
            user: UserId::from_bytes([2; 12]),
            kind: JOB_FAILED.to_owned(),
            text: "It failed".to_owned(),
            data: json!({ "jobId": "x" }),
        };
        good().check().unwrap();
        for (wrong, news) in [
            (InvalidNotification::Kind, NewNotification { kind: String::new(), ..good() }),
            (InvalidNotification::Kind, NewNotification { kind: "A b".into(), ..good() }),
            (InvalidNotification::Kind, NewNotification { kind: "x".repeat(65), ..good() }),
            (InvalidNotification::Text, NewNotification { text: String::new(), ..good() }),
            (InvalidNotification::Text, NewNotification { text: "x".repeat(1001), ..good() }),
            (InvalidNotification::Data, NewNotification { data: json!("x".repeat(4096)), ..good() }),
        ] {
            assert_eq!(news.check(), Err(wrong));
        }
    }
}
