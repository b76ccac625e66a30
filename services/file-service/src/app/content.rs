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

impl Part {
    /// Piece by piece in any case.
    pub(crate) fn into_stream(self) -> ByteStream {
        match self {
            Self::Bytes(bytes) => Box::pin(stream::once(ready(Ok(bytes)))),
            Self::Stream(stream) => stream,
        }
    }
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
    Ok(Reader::of(service).read(content.blob, content.size, part).await?)
}

/// Reads the parts of a content one after another; each is opened when the one before has been sent, so that many cost no more memory than one.
pub(crate) fn read_in_turn(service: &FileService, content: &Content, part: BlobRange) -> ByteStream {
    let (reader, key, size) = (Reader::of(service), content.blob, content.size);
    let opened = async move { reader.read(key, size, part).await.map(Part::into_stream) };
    Box::pin(stream::once(opened).try_flatten())
}

/// Reads contents, wherever their bytes are. Cheap to clone, for what goes on after its request was answered.
#[derive(Clone)]
pub(crate) struct Reader {
    store: Arc<dyn FileStore>,
    blobs: Arc<dyn BlobStore>,
    inline_bytes: u64,
}

impl Reader {
    pub(crate) fn of(service: &FileService) -> Self {
        Self {
            store: Arc::clone(&service.store),
            blobs: Arc::clone(&service.blobs),
            inline_bytes: service.settings.inline_bytes as u64,
        }
    }

    /// Reads a part of the content under `key`, which has `size` bytes.
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) async fn read(&self, key: BlobKey, size: u64, part: BlobRange) -> PortResult<Part> {
        if part.len == 0 {
            return Ok(Part::Bytes(Bytes::new()));
        }
        if size <= self.inline_bytes
            && let Some(bytes) = self.store.read_inline(key).await?
        {
            return slice(key, &bytes, part);
        }
        if part.len <= WHOLE_BYTES {
            if let Some(bytes) = self.blobs.read(key, part).await? {
                return Ok(Part::Bytes(bytes));
            }
        } else if let Some(stream) = self.blobs.stream(key, part).await? {
            return Ok(Part::Stream(stream));
        }
        // the bound of inline contents may have been lowered since
        match self.store.read_inline(key).await? {
            Some(bytes) => slice(key, &bytes, part),
            None => Err(damaged(key)),
        }
    }
}

fn slice(key: BlobKey, bytes: &Bytes, part: BlobRange) -> PortResult<Part> {
    let bound = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
    match (bound(part.start), bound(part.start.saturating_add(part.len))) {
        (Some(start), Some(end)) => Ok(Part::Bytes(bytes.slice(start..end))),
        _ => Err(damaged(key)),
    }
}

fn damaged(key: BlobKey) -> PortError {
    PortError::broken("blobs", format!("blob {key} is missing or cut"))
}
