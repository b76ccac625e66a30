//! Rows of contents, and thumbnails.

use std::collections::BTreeMap;

use common::portable::{PortableBlob, PortableThumbnail};
use common::{BlobKey, Crc32, Sha256, Timestamp};
use mongodb::bson::{Binary, Document, doc};
use serde::Deserialize;

use super::super::thumbnails::ThumbnailDoc;
use super::super::{FilesDb, schema};
use super::known;
use crate::engine::Fault;
use crate::portable::{behind_pair, keep, page_of, put};
use crate::value::{binary, count, fixed, int, key, read_key};

/// All of a document.
#[derive(Deserialize)]
pub(super) struct WholeDoc {
    #[serde(rename = "_id")]
    key: Binary,
    size: i64,
    sha256: Binary,
    crc32: i64,
    inline: bool,
    #[serde(default)]
    bytes: Option<Binary>,
    refs: i64,
    #[serde(default)]
    condemned_at: Option<i64>,
    #[serde(default)]
    damaged_at: Option<i64>,
    thumbnails: String,
    #[serde(default)]
    thumbnails_reason: Option<String>,
    #[serde(default)]
    width: Option<u32>,
    #[serde(default)]
    height: Option<u32>,
    #[serde(default)]
    taken_at: Option<String>,
    #[serde(default)]
    camera: Option<String>,
    #[serde(default)]
    duration_ms: Option<i64>,
}

pub(super) fn read(doc: WholeDoc) -> Result<PortableBlob, Fault> {
    if doc.inline != doc.bytes.is_some() {
        return Err(Fault::Damaged("a content whose bytes are not where they should be"));
    }
    Ok(PortableBlob {
        key: read_key(&doc.key)?,
        size: count(doc.size)?,
        sha256: Sha256(fixed(&doc.sha256)?),
        crc32: Crc32(u32::try_from(doc.crc32).map_err(|_| Fault::Damaged("a CRC-32 that is none"))?),
        inline: doc.bytes.map(|bytes| bytes.bytes),
        refs: count(doc.refs)?,
        condemned_at: doc.condemned_at.map(Timestamp::from_millis),
        damaged_at: doc.damaged_at.map(Timestamp::from_millis),
        thumbnails: doc.thumbnails,
        thumbnails_reason: doc.thumbnails_reason,
        width: doc.width,
        height: doc.height,
        taken_at: doc.taken_at,
        camera: doc.camera,
        duration_ms: doc.duration_ms.map(count).transpose()?,
    })
}

pub(super) fn document(blob: &PortableBlob) -> Document {
    let mut doc = doc! {
        "_id": key(blob.key),
        "size": int(blob.size),
        "sha256": binary(&blob.sha256.0),
        "crc32": i64::from(blob.crc32.0),
        "inline": blob.inline.is_some(),
        "refs": int(blob.refs),
        "condemned": blob.condemned_at.is_some(),
        "thumbnails": &blob.thumbnails,
    };
    put(&mut doc, "bytes", blob.inline.as_deref().map(binary));
    put(&mut doc, "condemned_at", blob.condemned_at.map(Timestamp::millis));
    put(&mut doc, "damaged", blob.damaged_at.map(|_| true));
    put(&mut doc, "damaged_at", blob.damaged_at.map(Timestamp::millis));
    put(&mut doc, "thumbnails_reason", blob.thumbnails_reason.as_deref());
    put(&mut doc, "width", blob.width.map(i64::from));
    put(&mut doc, "height", blob.height.map(i64::from));
    put(&mut doc, "taken_at", blob.taken_at.as_deref());
    put(&mut doc, "camera", blob.camera.as_deref());
    put(&mut doc, "duration_ms", blob.duration_ms.map(int));
    doc
}

pub(super) async fn page_thumbnails(
    db: &FilesDb,
    after: Option<(BlobKey, u32)>,
    limit: u32,
) -> Result<Vec<PortableThumbnail>, Fault> {
    let behind = after.map_or_else(Document::new, |(original, size)| {
        behind_pair(("original", key(original)), ("size", size))
    });
    let order = doc! { "original": 1, "size": 1 };
    let found: Vec<ThumbnailDoc> = page_of(&db.engine, schema::THUMBNAILS, behind, order, limit).await?;
    let read = |doc: ThumbnailDoc| {
        Ok(PortableThumbnail {
            original: read_key(&doc.original)?,
            size: doc.size,
            key: read_key(&doc.key)?,
            mime: doc.mime,
        })
    };
    found.into_iter().map(read).collect()
}

pub(super) async fn keep_thumbnails(db: &FilesDb, kept: &[PortableThumbnail]) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "_id")]
        key: Binary,
        size: i64,
        sha256: Binary,
        inline: bool,
    }
    let found: Vec<Known> = known(db, kept.iter().map(|one| key(one.key)).collect()).await?;
    let mut by_key = BTreeMap::new();
    for blob in found {
        by_key.insert(read_key(&blob.key)?, blob);
    }
    let document = |one: &PortableThumbnail| {
        let blob = by_key.get(&one.key).ok_or(Fault::Damaged("a thumbnail without its content"))?;
        Ok(ThumbnailDoc {
            key: key(one.key),
            original: key(one.original),
            size: one.size,
            mime: one.mime.clone(),
            bytes: blob.size,
            sha256: blob.sha256.clone(),
            inline: blob.inline,
        })
    };
    let docs = kept.iter().map(document).collect::<Result<_, Fault>>()?;
    keep(&db.engine, schema::THUMBNAILS, docs).await
}
