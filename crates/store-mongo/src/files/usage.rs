//! What a space holds by type, counted when somebody asks.

use std::collections::HashSet;
use std::time::Duration;

use common::files::{Amount, Kind, UsageByType};
use common::{PortError, PortResult, SpaceId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::node::kind_number;
use super::{FilesDb, all, all_of, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, count, int};

/// Longest time for counting, as a read of one moment.
const DEADLINE: Duration = Duration::from_secs(20);

/// Ids that one question names.
const CHUNK: usize = 1_000;

pub(super) async fn by_type(db: &FilesDb, space: SpaceId, at_most: u32) -> PortResult<UsageByType> {
    db.engine.read_one_moment(DEADLINE, |tx| count_space(db, tx, space.oid(), at_most)).await
}

#[derive(Deserialize)]
struct FolderRow {
    #[serde(rename = "_id")]
    id: ObjectId,
    deleted: bool,
}

/// Folders whose files are not among those of the space that one sees.
#[derive(Default)]
struct Hidden {
    /// In the trash, or below something that is.
    trashed: HashSet<ObjectId>,
    /// Under a tombstone, which comes before the trash.
    gone: HashSet<ObjectId>,
    /// There are more.
    cut: bool,
}

/// Adds the folders below these to `seen`, but for those that are in `except`.
async fn walk_down(
    db: &FilesDb,
    tx: &mut Tx,
    roots: Vec<ObjectId>,
    (seen, except): (&mut HashSet<ObjectId>, &HashSet<ObjectId>),
    at_most: u32,
) -> Result<bool, Fault> {
    let mut level: Vec<ObjectId> =
        roots.into_iter().filter(|root| !except.contains(root) && seen.insert(*root)).collect();
    while !level.is_empty() {
        let mut below = Vec::new();
        for chunk in level.chunks(CHUNK) {
            let folders = db.collection::<FolderRow>(schema::NODES);
            let filter = doc! { "parent": { "$in": chunk }, "kind": kind_number(Kind::Folder) };
            let found = all(folders.find(filter).projection(doc! { "deleted": 1 }), tx).await?;
            below.extend(
                found.into_iter().map(|row| row.id).filter(|id| !except.contains(id) && seen.insert(*id)),
            );
            if seen.len() > at_most as usize {
                return Ok(true);
            }
        }
        level = below;
    }
    Ok(false)
}

async fn hidden(db: &FilesDb, tx: &mut Tx, space: ObjectId, at_most: u32) -> Result<Hidden, Fault> {
    let folders = db.collection::<FolderRow>(schema::NODES);
    let filter = doc! { "space": space, "kind": kind_number(Kind::Folder), "live": false };
    let found = folders.find(filter).projection(doc! { "deleted": 1 }).limit(i64::from(at_most) + 1);
    let (gone, trashed): (Vec<FolderRow>, Vec<FolderRow>) =
        all(found, tx).await?.into_iter().partition(|row| row.deleted);
    let ids = |rows: Vec<FolderRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let mut hidden = Hidden { cut: gone.len() + trashed.len() > at_most as usize, ..Hidden::default() };
    hidden.cut |= walk_down(db, tx, ids(gone), (&mut hidden.gone, &HashSet::new()), at_most).await?;
    hidden.cut |= walk_down(db, tx, ids(trashed), (&mut hidden.trashed, &hidden.gone), at_most).await?;
    Ok(hidden)
}

/// Former contents of these files.
async fn former(db: &FilesDb, tx: &mut Tx, files: &[ObjectId]) -> Result<Amount, Fault> {
    #[derive(Deserialize)]
    struct Sums {
        count: i64,
        bytes: i64,
    }
    let mut amount = Amount::default();
    for files in files.chunks(CHUNK) {
        let versions = db.collection::<Document>(schema::VERSIONS);
        let sums = versions.aggregate([
            doc! { "$match": { "node": { "$in": files } } },
            doc! { "$group": { "_id": null, "count": { "$sum": 1_i64 }, "bytes": { "$sum": "$size" } } },
        ]);
        if let Some(sums) = all_of::<Sums>(sums, tx).await?.pop() {
            amount += Amount { count: count(sums.count)?, bytes: count(sums.bytes)? };
        }
    }
    Ok(amount)
}

async fn count_space(
    db: &FilesDb,
    mut tx: Tx,
    space: ObjectId,
    at_most: u32,
) -> TxResult<UsageByType, PortError> {
    #[derive(Deserialize)]
    struct NodeRow {
        #[serde(rename = "_id")]
        id: ObjectId,
        #[serde(default)]
        parent: Option<ObjectId>,
        kind: i32,
        live: bool,
        in_trash: bool,
        size: i64,
        mime: String,
        #[serde(default)]
        content: Option<ContentRow>,
    }
    #[derive(Deserialize)]
    struct ContentRow {
        version: u32,
    }
    let hidden = hidden(db, &mut tx, space, at_most).await?;
    let nodes = db.collection::<NodeRow>(schema::NODES);
    // the root, and one more to know whether there is more
    let find = nodes
        .find(doc! { "space": space })
        .projection(doc! {
            "parent": 1, "kind": 1, "live": 1, "in_trash": 1, "size": 1, "mime": 1, "content.version": 1,
        })
        .limit(int(u64::from(at_most) + 2));
    let (mut usage, mut looked_at) = (UsageByType::default(), 0);
    let (mut changed, mut changed_in_trash) = (Vec::new(), Vec::new());
    let mut cursor = find.session(tx.session()).await?;
    let mut rows = cursor.stream(tx.session());
    while let Some(row) = rows.try_next().await? {
        looked_at += 1;
        let is_in = |folders: &HashSet<ObjectId>| row.parent.is_some_and(|parent| folders.contains(&parent));
        // neither live nor in the trash is what has a tombstone itself
        let is_gone = !row.live && !row.in_trash || is_in(&hidden.gone);
        if row.kind != kind_number(Kind::File) || is_gone {
            continue;
        }
        let is_changed = row.content.is_some_and(|content| content.version > 1);
        let amount = Amount { count: 1, bytes: count(row.size)? };
        if row.in_trash || is_in(&hidden.trashed) {
            usage.trash += amount;
            changed_in_trash.extend(is_changed.then_some(row.id));
        } else {
            *usage.types.entry(row.mime).or_default() += amount;
            changed.extend(is_changed.then_some(row.id));
        }
    }
    drop(rows);
    usage.versions += former(db, &mut tx, &changed).await?;
    usage.trash += former(db, &mut tx, &changed_in_trash).await?;
    usage.complete = !hidden.cut && looked_at <= u64::from(at_most) + 1;
    Ok(usage)
}
