use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use common::jobs::{Doorbells, JobBus, NewJob, Submission, Submissions};
use common::{PortError, PortResult};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};

/// Most jobs under way between relay and job store. A full bus makes the relay wait; the outbox holds the rest.
const CAPACITY: usize = 1024;

/// A [`JobBus`] within one process: a bounded channel. It forgets everything with the process; the outbox makes that harmless.
pub struct EmbeddedBus {
    jobs: mpsc::Sender<NewJob>,
    receiver: Arc<AsyncMutex<mpsc::Receiver<NewJob>>>,
    bells: Arc<Mutex<Vec<Arc<Bell>>>>,
}

/// The doorbell of one listener: types that were rung for and not yet heard.
#[derive(Default)]
struct Bell {
    rung: Mutex<BTreeSet<String>>,
    notify: Notify,
}

impl Default for EmbeddedBus {
    fn default() -> Self {
        let (jobs, receiver) = mpsc::channel(CAPACITY);
        Self { jobs, receiver: Arc::new(AsyncMutex::new(receiver)), bells: Arc::default() }
    }
}

#[async_trait]
impl JobBus for EmbeddedBus {
    async fn submit(&self, jobs: &[NewJob]) -> PortResult<()> {
        for job in jobs {
            let closed = |_| PortError::unavailable("bus", "the bus is closed");
            self.jobs.send(job.clone()).await.map_err(closed)?;
        }
        Ok(())
    }

    async fn submissions(&self) -> PortResult<Box<dyn Submissions>> {
        Ok(Box::new(EmbeddedSubmissions { receiver: Arc::clone(&self.receiver) }))
    }

    async fn ring(&self, types: &[String]) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in bells.iter() {
            bell.rung.lock().unwrap_or_else(PoisonError::into_inner).extend(types.iter().cloned());
            bell.notify.notify_one();
        }
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn doorbells(&self) -> PortResult<Box<dyn Doorbells>> {
        let bell = Arc::<Bell>::default();
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&bell));
        Ok(Box::new(EmbeddedDoorbells { bell, bells: Arc::clone(&self.bells) }))
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

struct EmbeddedSubmissions {
    receiver: Arc<AsyncMutex<mpsc::Receiver<NewJob>>>,
}

#[async_trait]
impl Submissions for EmbeddedSubmissions {
    async fn next(&mut self) -> PortResult<Box<dyn Submission>> {
        // consumers take turns: whoever waits first holds the lock, and a consumer that is dropped lets go of it
        let job = self.receiver.lock().await.recv().await;
        let job = job.ok_or_else(|| PortError::unavailable("bus", "the bus is closed"))?;
        Ok(Box::new(EmbeddedSubmission { job }))
    }

    fn try_next(&mut self) -> Option<Box<dyn Submission>> {
        let job = self.receiver.try_lock().ok()?.try_recv().ok()?;
        Some(Box::new(EmbeddedSubmission { job }))
    }
}

struct EmbeddedSubmission {
    job: NewJob,
}

#[async_trait]
impl Submission for EmbeddedSubmission {
    fn job(&self) -> &NewJob {
        &self.job
    }

    async fn acknowledge(self: Box<Self>) -> PortResult<()> {
        Ok(())
    }
}

struct EmbeddedDoorbells {
    bell: Arc<Bell>,
    bells: Arc<Mutex<Vec<Arc<Bell>>>>,
}

#[async_trait]
impl Doorbells for EmbeddedDoorbells {
    async fn next(&mut self) -> PortResult<String> {
        loop {
            let rung = self.bell.rung.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            match rung {
                Some(kind) => return Ok(kind),
                None => self.bell.notify.notified().await,
            }
        }
    }
}

impl Drop for EmbeddedDoorbells {
    fn drop(&mut self) {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
    }
}
