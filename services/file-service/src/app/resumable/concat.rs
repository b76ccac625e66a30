//! Uploads that came in parts, put together.
//!
//! Each part becomes a blob of its own, and they are read one after another into that of the file: its digest is not known otherwise.

use std::sync::Arc;
use std::time::Duration;

use common::files::{
    BlobRange, Committed, PartialBlob, PartialWriter, Upload, UploadRole, UploadState, Uploader,
};
use common::{Causes, Code, PortError, ReservationId, UploadId, allowance};
use futures_util::TryStreamExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::hold::{Hold, RENEWED_EVERY};
use super::partial::partial_error;
use super::{check_size, finish, length_of};
use crate::error::AppError;
use crate::state::FileService;

/// Most bytes between two values of the row.
const UNSAVED: u64 = 96 * 1024 * 1024;

/// How long whoever wants an upload that is being put together is given to take it: some of their tries.
const ASIDE: Duration = Duration::from_millis(250);

/// How putting an upload together has ended.
enum Joined {
    /// All bytes are there.
    Whole(Hold),
    /// Somebody wants the upload.
    Wanted(Hold),
}

/// The parts of a final upload, in order.
///
/// # Errors
/// `invalid_request` if one of them is not there, not theirs, or no part.
pub(super) async fn parts_of(
    service: &FileService,
    of: Uploader,
    parts: &[UploadId],
) -> Result<Vec<Upload>, AppError> {
    let mut found = Vec::with_capacity(parts.len());
    for id in parts {
        let part = service.uploads.store.find_upload(*id).await?;
        let part = part.filter(|part| part.uploader() == of && part.role == UploadRole::Part);
        let why =
            || AppError::because(Code::InvalidRequest, format!("{id} is no part that can be put together"));
        found.push(part.ok_or_else(why)?);
    }
    Ok(found)
}

/// Puts a final upload together if all its parts are there and nobody is at it, and waits for that for so long. How far it is then.
///
/// # Errors
/// Those of a commit.
pub(crate) async fn concatenate(
    service: &Arc<FileService>,
    upload: Upload,
    patience: Duration,
) -> Result<(Upload, Option<Committed>), AppError> {
    let UploadRole::Final(parts) = &upload.role else { return Ok((upload, None)) };
    if matches!(upload.state, UploadState::Done(_)) {
        return Ok((upload, None));
    }
    let parts = parts_of(service, upload.uploader(), parts).await;
    let ready = upload.state == UploadState::Complete
        || parts.is_ok_and(|parts| parts.iter().all(|part| part.state == UploadState::Complete));
    if !ready {
        return Ok((upload, None));
    }
    let Some(hold) = Hold::take_if_free(service, upload.id).await? else { return Ok((upload, None)) };
    let cause = http_kit::cause::current();
    let task = service.background.spawn_awaited(async move {
        let mut hold = hold;
        while hold.upload.state == UploadState::Open {
            hold = match join(hold).await? {
                Joined::Whole(hold) => hold,
                Joined::Wanted(hold) => match step_aside(hold).await? {
                    (_, Some(hold)) => hold,
                    // somebody else puts it together
                    (upload, None) => return Ok((upload, None)),
                },
            };
        }
        match hold.upload.state {
            UploadState::Done(_) => Ok((hold.leave().await?, None)),
            _ => finish::finish(hold, cause).await.map(|(upload, committed)| (upload, Some(committed))),
        }
    });
    match timeout(patience, task).await {
        Ok(result) => result.map_err(|ended| PortError::broken("files", ended))?,
        Err(_) => Ok((upload, None)),
    }
}

/// After a part got its last byte: whoever waits for it may have all.
fn wake(service: &Arc<FileService>, part: UploadId) {
    let task = Arc::clone(service);
    service.background.spawn(async move {
        let woken = async {
            for id in task.uploads.store.finals_of_part(part).await? {
                if let Some(upload) = task.uploads.store.find_upload(id).await? {
                    // what fails now is tried again when somebody asks for the upload
                    if let Err(error) = concatenate(&task, upload, Duration::MAX).await {
                        tracing::info!(upload = %id, code = error.code().word(), "an upload was not put together");
                    }
                }
            }
            Ok::<_, AppError>(())
        };
        if let Err(error) = woken.await {
            tracing::warn!(%part, cause = %Causes(&error), "uploads that wait for a part were not found");
        }
    });
}

/// Leaves an upload to whoever wants it, and takes it again if they have left it: who changes its name ends nothing.
///
/// # Errors
/// `not_found` if they have ended it.
async fn step_aside(hold: Hold) -> Result<(Upload, Option<Hold>), AppError> {
    let service = Arc::clone(hold.service());
    let upload = hold.leave().await?;
    sleep(ASIDE).await;
    let again = Hold::take_if_free(&service, upload.id).await?;
    Ok((upload, again))
}

