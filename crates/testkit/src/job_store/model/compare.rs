//! Whether a store says what the model says.

use std::collections::HashMap;

use common::UserId;
use common::jobs::{JobEventFilter, JobEventKind, JobState};
use common::{JobId, Timestamp};

use super::plain::Model;
use super::schedules;
use crate::job_store::JobsSubject;

pub(super) async fn compare(subject: &JobsSubject, model: &Model, users: &[UserId]) {
    for job in model.jobs.values() {
        let stored = subject.get(job.spec.id).await;
        assert_eq!(
            (stored.state, stored.attempts_made, stored.failures.len(), stored.due_at, stored.finished_at),
            (job.state, job.attempts, job.failures, job.due, job.finished),
            "{stored:?}"
        );
        assert_eq!(stored.spec, job.spec);
    }
    for gone in &model.gone {
        assert!(subject.store.find(gone.id).await.unwrap().is_none(), "{gone:?}");
    }
    for user in users.iter().copied().map(Some).chain([None]) {
        let counts = subject.admin.counts(user).await.unwrap();
        for state in JobState::ALL {
            let count = model.all(state, |job| user.is_none_or(|user| job.spec.user == Some(user))).len();
            assert_eq!(counts[&state], count as u64, "{state:?}");
        }
    }
    let types = subject.admin.types(None).await.unwrap();
    assert_eq!(types.paused, model.paused.contains(&None));
    for found in types.types {
        let limit = model.limits.get(found.kind.as_str()).map(|limited| limited.limit);
        assert_eq!(found.limit, limit, "{}", found.kind);
        for (state, count) in found.counts {
            let all = model.all(state, |job| job.spec.kind == found.kind);
            assert_eq!(count, all.len() as u64, "{} {state:?}", found.kind);
        }
    }
    let due: Option<Timestamp> = model.jobs.values().filter_map(|job| job.due).min();
    assert_eq!(subject.store.next_due().await.unwrap(), due);
    schedules::compare(subject, model).await;
}

/// What the events tell of the jobs; where they end.
pub(super) async fn replay(
    subject: &JobsSubject,
    mut last: u64,
    heard: &mut HashMap<JobId, JobEventKind>,
) -> u64 {
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
pub(super) fn agree(model: &Model, heard: &HashMap<JobId, JobEventKind>) {
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
        assert!(kind.is_some_and(|kind| states(kind).contains(&job.state)), "{kind:?} {:?}", job.state);
    }
    let gone: Vec<_> = heard.keys().filter(|id| !model.jobs.contains_key(id)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
