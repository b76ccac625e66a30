use std::time::Duration;

use common::UserId;
use common::auth::{
    AuditAction, AuditEntry, AuditFilter, ChangeUserError, Role, User, UserChange, UserFilter,
};
use futures_util::future::join_all;

use super::{AuthSubject, audit_entry};
use crate::outbox::job;

const HOUR: Duration = Duration::from_secs(3600);
const DEMOTE: UserChange = UserChange { role: Some(Role::User), disabled: None };
const DISABLE: UserChange = UserChange { role: None, disabled: Some(true) };

impl AuthSubject {
    pub(super) fn line(&self, action: AuditAction) -> AuditEntry {
        audit_entry(self.ids.next(), action, self.now())
    }

    pub(super) async fn lines(&self, action: AuditAction) -> usize {
        let filter = AuditFilter { action: Some(action.word().to_owned()), ..AuditFilter::default() };
        self.audit.list_audit(&filter, None, 100).await.unwrap().len()
    }

    async fn admin_user(&self, address: &str) -> User {
        let admin = User { role: Role::Admin, ..self.user(address) };
        self.users.add_user(&admin, false, &[], &self.line(AuditAction::UserMade)).await.unwrap();
        admin
    }

    async fn change(&self, id: UserId, change: &UserChange) -> Result<User, ChangeUserError> {
        self.users.change_user(id, change, &[], &self.line(AuditAction::UserChanged)).await
    }
}

pub async fn accounts_are_listed_and_found(subject: &AuthSubject) {
    let mut made = Vec::new();
    for name in ["ada", "Bob", "eve", "a+b.c"] {
        made.push(subject.registered(&format!("{name}@Example.org")).await);
    }
    let root = subject.admin_user("root@other.org").await;
    made.push(subject.change(made[2].id, &DISABLE).await.unwrap());
    made.remove(2);
    made.push(root);
    made.sort_by_key(|user| std::cmp::Reverse(user.id));
    let list = async |filter: &UserFilter, before, limit| {
        subject.users.list_users(filter, before, limit).await.unwrap()
    };
    let all = UserFilter::default();
    let page = list(&all, None, 10).await;
    assert_eq!((page.items.clone(), page.more, page.total), (made.clone(), false, 5));
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let page = list(&all, before, 2).await;
        assert_eq!((page.total, page.more), (5, paged.len() + page.items.len() < 5));
        before = page.items.last().map(|user| user.id);
        paged.extend(page.items);
        if !page.more {
            break;
        }
    }
    assert_eq!(paged, made);
    let names = async |filter: UserFilter| -> Vec<String> {
        let found = list(&filter, None, 10).await;
        assert_eq!(found.total, found.items.len() as u64);
        found.items.iter().map(|user| user.address.as_str().to_owned()).collect()
    };
    let holding = |text: &str| UserFilter { address: Some(text.to_owned()), ..UserFilter::default() };
    assert_eq!(names(holding("b@ex")).await, ["Bob@Example.org"]);
    // literally
    assert_eq!(names(holding("a+b.c")).await, ["a+b.c@Example.org"]);
    assert_eq!(names(holding("a.b")).await, [] as [&str; 0]);
    assert_eq!(names(holding("[a-z]")).await, [] as [&str; 0]);
    let role = UserFilter { role: Some(Role::Admin), ..UserFilter::default() };
    assert_eq!(names(role).await, ["root@other.org"]);
    let disabled = UserFilter { disabled: Some(true), ..UserFilter::default() };
    assert_eq!(names(disabled).await, ["eve@Example.org"]);
    let active = UserFilter { disabled: Some(false), ..holding("example") };
    assert_eq!(names(active).await.len(), 3);
}

