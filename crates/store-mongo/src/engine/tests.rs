use std::time::Duration;

use common::{Causes, PortError, TimeSource as _, Timestamp};
use futures_util::future::join_all;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use tokio::sync::Notify;

use super::{Abort, Engine, Fault, Index, Migration, Schema, Step, Version, is_duplicate};
use crate::support;

/// Half of what the server would hold on to a transaction that nobody goes on with.
const HELD: Duration = Duration::from_secs(30);

static FIRST: Schema = Schema {
    name: "test",
    migrations: &[Migration {
        version: Version { major: 1, minor: 0 },
        steps: &[
            Step::Collection("things"),
            Step::Index(
                Index::new("things", "name_1", &[("name", 1)]).unique().only(|| doc! { "live": true }),
            ),
            Step::Document { collection: "counters", id: "things", fields: || doc! { "value": 7_i64 } },
            Step::Outbox("test_outbox"),
        ],
    }],
};

static SECOND: Schema = Schema {
    name: "test",
    migrations: &[
        Migration { version: Version { major: 1, minor: 0 }, steps: &[Step::Collection("things")] },
        Migration { version: Version { major: 1, minor: 1 }, steps: &[Step::Collection("more")] },
    ],
};

static THIRD: Schema =
    Schema { name: "test", migrations: &[Migration { version: Version { major: 2, minor: 0 }, steps: &[] }] };

