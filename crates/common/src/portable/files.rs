use serde::{Deserialize, Serialize};

use crate::files::{CopyFront, Kind, Link, Part};
use crate::{BlobKey, Crc32, FileId, JobId, OperationId, Sha256, SpaceId, Timestamp, UserId};

/// A space with its counters. Nothing is reserved in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableSpace {
    /// Its id.
    pub id: SpaceId,
    /// Whose it is.
    pub owner: UserId,
    /// The folder that holds all others.
    pub root: FileId,
    /// Counts moves.
    pub tree_version: u64,
    /// Bytes of all contents.
    pub used_bytes: u64,
    /// Most bytes; none is no limit.
    pub quota_bytes: Option<u64>,
    /// Files and folders.
    pub node_count: u64,
    /// Those that were trashed by themselves.
    pub trash_count: u64,
    /// Nothing lies deeper.
    pub depth_bound: u64,
    /// The number of the last event.
    pub events: u64,
}

/// That something was done, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortableStamp {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
}

/// A content as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableContent {
    /// Counts the contents of the file, from 1.
    pub version: u32,
    /// Its bytes.
    pub blob: BlobKey,
    /// How many.
    pub size: u64,
    /// Its type.
    pub mime: String,
    /// When it was changed last where it came from.
    pub modified_at: Timestamp,
    /// When it came, and by whom.
    pub came: PortableStamp,
}

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableNode {
    /// Its id.
    pub id: FileId,
    /// The tree that it is in.
    pub space: SpaceId,
    /// Whose it is.
    pub owner: UserId,
    /// The folder that it is in; none for a root.
    pub parent: Option<FileId>,
    /// Its name; empty for a root.
    pub name: String,
    /// Which of both.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// Counts the changes.
    pub revision: u64,
    /// That it was trashed by itself.
    pub trashed: Option<PortableStamp>,
    /// When it was deleted for good: nothing below exists any more.
    pub deleted_at: Option<Timestamp>,
    /// That it is open to everybody.
    pub public: Option<PortableStamp>,
    /// What the classic API calls it.
    pub classic_name: Option<String>,
    /// The type that the classic API was told.
    pub classic_type: Option<String>,
    /// Its tags, as they were given.
    pub tags: Vec<String>,
    /// Folders in it that are neither trashed nor deleted.
    pub folder_count: u64,
    /// Files in it, likewise.
    pub file_count: u64,
    /// Shares of the node itself.
    pub shares: u64,
    /// Links to the node itself.
    pub links: u64,
    /// Stars on it.
    pub stars: u64,
    /// Its content, if it is a file.
    pub content: Option<PortableContent>,
    /// That it returns to another folder; older programs do not write this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<PortableReturn>,
}

/// That a node was restored while its folder was in the trash, and returns to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableReturn {
    /// The folder.
    pub to: FileId,
    /// The name that it had there, if it has got another.
    pub name: Option<String>,
    /// What has to come back from the trash first.
    pub after: FileId,
}

/// A content that a file had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableVersion {
    /// The file.
    pub node: FileId,
    /// The content.
    pub content: PortableContent,
    /// Since when it is none any more, where that is known.
    pub replaced_at: Option<Timestamp>,
}

/// The row of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableBlob {
    /// Its name.
    pub key: BlobKey,
    /// Number of bytes.
    pub size: u64,
    /// Their digest.
    pub sha256: Sha256,
    /// Their CRC-32.
    pub crc32: Crc32,
    /// The bytes themselves, if they are kept with the row.
    #[serde(with = "base64_bytes")]
    pub inline: Option<Vec<u8>>,
    /// What names it.
    pub refs: u64,
    /// Since when nothing does.
    pub condemned_at: Option<Timestamp>,
    /// Since when it is known to be damaged or missing.
    pub damaged_at: Option<Timestamp>,
    /// How far its thumbnails are.
    pub thumbnails: String,
    /// Why it has none.
    pub thumbnails_reason: Option<String>,
    /// Pixels across.
    pub width: Option<u32>,
    /// Pixels down.
    pub height: Option<u32>,
    /// When a picture was taken, as its camera says.
    pub taken_at: Option<String>,
    /// By which camera.
    pub camera: Option<String>,
    /// How long a sound or film is, in milliseconds.
    pub duration_ms: Option<u64>,
}

/// That a content is a thumbnail of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortableThumbnail {
    /// Of which one.
    pub original: BlobKey,
    /// Pixels across, as asked for.
    pub size: u32,
    /// The thumbnail.
    pub key: BlobKey,
    /// Its type.
    pub mime: String,
}

/// A link, and what is yet to be told of its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortableLink {
    /// The link.
    pub link: Link,
    /// What is yet to be told.
    pub notice: PortableNotice,
}

/// Uses of a link that its people are told of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PortableNotice {
    /// Downloads that no notice has told of.
    pub new_downloads: u64,
    /// Files dropped, likewise.
    pub new_drops: u64,
    /// The file of the last one.
    pub new_file: Option<FileId>,
    /// Downloads that the notice tells of which is being given.
    pub told_downloads: u64,
    /// Files dropped, likewise.
    pub told_drops: u64,
    /// The job that gives the next one.
    pub job: Option<JobId>,
    /// When that is due.
    pub due: Option<Timestamp>,
    /// When the last one was given.
    pub noticed_at: Option<Timestamp>,
}

/// A star.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortableStar {
    /// Whose.
    pub user: UserId,
    /// On what.
    pub node: FileId,
    /// Since when.
    pub at: Timestamp,
}

/// A part of what somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortablePart {
    /// What it is a part of.
    pub operation: OperationId,
    /// The part.
    pub part: Part,
}

/// What a copy has yet to do in one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortableFront {
    /// The copy.
    pub copy: OperationId,
    /// The folder, and how far it is.
    pub front: CopyFront,
}

/// Bytes as text.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(de::Error::custom)).transpose()
    }
}
