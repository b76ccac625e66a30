//! Everything that can be set.

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

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3 {
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) allow_http: bool,
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
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
            ("FM_FILES__INLINE", "4KiB"),
        ];
        let environment: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings: Settings =
            runtime::settings::load(&docs(), &Sources { file: None, environment }).unwrap();
        assert_eq!(settings.blob_url.as_deref(), Some("file:///srv/blobs"));
        assert_eq!(settings.delivery, Sender::Gateway);
        assert!(settings.s3.allow_http);
        assert_eq!(settings.files.inline.bytes(), 4096);
    }
}
