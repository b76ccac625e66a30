//! Reading contents.

use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use common::files::{Action, BlobRange, BlobStore, ByteStream, Content, FileStore};
use common::{BlobKey, Code, PortError, PortResult};
use futures_util::{TryStreamExt as _, stream};

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
    Ok(Reader::of(service, content).read(part).await?)
}

/// Reads the parts of a content one after another; each is opened when the one before has been sent, so that many cost no more memory than one.
pub(crate) fn read_in_turn(service: &FileService, content: &Content, part: BlobRange) -> ByteStream {
    let reader = Reader::of(service, content);
    let opened = async move {
        reader.read(part).await.map(|part| match part {
            Part::Bytes(bytes) => Box::pin(stream::once(ready(Ok(bytes)))),
            Part::Stream(stream) => stream,
        })
    };
    Box::pin(stream::once(opened).try_flatten())
}

/// Reads one content, wherever its bytes are.
struct Reader {
    store: Arc<dyn FileStore>,
    blobs: Arc<dyn BlobStore>,
    inline_bytes: u64,
    key: BlobKey,
    size: u64,
}

impl Reader {
    fn of(service: &FileService, content: &Content) -> Self {
        Self {
            store: Arc::clone(&service.store),
            blobs: Arc::clone(&service.blobs),
            inline_bytes: service.settings.inline_bytes as u64,
            key: content.blob,
            size: content.size,
        }
    }

    async fn read(&self, part: BlobRange) -> PortResult<Part> {
        if part.len == 0 {
            return Ok(Part::Bytes(Bytes::new()));
        }
        if self.size <= self.inline_bytes
            && let Some(bytes) = self.store.read_inline(self.key).await?
        {
            return self.slice(&bytes, part);
        }
        if part.len <= WHOLE_BYTES {
            if let Some(bytes) = self.blobs.read(self.key, part).await? {
                return Ok(Part::Bytes(bytes));
            }
        } else if let Some(stream) = self.blobs.stream(self.key, part).await? {
            return Ok(Part::Stream(stream));
        }
        // the bound of inline contents may have been lowered since
        match self.store.read_inline(self.key).await? {
            Some(bytes) => self.slice(&bytes, part),
            None => Err(self.damaged()),
        }
    }

    fn slice(&self, bytes: &Bytes, part: BlobRange) -> PortResult<Part> {
        let bound = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
        match (bound(part.start), bound(part.start.saturating_add(part.len))) {
            (Some(start), Some(end)) => Ok(Part::Bytes(bytes.slice(start..end))),
            _ => Err(self.damaged()),
        }
    }

    fn damaged(&self) -> PortError {
        PortError::broken("blobs", format!("blob {} is missing or cut", self.key))
    }
}
