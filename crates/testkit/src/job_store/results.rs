use std::collections::HashSet;
use std::time::Duration;

use common::jobs::{
    Attempt, AttemptEnd, Backoff, ClaimRequest, Ended, Ending, FailOutcome, Failure, Job, JobState,
    LeaseHolder, LostLease, MOST_FAILURES, NewJob,
};
use serde_json::json;

use super::{JobsSubject, LEASE, TTL, failure};

const SECOND: Duration = Duration::from_secs(1);
const BACKOFF: Duration = Duration::from_secs(10);

/// No call of this holder is taken, and none changes anything.
async fn assert_lost(subject: &JobsSubject, holder: LeaseHolder) {
    let (store, now) = (&subject.store, subject.now());
    let before = store.find(holder.job).await.unwrap();
    let results = [
        store.heartbeat(holder, LEASE, now).await.map(drop),
        store.progress(holder, 50, None, now).await,
        store.complete(holder, Some(&json!("stolen")), now).await,
        store.fail(holder, &failure(true), now).await.map(drop),
        store.give_back(holder, now).await,
        store.log(holder, "stolen", now).await,
    ];
    for result in results {
        assert!(matches!(result, Err(LostLease::Lost)), "{result:?}");
    }
    assert_eq!(store.find(holder.job).await.unwrap(), before);
}

pub async fn a_heartbeat_renews_the_lease(subject: &JobsSubject) {
    subject.inserted("test").await;
    let claimed = subject.claim_one("test").await;
    subject.clock.advance(LEASE - SECOND);
    let until = subject.store.heartbeat(claimed.holder, LEASE, subject.now()).await.unwrap();
    assert_eq!(until, subject.now() + LEASE);
    subject.clock.advance(LEASE - SECOND);
    assert!(subject.store.reap(10, subject.now()).await.unwrap().is_empty());
    subject.clock.advance(SECOND);
    assert_lost(subject, claimed.holder).await;
    assert_eq!(subject.store.reap(10, subject.now()).await.unwrap(), ["test"]);
}

pub async fn progress_renews_the_time_to_live(subject: &JobsSubject) {
    subject.inserted("test").await;
    let claimed = subject.claim_one("test").await;
    let long = 10 * TTL;
    subject.store.heartbeat(claimed.holder, long, subject.now()).await.unwrap();
    subject.clock.advance(TTL - SECOND);
    subject.store.progress(claimed.holder, 42, None, subject.now()).await.unwrap();
    let job = subject.get(claimed.holder.job).await;
    assert_eq!((job.progress, job.updated_at, job.state), (42, subject.now(), JobState::Active));
    subject.clock.advance(TTL - SECOND);
    assert!(subject.store.reap(10, subject.now()).await.unwrap().is_empty());
    // a heartbeat does not
    subject.store.heartbeat(claimed.holder, long, subject.now()).await.unwrap();
    subject.clock.advance(SECOND);
    assert_lost(subject, claimed.holder).await;
    assert_eq!(subject.store.reap(10, subject.now()).await.unwrap(), ["test"]);
}

pub async fn a_completed_job_keeps_its_result(subject: &JobsSubject) {
    let results = [None, Some(json!(null)), Some(json!({"made": [1, 2], "text": "äöü"}))];
    for result in results {
        subject.inserted("test").await;
        let claimed = subject.claim_one("test").await;
        subject.clock.advance(SECOND);
        subject.store.complete(claimed.holder, result.as_ref(), subject.now()).await.unwrap();
        let expected = Job {
            state: JobState::Complete,
            progress: 100,
            result,
            finished_at: Some(subject.now()),
            updated_at: subject.now(),
            ..claimed.job
        };
        assert_eq!(subject.get(claimed.holder.job).await, expected);
        assert_lost(subject, claimed.holder).await;
    }
    subject.clock.advance(10 * TTL);
    assert!(subject.store.reap(10, subject.now()).await.unwrap().is_empty());
    assert!(subject.claim(&["test"], 10).await.is_empty());
}

