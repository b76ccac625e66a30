use std::time::Duration;

use common::jobs::{ChangeJobError, InsertOutcome, JobChange, JobState, NewJob};
use futures_util::future::join_all;

use super::{JobsSubject, failure};

fn keyed(subject: &JobsSubject, kind: &str, key: &str) -> NewJob {
    NewJob { unique_key: Some(key.to_owned()), ..subject.job(kind) }
}

async fn insert_one(subject: &JobsSubject, job: &NewJob) -> InsertOutcome {
    subject.store.insert(std::slice::from_ref(job), subject.now()).await.unwrap()[0]
}

pub async fn a_key_belongs_to_one_live_job(subject: &JobsSubject) {
    let (first, second) = (keyed(subject, "test", "k"), keyed(subject, "other", "k"));
    let later =
        NewJob { run_at: Some(subject.now() + Duration::from_secs(9)), ..keyed(subject, "test", "later") };
    let jobs =
        [first.clone(), second.clone(), keyed(subject, "test", "K"), later.clone(), subject.job("test")];
    let outcomes = subject.store.insert(&jobs, subject.now()).await.unwrap();
    let taken = InsertOutcome::Taken(first.id);
    assert_eq!(outcomes[..2], [InsertOutcome::Inserted, taken], "also in one array");
    assert!(outcomes[2..].iter().all(|outcome| *outcome == InsertOutcome::Inserted), "{outcomes:?}");
    assert_eq!(subject.get(first.id).await.spec, first);
    assert_eq!(subject.store.find(second.id).await.unwrap(), None);
    assert_eq!(subject.store.known(&[second.id]).await.unwrap(), [second.id], "its relay has done its work");
    assert_eq!(insert_one(subject, &second).await, InsertOutcome::Known);
    assert_eq!(insert_one(subject, &first).await, InsertOutcome::Known);
    assert_eq!(insert_one(subject, &keyed(subject, "x", "later")).await, InsertOutcome::Taken(later.id));
    let claimed = subject.claim_one("test").await;
    assert_eq!(claimed.job.spec.id, first.id);
    assert_eq!(insert_one(subject, &keyed(subject, "x", "k")).await, taken, "while it is worked");
    subject.store.fail(claimed.holder, &failure(true), subject.now()).await.unwrap();
    assert_eq!(
        insert_one(subject, &keyed(subject, "x", "k")).await,
        taken,
        "while it waits for its next attempt"
    );
    let counts = subject.admin.counts(None).await.unwrap();
    assert_eq!(counts.values().sum::<u64>(), 4);
}

pub async fn of_simultaneous_jobs_with_one_key_one_is_inserted(subject: &JobsSubject) {
    for round in 0..5 {
        let jobs: Vec<_> = (0..8).map(|_| keyed(subject, "test", &format!("k{round}"))).collect();
        let tries = jobs.iter().map(|job| insert_one(subject, job));
        let outcomes = join_all(tries).await;
        let inserted: Vec<_> = (0..8).filter(|n| outcomes[*n] == InsertOutcome::Inserted).collect();
        assert_eq!(inserted.len(), 1, "{outcomes:?}");
        let taken = InsertOutcome::Taken(jobs[inserted[0]].id);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == taken).count(), 7, "{outcomes:?}");
    }
    assert_eq!(subject.admin.counts(None).await.unwrap()[&JobState::Inactive], 5);
}

/// C151: complete, failed, cancelled, removed.
pub async fn a_key_is_free_when_its_job_has_ended(subject: &JobsSubject) {
    let mut ended = Vec::new();
    for end in 0..5 {
        let job = keyed(subject, "test", "k");
        assert_eq!(insert_one(subject, &job).await, InsertOutcome::Inserted, "after end {end}");
        match end {
            0 => {
                let claimed = subject.claim_one("test").await;
                subject.complete(&claimed).await;
            }
            1 => {
                let claimed = subject.claim_one("test").await;
                subject.store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap();
            }
            2 => drop(subject.change(job.id, JobChange::Cancel).await.unwrap()),
            3 => subject.admin.remove(job.id, subject.now()).await.unwrap(),
            _ => {}
        }
        ended.push(job.id);
    }
    let holder = ended[4];
    for dead in [ended[1], ended[2]] {
        let refused = subject.change(dead, JobChange::Retry).await;
        assert!(matches!(refused, Err(ChangeJobError::Taken(id)) if id == holder), "{refused:?}");
    }
    subject.change(holder, JobChange::Cancel).await.unwrap();
    subject.change(ended[1], JobChange::Retry).await.unwrap();
    assert_eq!(insert_one(subject, &keyed(subject, "x", "k")).await, InsertOutcome::Taken(ended[1]));
}
