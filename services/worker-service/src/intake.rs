//! Takes submitted jobs from the bus into the store.

use std::convert::Infallible;
use std::sync::Arc;

use common::jobs::{InsertOutcome, JobBus, JobStore, NewJob, Submission};
use common::{Causes, Clock, PortError, PortResult};
use futures_util::future::join_all;
use metrics::counter;
use runtime::crash_point;
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::BuiltInJobs;
use crate::work::Bells;

/// Submissions in one commit.
const BATCH: usize = 200;

/// Inserts what is submitted, then acknowledges it, then rings for it.
pub(crate) struct Intake {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) bus: Arc<dyn JobBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bells: Bells,
    /// How jobs of built-in types are tried.
    pub(crate) jobs: BuiltInJobs,
}

impl Intake {
    /// Works until `stop` is cancelled. When the bus breaks, subscribes again.
    ///
    /// What was taken and not acknowledged comes again, so this may be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let work = async {
            let mut delay = RetryDelay::default();
            loop {
                let Err(error) = self.consume(&mut delay).await;
                let wait = delay.next_delay();
                tracing::warn!(cause = %Causes(&error), ?wait, "cannot consume submitted jobs, subscribing again");
                sleep(wait).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn consume(&self, delay: &mut RetryDelay) -> PortResult<Infallible> {
        let mut submissions = self.bus.submissions().await?;
        loop {
            let mut batch = vec![submissions.next().await?];
            while batch.len() < BATCH
                && let Some(submission) = submissions.try_next()
            {
                batch.push(submission);
            }
            self.take(batch).await?;
            delay.reset();
        }
    }

    async fn take(&self, batch: Vec<Box<dyn Submission>>) -> PortResult<()> {
        crash_point("intake.before-insert");
        let jobs: Vec<NewJob> =
            batch.iter().map(|submission| self.jobs.apply(submission.job().clone())).collect();
        let mut delay = RetryDelay::default();
        let outcomes = loop {
            match self.insert(&jobs).await {
                Ok(outcomes) => break outcomes,
                // the batch is kept meanwhile: a bus without memory would lose it, and have to wait for the relay
                Err(error) => {
                    let wait = delay.next_delay();
                    tracing::warn!(cause = %Causes(&error), ?wait, "cannot store submitted jobs, trying again");
                    sleep(wait).await;
                }
            }
        };
        crash_point("intake.before-acknowledge");
        let of = |outcome: fn(&InsertOutcome) -> bool| {
            outcomes.iter().filter(|found| outcome(found)).count() as u64
        };
        counter!("fm_jobs_inserted_total").increment(of(|found| *found == InsertOutcome::Inserted));
        counter!("fm_jobs_known_total").increment(of(|found| *found == InsertOutcome::Known));
        counter!("fm_jobs_taken_total").increment(of(|found| matches!(found, InsertOutcome::Taken(_))));
        for acknowledged in join_all(batch.into_iter().map(Submission::acknowledge)).await {
            acknowledged?;
        }
        self.bells.ring_new(&jobs).await;
        Ok(())
    }

    /// All of it in one commit, if nothing is wrong with any of it.
    async fn insert(&self, jobs: &[NewJob]) -> PortResult<Vec<InsertOutcome>> {
        match self.store.insert(jobs, self.clock.now()).await {
            Err(PortError::Broken { .. }) => self.insert_singly(jobs).await,
            outcomes => outcomes,
        }
    }

    /// One of them cannot be stored. It must not hold up the others for ever; its producer's outbox keeps it, and goes on asking for it.
    async fn insert_singly(&self, jobs: &[NewJob]) -> PortResult<Vec<InsertOutcome>> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.store.insert(std::slice::from_ref(job), self.clock.now()).await {
                Ok(outcome) => outcomes.extend(outcome),
                Err(error @ PortError::Broken { .. }) => {
                    tracing::error!(job = %job.id, kind = job.kind, cause = %Causes(&error), "cannot store a submitted job");
                    counter!("fm_jobs_refused_total").increment(1);
                    outcomes.push(InsertOutcome::Known);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcomes)
    }
}
