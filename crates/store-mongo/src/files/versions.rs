//! The contents that files have had.

use std::collections::BTreeMap;

use async_trait::async_trait;
use common::files::{KeepVersions, NodeError, PruneStep, Version, VersionStore};
use common::{BlobKey, FileId, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;

use super::content::{self, Facts, VersionDoc};
use super::space::{self, Change};
use super::upload::{GivenUp, versions};
use super::{FilesDb, all, blobs, path, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, id, int, key, read_key};

/// What a version takes from the document of its blob.
#[derive(Deserialize)]
struct BlobDoc {
    #[serde(rename = "_id")]
    key: Binary,
    sha256: Binary,
    crc32: i64,
    #[serde(flatten)]
    facts: Facts,
}

/// The old versions that a filter finds, newest first.
async fn old(db: &FilesDb, filter: Document, limit: usize) -> TxResult<Vec<Version>, PortError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let versions = versions(db);
    let found = versions.find(filter).sort(doc! { "version": -1 }).limit(limit);
    let found: Vec<VersionDoc> = found.max_time(db.engine.deadline()).await?.try_collect().await?;
    let keys = found.iter().map(|version| Ok(key(version.blob()?))).collect::<Result<Vec<_>, Fault>>()?;
    let mut projection = Facts::projection();
    projection.extend(doc! { "sha256": 1, "crc32": 1 });
    let blobs = db.collection::<BlobDoc>(schema::BLOBS);
    let known = blobs.find(doc! { "_id": { "$in": keys } });
    let known: Vec<BlobDoc> = known.projection(projection).await?.try_collect().await?;
    let mut known_by_key = BTreeMap::<BlobKey, BlobDoc>::new();
    for blob in known {
        known_by_key.insert(read_key(&blob.key)?, blob);
    }
    let mut list = Vec::with_capacity(found.len());
    for version in found {
        // outside of transactions: it was given up since
        let Some(blob) = known_by_key.get(&version.blob()?) else { continue };
        list.push(version.read((&blob.sha256, blob.crc32), blob.facts.clone())?);
    }
    Ok(list)
}

async fn list(
    db: &FilesDb,
    file: FileId,
    before: Option<u32>,
    limit: u32,
) -> TxResult<Vec<Version>, PortError> {
    let Some(doc) = path::find_doc(db, file).await? else { return Ok(Vec::new()) };
    let Some(current) = content::current_version(doc)? else { return Ok(Vec::new()) };
    let before = before.unwrap_or(u32::MAX);
    // what became an old version since the file was read is the content that was read
    let below = before.min(current.content.version);
    let mut list: Vec<Version> = (current.content.version < before).then_some(current).into_iter().collect();
    let filter = doc! { "node": file.oid(), "version": { "$lt": i64::from(below) } };
    let wanted = (limit as usize).saturating_sub(list.len());
    if wanted > 0 {
        list.extend(old(db, filter, wanted).await?);
    }
    list.truncate(limit as usize);
    Ok(list)
}

async fn delete(
    db: &FilesDb,
    tx: &mut Tx,
    file: FileId,
    number: u32,
    at: Timestamp,
) -> TxResult<bool, NodeError> {
    let node = path::live(db, tx, file).await?.node;
    let content = node.content.as_ref().ok_or(NodeError::NotAFile)?;
    if content.version == number {
        return Err(NodeError::Changed.into());
    }
    let filter = doc! { "node": file.oid(), "version": i64::from(number) };
    let removed = versions(db).find_one_and_delete(filter).session(tx.session()).await?;
    let Some(removed) = removed else { return Ok(false) };
    let change = Change { used_bytes: -int(removed.size()?), ..Change::default() };
    space::must_apply(db, tx, node.space, change).await?;
    blobs::give_back(db, tx, &[removed.blob()?], at).await?;
    Ok(true)
}

/// Those of the versions of one file, newest first, that need not be kept.
fn doomed(versions: Vec<VersionDoc>, keep: KeepVersions) -> Vec<VersionDoc> {
    let goes = |(place, version): &(usize, VersionDoc)| {
        *place >= keep.count as usize || version.was_replaced_before(keep.replaced_since)
    };
    versions.into_iter().enumerate().filter(goes).map(|(_, version)| version).collect()
}

