use std::time::Duration;

use common::auth::{Password, PasswordRules};
use http_kit::TrustedProxies;
use runtime::settings::{Doc, Span};
use serde::{Deserialize, Serialize};

use crate::app::limits::LimitRules;
use crate::oidc::ProviderSettings;

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everybody.
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Nobody.
    Closed,
    /// Whoever is on this machine: open only while the product listens on loopback alone, has no public address, and the request does not
    /// say that it came through a gateway.
    #[default]
    Auto,
}

/// How far users see one another when they look for somebody to share with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum People {
    /// Everybody finds everybody by the beginning of an address.
    All,
    /// Those who are in a group with the one who looks.
    #[default]
    Groups,
    /// Only somebody whose whole address is known.
    Exact,
}

/// Settings of administration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdministrationSection {
    /// How long lines of the audit log are kept.
    pub audit_retention: Span,
    /// How far users see one another.
    pub people: People,
}

impl Default for AdministrationSection {
    fn default() -> Self {
        Self { audit_retention: Span::from_millis(365 * 24 * 60 * 60 * 1000), people: People::default() }
    }
}

/// What the keys of [`AdministrationSection`] mean.
pub const ADMINISTRATION_DOCS: &[Doc] = &[
    Doc { key: "administration.audit_retention", text: "How long lines of the audit log are kept." },
    Doc {
        key: "administration.people",
        text: "How far users see one another when they look for somebody to share with: all, groups (those in a group with them), or exact (only whose whole address they know).",
    },
];

/// What can be set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Who may register.
    pub registration: Registration,
    /// The public listener is bound to a loopback address (or to a socket) and to nothing else.
    pub loopback_only: bool,
    /// A public address is configured, so a gateway stands in front.
    pub has_public_url: bool,
    /// That address; identity providers send people back to it.
    pub public_url: Option<String>,
    /// Identity providers.
    pub providers: Vec<ProviderSettings>,
    /// The gateways whose word on the client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// The audit log, and who sees whom.
    pub administration: AdministrationSection,
    /// How often somebody may try.
    pub limits: LimitRules,
    /// What holds for all accounts.
    pub accounts: AccountsSection,
}

/// Whether an address must be verified before its account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// It need not.
    #[default]
    Off,
    /// It must, by a code that goes there by mail. Only the first administrator, who had the set-up code, need not.
    Required,
}

/// Longest time that an account may wait to be deleted.
const LONGEST_GRACE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long an export is kept at least, and at most.
const KEEP_EXPORTS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60 * 60)..=Duration::from_secs(90 * 24 * 60 * 60);

/// `accounts`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsSection {
    /// Fewest characters of a new password.
    pub min_password: usize,
    /// Whether an address must be verified before its account can be used.
    pub verify: Verify,
    /// How long an account waits to be deleted after its owner asked for that.
    pub deletion_grace: Span,
    /// How long an export can be fetched.
    pub keep_exports: Span,
}

impl Default for AccountsSection {
    fn default() -> Self {
        let deletion_grace = Span::from_millis(14 * 24 * 60 * 60 * 1000);
        let keep_exports = Span::from_millis(7 * 24 * 60 * 60 * 1000);
        Self { min_password: Password::MIN_CHARS, verify: Verify::Off, deletion_grace, keep_exports }
    }
}

impl AccountsSection {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=64).contains(&self.min_password) {
            return Err("FM_ACCOUNTS__MIN_PASSWORD: 1 to 64".to_owned());
        }
        if self.deletion_grace.duration() > LONGEST_GRACE {
            return Err("FM_ACCOUNTS__DELETION_GRACE: at most a year".to_owned());
        }
        if !KEEP_EXPORTS.contains(&self.keep_exports.duration()) {
            return Err("FM_ACCOUNTS__KEEP_EXPORTS: 1h to 90d".to_owned());
        }
        Ok(())
    }

    /// What new passwords must be.
    pub fn password_rules(&self) -> PasswordRules {
        PasswordRules { min_chars: self.min_password }
    }
}

/// What the keys of auth-service mean, which stand at the top of the settings of every program that runs it.
pub const AUTH_DOCS: &[Doc] = &[
    Doc {
        key: "registration",
        text: "Who may register: open, invitation, closed, or auto, which is open only for this machine itself (a loopback address, no public_url, no proxy).",
    },
    Doc {
        key: "bcrypt_cost",
        text: "Work of a password hash, 4 to 31; each step doubles it. 12 is about 0.3 s.",
    },
    Doc {
        key: "accounts.min_password",
        text: "Fewest characters of a new password, 1 to 64. The classic sign-up takes any.",
    },
    Doc {
        key: "accounts.verify",
        text: "Whether people verify their address by a code that goes there before they can sign in: off, or required.",
    },
    Doc {
        key: "accounts.deletion_grace",
        text: "How long an account waits to be deleted after its owner asked for that, and can be kept by signing in; at most a year.",
    },
    Doc {
        key: "accounts.keep_exports",
        text: "How long the export of an account can be fetched after it was put together; 1h to 90d.",
    },
];

/// The proxies of the setting `trusted_proxies`.
///
/// # Errors
/// A sentence that names the setting.
pub fn trusted_proxies(setting: &str) -> Result<TrustedProxies, String> {
    let proxies = setting.split(',').map(str::trim).filter(|text| !text.is_empty());
    TrustedProxies::parse(proxies).map_err(|error| format!("FM_TRUSTED_PROXIES: {error}"))
}
