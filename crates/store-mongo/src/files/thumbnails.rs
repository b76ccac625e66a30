//! Thumbnails and what is known of them.

use common::files::{
    BlobInfo, MediaFacts, NewThumbnail, Place, ThumbnailInfo, ThumbnailSize, ThumbnailState,
};
use common::{BlobKey, PortResult, Sha256};
use mongodb::Collection;
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use super::blobs::{self, blobs};
use super::{FilesDb, all, schema};
use crate::engine::{Fault, Tx};
use crate::value::{binary, count, fixed, int, key, read_key};

/// A thumbnail. What is known of its blob, which never changes, is repeated here.
#[derive(Serialize, Deserialize)]
struct ThumbnailDoc {
    #[serde(rename = "_id")]
    key: Binary,
    original: Binary,
    /// Asked width in pixels.
    size: u32,
    mime: String,
    bytes: i64,
    sha256: Binary,
    inline: bool,
}

impl ThumbnailDoc {
    fn new(original: BlobKey, new: &NewThumbnail) -> Self {
        Self {
            key: key(new.blob.key),
            original: key(original),
            size: new.size.pixels(),
            mime: new.mime.clone(),
            bytes: int(new.blob.size),
            sha256: binary(&new.blob.sha256.0),
            inline: matches!(new.blob.place, Place::Inline(_)),
        }
    }
}

fn thumbnails(db: &FilesDb) -> Collection<ThumbnailDoc> {
    db.collection(schema::THUMBNAILS)
}

pub(super) async fn find(
    db: &FilesDb,
    original: BlobKey,
    size: ThumbnailSize,
) -> PortResult<Option<ThumbnailInfo>> {
    db.read(async {
        let wanted = doc! { "original": key(original), "size": size.pixels() };
        let Some(found) = thumbnails(db).find_one(wanted).await? else { return Ok(None) };
        let blob = BlobInfo {
            key: read_key(&found.key)?,
            size: count(found.bytes)?,
            sha256: Sha256(fixed(&found.sha256)?),
            inline: found.inline,
        };
        Ok(Some(ThumbnailInfo { size, blob, mime: found.mime }))
    })
    .await
}

/// Changes what a blob's document says of its thumbnails, if it matches, and what the nodes of that content repeat of it.
async fn mark(
    db: &FilesDb,
    tx: &mut Tx,
    original: BlobKey,
    only: Document,
    set: Document,
) -> Result<bool, Fault> {
    let mut filter = doc! { "_id": key(original) };
    filter.extend(only);
    let mut change = doc! { "$set": set.clone() };
    let mut repeated = Document::new();
    for (field, value) in set {
        repeated.insert(format!("content.{field}"), value);
    }
    let mut repeat = doc! { "$set": repeated };
    if !change.get_document("$set").is_ok_and(|set| set.contains_key("thumbnails_reason")) {
        change.insert("$unset", doc! { "thumbnails_reason": "" });
        repeat.insert("$unset", doc! { "content.thumbnails_reason": "" });
    }
    let marked = blobs(db).update_one(filter, change).session(tx.session()).await?;
    if marked.matched_count == 0 {
        return Ok(false);
    }
    let of_content = doc! { "content.blob": key(original), "has_content": true };
    db.nodes().update_many(of_content, repeat).session(tx.session()).await?;
    Ok(true)
}

pub(super) async fn keep(
    db: &FilesDb,
    tx: &mut Tx,
    original: BlobKey,
    media: Option<MediaFacts>,
    new: &[NewThumbnail],
) -> Result<bool, Fault> {
    let mut set = doc! { "thumbnails": ThumbnailState::Ready.word() };
    if let Some(media) = media {
        set.extend(doc! { "width": i64::from(media.width), "height": i64::from(media.height) });
    }
    let only = doc! { "condemned": false, "thumbnails": { "$ne": ThumbnailState::Ready.word() } };
    if !mark(db, tx, original, only, set).await? {
        return Ok(false);
    }
    for thumbnail in new {
        blobs::insert(db, tx, &thumbnail.blob, ThumbnailState::None).await?;
    }
    if !new.is_empty() {
        let docs: Vec<_> = new.iter().map(|thumbnail| ThumbnailDoc::new(original, thumbnail)).collect();
        thumbnails(db).insert_many(&docs).session(tx.session()).await?;
    }
    Ok(true)
}

pub(super) async fn fail(db: &FilesDb, tx: &mut Tx, original: BlobKey, reason: &str) -> Result<bool, Fault> {
    let only = doc! { "thumbnails": ThumbnailState::Pending.word() };
    let set = doc! { "thumbnails": ThumbnailState::Failed.word(), "thumbnails_reason": reason };
    mark(db, tx, original, only, set).await
}

/// Removes the thumbnails of a blob; the keys of theirs, which lose a reference by it.
pub(super) async fn remove_all(db: &FilesDb, tx: &mut Tx, original: BlobKey) -> Result<Vec<BlobKey>, Fault> {
    let of_original = || doc! { "original": key(original) };
    let found = all(thumbnails(db).find(of_original()), tx).await?;
    if !found.is_empty() {
        thumbnails(db).delete_many(of_original()).session(tx.session()).await?;
    }
    found.iter().map(|thumbnail| read_key(&thumbnail.key)).collect()
}
