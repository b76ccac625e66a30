//! Looking after what is stored: contents that are read again, and counters that are counted again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BlobInfo;
use crate::{BlobKey, Crc32, FileId, InvalidId, SpaceId, Timestamp};

/// A live blob, with all that its content is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRecord {
    /// Key, size, digest, place.
    pub info: BlobInfo,
    /// CRC-32 of the bytes.
    pub crc32: Crc32,
    /// Since when its content is known to be damaged or missing.
    pub damaged_at: Option<Timestamp>,
}

/// A number that is kept beside what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Counter {
    /// Live folders in a folder.
    ChildFolders,
    /// Live files in a folder.
    ChildFiles,
    /// Bytes of all versions of a space.
    UsedBytes,
    /// Bytes set aside in a space.
    ReservedBytes,
    /// Files and folders of a space.
    Nodes,
    /// What was put into the trash of a space.
    Trashed,
    /// Files and folders of all spaces.
    AllNodes,
    /// What names a blob.
    References,
    /// 1 for a blob that waits for its collection, else 0.
    Condemned,
}

/// A counter that was wrong, and is right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Miscount {
    /// Which counter.
    pub counter: Counter,
    /// Of what: the id of a folder or a space, the key of a blob; empty for [`Counter::AllNodes`].
    pub of: String,
    /// What it said.
    pub stored: i64,
    /// What counting gave at the same moment.
    pub counted: i64,
}

/// How far a recount has come. The order is that of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecountPlace {
    /// Children of folders, after this node.
    Folders(Option<FileId>),
    /// Usage of spaces, after this one.
    Spaces(Option<SpaceId>),
    /// References of blobs, after this one.
    Blobs(Option<BlobKey>),
}

impl RecountPlace {
    /// Where a recount begins.
    pub const START: Self = Self::Folders(None);

    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// [`InvalidId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        fn after<T>(
            text: &str,
            parse: impl FnOnce(&str) -> Result<T, InvalidId>,
        ) -> Result<Option<T>, InvalidId> {
            if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
        }
        match text.split_once(':') {
            Some(("folders", id)) => Ok(Self::Folders(after(id, FileId::parse)?)),
            Some(("spaces", id)) => Ok(Self::Spaces(after(id, SpaceId::parse)?)),
            Some(("blobs", key)) => {
                Ok(Self::Blobs(after(key, |key| BlobKey::parse(key).map_err(|_| InvalidId))?))
            }
            _ => Err(InvalidId),
        }
    }
}

impl fmt::Display for RecountPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, after) = match self {
            Self::Folders(after) => ("folders", after.map(|id| id.to_string())),
            Self::Spaces(after) => ("spaces", after.map(|id| id.to_string())),
            Self::Blobs(after) => ("blobs", after.map(|key| key.to_string())),
        };
        write!(f, "{what}:{}", after.unwrap_or_default())
    }
}

/// What one step of a recount did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecountStep {
    /// Where to go on; none at the end.
    pub next: Option<RecountPlace>,
    /// What was wrong.
    pub found: Vec<Miscount>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [
            RecountPlace::START,
            RecountPlace::Folders(Some(FileId::from_bytes([1; 12]))),
            RecountPlace::Spaces(None),
            RecountPlace::Spaces(Some(SpaceId::from_bytes([2; 12]))),
            RecountPlace::Blobs(None),
            RecountPlace::Blobs(Some(BlobKey::from_bytes([3; 16]))),
        ] {
            assert_eq!(RecountPlace::parse(&place.to_string()), Ok(place));
        }
        for wrong in ["", "folders", "folders:x", "blobs:010101010101010101010101", "trees:"] {
            assert!(RecountPlace::parse(wrong).is_err(), "{wrong}");
        }
    }
}
