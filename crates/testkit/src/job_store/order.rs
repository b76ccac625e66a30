use std::collections::HashSet;
use std::time::Duration;

use common::jobs::{Claimed, JobChange, JobState, NewJob, Priority, SERVED_KEPT};
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
    let late = [subject.job_of("photo", one), subject.job_of("photo", one)];
    subject.insert(&late).await;
    let (photos, late): (Vec<_>, Vec<_>) =
        (photos.iter().map(|job| job.id).collect(), late.iter().map(|job| job.id).collect());
    // one each in turn, whatever arrived before
    let claimed = subject.claim(&["photo"], 4).await;
    assert_eq!(ids(&claimed), [photos[0], late[0], photos[1], late[1]]);
    // those of other calls count
    let third: UserId = subject.ids.next();
    let more = [subject.job_of("photo", one), subject.job_of("photo", third)];
    subject.insert(&more).await;
    assert_eq!(ids(&subject.claim(&["photo"], 1).await), [more[1].id]);
    // who finishes comes sooner
    for claimed in &claimed {
        subject.complete(claimed).await;
    }
    let more_of_third = subject.job_of("photo", third);
    subject.insert(std::slice::from_ref(&more_of_third)).await;
    assert_eq!(ids(&subject.claim(&["photo"], 2).await), [photos[2], more[0].id], "none active");
    assert_eq!(ids(&subject.claim(&["photo"], 1).await), [more_of_third.id], "one active each");
    // urgency is before fairness
    let job = NewJob { priority: Priority::HIGH, ..subject.job_of("photo", many) };
    subject.insert(std::slice::from_ref(&job)).await;
    subject.insert(&[subject.job_of("photo", urgent)]).await;
    assert_eq!(ids(&subject.claim(&["photo"], 1).await), [job.id]);
}

pub async fn jobs_of_other_types_do_not_count_against_a_user(subject: &JobsSubject) {
    let (one, other): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    subject.insert(&[(); 3].map(|()| subject.job_of("mail", one))).await;
    assert_eq!(subject.claim(&["mail"], 3).await.len(), 3);
    let photos = [one, other, one].map(|user| subject.job_of("photo", user));
    subject.insert(&photos).await;
    // neither active ones nor that one was served
    assert_eq!(ids(&subject.claim(&["photo"], 1).await), [photos[0].id]);
    // of one user and two types in one claim
    let more = ["mail", "film"].map(|kind| subject.job_of(kind, one));
    subject.insert(&more).await;
    let claimed = subject.claim(&["mail", "film", "photo"], 4).await;
    assert_eq!(ids(&claimed), [photos[1].id, more[1].id, photos[2].id, more[0].id]);
}

/// Claims and completes one job after another, as a single worker does.
async fn one_by_one(subject: &JobsSubject, count: usize) -> Vec<JobId> {
    let mut done = Vec::new();
    for _ in 0..count {
        let claimed = subject.claim_one("photo").await;
        subject.complete(&claimed).await;
        done.push(claimed.job.spec.id);
    }
    done
}

/// Nobody has an active job whenever a single worker claims.
pub async fn users_take_turns_at_a_single_worker(subject: &JobsSubject) {
    let (many, one): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    let photos: Vec<_> = (0..50).map(|_| subject.job_of("photo", many)).collect();
    subject.insert(&photos).await;
    let single = subject.job_of("photo", one);
    subject.insert(std::slice::from_ref(&single)).await;
    assert_eq!(one_by_one(subject, 4).await, [photos[0].id, single.id, photos[1].id, photos[2].id]);
    // who is back at once is no newcomer
    let mut single = subject.job_of("photo", one);
    subject.insert(std::slice::from_ref(&single)).await;
    for photo in &photos[3..8] {
        assert_eq!(one_by_one(subject, 1).await, [single.id]);
        single = subject.job_of("photo", one);
        subject.insert(std::slice::from_ref(&single)).await;
        assert_eq!(one_by_one(subject, 1).await, [photo.id]);
    }
    // several go round, nobody among them
    let others: Vec<UserId> = (0..3).map(|_| subject.ids.next()).collect();
    let rounds: Vec<_> = (0..2)
        .flat_map(|_| others.iter().copied().map(Some).chain([None]))
        .map(|user| NewJob { user, ..subject.job("photo") })
        .collect();
    subject.insert(&rounds).await;
    let (first, second) = rounds.split_at(4);
    let expected = first.iter().chain([&single, &photos[8]]).chain(second).chain([&photos[9]]);
    assert_eq!(one_by_one(subject, 11).await, expected.map(|job| job.id).collect::<Vec<_>>());
    // those behind them have lost nothing
    let rest = one_by_one(subject, 40).await;
    assert_eq!(rest, photos[10..].iter().map(|job| job.id).collect::<Vec<_>>());
}

