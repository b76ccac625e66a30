use std::time::Duration;

use common::files::{MAX_DEPTH, NodeError};
use common::{FileId, Timestamp};

use super::FilesSubject;

pub async fn a_deleted_node_and_all_below_is_gone_at_once(subject: &FilesSubject) {
    let (store, now) = (&subject.store, subject.now());
    let folder = subject.folder(subject.root(), "a").await;
    let inner = subject.folder(folder.id, "b").await;
    let file = subject.file(inner.id, "x", 5).await;
    let trashed = subject.file(inner.id, "y", 5).await;
    subject.trash(trashed.id).await;
    let stale = store.delete(folder.id, Some(folder.revision + 1), None, now, &[]).await;
    assert!(matches!(stale, Err(NodeError::Changed)), "{stale:?}");
    let root = store.delete(subject.root(), None, None, now, &[]).await;
    assert!(matches!(root, Err(NodeError::Root)), "{root:?}");
    store.delete(folder.id, Some(folder.revision), None, now, &[]).await.unwrap();
    for id in [folder.id, inner.id, file.id, trashed.id] {
        assert_eq!(subject.node(id).await, None);
        let results = [
            store.trash(id, None, subject.user, now).await.map(drop),
            store.restore(id, now).await.map(drop),
            store.relocate(id, None, &file.name, subject.root(), now).await.map(drop),
            store.set_public(id, false, subject.user, subject.now()).await.map(drop),
            store.delete(id, None, None, now, &[]).await,
            subject.commit(&subject.update(id, 1, 5)).await.map(drop),
        ];
        for result in results {
            assert!(matches!(result, Err(NodeError::NotFound)), "{result:?}");
        }
    }
    assert!(subject.names(inner.id).await.is_empty());
    assert!(store.list_children_by_id(inner.id, 0, 10).await.unwrap().is_empty());
    assert_eq!(store.find_child(inner.id, &file.name).await.unwrap(), None);
    let blob = file.content.unwrap().blob;
    assert_eq!(store.find_content_of_job(file.id, blob).await.unwrap(), None);
    assert!(subject.names(subject.root()).await.is_empty());
    // the name is free again
    subject.folder(subject.root(), "a").await;
}

pub async fn nothing_gets_below_a_tombstone(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let inner = subject.folder(folder.id, "b").await;
    let file = subject.file(subject.root(), "x", 5).await;
    subject.delete(folder.id).await;
    for parent in [folder.id, inner.id] {
        let results = [
            subject.commit(&subject.upload(parent, "y", 1)).await.map(drop),
            subject.store.create_folder(&subject.new_folder(parent, "y")).await.map(drop),
            subject.move_to(&file, parent).await.map(drop),
        ];
        for result in results {
            assert!(matches!(result, Err(NodeError::ParentGone)), "{result:?}");
        }
    }
    assert_eq!(subject.purged(folder.id).await, 0);
    assert_eq!(subject.usage().await.used_bytes, 5);
    // uploads that run at the same time get in before it or not at all
    for round in 0..5 {
        let folder = subject.folder(subject.root(), &format!("round {round}")).await;
        let inner = subject.folder(folder.id, "b").await;
        let uploads = (0..10).map(|n| {
            let commit = subject.upload(inner.id, &format!("file {n}"), 1);
            async move { subject.commit(&commit).await }
        });
        let (results, ()) = tokio::join!(futures_util::future::join_all(uploads), subject.delete(folder.id));
        assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(NodeError::ParentGone))));
        let made = results.iter().filter(|result| result.is_ok()).count() as u64;
        assert_eq!(subject.purged(folder.id).await, made);
    }
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.node_count), (5, 1));
}