pub async fn ends_stand_for_themselves_and_make_room_for_a_claim(subject: &JobsSubject) {
    let jobs: Vec<NewJob> = (0..6).map(|_| subject.job("test")).collect();
    subject.insert(&jobs).await;
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let held = subject.claim(&["test"], 4).await;
    let [first, second, third, fourth] = &*held else { panic!("{held:?}") };
    subject.store.complete(fourth.holder, None, subject.now()).await.unwrap();
    let foreign = LeaseHolder { mark: first.holder.mark % (1 << 62) + 1, ..first.holder };
    let end = |holder, ending| AttemptEnd { holder, ending };
    let ends = [
        end(foreign, Ending::Complete(Some(json!("stolen")))),
        end(first.holder, Ending::Complete(Some(json!(1)))),
        end(second.holder, Ending::Failed(failure(true))),
        end(third.holder, Ending::Failed(failure(false))),
        end(fourth.holder, Ending::Complete(None)),
    ];
    let wanted =
        ClaimRequest { types: vec!["test".to_owned()], worker: "w".to_owned(), max: 5, lease: LEASE };
    let taken = subject.store.end(&ends, Some(&wanted), subject.now()).await.unwrap();
    let outcomes: Vec<_> = taken.ended.iter().map(|ended| ended.as_ref().ok()).collect();
    let [
        None,
        Some(Ended::Complete),
        Some(Ended::Failed(FailOutcome::Retry(_))),
        Some(Ended::Failed(FailOutcome::Dead)),
        None,
    ] = outcomes[..]
    else {
        panic!("{:?}", taken.ended)
    };
    let state = async |index: usize| subject.get(ids[index]).await.state;
    assert_eq!(
        (state(0).await, state(1).await, state(2).await),
        (JobState::Complete, JobState::Delayed, JobState::Failed)
    );
    assert_eq!(subject.get(ids[0]).await.result, Some(json!(1)));
    // those that are left, in their order
    let claims = taken.claims.unwrap().jobs;
    let claimed: Vec<_> = claims.iter().map(|claimed| claimed.job.spec.id).collect();
    assert_eq!(claimed, ids[4..]);
    for claimed in claims {
        assert_eq!((claimed.job.state, claimed.lease_until), (JobState::Active, subject.now() + LEASE));
        subject.store.complete(claimed.holder, None, subject.now()).await.unwrap();
    }
    // nothing to end, nothing to claim
    let taken = subject.store.end(&[], Some(&wanted), subject.now()).await.unwrap();
    assert!(taken.ended.is_empty() && taken.claims.unwrap().jobs.is_empty());
    let counts = subject.admin.counts(None).await.unwrap();
    let count = |state| counts.get(&state).copied().unwrap_or(0);
    assert_eq!(
        [JobState::Active, JobState::Inactive, JobState::Complete, JobState::Failed, JobState::Delayed]
            .map(count),
        [0, 0, 4, 1, 1]
    );
}

pub async fn a_failed_attempt_comes_back_after_its_backoff(subject: &JobsSubject) {
    let new = NewJob {
        backoff: Backoff::Exponential { delay_ms: 10_000, max_delay_ms: 15_000 },
        max_attempts: 4,
        ..subject.job("test")
    };
    subject.insert(std::slice::from_ref(&new)).await;
    let mut failures = Vec::new();
    for (number, delay, jitter_percent) in [(1, 10_000, 0), (2, 15_000, 0), (3, 13_500, 50)] {
        let claimed = subject.claim_one("test").await;
        assert_eq!((claimed.job.attempts_made, &claimed.job.failures), (number, &failures));
        assert!(LeaseHolder::MARKS.contains(&claimed.holder.mark));
        let error = format!("error {number}");
        let failure = Failure {
            error: error.clone(),
            retryable: true,
            jitter_percent,
            not_before: None,
            uncounted: false,
        };
        let outcome = subject.store.fail(claimed.holder, &failure, subject.now()).await.unwrap();
        let due = subject.now() + Duration::from_millis(delay);
        assert_eq!(outcome, FailOutcome::Retry(due));
        failures.push(Attempt { number, at: subject.now(), error: error.clone() });
        let job = subject.get(new.id).await;
        assert_eq!((job.state, job.error, &job.failures), (JobState::Delayed, Some(error), &failures));
        assert_eq!(job.finished_at, None);
        assert_lost(subject, claimed.holder).await;
        assert_eq!(subject.store.next_due().await.unwrap(), Some(due));
        assert!(subject.claim(&["test"], 10).await.is_empty());
        subject.clock.set(due);
        assert_eq!(subject.store.promote_due(10, subject.now()).await.unwrap(), ["test"]);
    }
    let claimed = subject.claim_one("test").await;
    subject.store.complete(claimed.holder, None, subject.now()).await.unwrap();
    let job = subject.get(new.id).await;
    assert_eq!((job.attempts_made, job.error, job.failures), (4, None, failures), "the history stays");
}

