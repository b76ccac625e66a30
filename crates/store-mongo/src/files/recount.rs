//! Counting again what counters say.
//!
//! What is long only reads. What it finds wrong is looked at again by a short transaction that writes the counter: whoever changes what is counted writes
//! that document too, so that of both one is repeated.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::files::{Counter, Miscount, RecountPlace, RecountStep};
use common::{BlobKey, FileId, PortError, PortResult, SpaceId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;

use super::blobs::{self, blobs};
use super::space::{self, Change};
use super::{FilesDb, all, all_of, path, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, id, key, read_key};

/// Nodes looked at in one step, for the folders among them.
const NODES: usize = 1_000;
/// Blobs in one step.
const BLOBS: usize = 500;
/// Spaces in one step, at most; and nodes after which no further space is begun.
const SPACES: usize = 50;
const NODES_OF_SPACES: i64 = 20_000;

/// Longest time for counting one space, as a read of one moment. The server ends transactions after a minute.
const SPACE_DEADLINE: Duration = Duration::from_secs(45);

pub(super) async fn step(db: &FilesDb, from: RecountPlace, at: Timestamp) -> PortResult<RecountStep> {
    match from {
        RecountPlace::Folders(after) => folders(db, after).await,
        RecountPlace::Spaces(after) => spaces(db, after).await,
        RecountPlace::Blobs(after) => references(db, after, at).await,
    }
}

/// Notes those of the counters that were wrong.
fn note<const N: usize>(found: &mut Vec<Miscount>, of: impl ToString, counters: [(Counter, i64, i64); N]) {
    for (counter, stored, counted) in counters {
        if stored != counted {
            found.push(Miscount { counter, of: of.to_string(), stored, counted });
        }
    }
}

#[derive(Deserialize)]
struct FolderRow {
    #[serde(rename = "_id")]
    id: ObjectId,
    space: ObjectId,
    kind: i32,
    folder_count: i64,
    file_count: i64,
}

impl FolderRow {
    fn stored(&self) -> [i64; 2] {
        [self.folder_count, self.file_count]
    }

    fn projection() -> Document {
        doc! { "space": 1, "kind": 1, "folder_count": 1, "file_count": 1 }
    }
}

/// Live children of some folders, of one kind of one folder in each group.
#[derive(Deserialize)]
struct Children {
    #[serde(rename = "_id")]
    of: ChildrenOf,
    count: i64,
}

#[derive(Deserialize)]
struct ChildrenOf {
    parent: ObjectId,
    kind: i32,
}

fn children_of(folders: &[ObjectId]) -> [Document; 2] {
    [
        doc! { "$match": { "parent": { "$in": folders }, "live": true } },
        doc! { "$group": { "_id": { "parent": "$parent", "kind": "$kind" }, "count": { "$sum": 1_i64 } } },
    ]
}

fn by_folder(groups: Vec<Children>) -> HashMap<ObjectId, [i64; 2]> {
    let mut counts = HashMap::<ObjectId, [i64; 2]>::new();
    for group in groups {
        let [folders, files] = counts.entry(group.of.parent).or_default();
        *(if group.of.kind == 0 { folders } else { files }) += group.count;
    }
    counts
}

async fn folders(db: &FilesDb, after: Option<FileId>) -> PortResult<RecountStep> {
    let (suspects, next) = db
        .read(async {
            let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after.oid() } });
            let rows: Vec<FolderRow> = db
                .collection(schema::NODES)
                .find(filter)
                .projection(FolderRow::projection())
                .sort(doc! { "_id": 1 })
                .limit(NODES as i64)
                .await?
                .try_collect()
                .await?;
            let next = match rows.last() {
                Some(last) if rows.len() == NODES => RecountPlace::Folders(Some(id(last.id))),
                _ => RecountPlace::Spaces(None),
            };
            let folders: Vec<FolderRow> = rows.into_iter().filter(|row| row.kind == 0).collect();
            let ids: Vec<ObjectId> = folders.iter().map(|row| row.id).collect();
            if ids.is_empty() {
                return Ok((Vec::new(), next));
            }
            let nodes = db.collection::<Document>(schema::NODES);
            let groups = nodes.aggregate(children_of(&ids)).with_type::<Children>().await?;
            let counts = by_folder(groups.try_collect().await?);
            let counted = |row: &FolderRow| counts.get(&row.id).copied().unwrap_or_default();
            Ok((folders.into_iter().filter(|row| row.stored() != counted(row)).collect(), next))
        })
        .await?;
    let mut found = Vec::new();
    for folder in suspects {
        found
            .extend(db.write(folder.space, |tx| heal_folder(db, tx, id(folder.id), id(folder.space))).await?);
    }
    Ok(RecountStep { next: Some(next), found })
}

