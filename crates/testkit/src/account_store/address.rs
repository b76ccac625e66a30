use common::auth::{
    Address, AddressChange, AuditFilter, ChangeAddressError, CodeKind, CreateUserError, MailedCode,
};

use super::{AccountSubject, code};
use crate::auth_store::user;
use crate::outbox::job;

pub async fn an_account_comes_with_the_code_that_verifies_it(subject: &AccountSubject) {
    let now = subject.now();
    let bob = user(subject.ids.next(), "bob@example.org", now);
    let verify = code(1, CodeKind::Verify, Some(bob.id), now);
    let jobs = [job(&subject.ids, "welcome-mail", now), job(&subject.ids, "account-mail", now)];
    subject.accounts.create_user_with_code(&bob, &verify, &jobs, &subject.line()).await.unwrap();
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
    assert_eq!(subject.outbox.depth().await.unwrap(), 2);
    let account = subject.accounts.find_account(bob.id).await.unwrap().unwrap();
    assert_eq!((account.user, account.verified_at), (bob.clone(), None));

    let eve = user(subject.ids.next(), "BOB@example.org", now);
    let other = code(2, CodeKind::Verify, Some(eve.id), now);
    let taken = subject.accounts.create_user_with_code(&eve, &other, &jobs[..0], &subject.line()).await;
    assert!(matches!(taken, Err(CreateUserError::AddressTaken)), "{taken:?}");
    assert_eq!(subject.accounts.find_code(&[2; 32], CodeKind::Verify, now).await.unwrap(), None);
    let log = subject.audit.list_audit(&AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(log.len(), 1, "the one that was made is in the log");

    subject.accounts.add_code(&code(3, CodeKind::Verify, Some(bob.id), now), &[]).await.unwrap();
    let verify =
        async |byte: u8, at| subject.accounts.verify_address(&[byte; 32], at, &subject.line()).await.unwrap();
    assert_eq!(verify(1, code(1, CodeKind::Verify, None, now).expires_at).await, None, "it has expired");
    assert_eq!(verify(7, now).await, None, "there is none");
    assert_eq!(verify(1, now).await, Some(bob.id));
    assert_eq!(verify(1, now).await, None, "it works once");
    assert_eq!(verify(3, now).await, None, "and the others are not needed any more");
    let account = subject.accounts.find_account(bob.id).await.unwrap().unwrap();
    assert_eq!(account.verified_at, Some(now));
    let log = subject.audit.list_audit(&AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(log.len(), 2, "and so is the code that worked");
}

fn email(byte: u8, of: &common::auth::User, address: &str, subject: &AccountSubject) -> MailedCode {
    MailedCode {
        address: Some(Address::parse(address).unwrap()),
        other_hash: Some([byte + 100; 32]),
        ..code(byte, CodeKind::Email, Some(of.id), subject.now())
    }
}

pub async fn an_address_changes_by_both_codes(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let now = subject.now();
    subject.accounts.add_code(&email(1, &bob, "New@Example.org", subject), &[]).await.unwrap();
    subject.accounts.add_code(&code(9, CodeKind::Reset, Some(bob.id), now), &[]).await.unwrap();
    let right = AddressChange { user: bob.id, hash: [1; 32], other_hash: Some([101; 32]), at: now };
    for wrong in [
        AddressChange { user: eve.id, ..right.clone() },
        AddressChange { hash: [2; 32], ..right.clone() },
        AddressChange { other_hash: Some([1; 32]), ..right.clone() },
        AddressChange { other_hash: None, ..right.clone() },
        AddressChange { hash: [9; 32], other_hash: None, ..right.clone() },
        AddressChange { at: email(1, &bob, "x@y", subject).expires_at, ..right.clone() },
    ] {
        let refused = subject.accounts.change_address(&wrong, &[]).await;
        assert!(matches!(refused, Err(ChangeAddressError::WrongCode)), "{refused:?} for {wrong:?}");
    }
    let notice = job(&subject.ids, "account-mail", now);
    let address = subject.accounts.change_address(&right, std::slice::from_ref(&notice)).await.unwrap();
    assert_eq!(address.as_str(), "New@Example.org");
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    let account = subject.accounts.find_account_by_address(&address.key()).await.unwrap().unwrap();
    assert_eq!((account.user.id, account.verified_at), (bob.id, Some(now)));
    assert_eq!(account.user.address, address);
    assert_eq!(subject.store.find_user_by_address(&bob.address.key()).await.unwrap(), None);
    assert_eq!(subject.accounts.find_code(&[9; 32], CodeKind::Reset, now).await.unwrap(), None);
    let again = subject.accounts.change_address(&right, &[]).await;
    assert!(matches!(again, Err(ChangeAddressError::WrongCode)), "{again:?}");
    // the old one is free
    subject.registered("bob@example.org").await;
    assert_eq!(subject.store.count_users().await.unwrap(), 3);
}

pub async fn only_the_letters_of_an_address_may_change(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let code = MailedCode { other_hash: None, ..email(1, &bob, "Bob@Example.ORG", subject) };
    subject.accounts.add_code(&code, &[]).await.unwrap();
    let change = AddressChange { user: bob.id, hash: [1; 32], other_hash: None, at: subject.now() };
    subject.accounts.change_address(&change, &[]).await.unwrap();
    let found = subject.store.find_user_by_address(&bob.address.key()).await.unwrap().unwrap();
    assert_eq!((found.id, found.address.as_str()), (bob.id, "Bob@Example.ORG"));
}

pub async fn an_address_goes_to_one_account(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    subject.accounts.add_code(&email(1, &bob, "EVE@example.org", subject), &[]).await.unwrap();
    let change = |byte: u8, user| AddressChange {
        user,
        hash: [byte; 32],
        other_hash: Some([byte + 100; 32]),
        at: subject.now(),
    };
    let taken = subject.accounts.change_address(&change(1, bob.id), &[]).await;
    assert!(matches!(taken, Err(ChangeAddressError::AddressTaken)), "{taken:?}");
    assert_eq!(subject.store.find_user(bob.id).await.unwrap().unwrap().address, bob.address);
    assert_eq!(subject.store.find_user_by_address(&eve.address.key()).await.unwrap().unwrap().id, eve.id);

    for (byte, user) in [(2, &bob), (3, &eve)] {
        subject.accounts.add_code(&email(byte, user, "one@example.org", subject), &[]).await.unwrap();
    }
    let (first, second) = (change(2, bob.id), change(3, eve.id));
    let newcomer = user(subject.ids.next(), "one@example.org", subject.now());
    let (first, second, third) = futures_util::future::join3(
        subject.accounts.change_address(&first, &[]),
        subject.accounts.change_address(&second, &[]),
        subject.store.create_user(&newcomer, &[]),
    )
    .await;
    let won = usize::from(first.is_ok()) + usize::from(second.is_ok()) + usize::from(third.is_ok());
    assert_eq!(won, 1, "{first:?} {second:?} {third:?}");
}

pub async fn a_newer_change_of_address_takes_the_place_of_older_ones(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let now = subject.now();
    subject.accounts.add_code(&email(1, &bob, "first@example.org", subject), &[]).await.unwrap();
    subject.accounts.add_code(&email(2, &eve, "hers@example.org", subject), &[]).await.unwrap();
    subject.accounts.add_code(&code(9, CodeKind::Reset, Some(bob.id), now), &[]).await.unwrap();
    subject.accounts.add_code(&email(3, &bob, "second@example.org", subject), &[]).await.unwrap();
    let found =
        async |byte: u8, kind| subject.accounts.find_code(&[byte; 32], kind, now).await.unwrap().is_some();
    assert!(!found(1, CodeKind::Email).await, "it was thought better of");
    assert!(
        found(2, CodeKind::Email).await && found(3, CodeKind::Email).await && found(9, CodeKind::Reset).await
    );
    let old = AddressChange { user: bob.id, hash: [1; 32], other_hash: Some([101; 32]), at: now };
    let refused = subject.accounts.change_address(&old, &[]).await;
    assert!(matches!(refused, Err(ChangeAddressError::WrongCode)), "{refused:?}");
}
