use common::Timestamp;
use common::auth::{AuditFilter, SealedKey, Totp, TotpConfirmation, User};

use super::AccountSubject;
use crate::outbox::job;

/// A confirmation by nothing that goes on.
fn confirmation(
    user: &User,
    sealed: &[u8],
    step: u64,
    recovery: &[[u8; 32]],
    at: Timestamp,
) -> TotpConfirmation {
    TotpConfirmation {
        user: user.id,
        sealed: sealed.to_vec(),
        step,
        recovery: recovery.to_vec(),
        keep: None,
        keep_devices: Vec::new(),
        at,
    }
}

impl AccountSubject {
    /// Confirms a second factor that was begun.
    pub(super) async fn confirm(&self, user: &User, sealed: &[u8], step: u64, recovery: &[[u8; 32]]) -> bool {
        let confirmation = confirmation(user, sealed, step, recovery, self.now());
        self.accounts.confirm_totp(&confirmation, &[], &self.line()).await.expect("the store answers")
    }

    /// How many lines the log has.
    async fn lines(&self) -> usize {
        self.audit.list_audit(&AuditFilter::default(), None, 100).await.expect("the store answers").len()
    }
}

pub async fn a_second_factor_counts_when_it_is_confirmed(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (accounts, now) = (&subject.accounts, subject.now());
    let notice = job(&subject.ids, "account-mail", now);
    let confirm = async |sealed: &[u8], step| {
        let confirmation = confirmation(&bob, sealed, step, &[[1; 32], [2; 32]], now);
        let jobs = std::slice::from_ref(&notice);
        accounts.confirm_totp(&confirmation, jobs, &subject.line()).await.unwrap()
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
    assert!(subject.confirm(&bob, b"secret", 1, &codes).await);
    assert!(subject.confirm(&eve, b"secret", 1, &[[7; 32]]).await);
    let notice = job(&subject.ids, "account-mail", now);
    let use_code = async |byte: u8| {
        let jobs = std::slice::from_ref(&notice);
        accounts.use_recovery_code(bob.id, &[byte; 32], jobs, &subject.line()).await.unwrap()
    };
    let lines = subject.lines().await;
    assert_eq!(use_code(7).await, None, "it is hers");
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert_eq!(subject.lines().await, lines);
    assert_eq!(use_code(2).await, Some(2));
    assert_eq!((subject.outbox.depth().await.unwrap(), subject.lines().await), (1, lines + 1));
    assert_eq!(accounts.use_recovery_code(bob.id, &[2; 32], &[], &subject.line()).await.unwrap(), None);
    assert_eq!(accounts.use_recovery_code(bob.id, &[1; 32], &[], &subject.line()).await.unwrap(), Some(1));

    let lines = subject.lines().await;
    assert!(accounts.remove_totp(bob.id, &[], Some(&subject.line())).await.unwrap());
    assert!(!accounts.remove_totp(bob.id, &[], Some(&subject.line())).await.unwrap());
    assert_eq!(subject.lines().await, lines + 1);
    assert_eq!(accounts.find_account(bob.id).await.unwrap().unwrap().totp, None);
    assert_eq!(accounts.use_recovery_code(bob.id, &[3; 32], &[], &subject.line()).await.unwrap(), None);
    assert!(accounts.find_account(eve.id).await.unwrap().unwrap().second_factor().is_some());
    // it can be begun anew, with other codes
    assert!(accounts.begin_totp(bob.id, b"new").await.unwrap());
    assert!(subject.confirm(&bob, b"new", 2, &[[4; 32]]).await);
    assert!(accounts.remove_totp(eve.id, &[], None).await.unwrap());
    assert_eq!(accounts.use_recovery_code(bob.id, &[4; 32], &[], &subject.line()).await.unwrap(), Some(0));
}

pub async fn second_factors_are_sealed_anew(subject: &AccountSubject) {
    let accounts = &subject.accounts;
    let (mut users, mut owners) = (Vec::new(), Vec::new());
    for (name, sealed) in [("ann", b"a"), ("bob", b"b"), ("eve", b"e")] {
        let user = subject.registered(&format!("{name}@example.org")).await;
        accounts.begin_totp(user.id, sealed).await.unwrap();
        users.push((user.id, sealed.to_vec()));
        owners.push(user);
    }
    subject.registered("without@example.org").await;
    users.sort_unstable();
    let list = async |after, limit| accounts.list_sealed_totp(after, limit).await.unwrap();
    assert_eq!(list(None, 2).await, users[..2]);
    assert_eq!(list(Some(users[1].0), 2).await, users[2..]);
    let (user, old) = users[0].clone();
    let owner = owners.iter().find(|owner| owner.id == user).unwrap();
    assert!(subject.confirm(owner, &old, 5, &[[1; 32]]).await);
    assert!(!accounts.reseal_totp(user, b"other", b"new").await.unwrap(), "it was begun anew meanwhile");
    assert!(accounts.reseal_totp(user, &old, b"new").await.unwrap());
    assert!(!accounts.reseal_totp(user, &old, b"newer").await.unwrap());
    let totp = accounts.find_account(user).await.unwrap().unwrap().totp.unwrap();
    assert_eq!((totp.sealed.as_slice(), totp.last_step), (b"new".as_slice(), 5), "it is the same one");
    assert_eq!(totp.confirmed_at, Some(subject.now()));
    assert_eq!(accounts.use_recovery_code(user, &[1; 32], &[], &subject.line()).await.unwrap(), Some(0));
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

pub async fn a_second_factor_leaves_nothing_to_whoever_knew_the_password(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (accounts, now) = (&subject.accounts, subject.now());
    let (mine, other) = (subject.opened(bob.id, None).await, subject.opened(bob.id, Some(1)).await);
    let hers = subject.opened(eve.id, None).await;
    for byte in 1..=5 {
        accounts.note_device(bob.id, &[[byte; 32]], now, &[]).await.unwrap();
    }
    accounts.note_device(eve.id, &[[1; 32]], now, &[]).await.unwrap();
    assert!(accounts.begin_totp(bob.id, b"secret").await.unwrap());
    let confirm = async |sealed: &[u8]| {
        let confirmation = TotpConfirmation {
            keep: Some(mine.id),
            keep_devices: vec![[3; 32], [9; 32]],
            ..confirmation(&bob, sealed, 1, &[], now)
        };
        accounts.confirm_totp(&confirmation, &[], &subject.line()).await.unwrap()
    };
    let live = async |id| subject.store.find_session(id).await.unwrap().unwrap().is_live(now);
    let is_of =
        async |user: &User, byte: u8| accounts.is_device_of(&user.address.key(), &[byte; 32]).await.unwrap();
    let lines = subject.lines().await;
    assert!(!confirm(b"another").await);
    assert!(live(other.id).await && is_of(&bob, 1).await, "nothing was done");
    assert!(confirm(b"secret").await);
    assert_eq!(subject.lines().await, lines + 1);
    assert_eq!((live(mine.id).await, live(other.id).await, live(hers.id).await), (true, false, true));
    for byte in [1, 2, 4, 5, 9] {
        assert!(!is_of(&bob, byte).await, "{byte}");
    }
    assert!(is_of(&bob, 3).await && is_of(&eve, 1).await);
}
