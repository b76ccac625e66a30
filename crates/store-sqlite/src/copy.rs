//! Copies of databases that are in use, and what a copy of `files.db` says of contents: for backups.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{BlobKey, PortError, PortResult, Sha256};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::engine::{PART, sql_error};
use crate::row::RowExt as _;
use crate::{auth, files, jobs};

/// How long the database's own process may keep a copy from beginning.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes one state of the database `source`, which another process may be using, to the new file `target`, which is for its owner alone. Nobody is kept
/// from reading or writing meanwhile; the log of the source is not cut until the end. The copy needs no log; it is not durable yet. Links may lead to
/// the folders, but none in the place of a file is followed: who copies for others is not led to what is closed to them. Blocks.
///
/// # Errors
/// `Unavailable` if there is no such database, if it is a link, if it cannot be read, or if `target` is there; `Broken` if it is none of this product's;
/// `Full` without room.
pub fn copy_database(source: &Path, target: &Path) -> PortResult<()> {
    let resolved = |path: &Path| without_links(path).map_err(|error| PortError::unavailable(PART, error));
    let (source, target) = (resolved(source)?, resolved(target)?);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let from = Connection::open_with_flags(&source, flags).map_err(sql_error)?;
    from.busy_timeout(PATIENCE).map_err(sql_error)?;
    if !is_ours(&from).map_err(sql_error)? {
        return Err(PortError::broken(PART, format!("{} is no database of this product", source.display())));
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&target)
        .map_err(|error| PortError::unavailable(PART, error))?;
    let copy = || -> rusqlite::Result<bool> {
        let mut to = Connection::open_with_flags(&target, flags)?;
        // whoever asked for the copy syncs it
        to.pragma_update(None, "synchronous", "OFF")?;
        // all pages in one step: writers of another process would have several steps begin again
        let step = Backup::new(&from, &mut to)?.step(-1)?;
        // the copy can be read where nothing can be written
        to.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        Ok(matches!(step, StepResult::Done))
    };
    match copy().map_err(sql_error)? {
        true => Ok(()),
        false => Err(PortError::unavailable(PART, "the database is held by another process")),
    }
}

/// Whether it is one of the three, and more than an empty file.
fn is_ours(database: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = database.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let ours = [auth::SCHEMA.application_id, files::SCHEMA.application_id, jobs::SCHEMA.application_id];
    Ok(version > 0 && ours.contains(&id))
}

/// The path with links to its folder resolved: SQLite refuses those, too.
fn without_links(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(folder.canonicalize()?.join(name))
}

/// A content that something refers to, outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptContent {
    /// Its name.
    pub key: BlobKey,
    /// Number of bytes.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
}

/// An upload under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptUpload {
    /// The name that its content will have.
    pub key: BlobKey,
    /// Number of bytes that are there.
    pub size: u64,
    /// Whether all are.
    pub is_whole: bool,
}

/// A copy of `files.db` that nobody writes to. Calls block.
pub struct FilesCopy {
    connection: Connection,
}

impl FilesCopy {
    /// Opens it, without changing anything.
    ///
    /// # Errors
    /// `Broken` if it is another database, or one of a version that this program does not know.
    pub fn open(path: &Path) -> PortResult<Self> {
        let open = || -> rusqlite::Result<(Connection, i32, u32)> {
            let connection = Connection::open_with_flags(
                path,
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            let id = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok((connection, id, version))
        };
        let (connection, id, version) = open().map_err(sql_error)?;
        if id != files::SCHEMA.application_id {
            return Err(PortError::broken(PART, "this file is not the files database"));
        }
        let newest = files::SCHEMA.migrations.len() as u32;
        // uploads under way have a table since version 3
        if !(3..=newest).contains(&version) {
            return Err(PortError::broken(
                PART,
                format!("the files database has version {version}, this program knows 3 to {newest}"),
            ));
        }
        Ok(Self { connection })
    }

    /// The store's id.
    ///
    /// # Errors
    /// `Broken` if the file is damaged, as all calls.
    pub fn store_id(&self) -> PortResult<String> {
        self.connection
            .query_row("SELECT value FROM meta WHERE key = 'store_id'", [], |row| row.get(0))
            .map_err(sql_error)
    }

    /// Contents outside of the database that something refers to, by ascending key.
    ///
    /// # Errors
    /// As [`FilesCopy::store_id`].
    pub fn list_contents(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<KeptContent>> {
        let list = || -> rusqlite::Result<Vec<_>> {
            self.connection
                .prepare_cached(
                    "SELECT key, size, sha256 FROM blobs
                     WHERE key > ?1 AND inline_id IS NULL AND condemned_at IS NULL ORDER BY key LIMIT ?2",
                )?
                .query_map((start(after), limit), |row| {
                    Ok(KeptContent { key: row.id(0)?, size: row.count(1)?, sha256: Sha256(row.get(2)?) })
                })?
                .collect()
        };
        list().map_err(sql_error)
    }

    /// Uploads of which bytes have come, by ascending key of their content.
    ///
    /// # Errors
    /// As [`FilesCopy::store_id`].
    pub fn list_uploads(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<KeptUpload>> {
        let list = || -> rusqlite::Result<Vec<_>> {
            self.connection
                .prepare_cached(
                    "SELECT blob, size, state = 'complete' FROM uploads
                     WHERE blob > ?1 AND state <> 'done' AND size > 0 ORDER BY blob LIMIT ?2",
                )?
                .query_map((start(after), limit), |row| {
                    Ok(KeptUpload { key: row.id(0)?, size: row.count(1)?, is_whole: row.get(2)? })
                })?
                .collect()
        };
        list().map_err(sql_error)
    }
}

/// The smallest key is below any that was ever made.
fn start(after: Option<BlobKey>) -> [u8; 16] {
    after.map_or([0; 16], |key| *key.bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn database(path: &Path, application: i32, version: u32) {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "application_id", application).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
    }

    #[test]
    fn a_database_that_a_link_leads_to_or_that_is_somebody_elses_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        database(&path("real.db"), files::SCHEMA.application_id, 1);
        symlink(path("real.db"), path("link.db")).unwrap();
        let copied = copy_database(&path("link.db"), &path("copy.db"));
        assert!(matches!(copied, Err(PortError::Unavailable { .. })), "{copied:?}");
        for (name, application, version) in
            [("empty.db", 0, 0), ("theirs.db", 7, 0), ("other.db", 7, 3), ("begun.db", 0x464d_0002, 0)]
        {
            database(&path(name), application, version);
            let copied = copy_database(&path(name), &path("copy.db"));
            assert!(matches!(copied, Err(PortError::Broken { .. })), "{name}: {copied:?}");
        }
        assert!(!path("copy.db").exists());
        // a link to the folder is another thing: `FM_DATA_DIR` may be one
        symlink(folder.path(), path("folder")).unwrap();
        copy_database(&path("folder/real.db"), &path("folder/copy.db")).unwrap();
        assert!(path("copy.db").exists());
    }
}