/// Reads all parts into the upload, from the first one on.
async fn join(mut hold: Hold) -> Result<Joined, AppError> {
    let service = Arc::clone(hold.service());
    let UploadRole::Final(ids) = hold.upload.role.clone() else {
        return Err(PortError::broken("files", "an upload without parts was to be put together").into());
    };
    let parts = parts_of(&service, hold.upload.uploader(), &ids).await?;
    let length = length_of(&parts).ok_or_else(|| AppError::refused(Code::UploadLength))?;
    // not known before where one of them told its own late
    check_size(&service, Some(length))?;
    hold.upload.length = Some(length);
    merge_reservations(&service, &mut hold, &parts, length).await?;
    // what was left or crashed in the middle begins again
    let empty = PartialBlob::new(hold.upload.blob.key);
    if hold.upload.blob != empty {
        service.uploads.partial.discard(&hold.upload.blob).await?;
        hold.upload.blob = empty;
    }
    let mut writer = service
        .uploads
        .partial
        .append(&hold.upload.blob, Some(length), UNSAVED)
        .await
        .map_err(|error| partial_error(&error, &hold.upload).unwrap_or_else(|| error.into()))?;
    hold.upload.blob = writer.durable().clone();
    let is_wanted = hold.save().await? || read_parts(&mut hold, &mut *writer, &parts).await?;
    hold.upload.blob = writer.close().await?;
    if is_wanted {
        return Ok(Joined::Wanted(hold));
    }
    hold.upload.state = UploadState::Complete;
    // whoever wants it waits for the file
    hold.save().await?;
    Ok(Joined::Whole(hold))
}

/// Reads the parts one after another; whether somebody wanted the upload before the end.
async fn read_parts(
    hold: &mut Hold,
    writer: &mut dyn PartialWriter,
    parts: &[Upload],
) -> Result<bool, AppError> {
    let (service, stop) = (Arc::clone(hold.service()), hold.stop());
    let mut saved_at = Instant::now();
    for part in parts {
        check_part(&service, part).await?;
        let whole = BlobRange { start: 0, len: part.blob.size };
        let stream = service.blobs.stream(part.blob.key, whole).await?;
        let mut stream =
            stream.ok_or_else(|| PortError::broken("blobs", "a part that was finished is not there"))?;
        loop {
            let piece = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(true),
                piece = stream.try_next() => piece?,
            };
            let Some(piece) = piece else { break };
            writer.write(piece).await?;
            // it goes on for as long as it gets on
            allowance::renew();
            let durable = writer.durable();
            if saved_at.elapsed() > RENEWED_EVERY || durable.size - hold.upload.offset() > UNSAVED / 4 {
                hold.upload.blob = durable.clone();
                if hold.save().await? {
                    return Ok(true);
                }
                saved_at = Instant::now();
            }
        }
    }
    Ok(false)
}

/// What was set aside for the parts is for the whole from now on: the upload has a reservation since then, and not before.
async fn merge_reservations(
    service: &FileService,
    hold: &mut Hold,
    parts: &[Upload],
    length: u64,
) -> Result<(), AppError> {
    if service.store.usage(hold.upload.space).await?.quota_bytes.is_none() {
        return Ok(());
    }
    let merged: Vec<_> = parts.iter().filter_map(|part| part.reservation).collect();
    let fresh = ReservationId(service.ids.object_id());
    hold.upload.reservation = hold.upload.reservation.or(Some(fresh));
    // who wants it finds it soon
    hold.save_with_room_of(&merged, length).await.map(drop)
}

/// Makes a part a blob that can be read.
///
/// # Errors
/// `digest_mismatch` if it is not what was announced.
async fn check_part(service: &FileService, part: &Upload) -> Result<(), AppError> {
    let finished = service.uploads.partial.finish(&part.blob).await;
    let written = finished.map_err(|error| partial_error(&error, part).unwrap_or_else(|| error.into()))?;
    match part.digest {
        Some(digest) if digest != written.sha256 => Err(AppError::refused(Code::DigestMismatch)),
        _ => Ok(()),
    }
}

/// Keeps a part that has all its bytes, and wakes whoever waits for it.
///
/// # Errors
/// `digest_mismatch`, which ends it; what else fails can be repeated.
pub(super) async fn complete_part(mut hold: Hold) -> Result<Upload, AppError> {
    let service = Arc::clone(hold.service());
    if hold.upload.digest.is_some() {
        // from here on the bytes may become a blob, so the row must say that they are all there
        hold.save().await?;
        match check_part(&service, &hold.upload).await {
            Ok(()) => {}
            Err(error) if error.code() == Code::DigestMismatch => {
                hold.remove().await?;
                return Err(error);
            }
            Err(error) => {
                hold.leave().await?;
                return Err(error);
            }
        }
    }
    let upload = hold.leave().await?;
    wake(&service, upload.id);
    Ok(upload)
}
