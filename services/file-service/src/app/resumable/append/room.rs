//! Keeps room for the bytes that a request brings.

use common::Code;
use common::files::NodeError;

use super::Session;
use crate::app::resumable::{RESERVATION_OUTLASTS, check_room};
use crate::error::AppError;

/// By how much the reservation of an upload grows that is not set aside at once: of unknown length, or by a link.
const RESERVED_AT_ONCE: u64 = 8 * 1024 * 1024;

impl Session {
    /// Sets aside what the request has said of the length.
    pub(super) async fn reserve_length(&mut self) -> Result<(), AppError> {
        let upload = &self.hold.upload;
        match (upload.reservation, upload.length) {
            (Some(_), Some(length)) if self.hold.saved_length().is_none() => match upload.link {
                None => self.set_aside(length).await,
                Some(_) => check_room(self.hold.service(), upload.space, length - upload.offset()).await,
            },
            _ => Ok(()),
        }
    }

    /// Keeps the reservation ahead of the bytes, where it was not made for all of them: of an upload of unknown length, and of one by a link, whose visitors
    /// could otherwise keep all room from its owner and send nothing.
    pub(super) async fn reserve_more(&mut self, size: u64) -> Result<(), AppError> {
        let upload = &self.hold.upload;
        let ahead = match (upload.link, upload.length) {
            (Some(_), _) => RESERVED_AT_ONCE,
            (None, None) => RESERVED_AT_ONCE.max(size / 4),
            (None, Some(_)) => return Ok(()),
        };
        if upload.reservation.is_none() || size <= self.reserved {
            return Ok(());
        }
        let ample = size.saturating_add(ahead).min(upload.length.unwrap_or(u64::MAX));
        match self.set_aside(ample).await {
            Ok(()) => self.reserved = ample,
            // near the quota: what is there already may still fit
            Err(error) if error.code() == Code::QuotaExceeded => {
                self.set_aside(size).await?;
                self.reserved = size;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// By a link nothing stays set aside beyond the bytes that have come.
    pub(super) async fn give_back(&mut self) {
        let offset = self.hold.upload.offset();
        if self.hold.upload.link.is_none() || self.reserved <= offset {
            return;
        }
        // whoever has the upload by now has set room aside, too
        let given = match self.hold.save().await {
            Ok(_) => self.set_aside(offset).await,
            Err(error) => Err(error),
        };
        if let Err(error) = given {
            tracing::debug!(code = error.code().word(), "what was set aside for an upload is not given back");
        }
    }

    async fn set_aside(&self, bytes: u64) -> Result<(), AppError> {
        let upload = &self.hold.upload;
        let Some(reservation) = upload.reservation else { return Ok(()) };
        let until = upload.expires_at + RESERVATION_OUTLASTS;
        let reserved: Result<(), NodeError> =
            self.hold.service().store.reserve(upload.space, reservation, bytes, until).await;
        Ok(reserved?)
    }
}
