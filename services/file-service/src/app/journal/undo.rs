//! Undoing what was done: the inverse acts, with the rights of today.

use std::collections::HashSet;

use common::files::{Act, Action, Actor, Node, NodeError, Part};
use common::{Code, FileId, OperationId};
use futures_util::{StreamExt as _, stream};

use super::revisions::Revisions;
use super::{Entry, Recorder, Recording, find, order};
use crate::app::access::{Sight, authorize, authorize_parent, sight_of};
use crate::app::marks;
use crate::error::AppError;
use crate::state::FileService;

/// How many parts of one kind are undone at once: enough that the store commits them in groups.
pub(super) const AT_ONCE: usize = 16;

/// What a node looks like after a part was undone, unless it is in the trash.
pub(crate) type PartUndone = Result<Option<Box<(Node, Sight)>>, AppError>;

/// What came of undoing an operation.
pub(crate) struct Undone {
    /// The operation that undoing was, if anything was undone.
    pub(crate) operation: Option<OperationId>,
    /// What came of each part, the last one first: what its node looks like now, unless it is in the trash.
    pub(crate) results: Vec<(FileId, PartUndone)>,
}

/// Undoes each part of an operation that nothing else has changed since, the last one first. Undoing is an operation itself, so that it can be undone. An
/// operation of one part is undone or fails. What was refused can be undone by another call, once nothing stops it any more.
///
/// # Errors
/// `not_found` if it is not the caller's; `not_undoable` for a copy; `changed_since` if all of it was undone already. Of an operation of one part what
/// stopped it: `changed_since`, `not_found`, `forbidden`, and what the inverse act may end with.
pub(crate) async fn undo(service: &FileService, actor: Actor, id: OperationId) -> Result<Undone, AppError> {
    let Entry::Changes(operation) = find(service, actor, id).await? else {
        return Err(AppError::because(Code::NotUndoable, "A copy is not undone: put it into the trash"));
    };
    if operation.undone >= operation.parts {
        return Err(AppError::ChangedSince { node: operation.node });
    }
    let recorder = Recorder { undoes: Some(id), ..Recorder::begin(service, actor)? };
    let mut parts = service.journal.list_parts(id).await?;
    parts.reverse();
    let mut revisions = Revisions::of(service, &parts).await?;
    let mut parts = parts.into_iter().peekable();
    let (mut results, mut numbers) = (Vec::new(), 0..);
    while let Some(first) = parts.next() {
        let kind = std::mem::discriminant(&first.change.undo);
        let mut seen = HashSet::from([first.node]);
        let mut alike = vec![first];
        while let Some(next) =
            parts.next_if(|next| std::mem::discriminant(&next.change.undo) == kind && seen.insert(next.node))
        {
            alike.push(next);
        }
        let mut came: Vec<Option<(FileId, PartUndone)>> = alike.iter().map(|_| None).collect();
        for wave in order::waves(service, &alike).await {
            // in the order of undoing, so that what undoes that goes the other way
            let undone: Vec<_> = wave.into_iter().zip(&mut numbers).collect();
            let undone = undone.into_iter().map(|(at, number)| {
                let part = alike[at].clone();
                let revision = revisions.expected(&part);
                let recording = recorder.part(number).undoing(part.number);
                async move {
                    let node = undo_part(service, actor, &part, revision, recording).await;
                    (at, part, node)
                }
            });
            let undone: Vec<_> = stream::iter(undone).buffered(AT_ONCE).collect().await;
            for (at, part, node) in undone {
                let seen = match node {
                    Ok(node) => {
                        revisions.undone(&part, &node);
                        look(service, actor, node).await
                    }
                    Err(error) => {
                        revisions.passed(&part);
                        Err(error)
                    }
                };
                came[at] = Some((part.node, seen));
            }
        }
        results.extend(came.into_iter().flatten());
    }
    if let [(_, Err(_))] = &results[..] {
        let only = results.pop().map(|(_, result)| result);
        if let Some(Err(error)) = only {
            return Err(error);
        }
    }
    Ok(Undone { operation: recorder.operation(), results })
}

async fn undo_part(
    service: &FileService,
    actor: Actor,
    part: &Part,
    revision: u64,
    recording: Recording<'_>,
) -> Result<Node, AppError> {
    let changed = || AppError::ChangedSince { node: part.node };
    let undo = &part.change.undo;
    let (action, revision) = match undo {
        Act::Relocate { .. } => (Action::Relocate, Some(revision)),
        Act::Tag(_) => (Action::Change, Some(revision)),
        // whose star it is, the act itself looks at
        Act::Star(_) | Act::Unstar(_) => (Action::ReadMetadata, None),
        Act::Trash => (Action::Trash, Some(revision)),
        Act::Restore => (Action::Restore, Some(revision)),
    };
    let node = match authorize(service, actor, action, part.node).await {
        // whoever may bring it back from the trash may hear that it is there
        Err(error) if error.code() == Code::NotFound && action != Action::Restore => {
            match authorize(service, actor, Action::Restore, part.node).await {
                Ok(node) if node.in_trash() => return Err(changed()),
                _ => return Err(error),
            }
        }
        node => node?,
    };
    if part.undone_by.is_some()
        || revision.is_some_and(|revision| revision != node.node().revision)
        || (action != Action::Restore && node.in_trash())
    {
        return Err(changed());
    }
    if let Act::Relocate { parent, .. } = undo {
        authorize_parent(service, actor, *parent).await?;
    }
    let undone = recording.act(service, node.id(), revision, undo).await;
    undone.map_err(|error| match error {
        NodeError::Changed | NodeError::NotTrashed => changed(),
        error => error.into(),
    })
}

/// What a node looks like to the caller. What is in the trash is not shown, nor what the undoing has taken out of their sight.
async fn look(
    service: &FileService,
    actor: Actor,
    node: Node,
) -> Result<Option<Box<(Node, Sight)>>, AppError> {
    if node.trashed.is_some() {
        return Ok(None);
    }
    let sight = match sight_of(service, actor, &node).await {
        Ok(sight) => marks::seen(service, actor, &node, sight).await?,
        Err(error) if error.code() == Code::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Box::new((node, sight))))
}
