//! Jobs as simply as they can be told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::jobs::{FailOutcome, JobChange, JobState, LeaseHolder, NewJob, SERVED_KEPT, Schedule, TypeLimit};
use common::{JobId, ScheduleId, Timestamp, UserId};
use rand::RngExt as _;
use rand::rngs::StdRng;

pub(super) const KINDS: [&str; 3] = ["a", "b", "c"];

/// A job.
pub(super) struct Plain {
    pub(super) spec: NewJob,
    pub(super) number: u64,
    pub(super) state: JobState,
    pub(super) attempts: u32,
    /// Attempts that failed.
    pub(super) failures: usize,
    /// When it becomes ready, while it is delayed.
    pub(super) due: Option<Timestamp>,
    /// When it ended.
    pub(super) finished: Option<Timestamp>,
}

/// A claim that has not been concluded. Its job is `active` also when its time is over, until somebody takes it away.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) holder: LeaseHolder,
    pub(super) lease_until: Timestamp,
    pub(super) ttl_until: Timestamp,
}

impl Held {
    /// Whether what its holder says still counts.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.lease_until > now && self.ttl_until > now
    }
}

/// How many jobs of a type may begin.
pub(super) struct Limited {
    pub(super) limit: TypeLimit,
    /// When the last window began, and how many jobs were begun in it.
    window: Option<(Timestamp, u32)>,
}

impl Limited {
    /// A window begins with its first job.
    pub(super) fn new(limit: TypeLimit) -> Self {
        Self { limit, window: None }
    }

    fn lasting(&self, now: Timestamp) -> Option<(Timestamp, u32)> {
        self.window.filter(|(began_at, _)| *began_at + self.limit.per > now)
    }

    /// When more may begin, if none may now.
    fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        let full = self.lasting(now).filter(|(_, begun)| *begun >= self.limit.max);
        full.map(|(began_at, _)| began_at + self.limit.per)
    }

    fn begin(&mut self, now: Timestamp) {
        let (began_at, begun) = self.lasting(now).unwrap_or((now, 0));
        self.window = Some((began_at, begun + 1));
    }
}

/// A schedule, as the store must have it.
pub(super) struct Planned {
    pub(super) schedule: Schedule,
    /// How far apart its times are.
    pub(super) every: Duration,
}

/// When each user was served last with a type, and as which of all.
pub(super) type Served = HashMap<(Option<UserId>, String), (u64, Timestamp)>;

#[derive(Default)]
pub(super) struct Model {
    pub(super) jobs: HashMap<JobId, Plain>,
    pub(super) held: Vec<Held>,
    /// Claims that others have concluded: nothing that they say counts.
    pub(super) lost: Vec<LeaseHolder>,
    /// Jobs whose ids are known although they are not there.
    pub(super) gone: Vec<NewJob>,
    pub(super) paused: HashSet<Option<&'static str>>,
    pub(super) limits: HashMap<&'static str, Limited>,
    pub(super) schedules: HashMap<ScheduleId, Planned>,
    pub(super) served: Served,
}

