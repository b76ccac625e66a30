use std::time::Duration;

use common::auth::{PasswordChange, PasswordProof};

use super::AccountSubject;
use crate::outbox::job;

pub async fn a_device_is_new_where_others_are_known(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (accounts, now) = (&subject.accounts, subject.now());
    let note = async |bytes: &[u8]| {
        let hashes: Vec<_> = bytes.iter().map(|byte| [*byte; 32]).collect();
        let jobs = [job(&subject.ids, "account-mail", now)];
        accounts.note_device(bob.id, &hashes, now, &jobs).await.unwrap()
    };
    assert!(!note(&[1, 2]).await, "the first one is where the account was made");
    assert!(!note(&[2]).await);
    assert!(!note(&[2, 3]).await, "it goes by another hash as well now");
    assert!(!note(&[3]).await);
    assert!(!note(&[]).await);
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert!(note(&[4, 5]).await);
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);

    let is_of = async |user: &common::auth::User, byte: u8| {
        accounts.is_device_of(&user.address.key(), &[byte; 32]).await.unwrap()
    };
    assert!(is_of(&bob, 1).await && is_of(&bob, 5).await);
    assert!(!is_of(&bob, 9).await && !is_of(&eve, 1).await);
    let nobody = common::auth::Address::parse("nobody@example.org").unwrap().key();
    assert!(!accounts.is_device_of(&nobody, &[1; 32]).await.unwrap());
}

pub async fn after_a_new_password_another_device_is_new(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (accounts, now) = (&subject.accounts, subject.now());
    let change = async |before: &str, after: &str, keep_devices: &[[u8; 32]]| {
        let change = PasswordChange {
            user: bob.id,
            proof: PasswordProof::Hash(before.to_owned()),
            password_hash: after.to_owned(),
            keep: None,
            end_tokens: false,
            keep_devices: keep_devices.to_vec(),
            at: now,
        };
        assert!(accounts.change_password(&change, &[]).await.unwrap());
    };
    let note = async |byte: u8| {
        let jobs = [job(&subject.ids, "account-mail", now)];
        accounts.note_device(bob.id, &[[byte; 32]], now, &jobs).await.unwrap()
    };
    let is_of = async |byte: u8| accounts.is_device_of(&bob.address.key(), &[byte; 32]).await.unwrap();
    // where none was known, the first one is where the account is used from
    change(&bob.password_hash, "one", &[]).await;
    assert!(!note(1).await);
    assert!(note(2).await);
    change("one", "two", &[[2; 32], [7; 32]]).await;
    assert!(!is_of(1).await && is_of(2).await, "only the one that asked is known");
    assert!(!is_of(7).await, "none is made known");
    assert!(!note(2).await);
    assert!(note(1).await, "who knew the old password is told of");
    change("two", "three", &[]).await;
    assert!(!is_of(1).await && !is_of(2).await);
    assert!(note(3).await);
    assert_eq!(subject.outbox.depth().await.unwrap(), 3);
}

pub async fn the_devices_seen_last_are_kept(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (accounts, start) = (&subject.accounts, subject.now());
    for n in 0..66 {
        let at = start + Duration::from_secs(u64::from(n));
        accounts.note_device(bob.id, &[[n; 32]], at, &[]).await.unwrap();
    }
    let mut kept = 0;
    for n in 0..66 {
        let known = accounts.is_device_of(&bob.address.key(), &[n; 32]).await.unwrap();
        assert_eq!(known, n >= 2, "{n}");
        kept += u32::from(known);
    }
    assert_eq!(kept, 64);
}
