//! Random work, on a store and on a model of it that is too simple to be wrong.

mod compare;
mod plain;
mod schedules;

use std::collections::HashMap;
use std::time::Duration;

use common::jobs::{
    Backoff, ChangeJobError, ClaimRequest, Claims, FailOutcome, Failure, InsertOutcome, JobChange, JobState,
    LeaseHolder, LostLease, NewJob, Priority, TypeLimit,
};
use common::{Timestamp, UserId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use self::compare::{agree, compare, replay};
use self::plain::{Held, KINDS, Limited, Model, Plain, Served, up_to};
use self::schedules::{one_is_arranged, the_due_fire};
use super::{JobsSubject, failure};

const KEYS: [&str; 3] = ["k", "l", "m"];

/// Changes of one seed, and after how many of them store and model are compared.
const STEPS: u32 = 250;
const COMPARED_EVERY: u32 = 50;

/// Seeds of the run: five known ones, or with the feature `long` fifty that were never tried. `FM_TEST_SEED` names one.
fn seeds() -> Vec<u64> {
    match std::env::var("FM_TEST_SEED") {
        Ok(seed) => vec![seed.parse().expect("FM_TEST_SEED is a number")],
        Err(_) if cfg!(feature = "long") => (0..50).map(|_| rand::random()).collect(),
        Err(_) => (0..5).collect(),
    }
}

/// Says by which seed a failure comes again.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it comes again with FM_TEST_SEED={}", self.0);
        }
    }
}

pub async fn random_work_agrees_with_a_model(subject: &JobsSubject) {
    let mut told = 0;
    let mut served = HashMap::new();
    for seed in seeds() {
        let _told_on_failure = Seed(seed);
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = Model { served, ..Model::default() };
        let mut heard = HashMap::new();
        let users: Vec<UserId> = (0..4).map(|_| subject.ids.next()).collect();
        for step in 1..=STEPS {
            change(subject, &mut random, &mut model, &users).await;
            if step % COMPARED_EVERY == 0 {
                compare(subject, &model, &users).await;
                told = replay(subject, told, &mut heard).await;
                agree(&model, &heard);
            }
        }
        served = empty(subject, model).await;
    }
}

/// An empty store for the next seed; who was served in it last.
async fn empty(subject: &JobsSubject, mut model: Model) -> Served {
    for pause in model.paused.drain() {
        subject.admin.set_paused(pause, false).await.unwrap();
    }
    for (kind, _) in model.limits.drain() {
        subject.admin.set_type_limit(kind, None).await.unwrap();
    }
    for (id, _) in model.schedules.drain() {
        assert!(subject.schedules.delete_schedule(id).await.unwrap());
    }
    // whatever is held, or waits
    for _ in 0..2 {
        subject.clock.advance(Duration::from_secs(3600));
        subject.store.reap(1000, subject.now()).await.unwrap();
    }
    subject.store.promote_due(1000, subject.now()).await.unwrap();
    // all who were served before go: who is not forgotten by now is served once more
    model.served.clear();
    for claimed in subject.claim(&KINDS, 1000).await {
        model.serve(claimed.job.spec.id, subject.now());
        subject.complete(&claimed).await;
    }
    subject.clock.advance(Duration::from_secs(1));
    for state in [JobState::Complete, JobState::Failed, JobState::Cancelled] {
        subject.removed(state, subject.now(), 1000).await;
    }
    assert!(subject.admin.counts(None).await.unwrap().values().all(|count| *count == 0));
    model.served
}

/// One step: something that producers, workers, people or time do.
async fn change(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, users: &[UserId]) {
    let held = if model.held.is_empty() { None } else { Some(random.random_range(0..model.held.len())) };
    match (random.random_range(0..29), held) {
        (0..=4, _) => insert(subject, random, model, users).await,
        (5..=8, _) => claim(subject, random, model).await,
        (9..=13, Some(at)) => report(subject, random, model, at).await,
        (14, _) => lost_ones_are_refused(subject, random, model).await,
        (15, _) => subject.clock.advance(up_to(random, 25)),
        (16, _) => promote(subject, model).await,
        (17, _) => reap(subject, model).await,
        (18..=19, _) => one_is_changed(subject, random, model).await,
        (20, _) => one_is_removed(subject, random, model).await,
        (21, _) => old_ones_are_removed(subject, random, model).await,
        (22, _) => the_dead_are_retried(subject, model).await,
        (23, _) => pause(subject, random, model).await,
        (24, _) => limit(subject, random, model).await,
        (25..=26, _) => one_is_arranged(subject, random, model, users).await,
        (27..=28, _) => the_due_fire(subject, random, model).await,
        // nothing is held
        _ => {}
    }
}

