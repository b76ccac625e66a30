use std::collections::HashSet;
use std::time::Duration;

use common::jobs::{Claimed, JobChange, JobState, NewJob, Priority};
use common::{JobId, UserId};

use super::{JobsSubject, LEASE};

fn ids(claimed: &[Claimed]) -> Vec<JobId> {
    claimed.iter().map(|claimed| claimed.job.spec.id).collect()
}

pub async fn claims_follow_priority_then_number(subject: &JobsSubject) {
    let priorities = [0, 10, -15, 0, -15, 3, -100];
    let jobs: Vec<_> =
        priorities.iter().map(|n| NewJob { priority: Priority(*n), ..subject.job("test") }).collect();
    subject.insert(&jobs).await;
    let expected: Vec<_> = [6, 2, 4, 0, 3, 5, 1].iter().map(|n| jobs[*n].id).collect();
    let mut claimed = ids(&subject.claim(&["test"], 3).await);
    for _ in 0..5 {
        claimed.extend(ids(&subject.claim(&["test"], 1).await));
    }
    assert_eq!(claimed, expected);
}

/// Those behind a job that was called off had gone before older ones of others.
pub async fn a_job_that_leaves_the_line_leaves_no_gap(subject: &JobsSubject) {
    for change in [Some(JobChange::Cancel), Some(JobChange::Priority(Priority::LOW)), None] {
        let (one, other): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
        let line = [one, other, one].map(|user| subject.job_of("test", user));
        subject.insert(&line).await;
        match change {
            Some(change) => drop(subject.change(line[0].id, change).await.unwrap()),
            None => subject.admin.remove(line[0].id, subject.now()).await.unwrap(),
        }
        let claimed = subject.claim(&["test"], 2).await;
        assert_eq!(ids(&claimed), [line[1].id, line[2].id], "{change:?}");
        for claimed in claimed.iter().chain(&subject.claim(&["test"], 1).await) {
            subject.complete(claimed).await;
        }
    }
}

pub async fn the_user_with_the_fewest_active_jobs_is_next(subject: &JobsSubject) {
    let (many, one, urgent): (UserId, UserId, UserId) =
        (subject.ids.next(), subject.ids.next(), subject.ids.next());
    let photos: Vec<_> = (0..10).map(|_| subject.job_of("photo", many)).collect();
    subject.insert(&photos).await;
    let late = [subject.job_of("photo", one), subject.job_of("mail", one), subject.job_of("photo", one)];
    subject.insert(&late).await;
    let (photos, late): (Vec<_>, Vec<_>) =
        (photos.iter().map(|job| job.id).collect(), late.iter().map(|job| job.id).collect());
    // one each in turn, whatever arrived before
    let claimed = subject.claim(&["photo"], 4).await;
    assert_eq!(ids(&claimed), [photos[0], late[0], photos[1], late[2]]);
    // active jobs of every type count, and those of other calls
    assert_eq!(
        ids(&subject.claim(&["photo", "mail"], 1).await),
        [photos[2]],
        "both have two, the number decides"
    );
    assert_eq!(ids(&subject.claim(&["photo", "mail"], 1).await), [late[1]]);
    // who finishes comes sooner
    let third: UserId = subject.ids.next();
    let more = [subject.job_of("photo", one), subject.job_of("photo", third)];
    subject.insert(&more).await;
    assert_eq!(ids(&subject.claim(&["photo"], 1).await), [more[1].id]);
    for claimed in &claimed {
        subject.store.complete(claimed.holder, None, subject.now()).await.unwrap();
    }
    assert_eq!(ids(&subject.claim(&["photo"], 2).await), [photos[3], more[0].id], "one active each");
    // urgency is before fairness
    let job = NewJob { priority: Priority::HIGH, ..subject.job_of("photo", many) };
    subject.insert(std::slice::from_ref(&job)).await;
    subject.insert(&[subject.job_of("photo", urgent)]).await;
    assert_eq!(ids(&subject.claim(&["photo"], 1).await), [job.id]);
}

