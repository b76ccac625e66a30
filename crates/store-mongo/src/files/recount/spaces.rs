//! What spaces hold.

use std::time::Duration;

use common::files::{Counter, RecountPlace, RecountStep};
use common::{PortError, PortResult, SpaceId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::note;
use crate::engine::{Fault, Tx, TxResult};
use crate::files::{FilesDb, all, all_of, schema};
use crate::value::{ToOid as _, id};

/// Spaces in one step, at most; and nodes after which no further space is begun.
const SPACES: usize = 50;
const NODES_OF_SPACES: i64 = 20_000;

/// Longest time for counting one space, as a read of one moment. The server ends transactions after a minute.
const SPACE_DEADLINE: Duration = Duration::from_secs(45);

#[derive(Deserialize)]
struct SpaceRow {
    #[serde(rename = "_id")]
    id: ObjectId,
    root: ObjectId,
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

pub(super) async fn spaces(db: &FilesDb, after: Option<SpaceId>) -> PortResult<RecountStep> {
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
            // the root is not counted, alive or ended
            "nodes": { "$sum": { "$cond": [
                { "$or": ["$deleted", { "$eq": ["$_id", stored.root] }] }, 0_i64, 1_i64,
            ] } },
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
            (Counter::Nodes, stored.node_count, sums.nodes),
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
