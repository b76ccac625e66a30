//! Uploads that come in several goes: each has a row, and bytes that grow in the blob store. What a client was told of is durable, in both.
//!
//! One request at a time holds an upload; a newer one makes an older one leave, since a client comes again when it thinks that its
//! request is lost. The end is the same commit as that of any other upload, see `upload`.

mod append;
mod checksum;
mod closed;
mod concat;
mod expire;
mod finish;
mod hold;
mod partial;
mod visitors;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::files::{
    Actor, Committed, NodeError, NodeName, OnConflict, PartialBlob, PartialBlobs, Upload, UploadRole,
    UploadState, UploadStore, Uploader,
};
use common::{Code, FileId, ObjectId, ReservationId, Sha256, SpaceId, Timestamp, UploadId, UserId};
use tokio_util::sync::CancellationToken;

use super::access::{Target, authorize_parent};
use super::upload;
use super::watch::Watch;
use crate::error::AppError;
use crate::state::FileService;

pub(crate) use append::{Appended, Ends, Go, append};
pub(crate) use checksum::Checksum;
pub(crate) use closed::{end_all, end_by_link, end_closed, end_locked_out, end_some_closed, goes_on};
pub(crate) use concat::concatenate;
pub(crate) use expire::{expire, sweep_partial};
pub(crate) use finish::done_at;
pub(crate) use hold::Hold;

use visitors::Visitor;

/// How much longer than its upload a reservation lasts: the upload is cleared up first.
const RESERVATION_OUTLASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// An upload's time is prolonged when so much of it has passed, not at each request.
const PROLONGED_AFTER: Duration = Duration::from_secs(60 * 60);

/// How long an upload by a link is kept that no bytes have come of.
const EMPTY_FOR: Duration = Duration::from_secs(60 * 60);

/// How long an upload that has become a file is remembered, for clients that did not hear of it.
const DONE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long whoever asks for an upload that is made of parts waits for that: what cannot be put together is refused in less.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Most parts of one file.
pub(crate) const MAX_PARTS: usize = 1_000;

/// What uploads stand on, and which of them this process is receiving.
pub(crate) struct Uploads {
    pub(crate) store: Arc<dyn UploadStore>,
    partial: Arc<dyn PartialBlobs>,
    active: Mutex<HashMap<UploadId, (u64, CancellationToken)>>,
}

impl Uploads {
    pub(crate) fn new(store: Arc<dyn UploadStore>, partial: Arc<dyn PartialBlobs>) -> Self {
        Self { store, partial, active: Mutex::default() }
    }

    /// Asks whoever receives this upload in this process to leave it.
    fn stop(&self, id: UploadId) {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, token)) = active.get(&id) {
            token.cancel();
        }
    }

    /// Notes who receives an upload; the token is cancelled when somebody else wants it.
    fn note(&self, id: UploadId, generation: u64) -> CancellationToken {
        let token = CancellationToken::new();
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.insert(id, (generation, token.clone()));
        token
    }

    fn forget(&self, id: UploadId, generation: u64) {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if active.get(&id).is_some_and(|(noted, _)| *noted == generation) {
            active.remove(&id);
        }
    }
}

/// An upload to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewUpload {
    pub(crate) parent: Target,
    pub(crate) name: Option<NodeName>,
    pub(crate) on_conflict: OnConflict,
    pub(crate) modified_at: Option<Timestamp>,
    pub(crate) metadata: Option<String>,
    pub(crate) role: UploadRole,
    pub(crate) length: Option<u64>,
    pub(crate) digest: Option<Sha256>,
    /// Where it comes from, if it comes by a link: see [`http_kit::customer_key`].
    pub(crate) address: Option<String>,
}

