//! What a claim costs must not depend on how many jobs or users wait. Counted in SQLite's instructions, not in time.

use std::time::Duration;

use common::jobs::{
    AttemptEnd, ClaimRequest, Ended, Ending, FailOutcome, Failure, JobAdmin as _, JobEventFilter,
    JobEventKind, JobEvents as _, JobFilter, JobOrder, JobState, JobStore as _, LostLease, NewJob, Priority,
    SERVED_KEPT,
};
use common::{JobId, Timestamp, UserId};
use serde_json::json;
use testkit::TestIds;

use super::moves::Moves;
use super::*;
use crate::engine::steps::steps;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

async fn write<T: Send + 'static>(db: &JobsDb, work: impl FnOnce(&Tx<'_>) -> T + Send + 'static) -> T {
    db.engine.write(Durability::Relaxed, |tx| Ok::<_, Abort<PortError>>(work(tx))).await.unwrap()
}

/// A store in which `users` users wait with `jobs` jobs each.
async fn waiting(users: u64, jobs: i32) -> (JobsDb, tempfile::TempDir) {
    waiting_by(users, jobs, |_| 0).await
}

/// The same, with priorities by the number of the job.
async fn waiting_by(users: u64, jobs: i32, priority: fn(i32) -> i32) -> (JobsDb, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = JobsDb::open(folder.path().join("jobs.db"), &OpenOptions::default()).unwrap();
    let ids = TestIds::new();
    let owners: Vec<UserId> = (0..users).map(|_| ids.next()).collect();
    for job in 0..jobs {
        let jobs: Vec<_> = owners
            .iter()
            .map(|user| NewJob {
                user: Some(*user),
                priority: Priority(priority(job)),
                max_attempts: 3,
                ttl_ms: 60_000,
                ..NewJob::new(ids.next(), "test", json!({}), NOW)
            })
            .collect();
        write(&db, move |tx| arrive::insert(tx, &jobs, NOW).unwrap()).await;
    }
    (db, folder)
}

fn request(max: u32) -> ClaimRequest {
    ClaimRequest {
        types: vec!["test".to_owned()],
        worker: "w".to_owned(),
        max,
        lease: Duration::from_secs(30),
    }
}

fn moving<'t, 'c, T>(tx: &'t Tx<'c>, work: impl FnOnce(&mut Moves<'t, 'c>) -> rusqlite::Result<T>) -> T {
    let mut moves = Moves::new(tx);
    let done = work(&mut moves).unwrap();
    moves.finish().unwrap();
    done
}

async fn costs(db: &JobsDb) -> [u64; 9] {
    let request = ClaimRequest { types: vec!["test".to_owned(), "other".to_owned()], ..request(3) };
    write(db, move |tx| {
        let (claimed, claim) = steps(|| moving(tx, |moves| claim::claim(tx, &request, NOW, moves)));
        let holder = |n: usize| claimed.jobs[n].holder;
        let failure = Failure {
            error: "x".to_owned(),
            retryable: true,
            jitter_percent: 0,
            not_before: None,
            uncounted: false,
        };
        let end = |n, ending| {
            let end = AttemptEnd { holder: holder(n), ending };
            let ended = moving(tx, |moves| ending::end(tx, std::slice::from_ref(&end), NOW, moves));
            assert!(ended[0].is_some());
        };
        let ((), complete) = steps(|| end(0, Ending::Complete(None)));
        let ((), fail) = steps(|| end(1, Ending::Failed(failure.clone())));
        let (_, give_back) = steps(|| ending::give_back(tx, holder(2), NOW).unwrap());
        let (_, promote) = steps(|| arrive::promote_due(tx, 10, NOW).unwrap());
        let (page, list) =
            steps(|| list::list(tx, &JobFilter::default(), JobOrder::Descending, None, 10).unwrap());
        assert!(page.more);
        let (_, figures) = steps(|| {
            types::all(tx, None).unwrap();
            types::names(tx).unwrap();
            types::type_use(tx, "test").unwrap();
            list::total(tx, &JobFilter::default()).unwrap();
        });
        let (forgotten, forget) = steps(|| events::forget(tx, NOW, 10).unwrap());
        assert_eq!(forgotten, 0, "all of them are of now");
        // of somebody who has no jobs
        let own = JobEventFilter { user: Some(UserId::from_bytes([9; 12])), ..JobEventFilter::default() };
        let (page, told) = steps(|| events::after(tx, 0, &own, 10).unwrap());
        assert_eq!((page.events.len(), page.last), (0, events::last(tx).unwrap()));
        [claim, complete, fail, give_back, promote, list, forget, told, figures]
    })
    .await
}

