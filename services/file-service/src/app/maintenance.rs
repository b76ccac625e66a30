//! Clearing up, in short steps that may be repeated and may run twice at once.

use std::collections::HashSet;
use std::sync::Arc;

use common::files::internal::{Finding, PurgeRequest, StepDone};
use common::files::{Action, Actor, CollectOutcome, RecountPlace, StoredBlob};
use common::jobs::types;
use common::{BlobKey, Causes, Code, FileId, JobId, PortResult, Timestamp, UploadId};
use metrics::counter;

use super::access::authorize;
use super::budget::Budget;
use super::{resumable, retention, scrub, search};
use crate::error::AppError;
use crate::state::FileService;

/// Rows in one commit: few enough that uploads need not wait long for theirs.
pub(super) const ROWS: u32 = 200;
/// Blobs looked at in one step.
const BLOBS: u32 = 500;
/// Begins the cursor of a walk through uploads that may be closed to their uploaders.
const CLOSED: &str = "closed-";

/// A task by its name in the internal API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    ExpireTrash,
    ExpireVersions,
    PurgeTombstones,
    CollectBlobs,
    SweepStrays,
    SweepReservations,
    ExpireUploads,
    ScrubBlobs,
    /// As `ScrubBlobs`, without reading what does not stand in the metadata store: what is missing, and what has another size.
    CompareBlobs,
    /// As `SweepStrays`, without deleting anything.
    FindStrays,
    RecountUsage,
    IndexFiles,
}

impl Task {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "expire-trash" => Self::ExpireTrash,
            "expire-versions" => Self::ExpireVersions,
            "purge-tombstones" => Self::PurgeTombstones,
            "collect-blobs" => Self::CollectBlobs,
            "sweep-strays" => Self::SweepStrays,
            "sweep-reservations" => Self::SweepReservations,
            "expire-uploads" => Self::ExpireUploads,
            "scrub-blobs" => Self::ScrubBlobs,
            "compare-blobs" => Self::CompareBlobs,
            "find-strays" => Self::FindStrays,
            "recount-usage" => Self::RecountUsage,
            "index-files" => Self::IndexFiles,
            _ => return None,
        })
    }
}

/// Removes some rows below a tombstone. Done also when there is none (any more).
///
/// # Errors
/// `unavailable`.
pub(crate) async fn purge(service: &FileService, request: &PurgeRequest) -> PortResult<StepDone> {
    let now = service.clock.now();
    let step =
        service.store.purge(request.node, ROWS, now, now - service.settings.tombstone_retention).await?;
    Ok(StepDone { done: step.done, changed: u64::from(step.removed), ..StepDone::default() })
}

/// One step of a task.
///
/// # Errors
/// `unavailable`; `invalid_cursor`.
pub(crate) async fn step(
    service: &Arc<FileService>,
    task: Task,
    cursor: Option<&str>,
) -> Result<StepDone, AppError> {
    match task {
        Task::ExpireTrash => expire_trash(service).await,
        Task::ExpireVersions => retention::step(service, cursor).await,
        Task::PurgeTombstones => Ok(purge_tombstones(service).await?),
        Task::CollectBlobs => Ok(collect_blobs(service).await?),
        Task::SweepStrays => sweep_strays(service, cursor).await,
        Task::SweepReservations => {
            let swept = service.store.sweep_reservations(service.clock.now()).await?;
            Ok(StepDone { done: true, changed: u64::from(swept), ..StepDone::default() })
        }
        Task::ExpireUploads => expire_uploads(service, cursor).await,
        Task::ScrubBlobs => scrub::step(service, cursor, scrub::Look::AtBytes).await,
        Task::CompareBlobs => scrub::step(service, cursor, scrub::Look::AtSizes).await,
        Task::FindStrays => find_strays(service, cursor).await,
        Task::RecountUsage => recount_usage(service, cursor).await,
        Task::IndexFiles => index_files(service, cursor).await,
    }
}

/// Deletes what has been in the trash for longer than the settings say.
async fn expire_trash(service: &FileService) -> Result<StepDone, AppError> {
    let now = service.clock.now();
    let expired = service.store.list_expired_trash(now - service.settings.trash_retention, ROWS).await?;
    let mut more = expired.len() >= ROWS as usize;
    let mut deleted = 0;
    let budget = Budget::begin(&*service.clock);
    let mut expired = expired.into_iter().peekable();
    while let Some(id) = expired.next() {
        deleted += u64::from(expire(service, id, now).await?);
        if budget.is_spent() && expired.peek().is_some() {
            more = true;
            break;
        }
    }
    Ok(StepDone { done: !more, changed: deleted, ..StepDone::default() })
}

