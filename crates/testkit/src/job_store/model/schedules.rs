//! Schedules among the random work. Which times an expression means is not the store's affair: here they are at even intervals.

use std::time::Duration;

use common::jobs::{Backoff, CatchUp, ChangeScheduleError, NewJob, Priority, Schedule, ScheduleSpec};
use common::{Timestamp, UserId};
use futures_util::future::join_all;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;

use super::keep;
use super::plain::{KINDS, Model, Planned, up_to};
use crate::job_store::JobsSubject;

/// Most schedules at once, and most times of one that are caught up with.
const MOST: usize = 3;
const CAUGHT_UP: usize = 2;

/// One is made, paused, resumed or deleted.
pub(super) async fn one_is_arranged(
    subject: &JobsSubject,
    random: &mut StdRng,
    model: &mut Model,
    users: &[UserId],
) {
    let mut ids: Vec<_> = model.schedules.keys().copied().collect();
    ids.sort_unstable();
    if ids.is_empty() || ids.len() < MOST && random.random_bool(0.5) {
        return one_is_made(subject, random, model, users).await;
    }
    let id = ids[random.random_range(0..ids.len())];
    if random.random_bool(0.2) {
        assert!(subject.schedules.delete_schedule(id).await.unwrap());
        model.schedules.remove(&id);
        return;
    }
    let planned = model.schedules.get_mut(&id).expect("it is there");
    let paused = !planned.schedule.paused;
    let next_at = (!paused).then(|| subject.now() + up_to(random, 20));
    let changed = Schedule { paused, next_at, ..planned.schedule.clone() };
    subject.schedules.update_schedule(&changed).await.unwrap();
    let late = subject.schedules.update_schedule(&planned.schedule).await;
    assert!(matches!(late, Err(ChangeScheduleError::Changed)), "{late:?}");
    planned.schedule = Schedule { revision: changed.revision + 1, ..changed };
}

async fn one_is_made(subject: &JobsSubject, random: &mut StdRng, model: &mut Model, users: &[UserId]) {
    let now = subject.now();
    let schedule = Schedule {
        id: subject.ids.next(),
        spec: ScheduleSpec {
            name: "at even intervals".to_owned(),
            cron: "* * * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            catch_up: CatchUp::All,
            kind: KINDS[random.random_range(0..3)].to_owned(),
            data: json!({}),
            priority: Priority::NORMAL,
            max_attempts: 2,
            backoff: Backoff::Fixed { delay_ms: 5000 },
            ttl_ms: 60_000,
            no_overlap: random.random_bool(0.5),
        },
        paused: false,
        next_at: Some(now + up_to(random, 20)),
        last_at: None,
        user: users.get(random.random_range(0..5)).copied(),
        created_at: now,
        revision: 1,
    };
    subject.schedules.create_schedule(&schedule).await.unwrap();
    let every = Duration::from_secs(random.random_range(5..30));
    model.schedules.insert(schedule.id, Planned { schedule, every });
}

/// All fire whose time has come, some of them by two processes at once.
pub(super) async fn the_due_fire(subject: &JobsSubject, random: &mut StdRng, model: &mut Model) {
    let now = subject.now();
    let due = subject.schedules.due_schedules(100, now).await.unwrap();
    let times: Vec<_> = due.iter().filter_map(|schedule| schedule.next_at).collect();
    let planned = model.schedules.values().filter_map(|planned| planned.schedule.next_at);
    let mut expected: Vec<_> = planned.filter(|at| *at <= now).collect();
    expected.sort_unstable();
    assert_eq!(times, expected, "the longest due first");
    for schedule in due {
        let processes = random.random_range(1..=2);
        fire(subject, model, &schedule, processes, now).await;
    }
}

/// However many have it fire, each time gets one job.
async fn fire(
    subject: &JobsSubject,
    model: &mut Model,
    schedule: &Schedule,
    processes: usize,
    now: Timestamp,
) {
    let planned = &model.schedules[&schedule.id];
    assert_eq!(*schedule, planned.schedule);
    let mut next = schedule.next_at.expect("it is due");
    let mut passed = Vec::new();
    while next <= now {
        passed.push(next);
        next = next + planned.every;
    }
    let latest = passed.split_off(passed.len().saturating_sub(CAUGHT_UP));
    let job = |at: Timestamp| (at, schedule.spec.job(schedule.id, schedule.user, at, now));
    let jobs: Vec<(Timestamp, NewJob)> = latest.into_iter().map(job).collect();
    let tries = (0..processes).map(|_| subject.schedules.fire_schedule(schedule, &jobs, Some(next), now));
    let fired = join_all(tries).await;
    let changed = fired.iter().filter(|fired| matches!(fired, Err(ChangeScheduleError::Changed))).count();
    let done = fired.iter().filter(|fired| fired.is_ok()).count();
    assert_eq!((done, changed), (1, processes - 1), "{fired:?}");
    let mut last_at = schedule.last_at;
    for (at, job) in jobs {
        if model.holder_of(job.unique_key.as_ref()).is_some() {
            model.gone.push(job);
        } else {
            keep(subject, model, job, None).await;
            last_at = Some(at);
        }
    }
    let revision = schedule.revision + 1;
    let fired = Schedule { next_at: Some(next), last_at, revision, ..schedule.clone() };
    model.schedules.get_mut(&schedule.id).expect("it is there").schedule = fired;
}

pub(super) async fn compare(subject: &JobsSubject, model: &Model) {
    for Planned { schedule, .. } in model.schedules.values() {
        let stored = subject.schedules.find_schedule(schedule.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(schedule));
    }
    let next = model.schedules.values().filter_map(|planned| planned.schedule.next_at).min();
    assert_eq!(subject.schedules.next_schedule().await.unwrap(), next);
    assert_eq!(subject.schedules.count_schedules().await.unwrap(), model.schedules.len() as u64);
}
