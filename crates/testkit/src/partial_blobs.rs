//! The contract of [`common::files::PartialBlobs`], which every adapter runs.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use common::digest::Hasher;
use common::files::{
    BlobRange, BlobStore, PartialBlob, PartialBlobs, PartialError, PartialWriter, WrittenBlob,
};
use common::{BlobKey, Timestamp};
use futures_util::TryStreamExt as _;

use crate::blob_store::{bytes, key};

/// An empty store.
pub struct Subject {
    /// As a store of whole blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// The store.
    pub partial: Arc<dyn PartialBlobs>,
    /// The same store as another process sees it, where it can be shared.
    pub other: Arc<dyn PartialBlobs>,
    /// Dropped after the test.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Makes one test of each rule. The argument is an async function that gives a [`Subject`] over an empty store.
#[macro_export]
macro_rules! partial_blobs_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            partial_blobs,
            [
                a_blob_comes_in_one_go,
                a_blob_comes_in_many_goes,
                an_empty_blob_is_finished,
                what_was_not_kept_is_dropped,
                a_dropped_writer_leaves_what_is_durable,
                durable_bytes_grow_while_they_are_written,
                nothing_shows_before_the_end,
                finishing_again_says_the_same,
                what_a_slow_writer_still_writes_does_not_count,
                what_was_discarded_is_gone,
                a_finished_blob_is_not_discarded,
                strays_are_found_and_removed,
            ]
        );
    };
}

/// More than any part has at least, and less than twice that of any store.
const LARGE: usize = 20 * 1024 * 1024 + 77;

const UNSAVED: u64 = 64 * 1024 * 1024;

impl Subject {
    async fn writer(&self, from: &PartialBlob) -> Box<dyn PartialWriter> {
        self.partial.append(from, None, UNSAVED).await.unwrap()
    }

    /// Appends these bytes, in pieces.
    async fn append(&self, from: &PartialBlob, content: &Bytes) -> PartialBlob {
        append(&*self.partial, from, content).await
    }

    async fn read(&self, key: BlobKey, len: usize) -> Vec<u8> {
        let range = BlobRange { start: 0, len: len as u64 };
        let stream = self.blobs.stream(key, range).await.unwrap().expect("the blob is there");
        let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
        pieces.concat()
    }
}

