//! Telling programs and people what happened: events of jobs become messages to webhooks and notifications of users, those of files messages to webhooks.

mod deliver;
mod files;
mod message;
mod off;
mod reseal;
mod secret;
mod section;
mod tell;

use std::time::Duration;

pub(crate) use deliver::DeliverHandler;
pub(crate) use files::FileTeller;
pub(crate) use message::{delivery_job, ping};
pub(crate) use reseal::Resealer;
pub(crate) use secret::Secrets;
pub use section::{WEBHOOKS_DOCS, WebhooksSection};
pub(crate) use tell::Teller;

/// How messages to webhooks are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Messages sent at once by this process. Default 8.
    pub concurrency: usize,
    /// How often a message may be tried. Default 14.
    pub attempts: u32,
    /// How long to wait after the first attempt; twice as long each time. Default 10 s.
    pub first_pause: Duration,
    /// How long to wait at most. Default 6 h: with the others, a message is tried for 17 hours.
    pub longest_pause: Duration,
    /// Longest time that an attempt may be active. Default 5 minutes.
    pub ttl: Duration,
    /// How long a webhook may fail before it is switched off. Default 3 days.
    pub off_after: Duration,
    /// How long a secret that was replaced still signs. Default 1 day.
    pub keep_secret: Duration,
    /// How often it is looked what happened to files, while any webhook is told of it. Default 1 s.
    pub look_at_files: Duration,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            concurrency: 8,
            attempts: 14,
            first_pause: Duration::from_secs(10),
            longest_pause: 6 * HOUR,
            ttl: HOUR / 12,
            off_after: 72 * HOUR,
            keep_secret: 24 * HOUR,
            look_at_files: Duration::from_secs(1),
        }
    }
}

/// The beginning of a text, of whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
