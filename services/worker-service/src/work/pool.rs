use std::sync::Arc;
use std::time::Duration;

use common::jobs::{ClaimRequest, Claims};
use common::{Causes, Timestamp};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use metrics::{counter, gauge};
use runtime::retry::RetryDelay;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::Bench;
use super::{Bells, Conclusion, GivenUp, JobHandler, Registry};
use crate::{BuiltInJobs, Parts};

/// Shortest wait for a rate limit.
const SHORTEST_LOOK: Duration = Duration::from_millis(5);

/// Claims and works jobs of all types of the registry.
pub(crate) struct Workers {
    bench: Bench,
    registry: Registry,
    worker: String,
    look_around: Duration,
    drain: Duration,
    jobs: BuiltInJobs,
}

impl Workers {
    pub(crate) fn new(parts: &Parts, registry: Registry, bells: Bells, given_up: GivenUp) -> Self {
        let Parts { settings, .. } = parts;
        let bench = Bench {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            bells,
            given_up,
            lease: settings.lease,
            interrupt: CancellationToken::new(),
        };
        Self {
            bench,
            registry,
            worker: settings.name.clone(),
            look_around: settings.look_around,
            drain: settings.drain,
            jobs: settings.jobs.clone(),
        }
    }

    /// Works until `stop` is cancelled; then claims nothing more, lets what runs finish for as long as the settings allow, and gives the rest back.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let interrupt = self.bench.interrupt.clone();
        let drained = CancellationToken::new();
        let deadline = async {
            stop.cancelled().await;
            tokio::select! {
                () = sleep(self.drain) => interrupt.cancel(),
                () = drained.cancelled() => {}
            }
        };
        let work = async {
            // of many types only the one that is woken is looked at
            let types: FuturesUnordered<_> =
                self.registry.iter().map(|handler| self.run_type(handler, &stop)).collect();
            types.collect::<()>().await;
            drained.cancel();
        };
        tokio::join!(deadline, work);
    }

    async fn run_type(&self, handler: &Arc<dyn JobHandler>, stop: &CancellationToken) {
        let kind = handler.kind();
        let places = self.jobs.concurrency(kind).unwrap_or_else(|| handler.concurrency()).max(1);
        let mut running: JoinSet<Conclusion> = JoinSet::new();
        let mut delay = RetryDelay::up_to(self.look_around);
        // whether there may be something to claim
        let mut more = true;
        let mut look = Instant::now() + self.look_around;
        loop {
            gauge!("fm_jobs_running", "type" => kind).set(running.len() as f64);
            let free = places - running.len();
            if more && free > 0 && !stop.is_cancelled() {
                match self.claim(handler, free, &mut running).await {
                    Ok((claimed, again_at)) => {
                        more = claimed == free;
                        delay.reset();
                        let until = again_at.map(|at| at.since(self.bench.clock.now()));
                        let until = until.map_or(self.look_around, |wait| wait.max(SHORTEST_LOOK));
                        look = Instant::now() + until.min(self.look_around);
                    }
                    Err(error) => {
                        more = false;
                        let wait = delay.next_delay();
                        tracing::warn!(kind, cause = %Causes(&error), ?wait, "cannot claim jobs");
                        look = Instant::now() + wait;
                    }
                }
                if more {
                    continue;
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = running.join_next() => {
                    note(kind, ended);
                    // jobs that shared a commit end together: their places are filled together too
                    tokio::task::yield_now().await;
                    while let Some(ended) = running.try_join_next() {
                        note(kind, ended);
                    }
                }
                () = self.bench.bells.heard(kind), if !more => more = true,
                () = sleep_until(look), if !more => more = true,
            }
        }
        while let Some(ended) = running.join_next().await {
            note(kind, ended);
        }
        gauge!("fm_jobs_running", "type" => kind).set(0.0);
    }

    /// Claims up to `free` jobs and sets them going; how many, and when a rate limit lets more through.
    async fn claim(
        &self,
        handler: &Arc<dyn JobHandler>,
        free: usize,
        running: &mut JoinSet<Conclusion>,
    ) -> common::PortResult<(usize, Option<Timestamp>)> {
        let request = ClaimRequest {
            types: vec![handler.kind().to_owned()],
            worker: self.worker.clone(),
            max: u32::try_from(free).unwrap_or(u32::MAX),
            lease: self.bench.lease,
        };
        let Claims { jobs, again_at } = self.bench.store.claim(&request, self.bench.clock.now()).await?;
        let count = jobs.len();
        if count > 0 {
            self.bench.bells.changed();
        }
        counter!("fm_jobs_claimed_total", "type" => handler.kind()).increment(count as u64);
        for job in jobs {
            let (bench, handler) = (self.bench.clone(), Arc::clone(handler));
            running.spawn(async move { bench.work(handler, job).await });
        }
        Ok((count, again_at))
    }
}

fn note(kind: &'static str, ended: Result<Conclusion, tokio::task::JoinError>) {
    if let Err(error) = ended {
        // the handler's own panic does not come this far; the job comes free when its lease ends
        tracing::error!(kind, cause = %error, "working a job ended unexpectedly");
    }
}
