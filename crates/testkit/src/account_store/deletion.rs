use std::time::Duration;

use common::auth::{ChangeUserError, CodeKind, Group, Role, User, UserChange, UserFilter};

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

    let listed = async |disabled| {
        let filter = UserFilter { disabled: Some(disabled), ..UserFilter::default() };
        subject.users.list_users(&filter, None, 10).await.unwrap().total
    };
    assert_eq!((listed(true).await, listed(false).await), (1, 0), "it is listed as disabled");

    assert!(accounts.cancel_deletion(bob.id, &[]).await.unwrap());
    assert!(!accounts.cancel_deletion(bob.id, &[]).await.unwrap());
    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), Some(bob.clone()));
    assert!(!subject.delete(bob.id, due).await, "it does not wait any more");
    assert_eq!(subject.store.count_users().await.unwrap(), 1);

    // what an administrator does meanwhile neither ends the waiting nor outlives it
    assert!(accounts.schedule_deletion(bob.id, due, now, &[]).await.unwrap());
    for change in [
        UserChange { role: Some(Role::User), disabled: None },
        UserChange { role: None, disabled: Some(false) },
    ] {
        let changed = subject.users.change_user(bob.id, &change, &[], &subject.line()).await.unwrap();
        assert!(changed.disabled, "it waits, after {change:?}");
    }
    assert!(accounts.cancel_deletion(bob.id, &[]).await.unwrap());
    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), Some(bob.clone()));

    let blocked = User { disabled: true, ..user(subject.ids.next(), "eve@example.org", now) };
    subject.store.create_user(&blocked, &[]).await.unwrap();
    assert!(!accounts.schedule_deletion(blocked.id, due, now, &[]).await.unwrap());
    let account = accounts.find_account(blocked.id).await.unwrap().unwrap();
    assert_eq!((account.deletes_at, account.blocked), (None, true));
}

pub async fn the_last_administrator_cannot_ask_to_be_deleted(subject: &AccountSubject) {
    let (accounts, now) = (&subject.accounts, subject.now());
    let due = now + 14 * DAY;
    let mut admins = Vec::new();
    for name in ["ann", "amy", "ada"] {
        let admin = subject.registered(&format!("{name}@example.org")).await;
        let office = UserChange { role: Some(Role::Admin), disabled: None };
        admins.push(subject.users.change_user(admin.id, &office, &[], &subject.line()).await.unwrap());
    }
    let asked = admins.iter().map(|admin| accounts.schedule_deletion(admin.id, due, now, &[]));
    let asked = futures_util::future::join_all(asked).await;
    assert_eq!(asked.iter().filter(|asked| matches!(asked, Ok(true))).count(), 2, "{asked:?}");
    assert_eq!(
        asked.iter().filter(|asked| matches!(asked, Err(ChangeUserError::LastAdministrator))).count(),
        1
    );
    // those who wait are none to rely on
    let left = &admins[asked.iter().position(Result::is_err).unwrap()];
    let disable = UserChange { role: None, disabled: Some(true) };
    let lost = subject.users.change_user(left.id, &disable, &[], &subject.line()).await;
    assert!(matches!(lost, Err(ChangeUserError::LastAdministrator)), "{lost:?}");
}

pub async fn deletions_are_listed_when_they_are_due(subject: &AccountSubject) {
    let (accounts, now) = (&subject.accounts, subject.now());
    let mut users = Vec::new();
    for (name, days) in [("ann", 3), ("bob", 1), ("eve", 2)] {
        let user = subject.registered(&format!("{name}@example.org")).await;
        assert!(accounts.schedule_deletion(user.id, now + days * DAY, now, &[]).await.unwrap());
        users.push((user.id, now + days * DAY));
    }
    subject.registered("someone@example.org").await;
    let due = async |at, limit| accounts.list_due_deletions(at, limit).await.unwrap();
    assert_eq!(due(now, 10).await, []);
    assert_eq!(due(now + DAY, 10).await, [users[1]]);
    assert_eq!(due(now + 3 * DAY, 10).await, [users[1], users[2], users[0]]);
    assert_eq!(due(now + 3 * DAY, 1).await, [users[1]]);
    assert!(accounts.cancel_deletion(users[1].0, &[]).await.unwrap());
    assert_eq!(due(now + 3 * DAY, 10).await, [users[2], users[0]]);
}

/// Fills an account with one of everything.
async fn filled(subject: &AccountSubject, address: &str) -> (User, common::SessionId) {
    let (accounts, now) = (&subject.accounts, subject.now());
    let user = subject.registered(address).await;
    accounts.begin_totp(user.id, b"secret").await.unwrap();
    assert!(subject.confirm(&user, b"secret", 1, &[[1; 32]]).await);
    let session = subject.opened(user.id, Some(1)).await;
    accounts.note_device(user.id, &[[1; 32]], now, &[]).await.unwrap();
    accounts.add_code(&code(1, CodeKind::Reset, Some(user.id), now), &[]).await.unwrap();
    subject.token(user.id, 4).await;
    let identity = subject.identity(&user, "one");
    subject.identities.add_identity(&identity, &[], &subject.line()).await.unwrap();
    let group =
        Group { id: subject.ids.next(), name: "g".to_owned(), members: vec![user.id], created_at: now };
    subject.groups.create_group(&group, &subject.line()).await.unwrap();
    (user, session.id)
}