async fn heal_folder(
    db: &FilesDb,
    mut tx: Tx,
    folder: FileId,
    space: SpaceId,
) -> TxResult<Vec<Miscount>, PortError> {
    // a purge does not care for the counters of what it removes
    if path::find_in(db, &mut tx, folder).await?.is_none() {
        return Ok(Vec::new());
    }
    let row = db
        .collection::<FolderRow>(schema::NODES)
        .find_one(doc! { "_id": folder.oid() })
        .projection(FolderRow::projection())
        .session(tx.session())
        .await?
        .ok_or(Fault::Damaged("a node that was just read is gone"))?;
    let nodes = db.collection::<Document>(schema::NODES);
    let counts = by_folder(all_of(nodes.aggregate(children_of(&[folder.oid()])), &mut tx).await?);
    let (stored, counted) = (row.stored(), counts.get(&folder.oid()).copied().unwrap_or_default());
    if stored == counted {
        return Ok(Vec::new());
    }
    space::must_apply(db, &mut tx, space, Change::default()).await?;
    db.nodes()
        .update_one(
            doc! { "_id": folder.oid() },
            doc! { "$set": { "folder_count": counted[0], "file_count": counted[1] } },
        )
        .session(tx.session())
        .await?;
    let mut found = Vec::new();
    note(
        &mut found,
        folder,
        [(Counter::ChildFolders, stored[0], counted[0]), (Counter::ChildFiles, stored[1], counted[1])],
    );
    Ok(found)
}

#[derive(Deserialize)]
struct SpaceRow {
    #[serde(rename = "_id")]
    id: ObjectId,
    used_bytes: i64,
    reserved_bytes: i64,
    node_count: i64,
    trash_count: i64,
    /// How often a recount put it right.
    #[serde(default)]
    recounts: i64,
}

/// How far the counters of a space were from what was counted at the same moment. As every change of the tree changes both alike, they still are when
/// more has changed: only another recount may not come between.
struct Drift {
    space: SpaceId,
    recounts: i64,
    /// Counter, stored, counted.
    counters: [(Counter, i64, i64); 4],
}

impl Drift {
    fn is_none(&self) -> bool {
        self.counters.iter().all(|(_, stored, counted)| stored == counted)
    }
}

async fn spaces(db: &FilesDb, after: Option<SpaceId>) -> PortResult<RecountStep> {
    #[derive(Deserialize)]
    struct Id {
        #[serde(rename = "_id")]
        id: ObjectId,
    }
    let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after.oid() } });
    let ids: Vec<Id> = db
        .read(async {
            let spaces = db.collection(schema::SPACES);
            let ids = spaces.find(filter).projection(doc! { "_id": 1 });
            Ok(ids.sort(doc! { "_id": 1 }).limit(SPACES as i64).await?.try_collect().await?)
        })
        .await?;
    let (mut found, mut nodes) = (Vec::new(), 0);
    for (looked_at, Id { id: space }) in ids.iter().enumerate() {
        let counted = db.engine.read_one_moment(SPACE_DEADLINE, |tx| count_space(db, tx, *space)).await?;
        if let Some(drift) = &counted
            && !drift.is_none()
            && db.write(*space, |tx| heal_space(db, tx, drift)).await?
        {
            note(&mut found, drift.space, drift.counters);
        }
        nodes += counted.map_or(0, |drift| drift.counters[2].2);
        if nodes >= NODES_OF_SPACES || looked_at + 1 == SPACES {
            return Ok(RecountStep { next: Some(RecountPlace::Spaces(Some(id(*space)))), found });
        }
    }
    Ok(RecountStep { next: Some(RecountPlace::Blobs(None)), found })
}

