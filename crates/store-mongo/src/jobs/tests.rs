//! What cannot be brought about through the ports: crashes between two steps, and databases of versions before.

use common::jobs::{
    ClaimRequest, Claimed, JobAdmin as _, JobEvent, JobEventFilter, JobEventKind, JobEvents as _, JobFilter,
    JobOrder, JobState, JobStore as _, LostLease, NewJob, SERVED_KEPT,
};
use common::{Clock as _, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{TestClock, TestIds};

use super::schema::{EVENTS, JOBS, KEYS, LINES, LOG, NEVER, REMOVED, TURNS};
use super::{JobsDb, events, schema};
use crate::engine::{Engine, Schema};
use crate::support;
use crate::value::{ToOid as _, int};

mod figures;

async fn store() -> (JobsDb, support::Scratch) {
    let (mongo, scratch) = support::mongo().await;
    let store = JobsDb::new(&mongo);
    store.migrate().await.expect("the server answers");
    (store, scratch)
}

fn job(ids: &TestIds, at: Timestamp) -> NewJob {
    NewJob {
        run_at: None,
        unique_key: None,
        remove_on_complete: false,
        ..testkit::outbox::job(ids, "test", at)
    }
}

fn request(max: u32) -> ClaimRequest {
    ClaimRequest {
        types: vec!["test".to_owned()],
        worker: "worker".to_owned(),
        max,
        lease: Duration::from_secs(30),
    }
}

async fn next_places(engine: &Engine, limit: usize) -> Vec<events::EventDoc> {
    let tellers = events::tellers(engine, limit).await.expect("the server answers");
    let mut next = events::in_order(&tellers);
    next.truncate(limit);
    events::places(engine, &tellers, &next).await.expect("the server answers")
}

async fn all_events(store: &JobsDb) -> Vec<JobEvent> {
    store.events_after(0, &JobEventFilter::default(), 1000).await.expect("the server answers").events
}

async fn count(store: &JobsDb, collection: &str, matching: Document) -> u64 {
    store
        .engine
        .collection::<Document>(collection)
        .count_documents(matching)
        .await
        .expect("the server answers")
}

/// Who gives events their places dies before they are taken out of their jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_have_their_place_are_not_told_again() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let jobs = [job(&ids, at), job(&ids, at), job(&ids, at)];
    store.insert(&jobs, at).await.unwrap();
    for claimed in store.claim(&request(2), at).await.unwrap().jobs {
        store.give_back(claimed.holder, at).await.unwrap();
    }
    // seven events, of which the first four are placed
    let places = next_places(&store.engine, 4).await;
    assert_eq!(events::fill(&store.engine, places).await.unwrap(), (4, false));
    assert_eq!(store.last_event().await.unwrap(), 4);
    // they are not forgotten before they are taken out, however old they are
    let later = at + Duration::from_secs(3600);
    assert_eq!(store.forget_events(later, 100).await.unwrap(), 0);
    assert_eq!(store.order_events(100, at).await.unwrap(), 3);
    assert_eq!(store.order_events(100, at).await.unwrap(), 0);
    let told = all_events(&store).await;
    assert!(told.iter().map(|event| event.seq).eq(1..=7), "{told:?}");
    for (job, expected) in jobs.iter().zip([3, 3, 1]) {
        let told: Vec<_> = told.iter().filter(|event| event.job == job.id).map(|event| event.event).collect();
        assert_eq!(told, [JobEventKind::Enqueue, JobEventKind::Start, JobEventKind::Return][..expected]);
    }
    assert_eq!(count(&store, JOBS, doc! { "untold": true }).await, 0);
    assert_eq!(count(&store, JOBS, doc! { "untold_since": NEVER }).await, 3);
    // when all are forgotten, places go on
    assert_eq!(store.forget_events(later, 100).await.unwrap(), 7);
    assert_eq!(store.last_event().await.unwrap(), 7);
    store.claim(&request(1), at).await.unwrap();
    assert_eq!(store.order_events(100, at).await.unwrap(), 1);
    let page = store.events_after(3, &JobEventFilter::default(), 10).await.unwrap();
    assert_eq!((page.events[0].seq, page.last, page.gap), (8, 8, true));
}

