use serde::{Deserialize, Serialize};

use super::NodeName;
use crate::{BlobKey, Crc32, FileId, Sha256, SpaceId, Timestamp, UserId};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Holds other nodes.
    Folder,
    /// Holds content.
    File,
}

/// The type that the classic API was told, which it must give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassicType {
    /// A folder.
    Folder,
    /// Any content.
    File,
    /// Content that shall have thumbnails.
    Image,
}

impl ClassicType {
    /// The word in requests, answers and stores.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File => "file",
            Self::Image => "image",
        }
    }

    /// Reads [`ClassicType::word`].
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "folder" => Some(Self::Folder),
            "file" => Some(Self::File),
            "image" => Some(Self::Image),
            _ => None,
        }
    }
}

/// Who opened a node to everybody, and when (the classic `isPublic`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Public {
    /// When.
    pub since: Timestamp,
    /// By whom.
    pub by: UserId,
}

/// Who put a node into the trash, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trashed {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
}

/// A file or a folder.
///
/// Its parent is the only truth about where it is. Trashing marks the node itself: what lies below is in the trash because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: FileId,
    /// The tree that it is in.
    pub space: SpaceId,
    /// Whose it is.
    pub owner: UserId,
    /// The folder that it is in, or was in before it was trashed; none for a root.
    pub parent: Option<FileId>,
    /// Its name, unique among the live nodes of its folder.
    pub name: NodeName,
    /// File or folder.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name, place or content last changed.
    pub modified_at: Timestamp,
    /// Grows by one with each change of the node; part of its ETag.
    pub revision: u64,
    /// A file's content; none for a folder.
    pub content: Option<Content>,
    /// Open to everybody.
    pub public: Option<Public>,
    /// In the trash, by itself (not because of a folder above it).
    pub trashed: Option<Trashed>,
    /// The name that the classic API was told, while it differs from `name`; cleared by a rename.
    pub classic_name: Option<String>,
    /// The type that the classic API was told.
    pub classic_type: Option<ClassicType>,
    /// How many live children a folder has; 0 for a file.
    pub child_count: u64,
}

impl Node {
    /// A root folder has no parent.
    pub const fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// The strong entity tag of the node's metadata, quotes included. It changes with every change of the node and of its thumbnails' state.
    pub fn etag(&self) -> String {
        let thumbnails = self.content.as_ref().map_or("", |content| content.thumbnails.word());
        format!("\"{}-{}{}\"", self.id, self.revision, thumbnails.get(..1).unwrap_or(""))
    }
}

/// The current content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Counts the contents that the file has had, from 1.
    pub version: u32,
    /// Where the bytes are.
    pub blob: BlobKey,
    /// Their number.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
    /// Their CRC-32, for archives.
    pub crc32: Crc32,
    /// The type found by looking at them, such as `image/jpeg`.
    pub mime: String,
    /// When the content was last changed where it came from, if the client said so; else when it was uploaded.
    pub modified_at: Timestamp,
    /// Pixels, as far as known.
    pub media: Option<MediaFacts>,
    /// What is known of its thumbnails.
    pub thumbnails: ThumbnailState,
    /// Why there are none, where the state is `Failed`.
    pub thumbnails_reason: Option<String>,
}

impl Content {
    /// The strong entity tag of the content, quotes included: it depends on the bytes alone.
    pub fn etag(&self) -> String {
        format!("\"{}\"", &self.sha256.to_string()[..32])
    }
}

/// What was found out about a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaFacts {
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
}

/// How far the thumbnails of a blob are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThumbnailState {
    /// None can be made of this type.
    None,
    /// A job makes them.
    Pending,
    /// They are there.
    Ready,
    /// They could not be made, and are not tried again by themselves.
    Failed,
}

impl ThumbnailState {
    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// Reads [`ThumbnailState::word`].
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "pending" => Some(Self::Pending),
            "ready" => Some(Self::Ready),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// The widths in which thumbnails exist, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct ThumbnailSize(u32);

impl ThumbnailSize {
    /// All of them, ascending. The classic API knows the first three.
    pub const ALL: [Self; 4] = [Self(100), Self(250), Self(500), Self(1280)];

    /// The size of this width, if there is one.
    pub fn of(pixels: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.0 == pixels)
    }

    /// Width in pixels.
    pub const fn pixels(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for ThumbnailSize {
    type Error = &'static str;

    fn try_from(pixels: u32) -> Result<Self, Self::Error> {
        Self::of(pixels).ok_or("not a thumbnail size")
    }
}

impl From<ThumbnailSize> for u32 {
    fn from(size: ThumbnailSize) -> Self {
        size.0
    }
}

/// One thumbnail that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThumbnailInfo {
    /// The asked width; the picture may be narrower, never wider.
    pub size: ThumbnailSize,
    /// Where its bytes are.
    pub blob: BlobInfo,
    /// Its type.
    pub mime: String,
}

/// What the store knows of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub key: BlobKey,
    /// Number of bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub sha256: Sha256,
    /// True if the bytes stand in the metadata store, false if in the blob store.
    pub inline: bool,
}

/// Whether a blob may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// References may be taken.
    Live,
    /// No references are left; it is collected a day later.
    Condemned,
}

/// One tree of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Its id.
    pub id: SpaceId,
    /// Whose it is.
    pub owner: UserId,
    /// Its root folder.
    pub root: FileId,
    /// Grows with every move of a folder.
    pub tree_version: u64,
    /// What it holds and may hold.
    pub usage: Usage,
}

/// What a space holds and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of all versions, the trash included.
    pub used_bytes: u64,
    /// Bytes set aside for uploads under way.
    pub reserved_bytes: u64,
    /// Most bytes that it may hold; none is no limit.
    pub quota_bytes: Option<u64>,
    /// Files and folders, the root left out, the trash included.
    pub node_count: u64,
    /// What was put into the trash, not counting what lies inside.
    pub trash_count: u64,
}

/// One step of the way to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    /// The folder.
    pub id: FileId,
    /// Its name; empty for a root.
    pub name: NodeName,
    /// It is in the trash by itself.
    pub trashed: bool,
}

/// A node and the way to it. One query brings permission, trash and breadcrumb together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePath {
    /// The node.
    pub node: Node,
    /// Its ancestors, from the root down to its parent; empty for a root.
    pub ancestors: Vec<Crumb>,
}

impl NodePath {
    /// In the trash, by itself or because of a folder above it.
    pub fn in_trash(&self) -> bool {
        self.node.trashed.is_some() || self.ancestors.iter().any(|crumb| crumb.trashed)
    }

    /// How many folders are above it.
    pub fn depth(&self) -> usize {
        self.ancestors.len()
    }
}
