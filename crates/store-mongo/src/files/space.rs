//! Spaces and their usage.

use common::files::{NewNode, NodeName, Space, Usage};
use common::{FileId, PortError, PortResult, SpaceId, Timestamp, UserId};
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::node;
use super::{FilesDb, schema};
use crate::engine::{Abort, Fault, Tx};
use crate::value::{ToOid as _, count, id, int};

#[derive(Serialize, Deserialize)]
pub(super) struct SpaceDoc {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) owner: ObjectId,
    pub(super) root: ObjectId,
    pub(super) tree_version: i64,
    pub(super) used_bytes: i64,
    pub(super) reserved_bytes: i64,
    /// None is no limit.
    pub(super) quota_bytes: Option<i64>,
    pub(super) node_count: i64,
    pub(super) trash_count: i64,
    /// Nothing lies deeper; it only grows, so most moves need no walk through what they move.
    pub(super) depth_bound: i64,
    /// Grows with every change of the tree: two of them cannot both commit upon one state.
    pub(super) changes: i64,
    /// The number of the last event; older programs do not write this.
    #[serde(default)]
    pub(super) events: i64,
}

impl SpaceDoc {
    fn space(self) -> Result<Space, Fault> {
        Ok(Space {
            id: id(self.id),
            owner: id(self.owner),
            root: id(self.root),
            tree_version: count(self.tree_version)?,
            usage: Usage {
                used_bytes: count(self.used_bytes)?,
                reserved_bytes: count(self.reserved_bytes)?,
                quota_bytes: self.quota_bytes.map(count).transpose()?,
                node_count: count(self.node_count)?,
                trash_count: count(self.trash_count)?,
            },
        })
    }
}

fn spaces(db: &FilesDb) -> Collection<SpaceDoc> {
    db.collection(schema::SPACES)
}

pub(super) async fn find(db: &FilesDb, filter: Document) -> PortResult<Option<Space>> {
    db.read(async { Ok(spaces(db).find_one(filter).await?.map(SpaceDoc::space).transpose()?) }).await
}

/// The space of a user, made on first use.
pub(super) async fn ensure(
    db: &FilesDb,
    owner: UserId,
    fresh: (SpaceId, FileId),
    quota_bytes: Option<u64>,
    at: Timestamp,
) -> PortResult<Space> {
    let of_owner = || doc! { "owner": owner.oid() };
    if let Some(space) = find(db, of_owner()).await? {
        return Ok(space);
    }
    let made = db
        .write(owner.oid(), |mut tx| async move {
            match spaces(db).find_one(of_owner()).session(tx.session()).await? {
                Some(there) => Ok(there.space()?),
                None => Ok(insert(db, &mut tx, owner, fresh, quota_bytes, at).await?),
            }
        })
        .await;
    match made {
        // another process was first, and its document is a duplicate of ours
        Err(error @ PortError::Broken { .. }) => find(db, of_owner()).await?.ok_or(error),
        result => result,
    }
}

async fn insert(
    db: &FilesDb,
    tx: &mut Tx,
    owner: UserId,
    (id, root): (SpaceId, FileId),
    quota_bytes: Option<u64>,
    at: Timestamp,
) -> Result<Space, Fault> {
    let doc = SpaceDoc {
        id: id.oid(),
        owner: owner.oid(),
        root: root.oid(),
        tree_version: 1,
        used_bytes: 0,
        reserved_bytes: 0,
        quota_bytes: quota_bytes.map(int),
        node_count: 0,
        trash_count: 0,
        depth_bound: 0,
        changes: 0,
        events: 0,
    };
    spaces(db).insert_one(&doc).session(tx.session()).await?;
    let space = doc.space()?;
    node::insert(db, tx, &NewNode::root(&space, &NodeName::root(), at), None).await?;
    Ok(space)
}

/// Its root is no child of anything, and counted nowhere: what counts goes with what is below.
pub(super) async fn end(db: &FilesDb, tx: &mut Tx, id: SpaceId, at: Timestamp) -> Result<(), Fault> {
    let space = spaces(db).find_one(doc! { "_id": id.oid() }).session(tx.session()).await?;
    let Some(space) = space else { return Ok(()) };
    let end = doc! {
        "$set": { "live": false, "deleted": true, "deleted_at": at.millis() }, "$inc": { "revision": 1_i64 },
    };
    let root = doc! { "_id": space.root, "deleted": false };
    let ended = db.nodes().update_one(root, end).session(tx.session()).await?;
    if ended.matched_count == 1 {
        // of what changes this tree at the same time one begins anew, and finds the tombstone
        must_apply(db, tx, id, Change::default()).await?;
    }
    Ok(())
}

/// Removes a space whose root has gone.
pub(super) async fn remove(db: &FilesDb, tx: &mut Tx, id: SpaceId) -> Result<(), Fault> {
    let reservations = db.collection::<Document>(schema::RESERVATIONS);
    reservations.delete_many(doc! { "space": id.oid() }).session(tx.session()).await?;
    spaces(db).delete_one(doc! { "_id": id.oid() }).session(tx.session()).await?;
    Ok(())
}

