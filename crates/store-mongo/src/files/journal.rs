//! Changes that can be undone, and the journal of them.

use async_trait::async_trait;
use common::files::{
    Act, Acted, Change, ChangeKind, FileEvent, JournalStore, NodeError, Note, Operation, Part,
};
use common::{FileId, OperationId, PortResult, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::{FilesDb, activity, marks, node, path, returns, schema, tree};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, count, id, int};

#[derive(Serialize, Deserialize)]
pub(super) struct OperationDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    user: ObjectId,
    within: Option<ObjectId>,
    at: i64,
    undoes: Option<ObjectId>,
    /// What its changes were, each word once.
    kinds: Vec<String>,
    node: ObjectId,
    parts: i64,
    undone: i64,
}

impl OperationDoc {
    pub(super) fn of(operation: &Operation) -> Self {
        Self {
            id: operation.id.oid(),
            user: operation.user.oid(),
            within: operation.within.map(FileId::oid),
            at: operation.at.millis(),
            undoes: operation.undoes.map(OperationId::oid),
            kinds: operation.kind.iter().map(|kind| kind.word().to_owned()).collect(),
            node: operation.node.oid(),
            parts: int(operation.parts),
            undone: int(operation.undone),
        }
    }

    pub(super) fn read(self) -> Result<Operation, Fault> {
        let kind = match &self.kinds[..] {
            [one] => Some(kind(one)?),
            _ => None,
        };
        Ok(Operation {
            id: id(self.id),
            user: id(self.user),
            within: self.within.map(id),
            at: Timestamp::from_millis(self.at),
            undoes: self.undoes.map(id),
            kind,
            node: id(self.node),
            parts: count(self.parts)?,
            undone: count(self.undone)?,
        })
    }
}

fn kind(word: &str) -> Result<ChangeKind, Fault> {
    ChangeKind::parse(word).ok_or(Fault::Damaged("an unknown kind of change"))
}

#[derive(Serialize, Deserialize)]
pub(super) struct PartDoc {
    pub(super) operation: ObjectId,
    number: i64,
    node: ObjectId,
    kind: String,
    /// What brings it back, as JSON.
    undo: String,
    revision_before: i64,
    revision_after: i64,
    undone_by: Option<ObjectId>,
}

impl PartDoc {
    pub(super) fn of(operation: OperationId, part: &Part) -> Self {
        Self {
            operation: operation.oid(),
            number: i64::from(part.number),
            node: part.node.oid(),
            kind: part.change.kind.word().to_owned(),
            undo: part.change.undo.text(),
            revision_before: int(part.change.before),
            revision_after: int(part.change.after),
            undone_by: part.undone_by.map(OperationId::oid),
        }
    }

    pub(super) fn read(self) -> Result<Part, Fault> {
        let number = u32::try_from(self.number).map_err(|_| Fault::Damaged("a number of a part"))?;
        Ok(Part {
            number,
            node: id(self.node),
            change: Change {
                kind: kind(&self.kind)?,
                undo: Act::parse(&self.undo).ok_or(Fault::Damaged("an unknown change"))?,
                before: count(self.revision_before)?,
                after: count(self.revision_after)?,
            },
            undone_by: self.undone_by.map(id),
        })
    }
}

impl FilesDb {
    fn operations(&self) -> Collection<OperationDoc> {
        self.collection(schema::OPERATIONS)
    }

    fn operation_parts(&self) -> Collection<PartDoc> {
        self.collection(schema::OPERATION_PARTS)
    }

    /// Parts go first: an operation that is left without them is found again.
    async fn forget(&self, chosen: Document, limit: u32) -> PortResult<u32> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: ObjectId,
        }
        self.read(async {
            let operations = self.collection::<Found>(schema::OPERATIONS);
            let found = operations.find(chosen).projection(doc! { "_id": 1 }).limit(i64::from(limit)).await?;
            let found: Vec<ObjectId> = found.map_ok(|found| found.id).try_collect().await?;
            if found.is_empty() {
                return Ok(0);
            }
            self.operation_parts().delete_many(doc! { "operation": { "$in": &found } }).await?;
            let gone = self.operations().delete_many(doc! { "_id": { "$in": found } }).await?;
            Ok(u32::try_from(gone.deleted_count).unwrap_or(u32::MAX))
        })
        .await
    }
}

/// What came of it, and at how many nodes it looked that return to a folder that came back.
async fn act(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    revision: Option<u64>,
    act: &Act,
    note: &Note,
) -> TxResult<(Acted, u32), NodeError> {
    if let Some(undone) = note.undoes {
        take(db, tx, undone, note).await?;
    }
    let before = path::find_in(db, tx, id).await?.ok_or(NodeError::NotFound)?.node;
    let mut star = None;
    let after = match act {
        Act::Relocate { name, parent } => {
            tree::relocate(db, tx, id, revision, name, *parent, note.at).await?
        }
        Act::Tag(tags) => marks::set_tags(db, tx, id, revision, tags).await?,
        Act::Star(_) | Act::Unstar(_) => {
            path::live(db, tx, id).await?.node.check_revision(revision)?;
            star = marks::star_of(db, tx, note.user, id).await?;
            marks::set_star(db, tx, id, note.user, act.star(star)).await?;
            node::get(db, tx, id).await?
        }
        Act::Trash => tree::trash(db, tx, id, revision, note.user, note.at).await?,
        Act::Restore => {
            before.check_revision(revision)?;
            tree::restore(db, tx, id, note.at).await?
        }
    };
    let change = act.change(&before, &after, star);
    match &change {
        Some(change) => {
            write(db, tx, id, change, note).await?;
            if let Some(event) = FileEvent::of_change(change.kind, (&before, &after), note.user, note.at) {
                activity::tell(db, tx, &event).await?;
            }
        }
        None if note.undoes.is_some() => return Err(NodeError::Changed.into()),
        None => {}
    }
    let noted = change.is_some();
    if *act != Act::Restore {
        return Ok((Acted { node: after, noted }, 0));
    }
    let (node, returned) = returns::take_along(db, tx, after, Some(note.user), note.at).await?;
    Ok((Acted { node, noted }, returned))
}

