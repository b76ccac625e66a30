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
