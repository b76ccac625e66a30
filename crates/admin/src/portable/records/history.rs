use common::files::{Act, Change, ChangeKind, CopyFront, CopyOperation, CopyState, Operation, Part};
use common::portable::{PortableFront, PortablePart};
use common::{FileId, OperationId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Strange;

record!(
    /// What somebody did.
    OperationRecord {
        id: OperationId,
        user: UserId,
        within: Option<FileId>,
        at: Timestamp,
        undoes: Option<OperationId>,
        kind: Option<String>,
        node: FileId,
        parts: u64,
        undone: u64,
    }
);

fn kind(word: &str) -> Result<ChangeKind, Strange> {
    ChangeKind::parse(word).ok_or("an unknown kind of change")
}

impl OperationRecord {
    pub(in crate::portable) fn of(operation: Operation) -> Self {
        Self {
            id: operation.id,
            user: operation.user,
            within: operation.within,
            at: operation.at,
            undoes: operation.undoes,
            kind: operation.kind.map(|kind| kind.word().to_owned()),
            node: operation.node,
            parts: operation.parts,
            undone: operation.undone,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<Operation, Strange> {
        Ok(Operation {
            id: self.id,
            user: self.user,
            within: self.within,
            at: self.at,
            undoes: self.undoes,
            kind: self.kind.as_deref().map(kind).transpose()?,
            node: self.node,
            parts: self.parts,
            undone: self.undone,
        })
    }
}

record!(
    /// A change of one node, and what brings it back.
    PartRecord {
        operation: OperationId,
        number: u32,
        node: FileId,
        kind: String,
        undo: String,
        before: u64,
        after: u64,
        undone_by: Option<OperationId>,
    }
);

impl PartRecord {
    pub(in crate::portable) fn of(PortablePart { operation, part }: PortablePart) -> Self {
        Self {
            operation,
            number: part.number,
            node: part.node,
            kind: part.change.kind.word().to_owned(),
            undo: part.change.undo.text(),
            before: part.change.before,
            after: part.change.after,
            undone_by: part.undone_by,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<PortablePart, Strange> {
        let change = Change {
            kind: kind(&self.kind)?,
            undo: Act::parse(&self.undo).ok_or("an unknown change")?,
            before: self.before,
            after: self.after,
        };
        let part = Part { number: self.number, node: self.node, change, undone_by: self.undone_by };
        Ok(PortablePart { operation: self.operation, part })
    }
}

record!(
    /// A copy of a folder.
    CopyRecord {
        id: OperationId,
        user: UserId,
        within: Option<FileId>,
        source: FileId,
        root: FileId,
        state: String,
        reason: Option<String>,
        nodes: u64,
        bytes: u64,
        at: Timestamp,
        ended_at: Option<Timestamp>,
    }
);

impl CopyRecord {
    pub(in crate::portable) fn of(copy: CopyOperation) -> Self {
        Self {
            id: copy.id,
            user: copy.user,
            within: copy.within,
            source: copy.source,
            root: copy.root,
            state: copy.state.word().to_owned(),
            reason: copy.state.reason().map(str::to_owned),
            nodes: copy.nodes,
            bytes: copy.bytes,
            at: copy.at,
            ended_at: copy.ended_at,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<CopyOperation, Strange> {
        let state = CopyState::parse(&self.state, self.reason.as_deref());
        Ok(CopyOperation {
            id: self.id,
            user: self.user,
            within: self.within,
            source: self.source,
            root: self.root,
            state: state.ok_or("an unknown state of a copy")?,
            nodes: self.nodes,
            bytes: self.bytes,
            at: self.at,
            ended_at: self.ended_at,
        })
    }
}

record!(
    /// What a copy has yet to do in one folder.
    FrontRecord {
        copy: OperationId,
        source: FileId,
        target: FileId,
        after: Option<FileId>,
    }
);

impl FrontRecord {
    pub(in crate::portable) fn of(PortableFront { copy, front }: PortableFront) -> Self {
        Self { copy, source: front.source, target: front.target, after: front.after }
    }

    pub(in crate::portable) fn read(self) -> Result<PortableFront, Strange> {
        let front = CopyFront { source: self.source, target: self.target, after: self.after };
        Ok(PortableFront { copy: self.copy, front })
    }
}
