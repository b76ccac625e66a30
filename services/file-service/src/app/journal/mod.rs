//! The journal of what people did to their files: what is done is noted with what brings it back, in one commit.

mod list;
mod order;
mod revisions;
mod undo;

use std::sync::atomic::{AtomicBool, Ordering};

use common::files::{Act, Actor, Node, NodeError, Note};
use common::{Code, FileId, OperationId, UserId};

use crate::error::AppError;
use crate::state::FileService;

pub(crate) use list::{Entry, find, list};
pub(crate) use undo::undo;

/// What one request does, whose changes are the parts of one operation. There is no operation until something was changed.
#[derive(Debug)]
pub(crate) struct Recorder {
    id: OperationId,
    user: UserId,
    within: Option<FileId>,
    undoes: Option<OperationId>,
    noted: AtomicBool,
}

impl Recorder {
    /// For what `actor` does from now on.
    ///
    /// # Errors
    /// `forbidden` for whoever has no account.
    pub(crate) fn begin(service: &FileService, actor: Actor) -> Result<Self, AppError> {
        let (user, within) = match actor {
            Actor::User(user) => (user, None),
            Actor::UserWithin { user, folder } => (user, Some(folder)),
            Actor::Anonymous | Actor::Link(_) | Actor::Service => {
                return Err(AppError::refused(Code::Forbidden));
            }
        };
        let id = OperationId(service.ids.object_id());
        Ok(Self { id, user, within, undoes: None, noted: AtomicBool::new(false) })
    }

    /// The part of this number.
    pub(crate) fn part(&self, number: u32) -> Recording<'_> {
        Recording { recorder: self, number, undone: number }
    }

    /// The operation, if something was changed that can be undone.
    pub(crate) fn operation(&self) -> Option<OperationId> {
        self.noted.load(Ordering::Acquire).then_some(self.id)
    }
}

/// Notes one change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recording<'r> {
    recorder: &'r Recorder,
    number: u32,
    undone: u32,
}

impl Recording<'_> {
    /// The change undoes the part of this number.
    pub(crate) fn undoing(self, undone: u32) -> Self {
        Self { undone, ..self }
    }

    /// Does this to a node, which was authorised for it, and notes it. With `revision`, only if the node still has it.
    ///
    /// # Errors
    /// As [`common::files::JournalStore::act`].
    pub(crate) async fn act(
        self,
        service: &FileService,
        node: FileId,
        revision: Option<u64>,
        act: &Act,
    ) -> Result<Node, NodeError> {
        let Recorder { id, user, within, undoes, ref noted } = *self.recorder;
        let at = service.clock.now();
        let note =
            Note { operation: id, part: self.number, user, within, undoes, undone_part: self.undone, at };
        let acted = service.journal.act(node, revision, act, &note).await?;
        if acted.noted {
            noted.store(true, Ordering::Release);
        }
        Ok(acted.node)
    }
}
