use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{Claimed, FailOutcome, Failure, JobStore, LeaseHolder, LostLease};
use common::{Causes, Clock, TraceContext};
use http_kit::request_id::{self, RequestId};
use http_kit::trace::{self, Step};
use metrics::{counter, histogram};
use runtime::crash_point_of;
use runtime::retry::RetryDelay;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::outage::{Outage, may_be_put_off, patience, run_through_outages};
use super::{Bells, GivenUp, HandlerError, JobContext, JobHandler};

/// How long an interrupted handler may take to notice, before its job is given back all the same.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Longest time between two heartbeats, and so until a worker learns that its job was called off in another process.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);

/// What an attempt at a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// The job is complete.
    Completed,
    /// It is tried again later.
    Retried,
    /// It is given up.
    Dead,
    /// Somebody else's business now: the lease was lost, or the job was cancelled.
    Lost,
    /// Shut-down came first, or what it needs is away: the job is ready again, or comes again later, and the attempt is not counted.
    GivenBack,
}

impl Conclusion {
    const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Lost => "lost",
            Self::GivenBack => "given back",
        }
    }
}

/// What all attempts share.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) store: Arc<dyn JobStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bells: Bells,
    pub(super) given_up: GivenUp,
    /// How long a worker may be silent; it reports at least three times as often.
    pub(super) lease: Duration,
    /// Shut-down waits no longer: attempts end now.
    pub(super) interrupt: CancellationToken,
}

/// What an attempt is made for: goes along with the calls that it makes.
#[derive(Clone)]
struct Origin {
    request: RequestId,
    trace: TraceContext,
}

impl Origin {
    async fn scope<F: Future>(self, future: F) -> F::Output {
        request_id::scope(self.request, trace::scope(self.trace, future)).await
    }
}

/// How the handler's run ended.
enum Ended {
    Finished(Result<Result<Option<Value>, HandlerError>, JoinError>),
    Lost,
    TimeIsUp,
    /// What the job needs has been away for as long as the attempt may wait for it.
    Away(String),
    Interrupted,
}

impl Bench {
    /// Works a claimed job to its conclusion. Returns only when its handler runs no more, so that who counts these calls counts what really runs.
    pub(super) async fn work(&self, handler: Arc<dyn JobHandler>, claimed: Claimed) -> Conclusion {
        let spec = &claimed.job.spec;
        let request = spec.request_id.as_deref().and_then(RequestId::parse).unwrap_or_else(RequestId::make);
        let step = Step::after(spec.trace);
        let span = tracing::info_span!(
            "job",
            id = %spec.id,
            kind = %spec.kind,
            attempt = claimed.job.attempts_made,
            request_id = %request,
            trace_id = %step.context.trace_id(),
            span_id = %step.context.span_id(),
            parent_id = step.parent.map(tracing::field::display),
        );
        let origin = Origin { request, trace: step.context };
        origin.clone().scope(self.attempt(handler, claimed, origin, span.clone())).instrument(span).await
    }

