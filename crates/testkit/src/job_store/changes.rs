use std::time::Duration;

use common::jobs::{
    ChangeJobError, Job, JobChange, JobFilter, JobState, LostLease, NewJob, Priority, RetriedDead,
};
use common::{JobId, UserId};
use futures_util::future::join_all;

use super::{JobsSubject, LEASE, failure};

const SECOND: Duration = Duration::from_secs(1);

async fn assert_state(subject: &JobsSubject, id: JobId, change: JobChange, state: JobState) {
    let before = subject.get(id).await;
    let refused = subject.change(id, change).await;
    assert!(
        matches!(refused, Err(ChangeJobError::State(found)) if found == state),
        "{change:?}: {refused:?}"
    );
    assert_eq!(subject.get(id).await, before);
}

async fn claims(subject: &JobsSubject, kind: &str, count: u32) -> Vec<JobId> {
    subject.claim(&[kind], count).await.iter().map(|claimed| claimed.job.spec.id).collect()
}

pub async fn another_priority_is_another_place_in_the_line(subject: &JobsSubject) {
    let user: UserId = subject.ids.next();
    let jobs: Vec<_> = (0..4).map(|_| subject.job_of("test", user)).collect();
    subject.insert(&jobs).await;
    let delayed = NewJob { run_at: Some(subject.now() + SECOND), ..subject.job_of("test", user) };
    subject.insert(std::slice::from_ref(&delayed)).await;
    subject.clock.advance(Duration::from_millis(10));
    let changed = subject.change(jobs[2].id, JobChange::Priority(Priority::CRITICAL)).await.unwrap();
    assert_eq!((changed.spec.priority, changed.updated_at), (Priority::CRITICAL, subject.now()));
    subject.change(jobs[0].id, JobChange::Priority(Priority::LOW)).await.unwrap();
    subject.change(delayed.id, JobChange::Priority(Priority::HIGH)).await.unwrap();
    subject.change(jobs[3].id, JobChange::Priority(Priority::NORMAL)).await.unwrap();
    subject.clock.advance(SECOND);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    let order = claims(subject, "test", 10).await;
    assert_eq!(order, [jobs[2].id, delayed.id, jobs[1].id, jobs[3].id, jobs[0].id]);
    // for the next attempt
    let changed = subject.change(jobs[1].id, JobChange::Priority(Priority(7))).await.unwrap();
    assert_eq!((changed.spec.priority, changed.state), (Priority(7), JobState::Active));
    for user in [None, Some(user)] {
        assert_eq!(subject.admin.counts(user).await.unwrap()[&JobState::Active], 5);
    }
    subject.change(jobs[1].id, JobChange::Cancel).await.unwrap();
    assert_state(subject, jobs[1].id, JobChange::Priority(Priority::LOW), JobState::Cancelled).await;
}

pub async fn a_delayed_job_can_be_promoted(subject: &JobsSubject) {
    let job = NewJob { run_at: Some(subject.now() + 10 * SECOND), ..subject.job("test") };
    subject.insert(std::slice::from_ref(&job)).await;
    assert_eq!(subject.get(job.id).await.due_at, job.run_at);
    let promoted = subject.change(job.id, JobChange::Promote).await.unwrap();
    assert_eq!((promoted.state, promoted.due_at), (JobState::Inactive, None));
    assert_state(subject, job.id, JobChange::Promote, JobState::Inactive).await;
    assert_eq!(subject.store.next_due().await.unwrap(), None);
    subject.clock.advance(10 * SECOND);
    assert!(subject.store.promote_due(10, subject.now()).await.unwrap().is_empty());
    let claimed = subject.claim_one("test").await;
    assert_state(subject, job.id, JobChange::Promote, JobState::Active).await;
    // the pause before another attempt is a delay too
    subject.store.fail(claimed.holder, &failure(true), subject.now()).await.unwrap();
    subject.change(job.id, JobChange::Promote).await.unwrap();
    assert_eq!(subject.claim_one("test").await.job.attempts_made, 2);
    let unknown = subject.change(subject.ids.next(), JobChange::Promote).await;
    assert!(matches!(unknown, Err(ChangeJobError::NotFound)), "{unknown:?}");
}