#[tokio::test]
async fn a_claim_among_50_000_jobs_costs_what_it_costs_among_few() {
    let (few, _few_folder) = waiting(20, 5).await;
    let (many_users, _users_folder) = waiting(10_000, 1).await;
    let (many_jobs, _jobs_folder) = waiting(10, 4_000).await;
    let (many_priorities, _priorities_folder) = waiting_by(10, 1_000, |job| job).await;
    let few = costs(&few).await;
    for many in [costs(&many_users).await, costs(&many_jobs).await, costs(&many_priorities).await] {
        for (few, many) in few.iter().zip(&many) {
            assert!(*many <= few + 20, "{few:?} {many:?}");
        }
    }
}

/// A hundred jobs could have a hundred megabytes.
#[tokio::test]
async fn a_claim_ends_where_its_answer_would_be_huge() {
    let (db, _folder) = waiting(1, 3).await;
    // of 3 MiB each
    let long = "UPDATE jobs SET result = '\"' || hex(zeroblob(1572864)) || '\"'";
    write(&db, move |tx| tx.execute(long, []).unwrap()).await;
    let claim = async || db.claim(&request(3), NOW).await.unwrap().jobs.len();
    assert_eq!((claim().await, claim().await), (2, 1));
}

#[tokio::test]
async fn a_line_that_cannot_be_read_costs_no_result() {
    let (db, _folder) = waiting(1, 4).await;
    let held = db.claim(&request(2), NOW).await.unwrap().jobs;
    // the second in line, so that the claim fails when it has begun a job
    let damage = "UPDATE jobs SET data = 'damaged' WHERE number = (SELECT max(number) FROM jobs)";
    assert_eq!(write(&db, move |tx| tx.execute(damage, []).unwrap()).await, 1);
    let failure = Failure {
        error: "x".to_owned(),
        retryable: false,
        jitter_percent: 0,
        not_before: None,
        uncounted: false,
    };
    let ends = [Ending::Complete(Some(json!("done"))), Ending::Failed(failure)];
    let ends: Vec<_> = std::iter::zip(&held, ends)
        .map(|(claimed, ending)| AttemptEnd { holder: claimed.holder, ending })
        .collect();
    let taken = db.end(&ends, Some(&request(2)), NOW).await.unwrap();
    assert!(matches!(taken.claims, Err(PortError::Broken { .. })), "{:?}", taken.claims);
    let ended: Vec<Ended> = taken.ended.into_iter().map(Result::unwrap).collect();
    assert_eq!(ended, [Ended::Complete, Ended::Failed(FailOutcome::Dead)]);
    let done = db.find(held[0].holder.job).await.unwrap().unwrap();
    assert_eq!((done.state, done.result), (JobState::Complete, Some(json!("done"))));
    let counts = db.counts(None).await.unwrap();
    let of = |state: JobState| counts[&state];
    assert_eq!(
        [JobState::Complete, JobState::Failed, JobState::Inactive, JobState::Active].map(of),
        [1, 1, 2, 0],
        "each result once, and nothing is left of the claim"
    );
    assert_eq!(db.claim(&request(1), NOW).await.unwrap().jobs.len(), 1, "what can be read is there");
    assert!(db.claim(&request(1), NOW).await.is_err());
}

/// In statements of several rows, and the rest in smaller ones.
#[tokio::test]
async fn what_one_commit_does_to_many_jobs_is_told_in_its_order() {
    const JOBS: usize = 2 * events::MOST_AT_ONCE + 5;
    let (db, _folder) = waiting(0, 0).await;
    let ids = TestIds::new();
    let made: Vec<NewJob> =
        (0..JOBS).map(|number| NewJob::new(ids.next(), "test", json!(number), NOW)).collect();
    db.insert(&made, NOW).await.unwrap();
    let claimed = db.claim(&request(JOBS as u32), NOW).await.unwrap().jobs;
    let ends: Vec<_> = claimed
        .iter()
        .map(|claimed| AttemptEnd {
            holder: claimed.holder,
            ending: Ending::Complete(Some(claimed.job.spec.data.clone())),
        })
        .collect();
    db.end(&ends, None, NOW).await.unwrap();
    let heard = db.events_after(0, &JobEventFilter::default(), 1000).await.unwrap().events;
    let told = |kind: JobEventKind| {
        let of_kind = heard.iter().filter(move |event| event.event == kind);
        of_kind.map(|event| (event.seq, event.job, event.data.clone())).collect::<Vec<_>>()
    };
    let all = |first: usize, has_data: bool| {
        let data = |job: &NewJob| has_data.then(|| json!({ "result": job.data }));
        let of_job = |(at, job): (usize, &NewJob)| ((first + at) as u64, job.id, data(job));
        made.iter().enumerate().map(of_job).collect::<Vec<_>>()
    };
    assert_eq!(told(JobEventKind::Enqueue), all(1, false));
    assert_eq!(told(JobEventKind::Start), all(1 + JOBS, false));
    assert_eq!(told(JobEventKind::Complete), all(1 + 2 * JOBS, true));
}