/// A claim is broken off at each of its steps: it may have taken the job by then, or take it later. The clock stands, so no lease ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_claim_was_broken_off_is_claimed_again_at_once() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    store.insert(&[job(&ids, at)], at).await.unwrap();
    let mut was_astray = 0;
    for steps in 1.. {
        let claim = support::broken_off(steps, store.claim(&request(1), at)).await.map(Result::unwrap);
        let is_whole = claim.is_some();
        was_astray += usize::from(!is_whole && state(&store).await == JobState::Active);
        let claimed = match claim {
            Some(claims) => claims.jobs,
            None => claim_soon(&store, at).await,
        };
        let [claimed] = &claimed[..] else { panic!("one job: {claimed:?}") };
        assert_eq!(claimed.job.attempts_made, 1, "what nobody has worked counts as no attempt");
        store.give_back(claimed.holder, at).await.unwrap();
        if is_whole {
            break;
        }
    }
    assert!(was_astray > 0, "no claim was broken off after it had taken the job");
    // whoever holds a job keeps it
    let held = store.claim(&request(1), at).await.unwrap().jobs.remove(0);
    assert!(store.claim(&request(1), at).await.unwrap().jobs.is_empty());
    store.complete(held.holder, None, at).await.unwrap();
}

/// What a broken off claim has sent may arrive after others have asked.
async fn claim_soon(store: &JobsDb, at: Timestamp) -> Vec<Claimed> {
    let claims = async {
        loop {
            let claims = store.claim(&request(1), at).await.expect("the server answers");
            if !claims.jobs.is_empty() {
                return claims.jobs;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), claims).await.expect("the job comes back")
}

async fn state(store: &JobsDb) -> JobState {
    let page =
        store.list(&JobFilter::default(), JobOrder::Ascending, None, 2).await.expect("the server answers");
    page.items[0].state
}

/// A claim fails after it took a place in the window of its type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_fails_gives_its_places_back() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let limit = common::jobs::TypeLimit { max: 1, per: Duration::from_secs(3600) };
    store.set_type_limit("test", Some(limit)).await.unwrap();
    store.insert(&[job(&ids, at)], at).await.unwrap();
    let backoff = async |value: Bson| {
        let change = doc! { "$set": { "backoff": value } };
        store.engine.collection::<Document>(JOBS).update_one(doc! {}, change).await.unwrap();
    };
    backoff(Bson::Null).await;
    store.claim(&request(1), at).await.unwrap_err();
    backoff(r#"{"kind":"none"}"#.into()).await;
    assert_eq!(store.claim(&request(1), at).await.unwrap().jobs.len(), 1, "no other one was begun");
}

/// A hundred jobs could have a hundred megabytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_ends_where_its_answer_would_be_huge() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    store.insert(&[job(&ids, at), job(&ids, at), job(&ids, at)], at).await.unwrap();
    let long = doc! { "$set": { "result": format!("\"{}\"", "x".repeat(3 << 20)) } };
    store.engine.collection::<Document>(JOBS).update_many(doc! {}, long).await.unwrap();
    for _ in 0..3 {
        assert_eq!(store.claim(&request(3), at).await.unwrap().jobs.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_held_a_job_before_a_backup_was_restored_holds_it_no_more() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    store.insert(&[job(&ids, at)], at).await.unwrap();
    let mut backup = Vec::new();
    for name in [JOBS, LINES] {
        let documents = store.engine.collection::<Document>(name).find(doc! {}).await.unwrap();
        backup.push((name, documents.try_collect::<Vec<_>>().await.unwrap()));
    }
    let claim = async || store.claim(&request(1), at).await.unwrap().jobs.remove(0).holder;
    let before = claim().await;
    for (name, documents) in backup {
        let collection = store.engine.collection::<Document>(name);
        collection.delete_many(doc! {}).await.unwrap();
        collection.insert_many(documents).await.unwrap();
    }
    let after = claim().await;
    assert_eq!(before.job, after.job);
    let refused = store.complete(before, None, at).await;
    assert!(matches!(refused, Err(LostLease::Lost)), "{refused:?}");
    store.complete(after, None, at).await.unwrap();
}

/// What is known of who was served goes in time, and lines go with their jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_without_jobs_are_forgotten() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let jobs = [(); 5].map(|()| NewJob { user: Some(ids.next()), ..job(&ids, at) });
    store.insert(&jobs, at).await.unwrap();
    for claimed in store.claim(&request(5), at).await.unwrap().jobs {
        store.complete(claimed.holder, None, at).await.unwrap();
    }
    assert_eq!(count(&store, LINES, doc! {}).await, 0);
    for (passed, left) in [(SERVED_KEPT - Duration::from_millis(1), 5), (SERVED_KEPT, 0)] {
        store.promote_due(10, at + passed).await.unwrap();
        assert_eq!(count(&store, TURNS, doc! {}).await, left);
    }
}

/// Who removes a job dies at once; who orders its events dies between any two steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_job_tells_all_before_it_is_buried() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let jobs = [(); 2].map(|()| NewJob { unique_key: Some("key".to_owned()), ..job(&ids, at) });
    store.insert(&jobs[..1], at).await.unwrap();
    let claimed = store.claim(&request(1), at).await.unwrap().jobs.remove(0);
    store.log(claimed.holder, "a line", at).await.unwrap();
    store.fail(claimed.holder, &failure(), at).await.unwrap();
    store.remove(jobs[0].id, at).await.unwrap();
    // a line that was on its way
    let line = doc! { "job": jobs[0].id.oid(), "line": 2_i64, "at": at.millis(), "text": "late" };
    store.engine.collection::<Document>(LOG).insert_one(line).await.unwrap();
    assert_eq!(store.find(jobs[0].id).await.unwrap(), None);
    assert_eq!(store.known(&[jobs[0].id]).await.unwrap(), [jobs[0].id]);
    let places = next_places(&store.engine, 100).await;
    events::fill(&store.engine, places).await.unwrap();
    assert_eq!(count(&store, JOBS, doc! { "_id": jobs[0].id.oid() }).await, 1);
    assert_eq!(store.order_events(100, at).await.unwrap(), 0);
    let told: Vec<_> = all_events(&store).await.iter().map(|event| event.event).collect();
    let expected = [JobEventKind::Enqueue, JobEventKind::Start, JobEventKind::Failed, JobEventKind::Remove];
    assert_eq!(told, expected);
    for (collection, field) in [(JOBS, "_id"), (LOG, "job"), (KEYS, "job")] {
        let left = count(&store, collection, doc! { field: jobs[0].id.oid() }).await;
        assert_eq!(left, 0, "{collection}");
    }
    assert_eq!(count(&store, REMOVED, doc! { "_id": jobs[0].id.oid(), "at": at.millis() }).await, 1);
    assert_eq!(store.known(&[jobs[0].id]).await.unwrap(), [jobs[0].id]);
}

