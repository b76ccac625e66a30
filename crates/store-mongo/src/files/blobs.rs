//! Documents of blobs: references, inline bytes, collection.

use std::collections::BTreeMap;

use bytes::Bytes;
use common::files::{
    BlobInfo, BlobPage, CollectOutcome, NewBlob, NewContent, NodeError, Place, ThumbnailState,
};
use common::{BlobKey, PortResult, Sha256, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::content::Facts;
use super::{FilesDb, all, any, schema, search, thumbnails};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{binary, count, fixed, int, key, read_key};

/// What callers see of a blob.
#[derive(Deserialize)]
struct InfoDoc {
    #[serde(rename = "_id")]
    key: Binary,
    size: i64,
    sha256: Binary,
    inline: bool,
}

impl InfoDoc {
    fn info(self) -> Result<BlobInfo, Fault> {
        Ok(BlobInfo {
            key: read_key(&self.key)?,
            size: count(self.size)?,
            sha256: Sha256(fixed(&self.sha256)?),
            inline: self.inline,
        })
    }

    fn projection() -> Document {
        doc! { "size": 1, "sha256": 1, "inline": 1 }
    }
}

#[derive(Serialize)]
struct BlobDoc {
    #[serde(rename = "_id")]
    key: Binary,
    size: i64,
    sha256: Binary,
    crc32: i64,
    inline: bool,
    /// If they are kept here.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Binary>,
    refs: i64,
    /// There are no references, since `condemned_at`.
    condemned: bool,
    thumbnails: &'static str,
}

impl BlobDoc {
    fn new(blob: &NewBlob, thumbnails: ThumbnailState) -> Self {
        let bytes = match &blob.place {
            Place::Inline(bytes) => Some(binary(bytes)),
            Place::Blob | Place::Shared => None,
        };
        Self {
            key: key(blob.key),
            size: int(blob.size),
            sha256: binary(&blob.sha256.0),
            crc32: i64::from(blob.crc32.0),
            inline: bytes.is_some(),
            bytes,
            refs: 1,
            condemned: false,
            thumbnails: thumbnails.word(),
        }
    }
}

/// The documents of blobs. Keys are random, so what is inserted is never there already.
pub(super) fn blobs(db: &FilesDb) -> Collection<Document> {
    db.collection(schema::BLOBS)
}

/// By what transactions of this process on one blob take turns.
pub(super) fn turn(key: BlobKey) -> ObjectId {
    let [start @ .., _, _, _, _] = *key.bytes();
    ObjectId::from_bytes(start)
}

/// Inserts a blob with one reference, and its bytes if they are to be kept here.
pub(super) async fn insert(
    db: &FilesDb,
    tx: &mut Tx,
    blob: &NewBlob,
    thumbnails: ThumbnailState,
) -> Result<(), Fault> {
    let doc = BlobDoc::new(blob, thumbnails);
    db.collection::<BlobDoc>(schema::BLOBS).insert_one(&doc).session(tx.session()).await?;
    Ok(())
}

/// Brings the content of a commit in: its blob with one reference, or one reference more to that which it shares; what is known of that then.
pub(super) async fn bring(
    db: &FilesDb,
    tx: &mut Tx,
    content: &NewContent,
) -> TxResult<Option<Facts>, NodeError> {
    if !matches!(content.blob.place, Place::Shared) {
        insert(db, tx, &content.blob, content.thumbnails).await?;
        return Ok(None);
    }
    let taken = take(db, tx, &[content.blob.key]).await?;
    match taken.into_values().next() {
        Some(facts) => Ok(Some(facts)),
        None => Err(NodeError::ContentGone.into()),
    }
}

/// Takes a reference more to each of these blobs, as often as it is named, and tells what is known of them. Those that are not live any more are left out.
pub(super) async fn take(
    db: &FilesDb,
    tx: &mut Tx,
    keys: &[BlobKey],
) -> Result<BTreeMap<BlobKey, Facts>, Fault> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "_id")]
        key: Binary,
        #[serde(flatten)]
        facts: Facts,
    }
    let mut references = BTreeMap::<BlobKey, i64>::new();
    for key in keys {
        *references.entry(*key).or_default() += 1;
    }
    let mut known = BTreeMap::new();
    let distinct: Vec<Binary> = references.keys().map(|blob| key(*blob)).collect();
    for keys in distinct.chunks(CHUNK) {
        let blobs = db.collection::<Known>(schema::BLOBS);
        let live =
            blobs.find(doc! { "_id": { "$in": keys }, "condemned": false }).projection(Facts::projection());
        for blob in all(live, tx).await? {
            known.insert(read_key(&blob.key)?, blob.facts);
        }
    }
    let mut by_count = BTreeMap::<i64, Vec<Binary>>::new();
    for (blob, references) in references {
        if known.contains_key(&blob) {
            by_count.entry(references).or_default().push(key(blob));
        }
    }
    for (references, keys) in by_count {
        for keys in keys.chunks(CHUNK) {
            let more = doc! { "$inc": { "refs": references } };
            blobs(db)
                .update_many(doc! { "_id": { "$in": keys }, "condemned": false }, more)
                .session(tx.session())
                .await?;
        }
    }
    Ok(known)
}

/// Keys that one update may name.
const CHUNK: usize = 1_000;