    async fn attempt(
        &self,
        handler: Arc<dyn JobHandler>,
        claimed: Claimed,
        origin: Origin,
        span: tracing::Span,
    ) -> Conclusion {
        let kind = handler.kind();
        crash_point_of(kind, "job.after-claim");
        let begun = Instant::now();
        let progressed = Arc::new(Notify::new());
        let context = Arc::new(JobContext::new(
            claimed.job,
            claimed.holder,
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
            Arc::clone(&progressed),
            self.bells.clone(),
        ));
        let mut attempt = Attempt {
            bench: self,
            holder: claimed.holder,
            leased_until: begun + self.lease,
            ttl: Duration::from_millis(context.job().spec.ttl_ms),
        };
        // a task of its own: heartbeats go on while it computes, and its panic ends nothing else
        let mut run = JoinSet::new();
        let (its_handler, its_context) = (Arc::clone(&handler), Arc::clone(&context));
        let outage = Arc::new(Outage::default());
        let its_outage = Arc::clone(&outage);
        run.spawn(
            origin
                .scope(async move {
                    crash_point_of(kind, "job.in-work");
                    run_through_outages(&*its_handler, &its_context, &its_outage).await
                })
                .instrument(span),
        );
        let ended = attempt.supervise(&mut run, &progressed, &outage).await;
        histogram!("fm_jobs_duration_seconds", "type" => kind).record(begun.elapsed().as_secs_f64());
        let conclusion = match ended {
            Ended::Finished(Ok(Ok(result))) => attempt.complete(kind, result).await,
            Ended::Finished(Ok(Err(HandlerError::Obsolete(reason)))) => {
                tracing::info!(reason, "the job is obsolete");
                attempt.complete(kind, Some(serde_json::json!({ "obsolete": reason }))).await
            }
            Ended::Finished(Ok(Err(HandlerError::Permanent(error)))) => {
                attempt
                    .fail(&handler, &context, Failed { retryable: false, ..Failed::retryable(error) })
                    .await
            }
            Ended::Finished(Ok(Err(HandlerError::Retry(error)))) => {
                attempt.fail(&handler, &context, Failed::retryable(error)).await
            }
            Ended::Finished(Ok(Err(HandlerError::Unavailable(error)))) => {
                attempt.fail(&handler, &context, Failed::by_outage(error)).await
            }
            Ended::Away(error) => {
                run.abort_all();
                attempt.fail(&handler, &context, Failed::by_outage(error)).await
            }
            Ended::Finished(Ok(Err(HandlerError::RetryAfter(error, wait)))) => {
                let failed = Failed { wait: Some(wait), ..Failed::retryable(error) };
                attempt.fail(&handler, &context, failed).await
            }
            Ended::Finished(Err(error)) => {
                tracing::error!(cause = %error, "a handler panicked");
                attempt
                    .fail(&handler, &context, Failed::retryable("The handler failed unexpectedly".to_owned()))
                    .await
            }
            Ended::TimeIsUp => {
                run.abort_all();
                attempt.fail(&handler, &context, Failed::retryable("TTL exceeded".to_owned())).await
            }
            Ended::Interrupted => {
                run.abort_all();
                // better that its next worker begins after it ended
                if timeout(LAST_WORDS, run.join_next()).await.is_err() {
                    run.detach_all();
                }
                attempt.give_back().await
            }
            Ended::Lost => Conclusion::Lost,
        };
        // one that computes without a pause cannot be stopped: its place stays taken as long as it does
        run.shutdown().await;
        count(kind, conclusion);
        conclusion
    }
}

/// How an attempt failed.
struct Failed {
    error: String,
    retryable: bool,
    /// How long the next one has to wait at least.
    wait: Option<Duration>,
    /// What it needs is away.
    is_outage: bool,
}

impl Failed {
    fn retryable(error: String) -> Self {
        Self { error, retryable: true, wait: None, is_outage: false }
    }

    fn by_outage(error: String) -> Self {
        Self { is_outage: true, ..Self::retryable(error) }
    }
}

/// What the store is told.
enum Report {
    Complete(Option<Value>),
    Fail(Failure),
}

/// What the store made of it.
enum Taken {
    Completed,
    Failed(FailOutcome),
}

/// One claimed job while it is worked.
struct Attempt<'a> {
    bench: &'a Bench,
    holder: LeaseHolder,
    leased_until: Instant,
    ttl: Duration,
}

