//! Makes an upload whose bytes are all there a file.

use std::sync::Arc;

use common::files::{
    Actor, BlobRange, Committed, LinkRole, NewBlob, OnConflict, Place, Upload, UploadState, WrittenBlob,
};
use common::jobs::Cause;
use common::{Code, PortError, Sha256, Timestamp};
use runtime::crash_point;

use super::DONE_FOR;
use super::hold::Hold;
use super::partial::partial_error;
use crate::app::access::{Target, authorize_parent};
use crate::app::sharing::notices;
use crate::app::sniff;
use crate::app::upload::{self, Announced, Finished, Received, Reservation, Sender, Subject};
use crate::app::watch::Pass;
use crate::error::AppError;
use crate::state::FileService;

/// Files with a content that are looked through for one.
const COPIES: u32 = 1_000;

/// Commits a complete upload, once: a repetition finds what an earlier one has done. It goes on to its end although the caller may be dropped.
///
/// # Errors
/// Those of a commit, such as `name_taken`: then the upload stays complete, and can be committed again, to another name. `digest_mismatch` ends it.
pub(super) async fn finish(hold: Hold, cause: Cause) -> Result<(Upload, Committed), AppError> {
    let service = Arc::clone(hold.service());
    let task = service.background.clone().spawn_awaited(run(service, hold, cause));
    task.await.map_err(|ended| PortError::broken("files", ended))?
}

async fn run(
    service: Arc<FileService>,
    mut hold: Hold,
    cause: Cause,
) -> Result<(Upload, Committed), AppError> {
    // from here on the bytes may become a blob, so the row must say that they are all there
    hold.save().await?;
    let (committed, digest) = match earlier(&service, &hold.upload).await? {
        Some(committed) => committed,
        None => match commit(&service, &hold, cause).await {
            Ok(committed) => committed,
            Err(error) if error.code() == Code::DigestMismatch => {
                // said before the bytes were all there, so that no commit has taken them
                hold.remove_with_blob().await?;
                return Err(error);
            }
            Err(error) => {
                hold.leave().await?;
                return Err(error);
            }
        },
    };
    crash_point("uploads.before-done");
    let upload = &mut hold.upload;
    upload.state = UploadState::Done(committed.node.id);
    upload.expires_at = service.clock.now() + DONE_FOR;
    // what a receipt says of it
    upload.digest = Some(digest);
    // settled by the commit
    upload.reservation = None;
    upload.blob.state.clear();
    Ok((hold.leave_as_file().await?, committed))
}

/// When an upload has become a file, if it has.
pub(crate) fn done_at(upload: &Upload) -> Option<Timestamp> {
    matches!(upload.state, UploadState::Done(_)).then(|| upload.expires_at - DONE_FOR)
}

/// What a commit did whose answer nobody heard, and the digest of the content.
async fn earlier(service: &FileService, upload: &Upload) -> Result<Option<(Committed, Sha256)>, AppError> {
    let Some(blob) = service.store.find_blob(upload.blob.key).await? else { return Ok(None) };
    let gone = || AppError::refused(Code::NotFound);
    // no other upload makes a file of this id, while copies share its content
    if let Some(path) = service.store.find_path(upload.file).await? {
        return Ok(Some((Committed { node: path.node, created: true }, blob.sha256)));
    }
    // it was a file, and that was deleted
    if upload.on_conflict != OnConflict::Replace {
        return Err(gone());
    }
    // what was replaced has the name, which no copy elsewhere is known by
    let name = upload.name.as_ref().ok_or_else(gone)?;
    let node = service.store.find_child(upload.parent, name).await?.ok_or_else(gone)?;
    let is_content = node.content.as_ref().is_some_and(|content| content.blob == upload.blob.key);
    // it may have got other content since
    if !is_content && !service.store.files_of_blob(upload.blob.key, COPIES).await?.contains(&node.id) {
        return Err(gone());
    }
    Ok(Some((Committed { node, created: false }, blob.sha256)))
}

/// As whom an upload becomes a file, and who brings it: by a link, whoever has it now.
///
/// # Errors
/// `not_found` if the link has ended.
async fn sender(service: &FileService, upload: &Upload, cause: &Cause) -> Result<(Actor, Sender), AppError> {
    let Some(id) = upload.link else {
        return Ok((Actor::User(upload.owner), Sender::Caller(Pass::Free)));
    };
    let link = service.links.find_link(id).await?.ok_or_else(|| AppError::refused(Code::NotFound))?;
    let actor = service.gate.open(&link).await?;
    let job = notices::used(service, &link, link.node).job.caused_by(cause);
    Ok((actor, Sender::Visitor(id, Box::new(job))))
}

async fn commit(service: &FileService, hold: &Hold, cause: Cause) -> Result<(Committed, Sha256), AppError> {
    let upload = &hold.upload;
    let name = upload
        .name
        .as_ref()
        .ok_or_else(|| AppError::because(Code::InvalidRequest, "The file needs a name"))?;
    let (actor, sender) = sender(service, upload, &cause).await.map_err(upload::parent_gone)?;
    let parent = authorize_parent(service, actor, Target::Node(upload.parent)).await?;
    // it may have been begun when the link said more
    let on_conflict = match actor {
        Actor::Link(link) if link.role == LinkRole::Dropper => OnConflict::Rename,
        _ => upload.on_conflict,
    };
    upload::check_child(service, &parent, name, on_conflict).await?;
    let written = service.uploads.partial.finish(&upload.blob).await;
    let WrittenBlob { size, sha256, crc32 } =
        written.map_err(|error| partial_error(&error, upload).unwrap_or_else(|| error.into()))?;
    crash_point("uploads.after-blob");
    if upload.digest.is_some_and(|digest| digest != sha256) {
        return Err(AppError::refused(Code::DigestMismatch));
    }
    let head = BlobRange { start: 0, len: size.min(sniff::HEAD_BYTES as u64) };
    let head = service.blobs.read(upload.blob.key, head).await?;
    let head =
        head.ok_or_else(|| PortError::broken("blobs", "a blob that was just finished is not there"))?;
    let mime = sniff::detect(&head, size <= sniff::HEAD_BYTES as u64, name);
    let received = Received {
        blob: NewBlob { key: upload.blob.key, size, sha256, crc32, place: Place::Blob },
        mime,
        reservation: upload.reservation.map(|id| Reservation::lasting(service, id)),
        stray: None,
    };
    let announced = Announced { length: Some(size), digest: upload.digest, modified_at: upload.modified_at };
    let subject = Subject::of(&parent, announced, false);
    let finished = Finished::new(service, received, subject).sent_by(sender).caused_by(cause);
    let committed = upload::commit_child(service, &parent, name, on_conflict, upload.file, finished).await?;
    Ok((committed, sha256))
}