/// Makes an upload of an account, or by a link, with its bytes set aside if their number is known and it comes by no link: what goes into a shared folder counts
/// for the folder's owner. It is held by the caller, who watches the folder while bytes come, unless it is their own.
///
/// # Errors
/// `parent_not_found`, `parent_not_folder`, `forbidden`; `invalid_request` for a file without a name; `name_taken`, `too_deep` as things stand; `too_large`,
/// `quota_exceeded`, `disk_full`; `too_many` by one link.
pub(crate) async fn create(
    service: &Arc<FileService>,
    actor: Actor,
    new: NewUpload,
) -> Result<(Hold, Option<Watch>), AppError> {
    let uploader = uploader(actor)?;
    let parent = authorize_parent(service, actor, new.parent).await?;
    let visitor = Visitor::of(service, uploader, new.address.as_deref());
    visitors::check_number(service, visitor.as_ref(), 1).await?;
    match (&new.role, &new.name) {
        (UploadRole::Part, _) => {}
        (_, Some(name)) => upload::check_child(service, &parent, name, new.on_conflict).await?,
        (_, None) => return Err(AppError::because(Code::InvalidRequest, "The file needs a name")),
    }
    let length = match &new.role {
        UploadRole::Final(parts) => length_of(&concat::parts_of(service, uploader, parts).await?),
        UploadRole::Whole | UploadRole::Part => new.length,
    };
    check_size(service, length)?;
    // the parts of a final upload have their own until they are put together
    let reserves = !matches!(new.role, UploadRole::Final(_));
    let now = service.clock.now();
    let expires_at = match &visitor {
        Some(_) if reserves => now + service.settings.keep_uploads.min(EMPTY_FOR),
        _ => now + service.settings.keep_uploads,
    };
    let mut reservation = None;
    if reserves {
        reservation = fresh_reservation(service, parent.space(), length.unwrap_or(0)).await?;
    }
    if let (true, Some(length)) = (reserves, length) {
        check_disk(service, length).await?;
    }
    let upload = Upload {
        id: fresh_id(service, uploader),
        owner: parent.by(),
        link: parent.doer().link,
        space: parent.space(),
        parent: parent.id(),
        name: new.name,
        on_conflict: new.on_conflict,
        modified_at: new.modified_at,
        metadata: new.metadata,
        role: new.role,
        length,
        digest: new.digest,
        blob: PartialBlob::new(visitors::fresh_key(service, visitor.as_ref())),
        file: FileId(service.ids.object_id()),
        state: UploadState::Open,
        reservation,
        created_at: now,
        expires_at,
        generation: 1,
        lease: Some(now + hold::LEASE),
    };
    // by a link nothing yet, so that nobody keeps room from others by a length alone
    let (bytes, until) = (upload.due_bytes(), expires_at + RESERVATION_OUTLASTS);
    if let Err(error) = service.uploads.store.insert_upload_with_room(&upload, bytes, until).await {
        if matches!(error, NodeError::Port(_)) {
            remove_later(service, &upload);
        }
        return Err(error.into());
    }
    let hold = Hold::of(service, upload);
    let watch = Watch::over(service, &parent);
    // those that began at the same time were not counted before
    let counted = visitors::check_number(service, visitor.as_ref(), 0).await;
    // a link that has got another password by now has cut off what was there by then, and this one may have come after that
    let is_locked_out = match (&visitor, &watch) {
        (Some(_), Some(watch)) => watch.look().await.is_some(),
        _ => false,
    };
    if counted.is_err() || is_locked_out {
        hold.remove().await?;
        return counted.and(Err(AppError::refused(Code::ParentNotFound)));
    }
    Ok((hold, watch))
}

fn uploader(actor: Actor) -> Result<Uploader, AppError> {
    Uploader::of(actor).ok_or_else(|| AppError::refused(Code::NotFound))
}

/// An id for a new upload. Visitors of a link are told apart by nothing but what they know, so that there it is not to be guessed: behind its time, by which
/// ids ascend, are 64 random bits.
fn fresh_id(service: &FileService, uploader: Uploader) -> UploadId {
    let id = service.ids.object_id();
    let Uploader::Link(_) = uploader else { return UploadId(id) };
    let mut bytes = *id.bytes();
    // 128 bits of a cryptographic source
    let random = service.ids.blob_key();
    bytes[4..].copy_from_slice(&random.bytes()[8..]);
    UploadId(ObjectId::from_bytes(bytes))
}

/// The length of parts together, if all are known.
fn length_of(parts: &[Upload]) -> Option<u64> {
    parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.length?))
}

fn check_size(service: &FileService, size: Option<u64>) -> Result<(), AppError> {
    match service.settings.max_upload_bytes {
        Some(max) if size.is_some_and(|size| size > max) => {
            Err(AppError::because(Code::TooLarge, format!("A file has at most {max} bytes here")))
        }
        _ => Ok(()),
    }
}

async fn check_disk(service: &FileService, bytes: u64) -> Result<(), AppError> {
    match service.blobs.free_bytes().await? {
        Some(free) if free < bytes => Err(AppError::refused(Code::DiskFull)),
        _ => Ok(()),
    }
}

/// How many bytes more find room as things stand; none if there is no quota.
async fn find_room(service: &FileService, space: SpaceId) -> Result<Option<u64>, AppError> {
    let usage = service.store.usage(space).await?;
    let taken = usage.used_bytes.saturating_add(usage.reserved_bytes);
    Ok(usage.quota_bytes.map(|quota| quota.saturating_sub(taken)))
}

/// A fresh id for what is set aside for an upload, where the space has a quota.
///
/// # Errors
/// `quota_exceeded` if so many bytes find no room as things stand.
async fn fresh_reservation(
    service: &FileService,
    space: SpaceId,
    bytes: u64,
) -> Result<Option<ReservationId>, AppError> {
    match find_room(service, space).await? {
        None => Ok(None),
        Some(room) if bytes > room => Err(AppError::refused(Code::QuotaExceeded)),
        Some(_) => Ok(Some(ReservationId(service.ids.object_id()))),
    }
}

/// Removes an upload of which it is not known whether it was kept, and which nobody was told of.
fn remove_later(service: &Arc<FileService>, upload: &Upload) {
    let (task, id, generation) = (Arc::clone(service), upload.id, upload.generation);
    service.background.spawn(async move {
        if let Err(error) = task.uploads.store.remove_upload(id, generation).await {
            tracing::warn!(upload = %id, cause = %common::Causes(&error), "an upload is left to the upkeep");
        }
    });
}