pub(super) async fn set_quota(db: &FilesDb, id: SpaceId, quota_bytes: Option<u64>) -> PortResult<()> {
    db.read(async {
        let quota = doc! { "$set": { "quota_bytes": quota_bytes.map(int) } };
        spaces(db).update_one(doc! { "_id": id.oid() }, quota).await?;
        Ok(())
    })
    .await
}

/// What a transaction changes in a space's document. Each change of a tree applies exactly one, even an empty one.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Change {
    pub(super) used_bytes: i64,
    pub(super) reserved_bytes: i64,
    pub(super) nodes: i64,
    pub(super) trash: i64,
    /// Something lies at this depth now.
    pub(super) depth: usize,
    /// A folder was moved.
    pub(super) moves: i64,
    /// Events that are told of it.
    pub(super) events: i64,
    /// So many bytes, over what is used and reserved before, must be within the quota.
    pub(super) must_fit: Option<i64>,
}

/// The document that a change is for, if it fits there, and what is done to it.
fn update(id: SpaceId, change: Change) -> (Document, Document) {
    let mut filter = doc! { "_id": id.oid() };
    if let Some(more) = change.must_fit {
        let total = doc! { "$add": ["$used_bytes", "$reserved_bytes", more] };
        let fits = doc! { "$expr": { "$lte": [total, "$quota_bytes"] } };
        filter.insert("$or", [doc! { "quota_bytes": null }, fits]);
    }
    let update = doc! {
        "$inc": {
            "changes": 1_i64,
            "used_bytes": change.used_bytes,
            "reserved_bytes": change.reserved_bytes,
            "node_count": change.nodes,
            "trash_count": change.trash,
            "tree_version": change.moves,
            "events": change.events,
        },
        "$max": { "depth_bound": i64::try_from(change.depth).unwrap_or(i64::MAX) },
    };
    (filter, update)
}

/// Applies a change; false if it does not fit (or there is no such space).
pub(super) async fn apply(db: &FilesDb, tx: &mut Tx, id: SpaceId, change: Change) -> Result<bool, Fault> {
    let (filter, update) = update(id, change);
    let applied = spaces(db).update_one(filter, update).session(tx.session()).await?;
    Ok(applied.matched_count == 1)
}

/// As [`apply`], of a change of which something is told; the number of the last event of it, or none if it does not fit.
pub(super) async fn apply_and_number(
    db: &FilesDb,
    tx: &mut Tx,
    id: SpaceId,
    change: Change,
) -> Result<Option<u64>, Fault> {
    #[derive(Deserialize)]
    struct Numbered {
        events: i64,
    }
    let (filter, update) = update(id, change);
    let numbered = db
        .collection::<Numbered>(schema::SPACES)
        .find_one_and_update(filter, update)
        .projection(doc! { "_id": 0, "events": 1 })
        .return_document(ReturnDocument::After)
        .session(tx.session())
        .await?;
    numbered.map(|numbered| count(numbered.events)).transpose()
}

/// As [`apply_and_number`], of a change that always fits.
pub(super) async fn must_number(
    db: &FilesDb,
    tx: &mut Tx,
    id: SpaceId,
    change: Change,
) -> Result<u64, Fault> {
    apply_and_number(db, tx, id, change).await?.ok_or(Fault::Damaged("a tree without its space"))
}

/// As [`apply`], of a change that always fits.
pub(super) async fn must_apply(db: &FilesDb, tx: &mut Tx, id: SpaceId, change: Change) -> Result<(), Fault> {
    if apply(db, tx, id, change).await? { Ok(()) } else { Err(Fault::Damaged("a tree without its space")) }
}

/// How deep anything lies at most.
pub(super) async fn depth_bound(db: &FilesDb, tx: &mut Tx, id: SpaceId) -> Result<usize, Fault> {
    let space = spaces(db).find_one(doc! { "_id": id.oid() }).session(tx.session()).await?;
    let space = space.ok_or(Fault::Damaged("a tree without its space"))?;
    usize::try_from(space.depth_bound).map_err(|_| Fault::Damaged("a negative count"))
}

/// Whether there is such a space.
pub(super) async fn exists(db: &FilesDb, tx: &mut Tx, id: SpaceId) -> Result<bool, Fault> {
    super::any(&db.collection(schema::SPACES), doc! { "_id": id.oid() }, tx).await
}

/// Files and folders of all spaces.
pub(super) async fn count_nodes(db: &FilesDb) -> PortResult<u64> {
    #[derive(Deserialize)]
    struct Sum {
        nodes: i64,
    }
    // one counter for all would be written by every upload of every process, and make them wait for one another
    let sum = doc! { "$group": { "_id": null, "nodes": { "$sum": "$node_count" } } };
    db.read(async {
        let mut sums = spaces(db).aggregate([sum]).with_type::<Sum>().await?;
        match futures_util::TryStreamExt::try_next(&mut sums).await? {
            Some(sum) => count(sum.nodes).map_err(Abort::<PortError>::from),
            None => Ok(0),
        }
    })
    .await
}
