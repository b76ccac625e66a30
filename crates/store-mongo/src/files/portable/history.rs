//! What happened, what can be undone, and copies of folders.

use std::collections::HashMap;

use common::files::{CopyOperation, FileEvent};
use common::portable::{PortableFront, PortablePart};
use common::{FileId, OperationId, SpaceId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::super::activity::{EventDoc, place};
use super::super::copying::{CopyDoc, FrontDoc};
use super::super::journal::PartDoc;
use super::super::{FilesDb, schema};
use crate::engine::Fault;
use crate::portable::{keep, page, page_of};
use crate::value::{ToOid as _, id, oids};

pub(super) async fn page_events(
    db: &FilesDb,
    after: Option<(SpaceId, u64)>,
    limit: u32,
) -> Result<Vec<FileEvent>, Fault> {
    let after = after.map(|(space, seq)| place(space, seq));
    let found: Vec<EventDoc> = page(&db.engine, schema::ACTIVITY, "_id", after, limit).await?;
    found.into_iter().map(EventDoc::read).collect()
}

pub(super) async fn keep_events(db: &FilesDb, events: &[FileEvent]) -> Result<(), Fault> {
    let docs = events.iter().map(|event| EventDoc::new(event, event.seq)).collect();
    keep::<EventDoc>(&db.engine, schema::ACTIVITY, docs).await
}

pub(super) async fn page_parts(
    db: &FilesDb,
    after: Option<(OperationId, u32)>,
    limit: u32,
) -> Result<Vec<PortablePart>, Fault> {
    let behind = after.map_or_else(Document::new, |(operation, number)| {
        let ties = doc! { "operation": operation.oid(), "number": { "$gt": i64::from(number) } };
        doc! { "$or": [{ "operation": { "$gt": operation.oid() } }, ties] }
    });
    let order = doc! { "operation": 1, "number": 1 };
    let found: Vec<PartDoc> = page_of(&db.engine, schema::OPERATION_PARTS, behind, order, limit).await?;
    let read = |doc: PartDoc| Ok(PortablePart { operation: id(doc.operation), part: doc.read()? });
    found.into_iter().map(read).collect()
}

pub(super) async fn keep_parts(db: &FilesDb, parts: &[PortablePart]) -> Result<(), Fault> {
    let docs = parts.iter().map(|kept| PartDoc::of(kept.operation, &kept.part)).collect();
    keep::<PartDoc>(&db.engine, schema::OPERATION_PARTS, docs).await
}

pub(super) async fn keep_copies(db: &FilesDb, copies: &[CopyOperation]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Root {
        #[serde(rename = "_id")]
        id: ObjectId,
        space: ObjectId,
    }
    let roots: Vec<FileId> = copies.iter().map(|copy| copy.root).collect();
    let found = db
        .collection::<Root>(schema::NODES)
        .find(doc! { "_id": { "$in": oids(&roots) } })
        .projection(doc! { "space": 1 })
        .await?;
    let spaces: HashMap<ObjectId, ObjectId> =
        found.map_ok(|root| (root.id, root.space)).try_collect().await?;
    // of a folder that is gone no tree is known, and none is asked for: its copy has ended, or ends at its next step
    let space = |copy: &CopyOperation| spaces.get(&copy.root.oid()).copied().unwrap_or(copy.root.oid());
    let docs = copies.iter().map(|copy| CopyDoc::of(copy, space(copy))).collect();
    keep::<CopyDoc>(&db.engine, schema::COPIES, docs).await
}

pub(super) async fn page_fronts(
    db: &FilesDb,
    after: Option<(OperationId, FileId)>,
    limit: u32,
) -> Result<Vec<PortableFront>, Fault> {
    // as the index has them: targets in descending order
    let behind = after.map_or_else(Document::new, |(copy, target)| {
        let ties = doc! { "copy": copy.oid(), "target": { "$lt": target.oid() } };
        doc! { "$or": [{ "copy": { "$gt": copy.oid() } }, ties] }
    });
    let order = doc! { "copy": 1, "target": -1 };
    let found: Vec<FrontDoc> = page_of(&db.engine, schema::COPY_FRONTS, behind, order, limit).await?;
    Ok(found.iter().map(|doc| PortableFront { copy: id(doc.copy), front: doc.read() }).collect())
}

pub(super) async fn keep_fronts(db: &FilesDb, fronts: &[PortableFront]) -> Result<(), Fault> {
    let docs = fronts.iter().map(|kept| FrontDoc::as_it_was(kept.copy, &kept.front)).collect();
    keep::<FrontDoc>(&db.engine, schema::COPY_FRONTS, docs).await
}