/// An upload of this account, or by this link.
///
/// # Errors
/// `not_found`, also for another's and for one that has expired.
pub(crate) async fn own(service: &FileService, actor: Actor, id: UploadId) -> Result<Upload, AppError> {
    let uploader = uploader(actor)?;
    let found = service.uploads.store.find_upload(id).await?;
    found
        .filter(|upload| upload.uploader() == uploader && upload.expires_at >= service.clock.now())
        .ok_or_else(|| AppError::refused(Code::NotFound))
}

/// How far an upload of theirs is, after whoever is sending to it was made to leave: what is told is what can be gone on from.
///
/// # Errors
/// `not_found`; those of [`goes_on`]; `locked` if somebody does not leave; for what cannot be put together of its parts, why.
pub(crate) async fn settled(
    service: &Arc<FileService>,
    actor: Actor,
    id: UploadId,
) -> Result<Upload, AppError> {
    let upload = own(service, actor, id).await?;
    goes_on(service, actor, &upload).await?;
    if matches!(upload.role, UploadRole::Final(_)) {
        return match concatenate(service, upload, TOLD_WITHIN).await {
            Ok((upload, _)) => Ok(upload),
            Err(error @ AppError::Port(_)) => Err(error),
            Err(error) => {
                let upload = own(service, actor, id).await?;
                // its bytes are there, and it is no file: the caller asked where it stands, not for that
                if upload.state == UploadState::Complete { Ok(upload) } else { Err(error) }
            }
        };
    }
    if upload.lease.is_none_or(|lease| lease < service.clock.now()) {
        return Ok(upload);
    }
    Hold::take(service, id).await?.leave().await
}

/// Ends an upload of theirs: its bytes go. A file that came of it stays.
///
/// # Errors
/// `not_found`; `locked`.
pub(crate) async fn end(service: &Arc<FileService>, actor: Actor, id: UploadId) -> Result<(), AppError> {
    own(service, actor, id).await?;
    end_held(service, id).await
}

/// Ends an upload that is this user's, or comes from somebody else or by a link into their space. A file that came of it stays.
///
/// # Errors
/// As [`end`].
pub(crate) async fn end_seen(
    service: &Arc<FileService>,
    user: UserId,
    space: SpaceId,
    id: UploadId,
) -> Result<(), AppError> {
    let found = service.uploads.store.find_upload(id).await?;
    let comes = |upload: &Upload| upload.space == space && !matches!(upload.state, UploadState::Done(_));
    let seen = found.filter(|upload| upload.uploader() == Uploader::User(user) || comes(upload));
    seen.filter(|upload| upload.expires_at >= service.clock.now())
        .ok_or_else(|| AppError::refused(Code::NotFound))?;
    end_held(service, id).await
}

async fn end_held(service: &Arc<FileService>, id: UploadId) -> Result<(), AppError> {
    if Hold::take(service, id).await?.remove().await? {
        Ok(())
    } else {
        Err(AppError::because(Code::Locked, "Another request has taken this upload over"))
    }
}

/// What shall be different about the file that an upload will be.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadChange {
    pub(crate) parent: Option<Target>,
    pub(crate) name: Option<NodeName>,
    pub(crate) on_conflict: Option<OnConflict>,
}

/// Changes where an upload goes, and makes it a file if all its bytes are there: the way on after its name was taken.
///
/// # Errors
/// `not_found`, `locked`, those of [`create`] and, without another folder, of [`goes_on`]; `upload_complete` if it is a file already.
pub(crate) async fn change(
    service: &Arc<FileService>,
    actor: Actor,
    id: UploadId,
    change: UploadChange,
) -> Result<(Upload, Option<Committed>), AppError> {
    let upload = own(service, actor, id).await?;
    if change.parent.is_none() {
        goes_on(service, actor, &upload).await?;
    }
    let mut hold = Hold::take(service, id).await?;
    if matches!(hold.upload.state, UploadState::Done(_)) {
        hold.leave().await?;
        return Err(AppError::refused(Code::UploadComplete));
    }
    if let Some(target) = change.parent {
        let parent = authorize_parent(service, actor, target).await?;
        if parent.space() != hold.upload.space {
            let why = "An upload stays in the space that it was begun in";
            return Err(AppError::because(Code::InvalidRequest, why));
        }
        hold.upload.parent = parent.id();
    }
    hold.upload.name = change.name.or(hold.upload.name.take());
    hold.upload.on_conflict = change.on_conflict.unwrap_or(hold.upload.on_conflict);
    hold.save().await?;
    if hold.upload.state == UploadState::Complete && hold.upload.role != UploadRole::Part {
        let committed = finish::finish(hold, http_kit::cause::current()).await?;
        return Ok((committed.0, Some(committed.1)));
    }
    Ok((hold.leave().await?, None))
}
