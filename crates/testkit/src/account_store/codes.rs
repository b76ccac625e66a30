use std::time::Duration;

use common::auth::{Address, CodeKind, MailedCode};
use common::{Timestamp, UserId};

use super::AccountSubject;
use crate::outbox::job;

const HOUR: Duration = Duration::from_secs(3600);

/// A code of an hour.
pub fn code(byte: u8, kind: CodeKind, user: Option<UserId>, at: Timestamp) -> MailedCode {
    MailedCode { hash: [byte; 32], kind, user, address: None, other_hash: None, expires_at: at + HOUR }
}

pub async fn a_code_is_found_as_it_was_kept_until_it_expires(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let now = subject.now();
    let plain = code(1, CodeKind::Reset, Some(bob.id), now);
    let whole = MailedCode {
        address: Some(Address::parse("New@Example.org").unwrap()),
        other_hash: Some([9; 32]),
        ..code(2, CodeKind::Email, Some(bob.id), now)
    };
    let nobodys = code(3, CodeKind::Reset, None, now);
    let mail = job(&subject.ids, "account-mail", now);
    subject.accounts.add_code(&plain, std::slice::from_ref(&mail)).await.unwrap();
    for code in [&whole, &nobodys] {
        subject.accounts.add_code(code, &[]).await.unwrap();
    }
    let find = async |byte: u8, kind, at| subject.accounts.find_code(&[byte; 32], kind, at).await.unwrap();
    assert_eq!(find(1, CodeKind::Reset, now).await, Some(plain.clone()));
    assert_eq!(find(2, CodeKind::Email, now).await, Some(whole));
    assert_eq!(find(3, CodeKind::Reset, now).await, None, "it is nobody's");
    assert_eq!(find(1, CodeKind::Verify, now).await, None);
    assert_eq!(find(4, CodeKind::Reset, now).await, None);
    assert_eq!(find(1, CodeKind::Reset, plain.expires_at).await, None);
    let sent = subject.outbox.lease_unsent(10, Duration::from_secs(30), now).await.unwrap();
    assert_eq!(sent.into_iter().map(|row| row.job).collect::<Vec<_>>(), [mail]);
}

pub async fn expired_codes_are_removed_in_steps(subject: &AccountSubject) {
    let now = subject.now();
    for n in 0..5 {
        let user = (n > 2).then(|| subject.ids.next());
        subject.accounts.add_code(&code(n, CodeKind::Verify, user, now), &[]).await.unwrap();
    }
    let live = code(9, CodeKind::Verify, Some(subject.ids.next()), now + HOUR);
    subject.accounts.add_code(&live, &[]).await.unwrap();
    let remove = async |before, limit| subject.accounts.remove_expired_codes(before, limit).await.unwrap();
    assert_eq!(remove(now + HOUR, 10).await, 0, "before is exclusive");
    let later = now + HOUR + Duration::from_secs(1);
    assert_eq!(remove(later, 3).await, 3);
    assert_eq!(remove(later, 3).await, 2);
    assert_eq!(remove(later, 3).await, 0);
    let found = subject.accounts.find_code(&[9; 32], CodeKind::Verify, later).await.unwrap();
    assert_eq!(found, Some(live));
}
