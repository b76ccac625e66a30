//! Thumbnails and what is known of them.

use common::files::{
    BlobInfo, MediaFacts, NewThumbnail, Place, ThumbnailInfo, ThumbnailSize, ThumbnailState,
};
use common::{BlobKey, PortResult, Sha256};
use mongodb::Collection;
use mongodb::bson::{Binary, Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::blobs::{self, blobs};
use super::{FilesDb, all, schema};
use crate::engine::{Fault, Tx};
use crate::value::{binary, count, fixed, int, key, read_key};

/// A thumbnail. What is known of its blob, which never changes, is repeated here.
#[derive(Serialize, Deserialize)]
pub(super) struct ThumbnailDoc {
    #[serde(rename = "_id")]
    pub(super) key: Binary,
    pub(super) original: Binary,
    /// Asked width in pixels.
    pub(super) size: u32,
    pub(super) mime: String,
    pub(super) bytes: i64,
    pub(super) sha256: Binary,
    pub(super) inline: bool,
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

/// Sets fields of a blob's document and takes away others, if it matches, and does the same with what the nodes of that content repeat of it.
async fn mark(
    db: &FilesDb,
    tx: &mut Tx,
    original: BlobKey,
    only: Document,
    (set, unset): (Document, Document),
) -> Result<bool, Fault> {
    let mut filter = doc! { "_id": key(original) };
    filter.extend(only);
    let (mut change, mut repeat) = (Document::new(), Document::new());
    for (operator, fields) in [("$set", set), ("$unset", unset)] {
        if !fields.is_empty() {
            let repeated = fields.iter().map(|(field, value)| (format!("content.{field}"), value.clone()));
            repeat.insert(operator, repeated.collect::<Document>());
            change.insert(operator, fields);
        }
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
    media: Option<&MediaFacts>,
    new: &[NewThumbnail],
) -> Result<bool, Fault> {
    let (mut set, mut unset) = media.map(fields).unwrap_or_default();
    set.insert("thumbnails", ThumbnailState::Ready.word());
    unset.insert("thumbnails_reason", "");
    let only = doc! { "condemned": false, "thumbnails": { "$ne": ThumbnailState::Ready.word() } };
    if !mark(db, tx, original, only, (set, unset)).await? {
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
    mark(db, tx, original, only, (set, Document::new())).await
}

/// What is known is set, the rest taken away.
fn fields(media: &MediaFacts) -> (Document, Document) {
    let fields: [(&str, Option<Bson>); 5] = [
        ("width", media.width.map(|width| i64::from(width).into())),
        ("height", media.height.map(|height| i64::from(height).into())),
        ("taken_at", media.taken_at.as_deref().map(Bson::from)),
        ("camera", media.camera.as_deref().map(Bson::from)),
        ("duration_ms", media.duration_ms.map(|duration| int(duration).into())),
    ];
    let (mut set, mut unset) = (Document::new(), Document::new());
    for (field, value) in fields {
        match value {
            Some(value) => set.insert(field, value),
            None => unset.insert(field, ""),
        };
    }
    (set, unset)
}

pub(super) async fn keep_media(
    db: &FilesDb,
    tx: &mut Tx,
    original: BlobKey,
    media: &MediaFacts,
) -> Result<bool, Fault> {
    mark(db, tx, original, doc! { "condemned": false }, fields(media)).await
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