/// None if there is no such space.
async fn count_space(db: &FilesDb, mut tx: Tx, space: ObjectId) -> TxResult<Option<Drift>, PortError> {
    #[derive(Deserialize, Default)]
    struct Sums {
        bytes: i64,
        nodes: i64,
        trashed: i64,
    }
    let spaces = db.collection::<SpaceRow>(schema::SPACES);
    let stored = spaces.find_one(doc! { "_id": space }).session(tx.session()).await?;
    let Some(stored) = stored else { return Ok(None) };
    let nodes = db.collection::<Document>(schema::NODES);
    let sums = nodes.aggregate([
        doc! { "$match": { "space": space } },
        doc! { "$group": {
            "_id": null,
            "bytes": { "$sum": "$size" },
            "nodes": { "$sum": { "$cond": ["$deleted", 0_i64, 1_i64] } },
            "trashed": { "$sum": { "$cond": ["$in_trash", 1_i64, 0_i64] } },
        } },
    ]);
    let sums = all_of::<Sums>(sums, &mut tx).await?.pop().unwrap_or_default();
    let used_bytes = sums.bytes + bytes_of_old_versions(db, &mut tx, space).await?;
    let reservations = db.collection(schema::RESERVATIONS);
    let reserved_bytes = sum(&reservations, doc! { "space": space }, "$bytes", &mut tx).await?;
    Ok(Some(Drift {
        space: id(stored.id),
        recounts: stored.recounts,
        counters: [
            (Counter::UsedBytes, stored.used_bytes, used_bytes),
            (Counter::ReservedBytes, stored.reserved_bytes, reserved_bytes),
            // the root is not counted
            (Counter::Nodes, stored.node_count, sums.nodes - 1),
            (Counter::Trashed, stored.trash_count, sums.trashed),
        ],
    }))
}

/// The sum of a field of what a filter finds.
async fn sum(
    collection: &Collection<Document>,
    filter: Document,
    field: &str,
    tx: &mut Tx,
) -> Result<i64, Fault> {
    #[derive(Deserialize)]
    struct Sum {
        sum: i64,
    }
    let sums = collection
        .aggregate([doc! { "$match": filter }, doc! { "$group": { "_id": null, "sum": { "$sum": field } } }]);
    Ok(all_of::<Sum>(sums, tx).await?.pop().map_or(0, |sum| sum.sum))
}

async fn bytes_of_old_versions(db: &FilesDb, tx: &mut Tx, space: ObjectId) -> Result<i64, Fault> {
    #[derive(Deserialize)]
    struct Id {
        #[serde(rename = "_id")]
        id: ObjectId,
    }
    let nodes = db.collection::<Id>(schema::NODES);
    let changed =
        nodes.find(doc! { "space": space, "content.version": { "$gt": 1 } }).projection(doc! { "_id": 1 });
    let changed: Vec<ObjectId> = all(changed, tx).await?.into_iter().map(|row| row.id).collect();
    let mut bytes = 0;
    for files in changed.chunks(1_000) {
        let of_files = doc! { "node": { "$in": files } };
        bytes += sum(&db.collection(schema::VERSIONS), of_files, "$size", tx).await?;
    }
    Ok(bytes)
}

/// False if another recount has come between.
async fn heal_space(db: &FilesDb, mut tx: Tx, drift: &Drift) -> TxResult<bool, PortError> {
    let [used, reserved, nodes, trashed] = drift.counters.map(|(_, stored, counted)| counted - stored);
    let mut filter = doc! { "_id": drift.space.oid(), "recounts": drift.recounts };
    if drift.recounts == 0 {
        // spaces from before the first recount do not have it
        filter.insert("recounts", doc! { "$in": [null, 0_i64] });
    }
    let update = doc! { "$inc": {
        "changes": 1_i64,
        "recounts": 1_i64,
        "used_bytes": used,
        "reserved_bytes": reserved,
        "node_count": nodes,
        "trash_count": trashed,
    } };
    let spaces = db.collection::<Document>(schema::SPACES);
    let healed = spaces.update_one(filter, update).session(tx.session()).await?;
    Ok(healed.matched_count == 1)
}

#[derive(Deserialize)]
struct BlobRow {
    #[serde(rename = "_id")]
    key: Binary,
    refs: i64,
    condemned: bool,
}

impl BlobRow {
    fn stored(&self) -> (i64, bool) {
        (self.refs, self.condemned)
    }

    fn projection() -> Document {
        doc! { "refs": 1, "condemned": 1 }
    }
}

/// How often one collection names each of some blobs.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "_id")]
    key: Binary,
    count: i64,
}

