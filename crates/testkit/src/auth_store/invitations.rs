use std::time::Duration;

use common::auth::{Address, AuditAction, Invitation, Role, UseInvitationError, User};
use futures_util::future::join_all;

use super::AuthSubject;
use crate::outbox::job;

const HOUR: Duration = Duration::from_secs(3600);

impl AuthSubject {
    async fn invited(&self, byte: u8, address: Option<&str>, role: Role) -> Invitation {
        let invitation = Invitation {
            id: self.ids.next(),
            hash: [byte; 32],
            address: address.map(|text| Address::parse(text).unwrap()),
            role,
            made_by: self.ids.next(),
            created_at: self.now(),
            expires_at: self.now() + HOUR,
        };
        let line = self.line(AuditAction::InvitationMade);
        self.invitations.create_invitation(&invitation, &[], &line).await.unwrap();
        invitation
    }

    async fn accept(&self, user: &User, byte: u8) -> Result<(), UseInvitationError> {
        let line = self.line(AuditAction::InvitationUsed);
        self.invitations.create_invited_user(user, &[byte; 32], &[], &line).await
    }
}

pub async fn invitations_are_listed_until_they_end(subject: &AuthSubject) {
    let open = subject.invited(1, None, Role::User).await;
    let bound = subject.invited(2, Some("Bob@example.org"), Role::Admin).await;
    let third = subject.invited(3, None, Role::User).await;
    let now = subject.now();
    let page = subject.invitations.list_invitations(now, None, 2).await.unwrap();
    assert_eq!((page.items, page.more, page.total), (vec![third.clone(), bound.clone()], true, 3));
    let page = subject.invitations.list_invitations(now, Some(bound.id), 2).await.unwrap();
    assert_eq!((page.items, page.more, page.total), (vec![open], false, 3));
    let find = async |byte, at| subject.invitations.find_invitation(&[byte; 32], at).await.unwrap();
    assert_eq!(find(2, now).await, Some(bound.clone()));
    assert_eq!(find(2, now + HOUR).await, None);
    assert_eq!(find(9, now).await, None);
    assert_eq!(subject.invitations.list_invitations(now + HOUR, None, 2).await.unwrap().total, 0);

    let withdraw = async |id| {
        let line = subject.line(AuditAction::InvitationWithdrawn);
        subject.invitations.delete_invitation(id, &line).await.unwrap()
    };
    assert!(withdraw(bound.id).await);
    assert!(!withdraw(bound.id).await);
    assert_eq!(find(2, now).await, None);
    assert_eq!(subject.lines(AuditAction::InvitationWithdrawn).await, 1);
    assert_eq!(subject.lines(AuditAction::InvitationMade).await, 3);
    assert_eq!(subject.invitations.remove_ended_invitations(now + HOUR, 10).await.unwrap(), 0);
    assert_eq!(subject.invitations.remove_ended_invitations(now + 2 * HOUR, 10).await.unwrap(), 2);
}

pub async fn an_invitation_works_once_and_for_whom_it_is(subject: &AuthSubject) {
    subject.registered("eve@example.org").await;
    subject.invited(1, None, Role::User).await;
    subject.invited(2, Some("Bob@example.org"), Role::Admin).await;
    let is = |result: Result<(), UseInvitationError>, expected: &str| match result {
        Ok(()) => assert_eq!(expected, "made"),
        Err(error) => assert_eq!(error.to_string(), expected),
    };
    let (bad, taken) = ("the invitation is not good", "the address is taken");
    is(subject.accept(&subject.user("kim@example.org"), 9).await, bad);
    // a taken address does not use it up
    is(subject.accept(&subject.user("EVE@example.org"), 1).await, taken);
    is(subject.accept(&subject.user("kim@example.org"), 1).await, "made");
    is(subject.accept(&subject.user("lou@example.org"), 1).await, bad);
    // another address, another role: it stays
    let admin = |address| User { role: Role::Admin, ..subject.user(address) };
    is(subject.accept(&admin("lou@example.org"), 2).await, bad);
    is(subject.accept(&subject.user("bob@example.org"), 2).await, bad);
    is(subject.accept(&admin("bob@example.org"), 2).await, "made");
    assert!(subject.store.has_admin().await.unwrap());
    subject.invited(3, None, Role::User).await;
    let late = User { created_at: subject.now() + HOUR, ..subject.user("lou@example.org") };
    is(subject.accept(&late, 3).await, bad);
    assert_eq!(subject.store.count_users().await.unwrap(), 3);
    assert_eq!(subject.lines(AuditAction::InvitationUsed).await, 2);
}

pub async fn of_simultaneous_uses_of_an_invitation_one_succeeds(subject: &AuthSubject) {
    subject.invited(1, None, Role::User).await;
    let tries = (0..10).map(|n| {
        let user = subject.user(&format!("bob{n}@example.org"));
        async move { subject.accept(&user, 1).await }
    });
    let made = join_all(tries).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
}

pub async fn jobs_go_with_an_invitation(subject: &AuthSubject) {
    let mail = job(&subject.ids, "account-mail", subject.now());
    let invitation = Invitation {
        id: subject.ids.next(),
        hash: [1; 32],
        address: None,
        role: Role::User,
        made_by: subject.ids.next(),
        created_at: subject.now(),
        expires_at: subject.now() + HOUR,
    };
    let line = subject.line(AuditAction::InvitationMade);
    subject.invitations.create_invitation(&invitation, &[mail], &line).await.unwrap();
    let welcome = job(&subject.ids, "welcome-mail", subject.now());
    let line = subject.line(AuditAction::InvitationUsed);
    let user = subject.user("bob@example.org");
    subject.invitations.create_invited_user(&user, &[1; 32], &[welcome], &line).await.unwrap();
    assert_eq!(subject.outbox.depth().await.unwrap(), 2);
}
