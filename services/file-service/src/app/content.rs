//! Reading contents.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use common::files::{Action, BlobRange, BlobStore, ByteStream, Content, FileStore};
use common::{BlobKey, Code, PortError, PortResult};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::access::Authorized;
use crate::error::AppError;
use crate::state::FileService;

/// Up to so many bytes are read in one piece, which costs one call to the disk and one write to the socket.
const WHOLE_BYTES: u64 = 256 * 1024;

/// Of the small contents that are read together, so many that are not in the metadata store are looked for at once.
const AT_ONCE: usize = 4;

/// A small part of a content, of at most 256 KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SmallPart {
    pub(crate) key: BlobKey,
    /// Of the whole content, in bytes.
    pub(crate) size: u64,
    pub(crate) part: BlobRange,
}

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
        if self.is_expected_inline(size)
            && let Some(bytes) = self.store.read_inline(key).await?
        {
            return slice(key, &bytes, part).map(Part::Bytes);
        }
        if part.len <= WHOLE_BYTES {
            return self.read_apart(key, part).await.map(Part::Bytes);
        }
        match self.blobs.stream(key, part).await? {
            Some(stream) => Ok(Part::Stream(stream)),
            None => self.read_after_all(key, part).await.map(Part::Bytes),
        }
    }

    /// Whether a content of this size is kept in the metadata store, by the bound of today.
    pub(crate) fn is_expected_inline(&self, size: u64) -> bool {
        size <= self.inline_bytes
    }

    /// Reads small parts, in their order, of which none is empty: those in the metadata store by one question for all, as many as that takes
    /// ([`FileStore::read_inline_many`]), the others one by one, four at once. The bytes of those before the first that cannot be read, and why it
    /// cannot: as [`Reader::read`] would have it of each. At most all of them, and all of their contents that are inline, are in memory.
    pub(crate) async fn read_small(&self, parts: &[SmallPart]) -> (Vec<Bytes>, Option<PortError>) {
        let inline: Vec<BlobKey> =
            parts.iter().filter(|part| self.is_expected_inline(part.size)).map(|part| part.key).collect();
        // where that fails each is read by itself, and what is at fault fails again
        let inline = if inline.is_empty() {
            Vec::new()
        } else {
            self.store.read_inline_many(&inline).await.unwrap_or_default()
        };
        let mut inline = inline.into_iter();
        let (mut read, mut apart, mut error) = (Vec::with_capacity(parts.len()), Vec::new(), None);
        for part in parts {
            let found = if self.is_expected_inline(part.size) { inline.next().flatten() } else { None };
            match found.map(|bytes| slice(part.key, &bytes, part.part)) {
                Some(Ok(bytes)) => read.push(bytes),
                Some(Err(cut)) => {
                    error = Some(cut);
                    break;
                }
                None => {
                    apart.push((read.len(), *part));
                    // stands in its place until it is read
                    read.push(Bytes::new());
                }
            }
        }
        let reader = self.clone();
        let apart = stream::iter(apart).map(move |(at, part)| {
            let reader = reader.clone();
            async move { (at, reader.read_apart(part.key, part.part).await) }
        });
        let mut apart = pin!(apart.buffered(AT_ONCE));
        while let Some((at, bytes)) = apart.next().await {
            match bytes {
                Ok(bytes) => read[at] = bytes,
                Err(cause) => {
                    read.truncate(at);
                    error = Some(cause);
                    break;
                }
            }
        }
        (read, error)
    }

    /// A small part of what the metadata store has not, as it seems.
    async fn read_apart(&self, key: BlobKey, part: BlobRange) -> PortResult<Bytes> {
        match self.blobs.read(key, part).await? {
            Some(bytes) => Ok(bytes),
            None => self.read_after_all(key, part).await,
        }
    }

    /// The bound of inline contents may have been lowered since.
    async fn read_after_all(&self, key: BlobKey, part: BlobRange) -> PortResult<Bytes> {
        match self.store.read_inline(key).await? {
            Some(bytes) => slice(key, &bytes, part),
            None => Err(damaged(key)),
        }
    }
}

fn slice(key: BlobKey, bytes: &Bytes, part: BlobRange) -> PortResult<Bytes> {
    let bound = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
    match (bound(part.start), bound(part.start.saturating_add(part.len))) {
        (Some(start), Some(end)) => Ok(bytes.slice(start..end)),
        _ => Err(damaged(key)),
    }
}

fn damaged(key: BlobKey) -> PortError {
    PortError::broken("blobs", format!("blob {key} is missing or cut"))
}