/// A user with thousands of jobs asks for the few of another type, and for how many they are.
#[tokio::test]
async fn own_jobs_are_listed_and_counted_without_a_look_at_others() {
    let cost = async |others: i32| {
        let (db, _folder) = waiting(1, others).await;
        let ids = TestIds::seeded(1);
        write(&db, move |tx| {
            let owner: Vec<u8> = tx.query_row("SELECT user FROM jobs LIMIT 1", [], |row| row.get(0)).unwrap();
            let user = UserId::from_bytes(owner.try_into().unwrap());
            let rare = NewJob { user: Some(user), ..NewJob::new(ids.next(), "rare", json!({}), NOW) };
            arrive::insert(tx, &[rare], NOW).unwrap();
            let filter =
                JobFilter { user: Some(user), kind: Some("rare".to_owned()), ..JobFilter::default() };
            let (page, listed) = steps(|| list::list(tx, &filter, JobOrder::Descending, None, 10).unwrap());
            assert_eq!((page.items.len(), page.more), (1, false));
            let (counts, counted) = steps(|| list::counts(tx, Some(user)).unwrap());
            assert_eq!(counts[&JobState::Inactive], others as u64 + 1);
            [listed, counted]
        })
        .await
    };
    let (few, many) = (cost(5).await, cost(2_000).await);
    assert!(std::iter::zip(few, many).all(|(few, many)| many <= few + 20), "{few:?} {many:?}");
}

/// Who was served is remembered for so long, and nothing is kept of users without jobs.
#[tokio::test]
async fn users_without_jobs_are_forgotten() {
    let (db, _folder) = waiting(20, 2).await;
    let at = |passed: Duration| NOW + SERVED_KEPT + passed;
    let turns = async |now: Timestamp| {
        db.promote_due(10, now).await.unwrap();
        write(&db, |tx| tx.query_row("SELECT count(*) FROM turns", [], |row| row.get::<_, i64>(0)).unwrap())
            .await
    };
    let claimed = db.claim(&request(40), at(Duration::ZERO)).await.unwrap().jobs;
    assert_eq!(claimed.len(), 40);
    for claimed in &claimed[..39] {
        db.complete(claimed.holder, None, at(Duration::ZERO)).await.unwrap();
    }
    assert_eq!(turns(at(SERVED_KEPT - Duration::from_millis(1))).await, 20);
    assert_eq!(turns(at(SERVED_KEPT)).await, 1, "one is still active");
}

#[tokio::test]
async fn whoever_held_a_job_before_a_backup_was_restored_holds_it_no_more() {
    let (db, folder) = waiting(1, 1).await;
    let copy = folder.path().join("copy.db");
    crate::copy_database(&folder.path().join("jobs.db"), &copy).unwrap();
    let restored = JobsDb::open(&copy, &OpenOptions::default()).unwrap();
    let claim = async |db: &JobsDb| db.claim(&request(1), NOW).await.unwrap().jobs.remove(0).holder;
    let (before, after) = (claim(&db).await, claim(&restored).await);
    assert_eq!(before.job, after.job);
    let refused = restored.complete(before, None, NOW).await;
    assert!(matches!(refused, Err(LostLease::Lost)), "{refused:?}");
    restored.complete(after, None, NOW).await.unwrap();
}

