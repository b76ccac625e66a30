//! How many jobs there are, where counting all of them each time would take too long.

use std::time::Duration;

use common::jobs::{ENDED_COUNTED_EVERY, JobAdmin as _, JobFilter, JobState, JobStore as _, NewJob};
use common::{Clock as _, UserId};
use testkit::{TestClock, TestIds};

use super::{job, request, store};
use crate::jobs::JobsDb;
use crate::jobs::depths::Reach;

/// Counting them is dear, and the figures are asked for every few seconds, by each process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_have_ended_are_counted_now_and_then() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let complete = async || {
        store.insert(&[job(&ids, at)], at).await.unwrap();
        let claimed = store.claim(&request(1), at).await.unwrap().jobs.remove(0);
        store.complete(claimed.holder, None, at).await.unwrap();
    };
    let figure = async |passed: Duration| store.depths(at + passed).await.unwrap()[&JobState::Complete];
    complete().await;
    assert_eq!(figure(Duration::ZERO).await, 1, "the first time");
    complete().await;
    assert_eq!(figure(ENDED_COUNTED_EVERY - Duration::from_millis(1)).await, 1);
    assert_eq!(figure(ENDED_COUNTED_EVERY).await, 2);
    assert_eq!(store.counts(None).await.unwrap()[&JobState::Complete], 2);
}

/// Dashboards ask for figures each second, and a list for its total on each page: more jobs than can be counted quickly are not counted then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_many_jobs_that_have_ended_are_those_of_the_last_count() {
    let (mut store, _scratch) = store().await;
    store.reach = Reach { exactly: 3, at_once: 2 };
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let complete = async |store: &JobsDb, count: u32| {
        let jobs: Vec<_> = (0..count).map(|_| job(&ids, at)).collect();
        store.insert(&jobs, at).await.unwrap();
        for claimed in store.claim(&request(count), at).await.unwrap().jobs {
            store.complete(claimed.holder, None, at).await.unwrap();
        }
    };
    let figures = async |store: &JobsDb, live: u64| {
        let all = store.types(None).await.unwrap().types;
        assert_eq!(store.types(Some("test")).await.unwrap().types, all);
        assert_eq!(all[0].counts[&JobState::Inactive], live, "live ones are exact");
        let complete = JobFilter { state: Some(JobState::Complete), ..JobFilter::default() };
        let total = async |filter: &JobFilter| store.total(filter).await.unwrap().unwrap();
        let totals = (total(&complete).await, total(&JobFilter::default()).await);
        (all[0].counts[&JobState::Complete], totals.0, totals.1)
    };
    complete(&store, 3).await;
    store.insert(&[job(&ids, at)], at).await.unwrap();
    assert_eq!(figures(&store, 1).await, (3, 3, 4), "few are counted");
    complete(&store, 3).await;
    // one of the six that were begun was the one that waited
    assert_eq!(store.depths(at).await.unwrap()[&JobState::Complete], 6, "all of them, two at a time");
    complete(&store, 1).await;
    assert_eq!(figures(&store, 1).await, (6, 6, 7), "not counted anew");
    let later = at + ENDED_COUNTED_EVERY;
    assert_eq!(store.depths(later).await.unwrap()[&JobState::Complete], 7);
    assert_eq!(figures(&store, 1).await, (7, 7, 8));
    let own = JobFilter { user: Some(ids.next()), ..JobFilter::default() };
    assert_eq!(store.total(&own).await.unwrap(), Some(0), "few of one user");
    assert_eq!(store.types(Some("other")).await.unwrap().types, []);
}

/// Everybody's page asks for them with each change of a job, and jobs that have ended stay for days.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_many_jobs_has_them_counted_so_far_and_no_further() {
    let (mut store, _scratch) = store().await;
    store.reach = Reach { exactly: 3, at_once: 2 };
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let (user, other) = (ids.next(), ids.next());
    let make = async |owner: UserId, count: u32| {
        let jobs: Vec<_> = (0..count).map(|_| NewJob { user: Some(owner), ..job(&ids, at) }).collect();
        store.insert(&jobs, at).await.unwrap();
    };
    let complete = async |count: u32| {
        for claimed in store.claim(&request(count), at).await.unwrap().jobs {
            store.complete(claimed.holder, None, at).await.unwrap();
        }
    };
    let counts = async |user: UserId| {
        let counts = store.counts(Some(user)).await.unwrap();
        (counts[&JobState::Complete], counts[&JobState::Inactive], counts.len())
    };
    let states = JobState::ALL.len();
    make(user, 3).await;
    complete(2).await;
    assert_eq!(counts(user).await, (2, 1, states), "few are counted");
    make(user, 4).await;
    complete(3).await;
    assert_eq!(counts(user).await, (3, 2, states), "of five that are complete");
    assert_eq!(counts(other).await, (0, 0, states));
    make(other, 1).await;
    assert_eq!(counts(other).await, (0, 1, states));
    assert_eq!(store.counts(None).await.unwrap()[&JobState::Complete], 5, "of all it is exact");
}
