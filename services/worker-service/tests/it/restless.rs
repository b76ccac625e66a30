//! Events of a store that now fails, and now never comes to an end with what it does later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use common::jobs::{JobEventFilter, JobEventPage, JobEvents};
use common::{PortError, PortResult, Timestamp};
use store_sqlite::JobsDb;
use worker_service::{Parts, Registry, WorkerService};

use crate::support::World;

pub(crate) struct Restless {
    db: Arc<JobsDb>,
    /// While set, nothing can be read.
    pub(crate) fails: AtomicBool,
    /// How often nothing could be.
    pub(crate) failed: AtomicU32,
    /// While set, each call finds an event that has no place yet.
    pub(crate) never_done: AtomicBool,
}

impl Restless {
    pub(crate) fn over(world: &World) -> Arc<Self> {
        Arc::new(Self {
            db: Arc::clone(&world.store.db),
            fails: AtomicBool::new(false),
            failed: AtomicU32::new(0),
            never_done: AtomicBool::new(false),
        })
    }

    /// A service over it.
    pub(crate) fn service(self: &Arc<Self>, world: &World, registry: Registry) -> WorkerService {
        WorkerService::new(Parts { events: Arc::clone(self) as _, ..world.parts(registry) })
    }
}

#[async_trait]
impl JobEvents for Restless {
    async fn events_after(
        &self,
        after: u64,
        filter: &JobEventFilter,
        limit: u32,
    ) -> PortResult<JobEventPage> {
        if self.fails.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(PortError::unavailable("store", "the test says so"));
        }
        self.db.events_after(after, filter, limit).await
    }

    async fn last_event(&self) -> PortResult<u64> {
        self.db.last_event().await
    }

    async fn order_events(&self, limit: u32, now: Timestamp) -> PortResult<u32> {
        let ordered = self.db.order_events(limit, now).await?;
        Ok(ordered + u32::from(self.never_done.load(Ordering::SeqCst)))
    }

    async fn forget_events(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.db.forget_events(before, limit).await
    }
}
