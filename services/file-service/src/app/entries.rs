//! What is in an archive that somebody uploaded.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use common::files::{BlobRange, Content};
use common::{BlobKey, Code, PortError};
use entries::{Error, Page, Source};
use futures_util::TryStreamExt as _;

use super::content::{Part, Reader};
use crate::error::AppError;
use crate::state::FileService;

/// Up to `limit` entries of an archive, from a place on that a page before named; 0 is the start.
///
/// # Errors
/// `unsupported_media_type` if it is no archive that is read, `unreadable_archive` if it cannot be; those of the store.
pub(crate) async fn list(
    service: &FileService,
    content: &Content,
    from: u64,
    limit: u32,
) -> Result<Page, AppError> {
    let Some(kind) = entries::kind_of(&content.mime) else {
        let detail = "The content is neither a zip nor a tar";
        return Err(AppError::because(Code::UnsupportedMediaType, detail));
    };
    let mut source = Ranges { reader: Reader::of(service), blob: content.blob, size: content.size };
    let listed = entries::list(&mut source, content.size, kind, from, limit as usize).await;
    listed.map_err(|error| match error {
        Error::Source(error) => error.into(),
        Error::Damaged(why) | Error::Unsupported(why) | Error::TooMuch(why) => {
            AppError::because(Code::UnreadableArchive, format!("The archive cannot be read: {why}"))
        }
    })
}

/// A content, by ranges of its blob.
struct Ranges {
    reader: Reader,
    blob: BlobKey,
    size: u64,
}

#[async_trait]
impl Source for Ranges {
    type Error = PortError;

    async fn read(&mut self, start: u64, len: usize) -> Result<Bytes, PortError> {
        let part = BlobRange { start, len: len as u64 };
        match self.reader.read(self.blob, self.size, part).await? {
            Part::Bytes(bytes) => Ok(bytes),
            Part::Stream(stream) => {
                let all: BytesMut = stream
                    .try_fold(BytesMut::with_capacity(len), |mut all, piece| async move {
                        all.extend_from_slice(&piece);
                        Ok(all)
                    })
                    .await?;
                Ok(all.freeze())
            }
        }
    }
}
