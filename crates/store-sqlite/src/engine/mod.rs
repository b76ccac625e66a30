//! One SQLite file: a writer thread that commits waiting requests as a group, a few reader threads, migrations, checkpoints.

pub(crate) mod deadline;
mod error;
mod migrate;
mod options;
mod read;
mod tx;
mod write;

use std::path::Path;
use std::sync::Arc;

use common::{PortResult, idempotency};
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::keyed;

pub(crate) use error::{Abort, damaged, sql_error};
pub(crate) use migrate::Schema;
pub use options::OpenOptions;
pub(crate) use tx::{Tx, TxResult};
pub(crate) use write::{Line, Shared};

use read::Readers;
use write::Writer;

/// Whether an answer means "on the disk".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Synced before the answer.
    Durable,
    /// Visible at the answer, on the disk with the next durable commit or checkpoint. A crash may take it back, never anything before it.
    Relaxed,
}

/// The part that errors name.
pub(crate) const PART: &str = "store";

/// An open database file.
pub(crate) struct Engine {
    name: &'static str,
    writer: Writer,
    readers: Readers,
    bell: Arc<Notify>,
}

impl Engine {
    /// Opens or makes the file, brings its schema up to date, and starts the threads. Blocks.
    pub(crate) fn open(path: &Path, schema: &Schema, options: &OpenOptions) -> PortResult<Self> {
        let bell = Arc::new(Notify::new());
        // rows may have been left by the process before
        bell.notify_one();
        let writer_connection = options.open_writer(path, schema)?;
        let readers = Readers::start(schema.name, options.open_readers(path)?, options)?;
        let writer = Writer::start(schema.name, writer_connection, options, Arc::clone(&bell))?;
        Ok(Self { name: schema.name, writer, readers, bell })
    }

    /// What it holds.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs `work` in a transaction, alone or together with what else waits, and answers after the commit. What it does is undone if it
    /// fails. Once this future was polled the work may be done even if the future is dropped. The first work under a key ([`idempotency`]) marks it.
    pub(crate) async fn write<T, R, F>(&self, durability: Durability, work: F) -> Result<T, R>
    where
        T: Send + 'static,
        R: From<common::PortError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> TxResult<T, R> + Send + 'static,
    {
        let Some(run) = idempotency::unmarked(self.name) else {
            return self.writer.submit(durability, work).await;
        };
        let of_work = run.clone();
        let marked = move |tx: &Tx<'_>| -> TxResult<T, R> {
            let value = work(tx)?;
            keyed::mark::<R>(tx, &of_work)?;
            Ok(value)
        };
        let value = self.writer.submit::<T, R, _>(durability, marked).await?;
        run.note_marked();
        Ok(value)
    }

    /// Where work of several callers is handed in. No key of a request is marked by it.
    pub(crate) fn line(&self) -> Line {
        self.writer.line()
    }

    /// Runs `work` on a reader connection. Several statements see one state only inside a transaction that `work` begins.
    pub(crate) async fn read<T, F>(&self, work: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> TxResult<T, common::PortError> + Send + 'static,
    {
        self.readers.submit(work).await
    }

    /// Rings after each commit that brought rows into the outbox, and once at the start.
    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }

    /// Writes and reads one row.
    pub(crate) async fn ping(&self) -> PortResult<()> {
        self.write(Durability::Relaxed, |tx| {
            tx.prepare_cached(
                "INSERT INTO meta (key, value) VALUES ('ping', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1",
            )?
            .execute([])?;
            Ok::<_, Abort<common::PortError>>(())
        })
        .await?;
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT 1 FROM meta WHERE key = 'ping'")?
                .query_row([], |_| Ok(()))?)
        })
        .await
    }

    /// Finishes what waits, moves the log into the file, and ends the threads. Later calls fail as unavailable. Blocks; safe to repeat.
    pub(crate) fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
pub(crate) mod steps;
#[cfg(test)]
mod tests;
