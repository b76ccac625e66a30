use std::time::Duration;

use bytes::Bytes;
use common::files::{
    BlobInfo, CollectOutcome, Commit, MediaFacts, NewBlob, NewContent, NewThumbnail, Node, Place,
    ThumbnailInfo, ThumbnailSize, ThumbnailState,
};
use common::{BlobKey, IdGen as _, Timestamp};

use super::FilesSubject;

const DAY: Duration = Duration::from_secs(86_400);

pub async fn small_contents_are_read_back(subject: &FilesSubject) {
    for size in [0, 1, 5_000, 70_000] {
        let commit = subject.upload(subject.root(), &format!("file of {size}"), size);
        subject.commit(&commit).await.unwrap();
        let blob = &commit.content.blob;
        let Place::Inline(bytes) = &blob.place else { panic!("uploads of this suite are inline") };
        assert_eq!(subject.store.read_inline(blob.key).await.unwrap().as_ref(), Some(bytes));
        let info = BlobInfo { key: blob.key, size: blob.size, sha256: blob.sha256, inline: true };
        assert_eq!(subject.store.find_blob(blob.key).await.unwrap(), Some(info));
    }
    let elsewhere = in_blob_store(subject, "elsewhere");
    subject.commit(&elsewhere).await.unwrap();
    let key = elsewhere.content.blob.key;
    assert_eq!(subject.store.read_inline(key).await.unwrap(), None);
    assert!(!subject.store.find_blob(key).await.unwrap().unwrap().inline);
    assert_eq!(subject.store.read_inline(subject.ids.blob_key()).await.unwrap(), None);
    assert_eq!(subject.store.find_blob(subject.ids.blob_key()).await.unwrap(), None);
}

pub async fn many_small_contents_are_read_back_in_the_order_that_was_asked_for(subject: &FilesSubject) {
    let store = &subject.store;
    let mut kept = Vec::new();
    for size in [0, 1, 700, 5_000] {
        let commit = subject.upload(subject.root(), &format!("file of {size}"), size);
        subject.commit(&commit).await.unwrap();
        let Place::Inline(bytes) = commit.content.blob.place else {
            panic!("uploads of this suite are inline")
        };
        kept.push((commit.content.blob.key, bytes));
    }
    let elsewhere = in_blob_store(subject, "elsewhere");
    subject.commit(&elsewhere).await.unwrap();
    let (elsewhere, unknown) = (elsewhere.content.blob.key, subject.ids.blob_key());
    assert!(store.read_inline_many(&[]).await.unwrap().is_empty());
    assert_eq!(store.read_inline_many(&[unknown, elsewhere]).await.unwrap(), [None::<Bytes>, None]);
    // neither in the order of the keys nor in that of the uploads, and one of them twice
    let asked = [Some(2), None, Some(0), Some(3), Some(2), None, Some(1)];
    let keys: Vec<BlobKey> = asked.iter().map(|at| at.map_or(elsewhere, |at: usize| kept[at].0)).collect();
    let expected: Vec<Option<Bytes>> = asked.iter().map(|at| at.map(|at| kept[at].1.clone())).collect();
    assert_eq!(store.read_inline_many(&keys).await.unwrap(), expected);
    // as many as may be asked for
    let all: Vec<BlobKey> = kept.iter().map(|(key, _)| *key).cycle().take(1_000).collect();
    let found = store.read_inline_many(&all).await.unwrap();
    assert_eq!(found.len(), all.len());
    assert!(found.iter().zip(kept.iter().cycle()).all(|(found, (_, bytes))| found.as_ref() == Some(bytes)));
}

fn in_blob_store(subject: &FilesSubject, name: &str) -> Commit {
    let mut commit = subject.upload(subject.root(), name, 10);
    commit.content.blob.place = Place::Blob;
    commit
}

async fn condemned(subject: &FilesSubject, before: Timestamp) -> Vec<BlobKey> {
    let page = subject.store.list_condemned(before, 100).await.unwrap();
    assert!(!page.more);
    page.blobs.into_iter().map(|blob| blob.key).collect()
}

pub async fn a_blob_is_condemned_when_its_last_reference_goes(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 5).await;
    let old = file.content.unwrap().blob;
    let update = subject.update(file.id, 6, 1);
    subject.commit(&update).await.unwrap();
    let current = update.content.blob.key;
    subject.clock.advance(DAY);
    assert!(condemned(subject, subject.now()).await.is_empty());
    subject.delete(file.id).await;
    assert!(condemned(subject, subject.now()).await.is_empty(), "the purge gives references back");
    subject.purged(file.id).await;
    assert!(condemned(subject, subject.now()).await.is_empty(), "before is exclusive");
    subject.clock.advance(Duration::from_millis(1));
    let mut keys = condemned(subject, subject.now()).await;
    keys.sort_unstable();
    assert_eq!(keys, [old, current]);
    let page = subject.store.list_condemned(subject.now(), 1).await.unwrap();
    assert_eq!((page.blobs.len(), page.more, page.blobs[0].inline), (1, true, true));
    for key in keys {
        assert_eq!(subject.store.find_blob(key).await.unwrap(), None, "it may not be taken any more");
        assert_eq!(subject.store.known_blobs(&[key]).await.unwrap(), [key]);
    }
}