pub async fn of_many_failures_the_latest_are_kept(subject: &JobsSubject) {
    let most = u32::try_from(MOST_FAILURES).unwrap();
    let new = NewJob { backoff: Backoff::None, max_attempts: most + 3, ..subject.job("test") };
    subject.insert(std::slice::from_ref(&new)).await;
    for _ in 0..most + 3 {
        let claimed = subject.claim_one("test").await;
        let failure = Failure {
            error: "no".to_owned(),
            retryable: true,
            jitter_percent: 0,
            not_before: None,
            uncounted: false,
        };
        subject.store.fail(claimed.holder, &failure, subject.now()).await.unwrap();
        subject.store.promote_due(10, subject.now()).await.unwrap();
    }
    let job = subject.get(new.id).await;
    assert_eq!((job.state, job.attempts_made), (JobState::Failed, most + 3));
    assert!(job.failures.iter().map(|failure| failure.number).eq(4..=most + 3), "{:?}", job.failures);
}

pub async fn a_failure_may_put_the_next_attempt_off(subject: &JobsSubject) {
    let backoff = Backoff::Fixed { delay_ms: 10_000 };
    let new = NewJob { backoff, max_attempts: 4, ..subject.job("test") };
    subject.insert(std::slice::from_ref(&new)).await;
    for (put_off_ms, delay_ms) in [(60_000, 60_000), (1_000, 10_000)] {
        let claimed = subject.claim_one("test").await;
        let not_before = Some(subject.now() + Duration::from_millis(put_off_ms));
        let failure = Failure { not_before, ..failure(true) };
        let outcome = subject.store.fail(claimed.holder, &failure, subject.now()).await.unwrap();
        let due = subject.now() + Duration::from_millis(delay_ms);
        assert_eq!(outcome, FailOutcome::Retry(due), "never sooner than the backoff says");
        assert_eq!(subject.store.next_due().await.unwrap(), Some(due));
        subject.clock.set(due);
        assert_eq!(subject.store.promote_due(10, subject.now()).await.unwrap(), ["test"]);
    }
    let claimed = subject.claim_one("test").await;
    let not_before = Some(subject.now() + Duration::from_secs(60));
    let failure = Failure { not_before, ..failure(false) };
    let outcome = subject.store.fail(claimed.holder, &failure, subject.now()).await.unwrap();
    assert_eq!(outcome, FailOutcome::Dead);
}

/// However long what it needs is away.
pub async fn an_attempt_that_is_not_counted_is_made_again(subject: &JobsSubject) {
    let new = NewJob { max_attempts: 1, ..subject.job("test") };
    subject.insert(std::slice::from_ref(&new)).await;
    let away = Failure { error: "away".to_owned(), uncounted: true, ..failure(true) };
    let begun = subject.now();
    for _ in 0..3 {
        let claimed = subject.claim_one("test").await;
        assert_eq!(claimed.job.attempts_made, 1);
        let outcome = subject.store.fail(claimed.holder, &away, subject.now()).await.unwrap();
        assert_eq!(outcome, FailOutcome::Retry(subject.now() + BACKOFF));
        let job = subject.get(new.id).await;
        assert_eq!(
            (job.state, job.attempts_made, job.error.as_deref()),
            (JobState::Delayed, 0, Some("away"))
        );
        let first = Attempt { number: 1, at: begun, error: "away".to_owned() };
        assert_eq!(job.failures, [first], "since when it waits");
        subject.clock.advance(BACKOFF);
        subject.store.promote_due(10, subject.now()).await.unwrap();
    }
    let claimed = subject.claim_one("test").await;
    let outcome = subject.store.fail(claimed.holder, &failure(true), subject.now()).await.unwrap();
    assert_eq!(outcome, FailOutcome::Dead);
    let job = subject.get(new.id).await;
    let last = Attempt { number: 1, at: subject.now(), error: "it broke".to_owned() };
    assert_eq!((job.attempts_made, job.failures), (1, vec![last]), "the one that counts");
}

