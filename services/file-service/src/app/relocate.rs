//! Renaming and moving.

use common::Code;
use common::files::{Act, Node, NodeError, NodeName};

use super::access::{Authorized, Target, authorize, authorize_parent};
use super::journal::Recording;
use crate::error::AppError;
use crate::state::FileService;

/// How often a change is tried anew when someone else changed the node in between and the caller set no condition.
const TRIES: usize = 4;

/// What shall be different.
#[derive(Debug, Clone, Default)]
pub(crate) struct Relocation {
    /// Its name.
    pub(crate) name: Option<NodeName>,
    /// Its folder.
    pub(crate) parent: Option<Target>,
}

/// Renames `node` and moves it, both in one commit (action: relocate). With `revision`, only if the node still has it. Without anything to
/// change the node stays as it is.
///
/// A rename does not undo a move that someone else makes at the same time, nor the other way round: what the caller did not name is read
/// again until nothing came in between.
///
/// # Errors
/// `root_is_fixed`, `parent_not_found`, `parent_not_folder`, `name_taken`, `would_make_cycle`, `too_deep`; `precondition_failed` if the
/// revision is another; `conflict` if the node never stood still.
pub(crate) async fn relocate(
    service: &FileService,
    node: Authorized,
    revision: Option<u64>,
    change: &Relocation,
    recording: Recording<'_>,
) -> Result<Node, AppError> {
    if node.node().is_root() {
        return Err(AppError::refused(Code::RootIsFixed));
    }
    let target = match change.parent {
        Some(parent) => Some(authorize_parent(service, node.actor(), parent).await?),
        None => None,
    };
    // a tree never reaches into another space
    if target.as_ref().is_some_and(|target| target.space() != node.space()) {
        return Err(AppError::because(Code::Forbidden, "What is somebody else's stays among their files"));
    }
    let mut node = node;
    for _ in 0..TRIES {
        let present = node.node();
        let Some(parent) = target.as_ref().map(Authorized::id).or(present.parent) else {
            return Err(AppError::refused(Code::RootIsFixed));
        };
        let name = change.name.as_ref().unwrap_or(&present.name);
        if change.name.is_none() && present.parent == Some(parent) {
            // nothing to do, and the name that the classic API shows stays
            return match revision {
                Some(revision) if revision != present.revision => {
                    Err(AppError::refused(Code::PreconditionFailed))
                }
                _ => Ok(present.clone()),
            };
        }
        let seen = revision.unwrap_or(present.revision);
        let act = Act::Relocate { name: name.clone(), parent };
        match recording.act(service, node.id(), Some(seen), &act).await {
            Ok(node) => return Ok(node),
            Err(NodeError::Changed) if revision.is_none() => {
                node = authorize(service, node.actor(), node.action(), node.id()).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::refused(Code::Conflict))
}
