use common::auth::Totp;

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
