//! The contract of [`common::files::BlobStore`], which every adapter runs.
//!
//! ```text
//! testkit::blob_store_suite!(async { Opened { blobs: Arc::new(MyBlobs::open(dir.path())), keep: dir } });
//! ```

#![allow(clippy::unwrap_used, reason = "this is test code")]

use std::sync::Arc;

use bytes::Bytes;
use common::digest::Hasher;
use common::files::{BlobRange, BlobStore, StoredBlob, WrittenBlob};
use common::{BlobKey, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use futures_util::future::{join_all, try_join_all};

/// An empty store, and what must live as long as it does, such as its folder.
pub struct Opened {
    /// The store.
    pub blobs: Arc<dyn BlobStore>,
    /// Dropped after the test.
    pub keep: Box<dyn std::any::Any + Send>,
}

/// Makes one test of each rule. The argument is an expression that gives a future of an [`Opened`] with an empty store.
#[macro_export]
macro_rules! blob_store_suite {
    ($open:expr) => {
        $crate::blob_store_suite!(@tests $open;
            what_was_written_is_read
            pieces_of_any_size_make_the_same_blob
            nothing_shows_before_the_end
            a_dropped_writer_leaves_nothing
            a_key_is_written_once
            what_is_not_there_is_none
            ranges_beyond_the_end_are_broken
            a_deletion_can_be_repeated
            the_list_is_in_the_order_of_keys
            many_blobs_are_written_at_once
            one_of_many_writers_of_a_key_wins
            a_reader_of_a_deleted_blob_gets_all_or_an_error
            what_does_not_fit_is_refused_at_once
            a_store_is_claimed_once
            blobs_without_a_mark_are_not_claimed
            a_young_temporary_file_is_kept
        );
    };
    (@tests $open:expr; $($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let opened: $crate::blob_store::Opened = $open.await;
            $crate::blob_store::$name(&*opened.blobs).await;
            drop(opened);
        }
    )*};
}

/// Bytes that do not repeat within a block, from a seed.
pub fn bytes(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        // xorshift64 (Marsaglia, 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    Bytes::from(bytes)
}

/// A key from a number.
pub fn key(number: u128) -> BlobKey {
    // spread over the fan-out folders, as random keys are
    BlobKey::from_bytes(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
}

/// Writes a blob in pieces of `piece` bytes.
///
/// # Errors
/// Those of the store.
pub async fn write(
    blobs: &dyn BlobStore,
    key: BlobKey,
    content: &Bytes,
    piece: usize,
) -> PortResult<WrittenBlob> {
    let mut writer = blobs.create(key, Some(content.len() as u64)).await?;
    for start in (0..content.len()).step_by(piece) {
        writer.write(content.slice(start..content.len().min(start + piece))).await?;
    }
    writer.finish().await
}

fn digests(content: &[u8]) -> WrittenBlob {
    let mut hasher = Hasher::default();
    hasher.update(content);
    let (size, sha256, crc32) = hasher.finish();
    WrittenBlob { size, sha256, crc32 }
}

async fn streamed(blobs: &dyn BlobStore, key: BlobKey, start: u64, len: u64) -> Vec<u8> {
    let stream = blobs.stream(key, BlobRange { start, len }).await.unwrap().expect("the blob is there");
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| !piece.is_empty()));
    pieces.concat()
}

const SIZES: [usize; 9] = [0, 1, 65_535, 65_536, 65_537, 262_145, 524_288, 524_289, 3 * 1024 * 1024 + 7];

/// Whole and in parts, by read and by stream, and with the right digests.
pub async fn what_was_written_is_read(blobs: &dyn BlobStore) {
    for (number, size) in SIZES.into_iter().enumerate() {
        let (key, content) = (key(number as u128), bytes(number as u64, size));
        assert_eq!(write(blobs, key, &content, 100_000).await.unwrap(), digests(&content), "{size}");
        assert_eq!(blobs.size(key).await.unwrap(), Some(size as u64));
        assert_eq!(streamed(blobs, key, 0, size as u64).await, content, "{size}");
        let parts = [
            (0, 0),
            (0, size),
            (size, 0),
            (size / 2, size - size / 2),
            (size / 3, size / 3),
            (size.saturating_sub(1), size.min(1)),
        ];
        for (start, len) in parts {
            let range = BlobRange { start: start as u64, len: len as u64 };
            assert_eq!(
                streamed(blobs, key, range.start, range.len).await,
                content[start..start + len],
                "{size} {range:?}"
            );
            if len <= 1024 * 1024 {
                let part = blobs.read(key, range).await.unwrap().expect("the blob is there");
                assert_eq!(part, content[start..start + len], "{size} {range:?}");
            }
        }
    }
}

/// One byte at a time or everything at once.
pub async fn pieces_of_any_size_make_the_same_blob(blobs: &dyn BlobStore) {
    let content = bytes(5, 700_000);
    for (number, piece) in [7, 4_095, 4_096, 8_192, 65_536, 700_000].into_iter().enumerate() {
        let key = key(number as u128);
        assert_eq!(write(blobs, key, &content, piece).await.unwrap(), digests(&content), "{piece}");
        assert_eq!(streamed(blobs, key, 0, 700_000).await, content, "{piece}");
    }
}

