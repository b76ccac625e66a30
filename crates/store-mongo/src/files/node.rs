//! The documents of nodes.

use common::files::{
    ClassicType, Content, Kind, MediaFacts, NewContent, NewNode, Node, NodeName, Public, Tag, ThumbnailState,
    Trashed, Version, sort_key,
};
use common::{BlobKey, Crc32, FileId, Sha256, SpaceId, Timestamp, UserId};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::FilesDb;
use crate::engine::{Fault, Tx};
use crate::value::{ToOid as _, binary, count, fixed, id, int, key, read_key};

/// A file or a folder. `live`, `in_trash` and `deleted` exclude one another: partial indexes filter by them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NodeDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    space: ObjectId,
    owner: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<ObjectId>,
    name: String,
    sort_key: String,
    kind: i32,
    /// Neither trashed nor deleted by itself.
    live: bool,
    in_trash: bool,
    /// A tombstone: nothing below exists any more.
    deleted: bool,
    created_at: i64,
    modified_at: i64,
    revision: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trashed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trashed_by: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_by: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classic_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classic_type: Option<String>,
    /// Live children.
    folder_count: i64,
    file_count: i64,
    /// Shares and links of the node itself; older programs do not write these.
    #[serde(default)]
    shares: i64,
    #[serde(default)]
    links: i64,
    /// Stars of whomever; and whether there are tags, since partial indexes filter by booleans.
    #[serde(default)]
    stars: i64,
    #[serde(default)]
    tagged: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDoc>,
    /// 0 and empty for a folder, so that all sort by them.
    size: i64,
    mime: String,
    has_content: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<ContentDoc>,
}

/// A tag as it was given, and what it is compared by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TagDoc {
    tag: String,
    folded: String,
}

impl TagDoc {
    pub(super) fn new(tag: &Tag) -> Self {
        Self { tag: tag.as_str().to_owned(), folded: tag.folded() }
    }

    pub(super) fn parse(text: &str) -> Result<Tag, Fault> {
        Tag::parse(text).map_err(|_| Fault::Damaged("a tag that is none"))
    }
}

/// A file's current content. What is known of its blob is repeated here, so that a list is one query.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ContentDoc {
    version: u32,
    blob: Binary,
    sha256: Binary,
    crc32: i64,
    modified_at: i64,
    at: i64,
    by: ObjectId,
    thumbnails: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thumbnails_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    camera: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
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
    node: ObjectId,
    version: u32,
    blob: Binary,
    size: i64,
    mime: String,
    modified_at: i64,
    at: i64,
    by: ObjectId,
    /// Since when it is no longer the content; older programs do not write this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_at: Option<i64>,
}

impl VersionDoc {
    pub(super) fn node(&self) -> FileId {
        id(self.node)
    }

    /// Whether it was replaced before this time.
    pub(super) fn was_replaced_before(&self, time: Timestamp) -> bool {
        self.replaced_at.is_some_and(|at| at < time.millis())
    }

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

/// A kind as the field `kind` has it.
pub(super) const fn kind_number(kind: Kind) -> i32 {
    match kind {
        Kind::Folder => 0,
        Kind::File => 1,
    }
}

/// Reads a stored name; only a root's is empty.
pub(super) fn name(text: &str) -> Result<NodeName, Fault> {
    match text {
        "" => Ok(NodeName::root()),
        text => NodeName::parse(text).map_err(|_| Fault::Damaged("a name that is none")),
    }
}

impl NodeDoc {
    pub(super) fn id(&self) -> FileId {
        id(self.id)
    }

    pub(super) fn space(&self) -> SpaceId {
        id(self.space)
    }

    /// Live children of each kind: folders, files.
    pub(super) fn child_counts(&self) -> Result<(u64, u64), Fault> {
        Ok((count(self.folder_count)?, count(self.file_count)?))
    }

