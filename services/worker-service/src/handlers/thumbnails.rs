use std::fs::File;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use clients::FilesClient;
use common::files::internal::{
    ThumbnailBegin, ThumbnailFailure, ThumbnailPicture, ThumbnailUpload, ThumbnailWork,
};
use common::files::{ByteStream, MediaFacts, ThumbnailSize};
use common::jobs::{Job, types};
use common::{BlobKey, FileId, UserId};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use thumbnails::{Limit, Limits, Made, Options, Pool};
use tokio::io::AsyncWriteExt as _;

use crate::work::{Ending, HandlerError, JobContext, JobHandler};

/// Makes the thumbnails of one picture: reads the original from file-service into a private temporary file, has a child process decode it, and gives the
/// results to file-service, which keeps them once.
pub struct ThumbnailsHandler {
    files: FilesClient,
    pool: Pool,
    temporary: PathBuf,
    concurrency: usize,
}

impl ThumbnailsHandler {
    /// Originals are kept in `temporary` while they are decoded; the folder must exist, and not be in memory: they can be large. The
    /// concurrency may be above the pool's, so that one original is fetched while others are decoded.
    pub fn new(files: FilesClient, pool: Pool, temporary: impl Into<PathBuf>, concurrency: usize) -> Self {
        Self { files, pool, temporary: temporary.into(), concurrency }
    }

    /// The original, in a file without a name: only this process can read it, and it is gone with it.
    async fn fetch(&self, mut original: ByteStream, size: u64) -> Result<File, HandlerError> {
        let local = |error: std::io::Error| {
            tracing::error!(cause = %error, "cannot keep an original while it is decoded");
            HandlerError::Retry("the picture could not be kept while it is decoded".to_owned())
        };
        let folder = self.temporary.clone();
        let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
        let file = made.map_err(|error| local(error.into()))?.map_err(local)?;
        let mut file = tokio::fs::File::from_std(file);
        let mut fetched = 0;
        while let Some(bytes) = original.try_next().await? {
            fetched += bytes.len() as u64;
            if fetched > size {
                break;
            }
            file.write_all(&bytes).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        if fetched == size {
            Ok(file.into_std().await)
        } else {
            Err(HandlerError::Retry("the picture could not be read whole".to_owned()))
        }
    }

    async fn make(&self, original: File) -> Result<Made, HandlerError> {
        let options = Options { widths: ThumbnailSize::ALL.map(ThumbnailSize::pixels).into() };
        self.pool.make(original, &options).await.map_err(|error| {
            if error.is_permanent() {
                HandlerError::Permanent(error.to_string())
            } else {
                HandlerError::Retry(error.to_string())
            }
        })
    }
}

#[async_trait]
impl JobHandler for ThumbnailsHandler {
    fn kind(&self) -> &'static str {
        types::THUMBNAILS
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let subject = Subject::read(&job.job().spec.data)?;
        let (blob, size) = match self.files.begin_thumbnails(&subject.begin()).await? {
            ThumbnailWork::Wanted { blob, size, .. } => (blob, size),
            ThumbnailWork::Settled => return Ok(Some(json!({ "made": 0 }))),
            ThumbnailWork::FileNotFound => return Err(subject.not_found()),
        };
        let max = Limits::default().max_input_bytes;
        if size > max {
            // what a child would say, without fetching it first
            let error = thumbnails::Error::TooLarge { limit: Limit::InputBytes, value: size, max };
            return Err(HandlerError::Permanent(error.to_string()));
        }
        let Some(original) = self.files.read_blob(blob).await? else {
            return Err(gone());
        };
        let original = self.fetch(original, size).await?;
        job.progress(25).await?;
        let made = self.make(original).await?;
        job.progress(75).await?;
        let count = made.thumbnails.len();
        let (upload, bytes) = framed(made);
        if self.files.put_thumbnails(blob, &upload, bytes).await? {
            Ok(Some(json!({ "made": count })))
        } else {
            // or another worker, whose lease was lost, came first after all
            Err(gone())
        }
    }

    fn hears_of_ends(&self) -> bool {
        true
    }

