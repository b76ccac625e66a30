//! The contents that a file has had.

use common::Code;
use common::files::{Action, Commit, CommitTarget, NewContent, Node, NodeError, Version};
use http_kit::cause;

use super::access::Authorized;
use super::copying::jobs_for;
use crate::error::AppError;
use crate::state::FileService;

/// Versions of a file (action: change), the content that it has first, those with numbers below `before`.
///
/// # Errors
/// `not_a_file`.
pub(crate) async fn list(
    service: &FileService,
    file: &Authorized,
    before: Option<u32>,
    limit: u32,
) -> Result<Vec<Version>, AppError> {
    debug_assert_eq!(file.action(), Action::Change);
    if file.node().content.is_none() {
        return Err(AppError::refused(Code::NotAFile));
    }
    Ok(service.versions.list_versions(file.id(), before, limit).await?)
}

/// One version of a file (action: change).
///
/// # Errors
/// `not_a_file`; `not_found` if there is none of this number.
pub(crate) async fn get(service: &FileService, file: &Authorized, number: u32) -> Result<Version, AppError> {
    debug_assert_eq!(file.action(), Action::Change);
    if file.node().content.is_none() {
        return Err(AppError::refused(Code::NotAFile));
    }
    let found = service.versions.find_version(file.id(), number).await?;
    found.ok_or_else(|| AppError::refused(Code::NotFound))
}

/// Makes an old content the file's content once more (action: change), as a new version that shares its bytes. The content that the file has stays as it
/// is. With `revision`, only if the file still has it.
///
/// # Errors
/// As [`get`]; `quota_exceeded`; `precondition_failed` if the revision is another.
pub(crate) async fn restore(
    service: &FileService,
    file: &Authorized,
    number: u32,
    revision: Option<u64>,
) -> Result<Node, AppError> {
    let version = get(service, file, number).await?;
    if file.node().content.as_ref().is_some_and(|current| current.version == number) {
        return match revision {
            Some(revision) if revision != file.node().revision => {
                Err(AppError::refused(Code::PreconditionFailed))
            }
            _ => Ok(file.node().clone()),
        };
    }
    let at = service.clock.now();
    let owner = file.node().owner;
    let commit = Commit {
        target: CommitTarget::Existing {
            id: file.id(),
            revision,
            keep_versions: service.settings.keep_versions,
        },
        content: NewContent::shared(&version.content),
        by: file.by(),
        via: file.doer().link,
        at,
        reservation: None,
        jobs: jobs_for(service, (owner, file.id()), (&version.content, true), &cause::current()),
    };
    Ok(service.store.commit_upload(&commit).await?.node)
}

/// Gives up an old version of a file (action: change), and its bytes with it.
///
/// # Errors
/// `not_a_file`; `not_found` if there is none of this number; `version_is_current` if it is the content that the file has.
pub(crate) async fn remove(service: &FileService, file: &Authorized, number: u32) -> Result<(), AppError> {
    debug_assert_eq!(file.action(), Action::Change);
    match service.versions.delete_version(file.id(), number, service.clock.now()).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(AppError::refused(Code::NotFound)),
        Err(NodeError::Changed) => Err(AppError::refused(Code::VersionIsCurrent)),
        Err(error) => Err(error.into()),
    }
}
