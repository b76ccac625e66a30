use std::time::Duration;

use common::jobs::{ClaimRequest, Claims, JobMinute, JobState, JobType, TypeLimit, TypeUse};
use futures_util::future::join_all;

use super::{JobsSubject, LEASE, failure};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn claims(subject: &JobsSubject, types: &[&str], max: u32) -> Claims {
    let request = ClaimRequest {
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        worker: "worker 1".to_owned(),
        max,
        lease: LEASE,
    };
    subject.store.claim(&request, subject.now()).await.unwrap()
}

pub async fn a_paused_type_waits(subject: &JobsSubject) {
    let jobs = [subject.job("a"), subject.job("b"), subject.job("a")];
    subject.insert(&jobs).await;
    let running = subject.claim_one("a").await;
    for _ in 0..2 {
        subject.admin.set_paused(Some("a"), true).await.unwrap();
    }
    subject.admin.set_paused(Some("never seen"), true).await.unwrap();
    let claimed = claims(subject, &["a", "b"], 10).await;
    assert_eq!(claimed.jobs.len(), 1, "others go on");
    assert_eq!((&claimed.jobs[0].job.spec.kind[..], claimed.again_at), ("b", None));
    subject.complete(&running).await;
    let paused: Vec<_> = subject
        .admin
        .types(None)
        .await
        .unwrap()
        .types
        .into_iter()
        .map(|found| (found.kind, found.paused))
        .collect();
    let expected =
        [("a", true), ("b", false), ("never seen", true)].map(|(kind, paused)| (kind.to_owned(), paused));
    assert_eq!(paused, expected);
    subject.admin.set_paused(Some("a"), false).await.unwrap();
    assert_eq!(subject.claim_one("a").await.job.spec.id, jobs[2].id);
}

pub async fn everything_can_be_paused(subject: &JobsSubject) {
    subject.insert(&[subject.job("a"), subject.job("b")]).await;
    subject.admin.set_paused(Some("b"), true).await.unwrap();
    subject.admin.set_paused(None, true).await.unwrap();
    assert!(subject.admin.types(None).await.unwrap().paused);
    assert_eq!(claims(subject, &["a", "b"], 10).await, Claims::default());
    subject.insert(&[subject.job("a")]).await;
    assert_eq!(claims(subject, &["a"], 10).await, Claims::default());
    subject.admin.set_paused(None, false).await.unwrap();
    assert!(!subject.admin.types(None).await.unwrap().paused);
    let claimed = claims(subject, &["a", "b"], 10).await.jobs;
    assert!(claimed.iter().all(|claimed| claimed.job.spec.kind == "a"), "a type's own pause stays");
    assert_eq!(claimed.len(), 2);
}

pub async fn a_limit_lets_so_many_begin(subject: &JobsSubject) {
    let limit = TypeLimit { max: 3, per: 10 * SECOND };
    subject.admin.set_type_limit("a", Some(limit)).await.unwrap();
    let jobs: Vec<_> = (0..8).map(|_| subject.job("a")).chain([subject.job("b")]).collect();
    subject.insert(&jobs).await;
    let first = claims(subject, &["a"], 2).await;
    assert_eq!((first.jobs.len(), first.again_at), (2, None));
    let window_ends = subject.now() + limit.per;
    subject.clock.advance(SECOND);
    let second = claims(subject, &["b", "a"], 10).await;
    assert_eq!((second.jobs.len(), second.again_at), (2, Some(window_ends)), "one of each");
    // what ended, or was given back, has begun all the same
    subject.complete(&first.jobs[0]).await;
    subject.store.give_back(first.jobs[1].holder, subject.now()).await.unwrap();
    assert_eq!(claims(subject, &["a"], 10).await, Claims { jobs: Vec::new(), again_at: Some(window_ends) });
    subject.clock.set(window_ends);
    let third = claims(subject, &["a"], 10).await;
    assert_eq!((third.jobs.len(), third.again_at), (3, Some(window_ends + limit.per)));
    subject.admin.set_type_limit("a", Some(TypeLimit { max: 1, per: SECOND })).await.unwrap();
    assert_eq!(claims(subject, &["a"], 10).await.jobs.len(), 1, "another limit begins to count anew");
    subject.admin.set_type_limit("a", None).await.unwrap();
    let rest = claims(subject, &["a"], 10).await;
    assert_eq!((rest.jobs.len(), rest.again_at), (2, None));
    let types = subject.admin.types(None).await.unwrap().types;
    assert!(types.iter().all(|found| found.limit.is_none()), "{types:?}");
}

