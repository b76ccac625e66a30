use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NodeName, Tag};
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
    /// Somebody was given a right to it: to it itself, not to a folder above it.
    pub shared: bool,
    /// There are links to it itself. That it is open to everybody is another thing.
    pub linked: bool,
    /// Somebody has set a star on it. Whose they are, [`super::MarkStore::starred_of`] knows.
    pub starred: bool,
    /// Its tags, as they were given.
    pub tags: Vec<Tag>,
}

impl Node {
    /// A root folder has no parent.
    pub const fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// The strong entity tag of the node's metadata, quotes included. It changes with every change of the node and of what jobs find out about its content.
    pub fn etag(&self) -> String {
        let content = self.content.as_ref();
        let thumbnails = content.map_or("", |content| content.thumbnails.word());
        // facts of pictures come together with their thumbnails
        let facts = match content {
            Some(Content { thumbnails: ThumbnailState::None, media: Some(_), .. }) => "m",
            _ => "",
        };
        format!("\"{}-{}{}{facts}\"", self.id, self.revision, thumbnails.get(..1).unwrap_or(""))
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
    /// What is known of a picture, a sound or a film.
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

/// What was found out about a picture, a sound or a film, as far as it says so. Where a picture was taken is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaFacts {
    /// Upright width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Upright height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// When it was taken, as the clock of the camera showed it: `2024-02-29T23:59:59`, with the offset from UTC behind it where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
    /// Maker and model of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// How long it plays, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl MediaFacts {
    /// Longest name of a camera, in characters.
    pub const MAX_CAMERA: usize = 100;

    /// A picture of this size, of which nothing else is known.
    pub fn of_size(width: u32, height: u32) -> Self {
        Self { width: Some(width), height: Some(height), ..Self::default() }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Leaves out what has not the form that it should have: it was read from strangers' files.
    #[must_use]
    pub fn checked(mut self) -> Self {
        self.taken_at = self.taken_at.filter(|text| is_local_time(text));
        self.camera = self.camera.as_deref().and_then(clean);
        if self.width.is_none() || self.height.is_none() {
            (self.width, self.height) = (None, None);
        }
        self
    }
}

/// `2024-02-29T23:59:59`, perhaps with `+05:45` behind it; whether there is such a day was looked at where it was read.
fn is_local_time(text: &str) -> bool {
    let has_form = |part: &[u8], form: &[u8]| {
        part.len() == form.len()
            && part.iter().zip(form).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == form,
            })
    };
    match text.as_bytes().split_at_checked(19) {
        Some((local, offset)) => {
            has_form(local, b"0000-00-00T00:00:00")
                && (offset.is_empty() || has_form(offset, b"+00:00") || has_form(offset, b"-00:00"))
        }
        None => false,
    }
}

/// Words of visible characters, with one space between them.
fn clean(text: &str) -> Option<String> {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = words.chars().take(MediaFacts::MAX_CAMERA).collect();
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
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

/// Contents, counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many contents.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, more: Self) {
        self.count += more.count;
        self.bytes += more.bytes;
    }
}

/// What a space holds, in parts that have nothing in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageByType {
    /// Contents of files outside of the trash, by their MIME type.
    pub types: BTreeMap<String, Amount>,
    /// Former contents of those files.
    pub versions: Amount,
    /// Contents and former contents of what lies in the trash.
    pub trash: Amount,
    /// All of the space was looked at.
    pub complete: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_without_their_form_are_left_out() {
        let facts = |taken_at: &str, camera: &str| {
            MediaFacts {
                taken_at: Some(taken_at.into()),
                camera: Some(camera.into()),
                ..MediaFacts::default()
            }
            .checked()
        };
        for good in ["2024-02-29T23:59:59", "2024-02-29T23:59:59+05:45", "0001-01-01T00:00:00-12:00"] {
            assert_eq!(facts(good, "").taken_at.as_deref(), Some(good));
        }
        for wrong in
            ["", "2024-02-29", "2024-02-29T23:59:59Z", "2024-02-29 23:59:59", "2024-02-29T23:59:59+0545", "é"]
        {
            assert!(facts(wrong, " \0 ").is_empty(), "{wrong}");
        }
        assert_eq!(facts("", " NIKON\0\0  D750 \n").camera.as_deref(), Some("NIKON D750"));
        assert_eq!(facts("", &"ä".repeat(500)).camera.unwrap().chars().count(), 100);
        assert!(MediaFacts { width: Some(1), ..MediaFacts::default() }.checked().is_empty());
        let facts = MediaFacts::of_size(3, 2);
        assert_eq!(serde_json::to_string(&facts).unwrap(), r#"{"width":3,"height":2}"#);
        assert_eq!(facts.clone().checked(), facts);
    }
}