/// Deletes one thing in the trash. False if it is gone meanwhile, or was brought back: both are what the owner wants.
async fn expire(service: &FileService, id: FileId, now: Timestamp) -> Result<bool, AppError> {
    let node = match authorize(service, Actor::Service, Action::Delete, id).await {
        Ok(node) if node.node().trashed.is_some() => node,
        Ok(_) => return Ok(false),
        Err(error) if error.code() == Code::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let job = types::purge(JobId(service.ids.object_id()), id, node.node().owner, now);
    let deleted = service.store.delete(id, Some(node.node().revision), None, now, &[job]).await;
    match deleted.map_err(AppError::from) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.code(), Code::NotFound | Code::PreconditionFailed) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Walks once more below tombstones that are old enough, and removes them.
async fn purge_tombstones(service: &FileService) -> PortResult<StepDone> {
    let now = service.clock.now();
    let old_enough = now - service.settings.tombstone_retention;
    let tombstones = service.store.list_tombstones(old_enough, ROWS).await?;
    let (mut changed, mut left) = (0, tombstones.len() >= ROWS as usize);
    let budget = Budget::begin(&*service.clock);
    let mut tombstones = tombstones.into_iter().peekable();
    while let Some(tombstone) = tombstones.next() {
        let step = service.store.purge(tombstone, ROWS, now, old_enough).await?;
        changed += u64::from(step.removed);
        left |= !step.done;
        if budget.is_spent() && tombstones.peek().is_some() {
            left = true;
            break;
        }
    }
    Ok(StepDone { done: !left, changed, ..StepDone::default() })
}

/// Removes blobs that have had no reference for long enough: first the row, then the bytes, so that a crash between leaves a stray and never a row
/// without bytes.
async fn collect_blobs(service: &FileService) -> PortResult<StepDone> {
    let now = service.clock.now();
    let before = now - service.settings.blob_grace;
    let page = service.store.list_condemned(before, BLOBS).await?;
    let (mut collected, mut more) = (0, page.more);
    let budget = Budget::begin(&*service.clock);
    let mut blobs = page.blobs.into_iter().peekable();
    while let Some(blob) = blobs.next() {
        if service.store.collect_blob(blob.key, before, now).await? == CollectOutcome::Removed {
            collected += 1;
            if !blob.inline
                && let Err(error) = service.blobs.delete(blob.key).await
            {
                // the row is gone, and one file that cannot be deleted must not keep the others
                tracing::warn!(blob = %blob.key, cause = %Causes(&error), "a collected blob is left to the sweep");
            }
        }
        if budget.is_spent() && blobs.peek().is_some() {
            more = true;
            break;
        }
    }
    Ok(StepDone { done: !more, changed: collected, ..StepDone::default() })
}

/// Gives up resumable uploads that nobody went on with, then those into folders that are closed to their uploaders, and then looks for bytes that belong to
/// none.
async fn expire_uploads(service: &Arc<FileService>, cursor: Option<&str>) -> Result<StepDone, AppError> {
    let Some(text) = cursor else {
        let (changed, more) = resumable::expire(service, ROWS).await?;
        if more {
            return Ok(StepDone { changed, ..StepDone::default() });
        }
        return end_closed_uploads(service, None, changed).await;
    };
    let invalid = |what| AppError::because(Code::InvalidCursor, what);
    match text.strip_prefix(CLOSED) {
        Some(id) => {
            let after = UploadId::parse(id).map_err(|_| invalid("the cursor is no id of an upload"))?;
            end_closed_uploads(service, Some(after), 0).await
        }
        None => {
            let after = BlobKey::parse(text).map_err(|_| invalid("the cursor is no key of a blob"))?;
            sweep_partial(service, Some(after), 0).await
        }
    }
}

async fn end_closed_uploads(
    service: &Arc<FileService>,
    after: Option<UploadId>,
    changed: u64,
) -> Result<StepDone, AppError> {
    let (ended, next) = resumable::end_some_closed(service, after, ROWS).await?;
    let changed = changed + ended;
    match next {
        Some(next) => {
            Ok(StepDone { cursor: Some(format!("{CLOSED}{next}")), changed, ..StepDone::default() })
        }
        None => sweep_partial(service, None, changed).await,
    }
}

async fn sweep_partial(
    service: &FileService,
    after: Option<BlobKey>,
    changed: u64,
) -> Result<StepDone, AppError> {
    if after.is_none() {
        // a foreign or unmounted disk deletes nothing: its mark is missing
        service.blobs.ping().await?;
    }
    let (swept, next) = resumable::sweep_partial(service, after, BLOBS).await?;
    Ok(swept_to(changed + swept, next))
}

fn swept_to(changed: u64, next: Option<BlobKey>) -> StepDone {
    StepDone { done: next.is_none(), cursor: next.map(|key| key.to_string()), changed, ..StepDone::default() }
}

/// Holds a part of the blob store against the rows, and deletes what has none: bytes of uploads whose commit never came. Young ones are left, since their
/// commit may be under way.
async fn sweep_strays(service: &FileService, cursor: Option<&str>) -> Result<StepDone, AppError> {
    let after = after_blob(cursor)?;
    // a foreign or unmounted disk deletes nothing: its mark is missing
    service.blobs.ping().await?;
    let mut changed = 0;
    if after.is_none() {
        let before = service.clock.now() - service.settings.blob_grace;
        changed += u64::from(service.blobs.sweep_temporary(before).await?);
    }
    let (strays, mut next) = old_strays(service, after).await?;
    let budget = Budget::begin(&*service.clock);
    let mut strays = strays.into_iter().peekable();
    while let Some(stray) = strays.next() {
        changed += u64::from(service.blobs.delete(stray.key).await?);
        if budget.is_spent() && strays.peek().is_some() {
            next = Some(stray.key);
            break;
        }
    }
    Ok(StepDone { changed, ..walked_to(next) })
}

/// Tells what [`sweep_strays`] would delete.
async fn find_strays(service: &FileService, cursor: Option<&str>) -> Result<StepDone, AppError> {
    service.blobs.ping().await?;
    let (strays, next) = old_strays(service, after_blob(cursor)?).await?;
    let findings =
        strays.into_iter().map(|stray| Finding::Stray { blob: stray.key, size: stray.size }).collect();
    Ok(StepDone { findings, ..walked_to(next) })
}

/// What of a part of the blob store has no row and is old enough, and where the next part begins.
async fn old_strays(
    service: &FileService,
    after: Option<BlobKey>,
) -> PortResult<(Vec<StoredBlob>, Option<BlobKey>)> {
    let before = service.clock.now() - service.settings.blob_grace;
    let mut listed = service.blobs.list(after, BLOBS).await?;
    let next = listed.last().filter(|_| listed.len() >= BLOBS as usize).map(|blob| blob.key);
    listed.retain(|blob| blob.written_at < before);
    let keys: Vec<_> = listed.iter().map(|blob| blob.key).collect();
    // finished, and waiting for a name that is free; in this order: one that becomes a file in between is in the second
    let mut known: HashSet<_> = service.uploads.store.known_uploads(&keys).await?.into_iter().collect();
    known.extend(service.store.known_blobs(&keys).await?);
    listed.retain(|blob| !known.contains(&blob.key));
    Ok((listed, next))
}

fn after_blob(cursor: Option<&str>) -> Result<Option<BlobKey>, AppError> {
    let after = cursor.map(BlobKey::parse).transpose();
    after.map_err(|_| AppError::because(Code::InvalidCursor, "the cursor is no key of a blob"))
}

fn walked_to(next: Option<BlobKey>) -> StepDone {
    StepDone {
        done: next.is_none(),
        cursor: next.map(|key| key.to_string()),
        percent: Some(next.map_or(100, percent_of)),
        ..StepDone::default()
    }
}

/// Counts some more of what counters say. Those that were wrong are right now; somebody should know, since nothing that works miscounts.
async fn recount_usage(service: &FileService, cursor: Option<&str>) -> Result<StepDone, AppError> {
    let place = match cursor {
        None => RecountPlace::START,
        Some(text) => RecountPlace::parse(text)
            .map_err(|_| AppError::because(Code::InvalidCursor, "the cursor is no place of a recount"))?,
    };
    let step = service.store.recount(place, service.clock.now()).await?;
    for wrong in &step.found {
        tracing::error!(
            counter = ?wrong.counter, of = wrong.of, stored = wrong.stored, counted = wrong.counted, "a counter was wrong"
        );
    }
    let changed = step.found.len() as u64;
    counter!("fm_files_miscounts_total").increment(changed);
    Ok(StepDone {
        done: step.next.is_none(),
        cursor: step.next.map(|next| next.to_string()),
        changed,
        percent: Some(percent(step.next)),
        findings: step.found.into_iter().map(Finding::Miscount).collect(),
        ..StepDone::default()
    })
}

/// Sees to it that some more files are found by what they should be found by.
async fn index_files(service: &FileService, cursor: Option<&str>) -> Result<StepDone, AppError> {
    let after = cursor
        .map(FileId::parse)
        .transpose()
        .map_err(|_| AppError::because(Code::InvalidCursor, "the cursor is no id of a file"))?;
    let step = search::index(service, after).await?;
    Ok(StepDone {
        done: step.next.is_none(),
        cursor: step.next.map(|next| next.to_string()),
        changed: step.changed,
        ..StepDone::default()
    })
}

/// How far a walk by keys is that stands at this one: they are random.
pub(super) fn percent_of(key: BlobKey) -> u8 {
    let [first, ..] = *key.bytes();
    u8::try_from(u32::from(first) * 100 / 256).unwrap_or(100)
}

/// Nobody knows how many nodes and spaces there are, so that these parts are only named.
fn percent(place: Option<RecountPlace>) -> u8 {
    match place {
        Some(RecountPlace::Folders(_)) => 10,
        Some(RecountPlace::Spaces(_)) => 30,
        Some(RecountPlace::Blobs(after)) => 50 + after.map_or(0, percent_of) / 2,
        None => 100,
    }
}
