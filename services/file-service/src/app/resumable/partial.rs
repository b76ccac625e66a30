//! What is wrong with the bytes of an upload, to clients.

use common::Code;
use common::files::{PartialError, Upload};

use crate::error::AppError;

/// What clients learn of bytes that cannot be gone on with.
pub(super) fn partial_error(error: &PartialError, upload: &Upload) -> Option<AppError> {
    match error {
        PartialError::Busy => Some(AppError::because(Code::Locked, "Another request is at this upload")),
        PartialError::Gone => {
            tracing::error!(upload = %upload.id, blob = %upload.blob.key, "the bytes of an upload are gone");
            Some(AppError::because(Code::NotFound, "The bytes of this upload are gone: begin a new one"))
        }
        PartialError::Port(_) => None,
    }
}

impl From<PartialError> for AppError {
    fn from(error: PartialError) -> Self {
        match error {
            PartialError::Busy => Self::refused(Code::Locked),
            PartialError::Gone => Self::refused(Code::NotFound),
            PartialError::Port(error) => Self::Port(error),
        }
    }
}