pub async fn a_condemned_blob_is_collected_when_its_time_has_come(subject: &FilesSubject) {
    let (store, start) = (&subject.store, subject.now());
    let commit = subject.upload(subject.root(), "a", 5);
    let file = subject.commit(&commit).await.unwrap().node;
    let key = commit.content.blob.key;
    let collect = async |key, before| store.collect_blob(key, before, subject.now()).await.unwrap();
    assert_eq!(collect(key, start + DAY).await, CollectOutcome::Kept, "it is live");
    subject.delete(file.id).await;
    subject.purged(file.id).await;
    assert_eq!(collect(key, start).await, CollectOutcome::Kept, "it was condemned after that");
    subject.clock.advance(DAY);
    assert_eq!(collect(key, subject.now()).await, CollectOutcome::Removed);
    assert_eq!(collect(key, subject.now()).await, CollectOutcome::Kept, "unknown now");
    assert_eq!(store.read_inline(key).await.unwrap(), None);
    assert!(store.known_blobs(&[key, subject.ids.blob_key()]).await.unwrap().is_empty());
    assert!(condemned(subject, subject.now() + DAY).await.is_empty());
}

fn thumbnail(subject: &FilesSubject, pixels: u32) -> NewThumbnail {
    let bytes = Bytes::from(vec![7; pixels as usize]);
    NewThumbnail {
        size: ThumbnailSize::of(pixels).unwrap(),
        blob: NewBlob { place: Place::Inline(bytes), size: u64::from(pixels), ..subject.content(1).blob },
        mime: "image/jpeg".to_owned(),
    }
}

async fn picture(subject: &FilesSubject, name: &str) -> Node {
    let upload = subject.upload(subject.root(), name, 9);
    let content =
        NewContent { thumbnails: ThumbnailState::Pending, mime: "image/png".to_owned(), ..upload.content };
    subject.commit(&Commit { content, ..upload }).await.unwrap().node
}

pub async fn thumbnails_are_kept_once_and_go_with_their_original(subject: &FilesSubject) {
    let (store, start) = (&subject.store, subject.now());
    let file = picture(subject, "a.png").await;
    let original = file.content.as_ref().unwrap().blob;
    let thumbnails = [thumbnail(subject, 100), thumbnail(subject, 500)];
    let media = Some(MediaFacts {
        taken_at: Some("2024-02-29T23:59:59+05:45".to_owned()),
        camera: Some("Hasenblad äöü 500".to_owned()),
        ..MediaFacts::of_size(4000, 3000)
    });
    assert!(store.keep_thumbnails(original, media.clone(), &thumbnails, start).await.unwrap());
    let node = subject.node(file.id).await.unwrap();
    assert_ne!(node.etag(), file.etag(), "the state is part of the tag");
    let content = node.content.unwrap();
    assert_eq!((content.thumbnails, content.media), (ThumbnailState::Ready, media));
    for kept in &thumbnails {
        let blob =
            BlobInfo { key: kept.blob.key, size: kept.blob.size, sha256: kept.blob.sha256, inline: true };
        let info = ThumbnailInfo { size: kept.size, blob: blob.clone(), mime: "image/jpeg".to_owned() };
        assert_eq!(store.find_thumbnail(original, kept.size).await.unwrap(), Some(info));
        assert_eq!(store.find_blob(kept.blob.key).await.unwrap(), Some(blob));
        assert_eq!(store.read_inline(kept.blob.key).await.unwrap().unwrap().len() as u64, kept.blob.size);
    }
    let missing = ThumbnailSize::of(250).unwrap();
    assert_eq!(store.find_thumbnail(original, missing).await.unwrap(), None);
    assert_eq!(subject.usage().await.used_bytes, 9, "they count towards no quota");

    let second = [thumbnail(subject, 250)];
    assert!(!store.keep_thumbnails(original, None, &second, start).await.unwrap(), "it has some already");
    assert!(store.known_blobs(&[second[0].blob.key]).await.unwrap().is_empty());
    assert!(!store.keep_thumbnails(subject.ids.blob_key(), None, &second, start).await.unwrap());

    subject.delete(file.id).await;
    subject.purged(file.id).await;
    assert!(!store.keep_thumbnails(original, None, &second, start).await.unwrap(), "it is not live any more");
    subject.clock.advance(DAY);
    let key = thumbnails[0].blob.key;
    assert_eq!(store.collect_blob(key, subject.now(), subject.now()).await.unwrap(), CollectOutcome::Kept);
    assert_eq!(
        store.collect_blob(original, subject.now(), subject.now()).await.unwrap(),
        CollectOutcome::Removed
    );
    assert_eq!(store.find_thumbnail(original, thumbnails[0].size).await.unwrap(), None);
    subject.clock.advance(DAY);
    let mut left = condemned(subject, subject.now()).await;
    left.sort_unstable();
    assert_eq!(left, [thumbnails[0].blob.key, thumbnails[1].blob.key]);
    for key in left {
        assert_eq!(
            store.collect_blob(key, subject.now(), subject.now()).await.unwrap(),
            CollectOutcome::Removed
        );
    }
}