pub async fn jobs_of_nobody_count_as_one_user(subject: &JobsSubject) {
    let user: UserId = subject.ids.next();
    let jobs = [subject.job("test"), subject.job("test"), subject.job("test"), subject.job_of("test", user)];
    subject.insert(&jobs).await;
    let claimed = subject.claim(&["test"], 4).await;
    assert_eq!(ids(&claimed), [jobs[0].id, jobs[3].id, jobs[1].id, jobs[2].id]);
}

pub async fn claims_bring_only_what_was_asked_for(subject: &JobsSubject) {
    subject.insert(&[subject.job("a"), subject.job("b"), subject.job("a")]).await;
    assert!(subject.claim(&[], 10).await.is_empty());
    assert!(subject.claim(&["c"], 10).await.is_empty());
    assert!(subject.claim(&["a"], 0).await.is_empty());
    assert_eq!(subject.claim(&["a"], 1).await.len(), 1);
    let rest = subject.claim(&["a", "c", "a"], 10).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].job.spec.kind, "a");
    assert_eq!(subject.claim(&["b", "a"], 10).await.len(), 1);
}

pub async fn a_claim_makes_a_job_active(subject: &JobsSubject) {
    let new = subject.inserted("test").await;
    let before = subject.get(new.id).await;
    subject.clock.advance(Duration::from_secs(1));
    let claimed = subject.claim_one("test").await;
    let now = subject.now();
    assert_eq!(claimed.lease_until, now + LEASE);
    assert_eq!(claimed.holder.job, new.id);
    let expected = common::jobs::Job {
        state: JobState::Active,
        attempts_made: 1,
        started_at: Some(now),
        updated_at: now,
        worker: Some("worker 1".to_owned()),
        ..before
    };
    assert_eq!(claimed.job, expected);
    assert_eq!(subject.get(new.id).await, expected);
}

pub async fn no_job_is_claimed_twice(subject: &JobsSubject) {
    let users: Vec<UserId> = (0..3).map(|_| subject.ids.next()).collect();
    let jobs: Vec<_> = (0..60).map(|n| subject.job_of("test", users[n % 3])).collect();
    subject.insert(&jobs).await;
    let claims = futures_util::future::join_all((0..20).map(|_| subject.claim(&["test"], 4))).await;
    let claimed: Vec<_> = claims.iter().flat_map(|claimed| ids(claimed)).collect();
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 60);
    let one = subject.inserted("single").await;
    let claims = futures_util::future::join_all((0..20).map(|_| subject.claim(&["single"], 1))).await;
    assert_eq!(claims.iter().flat_map(|claimed| ids(claimed)).collect::<Vec<_>>(), [one.id]);
}

/// Many users wait at once: looking at each of them for each claim would not come to an end here.
pub async fn a_long_queue_of_many_users_is_worked_in_order(subject: &JobsSubject) {
    const USERS: usize = if cfg!(feature = "long") { 4_000 } else { 1_000 };
    let users: Vec<UserId> = (0..USERS).map(|_| subject.ids.next()).collect();
    let jobs: Vec<_> = (0..2 * USERS).map(|n| subject.job_of("test", users[n / 2])).collect();
    for part in jobs.chunks(1000) {
        subject.insert(part).await;
    }
    let mut claimed = Vec::new();
    while claimed.len() < USERS + 100 {
        let part = subject.claim(&["test"], 100).await;
        assert_eq!(part.len(), 100);
        claimed.extend(ids(&part));
    }
    let first_of_each = jobs.iter().step_by(2).map(|job| job.id);
    let then_the_second = jobs.iter().skip(1).step_by(2).map(|job| job.id).take(100);
    assert_eq!(claimed, first_of_each.chain(then_the_second).collect::<Vec<_>>());
}