impl Attempt<'_> {
    /// Waits for the handler; meanwhile keeps the lease alive and watches the time.
    async fn supervise(
        &mut self,
        run: &mut JoinSet<Result<Option<Value>, HandlerError>>,
        progressed: &Notify,
        outage: &Outage,
    ) -> Ended {
        let every = (self.bench.lease / 3).min(LONGEST_SILENCE);
        let mut cancellations = self.bench.bells.cancellations();
        let mut beat = interval_at(Instant::now() + every, every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut time_is_up = pin!(sleep(self.ttl));
        let mut patience_ends = pin!(sleep(patience(self.ttl)));
        let mut is_patient = true;
        loop {
            tokio::select! {
                Some(finished) = run.join_next() => return Ended::Finished(finished),
                () = &mut time_is_up => return Ended::TimeIsUp,
                () = self.bench.interrupt.cancelled() => return Ended::Interrupted,
                () = &mut patience_ends, if is_patient => {
                    if let Some(error) = outage.get() {
                        return Ended::Away(error);
                    }
                    is_patient = false;
                }
                () = progressed.notified() => {
                    outage.set(None);
                    time_is_up.as_mut().reset(Instant::now() + self.ttl);
                    patience_ends.as_mut().reset(Instant::now() + patience(self.ttl));
                    is_patient = true;
                }
                _ = beat.tick() => {
                    if !self.heartbeat(every).await {
                        return Ended::Lost;
                    }
                }
                cancelled = cancellations.recv() => {
                    let is_meant = !matches!(cancelled, Ok(job) if job != self.holder.job);
                    if is_meant && !self.heartbeat(every).await {
                        return Ended::Lost;
                    }
                }
            }
        }
    }

    /// Renews the lease; false when it is lost.
    async fn heartbeat(&mut self, deadline: Duration) -> bool {
        let asked = Instant::now();
        let Bench { store, clock, lease, .. } = self.bench;
        match timeout(deadline, store.heartbeat(self.holder, *lease, clock.now())).await {
            Ok(Ok(_)) => {
                self.leased_until = asked + *lease;
                return true;
            }
            Ok(Err(LostLease::Lost)) => {
                tracing::warn!("the lease is lost");
                return false;
            }
            Ok(Err(LostLease::Port(error))) => {
                tracing::warn!(cause = %Causes(&error), "cannot renew the lease")
            }
            Err(_) => tracing::warn!("cannot renew the lease: the job store does not answer"),
        }
        // until then nobody else can have it
        Instant::now() < self.leased_until
    }

    async fn complete(&self, kind: &str, result: Option<Value>) -> Conclusion {
        crash_point_of(kind, "job.before-complete");
        match self.report(&Report::Complete(result)).await {
            Some(_) => {
                crash_point_of(kind, "job.after-complete");
                Conclusion::Completed
            }
            None => Conclusion::Lost,
        }
    }

    async fn fail(&self, handler: &Arc<dyn JobHandler>, context: &JobContext, failed: Failed) -> Conclusion {
        let Bench { clock, bells, given_up, .. } = self.bench;
        let Failed { error, retryable, wait, is_outage } = failed;
        let uncounted = is_outage && may_be_put_off(context.job(), clock.now());
        tracing::warn!(error, retryable, uncounted, "the attempt failed");
        let reason = error.clone();
        let failure = Failure {
            error,
            retryable,
            jitter_percent: rand::random_range(0..=100),
            not_before: wait.map(|wait| clock.now() + wait),
            uncounted,
        };
        match self.report(&Report::Fail(failure)).await {
            Some(Taken::Failed(FailOutcome::Retry(at))) if uncounted => {
                tracing::debug!(%at, "what the job needs is away");
                bells.ring_promoter();
                Conclusion::GivenBack
            }
            Some(Taken::Failed(FailOutcome::Retry(at))) => {
                tracing::debug!(%at, "trying again later");
                bells.ring_promoter();
                Conclusion::Retried
            }
            Some(Taken::Failed(FailOutcome::Dead)) => {
                given_up.tell(handler, context.job(), &reason).await;
                Conclusion::Dead
            }
            Some(Taken::Completed) | None => Conclusion::Lost,
        }
    }

    async fn give_back(&self) -> Conclusion {
        let Bench { store, clock, bells, .. } = self.bench;
        // one try: what is not given back comes free when its lease ends
        match store.give_back(self.holder, clock.now()).await {
            Ok(()) => {
                bells.ring_promoter();
                bells.changed();
                Conclusion::GivenBack
            }
            Err(error) => {
                tracing::warn!(cause = %Causes(&error), "cannot give the job back");
                Conclusion::Lost
            }
        }
    }

    /// Tells the store what came of the attempt, again and again while the lease lasts. None when the result was not taken: then the job runs again
    /// somewhere, or has been called off.
    async fn report(&self, report: &Report) -> Option<Taken> {
        let Bench { store, clock, bells, .. } = self.bench;
        let mut delay = RetryDelay::default();
        loop {
            let taken = match report {
                Report::Complete(result) => {
                    store.complete(self.holder, result.as_ref(), clock.now()).await.map(|()| Taken::Completed)
                }
                Report::Fail(failure) => {
                    store.fail(self.holder, failure, clock.now()).await.map(Taken::Failed)
                }
            };
            match taken {
                Ok(taken) => {
                    bells.changed();
                    return Some(taken);
                }
                Err(LostLease::Lost) => {
                    tracing::warn!("the lease was lost: the result was not taken");
                    return None;
                }
                Err(LostLease::Port(error)) => {
                    tracing::warn!(cause = %Causes(&error), "cannot report what came of the job");
                    let next = Instant::now() + delay.next_delay();
                    if next >= self.leased_until {
                        return None;
                    }
                    sleep_until(next).await;
                }
            }
        }
    }
}

fn count(kind: &'static str, conclusion: Conclusion) {
    match conclusion {
        Conclusion::Completed => counter!("fm_jobs_completed_total", "type" => kind).increment(1),
        Conclusion::Retried => counter!("fm_jobs_failed_total", "type" => kind).increment(1),
        Conclusion::Dead => {
            counter!("fm_jobs_failed_total", "type" => kind).increment(1);
            counter!("fm_jobs_dead_total", "type" => kind).increment(1);
        }
        Conclusion::Lost => counter!("fm_jobs_lost_total", "type" => kind).increment(1),
        Conclusion::GivenBack => counter!("fm_jobs_given_back_total", "type" => kind).increment(1),
    }
    tracing::debug!(conclusion = conclusion.word(), "the attempt is over");
}
