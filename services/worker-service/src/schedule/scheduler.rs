use std::sync::Arc;
use std::time::Duration;

use common::jobs::{CatchUp, ChangeScheduleError, Schedule, ScheduleStore};
use common::{Causes, Clock, PortResult, Timestamp};
use metrics::counter;
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Times;
use crate::Parts;
use crate::work::Bells;

/// Schedules in one look.
const BATCH: u32 = 50;
/// A time that is served so much later was not missed.
const GRACE: Duration = Duration::from_secs(60);
/// Most jobs for times that passed, as [`CatchUp::All`] says.
const MOST_AT_ONCE: usize = 100;
/// Shortest sleep.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// Has schedules fire when they are due. Any number of processes may do it at once: of each time there is one job.
pub(crate) struct Scheduler {
    schedules: Arc<dyn ScheduleStore>,
    clock: Arc<dyn Clock>,
    bells: Bells,
    look_around: Duration,
}

impl Scheduler {
    pub(crate) fn new(parts: &Parts, bells: Bells) -> Self {
        Self {
            schedules: Arc::clone(&parts.schedules),
            clock: Arc::clone(&parts.clock),
            bells,
            look_around: parts.settings.look_around,
        }
    }

    /// Works until `stop` is cancelled. Each step is one commit that may be repeated, so this may be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let work = async {
            let mut delay = RetryDelay::default();
            loop {
                match self.fire_due().await {
                    Ok(next) => {
                        delay.reset();
                        let until_due = next.map_or(self.look_around, |at| at.since(self.clock.now()));
                        let wait = until_due.clamp(SHORTEST_SLEEP.min(self.look_around), self.look_around);
                        tokio::select! {
                            () = self.bells.scheduler_called() => {}
                            () = sleep(wait) => {}
                        }
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot have schedules fire");
                        sleep(wait).await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// Has all fire that are due; when the next one is.
    async fn fire_due(&self) -> PortResult<Option<Timestamp>> {
        loop {
            let due = self.schedules.due_schedules(BATCH, self.clock.now()).await?;
            if due.is_empty() {
                return self.schedules.next_schedule().await;
            }
            for schedule in &due {
                match self.fire(schedule).await {
                    Ok(()) => {}
                    // another process was quicker, or somebody changed it
                    Err(ChangeScheduleError::NotFound | ChangeScheduleError::Changed) => {}
                    Err(ChangeScheduleError::Port(error)) => return Err(error),
                }
            }
        }
    }

    async fn fire(&self, schedule: &Schedule) -> Result<(), ChangeScheduleError> {
        let Schedule { id, spec, user, .. } = schedule;
        let (Some(due), now) = (schedule.next_at, self.clock.now()) else { return Ok(()) };
        let times = match Times::parse(&spec.cron, &spec.time_zone) {
            Ok(times) => times,
            Err(error) => {
                // a zone can go; then somebody has to say what is meant
                tracing::error!(schedule = %id, cause = %error, "a schedule cannot be read any more, pausing it");
                let paused = Schedule { paused: true, next_at: None, ..schedule.clone() };
                return self.schedules.update_schedule(&paused).await;
            }
        };
        let served = served(&times, spec.catch_up, due, now);
        let jobs: Vec<_> = served.into_iter().map(|due| (due, spec.job(*id, *user, due, now))).collect();
        self.schedules.fire_schedule(schedule, &jobs, times.next_after(now), now).await?;
        counter!("fm_jobs_scheduled_total").increment(jobs.len() as u64);
        tracing::debug!(schedule = %id, jobs = jobs.len(), "a schedule fired");
        if !jobs.is_empty() {
            self.bells.ring(std::slice::from_ref(&spec.kind)).await;
        }
        Ok(())
    }
}

/// The times from `due` to `now` that get a job.
fn served(times: &Times, catch_up: CatchUp, due: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    match catch_up {
        CatchUp::Skip => {
            let mut last = times.passed(due, now, 1);
            last.retain(|at| now.since(*at) <= GRACE);
            last
        }
        CatchUp::Once => times.passed(due, now, 1),
        CatchUp::All => times.passed(due, now, MOST_AT_ONCE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_times_are_left_out_served_once_or_each() {
        let times = Times::parse("0 * * * *", "UTC").unwrap();
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let due = at("2026-01-01T01:00:00Z");
        let all = |now: &str, catch_up| served(&times, catch_up, due, at(now));
        for catch_up in [CatchUp::Skip, CatchUp::Once, CatchUp::All] {
            assert_eq!(all("2026-01-01T01:00:03Z", catch_up), [due], "{catch_up:?}");
        }
        let three_later = [due, at("2026-01-01T02:00:00Z"), at("2026-01-01T03:00:00Z")];
        assert_eq!(all("2026-01-01T03:30:00Z", CatchUp::Skip), []);
        assert_eq!(all("2026-01-01T03:00:30Z", CatchUp::Skip), [three_later[2]]);
        assert_eq!(all("2026-01-01T03:30:00Z", CatchUp::Once), [three_later[2]]);
        assert_eq!(all("2026-01-01T03:30:00Z", CatchUp::All), three_later);
        assert_eq!(all("2027-01-01T00:00:00Z", CatchUp::All).len(), 100);
    }
}
