//! Bytes that are at hand in memory, on their way into a blob and out of it.

use bytes::Bytes;
use common::digest::Hasher;
use common::files::internal::MAX_RANGE_BYTES;
use common::files::{BlobInfo, BlobRange, BlobStore, ByteStream, FileStore, NewBlob, Place};
use common::{BlobKey, Code, PortError, PortResult};
use futures_util::TryStreamExt as _;

use crate::error::AppError;
use crate::state::FileService;

/// Claims a blob store for a metadata store, before the service starts. Safe to repeat.
///
/// # Errors
/// `Broken` if the blobs are another store's, or if there is no mark although the metadata store has files: a disk that was lost, or is not mounted,
/// must not pass for a new one.
pub async fn claim_blobs(store: &dyn FileStore, blobs: &dyn BlobStore) -> PortResult<()> {
    if blobs.owner().await?.is_none() && store.count_nodes().await? > 0 {
        let what = "there are files, but the place of their contents is empty: it was lost or is not mounted";
        return Err(PortError::broken("blobs", what));
    }
    blobs.claim(&store.store_id().await?).await
}

/// Keeps `bytes` for a commit: small ones in the commit itself, others in the blob store, where they are durable on return and stray until the commit.
///
/// # Errors
/// `disk_full`, `unavailable`.
pub(crate) async fn keep(service: &FileService, bytes: Bytes) -> Result<NewBlob, AppError> {
    let key = service.ids.blob_key();
    if bytes.len() <= service.settings.inline_bytes {
        let mut hasher = Hasher::default();
        hasher.update(&bytes);
        let (size, sha256, crc32) = hasher.finish();
        return Ok(NewBlob { key, size, sha256, crc32, place: Place::Inline(bytes) });
    }
    let mut writer = service.blobs.create(key, Some(bytes.len() as u64)).await?;
    writer.write(bytes).await?;
    let written = writer.finish().await?;
    Ok(NewBlob { key, size: written.size, sha256: written.sha256, crc32: written.crc32, place: Place::Blob })
}

/// Deletes what [`keep`] put into the blob store and no commit took. If that fails, the sweep for strays finds it later.
pub(crate) async fn discard(service: &FileService, blobs: impl IntoIterator<Item = &NewBlob>) {
    for blob in blobs {
        if blob.place == Place::Blob
            && let Err(error) = service.blobs.delete(blob.key).await
        {
            tracing::warn!(blob = %blob.key, cause = %common::Causes(&error), "a stray blob is left to the sweep");
        }
    }
}

/// The bytes of a small blob, wherever they are.
///
/// # Errors
/// `internal` if they are not there although the store says so.
pub(crate) async fn read_whole(service: &FileService, blob: &BlobInfo) -> Result<Bytes, AppError> {
    if blob.inline {
        return service.store.read_inline(blob.key).await?.ok_or_else(|| missing(blob.key).into());
    }
    let mut stream = stream_whole(service, blob).await?;
    let mut bytes = Vec::with_capacity(usize::try_from(blob.size).unwrap_or_default());
    while let Some(piece) = stream.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// The bytes of a blob as a stream, wherever they are.
///
/// # Errors
/// As [`read_whole`].
pub(crate) async fn stream_whole(service: &FileService, blob: &BlobInfo) -> Result<ByteStream, AppError> {
    if blob.inline {
        let bytes = service.store.read_inline(blob.key).await?.ok_or_else(|| missing(blob.key))?;
        return Ok(Box::pin(futures_util::stream::once(async { Ok(bytes) })));
    }
    let whole = BlobRange { start: 0, len: blob.size };
    Ok(service.blobs.stream(blob.key, whole).await?.ok_or_else(|| missing(blob.key))?)
}

/// A part of a blob of at most 1 MiB, wherever its bytes are.
///
/// # Errors
/// As [`read_whole`]; `invalid_request` if the blob does not have that part.
pub(crate) async fn read_range(
    service: &FileService,
    blob: &BlobInfo,
    range: BlobRange,
) -> Result<Bytes, AppError> {
    let end = range.start.checked_add(range.len).filter(|end| *end <= blob.size);
    if range.len > MAX_RANGE_BYTES || end.is_none() {
        return Err(AppError::because(Code::InvalidRequest, "the blob has no such part"));
    }
    if blob.inline {
        let whole = read_whole(service, blob).await?;
        let (start, len) = (usize::try_from(range.start), usize::try_from(range.len));
        let part = start.ok().zip(len.ok()).and_then(|(start, len)| whole.get(start..start + len));
        return Ok(part.map(|part| whole.slice_ref(part)).ok_or_else(|| missing(blob.key))?);
    }
    Ok(service.blobs.read(blob.key, range).await?.ok_or_else(|| missing(blob.key))?)
}

fn missing(key: BlobKey) -> PortError {
    PortError::broken("blobs", format!("blob {key} is missing"))
}