pub async fn a_live_job_can_be_cancelled(subject: &JobsSubject) {
    let delayed = NewJob { run_at: Some(subject.now() + SECOND), ..subject.job("test") };
    let waiting = subject.job("test");
    subject.insert(&[delayed.clone(), waiting.clone()]).await;
    for id in [delayed.id, waiting.id] {
        let cancelled = subject.change(id, JobChange::Cancel).await.unwrap();
        let expected = (JobState::Cancelled, Some(subject.now()), None);
        assert_eq!((cancelled.state, cancelled.finished_at, cancelled.due_at), expected);
        assert_state(subject, id, JobChange::Cancel, JobState::Cancelled).await;
    }
    assert_eq!(subject.store.next_due().await.unwrap(), None);
    subject.clock.advance(SECOND);
    assert!(subject.store.promote_due(10, subject.now()).await.unwrap().is_empty());
    assert!(subject.claim(&["test"], 10).await.is_empty());
    assert_eq!(subject.removed(JobState::Cancelled, subject.now(), 10).await, 2);
}

pub async fn whoever_works_a_cancelled_job_loses_it(subject: &JobsSubject) {
    let user: UserId = subject.ids.next();
    subject.insert(&[subject.job_of("test", user)]).await;
    let claimed = subject.claim_one("test").await;
    let cancelled = subject.change(claimed.holder.job, JobChange::Cancel).await.unwrap();
    assert_eq!((cancelled.state, cancelled.attempts_made), (JobState::Cancelled, 1));
    let (store, now) = (&subject.store, subject.now());
    for lost in [
        store.heartbeat(claimed.holder, LEASE, now).await.map(drop),
        store.progress(claimed.holder, 1, None, now).await,
        store.complete(claimed.holder, None, now).await,
        store.fail(claimed.holder, &failure(true), now).await.map(drop),
        store.give_back(claimed.holder, now).await,
    ] {
        assert!(matches!(lost, Err(LostLease::Lost)), "{lost:?}");
    }
    subject.clock.advance(10 * LEASE);
    assert!(store.reap(10, subject.now()).await.unwrap().is_empty());
    // the user's place is free again, and the job can come back
    subject.insert(&[subject.job_of("other", user), subject.job("other")]).await;
    assert_eq!(claims(subject, "other", 10).await.len(), 2);
    subject.change(claimed.holder.job, JobChange::Retry).await.unwrap();
    let again = subject.claim_one("test").await;
    assert_ne!(again.holder, claimed.holder);
    assert_eq!(again.job.attempts_made, 1);
}

/// Somebody looked at it before it was begun.
pub async fn what_is_worked_is_not_called_off_as_what_waits(subject: &JobsSubject) {
    let jobs = [subject.job("test"), subject.job("test"), subject.job("test")];
    let delayed = NewJob { run_at: Some(subject.now() + SECOND), ..subject.job("test") };
    subject.insert(&jobs).await;
    subject.insert(std::slice::from_ref(&delayed)).await;
    let claimed = subject.claim(&["test"], 2).await;
    subject.complete(&claimed[1]).await;
    assert_state(subject, jobs[0].id, JobChange::CancelIdle, JobState::Active).await;
    assert_state(subject, jobs[1].id, JobChange::CancelIdle, JobState::Complete).await;
    for id in [jobs[2].id, delayed.id] {
        let cancelled = subject.change(id, JobChange::CancelIdle).await.unwrap();
        assert_eq!(cancelled.state, JobState::Cancelled);
        assert_state(subject, id, JobChange::CancelIdle, JobState::Cancelled).await;
    }
    assert!(subject.claim(&["test"], 10).await.is_empty());
    subject.complete(&claimed[0]).await;
}

pub async fn a_dead_job_is_tried_again_from_its_first_attempt(subject: &JobsSubject) {
    let (store, new) = (&subject.store, subject.inserted("test").await);
    let before = subject.get(new.id).await;
    assert_state(subject, new.id, JobChange::Retry, JobState::Inactive).await;
    let claimed = subject.claim_one("test").await;
    assert_state(subject, new.id, JobChange::Retry, JobState::Active).await;
    store.log(claimed.holder, "it breaks", subject.now()).await.unwrap();
    store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap();
    subject.clock.advance(SECOND);
    let retried = subject.change(new.id, JobChange::Retry).await.unwrap();
    assert_eq!(retried, Job { updated_at: subject.now(), ..before });
    assert_eq!(subject.get(new.id).await, retried);
    assert_eq!(store.list_log(new.id).await.unwrap().len(), 1, "the log stays");
    assert_state(subject, new.id, JobChange::Retry, JobState::Inactive).await;
    let lost = store.complete(claimed.holder, None, subject.now()).await;
    assert!(matches!(lost, Err(LostLease::Lost)), "{lost:?}");
    let again = subject.claim_one("test").await;
    assert_eq!(again.job.attempts_made, 1);
    assert_ne!(again.holder, claimed.holder);
    subject.complete(&again).await;
    assert_state(subject, new.id, JobChange::Retry, JobState::Complete).await;
}

