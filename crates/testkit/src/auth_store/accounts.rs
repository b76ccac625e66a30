use std::time::Duration;

use common::auth::{Address, AuditAction, CreateUserError, Role, User};

use super::AuthSubject;
use crate::outbox::job;

pub async fn an_account_is_found_as_it_was_made(subject: &AuthSubject) {
    let user =
        User { role: Role::Admin, disabled: true, bootstrap: true, ..subject.user(" Bob@Example.ORG ") };
    subject.store.create_user(&user, &[]).await.unwrap();
    assert_eq!(subject.store.find_user(user.id).await.unwrap(), Some(user.clone()));
    let key = Address::parse("bob@example.org").unwrap().key();
    let found = subject.store.find_user_by_address(&key).await.unwrap().unwrap();
    assert_eq!(found, user);
    assert_eq!(found.address.as_str(), "Bob@Example.ORG");
    assert_eq!(subject.store.find_user(subject.ids.next()).await.unwrap(), None);
    let other = Address::parse("alice@example.org").unwrap().key();
    assert_eq!(subject.store.find_user_by_address(&other).await.unwrap(), None);
}

pub async fn an_address_has_one_account_whatever_its_case(subject: &AuthSubject) {
    let first = subject.registered("bob@example.org").await;
    let again = subject.store.create_user(&subject.user("BOB@example.org"), &[]).await;
    assert!(matches!(again, Err(CreateUserError::AddressTaken)), "{again:?}");
    let key = first.address.key();
    assert_eq!(subject.store.find_user_by_address(&key).await.unwrap(), Some(first));
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
}

pub async fn of_simultaneous_accounts_with_one_address_one_is_made(subject: &AuthSubject) {
    let tries = (0..20).map(|_| {
        let user = subject.user("bob@example.org");
        async move { (user.id, subject.store.create_user(&user, &[]).await) }
    });
    let results = futures_util::future::join_all(tries).await;
    let made: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).map(|(id, _)| *id).collect();
    assert_eq!(made.len(), 1);
    assert!(results.iter().all(|(_, result)| matches!(result, Ok(()) | Err(CreateUserError::AddressTaken))));
    let key = Address::parse("bob@example.org").unwrap().key();
    assert_eq!(subject.store.find_user_by_address(&key).await.unwrap().map(|user| user.id), Some(made[0]));
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
}

pub async fn the_first_administrator_is_made_once(subject: &AuthSubject) {
    subject.registered("bob@example.org").await;
    assert!(!subject.store.has_admin().await.unwrap());
    let admin = |address| User { role: Role::Admin, bootstrap: true, ..subject.user(address) };
    let taken = subject
        .store
        .create_first_admin(&admin("BOB@example.org"), &[], &subject.line(AuditAction::UserMade))
        .await;
    assert!(matches!(taken, Err(CreateUserError::AddressTaken)), "{taken:?}");
    assert!(!subject.store.has_admin().await.unwrap());
    subject
        .store
        .create_first_admin(&admin("root@example.org"), &[], &subject.line(AuditAction::UserMade))
        .await
        .unwrap();
    assert!(subject.store.has_admin().await.unwrap());
    let second = subject
        .store
        .create_first_admin(&admin("other@example.org"), &[], &subject.line(AuditAction::UserMade))
        .await;
    assert!(matches!(second, Err(CreateUserError::AlreadySetUp)), "{second:?}");
    let key = Address::parse("other@example.org").unwrap().key();
    assert_eq!(subject.store.find_user_by_address(&key).await.unwrap(), None);
    assert_eq!(subject.lines(AuditAction::UserMade).await, 1, "what was refused is not told of");
}

pub async fn of_simultaneous_first_administrators_one_is_made(subject: &AuthSubject) {
    let tries = (0..20).map(|n| {
        let user =
            User { role: Role::Admin, bootstrap: true, ..subject.user(&format!("root{n}@example.org")) };
        async move { subject.store.create_first_admin(&user, &[], &subject.line(AuditAction::UserMade)).await }
    });
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(CreateUserError::AlreadySetUp))));
}

pub async fn the_count_leaves_out_bootstrap_administrators(subject: &AuthSubject) {
    assert_eq!(subject.store.count_users().await.unwrap(), 0);
    let bootstrap = User { role: Role::Admin, bootstrap: true, ..subject.user("root@example.org") };
    subject.store.create_first_admin(&bootstrap, &[], &subject.line(AuditAction::UserMade)).await.unwrap();
    assert_eq!(subject.store.count_users().await.unwrap(), 0);
    subject.registered("bob@example.org").await;
    let admin = User { role: Role::Admin, ..subject.user("eve@example.org") };
    subject.store.create_user(&admin, &[]).await.unwrap();
    assert_eq!(subject.store.count_users().await.unwrap(), 2);
}

pub async fn jobs_enter_the_outbox_with_the_account_or_not_at_all(subject: &AuthSubject) {
    let welcome = job(&subject.ids, "welcome-mail", subject.now());
    subject
        .store
        .create_user(&subject.user("bob@example.org"), std::slice::from_ref(&welcome))
        .await
        .unwrap();
    let refused = job(&subject.ids, "welcome-mail", subject.now());
    subject.store.create_user(&subject.user("bob@example.org"), &[refused]).await.unwrap_err();
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    let rows = subject.outbox.lease_unsent(10, Duration::from_secs(30), subject.now()).await.unwrap();
    assert_eq!(rows.into_iter().map(|row| row.job).collect::<Vec<_>>(), [welcome]);
}

pub async fn a_password_hash_is_upgraded_only_from_the_one_that_was_seen(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let store = &subject.store;
    assert!(!store.upgrade_password_hash(user.id, "other", "new").await.unwrap());
    assert_eq!(store.find_user(user.id).await.unwrap().unwrap().password_hash, user.password_hash);
    assert!(store.upgrade_password_hash(user.id, &user.password_hash, "new").await.unwrap());
    assert_eq!(store.find_user(user.id).await.unwrap().unwrap().password_hash, "new");
    assert!(!store.upgrade_password_hash(user.id, &user.password_hash, "newer").await.unwrap());
    assert!(!store.upgrade_password_hash(subject.ids.next(), "x", "y").await.unwrap());
}
