//! The contract of the job store, over MongoDB.

mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{
    ChangeJobError, ClaimRequest, InsertOutcome, JobAdmin as _, JobChange, JobEvent, JobEventFilter,
    JobEventKind, JobEvents as _, JobState, JobStore as _, NewJob, TypeLimit,
};
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
                unique_key: None,
                remove_on_complete: false,
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
                    let some = store.claim(&request(3), at).await.unwrap().jobs;
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

    /// What one process has begun counts for the other: one after the other exactly, and at the same moment nearly so.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn users_take_turns_whichever_process_claims() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let of = |user: UserId, count: usize| -> Vec<NewJob> {
            let job = |_| NewJob { user: Some(user), ..testkit::outbox::job(&ids, "test", at) };
            (0..count).map(job).map(|job| NewJob { run_at: None, unique_key: None, ..job }).collect()
        };
        let (many, few): (UserId, UserId) = (ids.next(), ids.next());
        stores[0].insert(&of(many, 40), at).await.unwrap();
        stores[0].insert(&of(few, 8), at).await.unwrap();
        let done = &std::sync::Mutex::new(Vec::new());
        let one = |n: usize| {
            let store = &stores[n];
            async move {
                let claimed = store.claim(&request(1), at).await.unwrap().jobs;
                for claimed in claimed {
                    done.lock().unwrap().push(claimed.job.spec.user == Some(few));
                    store.complete(claimed.holder, None, at).await.unwrap();
                }
            }
        };
        for n in [0, 1, 0, 0, 1, 1] {
            one(n).await;
        }
        assert_eq!(*done.lock().unwrap(), [false, true, false, true, false, true]);
        for _ in 0..20 {
            tokio::join!(one(0), one(1));
        }
        let done = done.lock().unwrap();
        let last = done.iter().rposition(|is_few| *is_few).unwrap();
        assert_eq!(done.iter().filter(|is_few| **is_few).count(), 8, "{done:?}");
        // where both see the same user as next, that one is served twice: once more than the other, at most
        assert!(last < 30, "{done:?}");
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
                    for claimed in stores[store].claim(&request(2), at).await.unwrap().jobs {
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
        assert!(stores[0].claim(&request(1), at).await.unwrap().jobs.is_empty());
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
        assert_eq!(stores[1].claim(&request(100), at).await.unwrap().jobs.len(), 20);
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
        assert_eq!(stores[1].claim(&request(100), due).await.unwrap().jobs.len(), 20);
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_two_jobs_with_one_key_one_lives() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let keyed = |n: usize| NewJob {
            unique_key: Some(format!("key {}", n % 2)),
            ..testkit::outbox::job(&ids, "test", at)
        };
        let jobs: Vec<NewJob> = (0..12).map(keyed).collect();
        let (stores, all) = (&stores, &jobs);
        let insert = |n: usize| async move {
            stores[(n % 2) ^ (n / 6)].insert(std::slice::from_ref(&all[n]), at).await.unwrap().remove(0)
        };
        let outcomes = join_all((0..12).map(insert)).await;
        let mut holders = Vec::new();
        for key in 0..2 {
            let of_key = || (0..12).filter(move |n| n % 2 == key);
            let inserted: Vec<usize> = of_key().filter(|n| outcomes[*n] == InsertOutcome::Inserted).collect();
            let [holder] = inserted[..] else { panic!("{inserted:?} live with key {key}") };
            for n in of_key().filter(|n| *n != holder) {
                assert_eq!(outcomes[n], InsertOutcome::Taken(jobs[holder].id));
            }
            holders.push(holder);
        }
        // a dead one comes back, or a new one comes, but not both
        stores[0].change(jobs[holders[0]].id, JobChange::Cancel, at).await.unwrap();
        let (id, fresh) = (jobs[holders[0]].id, keyed(0));
        let (retried, inserted) = tokio::join!(
            stores[0].change(id, JobChange::Retry, at),
            stores[1].insert(std::slice::from_ref(&fresh), at)
        );
        match (retried, inserted.unwrap().remove(0)) {
            (Ok(_), InsertOutcome::Taken(holder)) => assert_eq!(holder, id),
            (Err(ChangeJobError::Taken(holder)), InsertOutcome::Inserted) => assert_eq!(holder, fresh.id),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_limit_holds_for_all_claimers_together() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        stores[0].insert(&jobs(&ids, 40, at), at).await.unwrap();
        let per = Duration::from_secs(60);
        stores[1].set_type_limit("test", Some(TypeLimit { max: 7, per })).await.unwrap();
        for window in 1..=3_u32 {
            let now = at + per * (window - 1);
            let claims = join_all((0..8).map(|n| {
                let store = &stores[n % 2];
                async move { store.claim(&request(3), now).await.unwrap() }
            }))
            .await;
            assert_eq!(claims.iter().map(|claims| claims.jobs.len()).sum::<usize>(), 7, "window {window}");
            let late = stores[0].claim(&request(3), now + per / 2).await.unwrap();
            assert_eq!((late.jobs.len(), late.again_at), (0, Some(now + per)));
        }
    }

    /// All events after `after`, as a reader has them who asks for a few at a time.
    async fn read(store: &JobsDb, mut after: u64) -> Vec<JobEvent> {
        let mut all = Vec::new();
        loop {
            let page =
                store.events_after(after, &JobEventFilter::default(), 7).await.expect("the server answers");
            assert!(!page.gap);
            after = page.last;
            if page.events.is_empty() {
                return all;
            }
            all.extend(page.events);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_are_told_once_and_in_order_whoever_orders_them() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let all: Vec<NewJob> = jobs(&ids, 30, at)
            .into_iter()
            .enumerate()
            .map(|(n, job)| NewJob { remove_on_complete: n % 3 == 0, ..job })
            .collect();
        let stores = &stores;
        stores[0].insert(&all, at).await.unwrap();
        let work = |n: usize| async move {
            loop {
                let claimed = stores[n].claim(&request(2), at).await.unwrap().jobs;
                if claimed.is_empty() {
                    break;
                }
                for claimed in claimed {
                    stores[n].progress(claimed.holder, 50, None, at).await.unwrap();
                    stores[n].complete(claimed.holder, None, at).await.unwrap();
                }
            }
        };
        let done = &tokio::sync::Notify::new();
        let order = |n: usize| async move {
            let mut ordered = 0;
            let mut ending = std::pin::pin!(done.notified());
            loop {
                let now = stores[n].order_events(5, at).await.unwrap();
                ordered += now;
                if now == 0 && futures_util::poll!(&mut ending).is_ready() {
                    return ordered;
                }
            }
        };
        let watch = async {
            let mut seen: Vec<JobEvent> = Vec::new();
            while seen.len() < 130 {
                let more = read(&stores[1], seen.last().map_or(0, |event| event.seq)).await;
                seen.extend(more);
            }
            done.notify_waiters();
            seen
        };
        let all_at_once = async { tokio::join!(work(0), work(1), order(0), order(1), order(1), watch) };
        let (_, _, a, b, c, seen) =
            tokio::time::timeout(Duration::from_secs(300), all_at_once).await.expect("all events are told");
        assert_eq!(a + b + c, 130);
        assert!(seen.iter().map(|event| event.seq).eq(1..=130), "nothing is left out, nothing comes late");
        assert_eq!(seen, read(&stores[0], 0).await);
        for job in &all {
            let told: Vec<JobEventKind> =
                seen.iter().filter(|event| event.job == job.id).map(|event| event.event).collect();
            let mut expected = vec![
                JobEventKind::Enqueue,
                JobEventKind::Start,
                JobEventKind::Progress,
                JobEventKind::Complete,
            ];
            if job.remove_on_complete {
                expected.push(JobEventKind::Remove);
            }
            assert_eq!(told, expected);
            assert_eq!(stores[0].find(job.id).await.unwrap().is_none(), job.remove_on_complete);
        }
        let known: Vec<JobId> = all.iter().map(|job| job.id).collect();
        assert_eq!(stores[0].known(&known).await.unwrap(), known);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_carried_here_is_kept_as_it_was() {
    let (mongo, _scratch) = support::mongo().await;
    testkit::portable::jobs(&JobsDb::new(&mongo)).await;
}