pub async fn the_last_attempt_and_a_permanent_failure_are_final(subject: &JobsSubject) {
    let last = NewJob { max_attempts: 1, ..subject.job("last") };
    let permanent = subject.job("permanent");
    subject.insert(&[last.clone(), permanent.clone()]).await;
    for (new, retryable) in [(&last, true), (&permanent, false)] {
        let claimed = subject.claim_one(&new.kind).await;
        let outcome = subject.store.fail(claimed.holder, &failure(retryable), subject.now()).await.unwrap();
        assert_eq!(outcome, FailOutcome::Dead);
        let expected = Job {
            state: JobState::Failed,
            error: Some("it broke".to_owned()),
            failures: vec![Attempt { number: 1, at: subject.now(), error: "it broke".to_owned() }],
            finished_at: Some(subject.now()),
            updated_at: subject.now(),
            ..claimed.job
        };
        assert_eq!(subject.get(new.id).await, expected);
    }
    assert_eq!(subject.store.next_due().await.unwrap(), None);
}

pub async fn a_job_given_back_was_never_tried(subject: &JobsSubject) {
    let first = subject.inserted("test").await;
    let second = subject.inserted("test").await;
    let before = subject.get(first.id).await;
    let claimed = subject.claim_one("test").await;
    subject.clock.advance(SECOND);
    subject.store.give_back(claimed.holder, subject.now()).await.unwrap();
    assert_eq!(subject.get(first.id).await, Job { updated_at: subject.now(), ..before });
    assert_lost(subject, claimed.holder).await;
    let again = subject.claim(&["test"], 2).await;
    assert_eq!(again.iter().map(|claimed| claimed.job.spec.id).collect::<Vec<_>>(), [first.id, second.id]);
    assert_eq!(again[0].job.attempts_made, 1);
    assert_ne!(again[0].holder, claimed.holder);
    assert_lost(subject, claimed.holder).await;
}

pub async fn a_lost_lease_takes_no_result(subject: &JobsSubject) {
    let job = subject.inserted("test").await;
    assert_lost(subject, LeaseHolder { job: subject.ids.next(), mark: 1 }).await;
    assert_lost(subject, LeaseHolder { job: job.id, mark: 0 }).await;
    let first = subject.claim_one("test").await;
    assert_lost(subject, LeaseHolder { mark: first.holder.mark + 1, ..first.holder }).await;
    subject.clock.advance(LEASE);
    assert_lost(subject, first.holder).await;
    subject.store.reap(10, subject.now()).await.unwrap();
    assert_lost(subject, first.holder).await;
    subject.clock.advance(BACKOFF);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    let second = subject.claim_one("test").await;
    assert_ne!(second.holder, first.holder);
    assert_lost(subject, first.holder).await;
    // of two results of one claim one is taken
    let permanent = failure(false);
    let (complete, fail) = tokio::join!(
        subject.store.complete(second.holder, None, subject.now()),
        subject.store.fail(second.holder, &permanent, subject.now())
    );
    assert!(complete.is_ok() != fail.is_ok(), "{complete:?} {fail:?}");
}

pub async fn a_job_whose_lease_ended_goes_elsewhere(subject: &JobsSubject) {
    let new = NewJob { max_attempts: 2, ..subject.job("test") };
    subject.insert(std::slice::from_ref(&new)).await;
    let claimed = subject.claim_one("test").await;
    subject.clock.advance(LEASE);
    assert_eq!(subject.store.reap(10, subject.now()).await.unwrap(), ["test"]);
    assert!(subject.store.reap(10, subject.now()).await.unwrap().is_empty());
    let job = subject.get(new.id).await;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Delayed, Some("lease lost")));
    assert_eq!(job.failures, [Attempt { number: 1, at: subject.now(), error: "lease lost".to_owned() }]);
    let due = subject.store.next_due().await.unwrap().unwrap();
    assert!(due > subject.now() && due <= subject.now() + BACKOFF, "after its backoff, with some jitter");
    subject.clock.set(due);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    let again = subject.claim_one("test").await;
    assert_ne!(again.holder, claimed.holder);
    subject.clock.advance(LEASE);
    subject.store.reap(10, subject.now()).await.unwrap();
    let job = subject.get(new.id).await;
    assert_eq!((job.state, job.failures.len(), job.finished_at), (JobState::Failed, 2, Some(subject.now())));
}