#[tokio::test]
async fn who_waits_in_a_database_of_before_is_served_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let old = Connection::open(&path).unwrap();
    for step in &SCHEMA.migrations[..6] {
        old.execute_batch(step).unwrap();
    }
    old.pragma_update(None, "application_id", SCHEMA.application_id).unwrap();
    old.pragma_update(None, "user_version", 6).unwrap();
    let ids = TestIds::new();
    let (one, two): (UserId, UserId) = (ids.next(), ids.next());
    for (number, user, priority, state) in [(1, one, 0, 0), (2, one, -5, 0), (3, two, 0, 1), (4, two, 0, 0)] {
        old.execute(
            "INSERT INTO jobs (number, id, type, data, priority, user, max_attempts, backoff, ttl_ms, created_at, state,
                               inserted_at, updated_at)
             VALUES (?1, ?2, 'test', '{}', ?3, ?4, 1, '{\"kind\":\"none\"}', 1000, 1, ?5, 1, 1)",
            (number, JobId::bytes(&ids.next()), priority, user.bytes(), state),
        )
        .unwrap();
        if state == 0 {
            old.execute(
                "INSERT INTO ready (user, type, priority, head, active) VALUES (?1, 'test', ?2, ?3, ?4)",
                (user.bytes(), priority, number, i32::from(user == two)),
            )
            .unwrap();
        }
    }
    old.execute("INSERT INTO active_users (user, count) VALUES (?1, 1)", [two.bytes()]).unwrap();
    old.execute("INSERT INTO type_counts (type, state, count) VALUES ('test', 0, 3), ('test', 1, 1)", [])
        .unwrap();
    for (user, state, count) in [(one, 0, 2), (two, 0, 1), (two, 1, 1)] {
        old.execute(
            "INSERT INTO user_counts (user, type, state, count) VALUES (?1, 'test', ?2, ?3)",
            (user.bytes(), state, count),
        )
        .unwrap();
    }
    old.close().unwrap();
    let db = JobsDb::open(&path, &OpenOptions::default()).unwrap();
    let claimed = db.claim(&request(3), NOW).await.unwrap().jobs;
    // the urgent one; then both have one active, and one of them was served
    assert_eq!(claimed.iter().map(|claimed| claimed.job.number).collect::<Vec<_>>(), [2, 4, 1]);
}

/// Two statements of each commit had counted what nobody reads.
#[tokio::test]
async fn jobs_of_nobody_are_counted_with_all_others_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let old = Connection::open(&path).unwrap();
    for step in &SCHEMA.migrations[..9] {
        old.execute_batch(step).unwrap();
    }
    old.pragma_update(None, "application_id", SCHEMA.application_id).unwrap();
    old.pragma_update(None, "user_version", 9).unwrap();
    old.execute("INSERT INTO user_counts (user, type, state, count) VALUES (x'', 'test', 2, 1)", []).unwrap();
    old.execute("INSERT INTO type_counts (type, state, count) VALUES ('test', 2, 1)", []).unwrap();
    old.close().unwrap();
    let db = JobsDb::open(&path, &OpenOptions::default()).unwrap();
    let ids = TestIds::new();
    let user = ids.next();
    let of_nobody = NewJob::new(ids.next(), "test", json!({}), NOW);
    let own = NewJob { user: Some(user), ..NewJob::new(ids.next(), "test", json!({}), NOW) };
    db.insert(&[of_nobody, own], NOW).await.unwrap();
    for claimed in db.claim(&request(2), NOW).await.unwrap().jobs {
        db.complete(claimed.holder, None, NOW).await.unwrap();
    }
    let complete = async |user: Option<UserId>| db.counts(user).await.unwrap()[&JobState::Complete];
    assert_eq!((complete(None).await, complete(Some(user)).await), (3, 1));
    let rows = "SELECT count(*) FROM user_counts";
    let rows = write(&db, move |tx| tx.query_row(rows, [], |row| row.get::<_, i64>(0)).unwrap()).await;
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_job_of_a_worker_that_ended_with_its_process_is_taken_at_once() {
    let (db, _folder) = waiting(1, 1).await;
    assert_eq!(db.claim(&request(1), NOW).await.unwrap().jobs.len(), 1);
    assert!(db.reap(10, NOW).await.unwrap().is_empty(), "the lease has not ended by itself");
    db.end_leases(&["other"]).await.unwrap();
    assert!(db.reap(10, NOW).await.unwrap().is_empty(), "its worker is a program that goes on");
    db.end_leases(&["other", "test"]).await.unwrap();
    assert_eq!(db.reap(10, NOW).await.unwrap(), ["test"]);
}

#[tokio::test]
async fn jobs_from_before_there_were_traces_are_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(SCHEMA.migrations[0]).unwrap();
    old.pragma_update(None, "application_id", SCHEMA.application_id).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let id: JobId = TestIds::new().next();
    old.execute(
        "INSERT INTO jobs (id, type, data, priority, user, max_attempts, backoff, ttl_ms, created_at, request_id, state,
                           inserted_at, updated_at)
         VALUES (?1, 'test', '{}', 0, x'', 1, '{\"kind\":\"none\"}', 1000, 1, 'request-1', 0, 1, 1)",
        [id.bytes()],
    )
    .unwrap();
    old.close().unwrap();
    let db = JobsDb::open(&path, &OpenOptions::default()).unwrap();
    let job = db.find(id).await.unwrap().unwrap();
    assert_eq!((job.spec.request_id.as_deref(), job.spec.trace), (Some("request-1"), None));
}

