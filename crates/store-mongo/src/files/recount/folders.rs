//! How many children folders have.

use std::collections::HashMap;

use common::files::{Counter, Miscount, RecountPlace, RecountStep};
use common::{FileId, PortError, PortResult, SpaceId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::note;
use crate::engine::{Fault, Tx, TxResult};
use crate::files::space::{self, Change};
use crate::files::{FilesDb, all_of, path, schema};
use crate::value::{ToOid as _, id};

/// Nodes looked at in one step, for the folders among them.
const NODES: usize = 1_000;

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

pub(super) async fn folders(db: &FilesDb, after: Option<FileId>) -> PortResult<RecountStep> {
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
