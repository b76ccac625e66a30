use std::collections::HashMap;
use std::time::Duration;

use common::jobs::{Claimed, JobState, NewJob, Priority};
use common::{JobId, UserId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{JobsSubject, failure};

const KINDS: [&str; 3] = ["a", "b", "c"];

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
}

impl Model {
    /// Who is next, by looking at all jobs.
    fn next(&self, kinds: &[&str]) -> Option<JobId> {
        let active = |user: Option<UserId>| {
            self.jobs.values().filter(|job| job.state == JobState::Active && job.spec.user == user).count()
        };
        self.jobs
            .values()
            .filter(|job| job.state == JobState::Inactive && kinds.contains(&job.spec.kind.as_str()))
            .min_by_key(|job| (job.spec.priority, active(job.spec.user), job.number))
            .map(|job| job.spec.id)
    }

    fn set(&mut self, id: JobId, state: JobState) -> &mut Plain {
        let job = self.jobs.get_mut(&id).expect("the model knows its jobs");
        job.state = state;
        job
    }
}

pub async fn random_work_agrees_with_a_model(subject: &JobsSubject) {
    for seed in 0..5 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = Model::default();
        let users: Vec<UserId> = (0..4).map(|_| subject.ids.next()).collect();
        for step in 0..250 {
            change(subject, &mut random, &mut model, &users).await;
            if step % 50 == 49 {
                compare(subject, &model, &users, seed).await;
            }
        }
        // an empty store for the next seed
        while let Some(claimed) = model.held.pop() {
            subject.store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap();
        }
        subject.clock.advance(Duration::from_secs(3600));
        subject.store.promote_due(1000, subject.now()).await.unwrap();
        for claimed in subject.claim(&KINDS, 1000).await {
            subject.store.complete(claimed.holder, None, subject.now()).await.unwrap();
        }
        subject.clock.advance(Duration::from_secs(1));
        for state in [JobState::Complete, JobState::Failed] {
            subject.store.remove_finished(state, subject.now(), 1000).await.unwrap();
        }
        assert!(subject.store.counts(None).await.unwrap().values().all(|count| *count == 0));
    }
}

async fn change(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, users: &[UserId]) {
    let (store, now) = (&subject.store, subject.now());
    let held = if model.held.is_empty() { None } else { Some(random.random_range(0..model.held.len())) };
    match (random.random_range(0..12), held) {
        (0..=3, _) => {
            let run_at = random.random_bool(0.2).then(|| now + Duration::from_millis(1));
            let spec = NewJob {
                user: users.get(random.random_range(0..5)).copied(),
                priority: Priority([0, 0, 10, -5][random.random_range(0..4)]),
                max_attempts: 2,
                run_at,
                ..subject.job(KINDS[random.random_range(0..3)])
            };
            subject.insert(std::slice::from_ref(&spec)).await;
            let number = subject.get(spec.id).await.number;
            let state = if run_at.is_some() { JobState::Delayed } else { JobState::Inactive };
            model.jobs.insert(spec.id, Plain { spec, number, state, attempts: 0 });
        }
        (4..=6, _) => {
            let kinds = &KINDS[random.random_range(0..3)..];
            let claimed = subject.claim(kinds, random.random_range(1..4)).await;
            for claimed in claimed {
                let id = claimed.job.spec.id;
                assert_eq!(Some(id), model.next(kinds), "the order of claims");
                model.set(id, JobState::Active).attempts += 1;
                model.held.push(claimed);
            }
        }
        (7, Some(at)) => {
            let holder = model.held.swap_remove(at).holder;
            store.complete(holder, None, now).await.unwrap();
            model.set(holder.job, JobState::Complete);
        }
        (8, Some(at)) => {
            let holder = model.held.swap_remove(at).holder;
            store.fail(holder, &failure(true), now).await.unwrap();
            let job = model.set(holder.job, JobState::Delayed);
            if job.attempts >= job.spec.max_attempts {
                job.state = JobState::Failed;
            }
        }
        (9, Some(at)) => {
            let holder = model.held.swap_remove(at).holder;
            store.give_back(holder, now).await.unwrap();
            model.set(holder.job, JobState::Inactive).attempts -= 1;
        }
        (10, _) => {
            // every backoff has passed, and no lease has ended
            subject.clock.advance(Duration::from_secs(10));
            for claimed in &model.held {
                store.progress(claimed.holder, 1, subject.now()).await.unwrap();
                store.heartbeat(claimed.holder, Duration::from_secs(30), subject.now()).await.unwrap();
            }
            let promoted = store.promote_due(1000, subject.now()).await.unwrap().len();
            let delayed: Vec<_> = model
                .jobs
                .values()
                .filter(|job| job.state == JobState::Delayed)
                .map(|job| job.spec.id)
                .collect();
            assert_eq!(promoted, delayed.len());
            for id in delayed {
                model.set(id, JobState::Inactive);
            }
        }
        (_, _) => {
            let dead = model.jobs.values().find(|job| job.state == JobState::Failed).map(|job| job.spec.id);
            if let Some(id) = dead {
                assert_eq!(store.retry(id, now).await.unwrap(), Some(true));
                model.set(id, JobState::Inactive).attempts = 0;
            }
        }
    }
}

async fn compare(subject: &JobsSubject, model: &Model, users: &[UserId], seed: u64) {
    for job in model.jobs.values() {
        let stored = subject.get(job.spec.id).await;
        assert_eq!((stored.state, stored.attempts_made), (job.state, job.attempts), "seed {seed}");
    }
    for user in users.iter().copied().map(Some).chain([None]) {
        let counts = subject.store.counts(user).await.unwrap();
        for state in JobState::ALL {
            let all = model.jobs.values().filter(|job| job.state == state);
            let count = all.filter(|job| user.is_none_or(|user| job.spec.user == Some(user))).count();
            assert_eq!(counts[&state], count as u64, "seed {seed}: {state:?}");
        }
    }
}