/// However much of it was written.
pub async fn nothing_shows_before_the_end(blobs: &dyn BlobStore) {
    let content = bytes(1, 2_000_000);
    let mut writer = blobs.create(key(1), None).await.unwrap();
    writer.write(content.clone()).await.unwrap();
    assert_eq!(blobs.size(key(1)).await.unwrap(), None);
    assert_eq!(blobs.list(None, 10).await.unwrap(), []);
    writer.finish().await.unwrap();
    assert_eq!(blobs.size(key(1)).await.unwrap(), Some(2_000_000));
}

/// And its key is free.
pub async fn a_dropped_writer_leaves_nothing(blobs: &dyn BlobStore) {
    let content = bytes(1, 2_000_000);
    for len in [0, 10, 2_000_000] {
        let mut writer = blobs.create(key(1), Some(5_000_000)).await.unwrap();
        writer.write(content.slice(..len)).await.unwrap();
        drop(writer);
        assert_eq!(blobs.size(key(1)).await.unwrap(), None);
    }
    write(blobs, key(1), &content, 65_536).await.unwrap();
    assert_eq!(blobs.size(key(1)).await.unwrap(), Some(2_000_000));
}

/// The second writer fails, the first blob stays.
pub async fn a_key_is_written_once(blobs: &dyn BlobStore) {
    for (number, size) in [(1, 100), (2, 1_000_000)] {
        let (first, second) = (bytes(1, size), bytes(2, size));
        write(blobs, key(number), &first, 65_536).await.unwrap();
        let again = write(blobs, key(number), &second, 65_536).await;
        assert!(matches!(again, Err(PortError::Broken { .. })), "{again:?}");
        assert_eq!(streamed(blobs, key(number), 0, size as u64).await, first);
    }
    let (one, two) = (bytes(3, 1_000), bytes(4, 1_000));
    let both = (write(blobs, key(3), &one, 500), write(blobs, key(3), &two, 500));
    let both = futures_util::future::join(both.0, both.1).await;
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
}

/// For every call.
pub async fn what_is_not_there_is_none(blobs: &dyn BlobStore) {
    let range = BlobRange { start: 0, len: 1 };
    assert_eq!(blobs.read(key(1), range).await.unwrap(), None);
    assert!(blobs.stream(key(1), range).await.unwrap().is_none());
    assert_eq!(blobs.size(key(1)).await.unwrap(), None);
    assert!(!blobs.delete(key(1)).await.unwrap());
    assert_eq!(blobs.list(None, 10).await.unwrap(), []);
    blobs.ping().await.unwrap();
}

/// At once, never as a short answer.
pub async fn ranges_beyond_the_end_are_broken(blobs: &dyn BlobStore) {
    write(blobs, key(1), &bytes(1, 1000), 1000).await.unwrap();
    for (start, len) in
        [(0, 1001), (1000, 1), (999, 2), (1001, 0), (u64::MAX, 1), (0, 65_536), (u64::MAX - 1, 1_000_000)]
    {
        let range = BlobRange { start, len };
        let read = blobs.read(key(1), range).await;
        assert!(matches!(read, Err(PortError::Broken { .. })), "{range:?} {read:?}");
        let stream = blobs.stream(key(1), range).await.map(|stream| stream.is_some());
        assert!(matches!(stream, Err(PortError::Broken { .. })), "{range:?} {stream:?}");
    }
    let huge = blobs.read(key(1), BlobRange { start: 0, len: u64::MAX }).await;
    assert!(matches!(huge, Err(PortError::Broken { .. })), "{huge:?}");
}

/// The second time it says that there is nothing.
pub async fn a_deletion_can_be_repeated(blobs: &dyn BlobStore) {
    write(blobs, key(1), &bytes(1, 100_000), 65_536).await.unwrap();
    assert!(blobs.delete(key(1)).await.unwrap());
    assert!(!blobs.delete(key(1)).await.unwrap());
    assert_eq!(blobs.size(key(1)).await.unwrap(), None);
    assert_eq!(blobs.list(None, 10).await.unwrap(), []);
}

/// In pages that go on where the last one ended.
pub async fn the_list_is_in_the_order_of_keys(blobs: &dyn BlobStore) {
    let mut expected = Vec::new();
    for number in 0..40_u128 {
        // neighbours as well as keys from everywhere
        let key = if number < 20 { key(number) } else { BlobKey::from_bytes(number.to_be_bytes()) };
        write(blobs, key, &bytes(1, number as usize), 65_536).await.unwrap();
        expected.push((key, number as u64));
    }
    expected.sort();
    let mut found: Vec<StoredBlob> = Vec::new();
    loop {
        let page = blobs.list(found.last().map(|blob| blob.key), 7).await.unwrap();
        let last = page.len() < 7;
        found.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(found.iter().map(|blob| (blob.key, blob.size)).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|blob| blob.written_at > Timestamp::from_millis(0)));
    assert_eq!(blobs.list(None, 0).await.unwrap(), []);
}

