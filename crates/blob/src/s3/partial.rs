//! Blobs that come in several goes: parts of one upload in parts, and what does not fill a part yet as an object of its own.
//!
//! `<prefix>/partial/<key>/open` says that there is one, `<prefix>/partial/<key>/<offset>-…` holds the bytes before that offset which are in no
//! part. Each writer has numbers of parts of its own, so that what a slow one still sends replaces nothing; those that nobody kept are in no
//! list when the blob is made of its parts.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use common::digest::Hasher;
use common::files::{PartialBlob, PartialBlobs, PartialError, PartialWriter, StoredBlob, WrittenBlob};
use common::{BlobKey, PortError, PortResult, Timestamp};
use futures_util::future::BoxFuture;
use metrics::counter;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore as _, PutMultipartOptions, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::task::JoinError;

use super::bucket::{Bucket, marked_by, new_writer};
use super::error::{S3Error, is_absent, refused};
use super::parts::{MAX_BLOB_BYTES, MAX_PARTS, PartSizes};
use super::sweep::ListedPart;
use super::{PAGE_KEYS, S3Blobs};
use crate::PART;
use crate::hashing::{BATCH_BYTES, Batch, Hashing, joined};

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

impl Bucket {
    /// What the keys of all partial blobs begin with.
    pub(super) fn partials(&self) -> String {
        let blobs = self.blobs();
        format!("{}partial/", blobs.strip_suffix("blobs/").unwrap_or_default())
    }

    fn partial(&self, key: BlobKey) -> String {
        format!("{}{key}/", self.partials())
    }

    /// Whether somebody goes on with a blob of this key, as far as the bucket knows.
    pub(super) async fn is_partial(&self, key: BlobKey) -> PortResult<bool> {
        Ok(!self.page(&self.partial(key), None, None, 1).await?.0.is_empty())
    }

    /// Objects of a partial blob, which are few.
    async fn objects_of(&self, key: BlobKey) -> PortResult<Vec<object_store::ObjectMeta>> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let (objects, next) = self.page(&self.partial(key), None, token, PAGE_KEYS).await?;
            found.extend(objects);
            token = next;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn remove_partial(&self, key: BlobKey) -> PortResult<bool> {
        let objects = self.objects_of(key).await?;
        for object in &objects {
            self.remove(&object.location).await?;
        }
        Ok(!objects.is_empty())
    }

    async fn put(&self, path: &Path, payload: PutPayload) -> PortResult<()> {
        self.store
            .put_opts(path, payload, Default::default())
            .await
            .map(drop)
            .map_err(|error| self.error(error))
    }

    async fn whole(&self, path: &Path) -> PortResult<Option<Bytes>> {
        let found = match self.store.get_opts(path, GetOptions::default()).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.error(error)),
        };
        let limit = self.request_timeout + super::client::transfer_time(found.meta.size);
        match tokio::time::timeout(limit, found.bytes()).await {
            Ok(bytes) => bytes.map(Some).map_err(|error| self.error(error)),
            Err(_) => Err(self.timed_out(limit)),
        }
    }

    /// The bytes of a tail, which end at `size`.
    async fn tail(&self, from: &PartialBlob, state: &State) -> Result<Bytes, PartialError> {
        let len = from.size.checked_sub(state.in_parts).ok_or(PartialError::Gone)?;
        let Some(name) = &state.tail else {
            return if len == 0 { Ok(Bytes::new()) } else { Err(PartialError::Gone) };
        };
        let path = Path::from(format!("{}{name}", self.partial(from.key)));
        let bytes = self.whole(&path).await?.filter(|bytes| bytes.len() as u64 == len);
        bytes.ok_or(PartialError::Gone)
    }

    /// Makes a blob of its parts, and of a tail.
    async fn complete(
        &self,
        whole: &PartialBlob,
        state: &State,
        upload: &String,
    ) -> Result<(), PartialError> {
        let path = self.path(whole.key);
        let mut wanted = state.clone();
        if state.tail.is_some() {
            let tail = self.tail(whole, state).await?;
            let (index, len) = (state.next.saturating_sub(1) as usize, tail.len() as u64);
            let sent = self.store.put_part(&path, upload, index, tail.into()).await;
            match sent {
                Ok(_) => wanted.add(state.next, len),
                Err(error) if is_no_upload(&error) => return Err(PartialError::Gone),
                Err(error) => return Err(self.error(error).into()),
            }
        }
        let mut parts = match self.parts_of(&path, upload).await? {
            Some(parts) => parts,
            None => return Err(PartialError::Gone),
        };
        parts.retain(|part| wanted.has(part.number));
        parts.sort_unstable_by_key(|part| part.number);
        if parts.iter().map(|part| part.size).sum::<u64>() != whole.size {
            return Err(PartialError::Gone);
        }
        let gapless = (1..).zip(&parts).all(|(number, part)| part.number == number);
        let completed = if gapless {
            let ids = parts.into_iter().map(|part| PartId { content_id: part.e_tag }).collect();
            let completed = self.store.complete_multipart(&path, upload, ids).await;
            completed.map(drop).map_err(|error| (is_no_upload(&error), self.error(error)))
        } else {
            self.complete_listed(&path, upload, &parts).await
        };
        match completed {
            Ok(()) => Ok(()),
            // it may have been done: only the answer got lost
            Err((is_gone, error)) => match self.head(&path).await {
                Ok(Some(head)) if head.size == whole.size => Ok(()),
                Ok(_) if is_gone => Err(PartialError::Gone),
                _ => Err(error.into()),
            },
        }
    }
}

