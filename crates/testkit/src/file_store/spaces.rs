use common::files::{Kind, NodeName, Usage};

use super::FilesSubject;

pub async fn a_user_has_one_space_with_a_root(subject: &FilesSubject) {
    let space = &subject.space;
    assert_eq!(space.owner, subject.user);
    assert_eq!(space.usage, Usage::default());
    let again = subject
        .store
        .ensure_space(subject.user, (subject.ids.next(), subject.ids.next()), Some(7), subject.now())
        .await;
    assert_eq!(again.unwrap(), *space);
    assert_eq!(subject.store.find_space(space.id).await.unwrap().as_ref(), Some(space));
    assert_eq!(subject.store.find_space(subject.ids.next()).await.unwrap(), None);
    let root = subject.store.find_path(space.root).await.unwrap().unwrap();
    assert!(root.ancestors.is_empty());
    assert!(root.node.is_root());
    assert_eq!(root.node.name, NodeName::root());
    assert_eq!((root.node.kind, root.node.owner, root.node.space), (Kind::Folder, subject.user, space.id));
    assert_eq!(subject.store.count_nodes().await.unwrap(), 0, "roots are left out");
    let fresh = (subject.ids.next(), subject.ids.next());
    let other = subject.store.ensure_space(subject.ids.next(), fresh, Some(7), subject.now()).await.unwrap();
    assert_ne!(other.root, space.root);
    assert_eq!(other.usage.quota_bytes, Some(7));
    assert_eq!(subject.store.usage(other.id).await.unwrap().quota_bytes, Some(7));
}

pub async fn of_simultaneous_first_uses_all_get_one_space(subject: &FilesSubject) {
    let owner = subject.ids.next();
    let uses = (0..20).map(|_| {
        let fresh = (subject.ids.next(), subject.ids.next());
        async move { subject.store.ensure_space(owner, fresh, None, subject.now()).await.unwrap() }
    });
    let spaces = futures_util::future::join_all(uses).await;
    assert!(spaces.iter().all(|space| *space == spaces[0]));
    assert!(subject.node(spaces[0].root).await.is_some());
}

pub async fn the_store_keeps_its_id_and_answers_a_ping(subject: &FilesSubject) {
    let id = subject.store.store_id().await.unwrap();
    assert!(id.len() >= 16, "an id that no other store has: {id}");
    assert_eq!(subject.store.store_id().await.unwrap(), id);
    subject.store.ping().await.unwrap();
}