impl Model {
    /// Who is next, by looking at all jobs.
    pub(super) fn next(&self, kinds: &[&'static str], now: Timestamp) -> Option<JobId> {
        if self.paused.contains(&None) {
            return None;
        }
        let waits = |kind: &str| self.is_paused(kind) || self.full_until(kind, now).is_some();
        let active = |of: &NewJob| {
            let same = |job: &&Plain| {
                job.state == JobState::Active && job.spec.user == of.user && job.spec.kind == of.kind
            };
            self.jobs.values().filter(same).count()
        };
        let served = |of: &NewJob| self.served.get(&(of.user, of.kind.clone())).map(|(place, _)| *place);
        self.jobs
            .values()
            .filter(|job| job.state == JobState::Inactive && kinds.contains(&job.spec.kind.as_str()))
            .filter(|job| !waits(&job.spec.kind))
            .min_by_key(|job| (job.spec.priority, active(&job.spec), served(&job.spec), job.number))
            .map(|job| job.spec.id)
    }

    fn is_paused(&self, kind: &str) -> bool {
        KINDS.iter().any(|known| *known == kind && self.paused.contains(&Some(known)))
    }

    /// When more jobs of this type may begin, if its limit lets none begin now.
    fn full_until(&self, kind: &str, now: Timestamp) -> Option<Timestamp> {
        self.limits.get(kind)?.full_until(now)
    }

    /// When a limit lets more through, if one holds a ready job back.
    pub(super) fn again_at(&self, kinds: &[&'static str], now: Timestamp) -> Option<Timestamp> {
        if self.paused.contains(&None) {
            return None;
        }
        let is_held = |kind: &&str| {
            !self.is_paused(kind)
                && !self.all(JobState::Inactive, |job| job.spec.kind.as_str() == *kind).is_empty()
        };
        kinds.iter().copied().filter(is_held).filter_map(|kind| self.full_until(kind, now)).min()
    }

    /// A job is begun: its user was served, and it counts for the limit of its type.
    pub(super) fn serve(&mut self, id: JobId, now: Timestamp) {
        let spec = &self.jobs[&id].spec;
        if let Some(limited) = self.limits.get_mut(spec.kind.as_str()) {
            limited.begin(now);
        }
        let last = self.served.values().map(|(place, _)| *place).max().unwrap_or(0);
        self.served.insert((spec.user, spec.kind.clone()), (last + 1, now));
    }

    /// Who was served long ago, and neither waits nor works, is forgotten.
    pub(super) fn forget_served(&mut self, now: Timestamp) {
        let jobs = &self.jobs;
        let has_to_do = |user: &Option<UserId>, kind: &str| {
            jobs.values().any(|job| {
                let is_here = matches!(job.state, JobState::Inactive | JobState::Active);
                is_here && job.spec.user == *user && job.spec.kind == kind
            })
        };
        self.served.retain(|(user, kind), (_, at)| *at + SERVED_KEPT > now || has_to_do(user, kind));
    }

    /// Jobs in a state for which something holds.
    pub(super) fn all(&self, state: JobState, holds: impl Fn(&Plain) -> bool) -> Vec<JobId> {
        let jobs = self.jobs.values().filter(|job| job.state == state && holds(job));
        jobs.map(|job| job.spec.id).collect()
    }

    /// Any of them.
    pub(super) fn any(&self, random: &mut StdRng) -> Option<JobId> {
        let mut ids: Vec<_> = self.jobs.keys().copied().collect();
        ids.sort_unstable();
        if ids.is_empty() { None } else { Some(ids[random.random_range(0..ids.len())]) }
    }

    /// The live job with this key.
    pub(super) fn holder_of(&self, key: Option<&String>) -> Option<JobId> {
        let live = |job: &&Plain| job.state.is_live() && job.spec.unique_key.as_ref() == key;
        key.and_then(|_| self.jobs.values().find(live)).map(|job| job.spec.id)
    }

    /// Moves a job into a state in which it waits for nothing.
    pub(super) fn set(&mut self, id: JobId, state: JobState, now: Timestamp) -> &mut Plain {
        let job = self.jobs.get_mut(&id).expect("the model knows its jobs");
        job.state = state;
        job.due = None;
        job.finished = (!state.is_live()).then_some(now);
        job
    }

    pub(super) fn remove(&mut self, id: JobId) {
        self.gone.extend(self.jobs.remove(&id).map(|job| job.spec));
    }

    /// A claim is over: the job's holder says no more of it.
    pub(super) fn conclude(&mut self, at: usize) -> JobId {
        let holder = self.held.swap_remove(at).holder;
        self.lost.push(holder);
        holder.job
    }

    /// What a failure must come to, with such a part of the backoff taken off; done.
    pub(super) fn fail(
        &mut self,
        id: JobId,
        retryable: bool,
        jitter_percent: u8,
        now: Timestamp,
    ) -> FailOutcome {
        let job = self.set(id, JobState::Failed, now);
        job.failures += 1;
        if !retryable || job.attempts >= job.spec.max_attempts {
            return FailOutcome::Dead;
        }
        let due = now + job.spec.backoff.delay(job.attempts, f64::from(jitter_percent) / 100.0);
        (job.state, job.due, job.finished) = (JobState::Delayed, Some(due), None);
        FailOutcome::Retry(due)
    }

    /// What a change must come to; done if it is allowed.
    pub(super) fn change(
        &mut self,
        id: JobId,
        change: JobChange,
        now: Timestamp,
    ) -> Result<(), Option<JobId>> {
        let (state, key) = (self.jobs[&id].state, self.jobs[&id].spec.unique_key.clone());
        match change {
            JobChange::Priority(priority) if state.is_live() => {
                self.jobs.get_mut(&id).expect("it is there").spec.priority = priority;
            }
            JobChange::Promote if state == JobState::Delayed => drop(self.set(id, JobState::Inactive, now)),
            JobChange::Cancel if state.is_live() => {
                self.set(id, JobState::Cancelled, now);
                if let Some(at) = self.held.iter().position(|held| held.holder.job == id) {
                    self.conclude(at);
                }
            }
            JobChange::Retry if matches!(state, JobState::Failed | JobState::Cancelled) => {
                if let Some(holder) = self.holder_of(key.as_ref()) {
                    return Err(Some(holder));
                }
                let job = self.set(id, JobState::Inactive, now);
                (job.attempts, job.failures) = (0, 0);
            }
            _ => return Err(None),
        }
        Ok(())
    }
}

/// Up to so many seconds, to the millisecond.
pub(super) fn up_to(random: &mut StdRng, seconds: u64) -> Duration {
    Duration::from_millis(random.random_range(1..=1000 * seconds))
}
