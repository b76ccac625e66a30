//! How long what is past is kept: old versions, operations that ended, and what happened.

use common::files::internal::StepDone;
use common::files::{KeepVersions, PruneStep};
use common::{Causes, Code, FileId, PortResult, Timestamp};

use super::maintenance::ROWS;
use crate::error::AppError;
use crate::state::FileService;

/// Operations forgotten in one commit: each has up to a thousand parts.
const OPERATIONS: u32 = 5;
/// Events forgotten in one commit.
const EVENTS: u32 = 1000;

/// Gives up old versions beyond what the settings keep; and, at the end, forgets operations that ended, and what happened, long ago. That comes to its turn
/// also where versions cannot be given up: the task then fails at the same file for as long as what is wrong lasts.
///
/// # Errors
/// `unavailable`; `invalid_cursor`.
pub(super) async fn step(service: &FileService, cursor: Option<&str>) -> Result<StepDone, AppError> {
    let after = cursor
        .map(FileId::parse)
        .transpose()
        .map_err(|_| AppError::because(Code::InvalidCursor, "the cursor is no id of a file"))?;
    let now = service.clock.now();
    let settings = &service.settings;
    let keep = KeepVersions {
        count: settings.keep_versions,
        replaced_since: settings.keep_versions_for.map_or(Timestamp::MIN, |span| now - span),
    };
    let step = service.versions.prune_versions(after, keep, ROWS, now).await;
    let forgotten = match &step {
        Ok(PruneStep { next: Some(_), .. }) => Ok(()),
        Ok(_) | Err(_) => forget(service, now).await,
    };
    let step = match (step, forgotten) {
        (Ok(step), Ok(())) => step,
        (Err(error), Ok(())) | (Ok(_), Err(error)) => return Err(error.into()),
        (Err(error), Err(other)) => {
            tracing::warn!(cause = %Causes(&other), "what ended long ago is not forgotten either");
            return Err(error.into());
        }
    };
    Ok(StepDone {
        done: step.next.is_none(),
        cursor: step.next.map(|next| next.to_string()),
        changed: u64::from(step.removed),
        ..StepDone::default()
    })
}

/// Forgets what ended, and what happened, longer ago than the settings say: each kind by itself, so that one that fails keeps none of the others.
///
/// # Errors
/// That of the first kind that failed; the log has those of the others.
async fn forget(service: &FileService, now: Timestamp) -> PortResult<()> {
    let before = now - service.settings.keep_operations;
    let copies = async {
        while service.copies.sweep_copies(before, ROWS).await? >= ROWS {}
        Ok(())
    };
    let operations = async {
        while service.journal.sweep_operations(before, OPERATIONS).await? >= OPERATIONS {}
        Ok(())
    };
    let before = now - service.settings.keep_activity;
    let events = async {
        while service.activity.sweep_activity(before, EVENTS).await? >= EVENTS {}
        Ok(())
    };
    let outcomes: [(&str, PortResult<()>); 3] =
        [("copies", copies.await), ("operations", operations.await), ("events", events.await)];
    let mut first = Ok(());
    for (kind, outcome) in outcomes {
        let Err(error) = outcome else { continue };
        if first.is_ok() {
            first = Err(error);
        } else {
            tracing::warn!(kind, cause = %Causes(&error), "what ended long ago is not forgotten");
        }
    }
    first
}
