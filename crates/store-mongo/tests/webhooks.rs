//! The contracts of webhooks and notifications, over MongoDB.

mod support;

use std::sync::Arc;

use store_mongo::JobsDb;
use testkit::notification_store::NotificationsSubject;
use testkit::webhook_store::WebhooksSubject;

async fn webhooks() -> WebhooksSubject {
    let (mongo, scratch) = support::mongo().await;
    WebhooksSubject::new(Arc::new(JobsDb::new(&mongo)), scratch)
}

async fn notifications() -> NotificationsSubject {
    let (mongo, scratch) = support::mongo().await;
    NotificationsSubject::new(Arc::new(JobsDb::new(&mongo)), scratch)
}

testkit::webhook_store_suite!(webhooks);
testkit::notification_store_suite!(notifications);
