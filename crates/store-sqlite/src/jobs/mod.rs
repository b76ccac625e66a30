//! `jobs.db`: all jobs, their order, and who works them.

mod arrive;
mod job;
mod list;
mod moves;
mod work;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use common::files::Page;
use common::jobs::{
    ClaimRequest, Claimed, FailOutcome, Failure, InsertOutcome, Job, JobCounts, JobFilter, JobState,
    JobStore, LeaseHolder, LostLease, NewJob,
};
use common::{JobId, PortError, PortResult, Timestamp, UserId};
use rusqlite::Connection;
use serde_json::Value;

use crate::engine::{Abort, Durability, Engine, OpenOptions, Schema, Tx};

const SCHEMA: Schema = Schema {
    name: "jobs",
    application_id: 0x464d_0003,
    migrations: &[
        include_str!("../../migrations/jobs/001.sql"),
        include_str!("../../migrations/jobs/002.sql"),
    ],
};

/// The database of worker-service: a [`JobStore`].
pub struct JobsDb {
    engine: Engine,
}

impl JobsDb {
    /// Opens or makes the file and brings it up to date. Blocks for as long as that takes.
    ///
    /// # Errors
    /// `Broken` if the file is another database, damaged, or written by a newer version; `Full` or `Unavailable` as the disk says.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> PortResult<Self> {
        Ok(Self { engine: Engine::open(path.as_ref(), &SCHEMA, options)? })
    }

    /// Ends the leases of workers of processes before this one, so that the next reaping takes their jobs from them. Only for whoever knows that
    /// nobody else uses the file. Safe to repeat.
    ///
    /// # Errors
    /// As every call.
    pub async fn end_leases(&self) -> PortResult<()> {
        self.engine
            .write(Durability::Relaxed, |tx| {
                tx.prepare_cached("UPDATE jobs SET lease_until = 0 WHERE state = 1")?.execute([])?;
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

#[async_trait]
impl JobStore for JobsDb {
    async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>> {
        let jobs = jobs.to_vec();
        self.write(Durability::Durable, move |tx| arrive::insert(tx, &jobs, now)).await
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> PortResult<Vec<Claimed>> {
        let request = request.clone();
        // lost by a crash, the job is claimed once more
        self.write(Durability::Relaxed, move |tx| work::claim(tx, &request, now)).await
    }

    async fn heartbeat(
        &self,
        holder: LeaseHolder,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Timestamp, LostLease> {
        self.engine.write(Durability::Relaxed, move |tx| work::heartbeat(tx, holder, lease, now)).await
    }

    async fn progress(&self, holder: LeaseHolder, percent: u8, now: Timestamp) -> Result<(), LostLease> {
        self.engine.write(Durability::Relaxed, move |tx| work::progress(tx, holder, percent, now)).await
    }

    async fn log(&self, job: JobId, line: &str, now: Timestamp) -> PortResult<()> {
        let line = line.to_owned();
        self.write(Durability::Relaxed, move |tx| arrive::log(tx, job, &line, now)).await
    }

    async fn list_log(&self, job: JobId) -> PortResult<Vec<(Timestamp, String)>> {
        self.read(move |connection| arrive::list_log(connection, job)).await
    }

    async fn complete(
        &self,
        holder: LeaseHolder,
        result: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        let result = result.cloned();
        self.engine
            .write(Durability::Durable, move |tx| work::complete(tx, holder, result.as_ref(), now))
            .await
    }

    async fn fail(
        &self,
        holder: LeaseHolder,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailOutcome, LostLease> {
        let failure = failure.clone();
        self.engine.write(Durability::Durable, move |tx| work::fail(tx, holder, &failure, now)).await
    }

    async fn give_back(&self, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
        // lost by a crash, the lease ends by itself
        self.engine.write(Durability::Relaxed, move |tx| work::give_back(tx, holder, now)).await
    }

    async fn promote_due(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        // lost by a crash, they are promoted again
        self.write(Durability::Relaxed, move |tx| arrive::promote_due(tx, limit, now)).await
    }

    async fn next_due(&self) -> PortResult<Option<Timestamp>> {
        self.read(arrive::next_due).await
    }

    async fn reap(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.write(Durability::Durable, move |tx| work::reap(tx, limit, now)).await
    }

    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        let ids = ids.to_vec();
        self.read(move |connection| arrive::known(connection, &ids)).await
    }

    async fn find(&self, id: JobId) -> PortResult<Option<Job>> {
        self.read(move |connection| job::find(connection, id)).await
    }

    async fn list(&self, filter: &JobFilter, after: Option<u64>, limit: u32) -> PortResult<Page<Job>> {
        let filter = filter.clone();
        self.read(move |connection| list::list(connection, &filter, after, limit)).await
    }

    async fn counts(&self, user: Option<UserId>) -> PortResult<JobCounts> {
        self.read(move |connection| list::counts(connection, user)).await
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> PortResult<Option<bool>> {
        self.write(Durability::Durable, move |tx| arrive::retry(tx, id, now)).await
    }

    async fn remove_finished(&self, state: JobState, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.write(Durability::Durable, move |tx| arrive::remove_finished(tx, state, before, limit)).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}

#[cfg(test)]
mod tests;
