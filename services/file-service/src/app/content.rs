//! Reading contents.

use bytes::Bytes;
use common::files::{Action, BlobRange, ByteStream, Content};
use common::{Code, PortError};

use super::access::Authorized;
use crate::error::AppError;
use crate::state::FileService;

/// Up to so many bytes are read in one piece, which costs one call to the disk and one write to the socket.
const WHOLE_BYTES: u64 = 256 * 1024;

/// A part of a content, ready to be sent. What is damaged or missing has been found out already, as far as sizes tell.
pub(crate) enum Part {
    /// All of it at once.
    Bytes(Bytes),
    /// Piece by piece.
    Stream(ByteStream),
}

/// The content of a file (action: read content).
///
/// # Errors
/// `not_a_file`.
pub(crate) fn of(file: &Authorized) -> Result<&Content, AppError> {
    debug_assert_eq!(file.action(), Action::ReadContent);
    file.node().content.as_ref().ok_or_else(|| AppError::refused(Code::NotAFile))
}

/// Reads a part of a content.
///
/// # Errors
/// `internal` if the bytes are missing or fewer than the store says: never a short answer. `unavailable`.
pub(crate) async fn read(
    service: &FileService,
    content: &Content,
    part: BlobRange,
) -> Result<Part, AppError> {
    if part.len == 0 {
        return Ok(Part::Bytes(Bytes::new()));
    }
    if content.size <= service.settings.inline_bytes as u64
        && let Some(bytes) = service.store.read_inline(content.blob).await?
    {
        return slice(&bytes, content, part).map(Part::Bytes);
    }
    if part.len <= WHOLE_BYTES {
        if let Some(bytes) = service.blobs.read(content.blob, part).await? {
            return Ok(Part::Bytes(bytes));
        }
    } else if let Some(stream) = service.blobs.stream(content.blob, part).await? {
        return Ok(Part::Stream(stream));
    }
    // the bound of inline contents may have been lowered since
    match service.store.read_inline(content.blob).await? {
        Some(bytes) => slice(&bytes, content, part).map(Part::Bytes),
        None => Err(damaged(content)),
    }
}

fn slice(bytes: &Bytes, content: &Content, part: BlobRange) -> Result<Bytes, AppError> {
    let bound = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
    let (start, end) = (bound(part.start), bound(part.start.saturating_add(part.len)));
    match (start, end) {
        (Some(start), Some(end)) => Ok(bytes.slice(start..end)),
        _ => Err(damaged(content)),
    }
}

fn damaged(content: &Content) -> AppError {
    PortError::broken("blobs", format!("blob {} is missing or cut", content.blob)).into()
}