    pub(super) fn node(self) -> Result<Node, Fault> {
        let (folders, files) = self.child_counts()?;
        let kind = match self.kind {
            0 => Kind::Folder,
            1 => Kind::File,
            _ => return Err(Fault::Damaged("an unknown kind")),
        };
        let content = self.content.map(|content| content.content(self.size, self.mime)).transpose()?;
        let classic_type = self
            .classic_type
            .map(|word| ClassicType::parse(&word).ok_or(Fault::Damaged("an unknown classic type")))
            .transpose()?;
        Ok(Node {
            id: id(self.id),
            space: id(self.space),
            owner: id(self.owner),
            parent: self.parent.map(id),
            name: name(&self.name)?,
            kind,
            created_at: Timestamp::from_millis(self.created_at),
            modified_at: Timestamp::from_millis(self.modified_at),
            revision: count(self.revision)?,
            content,
            public: self
                .public_since
                .zip(self.public_by)
                .map(|(since, by)| Public { since: Timestamp::from_millis(since), by: id(by) }),
            trashed: self
                .trashed_at
                .zip(self.trashed_by)
                .map(|(at, by)| Trashed { at: Timestamp::from_millis(at), by: id(by) }),
            classic_name: self.classic_name,
            classic_type,
            child_count: folders + files,
            shared: self.shares > 0,
            linked: self.links > 0,
            starred: self.stars > 0,
            tags: self.tags.iter().map(|tag| TagDoc::parse(&tag.tag)).collect::<Result<_, _>>()?,
        })
    }
}

impl ContentDoc {
    fn content(self, size: i64, mime: String) -> Result<Content, Fault> {
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
    fn new(content: &NewContent, facts: Option<&Facts>, version: u32, (by, at): (UserId, Timestamp)) -> Self {
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
    fn of(version: u32, blob: Binary, facts: Facts) -> Self {
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

/// Inserts a live node; with what is known of its content, if that is shared.
pub(super) async fn insert(
    db: &FilesDb,
    tx: &mut Tx,
    new: &NewNode<'_>,
    facts: Option<&Facts>,
) -> Result<Node, Fault> {
    let doc = document(new, facts);
    db.nodes().insert_one(&doc).session(tx.session()).await?;
    doc.node()
}

/// The document of a live node.
pub(super) fn document(new: &NewNode<'_>, facts: Option<&Facts>) -> NodeDoc {
    NodeDoc {
        id: new.id.oid(),
        space: new.space.oid(),
        owner: new.owner.oid(),
        parent: new.parent.map(FileId::oid),
        name: new.name.as_str().to_owned(),
        sort_key: sort_key(new.name.as_str()),
        kind: kind_number(new.kind),
        live: true,
        in_trash: false,
        deleted: false,
        created_at: new.at.millis(),
        modified_at: new.at.millis(),
        revision: 1,
        trashed_at: None,
        trashed_by: None,
        public_since: new.public_by.map(|_| new.at.millis()),
        public_by: new.public_by.map(UserId::oid),
        classic_name: new.classic_name.map(str::to_owned),
        classic_type: new.classic_type.map(|classic| classic.word().to_owned()),
        folder_count: 0,
        file_count: 0,
        shares: 0,
        links: 0,
        stars: 0,
        tagged: !new.tags.is_empty(),
        tags: new.tags.iter().map(TagDoc::new).collect(),
        size: new.content.map_or(0, |(content, _)| int(content.blob.size)),
        mime: new.content.map_or_else(String::new, |(content, _)| content.mime.clone()),
        has_content: new.content.is_some(),
        content: new.content.map(|(content, by)| ContentDoc::new(content, facts, 1, (by, new.at))),
    }
}

/// Changes a node that this transaction has read.
pub(super) async fn update(db: &FilesDb, tx: &mut Tx, id: FileId, change: Document) -> Result<Node, Fault> {
    db.nodes()
        .find_one_and_update(doc! { "_id": id.oid() }, change)
        .return_document(ReturnDocument::After)
        .session(tx.session())
        .await?
        .ok_or(Fault::Damaged("a node that was just read is gone"))?
        .node()
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

/// Counts a live child of this kind more (or less) in its folder.
pub(super) async fn count_child(
    db: &FilesDb,
    tx: &mut Tx,
    parent: FileId,
    kind: Kind,
    change: i64,
) -> Result<(), Fault> {
    let field = match kind {
        Kind::Folder => "folder_count",
        Kind::File => "file_count",
    };
    let counted = db
        .nodes()
        .update_one(doc! { "_id": parent.oid() }, doc! { "$inc": { field: change } })
        .session(tx.session())
        .await?;
    if counted.matched_count == 1 { Ok(()) } else { Err(Fault::Damaged("a node without its folder")) }
}

/// The content that a file has, as a version; none for a folder.
pub(super) fn current_version(doc: NodeDoc) -> Result<Option<Version>, Fault> {
    let Some(content) = doc.content else { return Ok(None) };
    let (at, by) = (Timestamp::from_millis(content.at), id(content.by));
    Ok(Some(Version { content: content.content(doc.size, doc.mime)?, at, by }))
}