fn failure() -> common::jobs::Failure {
    common::jobs::Failure {
        error: "$error".to_owned(),
        retryable: false,
        jitter_percent: 0,
        not_before: None,
        uncounted: false,
    }
}

/// A document has at most 16 MiB, and nobody may be there to order events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_that_nobody_orders_does_not_fill_the_job() {
    let (store, _scratch) = store().await;
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    store.insert(&[job(&ids, at)], at).await.unwrap();
    let claimed = store.claim(&request(1), at).await.unwrap().jobs.remove(0);
    let data = |n: u8| json!({ "$text": "$x".repeat(1000), "n": n });
    for n in 1..=40 {
        store.progress(claimed.holder, n, Some(&data(n)), at).await.unwrap();
    }
    let job = store.find(claimed.holder.job).await.unwrap().unwrap();
    assert_eq!((job.progress, job.progress_data), (40, Some(data(40))));
    store.complete(claimed.holder, Some(&json!("$result")), at).await.unwrap();
    while store.order_events(100, at).await.unwrap() > 0 {}
    let told = all_events(&store).await;
    let progress: Vec<&Value> = told
        .iter()
        .filter(|event| event.event == JobEventKind::Progress)
        .map(|event| &event.data.as_ref().unwrap()["progress"])
        .collect();
    let expected: Vec<u8> = (1..=13).chain([40]).collect();
    assert_eq!(json!(progress), json!(expected), "the first ones, and the last one in place of the others");
    assert_eq!(told.last().unwrap().data, Some(json!({ "result": "$result" })));
}