/// Gives a reference back for each of these; blobs without any left are condemned.
pub(super) async fn give_back(
    db: &FilesDb,
    tx: &mut Tx,
    keys: &[BlobKey],
    at: Timestamp,
) -> Result<(), Fault> {
    let mut references = BTreeMap::<BlobKey, i64>::new();
    for key in keys {
        *references.entry(*key).or_default() += 1;
    }
    let mut by_count = BTreeMap::<i64, Vec<Binary>>::new();
    for (blob, references) in references {
        by_count.entry(references).or_default().push(key(blob));
    }
    for (references, keys) in by_count {
        for keys in keys.chunks(CHUNK) {
            let is_last = doc! { "$lte": ["$refs", references] };
            let less = doc! { "$set": {
                "refs": { "$max": [0_i64, { "$subtract": ["$refs", references] }] },
                "condemned": is_last.clone(),
                "condemned_at": { "$cond": [is_last, at.millis(), "$$REMOVE"] },
            } };
            blobs(db)
                .update_many(doc! { "_id": { "$in": keys }, "refs": { "$gt": 0 } }, vec![less])
                .session(tx.session())
                .await?;
        }
    }
    Ok(())
}

pub(super) async fn find(db: &FilesDb, blob: BlobKey) -> PortResult<Option<BlobInfo>> {
    db.read(async {
        let found = db
            .collection::<InfoDoc>(schema::BLOBS)
            .find_one(doc! { "_id": key(blob), "condemned": false })
            .projection(InfoDoc::projection())
            .await?;
        Ok(found.map(InfoDoc::info).transpose()?)
    })
    .await
}

pub(super) async fn read_inline(db: &FilesDb, blob: BlobKey) -> PortResult<Option<Bytes>> {
    #[derive(Deserialize)]
    struct Inline {
        bytes: Binary,
    }
    db.read(async {
        let found = db
            .collection::<Inline>(schema::BLOBS)
            .find_one(doc! { "_id": key(blob), "inline": true })
            .projection(doc! { "bytes": 1 })
            .await?;
        Ok(found.map(|inline| Bytes::from(inline.bytes.bytes)))
    })
    .await
}

/// One question for each [`CHUNK`] of them. The server gives each document once, however often it is named, and in an order of its own.
pub(super) async fn read_inline_many(db: &FilesDb, wanted: &[BlobKey]) -> PortResult<Vec<Option<Bytes>>> {
    #[derive(Deserialize)]
    struct Inline {
        #[serde(rename = "_id")]
        key: Binary,
        bytes: Binary,
    }
    db.read(async {
        let mut found = BTreeMap::new();
        for keys in wanted.chunks(CHUNK) {
            let keys: Vec<Bson> = keys.iter().map(|blob| key(*blob).into()).collect();
            let inline: Vec<Inline> = db
                .collection(schema::BLOBS)
                .find(doc! { "_id": { "$in": keys }, "inline": true })
                .projection(doc! { "bytes": 1 })
                .await?
                .try_collect()
                .await?;
            for blob in inline {
                found.insert(read_key(&blob.key)?, Bytes::from(blob.bytes.bytes));
            }
        }
        Ok(wanted.iter().map(|blob| found.get(blob).cloned()).collect())
    })
    .await
}

pub(super) async fn list_condemned(db: &FilesDb, before: Timestamp, limit: u32) -> PortResult<BlobPage> {
    db.read(async {
        let found: Vec<InfoDoc> = db
            .collection(schema::BLOBS)
            .find(doc! { "condemned": true, "condemned_at": { "$lt": before.millis() } })
            .sort(doc! { "condemned_at": 1 })
            .limit(i64::from(limit) + 1)
            .projection(InfoDoc::projection())
            .await?
            .try_collect()
            .await?;
        let more = found.len() > limit as usize;
        let blobs = found.into_iter().take(limit as usize).map(InfoDoc::info).collect::<Result<_, _>>()?;
        Ok(BlobPage { blobs, more })
    })
    .await
}

pub(super) async fn collect(
    db: &FilesDb,
    tx: &mut Tx,
    blob: BlobKey,
    condemned_before: Timestamp,
    at: Timestamp,
) -> Result<CollectOutcome, Fault> {
    let condemned = doc! {
        "_id": key(blob),
        "refs": 0,
        "condemned": true,
        "condemned_at": { "$lt": condemned_before.millis() },
    };
    if !any(&blobs(db), condemned, tx).await? {
        return Ok(CollectOutcome::Kept);
    }
    if is_named(db, tx, blob).await? {
        tracing::error!(%blob, "a condemned blob is still named: its references were miscounted");
        return Ok(CollectOutcome::Kept);
    }
    // whoever takes a reference changes this document: of both, one commits
    blobs(db).delete_one(doc! { "_id": key(blob) }).session(tx.session()).await?;
    search::remove_texts(db, tx, blob).await?;
    let thumbnails = thumbnails::remove_all(db, tx, blob).await?;
    give_back(db, tx, &thumbnails, at).await?;
    Ok(CollectOutcome::Removed)
}

/// Whether anything names a blob. The count of references should say the same: bytes that anything names are never given up for a miscount.
async fn is_named(db: &FilesDb, tx: &mut Tx, blob: BlobKey) -> Result<bool, Fault> {
    let places = [
        (schema::NODES, doc! { "content.blob": key(blob), "has_content": true }),
        (schema::VERSIONS, doc! { "blob": key(blob) }),
        (schema::THUMBNAILS, doc! { "_id": key(blob) }),
    ];
    for (collection, names) in places {
        if any(&db.collection(collection), names, tx).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn known(db: &FilesDb, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "_id")]
        key: Binary,
    }
    db.read(async {
        let mut known = Vec::new();
        for keys in keys.chunks(CHUNK) {
            let keys: Vec<Bson> = keys.iter().map(|blob| key(*blob).into()).collect();
            let found: Vec<Known> = db
                .collection(schema::BLOBS)
                .find(doc! { "_id": { "$in": keys } })
                .projection(doc! { "_id": 1 })
                .await?
                .try_collect()
                .await?;
            for blob in found {
                known.push(read_key(&blob.key)?);
            }
        }
        Ok(known)
    })
    .await
}
