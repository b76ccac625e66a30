//! What a claim costs must not depend on how many jobs or users wait. Counted in SQLite's instructions, not in time.

use std::time::Duration;

use common::PortError;
use common::jobs::{Backoff, Priority};
use serde_json::json;
use testkit::TestIds;

use super::*;
use crate::engine::Abort;
use crate::engine::steps::steps;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

async fn write<T: Send + 'static>(db: &JobsDb, work: impl FnOnce(&Tx<'_>) -> T + Send + 'static) -> T {
    db.engine.write(Durability::Relaxed, |tx| Ok::<_, Abort<PortError>>(work(tx))).await.unwrap()
}

/// A store in which `users` users wait with `jobs` jobs each.
async fn waiting(users: u64, jobs: u64) -> (JobsDb, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = JobsDb::open(folder.path().join("jobs.db"), &OpenOptions::default()).unwrap();
    let ids = TestIds::new();
    let owners: Vec<UserId> = (0..users).map(|_| ids.next()).collect();
    for _ in 0..jobs {
        let jobs: Vec<_> = owners
            .iter()
            .map(|user| NewJob {
                id: ids.next(),
                kind: "test".to_owned(),
                data: json!({}),
                priority: Priority::NORMAL,
                user: Some(*user),
                max_attempts: 3,
                backoff: Backoff::None,
                ttl_ms: 60_000,
                run_at: None,
                created_at: NOW,
                request_id: None,
            })
            .collect();
        write(&db, move |tx| arrive::insert(tx, &jobs, NOW).unwrap()).await;
    }
    (db, folder)
}

async fn costs(db: &JobsDb) -> [u64; 6] {
    let request = ClaimRequest {
        types: vec!["test".to_owned(), "other".to_owned()],
        worker: "w".to_owned(),
        max: 3,
        lease: Duration::from_secs(30),
    };
    write(db, move |tx| {
        let (claimed, claim) = steps(|| work::claim(tx, &request, NOW).unwrap());
        let holder = |n: usize| claimed[n].holder;
        let failure = Failure { error: "x".to_owned(), retryable: true, jitter_percent: 0 };
        let (_, complete) = steps(|| work::complete(tx, holder(0), None, NOW).unwrap());
        let (_, fail) = steps(|| work::fail(tx, holder(1), &failure, NOW).unwrap());
        let (_, give_back) = steps(|| work::give_back(tx, holder(2), NOW).unwrap());
        let (_, promote) = steps(|| arrive::promote_due(tx, 10, NOW).unwrap());
        let (page, list) = steps(|| list::list(tx, &JobFilter::default(), None, 10).unwrap());
        assert!(page.more);
        [claim, complete, fail, give_back, promote, list]
    })
    .await
}

#[tokio::test]
async fn a_claim_among_50_000_jobs_costs_what_it_costs_among_few() {
    let (few, _few_folder) = waiting(20, 5).await;
    let (many_users, _users_folder) = waiting(10_000, 1).await;
    let (many_jobs, _jobs_folder) = waiting(10, 4_000).await;
    let few = costs(&few).await;
    for many in [costs(&many_users).await, costs(&many_jobs).await] {
        for (few, many) in few.iter().zip(&many) {
            assert!(*many <= few + 20, "{few:?} {many:?}");
        }
    }
}
