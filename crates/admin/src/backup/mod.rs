//! Backups of a data folder, taken while the product runs, and what comes back of them.
//!
//! A backup is a folder:
//!
//! ```text
//! manifest.json        which set is the backup, with the hash of each of its files; replaced by a rename, as the last thing that is done
//! sets/<time>/         databases, secrets/, format.json
//! blobs/ab/cdef…       contents, as below the data folder; kept from one run to the next, since contents never change
//! partial/             what had come of uploads under way
//! backup.lock tmp/     one run at a time; what is being copied
//! ```
//!
//! The databases are copied one after the other, those of accounts and files before that of jobs: a job is either still in the outbox of a copied
//! database, or in the one that is copied after it. Contents come last. Each that the copied database names was there when that was copied, and stays for
//! a day after nothing names it any more, which is how long the collector waits. Should it be gone all the same, the run was so long that
//! the databases are copied anew; what is copied by then is not copied again.

mod disk;
mod prune;
mod restore;
mod take;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use common::{BlobKey, PortError, PortResult, Sha256, Timestamp};
use serde::{Deserialize, Serialize};

use crate::held::HeldError;

pub use restore::{Restored, check_folders, holds_data, may_give, restore};
pub use take::{Options, Taken, take};

/// The version of the folder's form. Another one is refused.
const FORMAT: u32 = 1;

/// Contents that are asked for at once.
const PAGE: u32 = 1_000;

const MANIFEST: &str = "manifest.json";
const LOCK: &str = "backup.lock";
const SETS: &str = "sets";
const BLOBS: &str = "blobs";
const PARTIAL: &str = "partial";
const TEMPORARY: &str = "tmp";

/// What to do instead of a link to more room, in a data folder.
const MOUNTED: &str = "mount there what it leads to";
/// The same in a backup, where files are written beside their places.
const ON_ONE_DISK: &str = "keep the whole backup on that disk";

const SECRETS: &str = "secrets";
const STORE_ID: &str = "store-id";

/// The databases of a data folder. Calls block.
pub trait Databases: Send + Sync {
    /// Their file names, in the order in which they are to be copied.
    fn names(&self) -> &'static [&'static str];

    /// Writes one state of the database `source`, which the product may be using, to the new file `target`. That is for its owner alone, and not durable
    /// yet. A link in the place of `source` is not followed.
    ///
    /// # Errors
    /// `Unavailable` if there is no such database, or it cannot be read; `Full` without room.
    fn copy(&self, source: &Path, target: &Path) -> PortResult<()>;

    /// Opens the copy of the database that knows the contents. `name` is its file name.
    ///
    /// # Errors
    /// `Broken` if it is none, or one that this program does not know.
    fn contents(&self, folder: &Path) -> PortResult<Box<dyn Contents>>;
}

/// What a copied database says of the contents below `blobs`.
pub trait Contents {
    /// Which store it is: the mark of its contents.
    ///
    /// # Errors
    /// `Broken`.
    fn store_id(&self) -> PortResult<String>;

    /// Contents that something refers to, by ascending key, after `after`, at most `limit`.
    ///
    /// # Errors
    /// `Broken`.
    fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<Content>>;

    /// Uploads under way, in the same manner.
    ///
    /// # Errors
    /// `Broken`.
    fn list_uploads(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<UnderWay>>;
}

/// A content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Its name.
    pub key: BlobKey,
    /// Number of bytes.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
}

/// What has come of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// The name that its content will have.
    pub key: BlobKey,
    /// Number of bytes that its client was told of.
    pub size: u64,
    /// Whether all have come, and only a name is waited for.
    pub is_whole: bool,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    /// [`FORMAT`].
    format: u32,
    /// Version of the product that took it.
    product: String,
    /// Which installation it is of.
    store_id: String,
    /// When the first database was about to be copied.
    taken_at: Timestamp,
    /// The folder below `sets`.
    set: String,
    /// Its files, by their paths in it.
    files: BTreeMap<String, Sha256>,
    /// Contents below `blobs`.
    contents: u64,
    /// Their bytes.
    content_bytes: u64,
    /// Contents that are not as they were stored: damaged on the disk that they were copied from.
    damaged: Vec<BlobKey>,
    /// Contents that were not there, could not be read, or were refused: so may be uploads.
    missing: Vec<BlobKey>,
}

/// Why a backup cannot be taken or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A database cannot be copied or read.
    #[error(transparent)]
    Store(#[from] PortError),
    /// The folders are not what they must be; a sentence for whoever typed the command.
    #[error("{0}")]
    Refused(String),
    /// The backup is not what its manifest says.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
}

impl From<HeldError> for BackupError {
    fn from(error: HeldError) -> Self {
        match error {
            HeldError::Io { path, source } => Self::Io { path, source },
            HeldError::Refused(text) => Self::Refused(text),
        }
    }
}

fn refused<T>(text: impl Into<String>) -> Result<T, BackupError> {
    Err(BackupError::Refused(text.into()))
}

/// Names the file in an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + '_ {
    move |source| BackupError::Io { path: path.to_owned(), source }
}

/// All pages of a list, one after the other.
fn each<T>(
    mut page: impl FnMut(Option<BlobKey>, u32) -> PortResult<Vec<T>>,
    key: impl Fn(&T) -> BlobKey,
    mut work: impl FnMut(T) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut after = None;
    loop {
        let found = page(after, PAGE)?;
        let is_last = found.len() < PAGE as usize;
        after = found.last().map(&key);
        found.into_iter().try_for_each(&mut work)?;
        if is_last {
            return Ok(());
        }
    }
}

/// Where a content is below a folder of contents.
fn content_path(blobs: &Path, key: BlobKey) -> PathBuf {
    let name = key.to_string();
    let (folder, rest) = name.split_at(2);
    blobs.join(folder).join(rest)
}

impl Manifest {
    /// The one of a folder, if it has one.
    fn read(folder: &Path) -> Result<Option<Self>, BackupError> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let is_none = |error: serde_json::Error| {
            BackupError::Refused(format!("{} is no manifest of a backup: {error}", path.display()))
        };
        let Versioned { format } = serde_json::from_slice(&text).map_err(is_none)?;
        if format != FORMAT {
            return refused(format!(
                "the backup in {} has format {format}, and this program knows {FORMAT}: use the program that took it",
                folder.display()
            ));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(is_none)?;
        // they become paths
        let strange = |path: &str| path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if manifest.set.contains('/')
            || strange(&manifest.set)
            || manifest.files.keys().any(|path| strange(path))
        {
            return refused(format!("{} names files outside of the backup", path.display()));
        }
        Ok(Some(manifest))
    }
}
