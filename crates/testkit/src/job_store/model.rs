use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::jobs::{
    ChangeJobError, Claimed, InsertOutcome, JobChange, JobEventFilter, JobEventKind, JobState, NewJob,
    Priority,
};
use common::{JobId, UserId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{JobsSubject, LEASE, failure};

const KINDS: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 3] = ["k", "l", "m"];

/// A job as simply as it can be told.
struct Plain {
    spec: NewJob,
    number: u64,
    state: JobState,
    attempts: u32,
}

#[derive(Default)]
struct Model {
    jobs: HashMap<JobId, Plain>,
    held: Vec<Claimed>,
    paused: HashSet<Option<&'static str>>,
}

impl Model {
    /// Who is next, by looking at all jobs.
    fn next(&self, kinds: &[&'static str]) -> Option<JobId> {
        if self.paused.contains(&None) {
            return None;
        }
        let waits =
            |kind: &str| KINDS.iter().any(|known| *known == kind && self.paused.contains(&Some(known)));
        let active = |user: Option<UserId>| {
            self.jobs.values().filter(|job| job.state == JobState::Active && job.spec.user == user).count()
        };
        self.jobs
            .values()
            .filter(|job| job.state == JobState::Inactive && kinds.contains(&job.spec.kind.as_str()))
            .filter(|job| !waits(&job.spec.kind))
            .min_by_key(|job| (job.spec.priority, active(job.spec.user), job.number))
            .map(|job| job.spec.id)
    }

    fn set(&mut self, id: JobId, state: JobState) -> &mut Plain {
        let job = self.jobs.get_mut(&id).expect("the model knows its jobs");
        job.state = state;
        job
    }

    fn holder_of(&self, key: Option<&String>) -> Option<JobId> {
        let live = |job: &&Plain| job.state.is_live() && job.spec.unique_key.as_ref() == key;
        key.and_then(|_| self.jobs.values().find(live)).map(|job| job.spec.id)
    }

    fn any(&self, random: &mut StdRng) -> Option<JobId> {
        let mut ids: Vec<_> = self.jobs.keys().copied().collect();
        ids.sort_unstable();
        if ids.is_empty() { None } else { Some(ids[random.random_range(0..ids.len())]) }
    }

    /// What a change must come to; done if it is allowed.
    fn change(&mut self, id: JobId, change: JobChange) -> Result<(), Option<JobId>> {
        let (state, key) = (self.jobs[&id].state, self.jobs[&id].spec.unique_key.clone());
        match change {
            JobChange::Priority(priority) if state.is_live() => self.set(id, state).spec.priority = priority,
            JobChange::Promote if state == JobState::Delayed => drop(self.set(id, JobState::Inactive)),
            JobChange::Cancel if state.is_live() => {
                self.set(id, JobState::Cancelled);
                self.held.retain(|claimed| claimed.holder.job != id);
            }
            JobChange::Retry if matches!(state, JobState::Failed | JobState::Cancelled) => {
                if let Some(holder) = self.holder_of(key.as_ref()) {
                    return Err(Some(holder));
                }
                self.set(id, JobState::Inactive).attempts = 0;
            }
            _ => return Err(None),
        }
        Ok(())
    }

    /// An attempt that failed.
    fn fail(&mut self, id: JobId) {
        let job = self.set(id, JobState::Delayed);
        if job.attempts >= job.spec.max_attempts {
            job.state = JobState::Failed;
        }
    }
}

pub async fn random_work_agrees_with_a_model(subject: &JobsSubject) {
    let mut told = 0;
    for seed in 0..5 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = Model::default();
        let mut heard = HashMap::new();
        let users: Vec<UserId> = (0..4).map(|_| subject.ids.next()).collect();
        for step in 0..250 {
            change(subject, &mut random, &mut model, &users).await;
            if step % 50 == 49 {
                compare(subject, &model, &users, seed).await;
                told = replay(subject, told, &mut heard).await;
                agree(&model, &heard, seed);
            }
        }
        empty(subject, model).await;
    }
}

/// An empty store for the next seed.
async fn empty(subject: &JobsSubject, mut model: Model) {
    for pause in model.paused.drain() {
        subject.admin.set_paused(pause, false).await.unwrap();
    }
    while let Some(claimed) = model.held.pop() {
        subject.store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap();
    }
    subject.clock.advance(Duration::from_secs(3600));
    subject.store.promote_due(1000, subject.now()).await.unwrap();
    for claimed in subject.claim(&KINDS, 1000).await {
        subject.complete(&claimed).await;
    }
    subject.clock.advance(Duration::from_secs(1));
    for state in [JobState::Complete, JobState::Failed, JobState::Cancelled] {
        subject.removed(state, subject.now(), 1000).await;
    }
    assert!(subject.admin.counts(None).await.unwrap().values().all(|count| *count == 0));
}

