//! Going on with a partial blob: one part fills while the one before it is on its way.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{PartialBlob, PartialWriter};
use common::{PortError, PortResult};
use futures_util::future::BoxFuture;
use object_store::PutMultipartOptions;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use tokio::task::JoinError;

use super::State;
use crate::PART;
use crate::hashing::joined;
use crate::s3::bucket::{Bucket, marked_by, new_writer};
use crate::s3::error::S3Error;
use crate::s3::filling::Filling;
use crate::s3::parts::{MAX_BLOB_BYTES, MAX_PARTS, PartSizes};

/// A part on its way, and what is durable when it is there.
pub(super) struct Sending {
    task: BoxFuture<'static, Result<object_store::Result<PartId>, JoinError>>,
    number: u32,
    bytes: u64,
    size: u64,
    hash: String,
}

pub(super) struct Writer {
    pub(super) bucket: Arc<Bucket>,
    pub(super) sizes: PartSizes,
    /// The number of the next part.
    pub(super) number: u32,
    /// How many numbers are kept ahead of it.
    pub(super) window: u32,
    pub(super) filling: Filling,
    /// How many bytes are in the parts before it.
    pub(super) behind: u64,
    pub(super) sending: Option<Sending>,
    pub(super) state: State,
    pub(super) durable: PartialBlob,
    /// It failed or was left in the middle of a call, so some bytes may be missing.
    pub(super) lost: bool,
}

impl Writer {
    fn path(&self) -> Path {
        self.bucket.path(self.durable.key)
    }

    async fn take(&mut self, mut bytes: Bytes) -> PortResult<()> {
        while !bytes.is_empty() {
            let size = self.sizes.of(self.number - 1);
            if self.filling.len() >= size {
                self.send_part().await?;
                continue;
            }
            self.filling.take(&mut bytes, size).await?;
        }
        Ok(())
    }

    /// Sends what was gathered as a part. Returns when the part before is there.
    async fn send_part(&mut self) -> PortResult<()> {
        self.filling.hash().await?;
        let hash = self.filling.hash_state().await?;
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
        let (number, bytes) = (self.number, self.filling.len());
        let payload = self.filling.sent();
        self.behind += bytes;
        let task = self
            .bucket
            .run(async move { bucket.store.put_part(&path, &upload, (number - 1) as usize, payload).await });
        self.sending = Some(Sending { task: Box::pin(task), number, bytes, size: self.behind, hash });
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
        self.filling.hash().await?;
        self.sent().await?;
        let size = self.behind + self.filling.len();
        // nothing of this writer is on its way any more
        self.state.next = self.number;
        if size > self.durable.size {
            self.state.hash = self.filling.hash_state().await?;
            let name = format!("{size:020}-{}", new_writer());
            let path = Path::from(format!("{}{name}", self.bucket.partial(self.durable.key)));
            self.bucket.put(&path, self.filling.sent()).await?;
            self.state.tail = Some(name);
        }
        Ok(PartialBlob { key: self.durable.key, size, state: self.state.text() })
    }
}
