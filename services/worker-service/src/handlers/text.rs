use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use clients::FilesClient;
use common::files::BlobRange;
use common::files::internal::MAX_RANGE_BYTES;
use common::jobs::types::{self, TextData};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::work::{HandlerError, JobContext, JobHandler};

/// Reads the text of one content, and has file-service find the file by it.
pub struct TextHandler {
    files: FilesClient,
    concurrency: usize,
}

impl TextHandler {
    /// Works by file-service's internal API. Each job holds up to 4 MiB of a content, and its text.
    pub fn new(files: FilesClient, concurrency: usize) -> Self {
        Self { files, concurrency }
    }

    /// The start of a content, as far as it is read for its text.
    async fn head(&self, data: &TextData) -> Result<Bytes, HandlerError> {
        let wanted = data.size.min(texts::MAX_INPUT_BYTES);
        let mut head = BytesMut::new();
        while (head.len() as u64) < wanted {
            let start = head.len() as u64;
            let range = BlobRange { start, len: (wanted - start).min(MAX_RANGE_BYTES) };
            head.extend_from_slice(&self.files.read_blob_range(data.blob, range).await?.ok_or_else(gone)?);
        }
        Ok(head.freeze())
    }
}

#[async_trait]
impl JobHandler for TextHandler {
    fn kind(&self) -> &'static str {
        types::TEXT
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let data = TextData::deserialize(&job.job().spec.data)
            .map_err(|_| HandlerError::Permanent("fileId, blob, size or mime is missing".to_owned()))?;
        let head = self.head(&data).await?;
        let (blob, whole) = (data.blob, head.len() as u64 == data.size);
        let read = tokio::task::spawn_blocking(move || texts::read_text(&data.mime, &head, whole)).await;
        // that there is none is noted as well, so that nobody looks again
        let text = match read {
            Ok(read) => read.unwrap_or_default(),
            Err(_) => return Err(HandlerError::Retry("the text could not be read".to_owned())),
        };
        let result = json!({ "bytes": text.len() });
        if self.files.put_text(blob, text).await? { Ok(Some(result)) } else { Err(gone()) }
    }
}

fn gone() -> HandlerError {
    HandlerError::Obsolete("the file is gone".to_owned())
}
