//! Everything that can be set, with its default and its meaning.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use runtime::settings::{ByteSize, Doc, Span};
use runtime::telemetry::LogFormat;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Largest content that may stand in the database.
const MAX_INLINE_BYTES: u64 = 1024 * 1024;

/// The settings of the all-in-one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) internal_listen: Option<SocketAddr>,
    pub(crate) public_url: Option<String>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) trusted_proxies: String,
    pub(crate) registration: Registration,
    pub(crate) bcrypt_cost: u32,
    pub(crate) master_key: Option<String>,
    pub(crate) master_key_previous: Option<String>,
    pub(crate) log: Log,
    pub(crate) files: Files,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) mail: Mail,
    pub(crate) maintenance: Maintenance,
    pub(crate) stop: Stop,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registration {
    Auto,
    Open,
    Closed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Files {
    pub(crate) quota: Option<ByteSize>,
    pub(crate) max_upload: Option<ByteSize>,
    pub(crate) inline: ByteSize,
    pub(crate) keep_versions: u32,
    pub(crate) keep_trash: Span,
    pub(crate) keep_free: ByteSize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Thumbnails {
    pub(crate) processes: usize,
    pub(crate) timeout: Span,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SmtpTls {
    None,
    StartTls,
    Tls,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) smtp_host: Option<String>,
    pub(crate) smtp_port: Option<u16>,
    pub(crate) smtp_tls: SmtpTls,
    pub(crate) smtp_user: Option<String>,
    pub(crate) smtp_password: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Maintenance {
    pub(crate) every: Span,
    pub(crate) strays_every: Span,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stop {
    pub(crate) drain: Span,
    pub(crate) deadline: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: "./data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            internal_listen: None,
            public_url: None,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: String::new(),
            registration: Registration::Auto,
            bcrypt_cost: 12,
            master_key: None,
            master_key_previous: None,
            log: Log::default(),
            files: Files::default(),
            thumbnails: Thumbnails::default(),
            mail: Mail::default(),
            maintenance: Maintenance::default(),
            stop: Stop::default(),
        }
    }
}

impl Settings {
    /// Refuses values that are of the right type and still make no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let second = Duration::from_secs(1);
        for (setting, value, least) in [
            ("FM_FILES__KEEP_TRASH", self.files.keep_trash, 60 * second),
            ("FM_THUMBNAILS__TIMEOUT", self.thumbnails.timeout, second),
            ("FM_MAINTENANCE__EVERY", self.maintenance.every, second),
            ("FM_MAINTENANCE__STRAYS_EVERY", self.maintenance.strays_every, second),
            ("FM_STOP__DEADLINE", self.stop.deadline, second),
        ] {
            if value.duration() < least {
                let least = least.as_secs();
                return Err(Failure::setting(format!("{setting}: at least {least}s")));
            }
        }
        // each is held in memory whole, several times over, and grows the database that is backed up as one file
        if self.files.inline.bytes() > MAX_INLINE_BYTES {
            return Err(Failure::setting("FM_FILES__INLINE: at most 1MiB"));
        }
        Ok(())
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Default for Files {
    fn default() -> Self {
        Self {
            quota: None,
            max_upload: None,
            inline: ByteSize::from_kib(16),
            keep_versions: 50,
            keep_trash: Span::from_secs(30 * 24 * 3600),
            keep_free: ByteSize::from_mib(64),
        }
    }
}

impl Default for Thumbnails {
    fn default() -> Self {
        Self { processes: 0, timeout: Span::from_secs(60) }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            from: "Files Manager <files-manager@localhost>".to_owned(),
            smtp_host: None,
            smtp_port: None,
            smtp_tls: SmtpTls::StartTls,
            smtp_user: None,
            smtp_password: None,
        }
    }
}

impl Default for Maintenance {
    fn default() -> Self {
        Self { every: Span::from_secs(3600), strays_every: Span::from_secs(24 * 3600) }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { drain: Span::from_secs(2), deadline: Span::from_secs(30) }
    }
}

const fn doc(key: &'static str, text: &'static str) -> Doc {
    Doc { key, text }
}

/// What each key means.
pub(crate) const DOCS: &[Doc] = &[
    doc("data_dir", "Folder for everything that is kept. Made at the first start, for its owner alone."),
    doc("listen", "Address and port of the page and the API."),
    doc(
        "internal_listen",
        "Address and port for /metrics and /health, and nothing else; unset: only on the socket in the data folder.",
    ),
    doc(
        "public_url",
        "How people reach the product when it stands behind a proxy or under a name, such as https://files.example.org.",
    ),
    doc("tls_cert", "Certificate chain in PEM form; with tls_key the product speaks TLS itself."),
    doc("tls_key", "Private key in PEM form."),
    doc(
        "trusted_proxies",
        "Addresses or networks of proxies whose X-Forwarded-For counts, with commas between.",
    ),
    doc(
        "registration",
        "Who may register: open, closed, or auto, which is open only for this machine itself (a loopback address, no public_url, no proxy).",
    ),
    doc("bcrypt_cost", "Work of a password hash, 4 to 31; each step doubles it. 12 is about 0.3 s."),
    doc(
        "master_key",
        "64 hexadecimal digits under which secrets are sealed; unset: made at the first start in the data folder.",
    ),
    doc("master_key_previous", "The master key before, while it is being replaced."),
    doc("log.format", "text or json."),
    doc("log.level", "error, warn, info, debug or trace; also by module, such as info,file_service=debug."),
    doc("files.quota", "Most bytes that a new user's space may hold; unset: no limit."),
    doc("files.max_upload", "Largest file; unset: no limit but the room that there is."),
    doc(
        "files.inline",
        "Contents up to this size, at most 1MiB, stand in the database, which makes small uploads one commit.",
    ),
    doc("files.keep_versions", "How many old contents of a file are kept when it is replaced."),
    doc("files.keep_trash", "How long something stays in the trash before it is deleted; at least 60s."),
    doc(
        "files.keep_free",
        "Room that uploads leave on the disk, so that deleting still works when it is full.",
    ),
    doc(
        "thumbnails.processes",
        "Child processes that decode pictures at once; 0: one fewer than the machine has cores, at least one.",
    ),
    doc("thumbnails.timeout", "Longest time for one picture; at least 1s."),
    doc("mail.from", "Sender of mails."),
    doc(
        "mail.smtp_host",
        "Mail server; unset: mails are written as files into the folder mail of the data folder.",
    ),
    doc("mail.smtp_port", "Its port; unset: 587, or 465 for tls, or 25 for none."),
    doc("mail.smtp_tls", "starttls, tls or none."),
    doc("mail.smtp_user", "User at the mail server, if it wants one."),
    doc("mail.smtp_password", "Password at the mail server."),
    doc(
        "maintenance.every",
        "How often expired trash, deleted files and contents without references are looked for; at least 1s.",
    ),
    doc(
        "maintenance.strays_every",
        "How often the disk is listed for contents that belong to no file, as unfinished uploads leave them after a crash; at least 1s.",
    ),
    doc(
        "stop.drain",
        "How long, after a signal to stop, answers say Connection: close before connections are refused.",
    ),
    doc("stop.deadline", "How long running requests and jobs may take after that; at least 1s."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_documented() {
        runtime::settings::check_docs::<Settings>(DOCS).unwrap();
    }

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        let zero = Span::from_secs(0);
        let refusal = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::default();
            settings.check().unwrap();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert_eq!(refusal(&|all| all.maintenance.every = zero), "FM_MAINTENANCE__EVERY: at least 1s");
        assert_eq!(
            refusal(&|all| all.maintenance.strays_every = zero),
            "FM_MAINTENANCE__STRAYS_EVERY: at least 1s"
        );
        assert_eq!(refusal(&|all| all.thumbnails.timeout = zero), "FM_THUMBNAILS__TIMEOUT: at least 1s");
        assert_eq!(refusal(&|all| all.stop.deadline = zero), "FM_STOP__DEADLINE: at least 1s");
        assert_eq!(refusal(&|all| all.files.keep_trash = zero), "FM_FILES__KEEP_TRASH: at least 60s");
        assert_eq!(
            refusal(&|all| all.files.inline = ByteSize::from_mib(2)),
            "FM_FILES__INLINE: at most 1MiB"
        );
    }
}