async fn change(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, users: &[UserId]) {
    let (store, now) = (&subject.store, subject.now());
    let held = if model.held.is_empty() { None } else { Some(random.random_range(0..model.held.len())) };
    match (random.random_range(0..20), held) {
        (0..=4, _) => insert(subject, random, model, users).await,
        (5..=8, _) => {
            let kinds = &KINDS[random.random_range(0..3)..];
            let claimed = subject.claim(kinds, random.random_range(1..4)).await;
            if claimed.is_empty() {
                assert_eq!(model.next(kinds), None);
            }
            for claimed in claimed {
                let id = claimed.job.spec.id;
                assert_eq!(Some(id), model.next(kinds), "the order of claims");
                model.set(id, JobState::Active).attempts += 1;
                model.held.push(claimed);
            }
        }
        (9..=10, Some(at)) => {
            let holder = model.held.swap_remove(at).holder;
            store.complete(holder, None, now).await.unwrap();
            if model.set(holder.job, JobState::Complete).spec.remove_on_complete {
                model.jobs.remove(&holder.job);
            }
        }
        (11, Some(at)) => {
            let holder = model.held.swap_remove(at).holder;
            store.fail(holder, &failure(true), now).await.unwrap();
            model.fail(holder.job);
        }
        (12, Some(at)) => {
            let holder = model.held.swap_remove(at).holder;
            store.give_back(holder, now).await.unwrap();
            model.set(holder.job, JobState::Inactive).attempts -= 1;
        }
        (13, _) => pass(subject, model).await,
        (14, Some(_)) => {
            subject.clock.advance(LEASE);
            let reaped = store.reap(1000, subject.now()).await.unwrap().len();
            assert_eq!(reaped, model.held.len());
            for claimed in std::mem::take(&mut model.held) {
                model.fail(claimed.holder.job);
            }
        }
        (15..=16, _) => one_is_changed(subject, random, model).await,
        (17, _) => {
            let Some(id) = model.any(random) else { return };
            let removed = subject.admin.remove(id, now).await;
            if model.jobs[&id].state == JobState::Active {
                assert!(matches!(removed, Err(ChangeJobError::State(JobState::Active))), "{removed:?}");
            } else {
                removed.unwrap();
                model.jobs.remove(&id);
            }
        }
        (18, _) => {
            let done = subject.admin.retry_dead(Some("a"), None, 1000, now).await.unwrap();
            let mut dead: Vec<_> = model
                .jobs
                .values()
                .filter(|job| job.state == JobState::Failed && job.spec.kind == "a")
                .map(|job| (job.number, job.spec.id))
                .collect();
            dead.sort_unstable();
            let results: Vec<_> = dead.iter().map(|(_, id)| model.change(*id, JobChange::Retry)).collect();
            let retried = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!((done.retried as usize, done.left as usize), (retried, results.len() - retried));
        }
        _ => {
            let kind = [None, Some("a"), Some("b"), Some("c")][random.random_range(0..4)];
            let pauses = model.paused.len() < 2 && random.random_bool(0.4);
            subject.admin.set_paused(kind, pauses).await.unwrap();
            if pauses {
                model.paused.insert(kind);
            } else {
                model.paused.remove(&kind);
            }
        }
    }
}

async fn insert(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, users: &[UserId]) {
    let now = subject.now();
    let run_at = random.random_bool(0.2).then(|| now + Duration::from_millis(1));
    let spec = NewJob {
        user: users.get(random.random_range(0..5)).copied(),
        priority: Priority([0, 0, 10, -5][random.random_range(0..4)]),
        max_attempts: 2,
        run_at,
        unique_key: random.random_bool(0.25).then(|| KEYS[random.random_range(0..3)].to_owned()),
        remove_on_complete: random.random_bool(0.1),
        ..subject.job(KINDS[random.random_range(0..3)])
    };
    let outcome = subject.store.insert(std::slice::from_ref(&spec), now).await.unwrap()[0];
    if let Some(holder) = model.holder_of(spec.unique_key.as_ref()) {
        assert_eq!(outcome, InsertOutcome::Taken(holder));
        return;
    }
    assert_eq!(outcome, InsertOutcome::Inserted);
    let number = subject.get(spec.id).await.number;
    let state = if run_at.is_some() { JobState::Delayed } else { JobState::Inactive };
    model.jobs.insert(spec.id, Plain { spec, number, state, attempts: 0 });
}

