//! The way from a node up to its root.

use std::collections::{HashMap, HashSet};

use common::files::{Crumb, Kind, MAX_DEPTH, NodeError, NodePath};
use common::{FileId, PortError, PortResult};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::node::{self, NodeDoc};
use super::{FilesDb, all, all_of, any, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, count, id, oids};

/// What [`pipeline`] gives for each node.
#[derive(Deserialize)]
struct Found {
    node: NodeDoc,
    #[serde(default)]
    up: Vec<Step>,
}

/// A folder above it, in no order.
#[derive(Deserialize)]
struct Step {
    #[serde(rename = "_id")]
    id: ObjectId,
    #[serde(default)]
    parent: Option<ObjectId>,
    name: String,
    trashed: bool,
    deleted: bool,
}

/// The way up was not whole.
#[derive(Debug)]
struct Gap;

/// Nodes that are not tombstones themselves, and all that is above them. Its bound only keeps damaged data from running for ever.
fn pipeline(db: &FilesDb, nodes: &[FileId]) -> Vec<Document> {
    let wanted = match nodes {
        [one] => doc! { "_id": one.oid(), "deleted": false },
        several => doc! { "_id": { "$in": oids(several) }, "deleted": false },
    };
    let mut pipeline = vec![doc! { "$match": wanted }, doc! { "$replaceWith": { "node": "$$ROOT" } }];
    if nodes.iter().all(|node| db.is_known_root(node)) {
        return pipeline;
    }
    pipeline.push(doc! { "$graphLookup": {
        "from": schema::NODES,
        "startWith": "$node.parent",
        "connectFromField": "parent",
        "connectToField": "_id",
        "as": "up",
        "maxDepth": 2 * i32::try_from(MAX_DEPTH).unwrap_or(i32::MAX / 2),
    } });
    // the rest of those documents need not travel
    pipeline.push(doc! { "$set": { "up": { "$map": { "input": "$up", "as": "up", "in": {
        "_id": "$$up._id",
        "parent": "$$up.parent",
        "name": "$$up.name",
        "trashed": "$$up.in_trash",
        "deleted": "$$up.deleted",
    } } } } });
    pipeline
}

impl Found {
    /// The path from root to node; none if anything above is deleted.
    fn path(self) -> Result<Result<Option<NodePath>, Gap>, Fault> {
        if self.up.iter().any(|step| step.deleted) {
            return Ok(Ok(None));
        }
        let mut up: HashMap<ObjectId, Step> = self.up.into_iter().map(|step| (step.id, step)).collect();
        let node = self.node.node()?;
        let mut ancestors = Vec::with_capacity(up.len());
        let mut next = node.parent.map(FileId::oid);
        while let Some(parent) = next {
            let Some(step) = up.remove(&parent) else { return Ok(Err(Gap)) };
            ancestors.push(Crumb { id: id(step.id), name: node::name(&step.name)?, trashed: step.trashed });
            next = step.parent;
        }
        ancestors.reverse();
        Ok(Ok(Some(NodePath { node, ancestors })))
    }
}

const NO_FOLDER: Fault = Fault::Damaged("a node without its folder");

/// A node with its ancestors; none if it or anything above it is deleted. One query.
pub(super) async fn find(db: &FilesDb, id: FileId) -> PortResult<Option<NodePath>> {
    db.read(async {
        // outside of transactions, a purge may have taken the folders away between the node and them
        for _ in 0..2 {
            let mut found = db.nodes().aggregate(pipeline(db, &[id])).with_type::<Found>().await?;
            let Some(found) = found.try_next().await? else { return Ok(None) };
            if let Ok(path) = found.path()? {
                return Ok(path);
            }
        }
        Err(NO_FOLDER.into())
    })
    .await
}

/// The document of a node, if [`find`] finds it.
pub(super) async fn find_doc(db: &FilesDb, id: FileId) -> TxResult<Option<NodeDoc>, PortError> {
    let mut found = db.nodes().aggregate(pipeline(db, &[id])).with_type::<Found>().await?;
    let Some(found) = found.try_next().await? else { return Ok(None) };
    let node = found.node.clone();
    Ok(found.path()?.ok().flatten().map(|_| node))
}

/// Those of the nodes that are there, with nothing from them upwards deleted.
pub(super) async fn existing(db: &FilesDb, nodes: &[FileId]) -> TxResult<HashSet<FileId>, PortError> {
    let found = db.nodes().aggregate(pipeline(db, nodes)).with_type::<Found>().await?;
    let found: Vec<Found> = found.try_collect().await?;
    let mut existing = HashSet::new();
    for found in found {
        let node = found.node.id();
        // a gap: a purge is on its way through
        if let Ok(Some(_)) = found.path()? {
            existing.insert(node);
        }
    }
    Ok(existing)
}

