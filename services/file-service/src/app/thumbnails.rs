//! Thumbnails: what the worker asks and gives, and what viewers get. They belong to a blob, so copies and old versions share them.

use bytes::Bytes;
use common::files::internal::{ThumbnailBegin, ThumbnailUpload, ThumbnailWork};
use common::files::{
    Action, Actor, MediaFacts, NewBlob, NewThumbnail, ThumbnailInfo, ThumbnailSize, ThumbnailState,
};
use common::{BlobKey, Code};

use super::access::{Authorized, authorize};
use super::blobs;
use crate::error::AppError;
use crate::state::FileService;

/// Largest thumbnail that is taken. One of 1280 pixels in an inefficient format has some 5 MiB.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What a viewer gets.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is there.
    Ready(ThumbnailInfo),
    /// A job makes it.
    Pending,
    /// There is none and will be none, perhaps with a reason.
    None(Option<String>),
}

/// The thumbnail of a file that the caller may read.
///
/// # Errors
/// `not_a_file`.
pub(crate) async fn find(
    service: &FileService,
    file: &Authorized,
    size: ThumbnailSize,
) -> Result<Found, AppError> {
    debug_assert!(matches!(file.action(), Action::ReadPreview | Action::ReadContent));
    let content = file.node().content.as_ref().ok_or_else(|| AppError::refused(Code::NotAFile))?;
    Ok(match content.thumbnails {
        ThumbnailState::Pending => Found::Pending,
        ThumbnailState::None => Found::None(None),
        ThumbnailState::Failed => Found::None(content.thumbnails_reason.clone()),
        ThumbnailState::Ready => match service.store.find_thumbnail(content.blob, size).await? {
            Some(thumbnail) => Found::Ready(thumbnail),
            None => Found::None(None),
        },
    })
}

/// Whether the worker shall make thumbnails of a file. Safe to repeat.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn begin(
    service: &FileService,
    question: &ThumbnailBegin,
) -> Result<ThumbnailWork, AppError> {
    let file = match authorize(service, Actor::Service, Action::ReadContent, question.file).await {
        Ok(file) => file,
        Err(error) if error.code() == Code::NotFound => return Ok(ThumbnailWork::FileNotFound),
        Err(error) => return Err(error),
    };
    if file.node().owner != question.user {
        return Ok(ThumbnailWork::FileNotFound);
    }
    let content = match (&file.node().content, question.blob) {
        (None, _) => return Ok(ThumbnailWork::FileNotFound),
        (Some(current), None) => current.clone(),
        (Some(_), Some(blob)) => match service.store.find_content_of_job(question.file, blob).await? {
            Some(content) => content,
            // replaced since: thumbnails of the old content are of no use to anybody, and that is no failure
            None => return Ok(ThumbnailWork::Settled),
        },
    };
    Ok(match content.thumbnails {
        // a job that was given up or called off may be tried again
        ThumbnailState::Pending | ThumbnailState::Failed => {
            ThumbnailWork::Wanted { blob: content.blob, size: content.size, mime: content.mime }
        }
        ThumbnailState::None | ThumbnailState::Ready => ThumbnailWork::Settled,
    })
}

/// Keeps thumbnails that the worker made. False if the blob has some already or is gone; then nothing is left of these. Safe to repeat.
///
/// # Errors
/// `disk_full`, `unavailable`; `invalid_request` for a size or a type that no thumbnail has.
pub(crate) async fn keep(
    service: &FileService,
    original: BlobKey,
    upload: &ThumbnailUpload,
    bytes: Vec<Bytes>,
) -> Result<bool, AppError> {
    if service.store.find_blob(original).await?.is_none() {
        return Ok(false);
    }
    // all of them are looked at before one is written
    let sizes = upload.pictures.iter().map(|picture| {
        ThumbnailSize::of(picture.size)
            .filter(|_| picture.mime.starts_with("image/"))
            .ok_or_else(|| AppError::because(Code::InvalidRequest, "no such thumbnail"))
    });
    let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
    let mut thumbnails = Vec::with_capacity(bytes.len());
    for ((picture, size), bytes) in upload.pictures.iter().zip(sizes).zip(bytes) {
        match blobs::keep(service, bytes).await {
            Ok(blob) => thumbnails.push(NewThumbnail { size, blob, mime: picture.mime.clone() }),
            Err(error) => {
                discard(service, &thumbnails).await;
                return Err(error);
            }
        }
    }
    let media = upload.media.clone().map(MediaFacts::checked);
    let kept = service.store.keep_thumbnails(original, media, &thumbnails, service.clock.now()).await;
    // after an error the commit may have happened: then these are no strays, and the sweep knows
    if matches!(kept, Ok(false)) {
        discard(service, &thumbnails).await;
    }
    Ok(kept?)
}

async fn discard(service: &FileService, thumbnails: &[NewThumbnail]) {
    let new: Vec<&NewBlob> = thumbnails.iter().map(|thumbnail| &thumbnail.blob).collect();
    blobs::discard(service, new).await;
}
