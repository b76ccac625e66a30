//! A store of uploads that fails where a test wants it to, over the real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use common::files::{NodeError, Saved, Taken, Upload, UploadState, UploadStore, Uploader};
use common::{BlobKey, PortError, PortResult, ReservationId, SpaceId, Timestamp, UploadId, UserId};
use tokio::sync::Semaphore;

use crate::support::Server;

/// Rows of uploads: one insertion, removal or question may wait until it is let go on, and what tells something of an upload may be refused.
struct Faulty {
    rows: Arc<dyn UploadStore>,
    faults: Arc<Faults>,
}

pub(crate) struct Faults {
    pub(crate) insertion_waits: AtomicBool,
    pub(crate) removal_waits: AtomicBool,
    /// Before it is asked which blobs are of uploads, or after that.
    pub(crate) question_waits: AtomicBool,
    pub(crate) answer_waits: AtomicBool,
    pub(crate) reached: Semaphore,
    pub(crate) passes: Semaphore,
    /// That an upload is a file.
    pub(crate) done_is_lost: AtomicBool,
    /// That nobody holds an upload any more.
    pub(crate) leaving_is_lost: AtomicBool,
    /// What is said of an upload together with its room.
    pub(crate) room_is_lost: AtomicBool,
    /// The answer that a new upload is kept, with its room.
    pub(crate) insertion_is_unheard: AtomicBool,
    /// Whatever is said of an upload.
    pub(crate) all_is_lost: AtomicBool,
    /// With that the answer is lost alone where a length is said with its room.
    pub(crate) lengths_are_kept: AtomicBool,
    /// How often something was lost.
    pub(crate) lost: AtomicUsize,
    /// How often room was to be set aside for an upload that is there.
    pub(crate) rooms: AtomicUsize,
    /// How often somebody was told that another has an upload.
    pub(crate) busy: AtomicUsize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            insertion_waits: AtomicBool::default(),
            removal_waits: AtomicBool::default(),
            question_waits: AtomicBool::default(),
            answer_waits: AtomicBool::default(),
            reached: Semaphore::new(0),
            passes: Semaphore::new(0),
            done_is_lost: AtomicBool::default(),
            leaving_is_lost: AtomicBool::default(),
            room_is_lost: AtomicBool::default(),
            insertion_is_unheard: AtomicBool::default(),
            all_is_lost: AtomicBool::default(),
            lengths_are_kept: AtomicBool::default(),
            lost: AtomicUsize::default(),
            rooms: AtomicUsize::default(),
            busy: AtomicUsize::default(),
        }
    }
}

impl Faults {
    async fn wait_once(&self, waits: &AtomicBool) {
        if waits.swap(false, Ordering::SeqCst) {
            self.reached.add_permits(1);
            self.passes.acquire().await.unwrap().forget();
        }
    }

    fn lose(&self, upload: &Upload) -> PortResult<()> {
        let is_lost = self.all_is_lost.load(Ordering::SeqCst)
            || (upload.lease.is_none() && self.leaving_is_lost.load(Ordering::SeqCst))
            || (matches!(upload.state, UploadState::Done(_)) && self.done_is_lost.load(Ordering::SeqCst));
        if !is_lost {
            return Ok(());
        }
        self.lost.fetch_add(1, Ordering::SeqCst);
        Err(PortError::unavailable("files", "cut off by the test"))
    }
}

#[async_trait]
impl UploadStore for Faulty {
    async fn insert_upload(&self, upload: &Upload) -> PortResult<()> {
        self.faults.wait_once(&self.faults.insertion_waits).await;
        self.rows.insert_upload(upload).await
    }

    async fn insert_upload_with_room(
        &self,
        upload: &Upload,
        bytes: u64,
        until: Timestamp,
    ) -> Result<(), NodeError> {
        self.faults.wait_once(&self.faults.insertion_waits).await;
        self.rows.insert_upload_with_room(upload, bytes, until).await?;
        if self.faults.insertion_is_unheard.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("files", "cut off by the test").into());
        }
        Ok(())
    }

    async fn find_upload(&self, id: UploadId) -> PortResult<Option<Upload>> {
        self.rows.find_upload(id).await
    }

    async fn list_uploads(
        &self,
        of: Uploader,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>> {
        self.rows.list_uploads(of, before, limit).await
    }

    async fn count_uploads(&self, of: Uploader) -> PortResult<u64> {
        self.rows.count_uploads(of).await
    }

    async fn list_uploads_into(
        &self,
        space: SpaceId,
        owner: UserId,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>> {
        self.rows.list_uploads_into(space, owner, before, limit).await
    }

    async fn count_uploads_into(&self, space: SpaceId, owner: UserId) -> PortResult<u64> {
        self.rows.count_uploads_into(space, owner).await
    }

    async fn list_unfinished_uploads(&self, after: Option<UploadId>, limit: u32) -> PortResult<Vec<Upload>> {
        self.rows.list_unfinished_uploads(after, limit).await
    }

    async fn take_upload(&self, id: UploadId, now: Timestamp, until: Timestamp) -> PortResult<Taken> {
        let taken = self.rows.take_upload(id, now, until).await?;
        if taken == Taken::Busy {
            self.faults.busy.fetch_add(1, Ordering::SeqCst);
        }
        Ok(taken)
    }

    async fn save_upload(&self, upload: &Upload) -> PortResult<Saved> {
        self.faults.lose(upload)?;
        self.rows.save_upload(upload).await
    }

    async fn save_upload_with_room(
        &self,
        upload: &Upload,
        merged: &[ReservationId],
        bytes: u64,
        until: Timestamp,
    ) -> Result<Saved, NodeError> {
        self.faults.rooms.fetch_add(1, Ordering::SeqCst);
        if upload.length.is_some() && self.faults.lengths_are_kept.load(Ordering::SeqCst) {
            self.rows.save_upload_with_room(upload, merged, bytes, until).await?;
        }
        if self.faults.room_is_lost.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("files", "cut off by the test").into());
        }
        self.faults.lose(upload)?;
        self.rows.save_upload_with_room(upload, merged, bytes, until).await
    }

    async fn save_upload_without_parts(&self, upload: &Upload) -> PortResult<(Saved, Vec<Upload>)> {
        self.faults.lose(upload)?;
        self.rows.save_upload_without_parts(upload).await
    }

    async fn cut_off_uploads(&self, of: Uploader) -> PortResult<u64> {
        self.rows.cut_off_uploads(of).await
    }

    async fn remove_upload(&self, id: UploadId, generation: u64) -> PortResult<bool> {
        self.faults.wait_once(&self.faults.removal_waits).await;
        self.rows.remove_upload(id, generation).await
    }

    async fn list_expired_uploads(&self, now: Timestamp, limit: u32) -> PortResult<Vec<Upload>> {
        self.rows.list_expired_uploads(now, limit).await
    }

    async fn known_uploads(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>> {
        self.faults.wait_once(&self.faults.question_waits).await;
        let known = self.rows.known_uploads(keys).await;
        self.faults.wait_once(&self.faults.answer_waits).await;
        known
    }

    async fn finals_of_part(&self, part: UploadId) -> PortResult<Vec<UploadId>> {
        self.rows.finals_of_part(part).await
    }
}

pub(crate) async fn faulty(faults: &Arc<Faults>) -> Server {
    let faults = Arc::clone(faults);
    Server::over_uploads(|rows| Arc::new(Faulty { rows, faults })).await
}
