//! Many changes in one request. Each succeeds or fails by itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::files::{Action, Actor, CopyOperation, Node, NodeName, OnConflict};
use common::{Code, FileId, OperationId};
use futures_util::{StreamExt as _, stream};

use super::access::{Sight, Target, authorize, authorize_parent, sight_of};
use super::copying::{self, Outcome};
use super::journal::{Recorder, Recording};
use super::marks::{self, TagChange};
use super::relocate::{Relocation, relocate};
use super::trash;
use crate::error::AppError;
use crate::state::FileService;

/// Most changes of one request.
pub(crate) const MAX_CHANGES: usize = 1_000;

/// How many changes of one kind are under way at once: enough that the store commits them in groups.
const AT_ONCE: usize = 16;

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Of what.
    pub(crate) id: FileId,
    /// What happens to it.
    pub(crate) act: Act,
}

/// What happens to a node.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// It gets another name, another folder, or both.
    Move(Relocation),
    /// It is copied.
    Copy {
        /// Into this folder.
        parent: Target,
        /// Under this name, or its own.
        name: Option<NodeName>,
        /// If that is taken.
        on_conflict: OnConflict,
    },
    /// It goes into the trash.
    Trash,
    /// It comes back from there.
    Restore,
    /// It is deleted for good.
    Delete,
    /// The caller's star is set, or taken off.
    Star(bool),
    /// Its tags change.
    Tag(TagChange),
}

/// What came of one change.
pub(crate) enum Done {
    /// This is what it looks like now; it is new.
    Node(Box<(Node, Sight)>, bool),
    /// A job goes on with it.
    Running(CopyOperation),
    /// It is no longer there.
    Gone,
}

/// Makes changes, and answers for each in the order in which they were given. Those of one kind that follow one another are made at the same time, and
/// whatever follows them after them. What can be undone of it is one operation, whose parts have the numbers of the changes.
///
/// # Errors
/// `forbidden` for whoever has no account.
pub(crate) async fn run(
    service: &Arc<FileService>,
    actor: Actor,
    changes: Vec<Result<Change, AppError>>,
) -> Result<(Vec<Result<Done, AppError>>, Option<OperationId>), AppError> {
    let recorder = Recorder::begin(service, actor)?;
    let mut results = Vec::with_capacity(changes.len());
    let mut changes = (0..).zip(changes).map(|(number, change)| Ok((number, change?))).peekable();
    while let Some(first) = changes.next() {
        let Ok(first) = first else {
            results.push(first.and_then(|_| Err(AppError::refused(Code::Internal))));
            continue;
        };
        let mut seen = HashSet::from([first.1.id]);
        // copies of one original do not get in each other's way
        let may_repeat = matches!(first.1.act, Act::Copy { .. });
        let kind = std::mem::discriminant(&first.1.act);
        let mut alike = vec![first];
        while let Some(Ok(next)) = changes.next_if(|next| {
            next.as_ref().is_ok_and(|(_, next)| {
                std::mem::discriminant(&next.act) == kind && (seen.insert(next.id) || may_repeat)
            })
        }) {
            alike.push(next);
        }
        let made = stream::iter(alike)
            .map(|(number, change)| make(service, actor, change, recorder.part(number)))
            .buffered(AT_ONCE);
        results.extend(made.collect::<Vec<_>>().await);
    }
    Ok((results, recorder.operation()))
}

async fn make(
    service: &Arc<FileService>,
    actor: Actor,
    change: Change,
    recording: Recording<'_>,
) -> Result<Done, AppError> {
    let Change { id, act } = change;
    let node = match act {
        Act::Move(relocation) => {
            let node = authorize(service, actor, Action::Relocate, id).await?;
            relocate(service, node, None, &relocation, recording).await?
        }
        Act::Copy { parent, name, on_conflict } => {
            let source = authorize(service, actor, Action::ReadContent, id).await?.live()?;
            let parent = authorize_parent(service, actor, parent).await?;
            // what takes long goes on without the request
            let patience = Duration::ZERO;
            return match copying::copy(service, &source, &parent, name.as_ref(), on_conflict, patience)
                .await?
            {
                Outcome::Copied(committed) => {
                    let sight = marks::seen(service, actor, &committed.node, parent.child_sight()).await?;
                    Ok(Done::Node(Box::new((committed.node, sight)), committed.created))
                }
                Outcome::Running(operation) => Ok(Done::Running(operation)),
            };
        }
        Act::Trash => {
            trash::trash(service, actor, id, recording, |_| Ok(None)).await?;
            return Ok(Done::Gone);
        }
        Act::Restore => {
            let node = authorize(service, actor, Action::Restore, id).await?;
            trash::restore(service, &node, recording).await?
        }
        Act::Delete => {
            let node = authorize(service, actor, Action::Delete, id).await?;
            trash::delete(service, &node, None).await?;
            return Ok(Done::Gone);
        }
        Act::Star(on) => {
            let node = authorize(service, actor, Action::ReadMetadata, id).await?.live()?;
            marks::star(service, &node, on, recording).await?
        }
        Act::Tag(change) => {
            let node = authorize(service, actor, Action::Change, id).await?;
            marks::tag(service, node, None, &change, recording).await?
        }
    };
    let sight = sight_of(service, actor, &node).await?;
    let sight = marks::seen(service, actor, &node, sight).await?;
    Ok(Done::Node(Box::new((node, sight)), false))
}
