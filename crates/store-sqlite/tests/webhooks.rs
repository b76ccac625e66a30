//! The contracts of webhooks and notifications, over SQLite.

use std::sync::Arc;

use store_sqlite::{JobsDb, OpenOptions};
use tempfile::TempDir;
use testkit::notification_store::NotificationsSubject;
use testkit::webhook_store::WebhooksSubject;

fn open() -> (Arc<JobsDb>, TempDir) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let db =
        JobsDb::open(folder.path().join("jobs.db"), &OpenOptions::default()).expect("a fresh store opens");
    (Arc::new(db), folder)
}

async fn webhooks() -> WebhooksSubject {
    let (db, folder) = open();
    WebhooksSubject::new(db, folder)
}

async fn notifications() -> NotificationsSubject {
    let (db, folder) = open();
    NotificationsSubject::new(db, folder)
}

testkit::webhook_store_suite!(webhooks);
testkit::notification_store_suite!(notifications);
