use common::{PortError, PortResult};
use rusqlite::{Connection, TransactionBehavior};

use super::{PART, sql_error};

/// What a database file holds.
pub(crate) struct Schema {
    /// For threads, metrics and logs.
    pub(crate) name: &'static str,
    /// Written into the file's header, so that one file is not taken for another.
    pub(crate) application_id: i32,
    /// Steps from one version to the next, from an empty file on. Never changed once released.
    pub(crate) migrations: &'static [&'static str],
}

/// Brings a file to the newest version, one transaction for each step.
///
/// # Errors
/// `Broken` if the file holds something else, or was written by a newer version.
pub(super) fn migrate(connection: &mut Connection, schema: &Schema) -> PortResult<()> {
    let newest = schema.migrations.len() as u32;
    loop {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql_error)?;
        let version: u32 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql_error)?;
        let id: i32 =
            transaction.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sql_error)?;
        if version > 0 && id != schema.application_id {
            return Err(PortError::broken(PART, format!("this file is not the {} database", schema.name)));
        }
        if version > newest {
            return Err(PortError::broken(
                PART,
                format!("the {} database has version {version}, this program knows {newest}", schema.name),
            ));
        }
        let Some(step) = schema.migrations.get(version as usize) else { return Ok(()) };
        transaction.execute_batch(step).map_err(sql_error)?;
        transaction.pragma_update(None, "application_id", schema.application_id).map_err(sql_error)?;
        transaction.pragma_update(None, "user_version", version + 1).map_err(sql_error)?;
        transaction.commit().map_err(sql_error)?;
        tracing::info!(database = schema.name, version = version + 1, "database migrated");
    }
}
