use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{PortError, PortResult};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use super::*;

const FIRST: &str = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE rows (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;";

const SCHEMA: Schema = Schema { name: "test", application_id: 7, migrations: &[FIRST] };

struct Bench {
    engine: Engine,
    folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    // no checkpoint by itself: these tests say when
    let options = OpenOptions { quiet: Duration::from_secs(3600), ..OpenOptions::default() };
    let engine = Engine::open(&folder.path().join("test.db"), &SCHEMA, &options).unwrap();
    Bench { engine, folder }
}

impl Bench {
    fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    async fn insert(&self, durability: Durability, id: i64, size: usize) -> PortResult<()> {
        self.engine.write(durability, move |tx| Ok(insert(tx, id, size)?)).await
    }

    async fn ids(&self) -> Vec<i64> {
        self.engine
            .read(|connection| {
                let mut select = connection.prepare_cached("SELECT id FROM rows ORDER BY id")?;
                Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
            })
            .await
            .unwrap()
    }

    /// Holds the writer until what is returned is dropped, so that requests gather behind it.
    fn hold(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let (entered, has_entered) = mpsc::channel();
        let hold = self.engine.write(Durability::Relaxed, move |_| {
            entered.send(()).ok();
            held.recv().ok();
            Ok::<_, Abort<PortError>>(())
        });
        // the request is in the queue from the first poll on
        assert!(Box::pin(hold).now_or_never().is_none());
        has_entered.recv().unwrap();
        release
    }

    /// Runs requests in one group.
    async fn group<T>(&self, mut requests: Vec<BoxFuture<'_, T>>) -> Vec<T> {
        let release = self.hold();
        let mut waiting = Vec::new();
        for mut request in requests.drain(..) {
            assert!((&mut request).now_or_never().is_none());
            waiting.push(request);
        }
        drop(release);
        join_all(waiting).await
    }
}

fn insert(tx: &Tx<'_>, id: i64, size: usize) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO rows (id, bytes) VALUES (?1, ?2)")?
        .execute((id, vec![7_u8; size]))
        .map(drop)
}

fn set_max_pages(tx: &Tx<'_>, pages: i64) -> rusqlite::Result<()> {
    tx.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

#[tokio::test]
async fn what_was_answered_is_seen_by_readers() {
    let bench = bench();
    for id in 0..50 {
        let durability = if id % 2 == 0 { Durability::Durable } else { Durability::Relaxed };
        bench.insert(durability, id, 10).await.unwrap();
        assert_eq!(bench.ids().await.len() as i64, id + 1);
    }
}

#[tokio::test]
async fn durable_commits_are_synced_and_relaxed_ones_are_not() {
    let bench = bench();
    for (durability, synchronous) in [
        (Durability::Durable, 2),
        (Durability::Relaxed, 1),
        (Durability::Relaxed, 1),
        (Durability::Durable, 2),
    ] {
        let set = bench.engine.write(durability, |tx| {
            Ok::<i64, Abort<PortError>>(tx.pragma_query_value(None, "synchronous", |row| row.get(0))?)
        });
        assert_eq!(set.await.unwrap(), synchronous, "{durability:?}");
    }
}

#[tokio::test]
async fn requests_that_wait_share_a_commit_and_a_failed_one_is_undone_alone() {
    let bench = bench();
    let requests = (0..20)
        .map(|id| {
            let path = bench.path();
            let work = move |tx: &Tx<'_>| {
                insert(tx, id, 10)?;
                if id == 19 {
                    let outside = Connection::open(path)?;
                    let seen: i64 = outside.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))?;
                    assert_eq!(seen, 0, "none of the others is committed before all are");
                }
                if id == 7 {
                    return Err(Abort::Rule(PortError::broken(PART, "a rule")));
                }
                if id == 9 {
                    // a statement that fails by itself
                    insert(tx, 1, 10)?;
                }
                assert!(id != 11, "a fault of ours");
                Ok(())
            };
            bench.engine.write(Durability::Durable, work).boxed()
        })
        .collect();
    let results = bench.group(requests).await;
    for (id, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), [7, 9, 11].contains(&id), "{id}: {result:?}");
    }
    let kept: Vec<i64> = (0..20).filter(|id| ![7, 9, 11].contains(id)).collect();
    assert_eq!(bench.ids().await, kept);
}

/// Inserts a row; how its commit is synced.
fn synchronous(bench: &Bench, durability: Durability, id: i64) -> BoxFuture<'_, PortResult<i64>> {
    let work = move |tx: &Tx<'_>| {
        insert(tx, id, 10)?;
        Ok::<i64, Abort<PortError>>(tx.pragma_query_value(None, "synchronous", |row| row.get(0))?)
    };
    bench.engine.write(durability, work).boxed()
}