pub async fn an_account_is_changed_with_its_line_of_the_log(subject: &AuthSubject) {
    let bob = subject.registered("bob@example.org").await;
    let missing = subject.change(subject.ids.next(), &DISABLE).await;
    assert!(matches!(missing, Err(ChangeUserError::NotFound)), "{missing:?}");
    let admin = UserChange { role: Some(Role::Admin), disabled: Some(true) };
    let changed = subject.change(bob.id, &admin).await.unwrap();
    assert_eq!(changed, User { role: Role::Admin, disabled: true, ..bob.clone() });
    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), Some(changed.clone()));
    assert!(subject.store.has_admin().await.unwrap());
    assert_eq!(subject.change(bob.id, &admin).await.unwrap(), changed, "safe to repeat");
    // one who is disabled is no administrator to lose
    assert_eq!(subject.change(bob.id, &DEMOTE).await.unwrap().role, Role::User);
    assert_eq!(subject.lines(AuditAction::UserChanged).await, 3);
}

pub async fn the_last_administrator_stays(subject: &AuthSubject) {
    let (ann, amy) =
        (subject.admin_user("ann@example.org").await, subject.admin_user("amy@example.org").await);
    subject.change(amy.id, &DISABLE).await.unwrap();
    for change in [DISABLE, DEMOTE, UserChange { role: Some(Role::User), disabled: Some(true) }] {
        let lost = subject.change(ann.id, &change).await;
        assert!(matches!(lost, Err(ChangeUserError::LastAdministrator)), "{lost:?}");
    }
    let removed = subject.users.remove_user(ann.id, &[], &subject.line(AuditAction::UserDeleted)).await;
    assert!(matches!(removed, Err(ChangeUserError::LastAdministrator)), "{removed:?}");
    assert_eq!(subject.store.find_user(ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(subject.lines(AuditAction::UserChanged).await, 1, "what is refused is not in the log");
    // what changes nothing of it passes
    subject.change(ann.id, &UserChange { role: Some(Role::Admin), disabled: Some(false) }).await.unwrap();
    subject.change(amy.id, &UserChange { disabled: Some(false), role: None }).await.unwrap();
    subject.change(ann.id, &DEMOTE).await.unwrap();
}

pub async fn of_administrators_who_end_one_another_one_stays(subject: &AuthSubject) {
    for round in 0..3 {
        let mut admins = Vec::new();
        for n in 0..6 {
            admins.push(subject.admin_user(&format!("a{n}-{round}@example.org")).await);
        }
        // whoever was left by the round before
        let left = UserFilter { role: Some(Role::Admin), disabled: Some(false), address: None };
        for old in subject.users.list_users(&left, None, 100).await.unwrap().items {
            if !admins.contains(&old) {
                subject.change(old.id, &DISABLE).await.unwrap();
            }
        }
        let ends = admins.iter().enumerate().map(|(n, admin)| async move {
            match n % 3 {
                0 => subject.change(admin.id, &DISABLE).await.map(drop),
                1 => subject.change(admin.id, &DEMOTE).await.map(drop),
                _ => {
                    let line = subject.line(AuditAction::UserDeleted);
                    subject.users.remove_user(admin.id, &[], &line).await
                }
            }
        });
        let ended = join_all(ends).await;
        assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 5, "{ended:?}");
        assert!(ended.iter().all(|ended| matches!(ended, Ok(()) | Err(ChangeUserError::LastAdministrator))));
        assert_eq!(subject.users.list_users(&left, None, 100).await.unwrap().total, 1);
    }
}

pub async fn a_new_password_ends_the_sessions(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (one, two, hers) =
        (subject.session(bob.id, None), subject.session(bob.id, Some(1)), subject.session(eve.id, None));
    for session in [&one, &two, &hers] {
        subject.store.create_session(session).await.unwrap();
    }
    let token = subject.token(bob.id, 1);
    subject.keep(&token).await;
    let line = || subject.line(AuditAction::PasswordReset);
    let notice = [crate::outbox::job(&subject.ids, "account-mail", subject.now())];
    let missing =
        subject.users.reset_password(subject.ids.next(), "new", subject.now(), &notice, &line()).await;
    assert!(matches!(missing, Err(ChangeUserError::NotFound)), "{missing:?}");
    subject.users.reset_password(bob.id, "new", subject.now(), &notice, &line()).await.unwrap();
    assert_eq!(subject.store.find_user(bob.id).await.unwrap().unwrap().password_hash, "new");
    let live = async |id| subject.store.find_session(id).await.unwrap().unwrap().is_live(subject.now());
    assert!(!live(one.id).await && !live(two.id).await && live(hers.id).await);
    assert!(subject.tokens.list_tokens(bob.id).await.unwrap().is_empty(), "nor does a token outlive it");
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    assert_eq!(subject.lines(AuditAction::PasswordReset).await, 1);
}

pub async fn all_sessions_of_an_account_end(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    for (user, refresh) in [(bob.id, None), (bob.id, Some(1)), (eve.id, Some(2))] {
        subject.store.create_session(&subject.session(user, refresh)).await.unwrap();
    }
    let line = subject.line(AuditAction::UserSignedOut);
    assert_eq!(subject.users.end_sessions(bob.id, subject.now(), &line).await.unwrap(), 2);
    let line = subject.line(AuditAction::UserSignedOut);
    assert_eq!(subject.users.end_sessions(bob.id, subject.now(), &line).await.unwrap(), 0);
    let end = subject.now() + HOUR;
    for (hash, lives) in [(1, false), (2, true)] {
        let outcome = subject.store.rotate_refresh(&[hash; 32], &[9; 32], subject.now(), end).await.unwrap();
        assert_eq!(matches!(outcome, common::auth::RefreshOutcome::Rotated(_)), lives, "{outcome:?}");
    }
}

pub async fn a_removed_account_leaves_nothing(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let session = subject.session(bob.id, Some(1));
    subject.store.create_session(&session).await.unwrap();
    let purge = job(&subject.ids, "purge", subject.now());
    let line = subject.line(AuditAction::UserDeleted);
    subject.users.remove_user(bob.id, std::slice::from_ref(&purge), &line).await.unwrap();
    assert_eq!(subject.store.find_user(bob.id).await.unwrap(), None);
    assert_eq!(subject.store.find_user_by_address(&bob.address.key()).await.unwrap(), None);
    assert_eq!(subject.store.find_session(session.id).await.unwrap(), None);
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    let again = subject.users.remove_user(bob.id, &[purge], &subject.line(AuditAction::UserDeleted)).await;
    assert!(matches!(again, Err(ChangeUserError::NotFound)), "{again:?}");
    assert_eq!(subject.lines(AuditAction::UserDeleted).await, 1);
    // the address is free
    subject.registered("BOB@example.org").await;
    assert_eq!(subject.store.find_user(eve.id).await.unwrap(), Some(eve));
}

pub async fn an_account_is_made_verified_or_not(subject: &AuthSubject) {
    for (name, verified) in [("ann", true), ("bob", false)] {
        let user = subject.user(&format!("{name}@example.org"));
        subject.users.add_user(&user, verified, &[], &subject.line(AuditAction::UserMade)).await.unwrap();
        let account = subject.accounts.find_account(user.id).await.unwrap().unwrap();
        assert_eq!(account.verified_at, verified.then_some(user.created_at), "{name}");
    }
}

pub async fn jobs_go_with_the_change_of_an_account(subject: &AuthSubject) {
    let bob = subject.registered("bob@example.org").await;
    let promote = UserChange { role: Some(Role::Admin), disabled: None };
    let change = async |id: UserId, change: &UserChange| {
        let notice = [job(&subject.ids, "account-mail", subject.now())];
        subject.users.change_user(id, change, &notice, &subject.line(AuditAction::UserChanged)).await
    };
    change(bob.id, &promote).await.unwrap();
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    let last = change(bob.id, &DEMOTE).await;
    assert!(matches!(last, Err(ChangeUserError::LastAdministrator)), "{last:?}");
    let nobody = change(subject.ids.next(), &promote).await;
    assert!(matches!(nobody, Err(ChangeUserError::NotFound)), "{nobody:?}");
    assert_eq!(subject.outbox.depth().await.unwrap(), 1, "what was refused tells nobody");
}
