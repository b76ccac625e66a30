//! An upload in parts, which is given up when it is dropped.

use std::sync::Arc;

use common::{PortResult, allowance};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{PutMultipartOptions, PutPayload};
use tokio::task::JoinSet;

use super::bucket::{Bucket, marked_by};
use crate::hashing::joined;

pub(super) struct Multipart {
    bucket: Arc<Bucket>,
    path: Path,
    id: String,
    parts: Vec<PartId>,
    /// The part that is on its way. One at a time, while the next one fills.
    sending: JoinSet<object_store::Result<PartId>>,
    /// Nothing is left to give up.
    done: bool,
}

impl Multipart {
    /// Begins an upload. Whoever goes away meanwhile leaves nothing behind.
    pub(super) async fn begin(bucket: &Arc<Bucket>, path: Path, writer: &str) -> PortResult<Self> {
        let options = PutMultipartOptions { attributes: marked_by(writer), ..PutMultipartOptions::default() };
        let work = {
            let bucket = Arc::clone(bucket);
            async move {
                let id = bucket
                    .store
                    .create_multipart_opts(&path, options)
                    .await
                    .map_err(|error| bucket.error(error))?;
                Ok(Self { bucket, path, id, parts: Vec::new(), sending: JoinSet::new(), done: false })
            }
        };
        joined(bucket.run(work).await)?
    }

    /// How many parts were handed over.
    pub(super) fn count(&self) -> usize {
        self.parts.len() + self.sending.len()
    }

    /// Sends a part, once the one before is there.
    pub(super) async fn send(&mut self, payload: PutPayload) -> PortResult<()> {
        self.sent().await?;
        let (bucket, path, id) = (Arc::clone(&self.bucket), self.path.clone(), self.id.clone());
        let index = self.parts.len();
        let sent = async move { bucket.store.put_part(&path, &id, index, payload).await };
        self.sending.spawn(allowance::carried(sent));
        Ok(())
    }

    /// Waits until all parts are there.
    pub(super) async fn sent(&mut self) -> PortResult<()> {
        while let Some(result) = self.sending.join_next().await {
            self.parts.push(joined(result)?.map_err(|error| self.bucket.error(error))?);
        }
        Ok(())
    }

    /// Makes an object of the parts. After an error it may exist all the same.
    pub(super) async fn complete(&mut self) -> object_store::Result<()> {
        let parts = std::mem::take(&mut self.parts);
        self.bucket.store.complete_multipart(&self.path, &self.id, parts).await?;
        self.done = true;
        Ok(())
    }

    /// The object exists, whatever the answer to its completion was.
    pub(super) fn is_done(&mut self) {
        self.done = true;
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (bucket, path, id) = (Arc::clone(&self.bucket), self.path.clone(), std::mem::take(&mut self.id));
        let mut sending = std::mem::take(&mut self.sending);
        self.bucket.afterwards(async move {
            // a part that arrives after the upload was given up would stay
            sending.shutdown().await;
            if let Err(error) = bucket.store.abort_multipart(&path, &id).await {
                tracing::warn!(blob = %path, %error, "cannot give up an upload, a sweep will");
            }
        });
    }
}