async fn find(engine: &Engine, collection: &str, id: &str) -> Option<Document> {
    engine.collection::<Document>(collection).find_one(doc! { "_id": id }).await.expect("the server answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_one_migrates() {
    let (_, scratch) = support::mongo().await;
    let mut engines = Vec::new();
    for _ in 0..4 {
        engines.push(Engine::new(&scratch.connect().await, &FIRST));
    }
    for result in join_all(engines.iter().map(Engine::migrate)).await {
        result.unwrap();
    }
    let schema = find(&engines[0], "meta", "schema:test").await.unwrap();
    assert_eq!(schema, doc! { "_id": "schema:test", "major": 1, "minor": 0 });
    assert_eq!(find(&engines[0], "meta", "lock:test").await, None);
    let mut indexes = engines[0].collection::<Document>("test_outbox").list_index_names().await.unwrap();
    indexes.sort();
    assert_eq!(indexes, ["_id_", "sent_1", "waiting_1"]);
    // steps can be taken again, as after a crash between them and the version
    let counters = engines[0].collection::<Document>("counters");
    counters.update_one(doc! { "_id": "things" }, doc! { "$set": { "value": 8_i64 } }).await.unwrap();
    engines[0].collection::<Document>("meta").delete_one(doc! { "_id": "schema:test" }).await.unwrap();
    Engine::new(&scratch.connect().await, &FIRST).migrate().await.unwrap();
    assert_eq!(find(&engines[0], "counters", "things").await.unwrap().get_i64("value").unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minor_versions_go_together_and_major_ones_do_not() {
    let (mongo, _scratch) = support::mongo().await;
    Engine::new(&mongo, &SECOND).migrate().await.unwrap();
    let older = Engine::new(&mongo, &FIRST);
    older.migrate().await.unwrap();
    assert_eq!(find(&older, "meta", "schema:test").await.unwrap().get_i32("minor").unwrap(), 1);
    Engine::new(&mongo, &THIRD).migrate().await.unwrap();
    for schema in [&FIRST, &SECOND] {
        let refused = Engine::new(&mongo, schema).migrate().await;
        assert!(matches!(refused, Err(PortError::Broken { .. })), "{refused:?}");
    }
}

/// 2200-01-01, in milliseconds since 1970.
const FAR_AWAY: i64 = 7_258_118_400_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_of_a_migrator_that_died_is_taken_over_when_its_lease_ends() {
    let (mongo, _scratch) = support::mongo().await;
    let meta = mongo.database().collection::<Document>("meta");
    let lock = |until| doc! { "_id": "lock:test", "owner": ObjectId::new(), "until": until };
    meta.insert_one(lock(DateTime::from_millis(FAR_AWAY))).await.unwrap();
    let waits = Engine::new(&mongo.with_deadline(Duration::from_secs(1)), &FIRST).ping().await;
    assert!(matches!(waits, Err(PortError::Unavailable { .. })), "{waits:?}");
    meta.replace_one(doc! { "_id": "lock:test" }, lock(DateTime::from_millis(0))).await.unwrap();
    Engine::new(&mongo, &FIRST).ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_meet_are_repeated_until_all_are_done() {
    let (mongo, scratch) = support::mongo().await;
    let other = scratch.connect().await;
    let engines = [Engine::new(&mongo, &FIRST), Engine::new(&other, &FIRST)];
    engines[0].migrate().await.unwrap();
    let things = engines[0].collection::<Document>("things");
    things.insert_many(["a", "b"].map(|id| doc! { "_id": id, "value": 0 })).await.unwrap();
    // each reads what the one before has written, in two documents
    let add = |n: usize| {
        let engine = &engines[n % 2];
        engine.transact(&[], move |mut tx| async move {
            let things = engine.collection::<Document>("things");
            let mut values = Vec::new();
            for id in ["a", "b"] {
                let found = things.find_one(doc! { "_id": id }).session(tx.session()).await?;
                values.push(found.expect("it is there").get_i32("value").expect("it is a number"));
            }
            assert_eq!(values[0], values[1], "what a transaction reads is of one moment");
            for id in ["a", "b"] {
                let next = doc! { "$set": { "value": values[0] + 1 } };
                things.update_one(doc! { "_id": id }, next).session(tx.session()).await?;
            }
            Ok::<_, Abort<PortError>>(())
        })
    };
    for result in join_all((0..16).map(add)).await {
        result.unwrap();
    }
    for id in ["a", "b"] {
        assert_eq!(find(&engines[0], "things", id).await.unwrap().get_i32("value").unwrap(), 16);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_undoes_the_transaction_and_is_not_repeated() {
    let (mongo, _scratch) = support::mongo().await;
    let engine = &Engine::new(&mongo, &FIRST);
    let runs = &std::sync::atomic::AtomicU32::new(0);
    let refused = engine
        .transact::<(), _, _>(&[], |mut tx| async move {
            runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let thing = doc! { "_id": "a" };
            engine.collection::<Document>("things").insert_one(thing).session(tx.session()).await?;
            Err(common::jobs::LostLease::Lost.into())
        })
        .await;
    assert!(matches!(refused, Err(common::jobs::LostLease::Lost)), "{refused:?}");
    assert_eq!(runs.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(find(engine, "things", "a").await, None);
}

/// The server would hold what it has written against everybody for a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_left_while_the_server_was_away_holds_nobody_up() {
    let (mongo, scratch) = support::mongo().await;
    Engine::new(&mongo, &FIRST).migrate().await.unwrap();
    let (behind, proxy) = scratch.behind_a_proxy().await;
    let engine = Engine::new(&behind, &FIRST);
    engine.migrate().await.unwrap();
    let things = mongo.database().collection::<Document>("things");
    things.insert_one(doc! { "_id": "a", "value": 0 }).await.unwrap();
    let set = |value: i32| (doc! { "_id": "a" }, doc! { "$set": { "value": value } });

    let written = Notify::new();
    let mut work = Box::pin(engine.transact(&[], |mut tx| {
        let (things, written) = (engine.collection::<Document>("things"), &written);
        async move {
            let (thing, one) = set(1);
            things.update_one(thing, one).session(tx.session()).await?;
            written.notify_one();
            std::future::pending::<Result<(), Abort<PortError>>>().await
        }
    }));
    tokio::select! {
        done = &mut work => panic!("it is never done: {done:?}"),
        () = written.notified() => proxy.set(testkit::servers::Fault::CutOff),
    }
    missed(&engine).await;
    drop(work);
    // one after another: the driver, which tries by itself to end it, has given up then
    for _ in 0..3 {
        missed(&engine).await;
    }
    proxy.set(testkit::servers::Fault::None);

    let (thing, two) = set(2);
    let write = things.update_one(thing, two).into_future();
    tokio::time::timeout(HELD, write).await.expect("nobody holds it any longer").unwrap();
    assert_eq!(find(&engine, "things", "a").await.unwrap().get_i32("value").unwrap(), 2);
}

/// Waits until the driver finds no server.
async fn missed(engine: &Engine) {
    let missed = async {
        loop {
            // the proxy may not have heard yet that it has to cut it off
            if engine.ping().await.is_err_and(|error| Causes(&error).to_string().contains("selection")) {
                return;
            }
        }
    };
    tokio::time::timeout(HELD, missed).await.expect("the driver misses the server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_key_is_seen_in_every_shape() {
    let (mongo, _scratch) = support::mongo().await;
    let engine = &Engine::new(&mongo, &FIRST);
    engine.migrate().await.unwrap();
    let things = engine.collection::<Document>("things");
    things.insert_one(doc! { "_id": "a", "name": "secret@example.org", "live": true }).await.unwrap();
    let other = doc! { "_id": "b", "name": "secret@example.org", "live": true };
    let one = things.insert_one(other.clone()).await.unwrap_err();
    let many = things.insert_many([doc! { "_id": "c" }, other.clone()]).await.unwrap_err();
    let modified =
        things.find_one_and_replace(doc! { "_id": "b" }, other.clone()).upsert(true).await.unwrap_err();
    for error in [one, many, modified] {
        assert!(is_duplicate(&error), "{error:?}");
        let fault = Fault::from(error);
        assert!(fault.is_duplicate());
        assert!(!fault.to_string().contains("secret"), "what documents hold is not told: {fault}");
    }
    let seen = engine
        .transact(&[], |mut tx| {
            let other = other.clone();
            async move {
                let things = engine.collection::<Document>("things");
                match things.insert_one(other).session(tx.session()).await {
                    Err(error) if is_duplicate(&error) => Err(common::jobs::LostLease::Lost.into()),
                    result => Ok(result.map(drop)?),
                }
            }
        })
        .await;
    assert!(matches!(seen, Err(common::jobs::LostLease::Lost)), "{seen:?}");
}

/// As after a restart of the server between two pages: whoever asks again gets all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_whose_rest_the_server_has_forgotten_is_unavailable() {
    let (mongo, _scratch) = support::mongo().await;
    let engine = &Engine::new(&mongo, &FIRST);
    engine.migrate().await.unwrap();
    let forgotten = doc! { "getMore": 4_711_i64, "collection": "things" };
    let cut = engine.run(async { Ok(engine.mongo().database().run_command(forgotten).await?) });
    let cut = cut.await;
    assert!(matches!(cut, Err(PortError::Unavailable { .. })), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_ends_with_its_deadline() {
    let (mongo, _scratch) = support::mongo().await;
    let engine = Engine::new(&mongo.with_deadline(Duration::from_millis(500)), &FIRST);
    let ended = engine.run(std::future::pending::<Result<(), Fault>>()).await;
    assert!(matches!(ended, Err(PortError::Unavailable { .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_has_one_id() {
    let (mongo, scratch) = support::mongo().await;
    let other = scratch.connect().await;
    let engines = [Engine::new(&mongo, &FIRST), Engine::new(&other, &FIRST)];
    let ids = join_all((0..6).map(|n| engines[n % 2].store_id())).await;
    let first = ids[0].as_ref().unwrap().clone();
    assert_eq!(first.len(), 32);
    assert!(ids.into_iter().all(|id| id.unwrap() == first));
}

/// Processes on hosts whose clocks differ go by this one.
#[tokio::test]
async fn the_server_tells_the_time() {
    let (mongo, scratch) = support::mongo().await;
    let first = mongo.time().await.unwrap();
    let second = scratch.connect().await.time().await.unwrap();
    assert!(Timestamp::parse("2025-01-01T00:00:00Z") < Some(first) && first <= second, "{first} {second}");
}