/// Nothing of [`filled`] is left, nor comes back for who has the address next.
async fn assert_nothing_is_left(subject: &AccountSubject, gone: &User, session: common::SessionId) {
    let (accounts, now) = (&subject.accounts, subject.now());
    assert_eq!(subject.store.find_user(gone.id).await.unwrap(), None);
    assert_eq!(accounts.find_account_by_address(&gone.address.key()).await.unwrap(), None);
    assert_eq!(subject.store.find_session(session).await.unwrap(), None);
    assert_eq!(accounts.find_code(&[1; 32], CodeKind::Reset, now).await.unwrap(), None);
    assert_eq!(accounts.use_recovery_code(gone.id, &[1; 32], &[], &subject.line()).await.unwrap(), None);
    assert_eq!(accounts.list_sealed_totp(None, 10).await.unwrap(), []);
    assert_eq!(subject.tokens.find_token(&[4; 32]).await.unwrap(), None);
    assert_eq!(subject.identities.list_identities(gone.id).await.unwrap(), []);
    assert_eq!(subject.groups.list_groups(Some(gone.id), None, 10).await.unwrap().total, 0);
    let again = User { id: gone.id, ..user(gone.id, "again@example.org", now) };
    subject.store.create_user(&again, &[]).await.unwrap();
    assert!(!accounts.is_device_of(&again.address.key(), &[1; 32]).await.unwrap());
    assert_eq!(accounts.use_recovery_code(gone.id, &[1; 32], &[], &subject.line()).await.unwrap(), None);
    assert_eq!(accounts.find_account(again.id).await.unwrap().unwrap().totp, None);
}

pub async fn a_deleted_account_leaves_nothing(subject: &AccountSubject) {
    let (bob, mine) = filled(subject, "bob@example.org").await;
    let eve = subject.registered("eve@example.org").await;
    let other = subject.opened(eve.id, Some(2)).await;
    let (accounts, now) = (&subject.accounts, subject.now());
    let due = now + 14 * DAY;
    assert!(accounts.schedule_deletion(bob.id, due, now, &[]).await.unwrap());
    accounts.add_code(&code(1, CodeKind::Reset, Some(bob.id), now), &[]).await.unwrap();
    assert!(!subject.delete(bob.id, due + DAY).await, "another time was said");
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    let tries = futures_util::future::join_all((0..4).map(|_| subject.delete(bob.id, due))).await;
    assert_eq!(tries.iter().filter(|done| **done).count(), 1, "{tries:?}");
    assert_eq!(subject.outbox.depth().await.unwrap(), 1, "the job came with the one that did it");
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
    assert_nothing_is_left(subject, &bob, mine).await;
    assert!(subject.store.find_session(other.id).await.unwrap().unwrap().is_live(now));
}

pub async fn an_account_that_an_administrator_removes_leaves_nothing(subject: &AccountSubject) {
    let (bob, mine) = filled(subject, "bob@example.org").await;
    subject.users.remove_user(bob.id, &[], &subject.line()).await.unwrap();
    assert_nothing_is_left(subject, &bob, mine).await;
}

pub async fn a_password_that_an_administrator_sets_ends_codes_and_devices(subject: &AccountSubject) {
    let (bob, _) = filled(subject, "bob@example.org").await;
    let (accounts, now) = (&subject.accounts, subject.now());
    subject.users.reset_password(bob.id, "new", now, &[], &subject.line()).await.unwrap();
    assert_eq!(accounts.find_code(&[1; 32], CodeKind::Reset, now).await.unwrap(), None);
    assert!(!accounts.is_device_of(&bob.address.key(), &[1; 32]).await.unwrap());
    assert!(
        accounts.note_device(bob.id, &[[1; 32]], now, &[]).await.unwrap(),
        "whoever signs in now is told of"
    );
    // another factor is another factor
    assert!(accounts.find_account(bob.id).await.unwrap().unwrap().second_factor().is_some());
    assert_eq!(accounts.use_recovery_code(bob.id, &[1; 32], &[], &subject.line()).await.unwrap(), Some(0));
}

pub async fn people_are_found_by_one_question_and_who_waits_by_none(subject: &AccountSubject) {
    let (ann, bob) =
        (subject.registered("ann@example.org").await, subject.registered("anna@example.org").await);
    let (accounts, now) = (&subject.accounts, subject.now());
    let unknown = subject.ids.next();
    let found = async |ids: &[common::UserId]| {
        let mut found = subject.store.find_users(ids).await.unwrap();
        found.sort_unstable_by_key(|user| user.id);
        found
    };
    let mut both = vec![ann.clone(), bob.clone()];
    both.sort_unstable_by_key(|user| user.id);
    assert_eq!(found(&[bob.id, unknown, ann.id, bob.id]).await, both);
    assert_eq!(found(&[]).await, []);
    let many: Vec<_> = (0..common::auth::internal::MAX_PEOPLE).map(|_| subject.ids.next()).collect();
    assert_eq!(found(&many).await, []);
    let beginning = common::auth::Address::parse("ann").unwrap().key();
    let people = async || subject.groups.find_people(&beginning, None, 10).await.unwrap().len();
    assert_eq!(people().await, 2);
    assert!(accounts.schedule_deletion(bob.id, now + DAY, now, &[]).await.unwrap());
    assert_eq!(people().await, 1);
    assert_eq!(found(&[bob.id]).await, [User { disabled: true, ..bob.clone() }], "it is named as closed");

    let group = |name: &str| Group {
        id: subject.ids.next(),
        name: name.to_owned(),
        members: Vec::new(),
        created_at: now,
    };
    let (one, two) = (group("one"), group("two"));
    for group in [&one, &two] {
        subject.groups.create_group(group, &subject.line()).await.unwrap();
    }
    let ids = [two.id, subject.ids.next(), two.id];
    let names = subject.groups.find_group_names(&ids).await.unwrap();
    assert_eq!(names, [common::auth::GroupName { id: two.id, name: two.name }]);
    assert_eq!(subject.groups.find_group_names(&[]).await.unwrap(), []);
}
