//! `jobs.db`: all jobs, their order, and who works them.

mod arrive;
mod claim;
mod ending;
mod events;
mod history;
mod job;
mod joint;
mod list;
mod manage;
mod moves;
mod notifications;
mod portable;
mod ports;
mod remove;
mod schedules;
mod texts;
mod turns;
mod types;
mod webhooks;
mod work;

use std::path::Path;

use common::{PortError, PortResult};
use rusqlite::Connection;

use crate::engine::{Abort, Durability, Engine, OpenOptions, Schema, Tx};
use crate::keyed;

use joint::Arrivals;

pub(crate) const SCHEMA: Schema = Schema {
    name: "jobs",
    application_id: 0x464d_0003,
    migrations: &[
        include_str!("../../migrations/jobs/001.sql"),
        include_str!("../../migrations/jobs/002.sql"),
        include_str!("../../migrations/jobs/003.sql"),
        include_str!("../../migrations/jobs/004.sql"),
        include_str!("../../migrations/jobs/005.sql"),
        include_str!("../../migrations/jobs/006.sql"),
        include_str!("../../migrations/jobs/007.sql"),
        include_str!("../../migrations/jobs/008.sql"),
        include_str!("../../migrations/jobs/009.sql"),
        include_str!("../../migrations/jobs/010.sql"),
        include_str!("../../migrations/jobs/011.sql"),
    ],
};

/// The database of worker-service: a `JobStore` with everything that belongs to it.
pub struct JobsDb {
    engine: Engine,
    arrivals: Arrivals,
}

impl JobsDb {
    /// Opens or makes the file and brings it up to date. Blocks for as long as that takes.
    ///
    /// # Errors
    /// `Broken` if the file is another database, damaged, or written by a newer version; `Full` or `Unavailable` as the disk says.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> PortResult<Self> {
        let engine = Engine::open(path.as_ref(), &SCHEMA, options)?;
        let arrivals = Arrivals::new(engine.line());
        Ok(Self { engine, arrivals })
    }

    /// Ends the leases of jobs of these types, so that the next reaping takes them from their workers. Only for whoever knows that those ended:
    /// with a process before this one, since nobody else uses the file. Safe to repeat.
    ///
    /// # Errors
    /// As every call.
    pub async fn end_leases(&self, types: &[&str]) -> PortResult<()> {
        let types = serde_json::Value::from(types).to_string();
        self.engine
            .write(Durability::Relaxed, move |tx| {
                tx.prepare_cached(
                    "UPDATE jobs SET lease_until = 0
                     WHERE state = 1 AND type IN (SELECT value FROM json_each(?1))",
                )?
                .execute([&types])?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    /// Finishes what waits and closes the file; later calls are `Unavailable`. Blocks. Dropping does the same.
    pub fn close(&self) {
        self.engine.close();
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        self.engine
            .read(|connection| {
                // a list and its total are of one state
                connection.prepare_cached("BEGIN")?.execute([])?;
                let result = work(connection)?;
                connection.prepare_cached("COMMIT")?.execute([])?;
                Ok(result)
            })
            .await
    }

    async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        self.engine.write(durability, |tx| Ok(work(tx)?)).await
    }
}

keyed::impl_keyed!(JobsDb);

#[cfg(test)]
mod tests;
