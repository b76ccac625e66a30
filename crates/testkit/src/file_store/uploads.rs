use std::time::Duration;

use common::files::{
    ClassicType, Commit, CommitTarget, Content, Kind, NewContent, NewFile, NodeError, ThumbnailState,
};
use common::{FileId, Timestamp};

use super::{FilesSubject, named};
use crate::outbox::job;

pub async fn an_upload_makes_a_file_with_its_content(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let modified_at = Timestamp::from_millis(1234);
    let id: FileId = subject.ids.next();
    let commit = Commit {
        target: CommitTarget::New(NewFile {
            id,
            parent: folder.id,
            name: named("x.txt"),
            rename_if_taken: false,
            classic_type: Some(ClassicType::Image),
            public: true,
            tags: Vec::new(),
        }),
        content: NewContent {
            mime: "image/png".to_owned(),
            modified_at,
            thumbnails: ThumbnailState::Pending,
            ..subject.content(10)
        },
        ..subject.upload(folder.id, "unused", 10)
    };
    let committed = subject.commit(&commit).await.unwrap();
    assert!(committed.created);
    let node = committed.node;
    assert_eq!(subject.node(id).await.as_ref(), Some(&node));
    assert_eq!((node.id, node.kind, node.parent), (id, Kind::File, Some(folder.id)));
    assert_eq!((node.created_at, node.modified_at), (subject.now(), subject.now()));
    assert_eq!((node.name.as_str(), node.classic_type), ("x.txt", Some(ClassicType::Image)));
    assert_eq!(node.public.map(|public| public.by), Some(subject.user));
    let content = Content {
        version: 1,
        blob: commit.content.blob.key,
        size: 10,
        sha256: commit.content.blob.sha256,
        crc32: commit.content.blob.crc32,
        mime: "image/png".to_owned(),
        modified_at,
        media: None,
        thumbnails: ThumbnailState::Pending,
        thumbnails_reason: None,
    };
    assert_eq!(node.content, Some(content));
    assert_eq!(subject.node(folder.id).await.unwrap().child_count, 1);
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.node_count, usage.reserved_bytes), (10, 2, 0));
    assert_eq!(subject.store.count_nodes().await.unwrap(), 2);
}

pub async fn an_upload_brings_its_jobs_or_none(subject: &FilesSubject) {
    let jobs =
        vec![job(&subject.ids, "thumbnails", subject.now()), job(&subject.ids, "index", subject.now())];
    let upload = |name| Commit { jobs: jobs.clone(), ..subject.upload(subject.root(), name, 1) };
    let committed = subject.commit(&upload("a")).await.unwrap();
    assert_eq!(subject.outbox_jobs().await, jobs);
    let refused = Commit { jobs: vec![job(&subject.ids, "other", subject.now())], ..upload("a") };
    subject.commit(&refused).await.unwrap_err();
    let purge = vec![job(&subject.ids, "purge", subject.now())];
    subject.store.delete(committed.node.id, None, None, subject.now(), &purge).await.unwrap();
    subject.store.delete(committed.node.id, None, None, subject.now(), &refused.jobs).await.unwrap_err();
    assert_eq!(subject.outbox_jobs().await, purge);
    assert_eq!(subject.outbox.depth().await.unwrap(), 3);
}

pub async fn a_failed_upload_leaves_nothing(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 3).await;
    let before = (subject.usage().await, subject.store.count_nodes().await.unwrap());
    let taken = subject.upload(subject.root(), "a", 50);
    subject.commit(&taken).await.unwrap_err();
    let stale = Commit {
        target: CommitTarget::Existing { id: file.id, revision: Some(file.revision + 1), keep_versions: 5 },
        ..subject.upload(subject.root(), "a", 50)
    };
    subject.commit(&stale).await.unwrap_err();
    for commit in [&taken, &stale] {
        let key = commit.content.blob.key;
        assert_eq!(subject.store.find_blob(key).await.unwrap(), None);
        assert_eq!(subject.store.read_inline(key).await.unwrap(), None);
        assert!(subject.store.known_blobs(&[key]).await.unwrap().is_empty());
    }
    assert_eq!((subject.usage().await, subject.store.count_nodes().await.unwrap()), before);
    assert_eq!(subject.node(file.id).await, Some(file));
}

pub async fn new_content_keeps_the_old_as_a_version(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 3).await;
    subject.clock.advance(Duration::from_secs(1));
    let update = subject.update(file.id, 5, 10);
    let committed = subject.commit(&update).await.unwrap();
    assert!(!committed.created);
    let node = committed.node;
    assert_eq!(subject.node(file.id).await.as_ref(), Some(&node));
    assert_eq!((node.revision, node.modified_at), (file.revision + 1, subject.now()));
    assert_eq!((node.created_at, &node.name), (file.created_at, &file.name));
    let content = node.content.unwrap();
    assert_eq!((content.version, content.size, content.blob), (2, 5, update.content.blob.key));
    assert_eq!(subject.usage().await.used_bytes, 8, "old versions count");
    let old = file.content.unwrap().blob;
    assert!(subject.store.find_blob(old).await.unwrap().is_some(), "the version holds it");
    assert_eq!(subject.usage().await.node_count, 1);
}

pub async fn new_content_checks_the_revision(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 3).await;
    let folder = subject.folder(subject.root(), "b").await;
    let update = |id, revision| Commit {
        target: CommitTarget::Existing { id, revision, keep_versions: 5 },
        ..subject.upload(subject.root(), "unused", 5)
    };
    let stale = subject.commit(&update(file.id, Some(file.revision + 1))).await;
    assert!(matches!(stale, Err(NodeError::Changed)), "{stale:?}");
    let folder = subject.commit(&update(folder.id, None)).await;
    assert!(matches!(folder, Err(NodeError::NotAFile)), "{folder:?}");
    let unknown = subject.commit(&update(subject.ids.next(), None)).await;
    assert!(matches!(unknown, Err(NodeError::NotFound)), "{unknown:?}");
    subject.commit(&update(file.id, Some(file.revision))).await.unwrap();
    let again = subject.commit(&update(file.id, Some(file.revision))).await;
    assert!(matches!(again, Err(NodeError::Changed)), "{again:?}");
}

pub async fn old_versions_are_given_up_beyond_the_limit(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 1).await;
    let mut keys = vec![file.content.unwrap().blob];
    for size in [2, 4, 8] {
        let update = subject.update(file.id, size, 2);
        keys.push(update.content.blob.key);
        subject.commit(&update).await.unwrap();
    }
    assert_eq!(subject.usage().await.used_bytes, 2 + 4 + 8);
    assert_eq!(subject.store.find_blob(keys[0]).await.unwrap(), None, "condemned");
    assert!(subject.store.find_blob(keys[1]).await.unwrap().is_some());
    let update = subject.update(file.id, 16, 0);
    let node = subject.commit(&update).await.unwrap().node;
    assert_eq!(node.content.unwrap().version, 5);
    assert_eq!(subject.usage().await.used_bytes, 16);
    for key in keys {
        assert_eq!(subject.store.find_blob(key).await.unwrap(), None);
    }
}

pub async fn of_simultaneous_updates_of_one_revision_one_succeeds(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 1).await;
    let updates = (0..20).map(|_| {
        let commit = Commit {
            target: CommitTarget::Existing { id: file.id, revision: Some(file.revision), keep_versions: 5 },
            ..subject.upload(subject.root(), "unused", 7)
        };
        async move { subject.commit(&commit).await }
    });
    let results = futures_util::future::join_all(updates).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(NodeError::Changed))));
    assert_eq!(subject.usage().await.used_bytes, 8);
}
