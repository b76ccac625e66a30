use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use common::files::internal::{
    CopyGiveUp, CopyRequest, ExportLength, ExportMeasure, ExportPage, ExportQuestion, FileEventsQuestion,
    FileEventsTold, LinkNoticeOf, LinkNoticeTold, MaintenanceStep, PurgeRequest, QuotaChange, StepDone,
    ThumbnailBegin, ThumbnailFailure, ThumbnailUpload, ThumbnailWork, UsageQuestion, UserEnd,
};
use common::files::{BlobRange, ByteStream, MediaFacts, UserSpaces, UserUsage};
use common::{BlobKey, PortError, PortResult, UserId};
use futures_util::StreamExt as _;

use crate::InternalClient;

/// file-service, as worker-service sees it. Cheap to clone. Each call may be repeated.
#[derive(Debug, Clone)]
pub struct FilesClient(InternalClient);

impl FilesClient {
    /// Calls by this client.
    pub fn new(client: InternalClient) -> Self {
        Self(client)
    }

    /// Asks whether thumbnails are still to be made.
    ///
    /// # Errors
    /// As [`InternalClient::get_json`], like all calls here.
    pub async fn begin_thumbnails(&self, question: &ThumbnailBegin) -> PortResult<ThumbnailWork> {
        self.0.post_json("/internal/thumbnails/begin", question).await
    }

    /// The bytes of a blob; none if it is gone. The stream never ends early without an error.
    ///
    /// # Errors
    /// As [`InternalClient::get_stream`].
    pub async fn read_blob(&self, blob: BlobKey) -> PortResult<Option<ByteStream>> {
        self.0.get_stream(&format!("/internal/blobs/{blob}")).await
    }