pub async fn a_limit_holds_for_claims_at_the_same_time(subject: &JobsSubject) {
    let limit = TypeLimit { max: 5, per: MINUTE };
    subject.admin.set_type_limit("a", Some(limit)).await.unwrap();
    let jobs: Vec<_> = (0..30).map(|_| subject.job("a")).collect();
    subject.insert(&jobs).await;
    for window in 1..=2 {
        let tries = join_all((0..10).map(|_| claims(subject, &["a"], 2))).await;
        assert_eq!(tries.iter().map(|claims| claims.jobs.len()).sum::<usize>(), 5, "window {window}");
        subject.clock.advance(MINUTE);
    }
    let types = subject.admin.types(None).await.unwrap().types;
    assert_eq!(types[0].limit, Some(limit));
}

pub async fn types_say_what_they_have_and_do(subject: &JobsSubject) {
    assert_eq!(subject.admin.types(None).await.unwrap(), Default::default());
    assert_eq!(subject.admin.type_use("a").await.unwrap(), TypeUse::Never);
    subject.insert(&[subject.job("b"), subject.job("a"), subject.job("a"), subject.job("a")]).await;
    let first = subject.claim_one("a").await;
    subject.clock.advance(3 * SECOND);
    subject.complete(&first).await;
    let second = subject.claim_one("a").await;
    subject.clock.advance(4 * SECOND);
    subject.complete(&second).await;
    let third = subject.claim_one("a").await;
    subject.clock.advance(SECOND);
    subject.store.fail(third.holder, &failure(false), subject.now()).await.unwrap();
    let mut expected = [JobType::new("a".to_owned()), JobType::new("b".to_owned())];
    expected[0].counts.extend([(JobState::Complete, 2), (JobState::Failed, 1)]);
    expected[0].work_time = 7 * SECOND;
    expected[1].counts.insert(JobState::Inactive, 1);
    assert_eq!(subject.admin.types(None).await.unwrap().types, expected);
    for one in &expected {
        assert_eq!(subject.admin.types(Some(&one.kind)).await.unwrap().types, std::slice::from_ref(one));
    }
    assert_eq!(subject.admin.types(Some("c")).await.unwrap().types, []);
    let mut names = subject.admin.type_names().await.unwrap();
    names.sort_unstable();
    assert_eq!(names, ["a", "b"]);
    for (kind, used) in [("a", TypeUse::Before), ("b", TypeUse::Live), ("c", TypeUse::Never)] {
        assert_eq!(subject.admin.type_use(kind).await.unwrap(), used, "{kind}");
    }
}

pub async fn what_ended_is_counted_by_the_minute(subject: &JobsSubject) {
    // the beginning of a minute
    let start = subject.now();
    let into = Duration::from_millis(u64::try_from(start.millis().rem_euclid(60_000)).unwrap());
    subject.clock.advance(MINUTE - into);
    let start = subject.now();
    subject.insert(&[subject.job("a"), subject.job("a"), subject.job("b"), subject.job("a")]).await;
    subject.clock.advance(2 * SECOND);
    let claimed = subject.claim(&["a"], 2).await;
    subject.clock.advance(3 * SECOND);
    subject.complete(&claimed[0]).await;
    subject.clock.advance(SECOND);
    subject.complete(&claimed[1]).await;
    let other = subject.claim_one("b").await;
    subject.store.fail(other.holder, &failure(true), subject.now()).await.unwrap();
    subject.clock.set(start + 2 * MINUTE);
    let last = subject.claim_one("a").await;
    subject.complete(&last).await;
    let minute = |at, completed, failed, waited, worked| JobMinute {
        at,
        completed,
        failed,
        waited: waited * SECOND,
        worked: worked * SECOND,
    };
    let late = minute(start + 2 * MINUTE, 1, 0, 120, 0);
    let history = async |kind, since| subject.admin.history(kind, since).await.unwrap();
    assert_eq!(history(None, start).await, [minute(start, 2, 1, 4, 7), late]);
    assert_eq!(history(Some("a"), start).await, [minute(start, 2, 0, 4, 7), late]);
    assert_eq!(history(Some("b"), start).await, [minute(start, 0, 1, 0, 0)]);
    assert_eq!(history(None, start + MINUTE).await, [late]);
    subject.clock.advance(Duration::from_secs(2 * 86_400));
    subject.store.promote_due(10, subject.now()).await.unwrap();
    assert_eq!(history(Some("a"), start).await, [late], "two days are kept");
}
