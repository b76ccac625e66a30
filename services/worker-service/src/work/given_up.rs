use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::jobs::{ChangeJobError, Job, JobChange, JobFilter, JobOrder, JobState};
use common::{Causes, JobId, PortError, PortResult, Timestamp};
use runtime::retry::RetryDelay;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Bells, Ending, HandlerError, JobHandler, Registry};
use crate::Parts;

/// Jobs that ended longer ago than this are not looked at again.
const HORIZON: Duration = Duration::from_secs(7 * 24 * 3600);
/// Jobs that the store got longer ago than this are looked at more rarely: most end soon after they came.
const RECENT: Duration = Duration::from_secs(24 * 3600);
/// Of so many looks that nobody asked for, one sees the older ones, too.
const LOOKS: u32 = 60;
/// Jobs in one page of a look.
const PAGE: u32 = 200;
/// Longest pause between looks while handlers cannot be told.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Ends that are remembered, so that no look tells of them again.
const MOST_REMEMBERED: usize = 100_000;
/// How often a job that is to be removed may change meanwhile.
const RACES: u32 = 5;

/// Sees to it that handlers learn of their jobs that end without being done: those that failed for good, were called off, or are to be removed.
///
/// The state of the job, which is durable, is what says that its handler has to be told. It is told at once, or later when that fails, or when whoever should
/// have told it died: each process looks when it starts, when it is asked to, and from time to time, and so makes good what others left. A job whose handler
/// could not be told is not removed.
#[derive(Clone)]
pub(crate) struct GivenUp(Arc<Inner>);

struct Inner {
    registry: Registry,
    parts: Parts,
    bells: Bells,
    look: Notify,
    told: Mutex<HashSet<(JobId, Option<Timestamp>)>>,
}

impl GivenUp {
    /// For the handlers of this registry.
    pub(crate) fn new(registry: Registry, parts: &Parts, bells: Bells) -> Self {
        let parts = parts.clone();
        Self(Arc::new(Inner { registry, parts, bells, look: Notify::new(), told: Mutex::default() }))
    }

    /// Tells the handler now that a job of its has failed; what goes wrong is made good by a look.
    pub(super) async fn tell(&self, handler: &Arc<dyn JobHandler>, job: &Job, reason: &str) {
        if let Err(error) = handler.given_up(job, Ending::Failed(reason)).await {
            not_told(job, &error);
            self.look_again();
        }
    }

    /// Some job may have ended without its handler knowing.
    pub(crate) fn look_again(&self) {
        self.0.look.notify_one();
    }

    /// Calls a live job off: whoever works it stops, and its handler is told, now or by a look.
    ///
    /// # Errors
    /// Those of [`common::jobs::JobAdmin::change`].
    pub(crate) async fn call_off(&self, id: JobId) -> Result<Job, ChangeJobError> {
        let job = self.cancel(id, JobChange::Cancel).await?;
        if let Some(handler) = self.0.listener(&job)
            && let Err(error) = self.0.tell_once(handler, &job).await
        {
            not_told(&job, &error);
            self.look_again();
        }
        Ok(job)
    }

    async fn cancel(&self, id: JobId, cancel: JobChange) -> Result<Job, ChangeJobError> {
        let Parts { admin, clock, .. } = &self.0.parts;
        let job = admin.change(id, cancel, clock.now()).await?;
        self.0.bells.call_off(id);
        Ok(job)
    }