async fn insert(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, users: &[UserId]) {
    let now = subject.now();
    if !model.gone.is_empty() && random.random_bool(0.1) {
        // a message that comes once more
        let again = &model.gone[random.random_range(0..model.gone.len())];
        let outcomes = subject.store.insert(std::slice::from_ref(again), now).await.unwrap();
        assert_eq!(outcomes, [InsertOutcome::Known]);
        return;
    }
    let run_at = random.random_bool(0.25).then(|| now + up_to(random, 30));
    let spec = NewJob {
        user: users.get(random.random_range(0..5)).copied(),
        priority: Priority([0, 0, 10, -5][random.random_range(0..4)]),
        max_attempts: random.random_range(1..=3),
        backoff: [
            Backoff::None,
            Backoff::Fixed { delay_ms: 10_000 },
            Backoff::Exponential { delay_ms: 3000, max_delay_ms: 5000 },
        ][random.random_range(0..3)],
        ttl_ms: [15_000, 60_000][random.random_range(0..2)],
        run_at,
        unique_key: random.random_bool(0.25).then(|| KEYS[random.random_range(0..3)].to_owned()),
        remove_on_complete: random.random_bool(0.1),
        ..subject.job(KINDS[random.random_range(0..3)])
    };
    let outcome = subject.store.insert(&[spec.clone(), spec.clone()], now).await.unwrap();
    if let Some(holder) = model.holder_of(spec.unique_key.as_ref()) {
        assert_eq!(outcome[0], InsertOutcome::Taken(holder));
        model.gone.push(spec);
        return;
    }
    assert_eq!(outcome, [InsertOutcome::Inserted, InsertOutcome::Known]);
    keep(subject, model, spec, run_at).await;
}

/// A job that the store has taken.
async fn keep(subject: &JobsSubject, model: &mut Model, spec: NewJob, due: Option<Timestamp>) {
    let number = subject.get(spec.id).await.number;
    let state = if due.is_some() { JobState::Delayed } else { JobState::Inactive };
    let job = Plain { number, state, attempts: 0, failures: 0, due, finished: None, spec };
    model.jobs.insert(job.spec.id, job);
}

async fn claim(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let now = subject.now();
    let kinds = &KINDS[random.random_range(0..3)..];
    let lease = Duration::from_secs([10, 30, 90][random.random_range(0..3)]);
    let max = random.random_range(1..4);
    let request = ClaimRequest {
        types: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        worker: "worker".to_owned(),
        max,
        lease,
    };
    let Claims { jobs: claimed, again_at } = subject.store.claim(&request, now).await.unwrap();
    let came = claimed.len();
    for claimed in claimed {
        let id = claimed.job.spec.id;
        assert_eq!(Some(id), model.next(kinds, now), "the order of claims");
        model.serve(id, now);
        let job = model.set(id, JobState::Active, now);
        job.attempts += 1;
        assert_eq!((claimed.job.attempts_made, claimed.lease_until), (job.attempts, now + lease));
        let ttl_until = now + Duration::from_millis(job.spec.ttl_ms);
        assert!(!model.lost.contains(&claimed.holder), "a mark comes once");
        model.held.push(Held { holder: claimed.holder, lease_until: now + lease, ttl_until });
    }
    if came < max as usize {
        assert_eq!(model.next(kinds, now), None, "there was more to claim");
    }
    assert_eq!(again_at, model.again_at(kinds, now), "when a limit lets more through");
}

/// A worker says something. What it says counts while its lease and its time last, whether or not anybody took the job away.
async fn report(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, at: usize) {
    let (store, now) = (&subject.store, subject.now());
    let Held { holder, .. } = model.held[at];
    let counts = model.held[at].is_good(now);
    let id = holder.job;
    let agrees = |result: Result<(), LostLease>| assert_eq!(taken(result), counts);
    match random.random_range(0..8) {
        0 => {
            agrees(store.progress(holder, 40, None, now).await);
            if counts {
                model.held[at].ttl_until = now + Duration::from_millis(model.jobs[&id].spec.ttl_ms);
            }
        }
        1 => {
            let lease = Duration::from_secs(random.random_range(5..60));
            agrees(store.heartbeat(holder, lease, now).await.map(drop));
            if counts {
                model.held[at].lease_until = now + lease;
            }
        }
        2 => agrees(store.log(holder, "a line", now).await),
        3 => {
            agrees(store.give_back(holder, now).await);
            if counts {
                model.conclude(at);
                model.set(id, JobState::Inactive, now).attempts -= 1;
            }
        }
        4 => {
            let (retryable, jitter_percent) = (random.random_bool(0.8), random.random_range(0..=100));
            let failure = Failure { jitter_percent, ..failure(retryable) };
            let outcome = store.fail(holder, &failure, now).await;
            if counts {
                model.conclude(at);
                assert_eq!(outcome.unwrap(), model.fail(id, retryable, jitter_percent, now));
            } else {
                agrees(outcome.map(drop));
            }
        }
        _ => {
            agrees(store.complete(holder, None, now).await);
            if counts {
                model.conclude(at);
                if model.set(id, JobState::Complete, now).spec.remove_on_complete {
                    model.remove(id);
                }
            }
        }
    }
}

/// Whether it was taken. A store that fails fails the test.
fn taken(result: Result<(), LostLease>) -> bool {
    match result {
        Ok(()) => true,
        Err(LostLease::Lost) => false,
        Err(LostLease::Port(error)) => panic!("the store does not answer: {error}"),
    }
}

