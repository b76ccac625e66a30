//! The contract of the job store, over MongoDB.

mod support;

use std::sync::Arc;

use store_mongo::JobsDb;
use testkit::job_store::JobsSubject;

async fn subject() -> JobsSubject {
    let (mongo, scratch) = support::mongo().await;
    JobsSubject::new(Arc::new(JobsDb::new(&mongo)), scratch)
}

testkit::job_store_suite!(subject);
