//! Counters that were broken from outside, and a database of an older version.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use common::BlobKey;
use common::files::{Counter, FileStore as _, Miscount};
use rusqlite::Connection;
use store_sqlite::{FilesDb, OpenOptions};
use testkit::file_store::FilesSubject;

fn open(path: &Path) -> Arc<FilesDb> {
    Arc::new(FilesDb::open(path, &OpenOptions::default()).unwrap())
}

/// What stands in all tables that a recount looks at.
fn counters(raw: &Connection) -> Vec<String> {
    let queries = [
        "SELECT hex(id) || folder_count || '/' || file_count FROM nodes ORDER BY id",
        "SELECT hex(id) || used_bytes || '/' || reserved_bytes || '/' || node_count || '/' || trash_count FROM spaces ORDER BY id",
        "SELECT hex(key) || refs || '/' || (condemned_at IS NULL) FROM blobs ORDER BY key",
        "SELECT name || value FROM counters",
    ];
    let mut all = Vec::new();
    for query in queries {
        let mut select = raw.prepare(query).unwrap();
        all.extend(
            select.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap(),
        );
    }
    all
}

fn kinds(found: &[Miscount]) -> BTreeSet<Counter> {
    found.iter().map(|miscount| miscount.counter).collect()
}

/// Breaks every counter there is.
fn break_all(raw: &Connection) {
    raw.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    raw.execute_batch(
        "BEGIN IMMEDIATE;
         UPDATE nodes SET folder_count = folder_count + 3 WHERE parent IS NULL;
         UPDATE nodes SET file_count = 0 WHERE name = 'inner';
         UPDATE spaces SET used_bytes = used_bytes + 1000, reserved_bytes = 0, node_count = node_count + 2, trash_count = 0;
         UPDATE counters SET value = value + 7 WHERE name = 'nodes';
         -- a reference too many, none although it is used, condemned although it is used, and not condemned although it is not
         UPDATE blobs SET refs = refs + 1 WHERE key IN (SELECT blob FROM nodes WHERE name = 'file 0');
         UPDATE blobs SET refs = 0, condemned_at = 5 WHERE key IN (SELECT blob FROM nodes WHERE name = 'file 1');
         UPDATE blobs SET condemned_at = 5 WHERE key IN (SELECT blob FROM nodes WHERE name = 'file 2');
         UPDATE blobs SET refs = 2, condemned_at = NULL WHERE condemned_at <> 5 AND refs = 0;
         COMMIT;",
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_counters_are_found_and_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.db");
    let subject = FilesSubject::new(open(&path), ()).await;
    subject.grow().await;
    let raw = Connection::open(&path).unwrap();
    let right = counters(&raw);
    break_all(&raw);
    assert_ne!(counters(&raw), right);
    let found = subject.recount().await;
    assert_eq!(counters(&raw), right);
    assert_eq!(
        kinds(&found),
        [
            Counter::ChildFolders,
            Counter::ChildFiles,
            Counter::UsedBytes,
            Counter::ReservedBytes,
            Counter::Nodes,
            Counter::Trashed,
            Counter::AllNodes,
            Counter::References,
            Counter::Condemned,
        ]
        .into()
    );
    let space = subject.space.id.to_string();
    let reserved = Miscount { counter: Counter::ReservedBytes, of: space, stored: 0, counted: 11 };
    assert!(found.contains(&reserved), "{found:?}");
    assert_eq!(subject.recount().await, []);
}

/// What is uploaded while counters are broken and put right, again and again, is counted as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_put_right_while_uploads_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.db");
    let subject = FilesSubject::new(open(&path), ()).await;
    subject.grow().await;
    let raw = Connection::open(&path).unwrap();
    let before = subject.store.usage(subject.space.id).await.unwrap();
    let uploads = async {
        for number in 0..40 {
            let file = subject.file(subject.root(), &format!("upload {number}"), 100).await;
            subject.commit(&subject.update(file.id, 50, 1)).await.unwrap();
        }
    };
    let recounts = async {
        let mut found = 0;
        for _ in 0..10 {
            break_all(&raw);
            found += subject.recount().await.len();
        }
        assert!(found > 0);
    };
    tokio::join!(uploads, recounts);
    let usage = subject.store.usage(subject.space.id).await.unwrap();
    assert_eq!(usage.used_bytes, before.used_bytes + 40 * 150);
    assert_eq!(usage.node_count, before.node_count + 40);
    assert_eq!(subject.store.count_nodes().await.unwrap(), usage.node_count);
    assert_eq!(subject.recount().await, []);
}

/// Several that count at once do not put the same thing right twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_recounts_at_once_one_puts_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.db");
    let subject = FilesSubject::new(open(&path), ()).await;
    subject.grow().await;
    let raw = Connection::open(&path).unwrap();
    let right = counters(&raw);
    for _ in 0..10 {
        break_all(&raw);
        let found = futures_util::future::join_all((0..4).map(|_| subject.recount())).await.concat();
        assert_eq!(counters(&raw), right);
        let used = found.iter().filter(|miscount| miscount.counter == Counter::UsedBytes).count();
        assert_eq!(used, 1, "{found:?}");
    }
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.db");
    {
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch(include_str!("../migrations/files/001.sql")).unwrap();
        raw.execute_batch(
            "INSERT INTO blobs (key, size, sha256, crc32, refs, width, height) VALUES (x'000102030405060708090a0b0c0d0e0f', 3, zeroblob(32), 5, 1, 4, 2);
             PRAGMA application_id = 0x464d0002;
             PRAGMA user_version = 1;",
        )
        .unwrap();
    }
    let db = open(&path);
    let [blob] = &db.list_blobs(None, 10).await.unwrap()[..] else { panic!("one blob") };
    let key = BlobKey::parse("000102030405060708090a0b0c0d0e0f").unwrap();
    assert_eq!((blob.info.key, blob.info.size, blob.damaged_at), (key, 3, None));
}