pub async fn a_purge_gives_everything_back_in_steps(subject: &FilesSubject) {
    let top = subject.folder(subject.root(), "top").await;
    let mut keys = Vec::new();
    let mut rows = 0;
    for n in 0..4 {
        let folder = subject.folder(top.id, &format!("folder {n}")).await;
        for m in 0..6 {
            let file = subject.file(folder.id, &format!("file {m}"), 10).await;
            keys.push(file.content.as_ref().unwrap().blob);
            if m == 0 {
                subject.commit(&subject.update(file.id, 5, 9)).await.unwrap();
            } else if m == 1 {
                subject.trash(file.id).await;
            } else if m == 2 {
                subject.delete(file.id).await;
            }
            rows += 1;
        }
        rows += 1;
    }
    let mut parent = top.id;
    for level in 0..MAX_DEPTH - 2 {
        parent = subject.folder(parent, &format!("level {level}")).await.id;
        rows += 1;
    }
    let keep = subject.file(subject.root(), "keep", 1).await;
    subject.delete(top.id).await;
    let usage = subject.usage().await;
    assert_eq!(usage.used_bytes, 4 * 6 * 10 + 4 * 5 + 1, "the space is given back by the purge");
    let (mut removed, mut freed, mut used) = (0, 0, usage.used_bytes);
    loop {
        let step = subject.store.purge(top.id, 7, subject.now(), Timestamp::MIN).await.unwrap();
        assert!(step.removed <= 7, "{step:?}");
        removed += step.removed;
        freed += step.freed_bytes;
        used -= step.freed_bytes;
        assert_eq!(subject.usage().await.used_bytes, used, "each step gives back what it says");
        if step.done {
            break;
        }
        assert!(step.removed > 0, "each step comes forward");
    }
    assert_eq!((removed, freed), (rows, 4 * 6 * 10 + 4 * 5));
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.node_count, usage.trash_count), (1, 1, 0));
    assert_eq!(subject.store.count_nodes().await.unwrap(), 1);
    for key in keys {
        assert_eq!(subject.store.find_blob(key).await.unwrap(), None, "its references went");
    }
    assert_eq!(subject.node(keep.id).await, Some(keep));
}

pub async fn a_purge_keeps_the_tombstone_until_its_time(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 7).await;
    let start = subject.now();
    subject.delete(file.id).await;
    subject.clock.advance(Duration::from_secs(60));
    let listed = async |before| subject.store.list_tombstones(before, 10).await.unwrap();
    assert!(listed(start).await.is_empty(), "before is exclusive");
    assert_eq!(listed(subject.now()).await, [file.id]);
    let step = subject.store.purge(file.id, 10, subject.now(), start).await.unwrap();
    assert_eq!(
        (step.done, step.removed, step.freed_bytes),
        (true, 0, 7),
        "its own bytes go with the first walk"
    );
    assert_eq!(subject.usage().await.used_bytes, 0);
    assert_eq!(listed(subject.now()).await, [file.id]);
    let step = subject.store.purge(file.id, 10, subject.now(), subject.now()).await.unwrap();
    assert_eq!((step.done, step.removed, step.freed_bytes), (true, 1, 0));
    assert!(listed(subject.now()).await.is_empty());
    let step = subject.store.purge(file.id, 10, subject.now(), subject.now()).await.unwrap();
    assert_eq!((step.done, step.removed, step.freed_bytes), (true, 0, 0), "safe to repeat");
    let usage = subject.usage().await;
    assert_eq!((usage.node_count, subject.store.count_nodes().await.unwrap()), (0, 0));
    // pages of tombstones, oldest first
    let mut ids: Vec<FileId> = Vec::new();
    for n in 0..3 {
        let folder = subject.folder(subject.root(), &format!("folder {n}")).await;
        subject.delete(folder.id).await;
        subject.clock.advance(Duration::from_secs(1));
        ids.push(folder.id);
    }
    assert_eq!(subject.store.list_tombstones(subject.now(), 2).await.unwrap(), ids[..2]);
}

pub async fn two_purges_at_once_count_once(subject: &FilesSubject) {
    let top = subject.folder(subject.root(), "top").await;
    for n in 0..30 {
        subject.file(top.id, &format!("file {n}"), 3).await;
    }
    subject.delete(top.id).await;
    let purge = async || {
        let mut freed = 0;
        loop {
            let step = subject.store.purge(top.id, 4, subject.now(), Timestamp::MIN).await.unwrap();
            freed += step.freed_bytes;
            if step.done {
                return freed;
            }
        }
    };
    let (first, second, third) = tokio::join!(purge(), purge(), purge());
    assert_eq!(first + second + third, 90);
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.node_count), (0, 0));
}

pub async fn a_purge_leaves_living_nodes_alone(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let file = subject.file(folder.id, "x", 5).await;
    for id in [folder.id, file.id, subject.root()] {
        let step = subject.store.purge(id, 100, subject.now(), Timestamp::MAX).await.unwrap();
        assert_eq!((step.done, step.removed, step.freed_bytes), (true, 0, 0));
    }
    subject.trash(folder.id).await;
    let step = subject.store.purge(folder.id, 100, subject.now(), Timestamp::MAX).await.unwrap();
    assert_eq!(step.removed, 0);
    assert_eq!(subject.node(file.id).await, Some(file));
}

pub async fn deleting_twice_is_not_found(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 7).await;
    subject.trash(file.id).await;
    let deletes = (0..10).map(|_| subject.store.delete(file.id, None, None, subject.now(), &[]));
    let results = futures_util::future::join_all(deletes).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(NodeError::NotFound))));
    let usage = subject.usage().await;
    assert_eq!((usage.node_count, usage.trash_count), (0, 0));
    assert_eq!(subject.store.count_nodes().await.unwrap(), 0);
}
