//! Everything that can be set.

use std::path::PathBuf;

use blob::CreateOnly;
use distributed::{Common, with_common_docs};
use file_service::{FILES_DOCS, FilesSection};
use runtime::settings::Doc;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    #[serde(flatten)]
    pub(crate) common: Common,
    pub(crate) blob_url: Option<String>,
    pub(crate) delivery: Sender,
    pub(crate) s3: S3,
    pub(crate) files: FilesSection,
    pub(crate) bcrypt_cost: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            common: Common::default(),
            blob_url: None,
            delivery: Sender::default(),
            s3: S3::default(),
            files: FilesSection::default(),
            bcrypt_cost: 12,
        }
    }
}

/// Who sends contents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sender {
    #[default]
    Service,
    Gateway,
}

/// How a key is kept from being written twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Create {
    #[default]
    Conditional,
    Look,
}

impl From<Create> for CreateOnly {
    fn from(create: Create) -> Self {
        match create {
            Create::Conditional => Self::Conditional,
            Create::Look => Self::LookFirst,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3 {
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) allow_http: bool,
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
    pub(crate) path_style: bool,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) create: Create,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            allow_http: false,
            access_key: None,
            secret_key: None,
            path_style: true,
            root_certificates: None,
            create: Create::default(),
        }
    }
}

const OWN_DOCS: &[Doc] = &[
    Doc {
        key: "blob_url",
        text: "Where contents are: file:///folder on a disk that all replicas and the gateway share, or s3://bucket/prefix.",
    },
    Doc {
        key: "delivery",
        text: "Who sends contents: service, or gateway, which is told where they are (X-Accel-Redirect). The second only where people reach the service through the gateway alone.",
    },
    Doc {
        key: "bcrypt_cost",
        text: "How costly it is to hash the password of a link; each step doubles the time. 4 to 31.",
    },
    Doc { key: "s3.endpoint", text: "The S3 server, such as https://s3.example.org; unset: Amazon." },
    Doc { key: "s3.region", text: "Its region; unset: us-east-1." },
    Doc { key: "s3.allow_http", text: "true accepts an endpoint without TLS, on a trusted network." },
    Doc { key: "s3.access_key", text: "Name of the key; unset: what AWS_… variables or the machine say." },
    Doc { key: "s3.secret_key", text: "The key." },
    Doc {
        key: "s3.path_style",
        text: "false puts the bucket before the host of the endpoint, for servers that do not take it in the path. GATEWAY_S3_HOST names it then too.",
    },
    Doc {
        key: "s3.root_certificates",
        text: "File with certificates (PEM) of authorities that are trusted beside those of the system: of a server with a certificate of your own.",
    },
    Doc {
        key: "s3.create",
        text: "How a content is kept from being written twice: conditional, the server refuses it (If-None-Match: *); or look, for servers that cannot, such as Garage: it is looked for first.",
    },
];

/// What each key means.
pub(crate) fn docs() -> Vec<Doc> {
    with_common_docs(&[OWN_DOCS, FILES_DOCS])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use runtime::settings::Sources;

    use super::*;

    #[test]
    fn every_setting_is_documented_and_read_from_the_environment() {
        runtime::settings::check_docs::<Settings>(&docs()).unwrap();
        let environment = [
            ("FM_BLOB_URL", "file:///srv/blobs"),
            ("FM_DELIVERY", "gateway"),
            ("FM_S3__ALLOW_HTTP", "true"),
            ("FM_S3__PATH_STYLE", "false"),
            ("FM_S3__CREATE", "look"),
            ("FM_S3__ROOT_CERTIFICATES", "/etc/authority.pem"),
            ("FM_FILES__INLINE", "4KiB"),
        ];
        let environment: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings: Settings =
            runtime::settings::load(&docs(), &Sources { file: None, environment }).unwrap();
        assert_eq!(settings.blob_url.as_deref(), Some("file:///srv/blobs"));
        assert_eq!(settings.delivery, Sender::Gateway);
        assert!(settings.s3.allow_http && !settings.s3.path_style && S3::default().path_style);
        assert_eq!(CreateOnly::from(settings.s3.create), CreateOnly::LookFirst);
        assert_eq!(settings.s3.root_certificates, Some("/etc/authority.pem".into()));
        assert_eq!(settings.files.inline.bytes(), 4096);
    }
}
