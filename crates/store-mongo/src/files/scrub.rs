//! What a scrub of contents needs to know, and notes.

use std::collections::BTreeSet;

use common::files::{BlobInfo, BlobRecord};
use common::{BlobKey, Crc32, FileId, PortResult, Sha256, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;

use super::blobs::blobs;
use super::{FilesDb, schema};
use crate::engine::Fault;
use crate::value::{count, fixed, id, key, oids, read_key};

#[derive(Deserialize)]
struct RecordDoc {
    #[serde(rename = "_id")]
    key: Binary,
    size: i64,
    sha256: Binary,
    crc32: i64,
    inline: bool,
    #[serde(default)]
    damaged_at: Option<i64>,
}

impl RecordDoc {
    fn record(self) -> Result<BlobRecord, Fault> {
        let crc32 = u32::try_from(self.crc32).map_err(|_| Fault::Damaged("a CRC-32 that is none"))?;
        Ok(BlobRecord {
            info: BlobInfo {
                key: read_key(&self.key)?,
                size: count(self.size)?,
                sha256: Sha256(fixed(&self.sha256)?),
                inline: self.inline,
            },
            crc32: Crc32(crc32),
            damaged_at: self.damaged_at.map(Timestamp::from_millis),
        })
    }
}

pub(super) async fn list(db: &FilesDb, after: Option<BlobKey>, limit: u32) -> PortResult<Vec<BlobRecord>> {
    let mut filter = doc! { "condemned": false };
    if let Some(after) = after {
        filter.insert("_id", doc! { "$gt": key(after) });
    }
    db.read(async {
        let found: Vec<RecordDoc> = db
            .collection(schema::BLOBS)
            .find(filter)
            .projection(doc! { "size": 1, "sha256": 1, "crc32": 1, "inline": 1, "damaged_at": 1 })
            .sort(doc! { "_id": 1 })
            .limit(i64::from(limit))
            .await?
            .try_collect()
            .await?;
        Ok(found.into_iter().map(RecordDoc::record).collect::<Result<_, _>>()?)
    })
    .await
}

pub(super) async fn mark(db: &FilesDb, blob: BlobKey, damaged_at: Option<Timestamp>) -> PortResult<bool> {
    // `damaged` is for the index; blobs that never were do not have it
    let (only, change) = match damaged_at {
        Some(at) => (
            doc! { "damaged": { "$ne": true } },
            doc! { "$set": { "damaged": true, "damaged_at": at.millis() } },
        ),
        None => (doc! { "damaged": true }, doc! { "$unset": { "damaged": "", "damaged_at": "" } }),
    };
    let mut filter = doc! { "_id": key(blob), "condemned": false };
    filter.extend(only);
    db.read(async { Ok(blobs(db).update_one(filter, change).await?.matched_count == 1) }).await
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: ObjectId,
}

#[derive(Deserialize)]
struct OfNode {
    node: ObjectId,
}

#[derive(Deserialize)]
struct OfOriginal {
    original: Binary,
}

pub(super) async fn files(db: &FilesDb, blob: BlobKey, limit: u32) -> PortResult<Vec<FileId>> {
    if limit == 0 {
        // the server takes it for no limit
        return Ok(Vec::new());
    }
    let limit = i64::from(limit);
    db.read(async {
        let thumbnails = db.collection::<OfOriginal>(schema::THUMBNAILS);
        let thumbnail = thumbnails.find_one(doc! { "_id": key(blob) }).projection(doc! { "original": 1 });
        let mut contents = vec![key(blob)];
        contents.extend(thumbnail.await?.map(|thumbnail| thumbnail.original));
        let of_content = doc! { "content.blob": { "$in": contents }, "has_content": true };
        let mut files = ids(db, of_content, limit).await?;
        let versions: Vec<OfNode> = db
            .collection(schema::VERSIONS)
            .find(doc! { "blob": key(blob) })
            .projection(doc! { "node": 1, "_id": 0 })
            .sort(doc! { "node": 1 })
            .limit(limit)
            .await?
            .try_collect()
            .await?;
        if !versions.is_empty() {
            let nodes: Vec<FileId> = versions.iter().map(|version| id(version.node)).collect();
            files.extend(ids(db, doc! { "_id": { "$in": oids(&nodes) } }, limit).await?);
        }
        Ok(files.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    })
    .await
}

/// Nodes that this filter finds and that have no tombstone.
async fn ids(db: &FilesDb, mut filter: Document, limit: i64) -> Result<BTreeSet<FileId>, Fault> {
    filter.insert("deleted", false);
    let found: Vec<Id> = db
        .collection(schema::NODES)
        .find(filter)
        .projection(doc! { "_id": 1 })
        .sort(doc! { "_id": 1 })
        .limit(limit)
        .await?
        .try_collect()
        .await?;
    Ok(found.into_iter().map(|row| id(row.id)).collect())
}
