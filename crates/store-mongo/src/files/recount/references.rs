//! How often blobs are named.

use std::collections::{HashMap, HashSet};

use common::files::{Counter, Miscount, RecountPlace, RecountStep};
use common::{BlobKey, PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;

use super::note;
use crate::engine::{Fault, Tx, TxResult};
use crate::files::blobs::{self, blobs};
use crate::files::{FilesDb, all_of, schema};
use crate::value::{key, read_key};

/// Blobs in one step.
const BLOBS: usize = 500;

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

pub(super) async fn references(
    db: &FilesDb,
    after: Option<BlobKey>,
    at: Timestamp,
) -> PortResult<RecountStep> {
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
