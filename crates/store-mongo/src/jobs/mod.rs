//! The collections of worker-service: all jobs, their order, and who works them.
//!
//! The state of a job changes in its own document, on the condition of the state before: of any number of processes one succeeds. Only becoming ready
//! is a transaction, because it writes the line that claims look at as well.

mod arrive;
mod doc;
mod lines;
mod list;
mod log;
mod schema;
mod work;

use std::time::Duration;

use async_trait::async_trait;
use common::files::Page;
use common::jobs::{
    ClaimRequest, Claimed, FailOutcome, Failure, InsertOutcome, Job, JobCounts, JobFilter, JobState,
    JobStore, LeaseHolder, LostLease, NewJob,
};
use common::{JobId, PortResult, Timestamp, UserId};
use mongodb::bson::oid::ObjectId;
use serde_json::Value;

use crate::engine::{Engine, Mongo};

/// The store of worker-service: a [`JobStore`].
pub struct JobsDb {
    engine: Engine,
}

/// What the calls of one process do one after another, so that they meet only those of others.
#[derive(Clone, Copy)]
enum Turn {
    /// Making jobs ready.
    Ready = 1,
    /// Claiming.
    Claim,
    /// Reaping.
    Reap,
}

fn keys(turn: Turn) -> [ObjectId; 1] {
    [ObjectId::from_bytes([turn as u8; 12])]
}

impl JobsDb {
    /// Asks nothing of the server: the first call that reaches it brings the schema up to date.
    pub fn new(mongo: &Mongo) -> Self {
        Self { engine: Engine::new(mongo, &schema::SCHEMA) }
    }

    /// Brings the schema up to date, if that was not done; for programs to call when they start. Of several processes one does it, and the others wait.
    ///
    /// # Errors
    /// `Broken` if a newer major version was here, or the server knows no transactions; `Unavailable` if it does not answer.
    pub async fn migrate(&self) -> PortResult<()> {
        self.engine.migrate().await
    }
}

#[async_trait]
impl JobStore for JobsDb {
    async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>> {
        arrive::insert(&self.engine, jobs, now).await
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> PortResult<Vec<Claimed>> {
        self.engine
            .call(async {
                let _turn = self.engine.turn(&keys(Turn::Claim)).await;
                Ok(work::claim(&self.engine, request, now).await?)
            })
            .await
    }

    async fn heartbeat(
        &self,
        holder: LeaseHolder,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Timestamp, LostLease> {
        self.engine.call(work::heartbeat(&self.engine, holder, lease, now)).await
    }

    async fn progress(&self, holder: LeaseHolder, percent: u8, now: Timestamp) -> Result<(), LostLease> {
        self.engine.call(work::progress(&self.engine, holder, percent, now)).await
    }

    async fn log(&self, job: JobId, line: &str, now: Timestamp) -> PortResult<()> {
        self.engine.run(log::add(&self.engine, job, line, now)).await
    }

    async fn list_log(&self, job: JobId) -> PortResult<Vec<(Timestamp, String)>> {
        self.engine.run(log::list(&self.engine, job)).await
    }

    async fn complete(
        &self,
        holder: LeaseHolder,
        result: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        self.engine.call(work::complete(&self.engine, holder, result, now)).await
    }

    async fn fail(
        &self,
        holder: LeaseHolder,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailOutcome, LostLease> {
        self.engine.call(work::fail(&self.engine, holder, failure, now)).await
    }

    async fn give_back(&self, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
        work::give_back(&self.engine, holder, now).await
    }

    async fn promote_due(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        arrive::promote_due(&self.engine, limit, now).await
    }

    async fn next_due(&self) -> PortResult<Option<Timestamp>> {
        self.engine.run(arrive::next_due(&self.engine)).await
    }

    async fn reap(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.engine
            .call(async {
                let _turn = self.engine.turn(&keys(Turn::Reap)).await;
                Ok(work::reap(&self.engine, limit, now).await?)
            })
            .await
    }

    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        self.engine.run(arrive::known(&self.engine, ids)).await
    }

    async fn find(&self, id: JobId) -> PortResult<Option<Job>> {
        self.engine.run(doc::find(&self.engine, id)).await
    }

    async fn list(&self, filter: &JobFilter, after: Option<u64>, limit: u32) -> PortResult<Page<Job>> {
        self.engine.run(list::list(&self.engine, filter, after, limit)).await
    }

    async fn counts(&self, user: Option<UserId>) -> PortResult<JobCounts> {
        self.engine.run(list::counts(&self.engine, user)).await
    }

    async fn retry(&self, id: JobId, now: Timestamp) -> PortResult<Option<bool>> {
        arrive::retry(&self.engine, id, now).await
    }

    async fn remove_finished(&self, state: JobState, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(arrive::remove_finished(&self.engine, state, before, limit)).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.engine.ping().await
    }
}
