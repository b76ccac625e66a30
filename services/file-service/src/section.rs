//! The section `files` of the settings of every program that runs the service.

use std::time::Duration;

use runtime::settings::{ByteSize, Doc, Span, at_least};
use serde::{Deserialize, Serialize};

use crate::state::FileSettings;

/// Largest content that may stand in the metadata store: each is held in memory whole, several times over, and grows what is backed up as one.
const MAX_INLINE_BYTES: u64 = 1024 * 1024;

/// `files`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesSection {
    /// Most bytes of a new space.
    pub quota: Option<ByteSize>,
    /// Largest file.
    pub max_upload: Option<ByteSize>,
    /// Largest content that stands in the metadata store.
    pub inline: ByteSize,
    /// Old contents that are kept of a file.
    pub keep_versions: u32,
    /// How long they are kept.
    pub keep_versions_for: Option<Span>,
    /// How long something stays in the trash.
    pub keep_trash: Span,
    /// How long an unfinished upload is kept.
    pub keep_uploads: Span,
    /// How long it is known what somebody did.
    pub keep_operations: Span,
    /// How long it is known what happened to files.
    pub keep_activity: Span,
    /// Room that uploads leave on a disk.
    pub keep_free: ByteSize,
    /// Files by one link from one address at once.
    pub link_drops: u32,
}

impl Default for FilesSection {
    fn default() -> Self {
        Self {
            quota: None,
            max_upload: None,
            inline: ByteSize::from_kib(16),
            keep_versions: 50,
            keep_versions_for: None,
            keep_trash: Span::from_secs(30 * 24 * 3600),
            keep_uploads: Span::from_secs(7 * 24 * 3600),
            keep_operations: Span::from_secs(30 * 24 * 3600),
            keep_activity: Span::from_secs(90 * 24 * 3600),
            keep_free: ByteSize::from_mib(64),
            link_drops: 1_000,
        }
    }
}

/// What the keys of [`FilesSection`] mean.
pub const FILES_DOCS: &[Doc] = &[
    Doc { key: "files.quota", text: "Most bytes that a new user's space may hold; unset: no limit." },
    Doc { key: "files.max_upload", text: "Largest file; unset: no limit but the room that there is." },
    Doc {
        key: "files.inline",
        text: "Contents up to this size, at most 1MiB, stand in the database, which makes small uploads one commit.",
    },
    Doc { key: "files.keep_versions", text: "How many old contents of a file are kept." },
    Doc {
        key: "files.keep_versions_for",
        text: "How long an old content of a file is kept after it was replaced, at least 60s; unset: until there are too many.",
    },
    Doc {
        key: "files.keep_trash",
        text: "How long something stays in the trash before it is deleted; at least 60s.",
    },
    Doc {
        key: "files.keep_uploads",
        text: "How long an unfinished resumable upload is kept after the last bytes of it came; at least 60s.",
    },
    Doc {
        key: "files.keep_operations",
        text: "How long renames, moves, tags, stars and what went to the trash can be undone, and it is known how a copy ended; at least 60s.",
    },
    Doc {
        key: "files.keep_activity",
        text: "How long the history of files is kept, which streams of events and webhooks read, too; at least 60s.",
    },
    Doc {
        key: "files.keep_free",
        text: "Room that uploads leave on the disk, so that deleting still works when it is full.",
    },
    Doc {
        key: "files.link_drops",
        text: "How many files may come by one link from one address (of IPv6, one /64) at once, each in one request, at least 1; then one more a second, and 429 to others.",
    },
];

impl FilesSection {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        at_least("FM_FILES__KEEP_TRASH", self.keep_trash, Duration::from_secs(60))?;
        if let Some(span) = self.keep_versions_for {
            at_least("FM_FILES__KEEP_VERSIONS_FOR", span, Duration::from_secs(60))?;
        }
        at_least("FM_FILES__KEEP_UPLOADS", self.keep_uploads, Duration::from_secs(60))?;
        at_least("FM_FILES__KEEP_OPERATIONS", self.keep_operations, Duration::from_secs(60))?;
        at_least("FM_FILES__KEEP_ACTIVITY", self.keep_activity, Duration::from_secs(60))?;
        if self.inline.bytes() > MAX_INLINE_BYTES {
            return Err("FM_FILES__INLINE: at most 1MiB".to_owned());
        }
        if self.link_drops == 0 {
            return Err("FM_FILES__LINK_DROPS: at least 1".to_owned());
        }
        Ok(())
    }

    /// The service's settings by this section.
    pub fn settings(&self) -> FileSettings {
        FileSettings {
            max_upload_bytes: self.max_upload.map(|size| size.bytes()),
            default_quota_bytes: self.quota.map(|size| size.bytes()),
            inline_bytes: usize::try_from(self.inline.bytes()).unwrap_or(usize::MAX),
            keep_versions: self.keep_versions,
            keep_versions_for: self.keep_versions_for.map(|span| span.duration()),
            trash_retention: self.keep_trash.duration(),
            keep_uploads: self.keep_uploads.duration(),
            keep_operations: self.keep_operations.duration(),
            keep_activity: self.keep_activity.duration(),
            most_drops_at_once: self.link_drops,
            ..FileSettings::default()
        }
    }
}
