use std::time::Duration;

use common::files::{Node, NodeError, Trashed};
use common::{FileId, Timestamp};

use super::{FilesSubject, named};

const SECOND: Duration = Duration::from_secs(1);

pub async fn trash_takes_a_node_out_of_its_folder(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let file = subject.file(folder.id, "x", 5).await;
    subject.clock.advance(SECOND);
    let stale = subject.store.trash(folder.id, Some(folder.revision + 1), subject.user, subject.now()).await;
    assert!(matches!(stale, Err(NodeError::Changed)), "{stale:?}");
    let trashed = subject.trash(folder.id).await;
    let expected = Node {
        trashed: Some(Trashed { at: subject.now(), by: subject.user }),
        revision: folder.revision + 1,
        child_count: 1,
        shared: false,
        linked: false,
        ..folder.clone()
    };
    assert_eq!(trashed, expected);
    assert_eq!(subject.node(folder.id).await, Some(expected));
    assert_eq!(subject.node(file.id).await, Some(file), "what is inside does not change");
    assert!(subject.names(subject.root()).await.is_empty());
    assert_eq!(subject.store.find_child(subject.root(), &folder.name).await.unwrap(), None);
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.node_count, usage.trash_count), (5, 2, 1));
    assert_eq!(subject.store.count_nodes().await.unwrap(), 2);
    // its name is free again
    subject.folder(subject.root(), "a").await;
    let root = subject.store.trash(subject.root(), None, subject.user, subject.now()).await;
    assert!(matches!(root, Err(NodeError::Root)), "{root:?}");
}

pub async fn what_lies_in_the_trash_cannot_be_changed(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let inner = subject.folder(folder.id, "b").await;
    let file = subject.file(inner.id, "x", 5).await;
    subject.trash(folder.id).await;
    let (store, now) = (&subject.store, subject.now());
    for (id, name) in [(folder.id, "a"), (inner.id, "b"), (file.id, "x")] {
        let results = [
            store.trash(id, None, subject.user, now).await.map(drop),
            store.relocate(id, None, &named("y"), subject.root(), now).await.map(drop),
            store.relocate(id, None, &named(name), subject.root(), now).await.map(drop),
            store.set_public(id, true, subject.user, now).await.map(drop),
            subject.commit(&subject.update(id, 1, 5)).await.map(drop),
        ];
        for result in results {
            assert!(matches!(result, Err(NodeError::NotFound)), "{name}: {result:?}");
        }
    }
    for id in [inner.id, file.id, subject.root()] {
        let result = store.restore(id, now).await;
        assert!(matches!(result, Err(NodeError::NotTrashed)), "{result:?}");
    }
    assert_eq!(subject.node(file.id).await, Some(file));
}

pub async fn restore_brings_back_to_the_old_place(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let file = subject.file(folder.id, "x", 5).await;
    subject.trash(file.id).await;
    subject.clock.advance(SECOND);
    let restored = subject.store.restore(file.id, subject.now()).await.unwrap();
    assert_eq!(restored, Node { revision: file.revision + 2, ..file.clone() });
    assert_eq!(subject.node(file.id).await, Some(restored));
    assert_eq!(subject.names(folder.id).await, ["x"]);
    assert_eq!(subject.usage().await.trash_count, 0);
    let again = subject.store.restore(file.id, subject.now()).await;
    assert!(matches!(again, Err(NodeError::NotTrashed)), "{again:?}");
    let unknown = subject.store.restore(subject.ids.next(), subject.now()).await;
    assert!(matches!(unknown, Err(NodeError::NotFound)), "{unknown:?}");
}

pub async fn restore_finds_a_free_name(subject: &FilesSubject) {
    let root = subject.root();
    let mut trashed = Vec::new();
    for _ in 0..2 {
        let file = subject.file(root, "a.txt", 1).await;
        trashed.push(subject.trash(file.id).await);
    }
    subject.file(root, "a.txt", 1).await;
    subject.clock.advance(SECOND);
    for (node, name) in trashed.iter().zip(["a (2).txt", "a (3).txt"]) {
        let restored = subject.store.restore(node.id, subject.now()).await.unwrap();
        assert_eq!((restored.name.as_str(), restored.modified_at), (name, subject.now()));
    }
    assert_eq!(subject.names(root).await, ["a (2).txt", "a (3).txt", "a.txt"]);
}

pub async fn the_trash_is_listed_newest_first_in_pages(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "folder").await;
    let mut expected: Vec<(Timestamp, FileId)> = Vec::new();
    for n in 0..7 {
        let parent = if n % 2 == 0 { folder.id } else { subject.root() };
        let file = subject.file(parent, &format!("file {n}"), 1).await;
        subject.trash(file.id).await;
        expected.push((subject.now(), file.id));
        if n % 3 == 0 {
            subject.clock.advance(SECOND);
        }
    }
    expected.sort_unstable();
    expected.reverse();
    let (mut after, mut listed) = (None, Vec::new());
    loop {
        let page = subject.store.list_trash(subject.space.id, after, 3).await.unwrap();
        assert_eq!(page.total, 7);
        listed.extend(page.items.iter().filter_map(|node| Some((node.trashed?.at, node.id))));
        after = listed.last().copied();
        if !page.more {
            break;
        }
        assert_eq!(page.items.len(), 3);
    }
    assert_eq!(listed, expected);
    // what lies inside is not listed by itself, unless it was trashed by itself
    subject.file(folder.id, "inside", 1).await;
    subject.clock.advance(SECOND);
    subject.trash(folder.id).await;
    let page = subject.store.list_trash(subject.space.id, None, 100).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.items[0].id), (8, 8, folder.id));
    let other: common::SpaceId = subject.ids.next();
    assert!(subject.store.list_trash(other, None, 100).await.unwrap().items.is_empty());
    // below a tombstone nothing is in the trash any more
    subject.delete(folder.id).await;
    let page = subject.store.list_trash(subject.space.id, None, 100).await.unwrap();
    assert!(page.items.iter().all(|node| node.parent == Some(subject.root())));
    assert_eq!(
        (page.items.len(), page.total),
        (3, 3),
        "where all of it is listed, what waits for its purge is not counted"
    );
    subject.purged(folder.id).await;
    let page = subject.store.list_trash(subject.space.id, None, 100).await.unwrap();
    assert_eq!((page.items.len(), page.total), (3, 3));
}

pub async fn expired_trash_is_found_by_age(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "folder").await;
    let mut trashed = Vec::new();
    for (n, parent) in [folder.id, subject.root(), subject.root(), subject.root()].into_iter().enumerate() {
        let file = subject.file(parent, &format!("file {n}"), 1).await;
        subject.trash(file.id).await;
        trashed.push((subject.now(), file.id));
        subject.clock.advance(SECOND);
    }
    let (oldest, newest) = (trashed[0].0, trashed[3].0);
    let expired = async |before, limit| subject.store.list_expired_trash(before, limit).await.unwrap();
    assert!(expired(oldest, 10).await.is_empty(), "before is exclusive");
    assert_eq!(expired(newest, 10).await, [trashed[0].1, trashed[1].1, trashed[2].1]);
    assert_eq!(expired(newest, 2).await, [trashed[0].1, trashed[1].1]);
    subject.delete(trashed[1].1).await;
    subject.delete(folder.id).await;
    assert_eq!(expired(subject.now(), 10).await, [trashed[2].1, trashed[3].1]);
}