pub async fn facts_of_a_content_are_kept_while_it_is_live(subject: &FilesSubject) {
    let store = &subject.store;
    let file = subject.file(subject.root(), "a.mp4", 9).await;
    let key = file.content.as_ref().unwrap().blob;
    assert_eq!(file.content.as_ref().unwrap().media, None);
    let film = MediaFacts { duration_ms: Some(3_600_000), ..MediaFacts::of_size(320, 240) };
    let sound = MediaFacts { duration_ms: Some(0), ..MediaFacts::default() };
    for facts in [&film, &film, &sound] {
        assert!(store.keep_media(key, facts).await.unwrap());
        let node = subject.node(file.id).await.unwrap();
        assert_ne!(node.etag(), file.etag());
        let content = node.content.unwrap();
        assert_eq!((content.media.as_ref(), content.thumbnails), (Some(facts), ThumbnailState::None));
    }
    assert!(store.keep_media(key, &MediaFacts::default()).await.unwrap());
    assert_eq!(subject.node(file.id).await.unwrap(), file, "nothing is known");
    assert!(!store.keep_media(subject.ids.blob_key(), &film).await.unwrap());
    subject.delete(file.id).await;
    subject.purged(file.id).await;
    assert!(!store.keep_media(key, &film).await.unwrap(), "it is not live any more");
}

pub async fn thumbnails_fail_only_while_they_are_pending(subject: &FilesSubject) {
    let store = &subject.store;
    let state = async |node: &Node| {
        let content = subject.node(node.id).await.unwrap().content.unwrap();
        (content.thumbnails, content.thumbnails_reason)
    };
    let (broken, plain) = (picture(subject, "a.png").await, subject.file(subject.root(), "b.txt", 1).await);
    let key = |node: &Node| node.content.as_ref().unwrap().blob;
    assert!(store.fail_thumbnails(key(&broken), "not a picture").await.unwrap());
    assert_eq!(state(&broken).await, (ThumbnailState::Failed, Some("not a picture".to_owned())));
    assert!(!store.fail_thumbnails(key(&broken), "again").await.unwrap());
    assert!(!store.fail_thumbnails(key(&plain), "none").await.unwrap());
    assert!(!store.fail_thumbnails(subject.ids.blob_key(), "unknown").await.unwrap());
    assert_eq!(state(&plain).await, (ThumbnailState::None, None));
    // a later attempt that succeeds counts
    assert!(
        store.keep_thumbnails(key(&broken), None, &[thumbnail(subject, 100)], subject.now()).await.unwrap()
    );
    assert_eq!(state(&broken).await, (ThumbnailState::Ready, None));
    // a worker comes too late
    let late = picture(subject, "late.png").await;
    subject.delete(late.id).await;
    subject.purged(late.id).await;
    let thumbnails = [thumbnail(subject, 100)];
    assert!(
        !store.keep_thumbnails(key(&late), None, &thumbnails, subject.now()).await.unwrap(),
        "it is condemned"
    );
    assert!(store.known_blobs(&[thumbnails[0].blob.key]).await.unwrap().is_empty());
    // two workers bring thumbnails of one picture
    let file = picture(subject, "c.png").await;
    let tries = (0..10).map(|_| {
        let (original, thumbnails) = (key(&file), [thumbnail(subject, 100)]);
        async move { store.keep_thumbnails(original, None, &thumbnails, subject.now()).await.unwrap() }
    });
    let kept = futures_util::future::join_all(tries).await;
    assert_eq!(kept.into_iter().filter(|kept| *kept).count(), 1);
    assert_eq!(state(&file).await.0, ThumbnailState::Ready);
}

pub async fn a_job_gets_the_content_that_it_was_made_for(subject: &FilesSubject) {
    let store = &subject.store;
    let file = picture(subject, "a.png").await;
    let first = file.content.clone().unwrap();
    assert_eq!(store.find_content_of_job(file.id, first.blob).await.unwrap(), Some(first.clone()));
    assert_eq!(store.find_content_of_job(file.id, subject.ids.blob_key()).await.unwrap(), None);
    assert_eq!(store.find_content_of_job(subject.root(), first.blob).await.unwrap(), None);
    subject.trash(file.id).await;
    assert!(store.find_content_of_job(file.id, first.blob).await.unwrap().is_some(), "it can come back");
    store.restore(file.id, subject.now()).await.unwrap();
    let second = subject.commit(&subject.update(file.id, 3, 5)).await.unwrap().node.content.unwrap();
    assert_eq!(store.find_content_of_job(file.id, first.blob).await.unwrap(), None, "it has another now");
    assert_eq!(store.find_content_of_job(file.id, second.blob).await.unwrap(), Some(second.clone()));
    subject.delete(file.id).await;
    assert_eq!(store.find_content_of_job(file.id, second.blob).await.unwrap(), None);
}
