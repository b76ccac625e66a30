//! The administrator's command that looks whether what is stored hangs together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::check::{Check, Checked, check, report};
use async_trait::async_trait;
use common::files::internal::StepDone;
use common::{BlobKey, FileId, PortError, PortResult};
use file_service::{AppError, FileService};
use program::{Failure, ProgressLine};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use runtime::socket_path::internal_socket;
use store_sqlite::FilesDb;

use crate::parts;
use crate::settings::Settings;

/// The database of files in a data folder.
const DATABASE: &str = "files.db";
/// The folder of the copy that is looked at.
const COPY: &str = "check";

/// Checks a data folder that no process uses. Without `--repair` it works on a copy of the database, so that nothing is changed.
///
/// # Errors
/// A store that cannot be used.
pub(crate) async fn run(settings: &Settings, data: &DataDir, asked: Check) -> Result<Exit, Failure> {
    let copy =
        if asked.repair { None } else { Some(Duplicate::of(data.path()).map_err(|error| no_copy(&error))?) };
    let database =
        copy.as_ref().map_or_else(|| data.path().join(DATABASE), |copy| copy.folder.join(DATABASE));
    let socket = internal_socket(data)?;
    let parts = Box::pin(parts::assemble_over(settings, data, &socket, &database)).await?;
    let stored = Stored { files: parts.stores.files().clone(), service: parts.files.clone() };
    let line = ProgressLine::default();
    let show = |what: &str, percent: u8| line.show(|| format!("{what}: {percent} %"));
    let mut report = report();
    let done = check(asked, &stored, &mut report, &show).await;
    line.end();
    parts.files.finish_background().await;
    parts.stores.close();
    program::reported(&report, report.is_complete(), done, |_| false)
}

fn no_copy(error: &io::Error) -> Failure {
    Failure::other(
        Exit::DataFolder,
        format!("the database cannot be copied, to be checked without being changed: {error}"),
    )
}

/// Removes the copy of a check that was killed: it may be large.
///
/// # Errors
/// It cannot be removed.
pub(crate) fn remove_left_over(data: &Path) -> Result<(), Failure> {
    let copy = Duplicate { folder: data.join(COPY) };
    copy.remove().map_err(|error| {
        Failure::other(
            Exit::DataFolder,
            format!("{}, left over by a check, cannot be removed: {error}", copy.folder.display()),
        )
    })
}

/// A copy of the database of files, gone with the value.
struct Duplicate {
    folder: PathBuf,
}

impl Duplicate {
    /// Nobody writes to it: this process holds the data folder. The log that a process left behind which was killed is copied, too.
    fn of(data: &Path) -> io::Result<Self> {
        let copy = Self { folder: data.join(COPY) };
        copy.remove()?;
        fs::DirBuilder::new().create(&copy.folder)?;
        for name in [DATABASE, "files.db-wal"] {
            match fs::copy(data.join(name), copy.folder.join(name)) {
                // the log is not there where the last process ended as it should
                Err(error) if name == DATABASE || error.kind() != io::ErrorKind::NotFound => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(copy)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Duplicate {
    fn drop(&mut self) {
        // the next start or check removes what is left
        let _ = self.remove();
    }
}

struct Stored {
    files: Arc<FilesDb>,
    service: Arc<FileService>,
}

#[async_trait]
impl Checked for Stored {
    async fn loose_nodes(&self, after: Option<FileId>) -> PortResult<Vec<(FileId, String)>> {
        self.files.loose_nodes(after).await
    }

    async fn loose_contents(&self) -> PortResult<Vec<(FileId, BlobKey)>> {
        self.files.loose_contents().await
    }

    async fn adopt_node(&self, id: FileId) -> PortResult<Option<String>> {
        Ok(self.files.adopt_node(id).await?.map(|name| name.to_string()))
    }

    async fn step(&self, task: &'static str, cursor: Option<String>) -> PortResult<StepDone> {
        self.service.upkeep(task, cursor.as_deref()).await.map_err(|error| match error {
            AppError::Port(error) => error,
            error => PortError::broken("files", error),
        })
    }
}
