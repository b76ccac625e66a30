//! A job store that tests can look into and disturb.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::jobs::{
    ClaimRequest, Claims, FailOutcome, Failure, InsertOutcome, Job, JobState, JobStore, LeaseHolder,
    LostLease, NewJob,
};
use common::{JobId, PortError, PortResult, Timestamp};
use serde_json::Value;
use store_sqlite::JobsDb;

pub(crate) struct Watched {
    pub(crate) db: Arc<JobsDb>,
    /// Heartbeats that were taken.
    pub(crate) heartbeats: AtomicU32,
    /// While set, heartbeats do not reach the store.
    pub(crate) no_heartbeats: AtomicBool,
    /// So many more calls of `insert` fail.
    pub(crate) failing_inserts: AtomicU32,
    /// While set, `insert` commits and never answers.
    pub(crate) silent_inserts: AtomicBool,
    /// Claims that gave nothing.
    pub(crate) empty_claims: AtomicU32,
    /// What another worker claims right after the next look at a job.
    pub(crate) claim_after_find: Mutex<Option<ClaimRequest>>,
    /// Why the next completions are not taken, the last one first.
    pub(crate) failing_completions: Mutex<Vec<PortError>>,
    /// Reports of completion, and whether each was taken.
    pub(crate) completions: Mutex<Vec<(LeaseHolder, bool)>>,
    /// Commits of `insert` by their number of jobs.
    pub(crate) inserts: Mutex<Vec<usize>>,
}

impl Watched {
    pub(crate) fn new(db: JobsDb) -> Self {
        Self {
            db: Arc::new(db),
            heartbeats: AtomicU32::new(0),
            no_heartbeats: AtomicBool::new(false),
            failing_inserts: AtomicU32::new(0),
            silent_inserts: AtomicBool::new(false),
            empty_claims: AtomicU32::new(0),
            claim_after_find: Mutex::default(),
            failing_completions: Mutex::default(),
            completions: Mutex::default(),
            inserts: Mutex::default(),
        }
    }
}

#[async_trait]
impl JobStore for Watched {
    async fn insert(&self, jobs: &[NewJob], now: Timestamp) -> PortResult<Vec<InsertOutcome>> {
        let fails = |left: u32| left.checked_sub(1);
        if self.failing_inserts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(PortError::unavailable("store", "the test says so"));
        }
        self.inserts.lock().unwrap().push(jobs.len());
        let outcomes = self.db.insert(jobs, now).await;
        if self.silent_inserts.load(Ordering::SeqCst) {
            std::future::pending().await
        }
        outcomes
    }

    async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> PortResult<Claims> {
        let claimed = self.db.claim(request, now).await?;
        if claimed.jobs.is_empty() {
            self.empty_claims.fetch_add(1, Ordering::SeqCst);
        }
        Ok(claimed)
    }

    async fn heartbeat(
        &self,
        holder: LeaseHolder,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Timestamp, LostLease> {
        if self.no_heartbeats.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("store", "the test says so").into());
        }
        let until = self.db.heartbeat(holder, lease, now).await?;
        self.heartbeats.fetch_add(1, Ordering::SeqCst);
        Ok(until)
    }

    async fn progress(
        &self,
        holder: LeaseHolder,
        percent: u8,
        data: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        self.db.progress(holder, percent, data, now).await
    }

    async fn log(&self, holder: LeaseHolder, line: &str, now: Timestamp) -> Result<(), LostLease> {
        self.db.log(holder, line, now).await
    }

    async fn list_log(&self, job: JobId) -> PortResult<Vec<(Timestamp, String)>> {
        self.db.list_log(job).await
    }

    async fn complete(
        &self,
        holder: LeaseHolder,
        result: Option<&Value>,
        now: Timestamp,
    ) -> Result<(), LostLease> {
        let fails = self.failing_completions.lock().unwrap().pop();
        if let Some(error) = fails {
            return Err(error.into());
        }
        let completed = self.db.complete(holder, result, now).await;
        self.completions.lock().unwrap().push((holder, completed.is_ok()));
        completed
    }

    async fn fail(
        &self,
        holder: LeaseHolder,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<FailOutcome, LostLease> {
        self.db.fail(holder, failure, now).await
    }

    async fn give_back(&self, holder: LeaseHolder, now: Timestamp) -> Result<(), LostLease> {
        self.db.give_back(holder, now).await
    }

    async fn promote_due(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.db.promote_due(limit, now).await
    }

    async fn next_due(&self) -> PortResult<Option<Timestamp>> {
        self.db.next_due().await
    }

    async fn reap(&self, limit: u32, now: Timestamp) -> PortResult<Vec<String>> {
        self.db.reap(limit, now).await
    }

    async fn known(&self, ids: &[JobId]) -> PortResult<Vec<JobId>> {
        self.db.known(ids).await
    }

    async fn find(&self, id: JobId) -> PortResult<Option<Job>> {
        let found = self.db.find(id).await;
        let claim = self.claim_after_find.lock().unwrap().take();
        if let (Some(claim), Ok(Some(job))) = (claim, &found) {
            self.db.claim(&claim, job.updated_at).await?;
        }
        found
    }

    async fn remove_finished(
        &self,
        state: JobState,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<u32> {
        self.db.remove_finished(state, before, limit, now).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.db.ping().await
    }
}
