//! The trash: into it, out of it, and away for good.

use std::sync::Arc;
use std::time::Duration;

use common::files::{Act, Action, Actor, Node, NodeError, Page};
use common::jobs::{Cause, NewJob, types};
use common::{Code, FileId, JobId, PortError, Timestamp, UserId, allowance};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_kit::cause;

use super::access::{Authorized, authorize};
use super::journal::Recording;
use crate::error::AppError;
use crate::state::FileService;

/// How many nodes are read at a time while the trash is emptied.
const EMPTY_PAGE: u32 = 500;

/// How many deletions are under way at once: enough that the store commits them in groups.
const EMPTY_AT_ONCE: usize = 32;

/// For so long a request that empties the trash waits for it; what is left then goes on without it.
const EMPTY_PATIENCE: Duration = Duration::from_secs(5);

/// Puts a node into the trash. What is in the trash already stays there as it is: the call may be repeated.
///
/// `check` looks at the node as it was found, and gives the revision that it must still have.
///
/// # Errors
/// `not_found`, `root_is_fixed`; what `check` says; `precondition_failed` if the revision is another.
pub(crate) async fn trash(
    service: &FileService,
    actor: Actor,
    id: FileId,
    recording: Recording<'_>,
    check: impl FnOnce(&Node) -> Result<Option<u64>, AppError>,
) -> Result<(), AppError> {
    let node = match authorize(service, actor, Action::Trash, id).await {
        Ok(node) => node,
        Err(error) if error.code() == Code::NotFound => {
            // whoever may bring it back from the trash may hear that it is there
            let node = authorize(service, actor, Action::Restore, id).await?;
            check(node.node())?;
            return if node.in_trash() { Ok(()) } else { Err(AppError::refused(Code::NotFound)) };
        }
        Err(error) => return Err(error),
    };
    let revision = check(node.node())?;
    match recording.act(service, id, revision, &Act::Trash).await {
        Ok(_) => Ok(()),
        // someone else did it in between, or deleted it: either way it is no longer where it was
        Err(NodeError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a node for good, trashed or not (action: delete): at once for every caller, while a job gives the space back.
///
/// # Errors
/// `not_found`, `root_is_fixed`; `precondition_failed` if the revision is another.
pub(crate) async fn delete(
    service: &FileService,
    node: &Authorized,
    revision: Option<u64>,
) -> Result<(), AppError> {
    let job = purge_job(service, node.id(), node.by(), &cause::current());
    Ok(service.store.delete(node.id(), revision, Some(node.by()), service.clock.now(), &[job]).await?)
}

/// Brings a node back (action: restore): into its old folder, or the nearest above it that is not in the trash, from where it returns when its old one is
/// there again; under its old name, or the next free one.
///
/// # Errors
/// `not_in_trash` if it is not there by itself; `not_found`.
pub(crate) async fn restore(
    service: &FileService,
    node: &Authorized,
    recording: Recording<'_>,
) -> Result<Node, AppError> {
    Ok(recording.act(service, node.id(), None, &Act::Restore).await?)
}

/// A page of what was put into the trash of the space of `root` (action: list), newest first.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn list(
    service: &FileService,
    root: &Authorized,
    after: Option<(Timestamp, FileId)>,
    limit: u32,
) -> Result<Page<Node>, AppError> {
    Ok(service.store.list_trash(root.space(), after, limit).await?)
}

/// Deletes for good what is in the trash of the space of `root` now (action: delete).
///
/// The deletions are made in bounded steps by a task of the service. A request waits for it for some seconds, which is enough for tens of
/// thousands, and is then answered while the task goes on; it goes on too when the client goes away. If the process ends in the middle, what is left
/// is still in the trash, and the call can be repeated.
///
/// # Errors
/// Those of the store, as far as they come before the answer.
pub(crate) async fn empty(service: Arc<FileService>, root: &Authorized) -> Result<(), AppError> {
    let until = service.clock.now();
    let cause = cause::current();
    let (root, tracker) = (root.clone(), service.background.clone());
    let task = tracker.spawn(async move {
        let outcome = empty_until(&service, &root, until, &cause).await;
        if let Err(error) = &outcome {
            tracing::warn!(space = %root.space(), %error, "emptying the trash ended early");
        }
        outcome
    });
    match allowance::wait(EMPTY_PATIENCE, task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(broken)) => Err(PortError::broken("files", broken).into()),
        Err(_still_running) => Ok(()),
    }
}

async fn empty_until(
    service: &FileService,
    root: &Authorized,
    until: Timestamp,
    cause: &Cause,
) -> Result<(), AppError> {
    let mut after = Some((until + Duration::from_millis(1), FileId::from_bytes([0; 12])));
    loop {
        let page = service.store.list_trash(root.space(), after, EMPTY_PAGE).await?;
        let mut deletions = Vec::with_capacity(page.items.len());
        for node in &page.items {
            let job = purge_job(service, node.id, root.by(), cause);
            deletions.push(delete_as_seen(service, node.id, node.revision, root.by(), job));
        }
        stream::iter(deletions).buffer_unordered(EMPTY_AT_ONCE).try_collect::<()>().await?;
        after = page.items.last().and_then(|node| Some((node.trashed?.at, node.id)));
        if !page.more || after.is_none() {
            return Ok(());
        }
    }
}

/// Deletes a node unless it changed since: what is restored in between stays.
async fn delete_as_seen(
    service: &FileService,
    id: FileId,
    revision: u64,
    by: UserId,
    job: NewJob,
) -> Result<(), AppError> {
    match service.store.delete(id, Some(revision), Some(by), service.clock.now(), &[job]).await {
        Ok(()) | Err(NodeError::NotFound | NodeError::Changed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn purge_job(service: &FileService, node: FileId, user: UserId, cause: &Cause) -> NewJob {
    types::purge(JobId(service.ids.object_id()), node, user, service.clock.now()).caused_by(cause)
}
