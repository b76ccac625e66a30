//! Removing what lies below a tombstone, some rows a commit.

use common::files::PurgeStep;
use common::{BlobKey, FileId, SpaceId, Timestamp};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;

use super::space::{self, Change};
use super::upload::GivenUp;
use super::{FilesDb, all, blobs, marks, schema};
use crate::engine::{Fault, Tx};
use crate::value::{ToOid as _, count, id, int, read_key};

/// What a purge must know of a row.
#[derive(Deserialize)]
struct Doomed {
    #[serde(rename = "_id")]
    id: ObjectId,
    space: ObjectId,
    #[serde(default)]
    parent: Option<ObjectId>,
    kind: i32,
    size: i64,
    in_trash: bool,
    deleted: bool,
    #[serde(default)]
    deleted_at: Option<i64>,
    #[serde(default)]
    content: Option<DoomedContent>,
}

#[derive(Deserialize)]
struct DoomedContent {
    blob: Binary,
}

impl Doomed {
    fn projection() -> Document {
        doc! {
            "space": 1, "parent": 1, "kind": 1, "size": 1, "in_trash": 1, "deleted": 1, "deleted_at": 1,
            "content.blob": 1,
        }
    }

    fn content(&self) -> Result<Option<(BlobKey, u64)>, Fault> {
        match &self.content {
            Some(content) => Ok(Some((read_key(&content.blob)?, count(self.size)?))),
            None => Ok(None),
        }
    }
}

/// One commit's worth of a purge.
pub(super) async fn step(
    db: &FilesDb,
    tx: &mut Tx,
    tombstone: FileId,
    limit: u32,
    at: Timestamp,
    tombstone_until: Timestamp,
) -> Result<PurgeStep, Fault> {
    let found = db
        .collection::<Doomed>(schema::NODES)
        .find_one(doc! { "_id": tombstone.oid(), "deleted": true })
        .projection(Doomed::projection())
        .session(tx.session())
        .await?;
    let Some(top) = found else { return Ok(PurgeStep { done: true, removed: 0, freed_bytes: 0 }) };
    let limit = limit.max(1) as usize;
    let remove_top = top.deleted_at.is_some_and(|deleted_at| deleted_at < tombstone_until.millis());
    let mut rows = below(db, tx, top.id, limit).await?;
    let done = rows.len() + usize::from(remove_top) <= limit;
    rows.truncate(limit);
    let (space, top_id) = (id::<SpaceId>(top.space), top.id);
    let ends_space = done && remove_top && top.parent.is_none();
    let mut emptied = None;
    if done {
        match (remove_top, top.content.is_some()) {
            (true, _) => rows.push(top),
            // its own content goes with the first walk that finds nothing below it, its row when it is old enough
            (false, true) => emptied = Some(top),
            (false, false) => {}
        }
    }
    let mut given_up = GivenUp::default();
    let mut change = Change::default();
    for row in &rows {
        // what has a tombstone of its own was taken off the counts with it
        change.nodes -= i64::from(!row.deleted);
        change.trash -= i64::from(row.in_trash);
    }
    let mut files = Vec::new();
    for row in rows.iter().chain(&emptied) {
        if let Some((blob, size)) = row.content()? {
            given_up.add(blob, size);
            files.push(id::<FileId>(row.id));
        }
    }
    if rows.is_empty() && emptied.is_none() {
        return Ok(PurgeStep { done, removed: 0, freed_bytes: 0 });
    }
    given_up.versions_of(db, tx, &files).await?;
    change.used_bytes = -int(given_up.bytes);
    space::must_apply(db, tx, space, change).await?;
    let removed = delete(db, tx, space, &rows).await?;
    if ends_space {
        space::remove(db, tx, space).await?;
    }
    if emptied.is_some() {
        let empty = doc! { "$unset": { "content": "" }, "$set": { "size": 0_i64, "has_content": false } };
        db.nodes().update_one(doc! { "_id": top_id }, empty).session(tx.session()).await?;
    }
    blobs::give_back(db, tx, &given_up.blobs, at).await?;
    Ok(PurgeStep { done, removed, freed_bytes: given_up.bytes })
}

/// Rows below a folder, deepest first: at least one more than `limit`, or all. The first `limit` of them have nothing below that is not before
/// them: a level of which not all was read has at least `limit` rows, so what is above it comes later.
async fn below(db: &FilesDb, tx: &mut Tx, folder: ObjectId, limit: usize) -> Result<Vec<Doomed>, Fault> {
    let nodes = db.collection::<Doomed>(schema::NODES);
    let mut levels = Vec::new();
    let mut folders = vec![folder];
    while !folders.is_empty() {
        let level = nodes
            .find(doc! { "parent": { "$in": folders } })
            .projection(Doomed::projection())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1);
        let level = all(level, tx).await?;
        folders = level.iter().filter(|row| row.kind == 0).map(|row| row.id).collect();
        levels.push(level);
    }
    Ok(levels.into_iter().rev().flatten().collect())
}

/// Removes rows, with what opened them to others; how many.
async fn delete(db: &FilesDb, tx: &mut Tx, space: SpaceId, rows: &[Doomed]) -> Result<u32, Fault> {
    if rows.is_empty() {
        return Ok(0);
    }
    let ids: Vec<ObjectId> = rows.iter().map(|row| row.id).collect();
    let opened = doc! { "space": space.oid(), "node": { "$in": &ids } };
    for collection in [schema::SHARES, schema::LINKS] {
        let collection = db.collection::<Document>(collection);
        collection.delete_many(opened.clone()).session(tx.session()).await?;
    }
    marks::remove_stars(db, tx, &ids).await?;
    let deleted = db.nodes().delete_many(doc! { "_id": { "$in": ids } }).session(tx.session()).await?;
    u32::try_from(deleted.deleted_count).map_err(|_| Fault::Damaged("a purge without end"))
}