/// Where blobs are named, and how to count it for these.
fn names(keys: &[Binary]) -> [(&'static str, [Document; 2]); 3] {
    let group = |field: &str| doc! { "$group": { "_id": field, "count": { "$sum": 1_i64 } } };
    let in_keys = doc! { "$in": keys };
    [
        (
            schema::NODES,
            [
                doc! { "$match": { "content.blob": in_keys.clone(), "has_content": true } },
                group("$content.blob"),
            ],
        ),
        (schema::VERSIONS, [doc! { "$match": { "blob": in_keys.clone() } }, group("$blob")]),
        (schema::THUMBNAILS, [doc! { "$match": { "_id": in_keys } }, group("$_id")]),
    ]
}

fn total(named: impl IntoIterator<Item = Named>) -> Result<HashMap<BlobKey, i64>, Fault> {
    let mut totals = HashMap::<BlobKey, i64>::new();
    for Named { key, count } in named {
        *totals.entry(read_key(&key)?).or_default() += count;
    }
    Ok(totals)
}

async fn references(db: &FilesDb, after: Option<BlobKey>, at: Timestamp) -> PortResult<RecountStep> {
    let (suspects, next) = db
        .read(async {
            let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": key(after) } });
            let rows: Vec<BlobRow> = db
                .collection(schema::BLOBS)
                .find(filter)
                .projection(BlobRow::projection())
                .sort(doc! { "_id": 1 })
                .limit(BLOBS as i64)
                .await?
                .try_collect()
                .await?;
            let next = match rows.last() {
                Some(last) if rows.len() == BLOBS => Some(RecountPlace::Blobs(Some(read_key(&last.key)?))),
                _ => None,
            };
            if rows.is_empty() {
                return Ok((HashSet::new(), next));
            }
            let keys: Vec<Binary> = rows.iter().map(|row| row.key.clone()).collect();
            let mut named = Vec::new();
            for (collection, pipeline) in names(&keys) {
                let naming = db.collection::<Document>(collection);
                let counts = naming.aggregate(pipeline).with_type::<Named>().await?;
                named.extend(counts.try_collect::<Vec<_>>().await?);
            }
            let totals = total(named)?;
            let mut suspects = HashSet::new();
            for row in rows {
                let blob = read_key(&row.key)?;
                let counted = totals.get(&blob).copied().unwrap_or(0);
                if row.stored() != (counted, counted == 0) {
                    suspects.insert(blob);
                }
            }
            Ok((suspects, next))
        })
        .await?;
    let mut found = Vec::new();
    for blob in suspects {
        found.extend(db.write(blobs::turn(blob), |tx| heal_blob(db, tx, blob, at)).await?);
    }
    Ok(RecountStep { next, found })
}

async fn heal_blob(
    db: &FilesDb,
    mut tx: Tx,
    blob: BlobKey,
    at: Timestamp,
) -> TxResult<Vec<Miscount>, PortError> {
    let mut found = Vec::new();
    let row = db
        .collection::<BlobRow>(schema::BLOBS)
        .find_one(doc! { "_id": key(blob) })
        .projection(BlobRow::projection())
        .session(tx.session())
        .await?;
    let Some(row) = row else { return Ok(found) };
    let mut named = Vec::new();
    for (collection, pipeline) in names(&[key(blob)]) {
        let naming = db.collection::<Document>(collection);
        named.extend(all_of::<Named>(naming.aggregate(pipeline), &mut tx).await?);
    }
    let counted = total(named)?.get(&blob).copied().unwrap_or(0);
    let (stored, counted) = (row.stored(), (counted, counted == 0));
    if stored == counted {
        return Ok(found);
    }
    let mut change = doc! { "$set": { "refs": counted.0, "condemned": counted.1 } };
    if !counted.1 {
        change.insert("$unset", doc! { "condemned_at": "" });
    } else if !stored.1 {
        change = doc! { "$set": { "refs": counted.0, "condemned": true, "condemned_at": at.millis() } };
    }
    blobs(db).update_one(doc! { "_id": key(blob) }, change).session(tx.session()).await?;
    note(
        &mut found,
        blob,
        [
            (Counter::References, stored.0, counted.0),
            (Counter::Condemned, i64::from(stored.1), i64::from(counted.1)),
        ],
    );
    Ok(found)
}
