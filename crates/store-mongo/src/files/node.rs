//! The documents of nodes.

use common::files::{ClassicType, Kind, NewNode, Node, NodeName, Public, Tag, Trashed, sort_key};
use common::{FileId, SpaceId, Timestamp, UserId};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::content::{ContentDoc, Facts};
use super::returns::ReturnDoc;
use super::{FilesDb, search};
use crate::engine::{Fault, Tx};
use crate::value::{ToOid as _, count, id, int};

/// A file or a folder. `live`, `in_trash` and `deleted` exclude one another: partial indexes filter by them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NodeDoc {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) space: ObjectId,
    pub(super) owner: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<ObjectId>,
    pub(super) name: String,
    pub(super) sort_key: String,
    pub(super) kind: i32,
    /// Neither trashed nor deleted by itself.
    pub(super) live: bool,
    pub(super) in_trash: bool,
    /// A tombstone: nothing below exists any more.
    pub(super) deleted: bool,
    pub(super) created_at: i64,
    pub(super) modified_at: i64,
    pub(super) revision: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trashed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trashed_by: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) public_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) public_by: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) classic_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) classic_type: Option<String>,
    /// Live children.
    pub(super) folder_count: i64,
    pub(super) file_count: i64,
    /// Shares and links of the node itself; older programs do not write these.
    #[serde(default)]
    pub(super) shares: i64,
    #[serde(default)]
    pub(super) links: i64,
    /// Stars of whomever; and whether there are tags, since partial indexes filter by booleans.
    #[serde(default)]
    pub(super) stars: i64,
    #[serde(default)]
    pub(super) tagged: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<TagDoc>,
    /// By which it is found; older programs do not write these.
    #[serde(default)]
    pub(super) words: Vec<String>,
    /// It was restored while its folder was in the trash, and returns to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) returns: Option<ReturnDoc>,
    /// 0 and empty for a folder, so that all sort by them.
    pub(super) size: i64,
    pub(super) mime: String,
    pub(super) has_content: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ContentDoc>,
}

/// A tag as it was given, and what it is compared by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TagDoc {
    pub(super) tag: String,
    pub(super) folded: String,
}

impl TagDoc {
    pub(super) fn new(tag: &Tag) -> Self {
        Self { tag: tag.as_str().to_owned(), folded: tag.folded() }
    }

    pub(super) fn parse(text: &str) -> Result<Tag, Fault> {
        Tag::parse(text).map_err(|_| Fault::Damaged("a tag that is none"))
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

    /// By which words it is found.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn is_folder(&self) -> bool {
        self.kind == kind_number(Kind::Folder)
    }

    /// It has a tombstone itself.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted
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
        words: search::words_of_node(new.name, new.tags),
        returns: None,
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

/// A node that this transaction has read or written.
pub(super) async fn get(db: &FilesDb, tx: &mut Tx, id: FileId) -> Result<Node, Fault> {
    db.nodes()
        .find_one(doc! { "_id": id.oid() })
        .session(tx.session())
        .await?
        .ok_or(Fault::Damaged("a node that was just read is gone"))?
        .node()
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