fn is_no_upload(error: &object_store::Error) -> bool {
    refused(error).is_some_and(|refused| refused.code == "NoSuchUpload")
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
            part_len: tail.len() as u64,
            part: if tail.is_empty() { Vec::new() } else { vec![tail] },
            batch: Batch::default(),
            hashing: Hashing::from(hasher),
            written: from.size,
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

/// A part on its way, and what is durable when it is there.
struct Sending {
    task: BoxFuture<'static, Result<object_store::Result<PartId>, JoinError>>,
    number: u32,
    bytes: u64,
    size: u64,
    hash: String,
}

struct Writer {
    bucket: Arc<Bucket>,
    sizes: PartSizes,
    /// The number of the next part.
    number: u32,
    /// How many numbers are kept ahead of it.
    window: u32,
    /// The part that fills, without the batch.
    part: Vec<Bytes>,
    part_len: u64,
    batch: Batch,
    hashing: Hashing,
    /// The size with all bytes that were hashed.
    written: u64,
    sending: Option<Sending>,
    state: State,
    durable: PartialBlob,
    /// It failed or was left in the middle of a call, so some bytes may be missing.
    lost: bool,
}

impl Writer {
    fn path(&self) -> Path {
        self.bucket.path(self.durable.key)
    }

    fn room(&self) -> u64 {
        let size = self.sizes.of(self.number - 1);
        size.saturating_sub(self.part_len).saturating_sub(self.batch.len() as u64)
    }

    async fn take(&mut self, mut bytes: Bytes) -> PortResult<()> {
        while !bytes.is_empty() {
            if self.room() == 0 {
                self.send_part().await?;
            }
            let room = self.room().min(BATCH_BYTES as u64);
            let piece = bytes.split_to(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
            self.batch.push(piece);
            if self.batch.len() >= BATCH_BYTES {
                self.hash_batch().await?;
            }
        }
        Ok(())
    }

    async fn hash_batch(&mut self) -> PortResult<()> {
        self.hashing.back().await?;
        let len = self.batch.len() as u64;
        self.part_len += len;
        self.written += len;
        let batch = self.batch.take();
        self.part.extend(batch.iter().cloned());
        self.hashing.start(batch);
        Ok(())
    }

    /// Sends what was gathered as a part. Returns when the part before is there.
    async fn send_part(&mut self) -> PortResult<()> {
        self.hash_batch().await?;
        self.hashing.back().await?;
        let hash = self.hashing.state();
        self.sent().await?;
        if self.number > MAX_PARTS {
            return Err(PortError::full(PART, S3Error::TooLarge(MAX_BLOB_BYTES, MAX_PARTS)));
        }
        let (path, bucket) = (self.path(), Arc::clone(&self.bucket));
        let upload = match &self.state.upload {
            Some(upload) => upload.clone(),
            None => {
                let options = PutMultipartOptions {
                    attributes: marked_by(&new_writer()),
                    ..PutMultipartOptions::default()
                };
                let begun = bucket.store.create_multipart_opts(&path, options).await;
                let upload = begun.map_err(|error| bucket.error(error))?;
                self.state.upload.insert(upload).clone()
            }
        };
        let (number, bytes) = (self.number, self.part_len);
        let payload = PutPayload::from_iter(std::mem::take(&mut self.part));
        let task = self
            .bucket
            .run(async move { bucket.store.put_part(&path, &upload, (number - 1) as usize, payload).await });
        self.sending = Some(Sending { task: Box::pin(task), number, bytes, size: self.written, hash });
        self.part_len = 0;
        self.number += 1;
        Ok(())
    }

    /// Waits until the part that is on its way is there.
    async fn sent(&mut self) -> PortResult<()> {
        let Some(sending) = &mut self.sending else { return Ok(()) };
        let result = joined((&mut sending.task).await);
        let Some(Sending { number, bytes, size, hash, .. }) = self.sending.take() else { return Ok(()) };
        result?.map_err(|error| self.bucket.error(error))?;
        self.state.add(number, bytes);
        self.state.hash = hash;
        // it is in the parts now
        self.state.tail = None;
        self.state.next = number.saturating_add(1).saturating_add(self.window);
        self.durable = PartialBlob { key: self.durable.key, size, state: self.state.text() };
        Ok(())
    }
}

#[async_trait]
impl PartialWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        if self.lost {
            return Err(S3Error::Lost.broken());
        }
        self.lost = true;
        self.take(bytes).await?;
        self.lost = false;
        Ok(())
    }

    fn durable(&self) -> &PartialBlob {
        &self.durable
    }

    async fn close(mut self: Box<Self>) -> PortResult<PartialBlob> {
        if self.lost {
            return Err(S3Error::Lost.broken());
        }
        self.hash_batch().await?;
        self.sent().await?;
        self.hashing.back().await?;
        // nothing of this writer is on its way any more
        self.state.next = self.number;
        if self.written > self.durable.size {
            self.state.hash = self.hashing.state();
            let name = format!("{:020}-{}", self.written, new_writer());
            let path = Path::from(format!("{}{name}", self.bucket.partial(self.durable.key)));
            let payload = PutPayload::from_iter(std::mem::take(&mut self.part));
            self.bucket.put(&path, payload).await?;
            self.state.tail = Some(name);
        }
        Ok(PartialBlob { key: self.durable.key, size: self.written, state: self.state.text() })
    }
}

