use std::time::Duration;

use common::files::{BlobRecord, Miscount, NewThumbnail, RecountPlace, ThumbnailSize};
use common::{BlobKey, IdGen as _, ReservationId, Timestamp};
use tokio::sync::watch;

use super::FilesSubject;

impl FilesSubject {
    /// All steps of a recount; what was wrong.
    pub async fn recount(&self) -> Vec<Miscount> {
        let (mut place, mut found) = (RecountPlace::START, Vec::new());
        for _ in 0..1000 {
            let step = self.store.recount(place, self.now()).await.expect("a recount step works");
            found.extend(step.found);
            match step.next {
                Some(next) => place = next,
                None => return found,
            }
        }
        panic!("a recount ends");
    }

    /// Makes something of every kind that is counted: folders, files with old versions, trash, tombstones that were purged in part, thumbnails, a
    /// reservation.
    pub async fn grow(&self) {
        let top = self.folder(self.root(), "top").await;
        let inner = self.folder(top.id, "inner").await;
        for number in 0..6 {
            let file = self.file(inner.id, &format!("file {number}"), 10 + number).await;
            for size in 0..number {
                self.commit(&self.update(file.id, size, 2)).await.expect("new content is taken");
            }
        }
        let thrown = self.folder(top.id, "thrown").await;
        self.file(thrown.id, "inside", 7).await;
        self.trash(thrown.id).await;
        let file = self.file(top.id, "thrown too", 8).await;
        self.trash(file.id).await;
        let doomed = self.folder(top.id, "doomed").await;
        let below = self.folder(doomed.id, "below").await;
        for number in 0..5 {
            self.file(below.id, &number.to_string(), 3).await;
        }
        let file = self.file(doomed.id, "trash below a tombstone", 3).await;
        self.trash(file.id).await;
        self.delete(doomed.id).await;
        self.store.purge(doomed.id, 2, self.now(), Timestamp::MIN).await.expect("a purge step works");
        let picture = self.file(top.id, "picture", 9).await;
        let thumbnail = NewThumbnail {
            size: ThumbnailSize::ALL[0],
            blob: self.content(5).blob,
            mime: "image/png".to_owned(),
        };
        let original = picture.content.expect("a file has content").blob;
        assert!(
            self.store.keep_thumbnails(original, None, &[thumbnail], self.now()).await.expect("it is live")
        );
        let until = self.now() + Duration::from_secs(60);
        let reservation: ReservationId = self.ids.next();
        self.store.reserve(self.space.id, reservation, 11, until).await.expect("there is room");
    }
}

async fn all_blobs(subject: &FilesSubject, page: u32) -> Vec<BlobRecord> {
    let mut all = Vec::<BlobRecord>::new();
    loop {
        let after = all.last().map(|blob| blob.info.key);
        let found = subject.store.list_blobs(after, page).await.unwrap();
        assert!(found.len() <= page as usize);
        if found.is_empty() {
            return all;
        }
        all.extend(found);
    }
}

