//! One folder that holds an installation, whatever its stores are: the way from one form of the product to the other.
//!
//! ```text
//! manifest.json     what belongs to it, with the hash of each file; the folder gets its name when all is there
//! accounts.ndjson … one record a line, in no order that means anything
//! blobs/ab/cdef…    contents by their keys; their sizes and hashes stand in contents.ndjson
//! ```
//!
//! Ids, hashes of passwords and tokens, links and counts are as they were. Secrets that are read again (of second factors and webhooks) are sealed under the
//! master key, which does not go along: whoever carries the folder carries the key some other way, and an import that cannot open what it would bring in
//! refuses to begin. Sessions, signing keys, codes that went by mail, keys of requests, uploads under way, exports of accounts, finished jobs and what is counted and
//! told of jobs stay behind; what is searched is read anew.

mod contents;
mod export;
mod folder;
mod import;
mod records;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use common::files::BlobStore;
use common::jobs::{JobAdmin, JobStore, ScheduleStore};
use common::notifications::NotificationStore;
use common::portable::{PortableAuth, PortableFiles, PortableJobs};
use common::webhooks::WebhookStore;
use common::{BlobKey, PortError, Sha256, Timestamp};
use serde::{Deserialize, Serialize};

use crate::held::HeldError;

pub use export::{Exported, export};
pub use import::{Import, Imported};

/// The version of the folder's form. Another one is refused.
const FORMAT: u32 = 1;

/// Records that are read and written at once.
const PAGE: u32 = 500;

/// Jobs and messages, which may be long, that are read and written at once.
const JOBS_PAGE: u32 = 20;

/// The files that every folder has.
const FILES: [&str; 26] = [
    "accounts.ndjson",
    "tokens.ndjson",
    "audit.ndjson",
    "invitations.ndjson",
    "groups.ndjson",
    "identities.ndjson",
    "contents.ndjson",
    "spaces.ndjson",
    "thumbnails.ndjson",
    "nodes.ndjson",
    "versions.ndjson",
    "shares.ndjson",
    "links.ndjson",
    "stars.ndjson",
    "events.ndjson",
    "operations.ndjson",
    "operation-parts.ndjson",
    "copies.ndjson",
    "copy-fronts.ndjson",
    "jobs.ndjson",
    "job-types.ndjson",
    "schedules.ndjson",
    "webhooks.ndjson",
    "webhooks-told.ndjson",
    "deliveries.ndjson",
    "notifications.ndjson",
];

/// What the check of the master key is sealed for.
const KEY_LABEL: &str = "portable";

/// What is sealed for that.
const KEY_TEXT: &[u8] = b"the master key of this folder";

/// The stores of an installation, which nobody else uses meanwhile.
pub struct Stores {
    auth: Arc<dyn PortableAuth>,
    files: Arc<dyn PortableFiles>,
    notifications: Arc<dyn PortableJobs>,
    jobs: Arc<dyn JobStore>,
    job_lists: Arc<dyn JobAdmin>,
    schedules: Arc<dyn ScheduleStore>,
    webhooks: Arc<dyn WebhookStore>,
    blobs: Arc<dyn BlobStore>,
}

impl Stores {
    /// The stores behind their ports.
    pub fn new<A, F, J>(auth: &Arc<A>, files: &Arc<F>, jobs: &Arc<J>, blobs: Arc<dyn BlobStore>) -> Self
    where
        A: PortableAuth + 'static,
        F: PortableFiles + 'static,
        J: PortableJobs + JobStore + JobAdmin + ScheduleStore + WebhookStore + NotificationStore + 'static,
    {
        Self {
            auth: auth.clone(),
            files: files.clone(),
            notifications: jobs.clone(),
            jobs: jobs.clone(),
            job_lists: jobs.clone(),
            schedules: jobs.clone(),
            webhooks: jobs.clone(),
            blobs,
        }
    }
}

/// A file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFacts {
    lines: u64,
    sha256: Sha256,
}

/// What a folder says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    /// [`FORMAT`].
    format: u32,
    /// Version of the product that wrote it.
    product: String,
    /// When that began.
    taken_at: Timestamp,
    /// [`KEY_TEXT`], sealed under the master key of the installation.
    #[serde(with = "hex::serde")]
    key_check: Vec<u8>,
    /// The files of records.
    files: BTreeMap<String, FileFacts>,
    /// Contents below `blobs`.
    contents: u64,
    /// Their bytes.
    content_bytes: u64,
    /// Contents that were damaged or missing, and are not below `blobs`.
    lost: Vec<BlobKey>,
}

/// Why a folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PortableError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A store cannot be read or written.
    #[error(transparent)]
    Store(#[from] PortError),
    /// A sentence for whoever typed the command: nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The folder is not what its manifest says.
    #[error("the folder is damaged: {0}")]
    Damaged(String),
}

impl From<HeldError> for PortableError {
    fn from(error: HeldError) -> Self {
        match error {
            HeldError::Io { path, source } => Self::Io { path, source },
            HeldError::Refused(text) => Self::Refused(text),
        }
    }
}

fn refused<T>(text: impl Into<String>) -> Result<T, PortableError> {
    Err(PortableError::Refused(text.into()))
}
