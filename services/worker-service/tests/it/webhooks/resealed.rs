//! Secrets under a new master key.

use std::sync::Arc;

use common::webhooks::WebhookStore as _;
use runtime::secrets::MasterKey;
use worker_service::Registry;

use crate::ended::webhook_of;
use crate::http::bob;
use crate::support::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_the_previous_master_key_are_sealed_anew() {
    let (old, new) = ("5e".repeat(32), "6f".repeat(32));
    let rotated = Arc::new(MasterKey::parse(&new, Some(&old)).unwrap());
    let world = World { master_key: Arc::clone(&rotated), ..World::new() };
    let mut webhook = webhook_of(&world, bob());
    let label = format!("webhook/{}", webhook.id);
    webhook.secret = MasterKey::parse(&old, None).unwrap().seal(&label, b"secret");
    world.store.db.create_webhook(&webhook).await.unwrap();
    let mut lost = webhook_of(&world, bob());
    lost.secret = MasterKey::parse(&"77".repeat(32), None).unwrap().seal("else", b"secret");
    world.store.db.create_webhook(&lost).await.unwrap();

    let running = world.run(Registry::default());
    let sealed = until("the secret to be sealed anew", || async {
        let found = world.store.db.find_webhook(webhook.id).await.unwrap().unwrap();
        rotated.is_current(&found.secret).then_some(found)
    })
    .await;
    let alone = MasterKey::parse(&new, None).unwrap();
    assert_eq!(alone.open(&label, &sealed.secret).as_deref(), Some(&b"secret"[..]));
    assert_eq!(sealed.revision, webhook.revision);
    running.stop().await;
    // what no key opens is left as it is
    assert_eq!(world.store.db.find_webhook(lost.id).await.unwrap().unwrap().secret, lost.secret);
}
