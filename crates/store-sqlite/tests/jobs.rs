//! The contract of the job store, over SQLite.

use std::sync::Arc;

use store_sqlite::{JobsDb, OpenOptions};
use testkit::job_store::JobsSubject;

async fn subject() -> JobsSubject {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let db =
        JobsDb::open(folder.path().join("jobs.db"), &OpenOptions::default()).expect("a fresh store opens");
    JobsSubject::new(Arc::new(db), folder)
}

testkit::job_store_suite!(subject);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_carried_here_is_kept_as_it_was() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let db = JobsDb::open(folder.path().join("jobs.db"), &OpenOptions::default());
    testkit::portable::jobs(&db.expect("a fresh store opens")).await;
}