/// Notes of a part that it is undone, unless it is.
async fn take(db: &FilesDb, tx: &mut Tx, undone: OperationId, note: &Note) -> TxResult<(), NodeError> {
    let taken = db
        .operation_parts()
        .update_one(
            doc! { "operation": undone.oid(), "number": i64::from(note.undone_part), "undone_by": null },
            doc! { "$set": { "undone_by": note.operation.oid() } },
        )
        .session(tx.session())
        .await?;
    if taken.matched_count == 0 {
        return Err(NodeError::Changed.into());
    }
    db.operations()
        .update_one(doc! { "_id": undone.oid() }, doc! { "$inc": { "undone": 1_i64 } })
        .session(tx.session())
        .await?;
    Ok(())
}

async fn write(db: &FilesDb, tx: &mut Tx, node: FileId, change: &Change, note: &Note) -> Result<(), Fault> {
    let first = doc! {
        "user": note.user.oid(),
        "within": note.within.map(FileId::oid),
        "at": note.at.millis(),
        "undoes": note.undoes.map(OperationId::oid),
        "node": node.oid(),
        "undone": 0_i64,
    };
    let counted = doc! {
        "$setOnInsert": first,
        "$addToSet": { "kinds": change.kind.word() },
        "$inc": { "parts": 1_i64 },
    };
    db.operations()
        .update_one(doc! { "_id": note.operation.oid() }, counted)
        .upsert(true)
        .session(tx.session())
        .await?;
    let part = PartDoc {
        operation: note.operation.oid(),
        number: i64::from(note.part),
        node: node.oid(),
        kind: change.kind.word().to_owned(),
        undo: change.undo.text(),
        revision_before: int(change.before),
        revision_after: int(change.after),
        undone_by: None,
    };
    db.operation_parts().insert_one(&part).session(tx.session()).await?;
    Ok(())
}

#[async_trait]
impl JournalStore for FilesDb {
    async fn act(
        &self,
        node: FileId,
        revision: Option<u64>,
        wanted: &Act,
        note: &Note,
    ) -> Result<Acted, NodeError> {
        let space = self.space_of(node).await?.ok_or(NodeError::NotFound)?;
        // parts of one operation may lie in several spaces, and are all counted by one document
        let turns = [space.oid(), note.operation.oid(), note.undoes.unwrap_or(note.operation).oid()];
        let (Acted { node, noted }, returned) = self
            .engine
            .transact(&turns, |mut tx| async move { act(self, &mut tx, node, revision, wanted, note).await })
            .await?;
        let node = returns::take_the_rest(self, (node, returned), Some(note.user), note.at).await;
        Ok(Acted { node, noted })
    }

    async fn find_operation(&self, id: OperationId) -> PortResult<Option<Operation>> {
        let found =
            self.read(async { Ok(self.operations().find_one(doc! { "_id": id.oid() }).await?) }).await?;
        Ok(found.map(OperationDoc::read).transpose()?)
    }

    async fn list_parts(&self, id: OperationId) -> PortResult<Vec<Part>> {
        self.read(async {
            let found = self
                .operation_parts()
                .find(doc! { "operation": id.oid() })
                .sort(doc! { "number": 1 })
                .max_time(self.engine.deadline())
                .await?;
            let found: Vec<PartDoc> = found.try_collect().await?;
            Ok(found.into_iter().map(PartDoc::read).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn list_operations(
        &self,
        user: UserId,
        within: Option<FileId>,
        before: Option<OperationId>,
        limit: u32,
    ) -> PortResult<Vec<Operation>> {
        self.read(async {
            let found = self
                .operations()
                .find(listed(user, within, before))
                .sort(doc! { "_id": -1 })
                .limit(i64::from(limit))
                .max_time(self.engine.deadline())
                .await?;
            let found: Vec<OperationDoc> = found.try_collect().await?;
            Ok(found.into_iter().map(OperationDoc::read).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn sweep_operations(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.forget(doc! { "at": { "$lt": before.millis() } }, limit).await
    }

    async fn forget_operations(&self, user: UserId, limit: u32) -> PortResult<u32> {
        self.forget(doc! { "user": user.oid() }, limit).await
    }
}

/// What a list of somebody's operations, or copies, asks for.
pub(super) fn listed(user: UserId, within: Option<FileId>, before: Option<OperationId>) -> Document {
    let mut filter = doc! { "user": user.oid() };
    if let Some(within) = within {
        filter.insert("within", within.oid());
    }
    if let Some(before) = before {
        filter.insert("_id", doc! { "$lt": before.oid() });
    }
    filter
}