/// Whoever lost a job writes nothing any more.
async fn lost_ones_are_refused(subject: &JobsSubject, random: &mut StdRng, model: &Model) {
    if model.lost.is_empty() {
        return;
    }
    let (store, now) = (&subject.store, subject.now());
    let known = model.lost[random.random_range(0..model.lost.len())];
    // one that never was, too
    let holder = if random.random_bool(0.2) { LeaseHolder { mark: 1000, ..known } } else { known };
    assert!(!taken(store.complete(holder, None, now).await));
    assert!(!taken(store.fail(holder, &failure(true), now).await.map(drop)));
    assert!(!taken(store.give_back(holder, now).await));
    assert!(!taken(store.progress(holder, 1, None, now).await));
    assert!(!taken(store.log(holder, "late", now).await));
    assert!(!taken(store.heartbeat(holder, Duration::from_secs(30), now).await.map(drop)));
}

async fn promote(subject: &JobsSubject, model: &mut Model) {
    let now = subject.now();
    let due = model.all(JobState::Delayed, |job| job.due.is_some_and(|due| due <= now));
    let promoted = subject.store.promote_due(1000, now).await.unwrap();
    model.forget_served(now);
    assert_eq!(promoted.len(), due.len());
    for id in due {
        model.set(id, JobState::Inactive, now);
    }
}

async fn reap(subject: &JobsSubject, model: &mut Model) {
    let now = subject.now();
    let reaped = subject.store.reap(1000, now).await.unwrap();
    let over: Vec<Held> = model.held.iter().copied().filter(|held| !held.is_good(now)).collect();
    assert_eq!(reaped.len(), over.len());
    for Held { holder, ttl_until, .. } in over {
        let at = model.held.iter().position(|held| held.holder == holder).expect("it was held");
        let id = model.conclude(at);
        let earliest = match model.fail(id, true, 100, now) {
            FailOutcome::Retry(at) => Some(at),
            FailOutcome::Dead => None,
        };
        let stored = subject.get(id).await;
        let reason = if ttl_until <= now { "TTL exceeded" } else { "lease lost" };
        assert_eq!(stored.error.as_deref(), Some(reason));
        // how much of the pause is taken off is the store's affair
        let job = model.jobs.get_mut(&id).expect("it is there");
        let latest = earliest.map(|_| now + job.spec.backoff.delay(job.attempts, 0.0));
        assert!(earliest <= stored.due_at && stored.due_at <= latest, "{earliest:?} {stored:?} {latest:?}");
        job.due = stored.due_at;
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
    match (model.change(id, change, subject.now()), changed) {
        (Ok(()), Ok(job)) => assert_eq!(job.state, model.jobs[&id].state),
        (Err(Some(holder)), Err(ChangeJobError::Taken(found))) => assert_eq!(found, holder),
        (Err(None), Err(ChangeJobError::State(found))) => assert_eq!(found, state),
        (expected, changed) => panic!("{change:?} of {state:?}: {expected:?}, {changed:?}"),
    }
}

async fn one_is_removed(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let Some(id) = model.any(random) else { return };
    let removed = subject.admin.remove(id, subject.now()).await;
    if model.jobs[&id].state == JobState::Active {
        assert!(matches!(removed, Err(ChangeJobError::State(JobState::Active))), "{removed:?}");
    } else {
        removed.unwrap();
        model.remove(id);
    }
}

async fn old_ones_are_removed(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let state = [JobState::Complete, JobState::Failed, JobState::Cancelled][random.random_range(0..3)];
    let before = subject.now() - up_to(random, 60);
    let removed = subject.removed(state, before, 1000).await;
    let old = model.all(state, |job| job.finished.is_some_and(|at| at < before));
    assert_eq!(removed as usize, old.len(), "{state:?}");
    old.into_iter().for_each(|id| model.remove(id));
}

async fn the_dead_are_retried(subject: &JobsSubject, model: &mut Model) {
    let now = subject.now();
    let done = subject.admin.retry_dead(Some("a"), None, 1000, now).await.unwrap();
    let mut dead = model.all(JobState::Failed, |job| job.spec.kind == "a");
    dead.sort_unstable_by_key(|id| model.jobs[id].number);
    let results: Vec<_> = dead.iter().map(|id| model.change(*id, JobChange::Retry, now)).collect();
    let retried = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((done.retried as usize, done.left as usize), (retried, results.len() - retried));
}

async fn pause(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let kind = [None, Some("a"), Some("b"), Some("c")][random.random_range(0..4)];
    let pauses = model.paused.len() < 2 && random.random_bool(0.4);
    subject.admin.set_paused(kind, pauses).await.unwrap();
    if pauses {
        model.paused.insert(kind);
    } else {
        model.paused.remove(&kind);
    }
}

async fn limit(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let kind = KINDS[random.random_range(0..3)];
    let limits = random.random_bool(0.5);
    let limit = TypeLimit { max: random.random_range(1..=3), per: up_to(random, 30) };
    subject.admin.set_type_limit(kind, limits.then_some(limit)).await.unwrap();
    if limits {
        model.limits.insert(kind, Limited::new(limit));
    } else {
        model.limits.remove(kind);
    }
}
