//! The sections `thumbnails`, `mail`, `maintenance` and `claims` of the settings of every program that runs the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::Causes;
use common::jobs::types;
use runtime::settings::{Doc, Span, at_least};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use thumbnails::PoolConfig;

use crate::mail::{self, FileMailer, MailSender, Sender, SmtpMailer, SmtpSettings};
use crate::settings::{Listeners, MaintenanceTask};

/// `thumbnails`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThumbnailsSection {
    /// Child processes that decode at once; 0 leaves it to the machine.
    pub processes: usize,
    /// Longest time for one picture.
    pub timeout: Span,
}

impl Default for ThumbnailsSection {
    fn default() -> Self {
        Self { processes: 0, timeout: Span::from_secs(60) }
    }
}

/// What the keys of [`ThumbnailsSection`] mean.
pub const THUMBNAILS_DOCS: &[Doc] = &[
    Doc {
        key: "thumbnails.processes",
        text: "Child processes that decode pictures at once; 0: one fewer than the machine has cores, at least one.",
    },
    Doc { key: "thumbnails.timeout", text: "Longest time for one picture; at least 1s." },
];

impl ThumbnailsSection {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        at_least("FM_THUMBNAILS__TIMEOUT", self.timeout, Duration::from_secs(1))
    }

    /// The pool of children by this section.
    pub fn pool(&self) -> PoolConfig {
        let usual = PoolConfig::default();
        let children = if self.processes == 0 { usual.children } else { self.processes };
        PoolConfig { children, timeout: self.timeout.duration(), ..usual }
    }
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Not at all.
    None,
    /// After a plain beginning.
    StartTls,
    /// From the start.
    Tls,
}

/// `mail`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailSection {
    /// Sender of mails.
    pub from: String,
    /// Folder for mails where there is no server.
    pub folder: Option<PathBuf>,
    /// Mail server.
    pub smtp_host: Option<String>,
    /// Its port.
    pub smtp_port: Option<u16>,
    /// How the connection is protected.
    pub smtp_tls: SmtpTls,
    /// User at the server.
    pub smtp_user: Option<String>,
    /// Password at the server.
    pub smtp_password: Option<String>,
}

impl Default for MailSection {
    fn default() -> Self {
        Self {
            from: "Files Manager <files-manager@localhost>".to_owned(),
            folder: None,
            smtp_host: None,
            smtp_port: None,
            smtp_tls: SmtpTls::StartTls,
            smtp_user: None,
            smtp_password: None,
        }
    }
}

/// What the keys of [`MailSection`] mean.
pub const MAIL_DOCS: &[Doc] = &[
    Doc { key: "mail.from", text: "Sender of mails." },
    Doc {
        key: "mail.folder",
        text: "Folder into which mails are written as files where there is no mail server; unset: mail in the data folder, or in the present one.",
    },
    Doc { key: "mail.smtp_host", text: "Mail server; unset: mails are written into mail.folder." },
    Doc { key: "mail.smtp_port", text: "Its port; unset: 587, or 465 for tls, or 25 for none." },
    Doc { key: "mail.smtp_tls", text: "starttls, tls or none." },
    Doc { key: "mail.smtp_user", text: "User at the mail server, if it wants one." },
    Doc { key: "mail.smtp_password", text: "Password at the mail server; empty: none." },
];

impl MailSection {
    /// The sender of mails by this section; `folder` is where they go if neither a server nor a folder is set.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn sender(&self, folder: PathBuf) -> Result<Arc<dyn MailSender>, String> {
        let sender: Sender = self.from.parse().map_err(|error| format!("FM_MAIL__FROM: {error}"))?;
        let Some(host) = self.smtp_host.clone() else {
            return Ok(Arc::new(FileMailer::new(self.folder.clone().unwrap_or(folder), sender)));
        };
        // an empty file is no password: a container's secret is always a file
        let password = self.smtp_password.as_ref().filter(|password| !password.is_empty());
        let login = match (&self.smtp_user, password) {
            (None, None) => None,
            (Some(user), Some(password)) => Some((user.clone(), SecretString::from(password.clone()))),
            (Some(_), None) => return Err("FM_MAIL__SMTP_PASSWORD: a user needs a password".to_owned()),
            (None, Some(_)) => return Err("FM_MAIL__SMTP_USER: a password needs its user".to_owned()),
        };
        // submission, submission with TLS from the start, and relay: RFC 6409, RFC 8314, RFC 5321
        let (tls, usual_port) = match self.smtp_tls {
            SmtpTls::None => (mail::SmtpTls::None, 25),
            SmtpTls::StartTls => (mail::SmtpTls::StartTls, 587),
            SmtpTls::Tls => (mail::SmtpTls::Tls, 465),
        };
        let port = self.smtp_port.unwrap_or(usual_port);
        let mailer = SmtpMailer::new(SmtpSettings { host, port, tls, login, sender })
            .map_err(|error| format!("FM_MAIL__SMTP_TLS: {}", Causes(&error)))?;
        Ok(Arc::new(mailer))
    }
}