pub async fn live_blobs_are_listed_by_key_and_marked(subject: &FilesSubject) {
    let mut expected = Vec::new();
    for number in 0..7 {
        let commit = subject.upload(subject.root(), &number.to_string(), number);
        subject.commit(&commit).await.unwrap();
        expected.push(commit.content.blob);
    }
    expected.sort_by_key(|blob| blob.key);
    let listed = all_blobs(subject, 3).await;
    assert_eq!(listed.len(), expected.len());
    for (listed, expected) in listed.iter().zip(&expected) {
        assert_eq!(
            (
                listed.info.key,
                listed.info.size,
                listed.info.sha256,
                listed.info.inline,
                listed.crc32,
                listed.damaged_at
            ),
            (expected.key, expected.size, expected.sha256, true, expected.crc32, None)
        );
    }
    let (store, key, at) = (&subject.store, expected[3].key, subject.now());
    let damaged = async || -> Vec<(BlobKey, Timestamp)> {
        let all = all_blobs(subject, 100).await;
        all.into_iter().filter_map(|blob| Some((blob.info.key, blob.damaged_at?))).collect()
    };
    assert!(!store.mark_damaged(key, None).await.unwrap(), "it is good already");
    assert!(store.mark_damaged(key, Some(at)).await.unwrap());
    assert!(
        !store.mark_damaged(key, Some(at + Duration::from_secs(1))).await.unwrap(),
        "the first time stays"
    );
    assert_eq!(damaged().await, [(key, at)]);
    assert!(store.find_blob(key).await.unwrap().is_some(), "nothing else is done to it");
    assert!(store.mark_damaged(key, None).await.unwrap());
    assert!(damaged().await.is_empty());
    assert!(!store.mark_damaged(subject.ids.blob_key(), Some(at)).await.unwrap(), "unknown");

    let file = store.files_of_blob(key, 10).await.unwrap()[0];
    subject.delete(file).await;
    subject.purged(file).await;
    assert!(!store.mark_damaged(key, Some(at)).await.unwrap(), "it is not live any more");
    assert!(all_blobs(subject, 4).await.iter().all(|blob| blob.info.key != key));
}

pub async fn the_files_of_a_blob_are_found(subject: &FilesSubject) {
    let store = &subject.store;
    let file = subject.file(subject.root(), "a", 5).await;
    let former = file.content.unwrap().blob;
    assert_eq!(store.files_of_blob(former, 10).await.unwrap(), [file.id]);
    let update = subject.update(file.id, 6, 1);
    subject.commit(&update).await.unwrap();
    let current = update.content.blob.key;
    let thumbnail = NewThumbnail {
        size: ThumbnailSize::ALL[1],
        blob: subject.content(4).blob,
        mime: "image/png".to_owned(),
    };
    let small = thumbnail.blob.key;
    assert!(store.keep_thumbnails(current, None, &[thumbnail], subject.now()).await.unwrap());
    for key in [former, current, small] {
        assert_eq!(store.files_of_blob(key, 10).await.unwrap(), [file.id]);
        assert!(store.files_of_blob(key, 0).await.unwrap().is_empty());
    }
    assert!(store.files_of_blob(subject.ids.blob_key(), 10).await.unwrap().is_empty());
    subject.delete(file.id).await;
    for key in [former, current, small] {
        assert!(store.files_of_blob(key, 10).await.unwrap().is_empty());
    }
}

pub async fn a_recount_of_what_is_right_finds_nothing(subject: &FilesSubject) {
    assert_eq!(subject.recount().await, []);
    subject.grow().await;
    let before = subject.usage().await;
    assert_eq!(subject.recount().await, []);
    assert_eq!(subject.usage().await, before);
}

/// Whatever is uploaded, moved, trashed and purged meanwhile is no miscount, and is counted.
pub async fn a_recount_while_the_tree_changes_finds_nothing(subject: &FilesSubject) {
    subject.grow().await;
    let (done, is_done) = watch::channel(false);
    let changes = async {
        for number in 0..30 {
            let folder = subject.folder(subject.root(), &format!("f{number}")).await;
            let file = subject.file(folder.id, "a", 10).await;
            subject.commit(&subject.update(file.id, 20, 1)).await.unwrap();
            let other = subject.file(subject.root(), &format!("g{number}"), 5).await;
            subject.move_to(&other, folder.id).await.unwrap();
            subject.trash(other.id).await;
            if number % 3 == 0 {
                subject.delete(folder.id).await;
                subject.store.purge(folder.id, 2, subject.now(), Timestamp::MIN).await.unwrap();
            }
        }
        done.send_replace(true);
    };
    let recounts = async {
        let mut times = 0;
        while !*is_done.borrow() {
            assert_eq!(subject.recount().await, []);
            times += 1;
        }
        assert!(times > 0);
    };
    tokio::join!(changes, recounts);
    assert_eq!(subject.recount().await, []);
}
