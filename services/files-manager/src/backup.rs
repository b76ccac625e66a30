//! Backups of the data folder, and what comes back of them.

use std::path::{Path, PathBuf};

use admin::backup::{self, BackupError, Content, Contents, Databases, Options, UnderWay};
use common::{BlobKey, PortError, PortResult};
use program::{Failure, say};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use store_sqlite::{Database, Examined, FilesCopy, copy_database, examine};

use crate::command_line::BackupCommand;
use crate::parts;
use crate::portable::refuse_of_others;
use crate::settings::Settings;

const FILES: &str = "files.db";

/// The databases of this form.
struct Sqlite;

impl Databases for Sqlite {
    fn names(&self) -> &'static [&'static str] {
        &["auth.db", FILES, "jobs.db"]
    }

    fn copy(&self, source: &Path, target: &Path) -> PortResult<()> {
        copy_database(source, target)?;
        // a damaged database must not take the place of the whole one that the backup before has
        let known = Database::ALL.into_iter().find(|database| target.ends_with(database.file()));
        let (Some(folder), Some(database)) = (target.parent(), known) else { return Ok(()) };
        let wrong = match examine(folder, database) {
            Examined::Good { .. } => return Ok(()),
            Examined::Absent => "it is not there".to_owned(),
            Examined::TooNew { version, .. } => {
                format!("it has format {version}, which this program does not know")
            }
            Examined::Damaged(problems) => problems.join("; "),
        };
        let text = format!("{}: {wrong}; the backup before stays as it was", database.file());
        Err(PortError::broken("backup", text))
    }

    fn contents(&self, folder: &Path) -> PortResult<Box<dyn Contents>> {
        Ok(Box::new(Copied(FilesCopy::open(&folder.join(FILES))?)))
    }
}

struct Copied(FilesCopy);

impl Contents for Copied {
    fn store_id(&self) -> PortResult<String> {
        self.0.store_id()
    }

    fn list(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<Content>> {
        let found = self.0.list_contents(after, limit)?.into_iter();
        Ok(found.map(|kept| Content { key: kept.key, size: kept.size, sha256: kept.sha256 }).collect())
    }

    fn list_uploads(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<UnderWay>> {
        let found = self.0.list_uploads(after, limit)?.into_iter();
        Ok(found.map(|kept| UnderWay { key: kept.key, size: kept.size, is_whole: kept.is_whole }).collect())
    }
}

/// Takes a backup, whether the product runs or not.
///
/// # Errors
/// A sentence; also, after all that could be kept was kept, if contents were damaged or missing.
pub(crate) fn take(settings: &Settings, asked: &BackupCommand) -> Result<Exit, Failure> {
    if DataDir::is_unfinished(&settings.data_dir)? {
        return Err(Failure::other(
            Exit::DataFolder,
            "the data folder is unfinished: a restore into it was cut",
        ));
    }
    let options = Options {
        data: &settings.data_dir,
        target: &asked.folder,
        links: asked.hard_links,
        verify: asked.verify,
        secrets: !asked.without_secrets,
        product: env!("CARGO_PKG_VERSION"),
        at: parts::clock().now(),
    };
    let taken = backup::take(&Sqlite, &options).map_err(|error| failure(&error))?;
    say(&format!(
        "backup complete: {} contents of {} bytes, {} of them copied now\n",
        taken.contents, taken.content_bytes, taken.copied
    ));
    if taken.damaged.is_empty() && taken.missing.is_empty() {
        return Ok(Exit::Stopped);
    }
    let refused = taken.refused.map(|why| format!(" or refused ({why})")).unwrap_or_default();
    Err(Failure::other(
        Exit::Failed,
        format!(
            "the backup is complete but for contents that the disk has lost: {} damaged, which are in it as they are, and {} missing{refused}; \
             its manifest.json names them, and the job scrub-blobs tells whose they are",
            taken.damaged.len(),
            taken.missing.len()
        ),
    ))
}

/// Fills the data folder from a backup.
///
/// # Errors
/// That the product runs, that the folder is not empty, or that the backup is damaged.
pub(crate) fn restore(settings: &Settings, source: &Path, skip_damaged: bool) -> Result<Exit, Failure> {
    // root gives all of it to the folder's owner in the end
    if !backup::may_give() {
        refuse_of_others(&settings.data_dir)?;
    }
    let (data, begins_again) = DataDir::open_to_fill(&settings.data_dir)?;
    let source: PathBuf = source
        .canonicalize()
        .map_err(|error| Failure::other(Exit::Usage, format!("{}: {error}", source.display())))?;
    if !begins_again {
        let holds = backup::holds_data(&Sqlite, &source, data.path()).map_err(|error| failure(&error))?;
        if holds {
            return Err(Failure::other(
                Exit::DataFolder,
                format!(
                    "the data folder {} is not empty: move it away, or set FM_DATA_DIR to another one",
                    data.path().display()
                ),
            ));
        }
    }
    backup::check_folders(&source, data.path()).map_err(|error| failure(&error))?;
    data.begin_filling("a restore")?;
    let restored = backup::restore(&Sqlite, &source, data.path(), begins_again, skip_damaged)
        .map_err(|error| failure(&error))?;
    data.end_filling()?;
    say(&format!(
        "restored the backup of {} (version {}): {} contents of {} bytes\n",
        restored.taken_at, restored.product, restored.contents, restored.content_bytes
    ));
    if let Some(account) = restored.given_to {
        say(&format!("all of it was given to the account {account}, to which the data folder belongs\n"));
    }
    if restored.lost > 0 {
        say(&format!("{} contents were damaged or missing when it was taken\n", restored.lost));
    }
    if !restored.has_secrets {
        say(
            "it has no secrets: give the product its master key (secrets/master-key, or FM_MASTER_KEY) before it starts\n",
        );
    }
    if restored.left_out.is_empty() {
        return Ok(Exit::Stopped);
    }
    let keys: Vec<String> = restored.left_out.iter().map(BlobKey::to_string).collect();
    Err(Failure::other(
        Exit::Failed,
        format!(
            "all is restored but for {} contents that the backup has lost: {}; the job scrub-blobs tells whose they are",
            keys.len(),
            keys.join(", ")
        ),
    ))
}

fn failure(error: &BackupError) -> Failure {
    let exit = match error {
        BackupError::Refused(_) => Exit::Usage,
        BackupError::Store(_) => Exit::Unavailable,
        BackupError::Io { .. } | BackupError::Damaged(_) => Exit::Failed,
    };
    Failure::new(exit, error)
}