/// `maintenance`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaintenanceSection {
    /// How often files' upkeep is done.
    pub every: Span,
    /// How often the blob store is listed for strays.
    pub strays_every: Span,
    /// How often all contents are read again.
    pub scrub_every: Span,
    /// How often counters are counted again.
    pub recount_every: Span,
}

const DAY_SECONDS: u64 = 24 * 3600;

impl Default for MaintenanceSection {
    fn default() -> Self {
        Self {
            every: Span::from_secs(3600),
            strays_every: Span::from_secs(DAY_SECONDS),
            scrub_every: Span::from_secs(30 * DAY_SECONDS),
            recount_every: Span::from_secs(7 * DAY_SECONDS),
        }
    }
}

/// What the keys of [`MaintenanceSection`] mean.
pub const MAINTENANCE_DOCS: &[Doc] = &[
    Doc {
        key: "maintenance.every",
        text: "How often expired trash, deleted files and contents without references are looked for; at least 1s, at most a year.",
    },
    Doc {
        key: "maintenance.strays_every",
        text: "How often the disk is listed for contents that belong to no file, as unfinished uploads leave them after a crash, and files are looked for that search does not find; at least 1s, at most a year.",
    },
    Doc {
        key: "maintenance.scrub_every",
        text: "How often all contents are read again and held against their checksums; at least 1s, at most a year.",
    },
    Doc {
        key: "maintenance.recount_every",
        text: "How often usage, folders' counts and references of contents are counted again; at least 1s, at most a year.",
    },
];

impl MaintenanceSection {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        for (setting, value) in [
            ("FM_MAINTENANCE__EVERY", self.every),
            ("FM_MAINTENANCE__STRAYS_EVERY", self.strays_every),
            ("FM_MAINTENANCE__SCRUB_EVERY", self.scrub_every),
            ("FM_MAINTENANCE__RECOUNT_EVERY", self.recount_every),
        ] {
            at_least(setting, value, Duration::from_secs(1))?;
            // a job waits for its period in the store, which keeps none for longer than ten years
            if value.duration() > Duration::from_secs(366 * DAY_SECONDS) {
                return Err(format!("{setting}: at most 366d"));
            }
        }
        Ok(())
    }

    /// The tasks with their usual times, or sooner if this section says so.
    pub fn tasks(&self) -> Vec<MaintenanceTask> {
        let mut tasks = MaintenanceTask::defaults();
        for task in &mut tasks {
            task.every = match task.name {
                types::SWEEP_STRAYS | types::INDEX_FILES => self.strays_every.duration(),
                types::SCRUB_BLOBS => self.scrub_every.duration(),
                types::RECOUNT_USAGE => self.recount_every.duration(),
                _ => task.every.min(self.every.duration()),
            };
        }
        tasks
    }
}

/// `claims`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsSection {
    /// Claims of programs that may wait for jobs at once.
    pub waiting: usize,
    /// Those of one account.
    pub waiting_of_one: usize,
}

impl Default for ClaimsSection {
    fn default() -> Self {
        let usual = Listeners::default();
        Self { waiting: usual.waiting_claims, waiting_of_one: usual.waiting_claims_of_one }
    }
}

/// What the keys of [`ClaimsSection`] mean.
pub const CLAIMS_DOCS: &[Doc] = &[
    Doc {
        key: "claims.waiting",
        text: "Claims of programs that wait for jobs at once in one process, 1 to 100000; one more is 503. Each holds a connection open.",
    },
    Doc {
        key: "claims.waiting_of_one",
        text: "Those of one account, at least 1; one more is 429. A program needs one, however many jobs it works at once.",
    },
];

/// Most claims that wait.
const MOST_WAITING: usize = 100_000;

impl ClaimsSection {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        for (setting, value) in
            [("FM_CLAIMS__WAITING", self.waiting), ("FM_CLAIMS__WAITING_OF_ONE", self.waiting_of_one)]
        {
            if !(1..=MOST_WAITING).contains(&value) {
                return Err(format!("{setting}: 1 to {MOST_WAITING}"));
            }
        }
        Ok(())
    }

    /// Who may wait by this section.
    pub fn listeners(&self) -> Listeners {
        let Self { waiting, waiting_of_one } = *self;
        Listeners { waiting_claims: waiting, waiting_claims_of_one: waiting_of_one, ..Listeners::default() }
    }
}