pub async fn a_job_whose_time_ended_fails(subject: &JobsSubject) {
    let new = subject.inserted("test").await;
    let claimed = subject.claim_one("test").await;
    subject.store.heartbeat(claimed.holder, 2 * TTL, subject.now()).await.unwrap();
    subject.clock.advance(TTL);
    assert_lost(subject, claimed.holder).await;
    assert_eq!(subject.store.reap(10, subject.now()).await.unwrap(), ["test"]);
    assert_eq!(subject.get(new.id).await.error.as_deref(), Some("TTL exceeded"));
}

pub async fn two_reapers_take_each_job_once(subject: &JobsSubject) {
    let jobs: Vec<_> = (0..30).map(|n| subject.job(&format!("type {n}"))).collect();
    subject.insert(&jobs).await;
    for job in &jobs {
        subject.claim_one(&job.kind).await;
    }
    subject.clock.advance(LEASE);
    let reapers = (0..10).map(|_| subject.store.reap(7, subject.now()));
    let types: Vec<_> =
        futures_util::future::join_all(reapers).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(types.len(), 30);
    assert_eq!(types.into_iter().collect::<HashSet<_>>().len(), 30);
    for job in &jobs {
        assert_eq!(subject.get(job.id).await.failures.len(), 1);
    }
}

pub async fn a_progress_carries_data(subject: &JobsSubject) {
    subject.inserted("test").await;
    let claimed = subject.claim_one("test").await;
    let data = json!({"page": 7, "of": [1, null]});
    subject.store.progress(claimed.holder, 250, Some(&data), subject.now()).await.unwrap();
    let job = subject.get(claimed.holder.job).await;
    assert_eq!((job.progress, job.progress_data), (100, Some(data)));
    subject.store.progress(claimed.holder, 50, None, subject.now()).await.unwrap();
    let job = subject.get(claimed.holder.job).await;
    assert_eq!((job.progress, job.progress_data), (50, None));
    subject.store.progress(claimed.holder, 60, Some(&json!(1)), subject.now()).await.unwrap();
    subject.store.fail(claimed.holder, &failure(true), subject.now()).await.unwrap();
    assert_eq!(subject.get(claimed.holder.job).await.progress_data, Some(json!(1)), "for whoever goes on");
    subject.clock.advance(BACKOFF);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    let again = subject.claim_one("test").await;
    assert_eq!((again.job.progress, again.job.progress_data), (0, Some(json!(1))), "it may go on from there");
}

/// C152: also when its lease has ended once.
pub async fn a_job_that_is_removed_on_completion_goes_then(subject: &JobsSubject) {
    let fleeting = |kind| NewJob { remove_on_complete: true, ..subject.job(kind) };
    let (stalled, failed) = (fleeting("stalled"), fleeting("failed"));
    subject.insert(&[stalled.clone(), failed.clone()]).await;
    let first = subject.claim_one("stalled").await;
    subject.clock.advance(LEASE);
    assert_eq!(subject.store.reap(10, subject.now()).await.unwrap(), ["stalled"]);
    assert_lost(subject, first.holder).await;
    subject.clock.advance(BACKOFF);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    let second = subject.claim_one("stalled").await;
    subject.complete(&second).await;
    assert_eq!(subject.store.find(stalled.id).await.unwrap(), None);
    assert_eq!(subject.store.known(&[stalled.id]).await.unwrap(), [stalled.id]);
    assert_lost(subject, second.holder).await;
    let claimed = subject.claim_one("failed").await;
    subject.store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap();
    assert_eq!(subject.get(failed.id).await.state, JobState::Failed, "a failure stays to be looked at");
    let counts = subject.admin.counts(None).await.unwrap();
    assert_eq!(counts.values().sum::<u64>(), 1);
}
