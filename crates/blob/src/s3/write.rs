//! Writing a blob: in one request if it is small, else in parts, one of which fills while the one before is on its way. Each batch is hashed
//! on another thread meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{BlobWriter, WrittenBlob};
use common::{BlobKey, Causes, PortError, PortResult};
use metrics::{counter, histogram};
use object_store::PutPayload;
use object_store::path::Path;
use tokio::time::timeout;

use super::CreateOnly;
use super::bucket::{Bucket, is_occupied, new_writer};
use super::error::{S3Error, is_passing, refused};
use super::filling::Filling;
use super::multipart::Multipart;
use super::parts::{MAX_BLOB_BYTES, MAX_PARTS, PartSizes};
use crate::PART;
use crate::hashing::joined;

/// Longest look at what became of a write whose answer is not known; a person waits for it, who has waited for the write already.
const LOOK_DEADLINE: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    bucket: Arc<Bucket>,
    path: Path,
    /// The word that this writer leaves on the object.
    word: String,
    sizes: PartSizes,
    filling: Filling,
    /// None while not a part is sent: the blob may be a small one.
    upload: Option<Multipart>,
    /// It failed or was left in the middle of a call, so some bytes may be missing.
    lost: bool,
}

impl Writer {
    pub(super) fn new(bucket: Arc<Bucket>, key: BlobKey, size_hint: Option<u64>) -> Self {
        let path = bucket.path(key);
        Self {
            bucket,
            path,
            word: new_writer(),
            sizes: PartSizes::expecting(size_hint),
            filling: Filling::default(),
            upload: None,
            lost: false,
        }
    }

    fn part_size(&self) -> u64 {
        let sent = self.upload.as_ref().map_or(0, Multipart::count);
        self.sizes.of(u32::try_from(sent).unwrap_or(u32::MAX))
    }

    async fn take(&mut self, mut bytes: Bytes) -> PortResult<()> {
        while !bytes.is_empty() {
            if self.filling.len() >= self.part_size() {
                self.send_part().await?;
            }
            self.filling.take(&mut bytes, self.part_size()).await?;
        }
        Ok(())
    }

    /// Sends what was gathered as a part. Returns when the part before is there.
    async fn send_part(&mut self) -> PortResult<()> {
        self.filling.hash().await?;
        let multipart = match &mut self.upload {
            Some(multipart) => multipart,
            none => none.insert(Multipart::begin(&self.bucket, self.path.clone(), &self.word).await?),
        };
        if multipart.count() >= MAX_PARTS as usize {
            return Err(PortError::full(PART, S3Error::TooLarge(MAX_BLOB_BYTES, MAX_PARTS)));
        }
        multipart.send(self.filling.sent()).await
    }

    async fn publish(mut self) -> PortResult<WrittenBlob> {
        let content = if self.upload.is_none() {
            self.filling.hash().await?;
            Content::Small(self.filling.sent())
        } else {
            if self.filling.len() > 0 {
                self.send_part().await?;
            }
            let mut multipart = self.upload.take().expect("parts were sent");
            multipart.sent().await?;
            Content::Parts(multipart)
        };
        let (size, sha256, crc32) = self.filling.hashed().await?.finish();
        let published = publish(self.bucket.clone(), self.path, self.word, content);
        // a request that was sent may take effect when its sender is gone: so it is seen to its end
        joined(self.bucket.run(published).await)??.keep();
        Ok(WrittenBlob { size, sha256, crc32 })
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        if self.lost {
            return Err(S3Error::Lost.broken());
        }
        self.lost = true;
        let taken = self.take(bytes).await;
        match &taken {
            Ok(()) => self.lost = false,
            Err(_) => self.upload = None,
        }
        taken
    }

    async fn finish(self: Box<Self>) -> PortResult<WrittenBlob> {
        if self.lost {
            return Err(S3Error::Lost.broken());
        }
        let start = Instant::now();
        let written = self.publish().await?;
        histogram!("fm_blobs_finish_seconds").record(start.elapsed());
        counter!("fm_blobs_written_total").increment(1);
        counter!("fm_blobs_written_bytes_total").increment(written.size);
        Ok(written)
    }
}

enum Content {
    Small(PutPayload),
    Parts(Multipart),
}

/// An object that goes away again unless somebody keeps it: a caller that is gone does not know of it.
struct Published {
    bucket: Arc<Bucket>,
    path: Path,
    kept: bool,
}

impl Published {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (bucket, path) = (Arc::clone(&self.bucket), self.path.clone());
        self.bucket.afterwards(async move {
            if let Err(error) = bucket.remove(&path).await {
                tracing::warn!(blob = %path, error = %Causes(&error), "cannot remove an abandoned blob");
            }
        });
    }
}

/// Makes the content visible under its key, unless something is there.
async fn publish(bucket: Arc<Bucket>, path: Path, word: String, content: Content) -> PortResult<Published> {
    if bucket.create_only == CreateOnly::LookFirst && bucket.head(&path).await?.is_some() {
        return Err(S3Error::Occupied.broken());
    }
    let (result, mut multipart) = match content {
        Content::Small(payload) => (bucket.put_new(&path, payload, &word).await, None),
        Content::Parts(mut multipart) => (multipart.complete().await, Some(multipart)),
    };
    if let Err(error) = result {
        if !is_doubtful(&error) {
            return Err(bucket.error(error));
        }
        // a server that was silent so far is not waited for a second time
        let looked = timeout(LOOK_DEADLINE, bucket.head(&path)).await;
        match looked.unwrap_or_else(|_| Err(bucket.timed_out(LOOK_DEADLINE))) {
            // it was done: only the answer got lost, or the request was sent twice
            Ok(Some(head)) if head.is_of(&word) => {
                if let Some(multipart) = &mut multipart {
                    multipart.is_done();
                }
            }
            Ok(Some(_)) => return Err(S3Error::Occupied.broken()),
            Ok(None) if is_occupied(&error) => {
                // somebody else was writing it, and did not get to the end
                return Err(PortError::unavailable(PART, error));
            }
            Ok(None) | Err(_) => return Err(bucket.error(error)),
        }
    }
    Ok(Published { bucket, path, kept: false })
}

/// Whether the object may have come to be, or another be in its place.
fn is_doubtful(error: &object_store::Error) -> bool {
    match refused(error) {
        // an upload that was completed is not there any more
        Some(refused) => matches!(refused.status, 404 | 409 | 412) || is_passing(refused),
        None => true,
    }
}
