use common::UserId;
use common::auth::{Address, AuditAction, Group, GroupChange, GroupError, UserChange};

use super::AuthSubject;

impl AuthSubject {
    fn group(&self, name: &str, members: &[UserId]) -> Group {
        let mut members = members.to_vec();
        members.sort_unstable();
        Group { id: self.ids.next(), name: name.to_owned(), members, created_at: self.now() }
    }

    async fn keep_group(&self, group: &Group) -> Result<(), GroupError> {
        self.groups.create_group(group, &self.line(AuditAction::GroupMade)).await
    }
}

pub async fn a_group_is_found_as_it_was_made(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (empty, both) = (subject.group("Empty", &[]), subject.group("Both", &[eve.id, bob.id]));
    subject.keep_group(&empty).await.unwrap();
    subject.keep_group(&both).await.unwrap();
    assert_eq!(subject.groups.find_group(both.id).await.unwrap(), Some(both.clone()));
    assert_eq!(subject.groups.find_group(subject.ids.next()).await.unwrap(), None);
    let taken = subject.keep_group(&subject.group(" BOTH ", &[])).await;
    assert!(matches!(taken, Err(GroupError::NameTaken)), "{taken:?}");
    let stranger = subject.ids.next();
    let unknown = subject.keep_group(&subject.group("Other", &[bob.id, stranger])).await;
    assert!(matches!(unknown, Err(GroupError::NoSuchUser(id)) if id == stranger), "{unknown:?}");
    assert_eq!(subject.lines(AuditAction::GroupMade).await, 2);

    let page = subject.groups.list_groups(None, None, 1).await.unwrap();
    assert_eq!((page.items, page.more, page.total), (vec![both.clone()], true, 2));
    let page = subject.groups.list_groups(None, Some(both.id), 1).await.unwrap();
    assert_eq!((page.items, page.more, page.total), (vec![empty], false, 2));
    let page = subject.groups.list_groups(Some(bob.id), None, 10).await.unwrap();
    assert_eq!((page.items, page.more, page.total), (vec![both], false, 1));
    assert_eq!(subject.groups.list_groups(Some(stranger), None, 10).await.unwrap().total, 0);
}

pub async fn a_group_is_changed_and_deleted(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (one, two) = (subject.group("One", &[bob.id]), subject.group("Two", &[]));
    subject.keep_group(&one).await.unwrap();
    subject.keep_group(&two).await.unwrap();
    let change = async |id, name: Option<&str>, members: Option<Vec<UserId>>| {
        let change = GroupChange { name: name.map(str::to_owned), members };
        subject.groups.change_group(id, &change, &subject.line(AuditAction::GroupChanged)).await
    };
    let missing = change(subject.ids.next(), Some("x"), None).await;
    assert!(matches!(missing, Err(GroupError::NotFound)), "{missing:?}");
    let taken = change(one.id, Some("two"), Some(vec![])).await;
    assert!(matches!(taken, Err(GroupError::NameTaken)), "{taken:?}");
    let unknown = change(one.id, Some("Three"), Some(vec![subject.ids.next()])).await;
    assert!(matches!(unknown, Err(GroupError::NoSuchUser(_))), "{unknown:?}");
    assert_eq!(subject.groups.find_group(one.id).await.unwrap(), Some(one.clone()), "nothing happened");
    // its own name in another case, and a member twice
    let changed = change(one.id, Some("ONE"), Some(vec![eve.id, bob.id, eve.id])).await.unwrap();
    assert_eq!(changed, Group { name: "ONE".to_owned(), ..subject_group(&one, &[bob.id, eve.id]) });
    assert_eq!(subject.groups.find_group(one.id).await.unwrap(), Some(changed.clone()));
    change(one.id, Some("Three"), None).await.unwrap();
    // the name is free again
    subject.keep_group(&subject.group("One", &[])).await.unwrap();

    let delete =
        async |id| subject.groups.delete_group(id, &subject.line(AuditAction::GroupDeleted)).await.unwrap();
    assert!(delete(one.id).await);
    assert!(!delete(one.id).await);
    subject.keep_group(&subject.group("three", &[])).await.unwrap();
    assert_eq!(subject.groups.list_groups(Some(bob.id), None, 10).await.unwrap().total, 0);
    assert_eq!(subject.lines(AuditAction::GroupDeleted).await, 1);
}

fn subject_group(group: &Group, members: &[UserId]) -> Group {
    let mut members = members.to_vec();
    members.sort_unstable();
    Group { members, ..group.clone() }
}

pub async fn an_account_that_goes_leaves_its_groups(subject: &AuthSubject) {
    let bob = subject.registered("bob@example.org").await;
    let group = subject.group("One", &[bob.id]);
    subject.keep_group(&group).await.unwrap();
    subject.users.remove_user(bob.id, &[], &subject.line(AuditAction::UserDeleted)).await.unwrap();
    assert!(subject.groups.find_group(group.id).await.unwrap().unwrap().members.is_empty());
}

pub async fn people_are_found_by_the_beginning_of_their_address(subject: &AuthSubject) {
    let mut users = Vec::new();
    for name in ["ann", "Anna", "annb", "bob", "an.na"] {
        users.push(subject.registered(&format!("{name}@example.org")).await);
    }
    subject
        .users
        .change_user(
            users[2].id,
            &UserChange { disabled: Some(true), role: None },
            &[],
            &subject.line(AuditAction::UserChanged),
        )
        .await
        .unwrap();
    let group = subject.group("One", &[users[0].id, users[1].id, users[2].id]);
    subject.keep_group(&group).await.unwrap();
    let find = async |prefix: &str, of: Option<UserId>, limit| -> Vec<String> {
        let key = Address::parse(prefix).unwrap().key();
        let found = subject.groups.find_people(&key, of, limit).await.unwrap();
        found.iter().map(|user| user.address.as_str().split('@').next().unwrap().to_owned()).collect()
    };
    assert_eq!(find("AN", None, 10).await, ["an.na", "ann", "Anna"]);
    assert_eq!(find("ann", None, 1).await, ["ann"]);
    assert_eq!(find("x", None, 10).await, [] as [&str; 0]);
    // only those who share a group, and not oneself
    assert_eq!(find("an", Some(users[0].id), 10).await, ["Anna"]);
    assert_eq!(find("an", Some(users[3].id), 10).await, [] as [&str; 0]);
}