/// More than are finished at once.
pub async fn many_blobs_are_written_at_once(blobs: &dyn BlobStore) {
    let contents: Vec<_> = (0..40_u64).map(|number| bytes(number, 40_000 * number as usize)).collect();
    let written = contents
        .iter()
        .enumerate()
        .map(|(number, content)| write(blobs, key(number as u128), content, 50_000));
    let written = try_join_all(written).await.unwrap();
    for (number, content) in contents.iter().enumerate() {
        assert_eq!(written[number], digests(content));
        assert_eq!(streamed(blobs, key(number as u128), 0, content.len() as u64).await, *content);
    }
}

/// And its blob is whole, whatever its size, whether the writers end together or not.
pub async fn one_of_many_writers_of_a_key_wins(blobs: &dyn BlobStore) {
    for (number, size) in [(1, 1_000), (2, 700_000), (3, 20_000_000)] {
        let contents: Vec<_> = (0..4).map(|seed| bytes(seed, size)).collect();
        let written = contents.iter().map(|content| write(blobs, key(number), content, 65_536));
        let written = join_all(written).await;
        let winners: Vec<_> = (0..contents.len()).filter(|writer| written[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{size} {written:?}");
        assert_eq!(written[winners[0]].as_ref().ok(), Some(&digests(&contents[winners[0]])));
        let stored = streamed(blobs, key(number), 0, size as u64).await;
        assert!(stored == contents[winners[0]], "{size}: not what the winner wrote");
    }
}

/// Never a part that looks like the whole.
pub async fn a_reader_of_a_deleted_blob_gets_all_or_an_error(blobs: &dyn BlobStore) {
    for (number, size) in [(1, 1_000), (2, 3_000_000), (3, 20_000_000)] {
        let content = bytes(1, size);
        write(blobs, key(number), &content, 1 << 20).await.unwrap();
        let range = BlobRange { start: 0, len: size as u64 };
        let mut stream = blobs.stream(key(number), range).await.unwrap().expect("the blob is there");
        let first = stream.try_next().await;
        assert!(blobs.delete(key(number)).await.unwrap());
        let rest: PortResult<Vec<_>> = stream.try_collect().await;
        if let (Ok(first), Ok(rest)) = (first, rest) {
            let read = [first.unwrap_or_default(), rest.concat().into()].concat();
            assert!(read == content, "{} of {size} bytes, and no error", read.len());
        }
        let again = blobs.stream(key(number), range).await.unwrap();
        assert!(again.is_none(), "a deleted blob is read");
    }
}

/// When the size is known; where the store has a bound.
pub async fn what_does_not_fit_is_refused_at_once(blobs: &dyn BlobStore) {
    let Some(free) = blobs.free_bytes().await.unwrap() else {
        return;
    };
    let refused = blobs.create(key(1), Some(free.saturating_add(1 << 40))).await.map(|_| ());
    assert!(matches!(refused, Err(PortError::Full { .. })), "{refused:?}");
    // what is announced counts until it is written or given up
    let writer = blobs.create(key(2), Some(1)).await.unwrap();
    drop(writer);
    blobs.create(key(3), None).await.map(|_| ()).unwrap();
}

/// By the same store as often as it likes.
pub async fn a_store_is_claimed_once(blobs: &dyn BlobStore) {
    assert_eq!(blobs.owner().await.unwrap(), None);
    blobs.claim("one").await.unwrap();
    blobs.claim("one").await.unwrap();
    assert_eq!(blobs.owner().await.unwrap().as_deref(), Some("one"));
    let other = blobs.claim("two").await;
    assert!(matches!(other, Err(PortError::Broken { .. })), "{other:?}");
    blobs.ping().await.unwrap();
    write(blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    blobs.claim("one").await.unwrap();
    assert!(blobs.delete(key(1)).await.unwrap());
}

/// They are somebody's.
pub async fn blobs_without_a_mark_are_not_claimed(blobs: &dyn BlobStore) {
    write(blobs, key(1), &bytes(1, 10), 10).await.unwrap();
    let claimed = blobs.claim("one").await;
    assert!(matches!(claimed, Err(PortError::Broken { .. })), "{claimed:?}");
    assert_eq!(blobs.owner().await.unwrap(), None);
}

/// Only what was last written before the given time goes.
pub async fn a_young_temporary_file_is_kept(blobs: &dyn BlobStore) {
    let content = bytes(1, 2_000_000);
    let mut writer = blobs.create(key(1), None).await.unwrap();
    writer.write(content.clone()).await.unwrap();
    assert_eq!(blobs.sweep_temporary(Timestamp::from_millis(1)).await.unwrap(), 0);
    writer.finish().await.unwrap();
    assert_eq!(streamed(blobs, key(1), 0, 2_000_000).await, content);
}