/// The schema as the version before had it.
static BEFORE: Schema = Schema { name: "jobs", migrations: schema::SCHEMA.migrations.split_at(1).0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_the_version_before_go_on() {
    let (mongo, _scratch) = support::mongo().await;
    let before = Engine::new(&mongo, &BEFORE);
    before.migrate().await.unwrap();
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let job = job(&ids, at);
    let old = |state: i32, number: i64, id: Bson| {
        doc! {
            "_id": id, "number": number, "type": "test", "data": r#"{"name":"Äpfel"}"#, "priority": 0,
            "user": null, "max_attempts": 3_i64, "backoff": r#"{"kind":"none"}"#, "ttl_ms": 60_000_i64, "run_at": null,
            "created_at": at.millis(), "request_id": null, "state": state, "progress": 0, "result": null, "error": null,
            "attempts_made": 0_i64, "failures": [], "inserted_at": at.millis(), "started_at": null,
            "updated_at": at.millis(), "finished_at": null, "finished": false, "worker": null, "generation": 0_i64,
            "lease_until": null, "ttl_until": null, "ends_at": null, "due_at": at.millis(), "log_lines": 0_i64,
        }
    };
    let jobs = before.collection::<Document>(JOBS);
    jobs.insert_one(old(4, 1, job.id.oid().into())).await.unwrap();
    before
        .collection::<Document>("job_counters")
        .update_one(doc! { "_id": "number" }, doc! { "$set": { "value": 1_i64 } })
        .await
        .unwrap();

    let store = JobsDb::new(&mongo);
    // one more comes from a program of the version before that still runs
    store.migrate().await.unwrap();
    let other: common::JobId = ids.next();
    jobs.insert_one(old(4, 2, other.oid().into())).await.unwrap();
    assert_eq!(store.types(None).await.unwrap().types[0].counts[&JobState::Delayed], 2);
    assert_eq!(store.promote_due(10, at).await.unwrap(), ["test", "test"]);
    while store.index_text(10).await.unwrap() > 0 {}
    let filter = JobFilter { text: Some("APFEL".to_owned()), ..JobFilter::default() };
    let page = store.list(&filter, JobOrder::Ascending, None, 10).await.unwrap();
    assert_eq!(page.items.iter().map(|job| job.number).collect::<Vec<_>>(), [1]);
    for claimed in store.claim(&request(10), at).await.unwrap().jobs {
        store.complete(claimed.holder, None, at).await.unwrap();
    }
    assert_eq!(store.order_events(100, at).await.unwrap(), 6);
    assert_eq!(store.order_events(100, at).await.unwrap(), 0);
    let minutes = store.history(None, at).await.unwrap();
    assert_eq!(minutes.iter().map(|minute| minute.completed).sum::<u64>(), 2);
    assert_eq!(count(&store, EVENTS, doc! { "_id": { "$lte": int(6) } }).await, 6);
}
