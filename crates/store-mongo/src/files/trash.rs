//! Lists of what is in the trash, and of tombstones.

use std::collections::HashSet;

use common::files::{Node, Page};
use common::{FileId, PortError, PortResult, SpaceId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::node::NodeDoc;
use super::{FilesDb, path, schema, space};
use crate::engine::{Fault, TxResult};
use crate::value::{ToOid as _, id};

/// Those of the folders that exist: what was trashed below a tombstone is gone, and its row waits for the purge.
async fn existing(
    db: &FilesDb,
    folders: impl Iterator<Item = Option<FileId>>,
) -> TxResult<HashSet<FileId>, PortError> {
    let folders: Vec<FileId> = folders.flatten().collect::<HashSet<_>>().into_iter().collect();
    if folders.is_empty() { Ok(HashSet::new()) } else { path::existing(db, &folders).await }
}

/// Most documents of one look: most lists need only one.
const BATCH: usize = 1_000;

pub(super) async fn list(
    db: &FilesDb,
    space: SpaceId,
    after: Option<(Timestamp, FileId)>,
    limit: u32,
) -> PortResult<Page<Node>> {
    let Some(found) = space::find(db, doc! { "_id": space.oid() }).await? else {
        return Ok(Page { items: Vec::new(), more: false, total: 0 });
    };
    let total = found.usage.trash_count;
    db.read(async {
        let is_first = after.is_none();
        let mut after = after;
        let mut items = Vec::new();
        loop {
            let wanted = (limit as usize + 1 - items.len()).min(BATCH);
            let batch = trashed(db, space, after, wanted).await?;
            let is_last = batch.len() < wanted;
            after = batch.last().and_then(|node| Some((node.trashed?.at, node.id)));
            let existing = existing(db, batch.iter().map(|node| node.parent)).await?;
            items.extend(
                batch.into_iter().filter(|node| node.parent.is_none_or(|parent| existing.contains(&parent))),
            );
            if items.len() > limit as usize {
                items.truncate(limit as usize);
                return Ok(Page { items, more: true, total });
            }
            if is_last {
                // the counter counts what waits for the purge until it has gone
                let total = if is_first { items.len() as u64 } else { total };
                return Ok(Page { items, more: false, total });
            }
        }
    })
    .await
}

/// Newest first.
async fn trashed(
    db: &FilesDb,
    space: SpaceId,
    after: Option<(Timestamp, FileId)>,
    limit: usize,
) -> Result<Vec<Node>, Fault> {
    let mut filter = doc! { "space": space.oid(), "in_trash": true };
    if let Some((at, id)) = after {
        filter.insert("trashed_at", doc! { "$lte": at.millis() });
        filter.insert(
            "$or",
            [doc! { "trashed_at": { "$lt": at.millis() } }, doc! { "_id": { "$lt": id.oid() } }],
        );
    }
    let found: Vec<NodeDoc> = db
        .nodes()
        .find(filter)
        .sort(doc! { "trashed_at": -1, "_id": -1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    found.into_iter().map(NodeDoc::node).collect()
}

/// What lists of ids read.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    id: ObjectId,
    #[serde(default)]
    parent: Option<ObjectId>,
    #[serde(default)]
    trashed_at: i64,
}

impl Row {
    fn parent(&self) -> Option<FileId> {
        self.parent.map(id)
    }
}

async fn rows(db: &FilesDb, filter: Document, sort: Document, limit: usize) -> Result<Vec<Row>, Fault> {
    let found = db
        .collection::<Row>(schema::NODES)
        .find(filter)
        .projection(doc! { "parent": 1, "trashed_at": 1 })
        .sort(sort)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?;
    Ok(found.try_collect().await?)
}

pub(super) async fn expired(db: &FilesDb, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>> {
    db.read(async {
        let mut expired = Vec::new();
        let mut after: Option<(i64, ObjectId)> = None;
        while expired.len() < limit as usize {
            let mut filter = doc! { "in_trash": true, "trashed_at": { "$lt": before.millis() } };
            if let Some((at, id)) = after {
                filter.insert("trashed_at", doc! { "$lt": before.millis(), "$gte": at });
                filter.insert("$or", [doc! { "trashed_at": { "$gt": at } }, doc! { "_id": { "$gt": id } }]);
            }
            let wanted = (limit as usize - expired.len()).min(BATCH);
            let batch = rows(db, filter, doc! { "trashed_at": 1, "_id": 1 }, wanted).await?;
            let existing = existing(db, batch.iter().map(Row::parent)).await?;
            let there = |row: &&Row| row.parent().is_none_or(|parent| existing.contains(&parent));
            expired.extend(batch.iter().filter(there).map(|row| id::<FileId>(row.id)));
            if batch.len() < wanted {
                break;
            }
            after = batch.last().map(|row| (row.trashed_at, row.id));
        }
        Ok(expired)
    })
    .await
}

pub(super) async fn tombstones(db: &FilesDb, before: Timestamp, limit: u32) -> PortResult<Vec<FileId>> {
    db.read(async {
        let filter = doc! { "deleted": true, "deleted_at": { "$lt": before.millis() } };
        let found = rows(db, filter, doc! { "deleted_at": 1, "_id": 1 }, limit as usize).await?;
        Ok(found.into_iter().map(|row| id(row.id)).collect())
    })
    .await
}
