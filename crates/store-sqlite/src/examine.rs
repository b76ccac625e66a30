//! What can be said of a database file by reading it, also while the product runs.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::engine::Schema;

/// One of the three databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// Accounts.
    Auth,
    /// Files and folders.
    Files,
    /// Jobs.
    Jobs,
}

impl Database {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auth, Self::Files, Self::Jobs];

    /// The name of its file in the data folder.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Auth => "auth.db",
            Self::Files => "files.db",
            Self::Jobs => "jobs.db",
        }
    }

    fn schema(self) -> &'static Schema {
        match self {
            Self::Auth => &crate::auth::SCHEMA,
            Self::Files => &crate::files::SCHEMA,
            Self::Jobs => &crate::jobs::SCHEMA,
        }
    }
}

/// What a database file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examined {
    /// There is none.
    Absent,
    /// It can be used.
    Good {
        /// Version of its format. An older one is brought up to date at the next start.
        version: u32,
        /// What this program writes.
        newest: u32,
    },
    /// It has a format of a newer program.
    TooNew {
        /// Version of its format.
        version: u32,
        /// What this program knows.
        newest: u32,
    },
    /// It is something else, or does not hang together; some of what is wrong.
    Damaged(Vec<String>),
}

/// Reads a database of a data folder through. Changes nothing, and blocks for as long as that takes.
pub fn examine(folder: &Path, database: Database) -> Examined {
    let (path, schema) = (folder.join(database.file()), database.schema());
    if !path.exists() {
        return Examined::Absent;
    }
    examine_file(&path, schema).unwrap_or_else(|error| Examined::Damaged(vec![error.to_string()]))
}

fn examine_file(path: &Path, schema: &Schema) -> rusqlite::Result<Examined> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let newest = u32::try_from(schema.migrations.len()).unwrap_or(u32::MAX);
    if version > 0 && id != schema.application_id {
        return Ok(Examined::Damaged(vec![format!("this is not the {} database", schema.name)]));
    }
    if version > newest {
        return Ok(Examined::TooNew { version, newest });
    }
    let mut check = connection.prepare("PRAGMA quick_check(5)")?;
    let said: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if said == ["ok"] { Ok(Examined::Good { version, newest }) } else { Ok(Examined::Damaged(said)) }
}
