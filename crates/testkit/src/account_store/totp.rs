use common::auth::{SealedKey, Totp};

use super::AccountSubject;
use crate::outbox::job;

pub async fn a_second_factor_counts_when_it_is_confirmed(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (accounts, now) = (&subject.accounts, subject.now());
    let notice = job(&subject.ids, "account-mail", now);
    let confirm = async |sealed: &[u8], step| {
        let jobs = std::slice::from_ref(&notice);
        accounts.confirm_totp(bob.id, sealed, step, &[[1; 32], [2; 32]], now, jobs).await.unwrap()
    };
    let totp = async || accounts.find_account(bob.id).await.unwrap().unwrap().totp;
    assert!(!accounts.use_totp_step(bob.id, 5).await.unwrap());
    assert!(accounts.begin_totp(bob.id, b"first").await.unwrap());
    assert!(accounts.begin_totp(bob.id, b"second").await.unwrap());
    let begun = Totp { sealed: b"second".to_vec(), confirmed_at: None, last_step: 0 };
    assert_eq!(totp().await, Some(begun.clone()));
    assert!(!accounts.use_totp_step(bob.id, 5).await.unwrap(), "it is not confirmed");
    assert!(!confirm(b"first", 5).await, "another one was begun");
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert!(confirm(b"second", 5).await);
    assert!(!confirm(b"second", 6).await);
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    assert_eq!(totp().await, Some(Totp { confirmed_at: Some(now), last_step: 5, ..begun }));
    assert!(!accounts.begin_totp(bob.id, b"third").await.unwrap());

    for (step, good) in [(5, false), (4, false), (6, true), (6, false), (9, true), (8, false)] {
        assert_eq!(accounts.use_totp_step(bob.id, step).await.unwrap(), good, "{step}");
    }
    let tries = (0..6).map(|_| async { accounts.use_totp_step(bob.id, 20).await.unwrap() });
    let used = futures_util::future::join_all(tries).await;
    assert_eq!(used.iter().filter(|used| **used).count(), 1);
}

pub async fn a_recovery_code_works_once(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (accounts, now) = (&subject.accounts, subject.now());
    for user in [&bob, &eve] {
        assert!(accounts.begin_totp(user.id, b"secret").await.unwrap());
    }
    let codes = [[1; 32], [2; 32], [3; 32]];
    assert!(accounts.confirm_totp(bob.id, b"secret", 1, &codes, now, &[]).await.unwrap());
    assert!(accounts.confirm_totp(eve.id, b"secret", 1, &[[7; 32]], now, &[]).await.unwrap());
    let notice = job(&subject.ids, "account-mail", now);
    let use_code = async |byte: u8| {
        accounts.use_recovery_code(bob.id, &[byte; 32], std::slice::from_ref(&notice)).await.unwrap()
    };
    assert_eq!(use_code(7).await, None, "it is hers");
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert_eq!(use_code(2).await, Some(2));
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    assert_eq!(accounts.use_recovery_code(bob.id, &[2; 32], &[]).await.unwrap(), None);
    assert_eq!(accounts.use_recovery_code(bob.id, &[1; 32], &[]).await.unwrap(), Some(1));

    assert!(accounts.remove_totp(bob.id, &[]).await.unwrap());
    assert!(!accounts.remove_totp(bob.id, &[]).await.unwrap());
    assert_eq!(accounts.find_account(bob.id).await.unwrap().unwrap().totp, None);
    assert_eq!(accounts.use_recovery_code(bob.id, &[3; 32], &[]).await.unwrap(), None);
    assert!(accounts.find_account(eve.id).await.unwrap().unwrap().second_factor().is_some());
    // it can be begun anew, with other codes
    assert!(accounts.begin_totp(bob.id, b"new").await.unwrap());
    assert!(accounts.confirm_totp(bob.id, b"new", 2, &[[4; 32]], now, &[]).await.unwrap());
    assert_eq!(accounts.use_recovery_code(bob.id, &[4; 32], &[]).await.unwrap(), Some(0));
}

pub async fn second_factors_are_sealed_anew(subject: &AccountSubject) {
    let accounts = &subject.accounts;
    let mut users = Vec::new();
    for (name, sealed) in [("ann", b"a"), ("bob", b"b"), ("eve", b"e")] {
        let user = subject.registered(&format!("{name}@example.org")).await;
        accounts.begin_totp(user.id, sealed).await.unwrap();
        users.push((user.id, sealed.to_vec()));
    }
    subject.registered("without@example.org").await;
    users.sort_unstable();
    let list = async |after, limit| accounts.list_sealed_totp(after, limit).await.unwrap();
    assert_eq!(list(None, 2).await, users[..2]);
    assert_eq!(list(Some(users[1].0), 2).await, users[2..]);
    let (user, old) = users[0].clone();
    accounts.confirm_totp(user, &old, 5, &[[1; 32]], subject.now(), &[]).await.unwrap();
    assert!(!accounts.reseal_totp(user, b"other", b"new").await.unwrap(), "it was begun anew meanwhile");
    assert!(accounts.reseal_totp(user, &old, b"new").await.unwrap());
    assert!(!accounts.reseal_totp(user, &old, b"newer").await.unwrap());
    let totp = accounts.find_account(user).await.unwrap().unwrap().totp.unwrap();
    assert_eq!((totp.sealed.as_slice(), totp.last_step), (b"new".as_slice(), 5), "it is the same one");
    assert_eq!(totp.confirmed_at, Some(subject.now()));
    assert_eq!(accounts.use_recovery_code(user, &[1; 32], &[]).await.unwrap(), Some(0));
}

pub async fn signing_keys_are_sealed_anew(subject: &AccountSubject) {
    let now = subject.now();
    let key = SealedKey {
        id: subject.ids.next(),
        public: [1; 32],
        sealed: b"old".to_vec(),
        created_at: now,
        retires_at: None,
    };
    let other = SealedKey { id: subject.ids.next(), ..key.clone() };
    for key in [&key, &other] {
        subject.store.add_signing_key(key).await.unwrap();
    }
    assert!(!subject.store.reseal_signing_key(key.id, b"other", b"new").await.unwrap());
    assert!(subject.store.reseal_signing_key(key.id, b"old", b"new").await.unwrap());
    assert!(!subject.store.reseal_signing_key(key.id, b"old", b"new").await.unwrap());
    let mut expected = vec![SealedKey { sealed: b"new".to_vec(), ..key }, other];
    let mut listed = subject.store.list_signing_keys(now).await.unwrap();
    expected.sort_unstable_by_key(|key| key.id);
    listed.sort_unstable_by_key(|key| key.id);
    assert!(listed == expected, "nothing else of it has changed");
}
