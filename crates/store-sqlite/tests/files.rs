//! The contract of the file store, over SQLite.

use std::sync::Arc;

use store_sqlite::{FilesDb, OpenOptions};
use testkit::file_store::{AccessSubject, FilesSubject};
use testkit::outbox::OutboxSubject;

fn open() -> (Arc<FilesDb>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let db =
        FilesDb::open(folder.path().join("files.db"), &OpenOptions::default()).expect("a fresh store opens");
    (Arc::new(db), folder)
}

async fn subject() -> FilesSubject {
    let (db, folder) = open();
    FilesSubject::new(db, folder).await
}

testkit::file_store_suite!(subject);

mod outbox {
    use super::*;

    async fn subject() -> OutboxSubject {
        let (db, folder) = open();
        OutboxSubject::of_files(db, folder).await
    }

    testkit::outbox_suite!(subject);
}

mod access {
    use super::*;

    async fn subject() -> AccessSubject {
        let (db, folder) = open();
        AccessSubject::new(db, folder).await
    }

    testkit::access_suite!(subject);
}

mod uploads {
    use super::*;
    use testkit::upload_store::Subject;

    async fn subject() -> Subject {
        let (db, folder) = open();
        Subject::new(db.clone(), db, folder)
    }

    testkit::upload_store_suite!(subject);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_carried_here_is_kept_as_it_was() {
    let (db, _folder) = open();
    testkit::portable::files(&*db).await;
}