pub async fn a_job_that_is_not_active_can_be_removed(subject: &JobsSubject) {
    let delayed = NewJob { run_at: Some(subject.now() + SECOND), ..subject.job("delayed") };
    let (waiting, worked) = (subject.job("waiting"), subject.job("worked"));
    subject.insert(&[delayed.clone(), waiting.clone(), worked.clone()]).await;
    let claimed = subject.claim_one("worked").await;
    subject.store.log(claimed.holder, "a line", subject.now()).await.unwrap();
    let remove = async |id| subject.admin.remove(id, subject.now()).await;
    assert!(matches!(remove(worked.id).await, Err(ChangeJobError::State(JobState::Active))));
    subject.complete(&claimed).await;
    for id in [delayed.id, waiting.id, worked.id] {
        remove(id).await.unwrap();
        assert_eq!(subject.store.find(id).await.unwrap(), None);
        assert!(matches!(remove(id).await, Err(ChangeJobError::NotFound)));
        assert_eq!(subject.store.known(&[id]).await.unwrap(), [id]);
        assert!(subject.store.list_log(id).await.unwrap().is_empty());
    }
    assert!(subject.claim(&["waiting", "delayed"], 10).await.is_empty());
    assert_eq!(subject.store.next_due().await.unwrap(), None);
    assert!(subject.admin.counts(None).await.unwrap().values().all(|count| *count == 0));
}

pub async fn of_two_changes_that_exclude_one_another_one_succeeds(subject: &JobsSubject) {
    for _ in 0..10 {
        let job = subject.inserted("test").await;
        let claimed = subject.claim_one("test").await;
        let cancels = (0..4).map(|_| subject.change(job.id, JobChange::Cancel));
        let (completed, cancels) = futures_util::join!(
            subject.store.complete(claimed.holder, None, subject.now()),
            join_all(cancels)
        );
        let cancelled = cancels.iter().filter(|cancelled| cancelled.is_ok()).count();
        assert_eq!(cancelled + usize::from(completed.is_ok()), 1, "{completed:?} {cancels:?}");
        let state = if completed.is_ok() { JobState::Complete } else { JobState::Cancelled };
        assert_eq!(subject.get(job.id).await.state, state);
    }
    let counts = subject.admin.counts(None).await.unwrap();
    assert_eq!(counts[&JobState::Complete] + counts[&JobState::Cancelled], 10);
}

pub async fn dead_jobs_are_retried_in_steps(subject: &JobsSubject) {
    let mut dead = Vec::new();
    for n in 0..7 {
        let key = (n == 2).then(|| "k".to_owned());
        let job = NewJob { unique_key: key, ..subject.job(if n == 6 { "other" } else { "test" }) };
        subject.insert(std::slice::from_ref(&job)).await;
        let claimed = subject.claim_one(&job.kind).await;
        subject.store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap();
        dead.push(job.id);
    }
    let holder = NewJob { unique_key: Some("k".to_owned()), ..subject.job("holder") };
    subject.insert(std::slice::from_ref(&holder)).await;
    let retry =
        async |kind, after, limit| subject.admin.retry_dead(kind, after, limit, subject.now()).await.unwrap();
    let first = retry(Some("test"), None, 4).await;
    assert_eq!((first.retried, first.left), (3, 1));
    assert!(first.next.is_some());
    assert_eq!(subject.get(dead[4]).await.state, JobState::Failed);
    let rest = retry(Some("test"), first.next, 4).await;
    assert_eq!(rest, RetriedDead { retried: 2, left: 0, next: None });
    assert_eq!(subject.get(dead[6]).await.state, JobState::Failed, "of another type");
    subject.change(holder.id, JobChange::Cancel).await.unwrap();
    assert_eq!(retry(None, None, 100).await, RetriedDead { retried: 2, left: 0, next: None });
    assert_eq!(retry(None, None, 100).await, RetriedDead::default());
    let failed = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
    assert_eq!(subject.admin.total(&failed).await.unwrap(), Some(0));
    let mut retried = subject.claim(&["test", "other"], 10).await;
    retried.sort_unstable_by_key(|claimed| claimed.job.number);
    assert_eq!(retried.iter().map(|claimed| claimed.job.spec.id).collect::<Vec<_>>(), dead);
}
