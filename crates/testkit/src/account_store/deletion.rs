use std::time::Duration;

use common::auth::{CodeKind, User};

use super::{AccountSubject, code};
use crate::auth_store::user;
use crate::outbox::job;

const DAY: Duration = Duration::from_secs(86_400);

pub async fn an_account_waits_to_be_deleted(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let session = subject.opened(bob.id, Some(1)).await;
    let (accounts, now) = (&subject.accounts, subject.now());
    let due = now + 14 * DAY;
    accounts.add_code(&code(1, CodeKind::Reset, Some(bob.id), now), &[]).await.unwrap();
    let deletion = job(&subject.ids, "user.deleted", now);
    assert!(accounts.schedule_deletion(bob.id, due, now, std::slice::from_ref(&deletion)).await.unwrap());
    let late = job(&subject.ids, "user.deleted", now);
    assert!(!accounts.schedule_deletion(bob.id, due + DAY, now, &[late]).await.unwrap());
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    let account = accounts.find_account(bob.id).await.unwrap().unwrap();
    assert_eq!((account.deletes_at, account.blocked, account.user.disabled), (Some(due), false, true));
    assert!(subject.store.find_user(bob.id).await.unwrap().unwrap().disabled);
    assert!(subject.store.find_user_by_address(&bob.address.key()).await.unwrap().unwrap().disabled);
    assert!(!subject.store.find_session(session.id).await.unwrap().unwrap().is_live(now));
    assert_eq!(accounts.find_code(&[1; 32], CodeKind::Reset, now).await.unwrap(), None);

    assert!(accounts.cancel_deletion(bob.id, &[]).await.unwrap());
    assert!(!accounts.cancel_deletion(bob.id, &[]).await.unwrap());
    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), Some(bob.clone()));
    assert!(!accounts.delete_user(bob.id, due).await.unwrap(), "it does not wait any more");
    assert_eq!(subject.store.count_users().await.unwrap(), 1);

    let blocked = User { disabled: true, ..user(subject.ids.next(), "eve@example.org", now) };
    subject.store.create_user(&blocked, &[]).await.unwrap();
    assert!(!accounts.schedule_deletion(blocked.id, due, now, &[]).await.unwrap());
    let account = accounts.find_account(blocked.id).await.unwrap().unwrap();
    assert_eq!((account.deletes_at, account.blocked), (None, true));
}

pub async fn a_deleted_account_leaves_nothing(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (mine, other) = (subject.opened(bob.id, Some(1)).await, subject.opened(eve.id, Some(2)).await);
    let (accounts, now) = (&subject.accounts, subject.now());
    let due = now + 14 * DAY;
    accounts.begin_totp(bob.id, b"secret").await.unwrap();
    accounts.confirm_totp(bob.id, b"secret", 1, &[[1; 32]], now, &[]).await.unwrap();
    accounts.note_device(bob.id, &[[1; 32]], now, &[]).await.unwrap();
    assert!(accounts.schedule_deletion(bob.id, due, now, &[]).await.unwrap());
    accounts.add_code(&code(1, CodeKind::Reset, Some(bob.id), now), &[]).await.unwrap();
    assert!(!accounts.delete_user(bob.id, due + DAY).await.unwrap(), "another time was said");
    assert!(accounts.delete_user(bob.id, due).await.unwrap());
    assert!(!accounts.delete_user(bob.id, due).await.unwrap());

    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), None);
    assert_eq!(accounts.find_account_by_address(&bob.address.key()).await.unwrap(), None);
    assert_eq!(subject.store.find_session(mine.id).await.unwrap(), None);
    assert_eq!(accounts.find_code(&[1; 32], CodeKind::Reset, now).await.unwrap(), None);
    assert_eq!(accounts.use_recovery_code(bob.id, &[1; 32], &[]).await.unwrap(), None);
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
    assert!(subject.store.find_session(other.id).await.unwrap().unwrap().is_live(now));
    // the address is free, and its new owner has nothing of the old one
    let again = subject.registered("bob@example.org").await;
    assert!(!accounts.is_device_of(&again.address.key(), &[1; 32]).await.unwrap());
    assert_eq!(accounts.find_account(again.id).await.unwrap().unwrap().totp, None);
}