async fn append(partial: &dyn PartialBlobs, from: &PartialBlob, content: &Bytes) -> PartialBlob {
    let mut writer = partial.append(from, None, UNSAVED).await.unwrap();
    for start in (0..content.len()).step_by(65_536) {
        writer.write(content.slice(start..content.len().min(start + 65_536))).await.unwrap();
    }
    let kept = writer.close().await.unwrap();
    assert_eq!(kept.size, from.size + content.len() as u64);
    assert!(kept.state.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{}", kept.state);
    kept
}

fn digests(content: &[u8]) -> WrittenBlob {
    let mut hasher = Hasher::default();
    hasher.update(content);
    let (size, sha256, crc32) = hasher.finish();
    WrittenBlob { size, sha256, crc32 }
}

#[track_caller]
fn assert_gone<T>(result: Result<T, PartialError>) {
    match result {
        Err(PartialError::Gone) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is there"),
    }
}

/// With the right digests, small or large.
pub async fn a_blob_comes_in_one_go(subject: &Subject) {
    for (number, size) in [(1, 1), (2, 600_000), (3, LARGE)] {
        let content = bytes(number, size);
        let key = key(u128::from(number));
        let whole = subject.append(&PartialBlob::new(key), &content).await;
        assert_eq!(subject.partial.finish(&whole).await.unwrap(), digests(&content), "{size}");
        assert!(subject.read(key, size).await == content, "{size}: other bytes");
        assert_eq!(subject.partial.list_partial(None, 10).await.unwrap(), []);
    }
}

/// Of any size, in this process or another.
pub async fn a_blob_comes_in_many_goes(subject: &Subject) {
    let content = bytes(1, LARGE);
    let mut partial = PartialBlob::new(key(1));
    let ends = [0, 1, 2, 70_000, 5_000_000, 5_000_000, 13_000_001, LARGE];
    for (number, pair) in ends.windows(2).enumerate() {
        let process = if number % 2 == 0 { &subject.partial } else { &subject.other };
        partial = append(&**process, &partial, &content.slice(pair[0]..pair[1])).await;
    }
    assert_eq!(subject.other.finish(&partial).await.unwrap(), digests(&content));
    assert!(subject.read(key(1), LARGE).await == content, "other bytes");
}

/// Even if nothing was ever written.
pub async fn an_empty_blob_is_finished(subject: &Subject) {
    let empty = subject.append(&PartialBlob::new(key(1)), &Bytes::new()).await;
    assert_eq!(subject.partial.finish(&empty).await.unwrap(), digests(&[]));
    assert_eq!(subject.blobs.size(key(1)).await.unwrap(), Some(0));
}

/// Whatever its size.
pub async fn what_was_not_kept_is_dropped(subject: &Subject) {
    let content = bytes(1, LARGE);
    let first = subject.append(&PartialBlob::new(key(1)), &content.slice(..10_000_000)).await;
    for (seed, size) in [(2, 1), (3, 700_000), (4, LARGE)] {
        subject.append(&first, &bytes(seed, size)).await;
    }
    let whole = subject.append(&first, &content.slice(10_000_000..)).await;
    assert_eq!(subject.partial.finish(&whole).await.unwrap(), digests(&content));
    assert!(subject.read(key(1), LARGE).await == content, "other bytes");
}

/// As a crash does.
pub async fn a_dropped_writer_leaves_what_is_durable(subject: &Subject) {
    let content = bytes(1, LARGE);
    let mut writer = subject.writer(&PartialBlob::new(key(1))).await;
    for start in (0..LARGE).step_by(65_536) {
        writer.write(content.slice(start..LARGE.min(start + 65_536))).await.unwrap();
    }
    let durable = writer.durable().clone();
    drop(writer);
    let start = usize::try_from(durable.size).unwrap();
    let whole = subject.append(&durable, &content.slice(start..)).await;
    assert_eq!(subject.partial.finish(&whole).await.unwrap(), digests(&content));
}

/// So that a crash costs little.
pub async fn durable_bytes_grow_while_they_are_written(subject: &Subject) {
    let piece = bytes(1, 1024 * 1024);
    let mut writer = subject.writer(&PartialBlob::new(key(1))).await;
    let mut written = 0;
    while writer.durable().size == 0 {
        assert!(written < 200, "nothing is durable after {written} MiB");
        writer.write(piece.clone()).await.unwrap();
        written += 1;
    }
    let durable = writer.durable().clone();
    assert!(durable.size <= written * piece.len() as u64);
    drop(writer);
    let whole = subject.append(&durable, &Bytes::from_static(b"end")).await;
    let all = piece.repeat(usize::try_from(written).unwrap());
    let expected = [&all[..usize::try_from(durable.size).unwrap()], b"end"].concat();
    assert_eq!(subject.partial.finish(&whole).await.unwrap(), digests(&expected));
}

/// However much of it was written.
pub async fn nothing_shows_before_the_end(subject: &Subject) {
    let kept = subject.append(&PartialBlob::new(key(1)), &bytes(1, LARGE)).await;
    assert_eq!(subject.blobs.size(key(1)).await.unwrap(), None);
    assert_eq!(subject.blobs.list(None, 10).await.unwrap(), []);
    subject.partial.finish(&kept).await.unwrap();
    assert_eq!(subject.blobs.size(key(1)).await.unwrap(), Some(LARGE as u64));
}

/// A crash may come between the end and what the caller notes of it.
pub async fn finishing_again_says_the_same(subject: &Subject) {
    for (number, size) in [(1, 5), (2, LARGE), (3, 0)] {
        let content = bytes(number, size);
        let whole = subject.append(&PartialBlob::new(key(u128::from(number))), &content).await;
        for process in [&subject.partial, &subject.partial, &subject.other] {
            assert_eq!(process.finish(&whole).await.unwrap(), digests(&content), "{size}");
            assert_eq!(subject.partial.list_partial(None, 10).await.unwrap(), [], "{size}");
        }
        assert_eq!(subject.blobs.size(key(u128::from(number))).await.unwrap(), Some(size as u64));
    }
    assert_gone(subject.partial.finish(&PartialBlob { size: 3, ..PartialBlob::new(key(9)) }).await);
}

/// It is kept out, or what it writes goes nowhere.
pub async fn what_a_slow_writer_still_writes_does_not_count(subject: &Subject) {
    let content = bytes(1, 2 * LARGE);
    let (head, tail) = (content.slice(..LARGE), content.slice(LARGE..));
    let kept = subject.append(&PartialBlob::new(key(1)), &head).await;
    let mut slow = subject.writer(&kept).await;
    // what it must keep before it writes was kept
    let kept = slow.durable().clone();
    let other = bytes(7, LARGE);
    slow.write(other.slice(..9_000_000)).await.unwrap();
    match subject.other.append(&kept, None, UNSAVED).await {
        // only one at a time: then the slow one has ended when the next begins
        Err(PartialError::Busy) => drop(slow),
        Err(error) => panic!("{error}"),
        Ok(mut quick) => {
            quick.write(tail.slice(..9_000_000)).await.unwrap();
            slow.write(other.slice(9_000_000..)).await.unwrap();
            slow.close().await.unwrap();
            quick.write(tail.slice(9_000_000..)).await.unwrap();
            let whole = quick.close().await.unwrap();
            assert_eq!(subject.partial.finish(&whole).await.unwrap(), digests(&content));
            assert!(subject.read(key(1), 2 * LARGE).await == content, "other bytes");
            return;
        }
    }
    let whole = subject.append(&kept, &tail).await;
    assert_eq!(subject.partial.finish(&whole).await.unwrap(), digests(&content));
    assert!(subject.read(key(1), 2 * LARGE).await == content, "other bytes");
}

/// Safe to repeat.
pub async fn what_was_discarded_is_gone(subject: &Subject) {
    for (number, size) in [(1, 0), (2, 100), (3, LARGE)] {
        let kept = subject.append(&PartialBlob::new(key(number)), &bytes(1, size)).await;
        subject.partial.discard(&kept).await.unwrap();
        subject.partial.discard(&kept).await.unwrap();
        if size > 0 {
            assert_gone(subject.partial.append(&kept, None, UNSAVED).await.map(drop));
            assert_gone(subject.partial.finish(&kept).await);
        }
    }
    assert_eq!(subject.partial.list_partial(None, 10).await.unwrap(), []);
    assert_eq!(subject.blobs.list(None, 10).await.unwrap(), []);
}

/// A commit may have taken it.
pub async fn a_finished_blob_is_not_discarded(subject: &Subject) {
    let content = bytes(1, LARGE);
    let whole = subject.append(&PartialBlob::new(key(1)), &content).await;
    subject.partial.finish(&whole).await.unwrap();
    subject.partial.discard(&whole).await.unwrap();
    assert!(!subject.partial.discard_stray(key(1), Timestamp::MAX).await.unwrap());
    assert!(subject.read(key(1), LARGE).await == content, "other bytes");
}

/// By their keys alone, and only old ones.
pub async fn strays_are_found_and_removed(subject: &Subject) {
    let mut keys = Vec::new();
    for number in 1..=5 {
        let size = if number == 1 { LARGE } else { 1000 };
        keys.push(key(number));
        subject.append(&PartialBlob::new(key(number)), &bytes(1, size)).await;
    }
    keys.sort_unstable();
    let mut found: Vec<BlobKey> = Vec::new();
    loop {
        let page = subject.partial.list_partial(found.last().copied(), 2).await.unwrap();
        found.extend(page.iter().map(|partial| partial.key));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(found, keys);
    for key in keys {
        assert!(!subject.partial.discard_stray(key, Timestamp::from_millis(1)).await.unwrap());
        assert!(subject.partial.discard_stray(key, Timestamp::MAX).await.unwrap());
        assert!(!subject.partial.discard_stray(key, Timestamp::MAX).await.unwrap());
    }
    assert_eq!(subject.partial.list_partial(None, 10).await.unwrap(), []);
}