/// Every backoff passes, and no lease ends.
async fn pass(subject: &JobsSubject, model: &mut Model) {
    let store = &subject.store;
    subject.clock.advance(Duration::from_secs(10));
    for claimed in &model.held {
        store.progress(claimed.holder, 1, None, subject.now()).await.unwrap();
        store.heartbeat(claimed.holder, LEASE, subject.now()).await.unwrap();
    }
    let promoted = store.promote_due(1000, subject.now()).await.unwrap().len();
    let delayed: Vec<_> =
        model.jobs.values().filter(|job| job.state == JobState::Delayed).map(|job| job.spec.id).collect();
    assert_eq!(promoted, delayed.len());
    for id in delayed {
        model.set(id, JobState::Inactive);
    }
}

async fn one_is_changed(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let Some(id) = model.any(random) else { return };
    let change = match random.random_range(0..4) {
        0 => JobChange::Priority(Priority(random.random_range(-20..20))),
        1 => JobChange::Promote,
        2 => JobChange::Cancel,
        _ => JobChange::Retry,
    };
    let state = model.jobs[&id].state;
    let changed = subject.change(id, change).await;
    match (model.change(id, change), changed) {
        (Ok(()), Ok(job)) => assert_eq!(job.state, model.jobs[&id].state),
        (Err(Some(holder)), Err(ChangeJobError::Taken(found))) => assert_eq!(found, holder),
        (Err(None), Err(ChangeJobError::State(found))) => assert_eq!(found, state),
        (expected, changed) => panic!("{change:?} of {state:?}: {expected:?}, {changed:?}"),
    }
}

async fn compare(subject: &JobsSubject, model: &Model, users: &[UserId], seed: u64) {
    for job in model.jobs.values() {
        let stored = subject.get(job.spec.id).await;
        assert_eq!((stored.state, stored.attempts_made), (job.state, job.attempts), "seed {seed}");
        assert_eq!(stored.spec, job.spec, "seed {seed}");
    }
    for user in users.iter().copied().map(Some).chain([None]) {
        let counts = subject.admin.counts(user).await.unwrap();
        for state in JobState::ALL {
            let all = model.jobs.values().filter(|job| job.state == state);
            let count = all.filter(|job| user.is_none_or(|user| job.spec.user == Some(user))).count();
            assert_eq!(counts[&state], count as u64, "seed {seed}: {state:?}");
        }
    }
    let types = subject.admin.types().await.unwrap();
    assert_eq!(types.paused, model.paused.contains(&None));
    for found in types.types {
        for (state, count) in found.counts {
            let all = model.jobs.values().filter(|job| job.state == state && job.spec.kind == found.kind);
            assert_eq!(count, all.count() as u64, "seed {seed}: {} {state:?}", found.kind);
        }
    }
}

/// What the events tell of the jobs; where they end.
async fn replay(subject: &JobsSubject, mut last: u64, heard: &mut HashMap<JobId, JobEventKind>) -> u64 {
    while subject.events.order_events(1000, subject.now()).await.unwrap() > 0 {}
    loop {
        let page = subject.events.events_after(last, &JobEventFilter::default(), 100).await.unwrap();
        if page.events.is_empty() {
            return last;
        }
        last = page.last;
        for event in page.events {
            match event.event {
                JobEventKind::Remove => drop(heard.remove(&event.job)),
                // of jobs in any state
                JobEventKind::Progress | JobEventKind::Priority => {}
                kind => drop(heard.insert(event.job, kind)),
            }
        }
    }
}

/// Whoever follows the events knows in which state each job is.
fn agree(model: &Model, heard: &HashMap<JobId, JobEventKind>, seed: u64) {
    let states = |kind| match kind {
        JobEventKind::Enqueue => &[JobState::Inactive, JobState::Delayed][..],
        JobEventKind::Promotion | JobEventKind::Return => &[JobState::Inactive],
        JobEventKind::Start => &[JobState::Active],
        JobEventKind::FailedAttempt => &[JobState::Delayed],
        JobEventKind::Failed => &[JobState::Failed],
        JobEventKind::Complete => &[JobState::Complete],
        JobEventKind::Cancel => &[JobState::Cancelled],
        JobEventKind::Progress | JobEventKind::Priority | JobEventKind::Remove => &[],
    };
    for (id, job) in &model.jobs {
        let kind = heard.get(id).copied();
        assert!(
            kind.is_some_and(|kind| states(kind).contains(&job.state)),
            "seed {seed}: {kind:?} {:?}",
            job.state
        );
    }
    let gone: Vec<_> = heard.keys().filter(|id| !model.jobs.contains_key(id)).collect();
    assert!(gone.is_empty(), "seed {seed}: {gone:?}");
}
