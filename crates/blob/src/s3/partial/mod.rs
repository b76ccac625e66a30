//! Blobs that come in several goes: parts of one upload in parts, and what does not fill a part yet as an object of its own.
//!
//! `<prefix>/partial/<key>/open` says that there is one, `<prefix>/partial/<key>/<offset>-…` holds the bytes before that offset which are in no
//! part. Each writer has numbers of parts of its own, so that what a slow one still sends replaces nothing; those that nobody kept are in no
//! list when the blob is made of its parts.

mod objects;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use common::digest::Hasher;
use common::files::{PartialBlob, PartialBlobs, PartialError, PartialWriter, StoredBlob, WrittenBlob};
use common::{BlobKey, PortError, PortResult, Timestamp};
use metrics::counter;
use object_store::PutPayload;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use self::objects::is_no_upload;
use self::writer::Writer;
use super::error::S3Error;
use super::filling::Filling;
use super::parts::{MAX_BLOB_BYTES, MAX_PARTS, PartSizes};
use super::{PAGE_KEYS, S3Blobs};
use crate::PART;

/// The name of the object that says that a partial blob is there.
const OPEN: &str = "open";

/// What is kept in [`PartialBlob::state`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Digests of all that is there.
    hash: String,
    /// The upload in parts, if one was begun.
    upload: Option<String>,
    /// Numbers of the parts that count, as ranges with both ends.
    parts: Vec<(u32, u32)>,
    /// How many bytes they have.
    in_parts: u64,
    /// From here on nobody has used a number.
    next: u32,
    /// What comes after the parts.
    tail: Option<String>,
}

impl State {
    fn of(partial: &PartialBlob) -> Option<Self> {
        if partial.size == 0 && partial.state.is_empty() {
            return Some(Self { next: 1, ..Self::default() });
        }
        serde_json::from_str(&partial.state).ok()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("a state is plain data")
    }

    fn add(&mut self, number: u32, bytes: u64) {
        self.in_parts += bytes;
        match self.parts.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.parts.push((number, number)),
        }
    }

    fn has(&self, number: u32) -> bool {
        self.parts.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    fn hasher(&self, size: u64) -> Option<Hasher> {
        if size == 0 {
            return Some(Hasher::default());
        }
        Hasher::resume(&self.hash).filter(|hasher| hasher.size_bytes() == size)
    }
}

#[async_trait]
impl PartialBlobs for S3Blobs {
    async fn append(
        &self,
        from: &PartialBlob,
        length: Option<u64>,
        unsaved: u64,
    ) -> Result<Box<dyn PartialWriter>, PartialError> {
        if length.is_some_and(|length| length > MAX_BLOB_BYTES) {
            return Err(PortError::full(PART, S3Error::TooLarge(MAX_BLOB_BYTES, MAX_PARTS)).into());
        }
        let bucket = &self.bucket;
        bucket.check_mark_lately().await?;
        let mut state = State::of(from).ok_or(PartialError::Gone)?;
        let hasher = state.hasher(from.size).ok_or(PartialError::Gone)?;
        if from.state.is_empty() {
            let open = Path::from(format!("{}{OPEN}", bucket.partial(from.key)));
            bucket.put(&open, PutPayload::from_static(b"open")).await?;
        } else {
            let objects = bucket.objects_of(from.key).await?;
            if objects.is_empty() {
                return Err(PartialError::Gone);
            }
            // tails that were gone on from. One of an equal or a greater offset may be that of a writer who was quicker
            for object in &objects {
                if offset_of(object.location.as_ref()).is_some_and(|offset| offset < from.size) {
                    bucket.remove(&object.location).await?;
                }
            }
        }
        let tail = bucket.tail(from, &state).await?;
        let sizes = PartSizes::expecting(length);
        let numbers = state.next;
        // what is on its way when the row is kept, and what will not be kept
        let window = u32::try_from(unsaved.div_ceil(sizes.of(0))).unwrap_or(MAX_PARTS).saturating_add(3);
        state.next = numbers.saturating_add(window);
        let durable = PartialBlob { state: state.text(), ..from.clone() };
        Ok(Box::new(Writer {
            bucket: Arc::clone(bucket),
            sizes,
            number: numbers,
            window,
            behind: from.size - tail.len() as u64,
            filling: Filling::resumed(hasher, tail),
            sending: None,
            state,
            durable,
            lost: false,
        }))
    }

