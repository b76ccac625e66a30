use std::time::Duration;

use common::auth::{AuditAction, SealedKey};

use super::AuthSubject;

pub async fn signing_keys_come_newest_first_until_they_retire(subject: &AuthSubject) {
    let start = subject.now();
    let hour = Duration::from_secs(3600);
    assert!(subject.store.list_signing_keys(start).await.unwrap().is_empty());
    let old = SealedKey {
        id: subject.ids.next(),
        public: [1; 32],
        sealed: vec![0, 1, 255],
        created_at: start,
        retires_at: Some(start + hour),
    };
    let new =
        SealedKey { id: subject.ids.next(), created_at: start + hour / 2, retires_at: None, ..old.clone() };
    subject.store.add_signing_key(&old).await.unwrap();
    subject.store.add_signing_key(&new).await.unwrap();
    let ids = async |now| -> Vec<_> {
        subject.store.list_signing_keys(now).await.unwrap().into_iter().map(|key| key.id).collect()
    };
    assert_eq!(ids(start).await, [new.id, old.id]);
    assert_eq!(ids(start + hour).await, [new.id]);
    let listed = subject.store.list_signing_keys(start).await.unwrap();
    assert!(listed == [new, old], "keys come back as they were kept");
}

pub async fn the_store_answers_a_ping(subject: &AuthSubject) {
    subject.store.ping().await.unwrap();
    subject.store.ping().await.unwrap();
}

pub async fn signing_keys_are_replaced_with_a_line_of_the_log(subject: &AuthSubject) {
    let start = subject.now();
    let key = |n: u8| SealedKey {
        id: subject.ids.next(),
        public: [n; 32],
        sealed: vec![n],
        created_at: start + Duration::from_secs(u64::from(n)),
        retires_at: None,
    };
    let keys = [key(1), key(2), key(3)];
    subject.store.add_signing_key(&keys[0]).await.unwrap();
    let listed = async || subject.store.list_signing_keys(start).await.unwrap();
    let line = || subject.line(AuditAction::KeysRotated);
    subject.keys.rotate_signing_keys(&keys[1], false, &line()).await.unwrap();
    assert!(listed().await == [keys[1].clone(), keys[0].clone()], "the old one goes on verifying");
    subject.keys.rotate_signing_keys(&keys[2], true, &line()).await.unwrap();
    assert!(listed().await == [keys[2].clone()], "the new one is alone");
    assert_eq!(subject.lines(AuditAction::KeysRotated).await, 2);
}