    /// Removes a job. Where a handler hears of ends, one that is not complete is called off first, and goes when the handler has been told: whoever dies in
    /// between leaves a job that is called off. One that is being worked is called off only if `force` says so.
    ///
    /// # Errors
    /// Those of [`common::jobs::JobAdmin::remove`]. If the handler cannot be told, the store's `Unavailable`: then the job is called off, and stays.
    pub(crate) async fn remove(&self, id: JobId, force: bool) -> Result<(), ChangeJobError> {
        let Parts { store, admin, clock, .. } = &self.0.parts;
        for _ in 0..RACES {
            let mut job = store.find(id).await?.ok_or(ChangeJobError::NotFound)?;
            let handler = self.0.listener(&job);
            if job.state == JobState::Active && !force {
                return Err(ChangeJobError::State(JobState::Active));
            }
            let is_waited_for = job.state.is_live() && handler.is_some();
            if job.state == JobState::Active || is_waited_for {
                // whoever has begun it since it was looked at keeps it
                let cancel = if force { JobChange::Cancel } else { JobChange::CancelIdle };
                job = match self.cancel(id, cancel).await {
                    Ok(job) => job,
                    // it ended, or was begun, meanwhile
                    Err(ChangeJobError::State(_)) => continue,
                    Err(error) => return Err(error),
                };
            }
            if let Some(handler) = handler.filter(|_| job.state != JobState::Complete)
                && let Err(error) = self.0.tell_once(handler, &job).await
            {
                not_told(&job, &error);
                self.look_again();
                return Err(PortError::unavailable(handler.kind(), error).into());
            }
            match admin.remove(id, clock.now()).await {
                // somebody had it tried again meanwhile
                Err(ChangeJobError::State(JobState::Active)) if force => {}
                removed => return removed,
            }
        }
        Err(ChangeJobError::State(JobState::Active))
    }

    /// Looks when it starts, since some process may have died over a job, whenever it is asked to, and from time to time.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let every = self.0.parts.settings.look_for_ends;
        let work = async {
            let mut delay = RetryDelay::up_to(LONGEST_PAUSE);
            let (mut whole, mut looks) = (true, 0);
            loop {
                match self.0.tell_all(whole).await {
                    Ok(true) => {
                        delay.reset();
                        let is_asked = timeout(every, self.0.look.notified()).await.is_ok();
                        looks = (looks + 1) % LOOKS;
                        whole = is_asked || looks == 0;
                    }
                    Ok(false) => sleep(delay.next_delay()).await,
                    Err(error) => {
                        tracing::warn!(cause = %Causes(&error), "cannot look for jobs that were given up");
                        sleep(delay.next_delay()).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }
}

impl Inner {
    /// The handler of a job, if it hears of ends.
    fn listener(&self, job: &Job) -> Option<&Arc<dyn JobHandler>> {
        self.registry.find(&job.spec.kind).filter(|handler| handler.hears_of_ends())
    }

    /// Tells a handler of an end, as the job says, and remembers it.
    async fn tell_once(&self, handler: &Arc<dyn JobHandler>, job: &Job) -> Result<(), HandlerError> {
        handler.given_up(job, Ending::of(job)).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST_REMEMBERED {
            told.clear();
        }
        told.insert(end(job));
        Ok(())
    }

    fn was_told(&self, job: &Job) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).contains(&end(job))
    }

    /// Tells the handlers of all ends that they may not know of, of the jobs that came lately or of all; false if one could not be told.
    async fn tell_all(&self, whole: bool) -> PortResult<bool> {
        let mut all_told = true;
        for handler in self.registry.iter().filter(|handler| handler.hears_of_ends()) {
            for state in [JobState::Failed, JobState::Cancelled] {
                all_told &= self.tell_of(handler, state, whole).await?;
            }
        }
        Ok(all_told)
    }

    async fn tell_of(&self, handler: &Arc<dyn JobHandler>, state: JobState, whole: bool) -> PortResult<bool> {
        let Parts { admin, clock, .. } = &self.parts;
        let now = clock.now();
        let filter =
            JobFilter { kind: Some(handler.kind().to_owned()), state: Some(state), ..JobFilter::default() };
        let (mut all_told, mut after) = (true, None);
        loop {
            let page = admin.list(&filter, JobOrder::Descending, after, PAGE).await?;
            for job in &page.items {
                if !whole && job.inserted_at < now - RECENT {
                    return Ok(all_told);
                }
                let is_old = job.finished_at.is_some_and(|at| at < now - HORIZON);
                if is_old || self.was_told(job) {
                    continue;
                }
                if let Err(error) = self.tell_once(handler, job).await {
                    not_told(job, &error);
                    all_told = false;
                }
            }
            after = page.items.last().map(|job| job.number);
            if !page.more {
                return Ok(all_told);
            }
        }
    }
}

/// Which end of which job: one that is tried again may end again.
fn end(job: &Job) -> (JobId, Option<Timestamp>) {
    (job.spec.id, job.finished_at)
}

fn not_told(job: &Job, error: &HandlerError) {
    tracing::warn!(job = %job.spec.id, cause = %error, "cannot tell the handler that its job was given up");
}
