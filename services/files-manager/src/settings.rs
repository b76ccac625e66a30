//! Everything that can be set, with its default and its meaning. The sections of the services are the services' own.

use std::net::SocketAddr;
use std::path::PathBuf;

use auth_service::{
    ADMINISTRATION_DOCS, AUTH_DOCS, AccountsSection, AdministrationSection, OIDC_DOCS, OidcSection,
    Registration,
};
use file_service::{FILES_DOCS, FilesSection};
use program::{Failure, LOG_DOCS, Log, STOP_DOCS, Stop};
use runtime::settings::Doc;
use serde::{Deserialize, Serialize};
use worker_service::{
    BuiltInJobs, CLAIMS_DOCS, ClaimsSection, JOBS_DOCS, JobsSection, MAIL_DOCS, MAINTENANCE_DOCS,
    MailSection, MaintenanceSection, THUMBNAILS_DOCS, ThumbnailsSection, WEBHOOKS_DOCS, WebhooksSection,
};

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
    pub(crate) accounts: AccountsSection,
    pub(crate) master_key: Option<String>,
    pub(crate) master_key_previous: Option<String>,
    pub(crate) log: Log,
    pub(crate) files: FilesSection,
    pub(crate) thumbnails: ThumbnailsSection,
    pub(crate) mail: MailSection,
    pub(crate) maintenance: MaintenanceSection,
    pub(crate) webhooks: WebhooksSection,
    pub(crate) jobs: JobsSection,
    pub(crate) claims: ClaimsSection,
    pub(crate) administration: AdministrationSection,
    pub(crate) oidc: OidcSection,
    pub(crate) stop: Stop,
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
            accounts: AccountsSection::default(),
            master_key: None,
            master_key_previous: None,
            log: Log::default(),
            files: FilesSection::default(),
            thumbnails: ThumbnailsSection::default(),
            mail: MailSection::default(),
            maintenance: MaintenanceSection::default(),
            webhooks: WebhooksSection::default(),
            jobs: JobsSection::new(),
            claims: ClaimsSection::default(),
            administration: AdministrationSection::default(),
            oidc: OidcSection::new(),
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
        self.accounts.check().map_err(Failure::setting)?;
        self.files.check().map_err(Failure::setting)?;
        self.thumbnails.check().map_err(Failure::setting)?;
        self.maintenance.check().map_err(Failure::setting)?;
        self.webhooks.check().map_err(Failure::setting)?;
        BuiltInJobs::of(&self.jobs).map_err(Failure::setting)?;
        self.claims.check().map_err(Failure::setting)?;
        self.stop.check()
    }
}

/// What each key means.
pub(crate) fn docs() -> Vec<Doc> {
    [
        OWN_DOCS,
        AUTH_DOCS,
        KEY_DOCS,
        LOG_DOCS,
        FILES_DOCS,
        THUMBNAILS_DOCS,
        MAIL_DOCS,
        MAINTENANCE_DOCS,
        WEBHOOKS_DOCS,
        JOBS_DOCS,
        CLAIMS_DOCS,
        ADMINISTRATION_DOCS,
        OIDC_DOCS,
        STOP_DOCS,
    ]
    .concat()
}

const OWN_DOCS: &[Doc] = &[
    Doc {
        key: "data_dir",
        text: "Folder for everything that is kept. Made at the first start, for its owner alone.",
    },
    Doc { key: "listen", text: "Address and port of the page and the API." },
    Doc {
        key: "internal_listen",
        text: "Address and port for /metrics and /health, and nothing else; unset: only on the socket in the data folder.",
    },
    Doc {
        key: "public_url",
        text: "How people reach the product when it stands behind a proxy or under a name, such as https://files.example.org.",
    },
    Doc {
        key: "tls_cert",
        text: "Certificate chain in PEM form; with tls_key the product speaks TLS itself.",
    },
    Doc { key: "tls_key", text: "Private key in PEM form." },
    Doc {
        key: "trusted_proxies",
        text: "Addresses or networks of proxies whose X-Forwarded-For counts, with commas between.",
    },
];

const KEY_DOCS: &[Doc] = &[
    Doc {
        key: "master_key",
        text: "64 hexadecimal digits under which secrets are sealed; unset: made at the first start in the data folder.",
    },
    Doc { key: "master_key_previous", text: "The master key before, while it is being replaced." },
];

#[cfg(test)]
mod tests {
    use runtime::settings::{ByteSize, Sources, Span};
    use worker_service::JobTypeSection;

    use super::*;

    #[test]
    fn types_of_jobs_are_set_in_the_environment() {
        let environment = [
            ("FM_JOBS__WEBHOOK_DELIVER__ATTEMPTS", "3"),
            ("FM_JOBS__THUMBNAILS__BACKOFF", "2s..1m"),
            ("FM_JOBS__THUMBNAILS__TIMEOUT", "90s"),
            ("FM_JOBS__THUMBNAILS__CONCURRENCY", "7"),
        ];
        let environment =
            environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let settings: Settings =
            runtime::settings::load(&docs(), &Sources { file: None, environment }).unwrap();
        settings.check().unwrap();
        assert_eq!(settings.jobs["webhook_deliver"].attempts, Some(3));
        let thumbnails = &settings.jobs["thumbnails"];
        let pauses = thumbnails.backoff.unwrap().to_string();
        assert_eq!(
            (&*pauses, thumbnails.timeout, thumbnails.concurrency),
            ("2s..1m", Some(Span::from_secs(90)), Some(7))
        );
        for (name, value) in [
            ("FM_JOBS__THUMBNAILS__ATTEMPTS", "many"),
            ("FM_JOBS__THUMBNAILS__BACKOFF", "soon"),
            ("FM_JOBS__THUMBNAILS__PAUSE", "1s"),
        ] {
            let environment = [(name.to_owned(), value.to_owned())].into();
            let wrong = runtime::settings::load::<Settings>(&docs(), &Sources { file: None, environment });
            let error = wrong.unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn every_setting_is_documented() {
        runtime::settings::check_docs::<Settings>(&docs()).unwrap();
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
        let attempts = |attempts| JobTypeSection { attempts: Some(attempts), ..JobTypeSection::default() };
        assert_eq!(
            refusal(&|all| {
                all.jobs.insert("thumbnails".to_owned(), attempts(0));
            }),
            "FM_JOBS__THUMBNAILS__ATTEMPTS: 1 to 1000"
        );
        let unknown = refusal(&|all| {
            all.jobs.insert("thumbnail".to_owned(), attempts(1));
        });
        assert!(unknown.starts_with("FM_JOBS__THUMBNAIL: there is no built-in type of jobs"), "{unknown}");
        assert_eq!(
            refusal(&|all| all.files.inline = ByteSize::from_mib(2)),
            "FM_FILES__INLINE: at most 1MiB"
        );
    }
}