impl Bucket {
    /// Makes an object of parts whose numbers have gaps, which `object_store` cannot.
    async fn complete_listed(
        &self,
        path: &Path,
        upload: &str,
        parts: &[ListedPart],
    ) -> Result<(), (bool, PortError)> {
        let list = CompletedUpload {
            part: parts
                .iter()
                .map(|part| CompletedPart { part_number: part.number, e_tag: &part.e_tag })
                .collect(),
        };
        let body =
            quick_xml::se::to_string(&list).map_err(|error| (false, S3Error::List(error.into()).broken()))?;
        self.post(path, &[("uploadId", upload)], body).await
    }
}

#[derive(Serialize)]
#[serde(rename = "CompleteMultipartUpload")]
struct CompletedUpload<'p> {
    #[serde(rename = "Part")]
    part: Vec<CompletedPart<'p>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart<'p> {
    part_number: u32,
    #[serde(rename = "ETag")]
    e_tag: &'p str,
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

    #[test]
    fn a_list_of_parts_is_written_as_s3_reads_it() {
        let part = vec![CompletedPart { part_number: 3, e_tag: "\"a\"" }];
        let text = quick_xml::se::to_string(&CompletedUpload { part }).unwrap();
        let expected = "<CompleteMultipartUpload><Part><PartNumber>3</PartNumber><ETag>\"a\"</ETag></Part></CompleteMultipartUpload>";
        assert_eq!(text.replace("&quot;", "\""), expected);
    }
}