#[tokio::test]
async fn what_waits_while_a_synced_commit_is_due_goes_with_it() {
    let bench = bench();
    let requests = (0..20)
        .map(|id| {
            let durability = if id % 2 == 0 { Durability::Durable } else { Durability::Relaxed };
            synchronous(&bench, durability, id)
        })
        .collect();
    for synchronous in bench.group(requests).await {
        assert_eq!(synchronous.unwrap(), 2);
    }
    assert_eq!(bench.ids().await.len(), 20);
}

#[tokio::test]
async fn where_there_is_no_room_the_two_kinds_take_turns() {
    let bench = bench();
    let most = i64::try_from(OpenOptions::default().group).unwrap();
    let mut requests: Vec<_> = (0..2 * most).map(|id| synchronous(&bench, Durability::Durable, id)).collect();
    requests.push(synchronous(&bench, Durability::Relaxed, 2 * most));
    let mut results = bench.group(requests).await;
    assert_eq!(results.pop().unwrap().unwrap(), 1, "between the two full groups");
    for synchronous in results {
        assert_eq!(synchronous.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_request_that_was_asked_for_is_done_even_if_its_caller_went_away() {
    let bench = bench();
    let release = bench.hold();
    {
        let mut request = bench.insert(Durability::Durable, 1, 10).boxed();
        assert!((&mut request).now_or_never().is_none());
    }
    drop(release);
    bench.insert(Durability::Durable, 2, 10).await.unwrap();
    assert_eq!(bench.ids().await, [1, 2]);
}

#[tokio::test]
async fn a_full_disk_changes_nothing_and_the_store_recovers() {
    let bench = bench();
    bench.insert(Durability::Durable, 1, 10).await.unwrap();
    bench
        .engine
        .write(Durability::Durable, |tx| Ok::<_, Abort<PortError>>(set_max_pages(tx, 40)?))
        .await
        .unwrap();
    let full = bench.insert(Durability::Durable, 2, 400_000).await;
    assert!(matches!(full, Err(PortError::Full { .. })), "{full:?}");
    // in a group, whatever SQLite does with the transaction: what was answered as done is there, what was not is not
    let requests = (10..20)
        .map(|id| bench.insert(Durability::Durable, id, if id == 15 { 400_000 } else { 10 }).boxed())
        .collect();
    let results = bench.group(requests).await;
    assert!(matches!(results[5], Err(PortError::Full { .. })), "{results:?}");
    let mut expected = vec![1];
    expected.extend((10..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(id, _)| id));
    assert_eq!(bench.ids().await, expected);
    bench
        .engine
        .write(Durability::Durable, |tx| Ok::<_, Abort<PortError>>(set_max_pages(tx, 4000)?))
        .await
        .unwrap();
    bench.insert(Durability::Durable, 2, 400_000).await.unwrap();
    assert!(bench.ids().await.contains(&2));
    bench.engine.ping().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_fails_the_whole_group() {
    let bench = bench();
    let requests = (0..6)
        .map(|id| {
            let work = move |tx: &Tx<'_>| {
                insert(tx, id, 10)?;
                if id == 3 {
                    // as SQLite does by itself on some errors
                    tx.execute_batch("ROLLBACK")?;
                    insert(tx, 3, 10)?;
                }
                Ok::<_, Abort<PortError>>(())
            };
            bench.engine.write(Durability::Durable, work).boxed()
        })
        .collect();
    let results = bench.group(requests).await;
    assert!(results.iter().all(|result| matches!(result, Err(PortError::Unavailable { .. }))), "{results:?}");
    bench.insert(Durability::Durable, 9, 10).await.unwrap();
}

#[tokio::test]
async fn closing_finishes_what_waits_and_refuses_what_comes() {
    let Bench { engine, folder } = bench();
    let path = folder.path().join("test.db");
    let bench = Bench { engine, folder };
    let release = bench.hold();
    let requests: Vec<_> = (0..5).map(|id| bench.insert(Durability::Durable, id, 10).boxed()).collect();
    let mut waiting = Vec::new();
    for mut request in requests {
        assert!((&mut request).now_or_never().is_none());
        waiting.push(request);
    }
    drop(release);
    bench.engine.close();
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
    let late = bench.insert(Durability::Durable, 9, 10).await;
    assert!(matches!(late, Err(PortError::Unavailable { .. })), "{late:?}");
    let late = bench.engine.read(|_| Ok(())).await;
    assert!(matches!(late, Err(PortError::Unavailable { .. })), "{late:?}");
    bench.engine.close();
    let mut log = path.clone();
    log.as_mut_os_string().push("-wal");
    assert!(std::fs::metadata(log).map_or(true, |log| log.len() == 0), "the log is in the file");
    let again = Engine::open(&path, &SCHEMA, &OpenOptions::default()).unwrap();
    let bench = Bench { engine: again, folder: bench.folder };
    assert_eq!(bench.ids().await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_newer_or_foreign_file_is_refused() {
    let bench = bench();
    bench.insert(Durability::Durable, 1, 10).await.unwrap();
    let (path, folder) = (bench.path(), bench.folder);
    drop(bench.engine);
    let foreign = Schema { application_id: 8, ..SCHEMA };
    let refused = Engine::open(&path, &foreign, &OpenOptions::default()).err();
    assert!(matches!(refused, Some(PortError::Broken { .. })), "{refused:?}");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    drop(newer);
    let refused = Engine::open(&path, &SCHEMA, &OpenOptions::default()).err();
    assert!(matches!(refused, Some(PortError::Broken { .. })), "{refused:?}");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database at all, only a text of some length".repeat(20)).unwrap();
    let refused = Engine::open(&text, &SCHEMA, &OpenOptions::default()).err();
    assert!(matches!(refused, Some(PortError::Broken { .. })), "{refused:?}");
    let nowhere =
        Engine::open(&folder.path().join("no/such/folder.db"), &SCHEMA, &OpenOptions::default()).err();
    assert!(matches!(nowhere, Some(PortError::Unavailable { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn migrations_run_once_and_a_failed_one_leaves_the_version_before() {
    let bench = bench();
    bench.insert(Durability::Durable, 1, 10).await.unwrap();
    let (path, _folder) = (bench.path(), bench.folder);
    drop(bench.engine);
    const BROKEN: Schema =
        Schema { migrations: &[FIRST, "CREATE TABLE more (x); SELECT no_such_function();"], ..SCHEMA };
    const NEXT: Schema = Schema { migrations: &[FIRST, "CREATE TABLE more (x);"], ..SCHEMA };
    assert!(Engine::open(&path, &BROKEN, &OpenOptions::default()).is_err());
    drop(Engine::open(&path, &NEXT, &OpenOptions::default()).unwrap());
    drop(Engine::open(&path, &NEXT, &OpenOptions::default()).unwrap());
}

#[tokio::test]
async fn a_crash_leaves_whole_commits_and_all_that_were_answered() {
    let bench = bench();
    for id in 0..20 {
        bench.insert(Durability::Durable, 2 * id, 3_000).await.unwrap();
    }
    let log = |path: &PathBuf| {
        let mut log = path.clone();
        log.as_mut_os_string().push("-wal");
        log
    };
    let image = bench.folder.path().join("image.db");
    std::fs::copy(bench.path(), &image).unwrap();
    let whole = std::fs::read(log(&bench.path())).unwrap();
    // the log as a crash may leave it: cut anywhere in what came after
    let answered = whole.len();
    bench
        .engine
        .write(Durability::Durable, |tx| {
            insert(tx, 100, 9_000)?;
            Ok::<_, Abort<PortError>>(insert(tx, 101, 9_000)?)
        })
        .await
        .unwrap();
    let longer = std::fs::read(log(&bench.path())).unwrap();
    let steps = (answered..=longer.len()).step_by(1_000).chain([longer.len()]);
    for cut in steps {
        std::fs::write(log(&image), &longer[..cut]).unwrap();
        let engine = Engine::open(&image, &SCHEMA, &OpenOptions::default()).unwrap();
        let crashed = Bench { engine, folder: tempfile::tempdir().unwrap() };
        let ids = crashed.ids().await;
        let mut expected: Vec<i64> = (0..20).map(|id| 2 * id).collect();
        if ids.len() > 20 {
            expected.extend([100, 101]);
        }
        assert_eq!(ids, expected, "cut at {cut}");
        assert_eq!(cut == longer.len(), ids.len() > 20, "half a commit is none");
        drop(crashed);
        std::fs::copy(bench.path(), &image).unwrap();
    }
}

#[tokio::test]
async fn a_quiet_moment_moves_the_log_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions { quiet: Duration::from_millis(1), ..OpenOptions::default() };
    let engine = Engine::open(&folder.path().join("test.db"), &SCHEMA, &options).unwrap();
    let bench = Bench { engine, folder };
    bench.insert(Durability::Relaxed, 1, 2_000_000).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(bench.path()).unwrap().len() < 2_000_000 {
        assert!(Instant::now() < deadline, "the file grows once the log was moved");
        tokio::task::yield_now().await;
    }
    // and goes on as before
    bench.insert(Durability::Durable, 2, 10).await.unwrap();
    assert_eq!(bench.ids().await, [1, 2]);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = bench();
    bench.insert(Durability::Durable, 1, 10).await.unwrap();
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = std::fs::metadata(bench.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
