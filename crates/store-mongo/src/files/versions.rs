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

/// How many versions are read for each file that a step may look at: more than most files have.
const READ_FOR_EACH: u32 = 5;
/// Versions that one commit gives up.
const AT_ONCE: u32 = 500;
/// Versions after which a step ends, behind the file that it is at.
const ENOUGH: u32 = 2_000;

/// Some files that have versions, in the order of their ids.
struct Walked {
    /// Those that may have something to give up.
    suspects: Vec<FileId>,
    /// The last one that was looked at, if there are more.
    next: Option<FileId>,
}

/// Looks at the versions of the first files after `after`. Reads so many and no more along the index, however many there are, and of one file: what a step
/// costs must not grow with what is still to come.
async fn walk(
    db: &FilesDb,
    after: Option<FileId>,
    keep: KeepVersions,
    limit: u32,
) -> TxResult<Walked, PortError> {
    #[derive(Deserialize)]
    struct Found {
        node: ObjectId,
        #[serde(default)]
        replaced_at: Option<i64>,
    }
    let most = limit.saturating_mul(READ_FOR_EACH);
    let filter = after.map_or_else(Document::new, |after| doc! { "node": { "$gt": after.oid() } });
    let found = db
        .collection::<Found>(schema::VERSIONS)
        .find(filter)
        .projection(doc! { "_id": 0, "node": 1, "replaced_at": 1 })
        .sort(doc! { "node": 1, "version": -1 })
        .limit(i64::from(most))
        .max_time(db.engine.deadline())
        .await?;
    let found: Vec<Found> = found.try_collect().await?;
    let is_cut = found.len() >= most as usize;
    let mut files: Vec<(FileId, bool)> = found
        .chunk_by(|one, other| one.node == other.node)
        .map(|versions| {
            let too_many = versions.len() > keep.count as usize;
            let is_suspect = too_many || versions.iter().any(|it| is_past(it.replaced_at, keep));
            (id(versions[0].node), is_suspect)
        })
        .collect();
    match &mut files[..] {
        // what was not read of it may be more than enough
        [(_, is_suspect)] if is_cut => *is_suspect = true,
        // the next step reads it from its first version on
        [_, .., _] if is_cut => files.truncate(files.len() - 1),
        _ => {}
    }
    let more = is_cut || files.len() > limit as usize;
    files.truncate(limit as usize);
    let next = files.last().map(|(file, _)| *file).filter(|_| more);
    let suspects = files.into_iter().filter_map(|(file, is_suspect)| is_suspect.then_some(file)).collect();
    Ok(Walked { suspects, next })
}

/// Whether what was replaced then need not be kept; older programs do not say when.
fn is_past(replaced_at: Option<i64>, keep: KeepVersions) -> bool {
    replaced_at.is_some_and(|at| at < keep.replaced_since.millis())
}

/// Removes of what of a file need not be kept the oldest, at most [`AT_ONCE`]; how many, and their bytes.
async fn prune(
    db: &FilesDb,
    tx: &mut Tx,
    file: FileId,
    keep: KeepVersions,
    at: Timestamp,
) -> Result<(u32, u64), Fault> {
    #[derive(Deserialize)]
    struct Number {
        version: i64,
    }
    let numbers = db.collection::<Number>(schema::VERSIONS);
    let first_too_many = numbers
        .find(doc! { "node": file.oid() })
        .projection(doc! { "_id": 0, "version": 1 })
        .sort(doc! { "version": -1 })
        .skip(u64::from(keep.count))
        .limit(1);
    let mut which = vec![doc! { "replaced_at": { "$lt": keep.replaced_since.millis() } }];
    if let Some(first) = all(first_too_many, tx).await?.first() {
        which.push(doc! { "version": { "$lte": first.version } });
    }
    let versions = versions(db);
    let doomed = versions.find(doc! { "node": file.oid(), "$or": which });
    let doomed = doomed.sort(doc! { "version": 1 }).limit(i64::from(AT_ONCE));
    let doomed: Vec<VersionDoc> = all(doomed, tx).await?;
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
        let walked = self.read(walk(self, after, keep, limit)).await?;
        let mut step = PruneStep { next: walked.next, removed: 0, freed_bytes: 0 };
        let last = walked.suspects.last().copied();
        for file in walked.suspects {
            let Some(space) = self.space_of(file).await? else { continue };
            loop {
                let (removed, freed) =
                    self.write(space.oid(), |mut tx| async move {
                        Ok(prune(self, &mut tx, file, keep, at).await?)
                    })
                    .await?;
                step.removed += removed;
                step.freed_bytes += freed;
                if removed < AT_ONCE {
                    break;
                }
            }
            if step.removed >= ENOUGH && last != Some(file) {
                step.next = Some(file);
                break;
            }
        }
        Ok(step)
    }
}
