use std::collections::HashSet;
use std::time::Duration;

use common::jobs::{Backoff, InsertOutcome, Job, JobState, LostLease, NewJob, Priority};
use common::{JobId, Timestamp};
use serde_json::json;

use super::JobsSubject;
use crate::a_trace;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

pub async fn a_job_is_found_as_it_was_inserted(subject: &JobsSubject) {
    let created_at = subject.now();
    subject.clock.advance(SECOND);
    let spec = NewJob {
        data: json!({"a": [1, 2.5, null], "b": "äöü"}),
        priority: Priority(-7),
        user: Some(subject.ids.next()),
        max_attempts: 7,
        backoff: Backoff::Exponential { delay_ms: 5, max_delay_ms: 500 },
        run_at: Some(created_at),
        created_at,
        request_id: Some("request-1".to_owned()),
        trace: Some(a_trace()),
        ..subject.job("test")
    };
    subject.insert(std::slice::from_ref(&spec)).await;
    let job = subject.get(spec.id).await;
    let expected = Job {
        number: job.number,
        spec,
        state: JobState::Inactive,
        progress: 0,
        progress_data: None,
        result: None,
        error: None,
        attempts_made: 0,
        failures: Vec::new(),
        inserted_at: subject.now(),
        started_at: None,
        updated_at: subject.now(),
        due_at: None,
        finished_at: None,
        worker: None,
    };
    assert_eq!(job, expected);
    assert_eq!(subject.store.find(subject.ids.next()).await.unwrap(), None);
}

pub async fn inserting_again_changes_nothing(subject: &JobsSubject) {
    let job = subject.inserted("test").await;
    let before = subject.get(job.id).await;
    subject.clock.advance(SECOND);
    let (changed, fresh) = (NewJob { priority: Priority::HIGH, ..job.clone() }, subject.job("test"));
    let outcomes =
        subject.store.insert(&[changed, fresh.clone(), fresh.clone()], subject.now()).await.unwrap();
    assert_eq!(outcomes, [InsertOutcome::Known, InsertOutcome::Inserted, InsertOutcome::Known]);
    assert_eq!(subject.get(job.id).await, before);
    assert_eq!(subject.admin.counts(None).await.unwrap()[&JobState::Inactive], 2);
    let claimed = subject.claim_one("test").await;
    subject.store.complete(claimed.holder, None, subject.now()).await.unwrap();
    assert_eq!(subject.store.insert(&[job], subject.now()).await.unwrap(), [InsertOutcome::Known]);
    assert_eq!(subject.store.insert(&[], subject.now()).await.unwrap(), []);
}

pub async fn of_simultaneous_insertions_one_counts(subject: &JobsSubject) {
    let jobs: Vec<_> = (0..5).map(|_| subject.job("test")).collect();
    let tries = (0..10).map(|_| subject.store.insert(&jobs, subject.now()));
    let outcomes = futures_util::future::join_all(tries).await;
    let inserted =
        outcomes.into_iter().flat_map(Result::unwrap).filter(|outcome| *outcome == InsertOutcome::Inserted);
    assert_eq!(inserted.count(), 5);
    assert_eq!(subject.admin.counts(None).await.unwrap()[&JobState::Inactive], 5);
}

pub async fn numbers_follow_the_array(subject: &JobsSubject) {
    let jobs: Vec<_> = (0..5).map(|_| subject.job("test")).collect();
    let shuffled = [3, 1, 4, 0, 2].map(|n| jobs[n].clone());
    subject.insert(&shuffled).await;
    let mut last = 0;
    for job in &shuffled {
        let number = subject.get(job.id).await.number;
        assert!(number > last, "numbers ascend from 1");
        last = number;
    }
}

pub async fn a_delayed_job_waits_for_its_time(subject: &JobsSubject) {
    assert_eq!(subject.store.next_due().await.unwrap(), None);
    let due = |seconds| Some(subject.now() + seconds * SECOND);
    let jobs = [20, 10, 30]
        .map(|seconds| NewJob { run_at: due(seconds), ..subject.job(&format!("after {seconds}")) });
    subject.insert(&jobs).await;
    assert_eq!(subject.get(jobs[0].id).await.state, JobState::Delayed);
    assert!(subject.claim(&["after 10", "after 20"], 10).await.is_empty());
    assert_eq!(subject.store.next_due().await.unwrap(), due(10));
    assert!(subject.store.promote_due(10, subject.now()).await.unwrap().is_empty());
    subject.clock.advance(20 * SECOND);
    assert_eq!(subject.store.promote_due(1, subject.now()).await.unwrap(), ["after 10"], "the oldest first");
    assert_eq!(subject.store.promote_due(10, subject.now()).await.unwrap(), ["after 20"]);
    assert!(subject.store.promote_due(10, subject.now()).await.unwrap().is_empty());
    assert_eq!(subject.store.next_due().await.unwrap(), jobs[2].run_at);
    let promoted = subject.get(jobs[0].id).await;
    assert_eq!((promoted.state, promoted.updated_at), (JobState::Inactive, subject.now()));
    assert_eq!(subject.claim(&["after 10", "after 20", "after 30"], 10).await.len(), 2);
}

