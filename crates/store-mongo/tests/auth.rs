//! The contract of the auth store, over MongoDB.

mod support;

use std::sync::Arc;

use store_mongo::AuthDb;
use testkit::auth_store::AuthSubject;
use testkit::outbox::OutboxSubject;

async fn subject() -> AuthSubject {
    let (mongo, scratch) = support::mongo().await;
    AuthSubject::new(Arc::new(AuthDb::new(&mongo)), scratch)
}

testkit::auth_store_suite!(subject);

mod outbox {
    use super::*;

    async fn subject() -> OutboxSubject {
        let (mongo, scratch) = support::mongo().await;
        OutboxSubject::of_auth(Arc::new(AuthDb::new(&mongo)), scratch)
    }

    testkit::outbox_suite!(subject);
}
