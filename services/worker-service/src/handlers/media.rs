use async_trait::async_trait;
use bytes::Bytes;
use clients::FilesClient;
use common::files::{BlobRange, MediaFacts};
use common::jobs::types::{self, MediaFactsData};
use common::{BlobKey, PortError, Timestamp};
use media_facts::{Error, Facts, Source};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::work::{HandlerError, JobContext, JobHandler};

/// Reads the facts of one sound or film from its headers, by small ranges of its content.
pub struct MediaFactsHandler {
    files: FilesClient,
    concurrency: usize,
}

impl MediaFactsHandler {
    /// Works by file-service's internal API.
    pub fn new(files: FilesClient, concurrency: usize) -> Self {
        Self { files, concurrency }
    }
}

#[async_trait]
impl JobHandler for MediaFactsHandler {
    fn kind(&self) -> &'static str {
        types::MEDIA_FACTS
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let data = MediaFactsData::deserialize(&job.job().spec.data)
            .map_err(|_| HandlerError::Permanent("fileId, blob or size is missing".to_owned()))?;
        let mut content = Content { files: &self.files, blob: data.blob };
        let facts = match media_facts::read_facts(&mut content, data.size).await {
            Ok(facts) => kept(facts),
            Err(Error::Source(Unread::Gone)) => return Err(gone()),
            Err(Error::Source(Unread::Failed(error))) => return Err(error.into()),
            Err(error @ (Error::Unknown | Error::Damaged(_) | Error::TooMuch)) => {
                return Err(HandlerError::Permanent(error.to_string()));
            }
        };
        let result = json!({ "media": facts });
        if self.files.keep_media(data.blob, &facts).await? { Ok(Some(result)) } else { Err(gone()) }
    }
}

fn gone() -> HandlerError {
    HandlerError::Obsolete("the file is gone".to_owned())
}

fn kept(facts: Facts) -> MediaFacts {
    // the clock of a film is UTC, to the second
    let taken_at = facts.made_at.map(|seconds| {
        let text = Timestamp::from_millis(seconds.saturating_mul(1000)).to_string();
        format!("{}+00:00", text.get(..19).unwrap_or_default())
    });
    let Facts { width, height, duration_ms, .. } = facts;
    MediaFacts { width, height, taken_at, camera: None, duration_ms }.checked()
}

/// The content of a blob.
struct Content<'f> {
    files: &'f FilesClient,
    blob: BlobKey,
}

enum Unread {
    Gone,
    Failed(PortError),
}

#[async_trait]
impl Source for Content<'_> {
    type Error = Unread;

    async fn read(&mut self, start: u64, len: usize) -> Result<Bytes, Unread> {
        let range = BlobRange { start, len: len as u64 };
        match self.files.read_blob_range(self.blob, range).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(Unread::Gone),
            Err(error) => Err(Unread::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_kept_in_their_form() {
        let facts =
            Facts { width: Some(3), height: Some(2), duration_ms: Some(5), made_at: Some(1_709_208_000) };
        let media = kept(facts);
        assert_eq!(media.taken_at.as_deref(), Some("2024-02-29T12:00:00+00:00"));
        assert_eq!(
            media,
            MediaFacts {
                taken_at: media.taken_at.clone(),
                duration_ms: Some(5),
                ..MediaFacts::of_size(3, 2)
            }
        );
    }
}
