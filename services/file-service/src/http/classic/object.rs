//! The file object of the classic API.

use common::files::{ClassicType, Kind, Node, ThumbnailState};
use common::{FileId, UserId};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::app::access::Authorized;

/// A file, folder or image: these six keys and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClassicFile)]
pub(super) struct FileObject {
    /// Its id.
    #[schema(value_type = String, example = "5f1e8896c7ba06511e683b25")]
    id: FileId,
    /// Whose it is.
    #[schema(value_type = String, example = "5f1e7cda04a394508232559d")]
    user_id: UserId,
    /// The name that it was given. Names need not be unique here.
    #[schema(example = "image.png")]
    name: String,
    /// `folder`, `file` or `image`.
    #[serde(rename = "type", serialize_with = "word")]
    #[schema(value_type = String, example = "image")]
    kind: ClassicType,
    /// Everybody may read its content.
    is_public: bool,
    /// The folder that it is in; the number 0 for the root.
    #[schema(value_type = ClassicParentId)]
    parent_id: ParentId,
}

/// The folder that something is in: the number 0 for the root, else an id.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "stands for `ParentId` in the document alone")]
pub(super) enum ClassicParentId {
    Root(u8),
    Folder(String),
}

/// The folder that something is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParentId {
    /// The root: the number 0.
    Root,
    /// Another folder: its id as text.
    Folder(FileId),
}

impl Serialize for ParentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Root => serializer.serialize_u8(0),
            Self::Folder(id) => id.serialize(serializer),
        }
    }
}

fn word<S: Serializer>(kind: &ClassicType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

impl FileObject {
    /// A node and where it is.
    pub(super) fn new(node: &Node, parent_id: ParentId) -> Self {
        Self {
            id: node.id,
            user_id: node.owner,
            name: name(node).to_owned(),
            kind: kind(node),
            is_public: node.public.is_some(),
            parent_id,
        }
    }
}

/// Where a node is. Somebody who must not know of its folder finds it at the root.
pub(super) fn parent_of(node: &Authorized) -> ParentId {
    match (node.path().depth(), node.node().parent) {
        (0 | 1, _) | (_, None) => ParentId::Root,
        _ if !node.sight().sees_parent => ParentId::Root,
        (_, Some(parent)) => ParentId::Folder(parent),
    }
}

/// Where something is that lies in this folder.
pub(super) fn child_of(folder: &Authorized) -> ParentId {
    if folder.path().ancestors.is_empty() { ParentId::Root } else { ParentId::Folder(folder.id()) }
}

/// The name that the node was given here, which may be in its folder twice; else its name.
pub(super) fn name(node: &Node) -> &str {
    node.classic_name.as_deref().unwrap_or(node.name.as_str())
}

/// The type that the node was given here. What was made elsewhere is an image if it can have thumbnails.
pub(super) fn kind(node: &Node) -> ClassicType {
    match (node.classic_type, node.kind, &node.content) {
        (Some(told), ..) => told,
        (None, Kind::Folder, _) => ClassicType::Folder,
        (None, Kind::File, Some(content)) if content.thumbnails != ThumbnailState::None => ClassicType::Image,
        (None, Kind::File, _) => ClassicType::File,
    }
}
