//! Having an upload for oneself.

use std::sync::Arc;
use std::time::Duration;

use common::files::{NodeError, Saved, Taken, Upload, UploadRole, UploadState};
use common::{BlobKey, Causes, Code, ReservationId, UploadId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{PROLONGED_AFTER, RESERVATION_OUTLASTS};
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
    /// Most bytes that may be set aside for it, by this holder's doing or that of one who has crashed: whoever leaves an upload leaves it what it is due.
    most_set_aside: u64,
}

impl Hold {
    /// Of an upload whose row says that it is held by this generation.
    pub(super) fn of(service: &Arc<FileService>, upload: Upload) -> Self {
        let stop = service.uploads.note(upload.id, upload.generation);
        Self {
            saved: upload.clone(),
            upload,
            service: Arc::clone(service),
            stop,
            held: true,
            most_set_aside: 0,
        }
    }

    /// Of an upload that somebody may have crashed with who had set more aside ahead of bytes than it is due: whether they did is not to be seen any more, since
    /// the lease is this holder's.
    fn after_another(service: &Arc<FileService>, upload: Upload) -> Self {
        let takes_ahead = upload.link.is_some() || upload.length.is_none();
        // that of a part which is whole may be that of the whole by now, and what was cut off ends with all that it has
        let may_have_more = upload.reservation.is_some()
            && upload.state == UploadState::Open
            && !matches!(upload.role, UploadRole::Final(_))
            && !upload.is_cut_off();
        let mut hold = Self::of(service, upload);
        if takes_ahead && may_have_more {
            hold.most_set_aside = u64::MAX;
        }
        hold
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
    /// `not_found`, also for one that was cut off.
    pub(super) async fn try_take(service: &Arc<FileService>, id: UploadId) -> Result<Option<Self>, AppError> {
        match Self::try_take_to_end(service, id).await? {
            Some(hold) if hold.upload.is_cut_off() => Err(AppError::refused(Code::NotFound)),
            taken => Ok(taken),
        }
    }

    /// The same, also for one that was cut off.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) async fn try_take_to_end(
        service: &Arc<FileService>,
        id: UploadId,
    ) -> Result<Option<Self>, AppError> {
        let now = service.clock.now();
        match service.uploads.store.take_upload(id, now, now + LEASE).await? {
            Taken::Held(upload) => Ok(Some(Self::after_another(service, *upload))),
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

    /// The same, with so many bytes set aside for the upload in place of what was, in one commit: whoever crashes in between has set nothing aside for a length
    /// that nobody knows. What is beyond what the upload is due goes back when it is left.
    ///
    /// # Errors
    /// As [`Hold::save`]; `quota_exceeded`.
    pub(super) async fn save_with_room(&mut self, bytes: u64) -> Result<bool, AppError> {
        let now = self.service.clock.now();
        self.upload.lease = Some(now + LEASE);
        self.prolong().await?;
        self.put_with_room(&[], bytes).await
    }

    /// The same, in place also of what these hold, and under a reservation that may be new: by that it is known who has what was set aside for parts.
    ///
    /// # Errors
    /// As [`Hold::save_with_room`].
    pub(super) async fn save_with_room_of(
        &mut self,
        merged: &[ReservationId],
        bytes: u64,
    ) -> Result<bool, AppError> {
        let now = self.service.clock.now();
        self.upload.lease = Some(now + LEASE);
        self.prolong().await?;
        let saved = self.put_with_room(merged, bytes).await;
        if matches!(saved, Err(AppError::Port(_))) {
            // it may have been done: to leave the upload as it was would forget whose the room is, so its lease ends by itself
            self.held = false;
        }
        saved
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

    /// With all its bytes, or left to others, an upload has no more set aside than it is due.
    async fn put(&mut self) -> Result<bool, AppError> {
        let goes_on = self.upload.state == UploadState::Open && self.upload.lease.is_some();
        let has_more = self.most_set_aside > self.upload.due_bytes();
        if has_more && !goes_on { self.settle().await } else { self.put_alone().await }
    }

    async fn put_alone(&mut self) -> Result<bool, AppError> {
        let saved = self.service.uploads.store.save_upload(&self.upload).await?;
        self.note(saved)
    }

    async fn settle(&mut self) -> Result<bool, AppError> {
        match self.put_with_room(&[], self.upload.due_bytes()).await {
            // what was set aside is gone, and there is no room for it now: a commit finds that out
            Err(error) if error.code() == Code::QuotaExceeded => {
                self.most_set_aside = 0;
                self.put_alone().await
            }
            other => other,
        }
    }

    async fn put_with_room(&mut self, merged: &[ReservationId], bytes: u64) -> Result<bool, AppError> {
        let until = self.upload.expires_at + RESERVATION_OUTLASTS;
        let store = &self.service.uploads.store;
        let saved = store.save_upload_with_room(&self.upload, merged, bytes, until).await;
        match saved {
            Ok(saved) => {
                self.most_set_aside = bytes;
                self.note(saved)
            }
            Err(NodeError::Port(error)) => {
                // it may have been done
                self.most_set_aside = self.most_set_aside.max(bytes);
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether somebody else wants the upload.
    fn note(&mut self, saved: Saved) -> Result<bool, AppError> {
        match saved {
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

    /// [`Hold::leave`] of an upload that has become a file. The parts that it was made of end in the same commit, also those that another upload names: what was
    /// set aside for them went to the whole, and nobody would answer for their bytes. These are removed after that by themselves; if this process ends before,
    /// they are strays to the sweep.
    ///
    /// # Errors
    /// As [`Hold::save`].
    pub(super) async fn leave_as_file(mut self) -> Result<Upload, AppError> {
        self.upload.lease = None;
        let parts = self.put_without_parts().await?;
        self.held = false;
        remove_bytes_later(&self.service, parts);
        Ok(self.upload.clone())
    }

    async fn put_without_parts(&mut self) -> Result<Vec<Upload>, AppError> {
        let (saved, parts) = self.service.uploads.store.save_upload_without_parts(&self.upload).await?;
        self.note(saved)?;
        Ok(parts)
    }

    /// Leaves an upload that was left by nobody, as after a crash, with no more set aside than it is due, and keeps it for no longer for that.
    ///
    /// # Errors
    /// As [`Hold::save`].
    pub(super) async fn clear_up(mut self) -> Result<(), AppError> {
        self.upload.lease = None;
        self.put().await?;
        self.held = false;
        Ok(())
    }

    /// Removes the upload and its bytes, and with what was put together its parts; false, and the upload is not removed, if somebody else has it by now, or it is
    /// gone. What a commit may have taken stays: if none did, the sweep takes it for a stray.
    ///
    /// # Errors
    /// `unavailable`; then it can be done again.
    pub(crate) async fn remove(mut self) -> Result<bool, AppError> {
        let is_final = matches!(self.saved.role, UploadRole::Final(_));
        // what was set aside for the parts is for this one since it has a reservation: with it gone nobody would answer for their bytes
        let has_joined = self.saved.reservation.is_some() || self.saved.state == UploadState::Complete;
        if is_final && has_joined {
            // not `save`: what has expired is kept for no longer
            self.upload.lease = Some(self.service.clock.now() + LEASE);
            match self.put_without_parts().await {
                Ok(parts) => remove_bytes_later(&self.service, parts),
                Err(error) if error.code() == Code::Locked => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let service = Arc::clone(&self.service);
        // the row first: whoever took the upload over goes on with the bytes
        let removed = service.uploads.store.remove_upload(self.saved.id, self.saved.generation).await?;
        self.held = false;
        if removed {
            remove_bytes(&service, &self.saved).await;
        }
        Ok(removed)
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

/// Removes the bytes of an upload whose row is gone.
async fn remove_bytes(service: &FileService, upload: &Upload) {
    if let Err(error) = service.uploads.partial.discard(&upload.blob).await {
        tracing::warn!(upload = %upload.id, cause = %Causes(&error), "bytes of an upload are left to the sweep");
    }
    // no commit ever takes what a part has become
    if upload.role == UploadRole::Part && upload.state == UploadState::Complete {
        remove_blob(service, upload.blob.key).await;
    }
}

fn remove_bytes_later(service: &Arc<FileService>, parts: Vec<Upload>) {
    if parts.is_empty() {
        return;
    }
    let task = Arc::clone(service);
    service.background.spawn(async move {
        for part in &parts {
            remove_bytes(&task, part).await;
        }
    });
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
        let has_more = self.most_set_aside > left.due_bytes();
        self.service.background.spawn(async move {
            let store = &service.uploads.store;
            let saved = if has_more {
                let until = left.expires_at + RESERVATION_OUTLASTS;
                let saved = store.save_upload_with_room(&left, &[], left.due_bytes(), until).await;
                saved.map_err(AppError::from)
            } else {
                store.save_upload(&left).await.map_err(AppError::from)
            };
            if let Err(error) = saved {
                tracing::warn!(upload = %left.id, cause = %Causes(&error), "an upload stays held until its lease ends");
            }
        });
    }
}
