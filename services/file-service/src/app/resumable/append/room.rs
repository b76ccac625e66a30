//! Keeps room for the bytes that a request brings.

use common::Code;

use super::Session;
use crate::app::resumable::find_room;
use crate::error::AppError;

/// By how much the reservation of an upload grows that is not set aside at once: of unknown length, or by a link.
const RESERVED_AT_ONCE: u64 = 8 * 1024 * 1024;

impl Session {
    /// Sets aside what the request has said of the length. By a link it is only looked whether there is room for it.
    pub(super) async fn reserve_length(&mut self) -> Result<(), AppError> {
        let upload = &self.hold.upload;
        let (Some(_), Some(length)) = (upload.reservation, upload.length) else { return Ok(()) };
        if self.hold.saved_length().is_some() {
            return Ok(());
        }
        if upload.link.is_none() {
            return self.hold.save_with_room(length).await.map(drop);
        }
        match find_room(self.hold.service(), upload.space).await? {
            Some(room) if length - upload.offset() > room => Err(AppError::refused(Code::QuotaExceeded)),
            _ => Ok(()),
        }
    }

    /// Keeps the reservation ahead of the bytes, where it was not made for all of them: of an upload of unknown length, and of one by a link, whose visitors
    /// could otherwise keep all room from its owner and send nothing.
    pub(super) async fn reserve_more(&mut self, size: u64) -> Result<(), AppError> {
        let upload = &self.hold.upload;
        let (space, length) = (upload.space, upload.length);
        let ahead = match (upload.link, length) {
            (Some(_), _) => RESERVED_AT_ONCE,
            (None, None) => RESERVED_AT_ONCE.max(size / 4),
            (None, Some(_)) => return Ok(()),
        };
        if upload.reservation.is_none() || size <= self.reserved {
            return Ok(());
        }
        let ample = size.saturating_add(ahead).min(length.unwrap_or(u64::MAX));
        if self.set_aside(ample).await? {
            return Ok(());
        }
        // near the quota what is left, so that small pieces do not cost a commit each, but not much of it; what came before is set aside already
        let left = find_room(self.hold.service(), space).await?.unwrap_or(u64::MAX).min(RESERVED_AT_ONCE);
        let rest = self.reserved.max(self.size).saturating_add(left).clamp(size, ample);
        // others may have been faster
        if (rest > size && self.set_aside(rest).await?) || self.set_aside(size).await? {
            return Ok(());
        }
        Err(AppError::refused(Code::QuotaExceeded))
    }

    /// Sets so many bytes aside for the upload; whether they found room.
    async fn set_aside(&mut self, bytes: u64) -> Result<bool, AppError> {
        match self.hold.save_with_room(bytes).await {
            Ok(_) => {
                self.reserved = bytes;
                Ok(true)
            }
            Err(error) if error.code() == Code::QuotaExceeded => Ok(false),
            Err(error) => Err(error),
        }
    }
}
