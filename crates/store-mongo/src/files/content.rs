//! The contents in the documents of nodes, and those in documents of their own that files had before.

use common::files::{Content, MediaFacts, NewContent, Node, ThumbnailState, Version};
use common::{BlobKey, Crc32, FileId, Sha256, Timestamp, UserId};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::FilesDb;
use super::node::NodeDoc;
use crate::engine::{Fault, Tx};
use crate::value::{ToOid as _, binary, count, fixed, id, int, key, read_key};

/// A file's current content. What is known of its blob is repeated here, so that a list is one query.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ContentDoc {
    pub(super) version: u32,
    pub(super) blob: Binary,
    pub(super) sha256: Binary,
    pub(super) crc32: i64,
    pub(super) modified_at: i64,
    pub(super) at: i64,
    pub(super) by: ObjectId,
    pub(super) thumbnails: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thumbnails_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) height: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) taken_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) camera: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<i64>,
}

/// What is known of a blob, as its document has it and those of nodes repeat it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Facts {
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

impl Facts {
    pub(super) fn projection() -> Document {
        doc! {
            "thumbnails": 1, "thumbnails_reason": 1, "width": 1, "height": 1, "taken_at": 1, "camera": 1, "duration_ms": 1,
        }
    }

    /// Of a blob that comes with this commit.
    fn fresh(thumbnails: ThumbnailState) -> Self {
        Self {
            thumbnails: thumbnails.word().to_owned(),
            thumbnails_reason: None,
            width: None,
            height: None,
            taken_at: None,
            camera: None,
            duration_ms: None,
        }
    }
}

/// A content that a file had before the one in its node.
#[derive(Serialize, Deserialize)]
pub(super) struct VersionDoc {
    pub(super) node: ObjectId,
    pub(super) version: u32,
    pub(super) blob: Binary,
    pub(super) size: i64,
    pub(super) mime: String,
    pub(super) modified_at: i64,
    pub(super) at: i64,
    pub(super) by: ObjectId,
    /// Since when it is no longer the content; older programs do not write this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replaced_at: Option<i64>,
}

impl VersionDoc {
    /// The version that it is, with what is known of its blob.
    pub(super) fn read(self, (sha256, crc32): (&Binary, i64), facts: Facts) -> Result<Version, Fault> {
        let Self { version, blob, size, mime, modified_at, at, by, .. } = self;
        let content = ContentDoc { sha256: sha256.clone(), crc32, ..ContentDoc::of(version, blob, facts) };
        let content = ContentDoc { modified_at, at, by, ..content };
        Ok(Version { at: Timestamp::from_millis(at), by: id(by), content: content.content(size, mime)? })
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn blob(&self) -> Result<BlobKey, Fault> {
        read_key(&self.blob)
    }

    pub(super) fn size(&self) -> Result<u64, Fault> {
        count(self.size)
    }
}

impl ContentDoc {
    pub(super) fn content(self, size: i64, mime: String) -> Result<Content, Fault> {
        let media = MediaFacts {
            width: self.width,
            height: self.height,
            taken_at: self.taken_at,
            camera: self.camera,
            duration_ms: self.duration_ms.map(count).transpose()?,
        };
        Ok(Content {
            version: self.version,
            blob: read_key(&self.blob)?,
            size: count(size)?,
            sha256: Sha256(fixed(&self.sha256)?),
            crc32: Crc32(u32::try_from(self.crc32).map_err(|_| Fault::Damaged("a CRC-32 that is none"))?),
            mime,
            modified_at: Timestamp::from_millis(self.modified_at),
            media: (!media.is_empty()).then_some(media),
            thumbnails: ThumbnailState::parse(&self.thumbnails)
                .ok_or(Fault::Damaged("an unknown state of thumbnails"))?,
            thumbnails_reason: self.thumbnails_reason,
        })
    }

    /// With a blob that comes in the same commit, or with what is known of one that it shares.
    pub(super) fn new(
        content: &NewContent,
        facts: Option<&Facts>,
        version: u32,
        (by, at): (UserId, Timestamp),
    ) -> Self {
        let blob = &content.blob;
        let facts = facts.cloned().unwrap_or_else(|| Facts::fresh(content.thumbnails));
        Self {
            sha256: binary(&blob.sha256.0),
            crc32: i64::from(blob.crc32.0),
            modified_at: content.modified_at.millis(),
            at: at.millis(),
            by: by.oid(),
            ..Self::of(version, key(blob.key), facts)
        }
    }

    /// With a blob of which this is known; the rest is for the caller to fill in.
    pub(super) fn of(version: u32, blob: Binary, facts: Facts) -> Self {
        let Facts { thumbnails, thumbnails_reason, width, height, taken_at, camera, duration_ms } = facts;
        Self {
            version,
            blob,
            sha256: binary(&[]),
            crc32: 0,
            modified_at: 0,
            at: 0,
            by: ObjectId::from_bytes([0; 12]),
            thumbnails,
            thumbnails_reason,
            width,
            height,
            taken_at,
            camera,
            duration_ms,
        }
    }
}

/// Gives a file that this transaction has read its next content; the file after that, and the content that it had before.
pub(super) async fn set_content(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    (content, facts, version): (&NewContent, Option<&Facts>, u32),
    by: UserId,
    at: Timestamp,
) -> Result<(Node, VersionDoc), Fault> {
    const NO_FILE: Fault = Fault::Damaged("a file that was just read is none");
    let new = ContentDoc::new(content, facts, version, (by, at));
    let fields = mongodb::bson::serialize_to_document(&new)
        .map_err(|_| Fault::Damaged("a content does not become a document"))?;
    let change = doc! {
        "$set": {
            "content": fields,
            "size": int(content.blob.size),
            "mime": &content.mime,
            "modified_at": at.millis(),
        },
        "$inc": { "revision": 1_i64 },
    };
    let mut file = db
        .nodes()
        .find_one_and_update(doc! { "_id": id.oid() }, change)
        .return_document(ReturnDocument::Before)
        .session(tx.session())
        .await?
        .ok_or(NO_FILE)?;
    let old = file.content.replace(new).ok_or(NO_FILE)?;
    let old = VersionDoc {
        node: id.oid(),
        version: old.version,
        blob: old.blob,
        size: std::mem::replace(&mut file.size, int(content.blob.size)),
        mime: std::mem::replace(&mut file.mime, content.mime.clone()),
        modified_at: old.modified_at,
        at: old.at,
        by: old.by,
        replaced_at: Some(at.millis()),
    };
    file.modified_at = at.millis();
    file.revision += 1;
    Ok((file.node()?, old))
}

/// The content that a file has, as a version; none for a folder.
pub(super) fn current_version(doc: NodeDoc) -> Result<Option<Version>, Fault> {
    let Some(content) = doc.content else { return Ok(None) };
    let (at, by) = (Timestamp::from_millis(content.at), id(content.by));
    Ok(Some(Version { content: content.content(doc.size, doc.mime)?, at, by }))
}