/// Also when it was of another priority, or came to nothing.
pub async fn whoever_was_served_waits_for_the_others(subject: &JobsSubject) {
    let (one, other): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    let urgent = NewJob { priority: Priority::HIGH, ..subject.job_of("photo", one) };
    let jobs = [one, other, one, other].map(|user| subject.job_of("photo", user));
    subject.insert(std::slice::from_ref(&urgent)).await;
    subject.insert(&jobs).await;
    assert_eq!(one_by_one(subject, 2).await, [urgent.id, jobs[1].id]);
    let claimed = subject.claim_one("photo").await;
    assert_eq!(claimed.holder.job, jobs[0].id);
    subject.store.give_back(claimed.holder, subject.now()).await.unwrap();
    assert_eq!(one_by_one(subject, 3).await, [jobs[3].id, jobs[0].id, jobs[2].id]);
    // a newcomer is before both, and each stays where it is
    let jobs = [one, other, subject.ids.next()].map(|user| subject.job_of("photo", user));
    subject.insert(&jobs).await;
    assert_eq!(one_by_one(subject, 3).await, [jobs[2].id, jobs[1].id, jobs[0].id]);
}

/// More come back than a store looks at for a claim.
pub async fn many_who_were_served_wait_for_one_who_was_not(subject: &JobsSubject) {
    let users: Vec<UserId> = (0..50).map(|_| subject.ids.next()).collect();
    let insert = async |users: &[UserId]| {
        let jobs: Vec<_> = users.iter().map(|user| subject.job_of("photo", *user)).collect();
        subject.insert(&jobs).await;
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let first = insert(&users).await;
    let claimed = subject.claim(&["photo"], 50).await;
    assert_eq!(ids(&claimed), first);
    for claimed in &claimed {
        subject.complete(claimed).await;
    }
    // in the other order, and one more
    let back: Vec<UserId> = users.iter().rev().copied().collect();
    let back = insert(&back).await;
    let new = insert(&[subject.ids.next()]).await;
    assert_eq!(one_by_one(subject, 3).await, [new[0], back[49], back[48]]);
    let rest: Vec<JobId> = back[..48].iter().rev().copied().collect();
    assert_eq!(ids(&subject.claim(&["photo"], 100).await), rest);
}

pub async fn that_somebody_was_served_is_forgotten_in_time(subject: &JobsSubject) {
    let users: [UserId; 3] = [subject.ids.next(), subject.ids.next(), subject.ids.next()];
    let served = users.map(|user| subject.job_of("photo", user));
    subject.insert(&served).await;
    assert_eq!(one_by_one(subject, 3).await, served.map(|job| job.id));
    for (passed, order) in [(SERVED_KEPT / 2, [3, 2, 1, 0]), (SERVED_KEPT, [0, 1, 2, 3])] {
        subject.clock.advance(passed);
        subject.store.promote_due(10, subject.now()).await.unwrap();
        // in the other order than they were served, and one who was not
        let jobs = [users[2], users[1], users[0], subject.ids.next()];
        let jobs = jobs.map(|user| subject.job_of("photo", user));
        subject.insert(&jobs).await;
        assert_eq!(one_by_one(subject, 4).await, order.map(|n: usize| jobs[n].id));
    }
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
