use std::time::Duration;

use common::files::{Kind, NodeError, NodeName, Usage};
use common::{ReservationId, Timestamp};

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

pub async fn a_space_ends_with_all_that_is_in_it(subject: &FilesSubject) {
    let (store, root) = (&subject.store, subject.root());
    let folder = subject.folder(root, "a").await;
    let file = subject.file(folder.id, "x", 5).await;
    subject.commit(&subject.update(file.id, 7, 10)).await.unwrap();
    let trashed = subject.file(root, "y", 3).await;
    subject.trash(trashed.id).await;
    let deleted = subject.folder(root, "z").await;
    subject.file(deleted.id, "below", 2).await;
    subject.delete(deleted.id).await;
    let fresh = (subject.ids.next(), subject.ids.next());
    let other = store.ensure_space(subject.ids.next(), fresh, None, subject.now()).await.unwrap();
    let kept = subject.file(other.root, "kept", 1).await;
    let reservation = ReservationId(common::IdGen::object_id(&*subject.ids));
    store.reserve(subject.space.id, reservation, 9, subject.now() + Duration::from_secs(60)).await.unwrap();
    let blob = file.content.unwrap().blob;

    store.end_space(subject.ids.next(), subject.now()).await.unwrap();
    let uploads = (0..10).map(|n| {
        let commit = subject.upload(root, &format!("late {n}"), 1);
        async move { subject.commit(&commit).await }
    });
    let (uploads, ended) = tokio::join!(
        futures_util::future::join_all(uploads),
        store.end_space(subject.space.id, subject.now())
    );
    ended.unwrap();
    assert!(uploads.iter().all(|upload| matches!(upload, Ok(_) | Err(NodeError::ParentGone))), "{uploads:?}");
    // nothing is there for any call, and nothing enters it any more
    for id in [root, folder.id, file.id, trashed.id] {
        assert_eq!(subject.node(id).await, None);
    }
    let late = subject.commit(&subject.upload(root, "later", 1)).await;
    assert!(matches!(late, Err(NodeError::ParentGone)), "{late:?}");
    let again =
        store.ensure_space(subject.user, (subject.ids.next(), subject.ids.next()), None, subject.now());
    assert_eq!(again.await.unwrap().root, root, "it has not gone yet, so none takes its place");
    // a recount finds nothing wrong with it at any moment
    assert_eq!(subject.recount().await, []);

    // its tombstone stays until its time, as every one
    while !store.purge(root, 2, subject.now(), Timestamp::MIN).await.unwrap().done {
        assert_eq!(subject.recount().await, []);
    }
    store.end_space(subject.space.id, subject.now()).await.unwrap();
    assert_eq!(subject.recount().await, []);
    assert_eq!((subject.usage().await.used_bytes, subject.usage().await.node_count), (0, 0));
    assert_eq!(store.count_nodes().await.unwrap(), 1);
    assert_eq!(store.find_blob(blob).await.unwrap(), None, "no reference is left");
    let later = subject.now() + Duration::from_secs(1);
    assert!(store.list_tombstones(later, 10).await.unwrap().contains(&root));
    let mut steps = 0;
    while !store.purge(root, 100, later, later).await.unwrap().done {
        steps += 1;
        assert!(steps < 100, "a purge ends");
    }
    assert_eq!(store.find_space(subject.space.id).await.unwrap(), None);
    assert!(!store.list_tombstones(Timestamp::MAX, 10).await.unwrap().contains(&root));
    store.release(reservation).await.unwrap();
    store.end_space(subject.space.id, later).await.unwrap();
    // the other one is as it was, and all counters are right
    assert_eq!(subject.node(kept.id).await.unwrap().id, kept.id);
    assert_eq!(subject.recount().await, []);
}