    /// Tells file-service, so that the file shows why it has no thumbnails.
    async fn given_up(&self, job: &Job, ending: Ending<'_>) -> Result<(), HandlerError> {
        let Ok(subject) = Subject::read(&job.spec.data) else {
            // the message was wrong: it concerns no file
            return Ok(());
        };
        let blob = match subject.blob {
            Some(blob) => blob,
            None => match self.files.begin_thumbnails(&subject.begin()).await? {
                ThumbnailWork::Wanted { blob, .. } => blob,
                ThumbnailWork::Settled | ThumbnailWork::FileNotFound => return Ok(()),
            },
        };
        self.files.fail_thumbnails(blob, &ThumbnailFailure { reason: ending.reason().to_owned() }).await?;
        Ok(())
    }
}

fn framed(made: Made) -> (ThumbnailUpload, Vec<Bytes>) {
    let taken_at = made.facts.taken_at.map(|at| at.local + at.offset.as_deref().unwrap_or_default());
    let media = MediaFacts {
        taken_at,
        camera: made.facts.camera,
        ..MediaFacts::of_size(made.facts.width, made.facts.height)
    };
    let (pictures, bytes) = made
        .thumbnails
        .into_iter()
        .map(|made| {
            let bytes = Bytes::from(made.bytes);
            let mime = made.format.mime().to_owned();
            (ThumbnailPicture { size: made.asked_width, mime, bytes: bytes.len() as u64 }, bytes)
        })
        .unzip();
    (ThumbnailUpload { media: Some(media), pictures }, bytes)
}

/// What a job is about.
struct Subject {
    file: FileId,
    user: UserId,
    blob: Option<BlobKey>,
}

impl Subject {
    /// Reads the data in the order, and with the errors, of the classic queue.
    fn read(data: &Value) -> Result<Self, HandlerError> {
        let text = |name: &str| data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let present = |name: &str| data.get(name).is_some_and(|value| !value.is_null() && value != "");
        if !present("fileId") {
            return Err(HandlerError::Permanent("Missing fileId".to_owned()));
        }
        if !present("userId") {
            return Err(HandlerError::Permanent("Missing userId".to_owned()));
        }
        let file = text("fileId").and_then(|text| FileId::parse(text).ok());
        let user = text("userId").and_then(|text| UserId::parse(text).ok());
        let blob = text("blob").map(BlobKey::parse).transpose();
        match (file, user, blob) {
            (Some(file), Some(user), Ok(blob)) => Ok(Self { file, user, blob }),
            _ => Err(HandlerError::Permanent("File not found".to_owned())),
        }
    }

    fn begin(&self) -> ThumbnailBegin {
        ThumbnailBegin { file: self.file, blob: self.blob, user: self.user }
    }

    /// A job that was made together with a content knew its file: it has been deleted, or replaced, since. Only a message that names some file can be
    /// wrong about it.
    fn not_found(&self) -> HandlerError {
        if self.blob.is_some() { gone() } else { HandlerError::Permanent("File not found".to_owned()) }
    }
}

fn gone() -> HandlerError {
    HandlerError::Obsolete("the file is gone".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(data: Value) -> String {
        Subject::read(&data).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn failures_have_their_classic_names() {
        let id = "5f1e8896c7ba06511e683b25";
        assert_eq!(error(json!({})), "Missing fileId");
        assert_eq!(error(json!({ "fileId": null, "userId": id })), "Missing fileId");
        assert_eq!(error(json!({ "fileId": "" })), "Missing fileId");
        assert_eq!(error(json!({ "fileId": id })), "Missing userId");
        assert_eq!(error(json!({ "fileId": id, "userId": "" })), "Missing userId");
        assert_eq!(error(json!({ "fileId": "x", "userId": id })), "File not found");
        assert_eq!(error(json!({ "fileId": 7, "userId": id })), "File not found");
        assert_eq!(error(json!({ "fileId": id, "userId": {"$ne": 1} })), "File not found");
        assert_eq!(error(json!({ "fileId": id, "userId": id, "blob": "x" })), "File not found");
        assert_eq!(error(json!({ "fileId": id, "userId": id })), "");
    }
}
