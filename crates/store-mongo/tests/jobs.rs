//! The contract of the job store, over MongoDB.

mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{ClaimRequest, InsertOutcome, JobState, JobStore as _, NewJob};
use common::{Clock as _, JobId, Timestamp, UserId};
use futures_util::future::join_all;
use store_mongo::JobsDb;
use testkit::job_store::JobsSubject;
use testkit::{TestClock, TestIds};

async fn subject() -> JobsSubject {
    let (mongo, scratch) = support::mongo().await;
    JobsSubject::new(Arc::new(JobsDb::new(&mongo)), scratch)
}

testkit::job_store_suite!(subject);

/// What is done at the same time, done by two processes.
mod replicas {
    use super::*;

    async fn replicas() -> ([JobsDb; 2], support::Scratch) {
        let (mongo, scratch) = support::mongo().await;
        let other = scratch.connect().await;
        ([JobsDb::new(&mongo), JobsDb::new(&other)], scratch)
    }

    fn request(max: u32) -> ClaimRequest {
        ClaimRequest {
            types: vec!["test".to_owned()],
            worker: "worker".to_owned(),
            max,
            lease: Duration::from_secs(30),
        }
    }

    fn jobs(ids: &TestIds, count: usize, at: Timestamp) -> Vec<NewJob> {
        let users: Vec<UserId> = (0..3).map(|_| ids.next()).collect();
        (0..count)
            .map(|n| NewJob {
                user: users.get(n % 4).copied(),
                run_at: None,
                ..testkit::outbox::job(ids, "test", at)
            })
            .collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_claimers_never_share_a_job() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let jobs = jobs(&ids, 80, at);
        stores[0].insert(&jobs, at).await.unwrap();
        let claimers = (0..16).map(|n| {
            let store = &stores[n % 2];
            async move {
                let mut claimed: Vec<JobId> = Vec::new();
                loop {
                    let some = store.claim(&request(3), at).await.unwrap();
                    if some.is_empty() {
                        return claimed;
                    }
                    claimed.extend(some.iter().map(|claimed| claimed.holder.job));
                }
            }
        });
        let claimed: Vec<JobId> = join_all(claimers).await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 80, "each once");
        assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 80);
    }

    /// A line that a claimer finds empty, while jobs enter it, must not be lost with them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_job_is_lost_between_those_who_bring_and_those_who_take() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let jobs = jobs(&ids, 60, at);
        let bring = |store: usize| {
            let (stores, jobs) = (&stores, &jobs);
            async move {
                for (_, job) in jobs.iter().enumerate().filter(|(n, _)| n % 2 == store) {
                    let outcome = stores[store].insert(std::slice::from_ref(job), at).await.unwrap();
                    assert_eq!(outcome, [InsertOutcome::Inserted]);
                }
            }
        };
        let take = |store: usize| {
            let stores = &stores;
            async move {
                let (mut done, mut given_back) = (HashSet::new(), HashSet::new());
                while stores[store].counts(None).await.unwrap()[&JobState::Complete] < 60 {
                    for claimed in stores[store].claim(&request(2), at).await.unwrap() {
                        // each is given back once, so that lines are entered from this side, too
                        if given_back.insert(claimed.holder.job) {
                            stores[store].give_back(claimed.holder, at).await.unwrap();
                        } else {
                            stores[store].complete(claimed.holder, None, at).await.unwrap();
                            assert!(done.insert(claimed.holder.job), "a job is completed once");
                        }
                    }
                }
                done.len()
            }
        };
        let all = async { tokio::join!(bring(0), bring(1), take(0), take(1)) };
        let (_, _, a, b) =
            tokio::time::timeout(Duration::from_secs(300), all).await.expect("every job is found by a claim");
        assert_eq!(a + b, 60);
        assert!(stores[0].claim(&request(1), at).await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_two_insertions_one_counts() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let jobs = jobs(&ids, 20, at);
        let tries = (0..6).map(|n| stores[n % 2].insert(&jobs, at));
        let outcomes: Vec<_> = join_all(tries).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == InsertOutcome::Inserted).count(), 20);
        assert_eq!(stores[0].counts(None).await.unwrap()[&JobState::Inactive], 20);
        assert_eq!(stores[1].claim(&request(100), at).await.unwrap().len(), 20);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_promoters_and_two_reapers_take_each_job_once() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let due = at + Duration::from_secs(1);
        let jobs: Vec<NewJob> =
            jobs(&ids, 20, at).into_iter().map(|job| NewJob { run_at: Some(due), ..job }).collect();
        stores[0].insert(&jobs, at).await.unwrap();
        let promoted: usize = join_all((0..6).map(|n| stores[n % 2].promote_due(5, due)))
            .await
            .into_iter()
            .map(|types| types.unwrap().len())
            .sum();
        assert_eq!(promoted, 20);
        assert_eq!(stores[1].claim(&request(100), due).await.unwrap().len(), 20);
        let later = due + Duration::from_secs(31);
        let reaped: usize = join_all((0..6).map(|n| stores[n % 2].reap(5, later)))
            .await
            .into_iter()
            .map(|types| types.unwrap().len())
            .sum();
        assert_eq!(reaped, 20);
        for job in &jobs {
            assert_eq!(stores[0].find(job.id).await.unwrap().unwrap().failures.len(), 1);
        }
    }
}
