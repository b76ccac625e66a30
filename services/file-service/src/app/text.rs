//! The text of a content, piece by piece.

use bytes::{Bytes, BytesMut};
use common::Code;
use common::files::{BlobRange, Content};
use futures_util::TryStreamExt as _;

use super::content::{self, Part};
use crate::error::AppError;
use crate::state::FileService;

/// How much of the start of a content is looked at for its encoding.
const HEAD_BYTES: u64 = 64 * 1024;

/// A piece of a text.
pub(crate) struct TextPiece {
    /// The name of the encoding in the WHATWG's standard, in lower case.
    pub(crate) encoding: String,
    /// The text.
    pub(crate) text: String,
    /// The byte after the last one of it; none at the end of the content.
    pub(crate) next: Option<u64>,
}

/// Decodes at most `limit` bytes of a content from the byte `from` on; the content is not shorter than that.
///
/// # Errors
/// `unsupported_media_type` if it is no text; those of the store.
pub(crate) async fn read(
    service: &FileService,
    content: &Content,
    from: u64,
    limit: u64,
) -> Result<TextPiece, AppError> {
    if !texts::is_plain(&content.mime) {
        return Err(AppError::because(Code::UnsupportedMediaType, "The content is no text"));
    }
    let head_len = content.size.min(HEAD_BYTES);
    let head = bytes(service, content, BlobRange { start: 0, len: head_len }).await?;
    let (encoding, mark) = texts::detect(&head, head_len == content.size);
    let start = from.max(mark as u64).min(content.size);
    let end = content.size.min(from.saturating_add(limit)).max(start);
    let part = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if end <= head.len() => head.slice(start..end),
        _ => bytes(service, content, BlobRange { start, len: end - start }).await?,
    };
    let piece = texts::decode_piece(encoding, &part, end < content.size);
    let next = start + piece.used as u64;
    Ok(TextPiece {
        encoding: encoding.name().to_ascii_lowercase(),
        text: piece.text,
        next: (next < content.size).then_some(next),
    })
}

async fn bytes(service: &FileService, content: &Content, part: BlobRange) -> Result<Bytes, AppError> {
    match content::read(service, content, part).await? {
        Part::Bytes(bytes) => Ok(bytes),
        Part::Stream(stream) => {
            let collected: BytesMut = stream
                .try_fold(BytesMut::new(), |mut all, piece| async move {
                    all.extend_from_slice(&piece);
                    Ok(all)
                })
                .await?;
            Ok(collected.freeze())
        }
    }
}
