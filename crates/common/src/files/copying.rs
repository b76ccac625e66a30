//! Copies of folders, which are made in steps.

use async_trait::async_trait;

use super::{NewFolder, Node, NodeError, Tag};
use crate::error::{Code, PortResult};
use crate::jobs::NewJob;
use crate::{FileId, OperationId, Timestamp, UserId};

/// How a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyState {
    /// Some of it is still to be copied.
    Running,
    /// It is complete.
    Done,
    /// It ended early, for this reason.
    Failed(Code),
}

impl CopyState {
    /// The word in stores and answers; the reason of a failure stands beside it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed(_) => "failed",
        }
    }

    /// Reads [`CopyState::word`] and the word of the reason.
    pub fn parse(word: &str, reason: Option<&str>) -> Option<Self> {
        match (word, reason) {
            ("running", _) => Some(Self::Running),
            ("done", _) => Some(Self::Done),
            ("failed", reason) => {
                let code = Code::ALL.iter().copied().find(|code| Some(code.word()) == reason);
                // a word that a newer program wrote
                Some(Self::Failed(code.unwrap_or(Code::Internal)))
            }
            _ => None,
        }
    }

    /// The word of the reason of a failure.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Failed(code) => Some(code.word()),
            Self::Running | Self::Done => None,
        }
    }
}

/// A copy of a folder, under way or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOperation {
    /// Its id.
    pub id: OperationId,
    /// Who copies.
    pub user: UserId,
    /// The folder beyond which their credential does not reach.
    pub within: Option<FileId>,
    /// What is copied.
    pub source: FileId,
    /// The copy of it.
    pub root: FileId,
    /// How it stands.
    pub state: CopyState,
    /// Files and folders that were made, the root of the copy included.
    pub nodes: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// When it began.
    pub at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A copy to be begun.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCopy {
    /// Its fresh id.
    pub id: OperationId,
    /// The folder that is copied.
    pub source: FileId,
    /// The folder that becomes its copy. Its time is when the copy begins.
    pub folder: NewFolder,
    /// The tags of that.
    pub tags: Vec<Tag>,
    /// See [`CopyOperation::within`].
    pub within: Option<FileId>,
    /// Jobs for the outbox.
    pub jobs: Vec<NewJob>,
}

/// A folder that is not copied to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyFront {
    /// The folder that is copied.
    pub source: FileId,
    /// Its copy.
    pub target: FileId,
    /// The last of its children that was copied.
    pub after: Option<FileId>,
}

/// A file or folder to be copied.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyItem {
    /// The fresh id of the copy.
    pub id: FileId,
    /// What is copied, as it was read.
    pub source: Node,
    /// Jobs for the outbox.
    pub jobs: Vec<NewJob>,
}

/// Copies of folders. What is done of one, and what is left of it, changes in the commits that make its nodes, so that it goes on after a crash where it
/// was, and any number of processes may work at one.
#[async_trait]
pub trait CopyStore: Send + Sync {
    /// Whether more live files and folders than `entries` are below a folder, itself not counted: how long its copy will take. It looks at no more folders
    /// than that, however many there are. False for what is no live folder.
    async fn is_larger_than(&self, folder: FileId, entries: u64) -> PortResult<bool>;

    /// Makes the folder that becomes the copy, and notes that its content is to be copied.
    ///
    /// # Errors
    /// `NotFound` if the source is not live; `NameTaken`, `ParentGone`, `ParentNotFolder`, `TooDeep`; `Cycle` if the copy would lie in what is copied.
    async fn begin_copy(&self, copy: &NewCopy) -> Result<Node, NodeError>;

    /// The copy with this id.
    async fn find_copy(&self, id: OperationId) -> PortResult<Option<CopyOperation>>;

    /// A folder of a copy that is not done; none at the end.
    async fn copy_front(&self, id: OperationId) -> PortResult<Option<CopyFront>>;

    /// Live children of the source of a front by ascending ids, those after its place, at most `limit`. Folders that this copy has made are left out, wherever they
    /// were moved to, so that it ends; nothing else is, whatever the clocks of those who made it said.
    async fn list_to_copy(
        &self,
        copy: &CopyOperation,
        front: &CopyFront,
        limit: u32,
    ) -> PortResult<Vec<Node>>;

    /// Copies these children, of one after another, in one commit, and notes how far the front has come: to its end unless there is `more`. Files share
    /// their contents, whose bytes are charged to the space of the copy; tags go along, and nothing that opens the originals to others. What is gone since
    /// it was read is left out. False, and nothing is done, if the front stands elsewhere by now.
    ///
    /// # Errors
    /// `OverQuota`, `TooDeep`, `ParentGone`.
    async fn copy_page(
        &self,
        id: OperationId,
        front: &CopyFront,
        items: &[CopyItem],
        more: bool,
        at: Timestamp,
    ) -> Result<bool, NodeError>;

    /// Notes how a running copy has ended, and forgets what was left of it. False if it is not running. Safe to repeat.
    async fn end_copy(&self, id: OperationId, state: CopyState, at: Timestamp) -> PortResult<bool>;

    /// Copies that `user` began, by descending ids, at most `limit` before `before`; if `within` is given, only those by a credential for that folder.
    async fn list_copies(
        &self,
        user: UserId,
        within: Option<FileId>,
        before: Option<OperationId>,
        limit: u32,
    ) -> PortResult<Vec<CopyOperation>>;

    /// Forgets copies that ended before `before`, at most `limit`; how many.
    async fn sweep_copies(&self, before: Timestamp, limit: u32) -> PortResult<u32>;
}
