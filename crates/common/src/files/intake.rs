use std::fmt;
use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use super::{ClassicType, Node, NodeName};
use crate::error::{Code, PortError, PortResult};
use crate::{FileId, Timestamp, UserId};

/// The bytes of a file that is brought in. An error ends the intake, and nothing is kept of it.
pub type IncomingBytes = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a file or folder was in the product that it comes from, which the classic API must show as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormerNode {
    /// The id that it keeps.
    pub id: FileId,
    /// The type that the classic API shows.
    pub kind: ClassicType,
    /// Open to everybody.
    pub public: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A file or a folder that an administrator brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingNode {
    /// Into whose space; the parent is in it.
    pub owner: UserId,
    /// Into which folder.
    pub parent: FileId,
    /// Its name.
    pub name: NodeName,
    /// If it comes from another product: it keeps its id, and takes the next free name where its own is taken. Without this it gets a fresh id, and the name
    /// must be free.
    pub former: Option<FormerNode>,
}

/// The content of a file that is there, as somebody has looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenFile {
    /// The file.
    pub id: FileId,
    /// Its revision.
    pub revision: u64,
}

/// What a file that is brought in holds.
pub struct IncomingContent {
    /// How many bytes are said to come; looked at for the room that they need.
    pub size: u64,
    /// When the content was last changed where it comes from.
    pub modified_at: Option<Timestamp>,
    /// The bytes.
    pub bytes: IncomingBytes,
}

impl fmt::Debug for IncomingContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingContent").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Why something was not brought in. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// A rule says no: `name_taken`, `quota_exceeded`, `too_large`, `too_deep`, `parent_not_found` and the like.
    #[error("{}", .0.title())]
    Refused(Code),
    /// The bytes could not be read to their end.
    #[error("cannot be read: {0}")]
    Source(#[source] io::Error),
    /// A store could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Brings files and folders into the spaces of accounts, for administrator's commands: file-service, in process. The rules of uploads hold: quotas, names,
/// depth, the jobs that follow from contents.
#[async_trait]
pub trait Intake: Send + Sync {
    /// The root folder of an account's space, which is made on first use.
    async fn root_of(&self, owner: UserId) -> PortResult<FileId>;

    /// The node with this id, also in the trash.
    async fn find_node(&self, id: FileId) -> PortResult<Option<Node>>;

    /// The live child with this name.
    async fn find_child(&self, parent: FileId, name: &NodeName) -> PortResult<Option<Node>>;

    /// Makes a folder.
    ///
    /// # Errors
    /// [`IntakeError::Refused`], [`IntakeError::Port`].
    async fn make_folder(&self, folder: &IncomingNode) -> Result<Node, IntakeError>;

    /// Takes a file in, in constant memory. It is durable when the call returns.
    ///
    /// # Errors
    /// [`IntakeError`].
    async fn take_file(&self, file: &IncomingNode, content: IncomingContent) -> Result<Node, IntakeError>;

    /// Gives a file of this account new content, as its newest version, if it still is as it was seen. In constant memory, and durable when the call returns.
    ///
    /// # Errors
    /// [`IntakeError`]; `precondition_failed` if it has changed since.
    async fn take_content(
        &self,
        owner: UserId,
        file: SeenFile,
        content: IncomingContent,
    ) -> Result<Node, IntakeError>;
}