    async fn finish(&self, whole: &PartialBlob) -> Result<WrittenBlob, PartialError> {
        let bucket = &self.bucket;
        bucket.check_mark_lately().await?;
        let state = State::of(whole).ok_or(PartialError::Gone)?;
        let hasher = state.hasher(whole.size).ok_or(PartialError::Gone)?;
        let path = bucket.path(whole.key);
        match bucket.head(&path).await? {
            Some(head) if head.size == whole.size => {}
            Some(_) => return Err(S3Error::Occupied.broken().into()),
            None if !bucket.is_partial(whole.key).await? => return Err(PartialError::Gone),
            None => {
                match &state.upload {
                    Some(upload) => bucket.complete(whole, &state, upload).await?,
                    None => {
                        let bytes = bucket.tail(whole, &state).await?;
                        bucket.put(&path, bytes.into()).await?;
                    }
                }
                counter!("fm_blobs_written_total").increment(1);
                counter!("fm_blobs_written_bytes_total").increment(whole.size);
            }
        }
        bucket.remove_partial(whole.key).await?;
        let (size, sha256, crc32) = hasher.finish();
        Ok(WrittenBlob { size, sha256, crc32 })
    }

    async fn discard(&self, partial: &PartialBlob) -> PortResult<()> {
        let bucket = &self.bucket;
        bucket.check_mark().await?;
        let upload = State::of(partial).and_then(|state| state.upload);
        if let Some(upload) = upload {
            match bucket.store.abort_multipart(&bucket.path(partial.key), &upload).await {
                Ok(()) => {}
                Err(error) if is_no_upload(&error) => {}
                Err(error) => return Err(bucket.error(error)),
            }
        }
        bucket.remove_partial(partial.key).await.map(drop)
    }

    async fn list_partial(&self, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<StoredBlob>> {
        let bucket = &self.bucket;
        bucket.check_mark().await?;
        let prefix = bucket.partials();
        // after all that begins with the key and a slash
        let after = after.map(|key| format!("{prefix}{key}0"));
        let (mut found, mut token): (Vec<StoredBlob>, _) = (Vec::new(), None);
        loop {
            let (objects, next) = bucket.page(&prefix, after.clone(), token, PAGE_KEYS).await?;
            for object in objects {
                let name = object.location.as_ref().strip_prefix(&prefix).unwrap_or_default();
                let key = name.split_once('/').and_then(|(key, _)| BlobKey::parse(key).ok());
                let Some(key) = key else { continue };
                let written_at = Timestamp::from_millis(object.last_modified.timestamp_millis());
                let is_full = found.len() >= limit as usize;
                match found.last_mut().filter(|last| last.key == key) {
                    Some(last) => {
                        last.written_at = last.written_at.max(written_at);
                        last.size += object.size;
                    }
                    None if is_full => return Ok(found),
                    None => found.push(StoredBlob { key, size: object.size, written_at }),
                }
            }
            token = next;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn discard_stray(&self, key: BlobKey, before: Timestamp) -> PortResult<bool> {
        let bucket = &self.bucket;
        bucket.check_mark().await?;
        let objects = bucket.objects_of(key).await?;
        let young = |object: &object_store::ObjectMeta| {
            Timestamp::from_millis(object.last_modified.timestamp_millis()) >= before
        };
        if objects.is_empty() || objects.iter().any(young) {
            return Ok(false);
        }
        // its upload in parts, if it has one, is known to the sweep alone, which takes it when these are gone
        bucket.remove_partial(key).await
    }
}

/// The offset that a tail ends at.
fn offset_of(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_as_ranges() {
        let mut state = State { next: 1, ..State::default() };
        for number in [1, 2, 3, 9, 10, 20] {
            state.add(number, 5);
        }
        assert_eq!(state.parts, [(1, 3), (9, 10), (20, 20)]);
        assert_eq!(state.in_parts, 30);
        assert!(state.has(2) && state.has(20) && !state.has(4) && !state.has(0));
        let partial = PartialBlob { key: BlobKey::from_bytes([1; 16]), size: 30, state: state.text() };
        assert_eq!(State::of(&partial), Some(state));
        assert_eq!(State::of(&PartialBlob { state: "x".to_owned(), ..partial }), None);
    }

    #[test]
    fn tails_are_known_by_their_offsets() {
        assert_eq!(offset_of("some/partial/00/00000000000000000077-abc"), Some(77));
        assert_eq!(offset_of("some/partial/00/open"), None);
    }
}
