//! Having an upload for oneself.

use std::sync::Arc;
use std::time::Duration;

use common::files::{Saved, Taken, Upload, UploadRole, UploadState};
use common::{BlobKey, Causes, Code, UploadId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{PROLONGED_AFTER, RESERVATION_OUTLASTS, concat, release};
use crate::error::AppError;
use crate::state::FileService;

/// For so long nobody takes an upload from a holder who does not say anything.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// How often a holder says that it is still there, and hears whether it is wanted elsewhere.
pub(super) const RENEWED_EVERY: Duration = Duration::from_secs(2);

/// How long a request waits for the holder to leave.
const PATIENCE: Duration = Duration::from_secs(8);

/// The wait between two tries.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// An upload that this task has for itself. When it is dropped, the upload is left as it was last saved.
pub(crate) struct Hold {
    pub(crate) upload: Upload,
    /// As the store has it.
    saved: Upload,
    service: Arc<FileService>,
    stop: CancellationToken,
    held: bool,
}

impl Hold {
    /// Of an upload whose row says that it is held by this generation.
    pub(super) fn of(service: &Arc<FileService>, upload: Upload) -> Self {
        let stop = service.uploads.note(upload.id, upload.generation);
        Self { saved: upload.clone(), upload, service: Arc::clone(service), stop, held: true }
    }

    /// Takes an upload, and makes its present holder leave.
    ///
    /// # Errors
    /// `not_found`; `locked` if the holder does not leave.
    pub(crate) async fn take(service: &Arc<FileService>, id: UploadId) -> Result<Self, AppError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(hold) = Self::try_take(service, id).await? {
                return Ok(hold);
            }
            if Instant::now() >= deadline {
                return Err(AppError::because(Code::Locked, "Another request is at this upload"));
            }
            service.uploads.stop(id);
            sleep(TRY_EVERY).await;
        }
    }

    /// Takes an upload if nobody has it.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) async fn try_take(service: &Arc<FileService>, id: UploadId) -> Result<Option<Self>, AppError> {
        let now = service.clock.now();
        match service.uploads.store.take_upload(id, now, now + LEASE).await? {
            Taken::Held(upload) => Ok(Some(Self::of(service, *upload))),
            Taken::Busy => Ok(None),
            Taken::Gone => Err(AppError::refused(Code::NotFound)),
        }
    }

    /// Takes an upload if nobody has it, and else does not even make its holder leave.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) async fn take_if_free(
        service: &Arc<FileService>,
        id: UploadId,
    ) -> Result<Option<Self>, AppError> {
        let found = service.uploads.store.find_upload(id).await?;
        let found = found.ok_or_else(|| AppError::refused(Code::NotFound))?;
        let is_held = found.lease.is_some_and(|lease| lease >= service.clock.now());
        if is_held { Ok(None) } else { Self::try_take(service, id).await }
    }

    /// As the store has it.
    pub(super) fn saved(&self) -> &Upload {
        &self.saved
    }

    pub(super) fn service(&self) -> &Arc<FileService> {
        &self.service
    }

    /// Cancelled when somebody else of this process wants the upload.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Keeps the upload as it is here, and holds on to it; whether somebody else wants it.
    ///
    /// # Errors
    /// `locked` if somebody else has it already; then nothing was kept.
    pub(super) async fn save(&mut self) -> Result<bool, AppError> {
        let now = self.service.clock.now();
        self.upload.lease = Some(now + LEASE);
        self.prolong().await?;
        self.put().await
    }

    /// An upload that is gone on with is kept for longer, but not one by a link that brings no bytes.
    async fn prolong(&mut self) -> Result<(), AppError> {
        let is_final = matches!(self.upload.role, UploadRole::Final(_));
        if self.upload.link.is_some() && self.upload.offset() == 0 && !is_final {
            return Ok(());
        }
        let until = self.service.clock.now() + self.service.settings.keep_uploads;
        let unfinished = !matches!(self.upload.state, UploadState::Done(_));
        if unfinished && until.since(self.upload.expires_at) > PROLONGED_AFTER {
            if let Some(reservation) = self.upload.reservation {
                let outlasts = until + RESERVATION_OUTLASTS;
                self.service.store.prolong_reservation(reservation, outlasts).await?;
            }
            self.upload.expires_at = until;
        }
        Ok(())
    }

    async fn put(&mut self) -> Result<bool, AppError> {
        match self.service.uploads.store.save_upload(&self.upload).await? {
            Saved::Kept { wanted } => {
                self.saved = self.upload.clone();
                Ok(wanted)
            }
            Saved::Lost => {
                self.held = false;
                Err(AppError::because(Code::Locked, "Another request has taken this upload over"))
            }
        }
    }

    /// Keeps the upload as it is here, and leaves it to others.
    ///
    /// # Errors
    /// As [`Hold::save`].
    pub(crate) async fn leave(mut self) -> Result<Upload, AppError> {
        self.upload.lease = None;
        self.prolong().await?;
        self.put().await?;
        self.held = false;
        Ok(self.upload.clone())
    }

    /// Removes the upload and its bytes, and with what was put together its parts; false, and the upload is not removed, if somebody else has it by now, or it is
    /// gone. What a commit may have taken stays: if none did, the sweep takes it for a stray.
    ///
    /// # Errors
    /// `unavailable`; `locked` if somebody does not leave a part. Then it can be done again.
    pub(crate) async fn remove(mut self) -> Result<bool, AppError> {
        let UploadRole::Final(parts) = self.saved.role.clone() else { return self.remove_alone().await };
        // what was set aside for the parts is for this one by then: with it gone nobody would answer for their bytes
        let has_joined = self.saved.reservation.is_some() || self.saved.state == UploadState::Complete;
        if has_joined {
            // not `save`: what has expired is kept for no longer
            self.upload.lease = Some(self.service.clock.now() + LEASE);
            match self.put().await {
                Ok(_) => {}
                Err(error) if error.code() == Code::Locked => return Ok(false),
                Err(error) => return Err(error),
            }
            concat::end_parts(&self.service, &parts).await?;
        }
        self.remove_alone().await
    }

    /// [`Hold::remove`] for any but a final upload, and without its parts for that.
    ///
    /// # Errors
    /// `unavailable`; then it can be done again.
    pub(super) async fn remove_alone(mut self) -> Result<bool, AppError> {
        let service = Arc::clone(&self.service);
        // the row first: whoever took the upload over goes on with the bytes
        let removed = service.uploads.store.remove_upload(self.saved.id, self.saved.generation).await?;
        self.held = false;
        if !removed {
            return Ok(false);
        }
        if let Err(error) = service.uploads.partial.discard(&self.saved.blob).await {
            tracing::warn!(upload = %self.saved.id, cause = %Causes(&error), "bytes of an upload are left to the sweep");
        }
        // no commit ever takes what a part has become
        if self.saved.role == UploadRole::Part && self.saved.state == UploadState::Complete {
            remove_blob(&service, self.saved.blob.key).await;
        }
        release(&service, self.saved.reservation).await;
        Ok(true)
    }

    /// Removes the upload with the blob that its bytes may have become, where no commit can have taken that.
    ///
    /// # Errors
    /// As [`Hold::remove`].
    pub(super) async fn remove_with_blob(self) -> Result<bool, AppError> {
        let (service, key) = (Arc::clone(&self.service), self.saved.blob.key);
        let removed = self.remove().await?;
        if removed {
            remove_blob(&service, key).await;
        }
        Ok(removed)
    }
}

async fn remove_blob(service: &FileService, key: BlobKey) {
    if let Err(error) = service.blobs.delete(key).await {
        tracing::warn!(blob = %key, cause = %Causes(&error), "the content of an upload is left to the sweep");
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.service.uploads.forget(self.saved.id, self.saved.generation);
        if !self.held {
            return;
        }
        let service = Arc::clone(&self.service);
        let left = Upload { lease: None, ..self.saved.clone() };
        self.service.background.spawn(async move {
            if let Err(error) = service.uploads.store.save_upload(&left).await {
                tracing::warn!(upload = %left.id, cause = %Causes(&error), "an upload stays held until its lease ends");
            }
        });
    }
}