#[tokio::test]
async fn an_outbox_starts_over_with_what_was_leased_or_sent() {
    use common::auth::{Address, AuthStore as _, Role, User};
    use common::jobs::{Outbox as _, types};

    let folder = tempfile::tempdir().unwrap();
    let db = crate::AuthDb::open(folder.path().join("auth.db"), &OpenOptions::default()).unwrap();
    let ids = TestIds::new();
    let user = User {
        id: ids.next(),
        address: Address::parse("ada@example.org").unwrap(),
        password_hash: String::new(),
        role: Role::User,
        disabled: false,
        bootstrap: false,
        created_at: NOW,
    };
    let jobs = [types::welcome_mail(ids.next(), user.id, NOW), types::welcome_mail(ids.next(), user.id, NOW)];
    db.create_user(&user, &jobs).await.unwrap();
    let lease = || db.lease_unsent(10, Duration::from_secs(30), NOW);
    assert_eq!(lease().await.unwrap().len(), 2);
    db.mark_sent(&[jobs[0].id], NOW).await.unwrap();
    assert!(lease().await.unwrap().is_empty(), "one is leased, the other sent");
    db.start_outbox_over().await.unwrap();
    assert_eq!(lease().await.unwrap().len(), 2);
}

/// Those that wait share a commit; what is wrong with one is nothing to the others.
#[tokio::test]
async fn insertions_that_wait_together_fail_alone() {
    let (db, _folder) = waiting(0, 0).await;
    write(&db, |tx| {
        tx.execute_batch(
            "CREATE TRIGGER wrong BEFORE INSERT ON jobs WHEN NEW.type = 'wrong' BEGIN SELECT RAISE(ABORT, 'wrong'); END",
        )
        .unwrap();
    })
    .await;
    let ids = TestIds::new();
    let jobs: Vec<NewJob> = (0..60)
        .map(|at| NewJob::new(ids.next(), if at == 30 { "wrong" } else { "right" }, json!({ "at": at }), NOW))
        .collect();
    let inserted =
        futures_util::future::join_all(jobs.iter().map(|job| db.insert(std::slice::from_ref(job), NOW)))
            .await;
    for (at, outcome) in inserted.iter().enumerate() {
        assert_eq!(outcome.is_err(), at == 30, "{at}: {outcome:?}");
    }
    // in the order of the calls, told and counted once each
    let filter = JobFilter { kind: Some("right".to_owned()), ..JobFilter::default() };
    let page = db.list(&filter, JobOrder::Ascending, None, 100).await.unwrap();
    let found: Vec<_> = page.items.iter().map(|job| job.spec.id).collect();
    let wanted: Vec<_> = jobs.iter().filter(|job| job.kind == "right").map(|job| job.id).collect();
    assert_eq!(found, wanted);
    let events = db.events_after(0, &JobEventFilter::default(), 1_000).await.unwrap().events;
    assert_eq!(events.iter().filter(|event| event.kind == "right").count(), 59);
    let again = db.insert(&jobs[..1], NOW).await.unwrap();
    assert_eq!(again, [common::jobs::InsertOutcome::Known]);
}

/// A caller that goes away takes nobody along, and the next ones are not left waiting for it.
#[tokio::test]
async fn insertions_do_not_wait_for_a_caller_that_has_left() {
    let (db, _folder) = waiting(0, 0).await;
    let ids = TestIds::new();
    let job = || NewJob::new(ids.next(), "test", json!({}), NOW);
    for _ in 0..20 {
        let (left, stays) = ([job()], [job()]);
        let mut leaving = Box::pin(db.insert(&left, NOW));
        assert!(futures_util::poll!(&mut leaving).is_pending());
        let staying = db.insert(&stays, NOW);
        drop(leaving);
        assert_eq!(staying.await.unwrap(), [common::jobs::InsertOutcome::Inserted]);
        assert_eq!(db.known(&[left[0].id]).await.unwrap(), [left[0].id]);
    }
    db.close();
    let refused = db.insert(&[job()], NOW).await;
    assert!(matches!(refused, Err(PortError::Unavailable { .. })), "{refused:?}");
}