    /// A part of a blob, of at most [`MAX_RANGE_BYTES`](common::files::internal::MAX_RANGE_BYTES); none if the blob is gone.
    ///
    /// # Errors
    /// `Broken` if the blob has no such part; else as above.
    pub async fn read_blob_range(&self, blob: BlobKey, range: BlobRange) -> PortResult<Option<Bytes>> {
        let BlobRange { start, len } = range;
        let path = format!("/internal/blobs/{blob}/range?start={start}&len={len}");
        let Some(mut pieces) = self.0.get_stream(&path).await? else { return Ok(None) };
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() as u64 > len {
                break;
            }
        }
        if bytes.len() as u64 == len {
            Ok(Some(bytes.freeze()))
        } else {
            Err(PortError::broken(self.0.part(), "another part of the blob than was asked for"))
        }
    }

    /// Gives what was found out about a blob. False if it is gone.
    ///
    /// # Errors
    /// As above.
    pub async fn keep_media(&self, blob: BlobKey, facts: &MediaFacts) -> PortResult<bool> {
        self.0.post_to(&format!("/internal/blobs/{blob}/media"), facts).await
    }

    /// Gives the text of a blob, of at most 1 MiB and without NUL; empty if it has none. False if the blob is gone.
    ///
    /// # Errors
    /// As above.
    pub async fn put_text(&self, blob: BlobKey, text: String) -> PortResult<bool> {
        self.0.put_bytes(&format!("/internal/blobs/{blob}/text"), &Bytes::from(text)).await
    }

    /// Gives the thumbnails of a blob; `bytes` are those of `upload.pictures`, in the same order. False if the blob is gone.
    ///
    /// # Errors
    /// `Broken` if the bytes are not those that the header announces; else as above.
    pub async fn put_thumbnails(
        &self,
        blob: BlobKey,
        upload: &ThumbnailUpload,
        bytes: Vec<Bytes>,
    ) -> PortResult<bool> {
        let announced = upload.pictures.iter().map(|picture| picture.bytes);
        if !announced.eq(bytes.iter().map(|bytes| bytes.len() as u64)) {
            return Err(PortError::broken(
                self.0.part(),
                "the pictures do not have the lengths that their header says",
            ));
        }
        let head = serde_json::to_vec(upload).map_err(|error| PortError::broken(self.0.part(), error))?;
        let mut body = BytesMut::with_capacity(head.len() + 1 + bytes.iter().map(Bytes::len).sum::<usize>());
        body.extend_from_slice(&head);
        body.extend_from_slice(b"\n");
        for picture in &bytes {
            body.extend_from_slice(picture);
        }
        self.0.put_bytes(&format!("/internal/blobs/{blob}/thumbnails"), &body.freeze()).await
    }

    /// Says that no thumbnails can be made of a blob. False if it is gone.
    ///
    /// # Errors
    /// As above.
    pub async fn fail_thumbnails(&self, blob: BlobKey, failure: &ThumbnailFailure) -> PortResult<bool> {
        self.0.post_to(&format!("/internal/blobs/{blob}/thumbnails/failed"), failure).await
    }

    /// Removes some rows below a tombstone.
    ///
    /// # Errors
    /// As above.
    pub async fn purge(&self, question: &PurgeRequest) -> PortResult<StepDone> {
        self.0.post_json("/internal/files/purge", question).await
    }

    /// Goes on with the copy of a folder.
    ///
    /// # Errors
    /// As above.
    pub async fn copy(&self, question: &CopyRequest) -> PortResult<StepDone> {
        self.0.post_json("/internal/files/copy", question).await
    }

    /// Gives a copy up whose job is over. Safe to repeat. False if file-service does not know the call: an older one.
    ///
    /// # Errors
    /// As above.
    pub async fn give_up_copy(&self, question: &CopyGiveUp) -> PortResult<bool> {
        self.0.post_to("/internal/files/copy/give-up", question).await
    }

    /// What the notice of a link tells.
    ///
    /// # Errors
    /// As above.
    pub async fn open_link_notice(&self, question: &LinkNoticeOf) -> PortResult<LinkNoticeTold> {
        self.0.post_json("/internal/links/notice", question).await
    }

    /// Says that the notice of a link was given.
    ///
    /// # Errors
    /// As above.
    pub async fn close_link_notice(&self, question: &LinkNoticeOf) -> PortResult<bool> {
        self.0.post_to("/internal/links/noticed", question).await
    }

    /// What happened to the files of some accounts.
    ///
    /// # Errors
    /// As above.
    pub async fn events_after(&self, question: &FileEventsQuestion) -> PortResult<FileEventsTold> {
        self.0.post_json("/internal/events/after", question).await
    }

    /// Removes some of what is left of an account that is gone.
    ///
    /// # Errors
    /// As above.
    pub async fn end_user(&self, question: &UserEnd) -> PortResult<StepDone> {
        self.0.post_json("/internal/users/end", question).await
    }

    /// Some of what file-service knows of an account, beside its files themselves.
    ///
    /// # Errors
    /// As above; `Broken` for an unknown subject.
    pub async fn export_page(&self, question: &ExportQuestion) -> PortResult<ExportPage> {
        self.0.post_long("/internal/users/export", question).await
    }

    /// How long the archive of an export would be now. It may take longer than other calls.
    ///
    /// # Errors
    /// As above.
    pub async fn measure_export(&self, question: &ExportMeasure) -> PortResult<ExportLength> {
        self.0.post_long("/internal/users/export/measure", question).await
    }

    /// Takes one step of a task of upkeep. Its name consists of letters, digits and `-`. A step may take longer than other calls: nobody waits for it.
    ///
    /// # Errors
    /// As above.
    pub async fn maintenance(&self, task: &str, step: &MaintenanceStep) -> PortResult<StepDone> {
        self.0.post_long(&format!("/internal/maintenance/{task}"), step).await
    }
}

#[async_trait]
impl UserSpaces for FilesClient {
    async fn usage_of(&self, user: UserId) -> PortResult<UserUsage> {
        self.0.post_json("/internal/users/usage", &UsageQuestion { user }).await
    }

    async fn set_quota_of(&self, user: UserId, quota_bytes: Option<u64>) -> PortResult<UserUsage> {
        self.0.post_json("/internal/users/quota", &QuotaChange { user, quota_bytes }).await
    }
}
