//! Counters that were broken from outside.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::files::{Counter, Miscount};
use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use store_mongo::FilesDb;
use testkit::file_store::{FilesSubject, Replicas};

/// Two processes, and the database that they share.
async fn subject() -> (FilesSubject, Database) {
    let (mongo, scratch) = support::mongo().await;
    let (other, raw) = (scratch.connect().await, scratch.raw().await);
    let replicas = Replicas::new(vec![Arc::new(FilesDb::new(&mongo)), Arc::new(FilesDb::new(&other))]);
    let subject = FilesSubject::new(Arc::new(replicas), scratch).await;
    subject.grow().await;
    (subject, raw)
}

/// What stands in all documents that a recount looks at.
async fn counters(raw: &Database) -> Vec<String> {
    let collections: [(&str, &[&str]); 3] = [
        ("nodes", &["folder_count", "file_count"]),
        ("spaces", &["used_bytes", "reserved_bytes", "node_count", "trash_count"]),
        ("blobs", &["refs", "condemned"]),
    ];
    let mut all = Vec::new();
    for (collection, fields) in collections {
        let documents: Vec<Document> = raw
            .collection(collection)
            .find(doc! {})
            .sort(doc! { "_id": 1 })
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        for document in documents {
            let values: Vec<_> = fields.iter().map(|field| document.get(field).cloned()).collect();
            all.push(format!("{:?} {values:?}", document.get("_id")));
        }
    }
    all
}

async fn blob_of(raw: &Database, name: &str) -> Bson {
    let file = raw.collection::<Document>("nodes").find_one(doc! { "name": name }).await.unwrap().unwrap();
    file.get_document("content").unwrap().get("blob").unwrap().clone()
}

/// Breaks every counter there is.
async fn break_all(raw: &Database) {
    let change = async |collection: &str, filter: Document, change: Document| {
        raw.collection::<Document>(collection).update_many(filter, change).await.unwrap()
    };
    change("nodes", doc! { "parent": { "$exists": false } }, doc! { "$inc": { "folder_count": 3_i64 } })
        .await;
    change("nodes", doc! { "name": "inner" }, doc! { "$set": { "file_count": 0_i64 } }).await;
    let usage = doc! {
        "$inc": { "used_bytes": 1000_i64, "node_count": 2_i64 },
        "$set": { "reserved_bytes": 0_i64, "trash_count": 0_i64 },
    };
    change("spaces", doc! {}, usage).await;
    // not condemned although it is not used; used, with a reference too many, without any, condemned
    let freed = doc! { "condemned": true, "condemned_at": { "$ne": 5_i64 } };
    change(
        "blobs",
        freed,
        doc! { "$set": { "refs": 2_i64, "condemned": false }, "$unset": { "condemned_at": "" } },
    )
    .await;
    change("blobs", doc! { "_id": blob_of(raw, "file 0").await }, doc! { "$inc": { "refs": 1_i64 } }).await;
    let gone = doc! { "$set": { "refs": 0_i64, "condemned": true, "condemned_at": 5_i64 } };
    change("blobs", doc! { "_id": blob_of(raw, "file 1").await }, gone).await;
    let condemned = doc! { "$set": { "condemned": true, "condemned_at": 5_i64 } };
    change("blobs", doc! { "_id": blob_of(raw, "file 2").await }, condemned).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_counters_are_found_and_put_right() {
    let (subject, raw) = subject().await;
    let right = counters(&raw).await;
    break_all(&raw).await;
    assert_ne!(counters(&raw).await, right);
    let found = subject.recount().await;
    assert_eq!(counters(&raw).await, right);
    let kinds: BTreeSet<Counter> = found.iter().map(|miscount| miscount.counter).collect();
    assert_eq!(
        kinds,
        [
            Counter::ChildFolders,
            Counter::ChildFiles,
            Counter::UsedBytes,
            Counter::ReservedBytes,
            Counter::Nodes,
            Counter::Trashed,
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
    let (subject, raw) = subject().await;
    let before = subject.store.usage(subject.space.id).await.unwrap();
    let uploads = async {
        for number in 0..15 {
            let file = subject.file(subject.root(), &format!("upload {number}"), 100).await;
            subject.commit(&subject.update(file.id, 50, 1)).await.unwrap();
        }
    };
    let recounts = async {
        let mut found = 0;
        for _ in 0..4 {
            break_all(&raw).await;
            found += subject.recount().await.len();
        }
        assert!(found > 0);
    };
    tokio::join!(uploads, recounts);
    let usage = subject.store.usage(subject.space.id).await.unwrap();
    assert_eq!(usage.used_bytes, before.used_bytes + 15 * 150);
    assert_eq!(usage.node_count, before.node_count + 15);
    assert_eq!(subject.recount().await, []);
}

/// Several that count at once do not put the same thing right twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_recounts_at_once_one_puts_right() {
    let (subject, raw) = subject().await;
    let right = counters(&raw).await;
    for _ in 0..2 {
        break_all(&raw).await;
        let found = futures_util::future::join_all((0..3).map(|_| subject.recount())).await.concat();
        assert_eq!(counters(&raw).await, right);
        let used = found.iter().filter(|miscount| miscount.counter == Counter::UsedBytes).count();
        assert_eq!(used, 1, "{found:?}");
    }
}
