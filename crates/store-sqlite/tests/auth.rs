//! The contract of the auth store, over SQLite.

use std::sync::Arc;

use store_sqlite::{AuthDb, OpenOptions};
use testkit::account_store::AccountSubject;
use testkit::auth_store::AuthSubject;
use testkit::outbox::OutboxSubject;

fn open() -> (Arc<AuthDb>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let db =
        AuthDb::open(folder.path().join("auth.db"), &OpenOptions::default()).expect("a fresh store opens");
    (Arc::new(db), folder)
}

async fn subject() -> AuthSubject {
    let (db, folder) = open();
    AuthSubject::new(db, folder)
}

testkit::auth_store_suite!(subject);

mod accounts {
    use super::*;

    async fn subject() -> AccountSubject {
        let (db, folder) = open();
        AccountSubject::new(db, folder)
    }

    testkit::account_store_suite!(subject);
}

mod outbox {
    use super::*;

    async fn subject() -> OutboxSubject {
        let (db, folder) = open();
        OutboxSubject::of_auth(db, folder)
    }

    testkit::outbox_suite!(subject);
}

mod keys {
    use testkit::idempotency_store::KeysSubject;

    use super::*;

    async fn subject() -> KeysSubject {
        let (db, folder) = open();
        KeysSubject::new(db, folder)
    }

    testkit::idempotency_store_suite!(subject);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_carried_here_is_kept_as_it_was() {
    let (db, _folder) = open();
    testkit::portable::auth(&*db).await;
}