/// Files that have versions, by their ids.
async fn files_with_versions(
    db: &FilesDb,
    after: Option<FileId>,
    limit: u32,
) -> TxResult<Vec<FileId>, PortError> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(rename = "_id")]
        node: ObjectId,
    }
    let filter = after.map_or_else(Document::new, |after| doc! { "node": { "$gt": after.oid() } });
    let pipeline = [
        doc! { "$match": filter },
        doc! { "$sort": { "node": 1, "version": -1 } },
        doc! { "$group": { "_id": "$node" } },
        doc! { "$sort": { "_id": 1 } },
        doc! { "$limit": i64::from(limit) },
    ];
    let found = db.collection::<Document>(schema::VERSIONS).aggregate(pipeline).with_type::<Found>().await?;
    Ok(found.map_ok(|found| id::<FileId>(found.node)).try_collect().await?)
}

/// Those of the files that have something to give up.
async fn suspects(db: &FilesDb, files: &[FileId], keep: KeepVersions) -> TxResult<Vec<FileId>, PortError> {
    let of_files = doc! { "node": { "$in": crate::value::oids(files) } };
    let versions = versions(db);
    let found = versions.find(of_files).sort(doc! { "node": 1, "version": -1 });
    let found: Vec<VersionDoc> = found.await?.try_collect().await?;
    let mut by_file = BTreeMap::<FileId, Vec<VersionDoc>>::new();
    for version in found {
        by_file.entry(version.node()).or_default().push(version);
    }
    let wasteful = by_file
        .into_iter()
        .filter_map(|(file, versions)| if doomed(versions, keep).is_empty() { None } else { Some(file) });
    Ok(wasteful.collect())
}

/// Removes what of a file need not be kept; how many, and their bytes.
async fn prune(
    db: &FilesDb,
    tx: &mut Tx,
    file: FileId,
    keep: KeepVersions,
    at: Timestamp,
) -> Result<(u32, u64), Fault> {
    let versions = versions(db);
    let found = versions.find(doc! { "node": file.oid() }).sort(doc! { "version": -1 });
    let doomed = doomed(all(found, tx).await?, keep);
    if doomed.is_empty() {
        return Ok((0, 0));
    }
    let mut given_up = GivenUp::default();
    given_up.add_all(&doomed)?;
    let numbers: Vec<i64> = doomed.iter().map(|version| i64::from(version.version())).collect();
    versions
        .delete_many(doc! { "node": file.oid(), "version": { "$in": numbers } })
        .session(tx.session())
        .await?;
    let doc = db.nodes().find_one(doc! { "_id": file.oid() }).session(tx.session()).await?;
    let space = doc.ok_or(Fault::Damaged("versions without their file"))?.space();
    let change = Change { used_bytes: -int(given_up.bytes), ..Change::default() };
    space::must_apply(db, tx, space, change).await?;
    blobs::give_back(db, tx, &given_up.blobs, at).await?;
    Ok((u32::try_from(doomed.len()).unwrap_or(u32::MAX), given_up.bytes))
}

#[async_trait]
impl VersionStore for FilesDb {
    async fn list_versions(&self, file: FileId, before: Option<u32>, limit: u32) -> PortResult<Vec<Version>> {
        self.read(list(self, file, before, limit)).await
    }

    async fn find_version(&self, file: FileId, number: u32) -> PortResult<Option<Version>> {
        let found = self.read(list(self, file, Some(number.saturating_add(1)), 1)).await?;
        Ok(found.into_iter().find(|version| version.content.version == number))
    }

    async fn delete_version(&self, file: FileId, number: u32, at: Timestamp) -> Result<bool, NodeError> {
        let space = self.space_of(file).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move { delete(self, &mut tx, file, number, at).await }).await
    }

    async fn prune_versions(
        &self,
        after: Option<FileId>,
        keep: KeepVersions,
        limit: u32,
        at: Timestamp,
    ) -> PortResult<PruneStep> {
        let (files, suspects) = self
            .read(async {
                let files = files_with_versions(self, after, limit).await?;
                let suspects = suspects(self, &files, keep).await?;
                Ok((files, suspects))
            })
            .await?;
        let next = files.last().copied().filter(|_| files.len() >= limit as usize);
        let mut step = PruneStep { next, removed: 0, freed_bytes: 0 };
        for file in suspects {
            let Some(space) = self.space_of(file).await? else { continue };
            let (removed, freed) = self
                .write(space.oid(), |mut tx| async move { Ok(prune(self, &mut tx, file, keep, at).await?) })
                .await?;
            step.removed += removed;
            step.freed_bytes += freed;
        }
        Ok(step)
    }
}
