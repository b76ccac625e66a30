//! The section `webhooks` of the settings of every program that runs the service.

use std::time::Duration;

use common::Causes;
use egress::{Allowed, Egress, Limits};
use runtime::settings::{Doc, Span, at_least};
use serde::{Deserialize, Serialize};

use super::WebhookSettings;

/// Bytes of an answer that are read: its status is what counts.
const BODY_BYTES: usize = 4096;
/// Longest time until there is a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest pauses and terms.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// `webhooks`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksSection {
    /// Private networks that webhooks may reach.
    pub allow_networks: String,
    /// Longest time for one request.
    pub timeout: Span,
    /// Messages sent at once.
    pub concurrency: usize,
    /// How often a message may be tried.
    pub attempts: u32,
    /// Pause after the first attempt.
    pub first_pause: Span,
    /// Longest pause between attempts.
    pub longest_pause: Span,
    /// How long a webhook may fail.
    pub off_after: Span,
}

impl Default for WebhooksSection {
    fn default() -> Self {
        let usual = WebhookSettings::default();
        let span = |time: Duration| Span::from_secs(time.as_secs());
        Self {
            allow_networks: String::new(),
            timeout: Span::from_secs(15),
            concurrency: usual.concurrency,
            attempts: usual.attempts,
            first_pause: span(usual.first_pause),
            longest_pause: span(usual.longest_pause),
            off_after: span(usual.off_after),
        }
    }
}

/// What the keys of [`WebhooksSection`] mean.
pub const WEBHOOKS_DOCS: &[Doc] = &[
    Doc {
        key: "webhooks.allow_networks",
        text: "Private addresses and networks that webhooks may reach, with commas between, such as 192.168.1.0/24; all others that are not on the Internet are refused.",
    },
    Doc {
        key: "webhooks.timeout",
        text: "Longest time for one request to a webhook; at least 1s, at most 60s.",
    },
    Doc {
        key: "webhooks.concurrency",
        text: "Messages to webhooks that one process sends at once; 1 to 1000.",
    },
    Doc { key: "webhooks.attempts", text: "How often a message to a webhook is tried; 1 to 100." },
    Doc {
        key: "webhooks.first_pause",
        text: "Pause after the first attempt that failed, and twice as long each time; at least 1s.",
    },
    Doc {
        key: "webhooks.longest_pause",
        text: "Longest pause between two attempts, also where the receiver's Retry-After wants a longer one; at least 1s.",
    },
    Doc {
        key: "webhooks.off_after",
        text: "How long all attempts of a webhook may fail before it is switched off; at least 60s.",
    },
];

impl WebhooksSection {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        self.allowed()?;
        at_least("FM_WEBHOOKS__TIMEOUT", self.timeout, Duration::from_secs(1))?;
        if self.timeout.duration() > Duration::from_secs(60) {
            return Err("FM_WEBHOOKS__TIMEOUT: at most 60s".to_owned());
        }
        if !(1..=1000).contains(&self.concurrency) {
            return Err("FM_WEBHOOKS__CONCURRENCY: 1 to 1000".to_owned());
        }
        if !(1..=100).contains(&self.attempts) {
            return Err("FM_WEBHOOKS__ATTEMPTS: 1 to 100".to_owned());
        }
        for (setting, value, least) in [
            ("FM_WEBHOOKS__FIRST_PAUSE", self.first_pause, 1),
            ("FM_WEBHOOKS__LONGEST_PAUSE", self.longest_pause, 1),
            ("FM_WEBHOOKS__OFF_AFTER", self.off_after, 60),
        ] {
            at_least(setting, value, Duration::from_secs(least))?;
            if value.duration() > LONGEST {
                return Err(format!("{setting}: at most 366d"));
            }
        }
        Ok(())
    }

    /// How messages are delivered, by this section.
    pub fn settings(&self) -> WebhookSettings {
        WebhookSettings {
            concurrency: self.concurrency,
            attempts: self.attempts,
            first_pause: self.first_pause.duration(),
            longest_pause: self.longest_pause.duration(),
            off_after: self.off_after.duration(),
            ..WebhookSettings::default()
        }
    }

    /// What sends them.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn egress(&self) -> Result<Egress, String> {
        let whole = self.timeout.duration();
        let limits = Limits { connect: CONNECT.min(whole), whole, body_bytes: BODY_BYTES };
        Egress::new(self.allowed()?, limits).map_err(|error| Causes(&error).to_string())
    }

    fn allowed(&self) -> Result<Allowed, String> {
        Allowed::parse(&self.allow_networks).map_err(|error| format!("FM_WEBHOOKS__ALLOW_NETWORKS: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        let refusal = |change: &dyn Fn(&mut WebhooksSection)| {
            let mut section = WebhooksSection::default();
            section.check().unwrap();
            assert_eq!(section.settings(), WebhookSettings::default());
            change(&mut section);
            section.check().unwrap_err()
        };
        assert_eq!(
            refusal(&|all| all.allow_networks = "home".to_owned()),
            "FM_WEBHOOKS__ALLOW_NETWORKS: `home` is neither an address nor a network such as 10.0.0.0/8"
        );
        assert_eq!(refusal(&|all| all.timeout = Span::from_secs(61)), "FM_WEBHOOKS__TIMEOUT: at most 60s");
        assert_eq!(refusal(&|all| all.concurrency = 0), "FM_WEBHOOKS__CONCURRENCY: 1 to 1000");
        assert_eq!(refusal(&|all| all.attempts = 0), "FM_WEBHOOKS__ATTEMPTS: 1 to 100");
        assert_eq!(
            refusal(&|all| all.off_after = Span::from_secs(1)),
            "FM_WEBHOOKS__OFF_AFTER: at least 60s"
        );
    }
}
