use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{PortError, PortResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate::{Schema, migrate};
use super::{PART, deadline, sql_error};

/// How a database is opened. The defaults fit a small server; memory is what they bound.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Reader threads, each with a connection.
    pub readers: usize,
    /// Most requests that wait for the writer, and as many for the readers; more callers wait at the door.
    pub queue: usize,
    /// Most requests in one commit.
    pub group: usize,
    /// Page cache of the writer in KiB. Pages come back from the system's cache in about a microsecond, so little is needed.
    pub writer_cache_kib: u32,
    /// Page cache of each reader in KiB.
    pub reader_cache_kib: u32,
    /// How long to wait for another process that holds the file, such as a backup.
    pub busy_timeout: Duration,
    /// How long the writer must have been idle before it moves the log into the file.
    pub quiet: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            readers: 2,
            queue: 1024,
            group: 128,
            writer_cache_kib: 2048,
            reader_cache_kib: 512,
            busy_timeout: Duration::from_secs(5),
            quiet: Duration::from_millis(500),
        }
    }
}

/// The log file is cut to this size when it starts over.
const JOURNAL_SIZE_LIMIT_BYTES: i64 = 16 << 20;

/// Statements kept prepared by each connection: more than any of the three databases has.
const STATEMENTS: usize = 160;

impl OpenOptions {
    pub(super) fn open_writer(&self, path: &Path, schema: &Schema) -> PortResult<Connection> {
        create_private(path).map_err(|error| PortError::unavailable(PART, error))?;
        let mut connection = self.open(path, self.writer_cache_kib)?;
        let setup = || -> rusqlite::Result<()> {
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
            connection
                .pragma_update_and_check(None, "journal_size_limit", JOURNAL_SIZE_LIMIT_BYTES, |_| Ok(()))
        };
        setup().map_err(sql_error)?;
        migrate(&mut connection, schema)?;
        sync_folder(path).map_err(|error| PortError::unavailable(PART, error))?;
        Ok(connection)
    }

    pub(super) fn open_readers(&self, path: &Path) -> PortResult<Vec<Connection>> {
        (0..self.readers.max(1))
            .map(|_| {
                let mut connection = self.open(path, self.reader_cache_kib)?;
                connection.pragma_update(None, "query_only", true).map_err(sql_error)?;
                deadline::heed(&mut connection).map_err(sql_error)?;
                Ok(connection)
            })
            .collect()
    }

    fn open(&self, path: &Path, cache_kib: u32) -> PortResult<Connection> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(
                path,
                OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            connection.busy_timeout(self.busy_timeout)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
            // the journal of savepoints is small and short-lived
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            // no reference between tables is enforced by SQLite: each is kept by the one statement that changes both sides,
            // and the model test counts them again
            connection.pragma_update(None, "foreign_keys", false)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            // else a statement that could use a partial index is compiled anew for each value that is bound to it
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            Ok(connection)
        };
        open().map_err(sql_error)
    }
}

/// Makes the file readable by its owner alone, before SQLite would make it with the process's mask. Log and shared memory follow its mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes the entry of a new file durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
