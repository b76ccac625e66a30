use serde::{Deserialize, Serialize};

use crate::files::FileEventKind;
use crate::{Timestamp, UserId, WebhookId};

/// What a webhook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WebhookEvent {
    /// A test, sent when its owner asks for it, and only then.
    #[serde(rename = "ping")]
    Ping,
    /// A job is done.
    #[serde(rename = "job.complete")]
    JobComplete,
    /// A job is given up.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// A file or folder was made.
    #[serde(rename = "file.created")]
    FileCreated,
    /// A file got other content.
    #[serde(rename = "file.updated")]
    FileUpdated,
    /// It got another name, or folder.
    #[serde(rename = "file.moved")]
    FileMoved,
    /// It went to the trash.
    #[serde(rename = "file.trashed")]
    FileTrashed,
    /// It came back from there.
    #[serde(rename = "file.restored")]
    FileRestored,
    /// It was deleted for good.
    #[serde(rename = "file.deleted")]
    FileDeleted,
    /// Somebody was given a right to it.
    #[serde(rename = "file.shared")]
    FileShared,
}

impl WebhookEvent {
    /// Those that a webhook can choose.
    pub const CHOICE: [Self; 9] = [
        Self::JobComplete,
        Self::JobFailed,
        Self::FileCreated,
        Self::FileUpdated,
        Self::FileMoved,
        Self::FileTrashed,
        Self::FileRestored,
        Self::FileDeleted,
        Self::FileShared,
    ];

    /// The word in stores, answers and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::JobComplete => "job.complete",
            Self::JobFailed => "job.failed",
            Self::FileCreated => "file.created",
            Self::FileUpdated => "file.updated",
            Self::FileMoved => "file.moved",
            Self::FileTrashed => "file.trashed",
            Self::FileRestored => "file.restored",
            Self::FileDeleted => "file.deleted",
            Self::FileShared => "file.shared",
        }
    }

    /// It tells of a file or folder.
    pub const fn is_of_files(self) -> bool {
        !matches!(self, Self::Ping | Self::JobComplete | Self::JobFailed)
    }

    /// What webhooks call something that happened to a file; none if they are not told of it.
    pub const fn of_file(kind: FileEventKind) -> Option<Self> {
        match kind {
            FileEventKind::Created => Some(Self::FileCreated),
            FileEventKind::Updated => Some(Self::FileUpdated),
            FileEventKind::Renamed | FileEventKind::Moved => Some(Self::FileMoved),
            FileEventKind::Trashed => Some(Self::FileTrashed),
            FileEventKind::Restored => Some(Self::FileRestored),
            FileEventKind::Deleted => Some(Self::FileDeleted),
            FileEventKind::Shared => Some(Self::FileShared),
            FileEventKind::Tagged
            | FileEventKind::Unshared
            | FileEventKind::Linked
            | FileEventKind::Unlinked => None,
        }
    }

    /// Reads [`WebhookEvent::word`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ping].into_iter().chain(Self::CHOICE).find(|event| event.word() == word)
    }
}

/// Why a webhook is told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffReason {
    /// Its owner wants it so.
    Owner,
    /// It has failed for long.
    Failing,
    /// It answered 410: nobody is there any more.
    Gone,
    /// It is told of all jobs, and its owner is no administrator any more.
    NotAdministrator,
}

impl OffReason {
    const ALL: [Self; 4] = [Self::Owner, Self::Failing, Self::Gone, Self::NotAdministrator];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::NotAdministrator => "not-administrator",
        }
    }

    /// Reads [`OffReason::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// That a webhook is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchedOff {
    /// Why.
    pub why: OffReason,
    /// Since when.
    pub at: Timestamp,
}

/// A secret that was replaced and is still good.
#[derive(Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Sealed.
    pub sealed: Vec<u8>,
    /// Until then messages are signed with it, too.
    pub until: Timestamp,
}

/// A webhook as the store knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub user: UserId,
    /// Where messages go.
    pub url: String,
    /// For people.
    pub description: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// It is told of everybody's jobs, not of its owner's alone.
    pub all_jobs: bool,
    /// What signs its messages, sealed under the master key.
    pub secret: Vec<u8>,
    /// The one before, while it is being replaced.
    pub previous_secret: Option<PreviousSecret>,
    /// It is told nothing.
    pub off: Option<SwitchedOff>,
    /// Since when every attempt has failed; none if the last one did not.
    pub failing_since: Option<Timestamp>,
    /// How many those are.
    pub failures: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner last changed it.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1; being switched off is one.
    pub revision: u64,
}

impl Webhook {
    /// Most of one user.
    pub const MAX_OF_ONE: usize = 20;
    /// Longest address, in bytes.
    pub const MAX_URL_BYTES: usize = 2048;
    /// Longest description, in bytes.
    pub const MAX_DESCRIPTION_BYTES: usize = 500;

    /// It is told of files now.
    pub fn hears_of_files(&self) -> bool {
        self.off.is_none() && self.events.iter().any(|event| event.is_of_files())
    }
}

impl std::fmt::Debug for Webhook {
    // an address may carry what is to stay secret
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("user", &self.user)
            .field("events", &self.events)
            .field("off", &self.off)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PreviousSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PreviousSecret(until {})", self.until)
    }
}