/// As [`find`], for several nodes within a transaction.
pub(super) async fn find_all(
    db: &FilesDb,
    tx: &mut Tx,
    nodes: &[FileId],
) -> Result<HashMap<FileId, NodePath>, Fault> {
    let found: Vec<Found> = all_of(db.nodes().aggregate(pipeline(db, nodes)), tx).await?;
    let mut paths = HashMap::with_capacity(found.len());
    for found in found {
        if let Some(path) = found.path()?.map_err(|Gap| NO_FOLDER)? {
            if path.node.is_root() {
                db.remember(&path.node);
            }
            paths.insert(path.node.id, path);
        }
    }
    Ok(paths)
}

/// As [`find`], within a transaction.
pub(super) async fn find_in(db: &FilesDb, tx: &mut Tx, id: FileId) -> Result<Option<NodePath>, Fault> {
    Ok(find_all(db, tx, &[id]).await?.remove(&id))
}

/// A node that is neither deleted nor in the trash, by itself or because of a folder above it.
pub(super) async fn live(db: &FilesDb, tx: &mut Tx, id: FileId) -> TxResult<NodePath, NodeError> {
    let path = find_in(db, tx, id).await?;
    path.filter(|path| !path.in_trash()).ok_or_else(|| NodeError::NotFound.into())
}

/// A folder that something may be put into.
pub(super) async fn parent(db: &FilesDb, tx: &mut Tx, id: FileId) -> TxResult<NodePath, NodeError> {
    let path = find_in(db, tx, id).await?.filter(|path| !path.in_trash()).ok_or(NodeError::ParentGone)?;
    if path.node.kind != Kind::Folder {
        return Err(NodeError::ParentNotFolder.into());
    }
    if path.depth() >= MAX_DEPTH {
        return Err(NodeError::TooDeep.into());
    }
    Ok(path)
}

/// Folders that one question may name: far below the greatest document.
const CHUNK: usize = 10_000;

/// Whether more live nodes than `entries` are below a live folder. Each folder has the numbers of its live children, so folders alone are looked at,
/// level by level, and of them no more than have been counted.
pub(super) async fn is_larger_than(db: &FilesDb, folder: FileId, entries: u64) -> PortResult<bool> {
    #[derive(Deserialize)]
    struct Folder {
        #[serde(rename = "_id")]
        id: ObjectId,
        folder_count: i64,
        file_count: i64,
    }
    let numbers = doc! { "folder_count": 1, "file_count": 1 };
    let nodes = db.collection::<Folder>(schema::NODES);
    db.read(async {
        let own =
            nodes.find_one(doc! { "_id": folder.oid(), "live": true }).projection(numbers.clone()).await?;
        let mut level: Vec<Folder> = own.into_iter().collect();
        let mut counted = 0;
        loop {
            for folder in &level {
                counted += count(folder.folder_count)? + count(folder.file_count)?;
            }
            let above: Vec<ObjectId> =
                level.iter().filter(|folder| folder.folder_count > 0).map(|folder| folder.id).collect();
            if counted > entries || above.is_empty() {
                return Ok(counted > entries);
            }
            level.clear();
            for chunk in above.chunks(CHUNK) {
                let below = doc! { "parent": { "$in": chunk }, "kind": 0, "live": true };
                let below: Vec<Folder> =
                    nodes.find(below).projection(numbers.clone()).await?.try_collect().await?;
                level.extend(below);
            }
        }
    })
    .await
}

/// Whether anything below a folder lies more than `levels` below it. Walks folders only, level by level.
pub(super) async fn is_higher_than(
    db: &FilesDb,
    tx: &mut Tx,
    folder: FileId,
    levels: usize,
) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    struct Folder {
        #[serde(rename = "_id")]
        id: ObjectId,
    }
    let nodes = db.collection::<Folder>(schema::NODES);
    let mut level = vec![folder.oid()];
    for _ in 0..levels {
        let mut below = Vec::new();
        for chunk in level.chunks(CHUNK) {
            let folders = nodes
                .find(doc! { "parent": { "$in": chunk }, "kind": 0, "deleted": false })
                .projection(doc! { "_id": 1 });
            below.extend(all(folders, tx).await?.into_iter().map(|folder| folder.id));
        }
        if below.is_empty() {
            return Ok(false);
        }
        level = below;
    }
    for chunk in level.chunks(CHUNK) {
        let below = doc! { "parent": { "$in": chunk }, "deleted": false };
        if any(&db.collection(schema::NODES), below, tx).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