pub async fn two_promoters_promote_each_job_once(subject: &JobsSubject) {
    let due = Some(subject.now() + SECOND);
    let jobs: Vec<_> = (0..30).map(|n| NewJob { run_at: due, ..subject.job(&format!("type {n}")) }).collect();
    subject.insert(&jobs).await;
    subject.clock.advance(SECOND);
    let promoters = (0..10).map(|_| subject.store.promote_due(7, subject.now()));
    let types: Vec<_> =
        futures_util::future::join_all(promoters).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(types.len(), 30);
    assert_eq!(types.into_iter().collect::<HashSet<_>>().len(), 30);
}

async fn completed(subject: &JobsSubject) -> JobId {
    let job = subject.inserted("test").await;
    let claimed = subject.claim_one("test").await;
    assert_eq!(claimed.job.spec.id, job.id);
    subject.store.complete(claimed.holder, None, subject.now()).await.unwrap();
    job.id
}

pub async fn a_removed_job_stays_known(subject: &JobsSubject) {
    let id = completed(subject).await;
    let there = subject.inserted("other").await;
    let unknown: JobId = subject.ids.next();
    subject.clock.advance(SECOND);
    assert_eq!(subject.removed(JobState::Complete, subject.now(), 10).await, 1);
    assert_eq!(subject.store.find(id).await.unwrap(), None);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    subject.clock.advance(DAY - SECOND);
    subject.store.promote_due(10, subject.now()).await.unwrap();
    let mut known = subject.store.known(&[unknown, id, there.id]).await.unwrap();
    known.sort_unstable();
    assert_eq!(known, [id, there.id]);
    let again = NewJob { id, ..subject.job("test") };
    assert_eq!(subject.store.insert(&[again], subject.now()).await.unwrap(), [InsertOutcome::Known]);
    assert_eq!(subject.store.find(id).await.unwrap(), None, "it does not come back");
    assert!(subject.store.known(&[]).await.unwrap().is_empty());
}

pub async fn finished_jobs_are_removed_in_steps(subject: &JobsSubject) {
    let start = subject.now();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(completed(subject).await);
        subject.clock.advance(SECOND);
    }
    let waiting = subject.inserted("test").await;
    let remove = async |state, before, limit| subject.removed(state, before, limit).await;
    assert_eq!(remove(JobState::Complete, start, 10).await, 0, "before is exclusive");
    assert_eq!(remove(JobState::Failed, subject.now(), 10).await, 0);
    assert_eq!(remove(JobState::Inactive, Timestamp::MAX, 10).await, 0, "it is not finished");
    assert_eq!(remove(JobState::Complete, subject.now(), 2).await, 2);
    assert_eq!(subject.store.find(ids[1]).await.unwrap(), None, "the oldest first");
    assert_eq!(subject.get(ids[2]).await.state, JobState::Complete);
    assert_eq!(remove(JobState::Complete, subject.now(), 10).await, 3);
    assert_eq!(subject.get(waiting.id).await.state, JobState::Inactive);
    let counts = subject.admin.counts(None).await.unwrap();
    assert_eq!((counts[&JobState::Complete], counts[&JobState::Inactive]), (0, 1));
}

pub async fn the_log_keeps_the_last_lines(subject: &JobsSubject) {
    subject.insert(&[subject.job("test"), subject.job("test")]).await;
    let claimed = subject.claim(&["test"], 2).await;
    let (job, other) = (claimed[0].holder, claimed[1].holder);
    let log = async |line: &str| subject.store.log(job, line, subject.now()).await;
    assert!(subject.store.list_log(job.job).await.unwrap().is_empty());
    log("first").await.unwrap();
    subject.clock.advance(SECOND);
    log(&"ä".repeat(4096)).await.unwrap();
    let lines = subject.store.list_log(job.job).await.unwrap();
    assert_eq!(lines[0], (subject.now() - SECOND, "first".to_owned()));
    assert_eq!(lines[1], (subject.now(), "ä".repeat(2048)));
    for n in 0..1000 {
        log(&format!("line {n}")).await.unwrap();
    }
    let lines = subject.store.list_log(job.job).await.unwrap();
    assert_eq!(lines.len(), 1000);
    assert_eq!((lines[0].1.as_str(), lines[999].1.as_str()), ("line 0", "line 999"));
    assert!(subject.store.list_log(other.job).await.unwrap().is_empty());
    subject.complete(&claimed[0]).await;
    assert!(matches!(log("late").await, Err(LostLease::Lost)));
    assert_eq!(subject.store.list_log(job.job).await.unwrap().len(), 1000);
}

pub async fn the_job_store_answers_a_ping(subject: &JobsSubject) {
    subject.store.ping().await.unwrap();
}
