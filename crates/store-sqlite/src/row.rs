//! How domain values are kept in columns: ids as blobs, times as milliseconds, counts as 64-bit integers.

use common::Timestamp;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Row};

use crate::engine::damaged;

/// Typed columns of a row.
pub(crate) trait RowExt {
    /// An id of any kind: its bytes.
    fn id<T: TryFromBytes>(&self, column: usize) -> rusqlite::Result<T>;
    /// An id, or none.
    fn id_opt<T: TryFromBytes>(&self, column: usize) -> rusqlite::Result<Option<T>>;
    /// A time.
    fn time(&self, column: usize) -> rusqlite::Result<Timestamp>;
    /// A time, or none.
    fn time_opt(&self, column: usize) -> rusqlite::Result<Option<Timestamp>>;
    /// A count.
    fn count(&self, column: usize) -> rusqlite::Result<u64>;
    /// A value that a word stands for.
    fn word<T>(&self, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T>;
}

/// Ids and keys, by the bytes of their columns.
pub(crate) trait TryFromBytes: Sized {
    /// None if they are not so many.
    fn try_from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl<T> TryFromBytes for T
where
    T: for<'b> TryFrom<&'b [u8], Error = common::InvalidId>,
{
    fn try_from_bytes(bytes: &[u8]) -> Option<Self> {
        T::try_from(bytes).ok()
    }
}

fn read<T: TryFromBytes>(bytes: &[u8]) -> rusqlite::Result<T> {
    T::try_from_bytes(bytes).ok_or_else(|| damaged("an id of another length"))
}

impl RowExt for Row<'_> {
    fn id<T: TryFromBytes>(&self, column: usize) -> rusqlite::Result<T> {
        read(self.get_ref(column)?.as_blob()?)
    }

    fn id_opt<T: TryFromBytes>(&self, column: usize) -> rusqlite::Result<Option<T>> {
        self.get_ref(column)?.as_blob_or_null()?.map(read).transpose()
    }

    fn time(&self, column: usize) -> rusqlite::Result<Timestamp> {
        Ok(Timestamp::from_millis(self.get(column)?))
    }

    fn time_opt(&self, column: usize) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
    }

    fn count(&self, column: usize) -> rusqlite::Result<u64> {
        u64::try_from(i64::column_result(self.get_ref(column)?)?).map_err(|_| damaged("a negative count"))
    }

    fn word<T>(&self, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
        parse(self.get_ref(column)?.as_str()?).ok_or_else(|| damaged("an unknown word"))
    }
}

/// Whether a table has a row with this id.
pub(crate) fn is_there(connection: &Connection, table: &str, id: &[u8; 12]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE id = ?1)"))?
        .query_row([id], |row| row.get(0))
}

/// A count as SQLite keeps it. Nothing that is counted comes near 2^63.
pub(crate) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
