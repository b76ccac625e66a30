//! What was done to files and folders, so that it can be undone.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Node, NodeError, NodeName, Tag};
use crate::error::PortResult;
use crate::{FileId, OperationId, Timestamp, UserId};

/// What is done to a node. The inverse of each is one of them, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It gets this name, in this folder of its space.
    Relocate {
        /// The name.
        name: NodeName,
        /// The folder.
        parent: FileId,
    },
    /// It gets these tags in place of those that it has.
    Tag(Vec<Tag>),
    /// The star of whoever acts is set as of this time, or taken off.
    Star(Option<Timestamp>),
    /// The star of whoever acts is taken off, if it is the one of this time.
    Unstar(Timestamp),
    /// It goes into the trash.
    Trash,
    /// It comes back from there.
    Restore,
}

/// An [`Act`] as stores keep it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "camelCase")]
enum Kept {
    Relocate { name: String, parent: FileId },
    Tag { tags: Vec<String> },
    Star { at: Option<i64> },
    Unstar { of: i64 },
    Trash,
    Restore,
}

impl Act {
    /// The text in stores.
    pub fn text(&self) -> String {
        let kept = match self {
            Self::Relocate { name, parent } => {
                Kept::Relocate { name: name.as_str().to_owned(), parent: *parent }
            }
            Self::Tag(tags) => Kept::Tag { tags: tags.iter().map(|tag| tag.as_str().to_owned()).collect() },
            Self::Star(at) => Kept::Star { at: at.map(Timestamp::millis) },
            Self::Unstar(of) => Kept::Unstar { of: of.millis() },
            Self::Trash => Kept::Trash,
            Self::Restore => Kept::Restore,
        };
        serde_json::to_string(&kept).expect("texts and numbers become JSON")
    }

    /// Reads [`Act::text`].
    pub fn parse(text: &str) -> Option<Self> {
        Some(match serde_json::from_str(text).ok()? {
            Kept::Relocate { name, parent } => Self::Relocate { name: NodeName::parse(&name).ok()?, parent },
            Kept::Tag { tags } => {
                Self::Tag(tags.iter().map(|tag| Tag::parse(tag)).collect::<Result<_, _>>().ok()?)
            }
            Kept::Star { at } => Self::Star(at.map(Timestamp::from_millis)),
            Kept::Unstar { of } => Self::Unstar(Timestamp::from_millis(of)),
            Kept::Trash => Self::Trash,
            Kept::Restore => Self::Restore,
        })
    }

    /// The star that whoever acts shall have on the node after this, if they have `star` now.
    pub fn star(&self, star: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Star(at) => *at,
            Self::Unstar(of) => star.filter(|star| star != of),
            Self::Relocate { .. } | Self::Tag(_) | Self::Trash | Self::Restore => star,
        }
    }

    /// How this changed a node that was `before` as it is `after`; none if it changed nothing. `star` is the one that whoever acts had set on it.
    pub fn change(&self, before: &Node, after: &Node, star: Option<Timestamp>) -> Option<Change> {
        let (kind, undo) = match self {
            Self::Star(at) if at.is_some() == star.is_some() => return None,
            Self::Unstar(of) if star != Some(*of) => return None,
            Self::Star(Some(at)) => (ChangeKind::Star, Self::Unstar(*at)),
            Self::Star(None) | Self::Unstar(_) => (ChangeKind::Star, Self::Star(star)),
            _ if before.revision == after.revision => return None,
            Self::Relocate { .. } => {
                let kind = if before.parent == after.parent { ChangeKind::Rename } else { ChangeKind::Move };
                (kind, Self::Relocate { name: before.name.clone(), parent: before.parent? })
            }
            Self::Tag(_) => (ChangeKind::Tag, Self::Tag(before.tags.clone())),
            Self::Trash => (ChangeKind::Trash, Self::Restore),
            Self::Restore => (ChangeKind::Restore, Self::Trash),
        };
        Some(Change { kind, undo, before: before.revision, after: after.revision })
    }
}

/// What a change was, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Another name in the same folder.
    Rename,
    /// Another folder.
    Move,
    /// Other tags.
    Tag,
    /// A star set, or taken off.
    Star,
    /// Into the trash.
    Trash,
    /// Out of the trash.
    Restore,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Rename, Self::Move, Self::Tag, Self::Star, Self::Trash, Self::Restore];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Move => "move",
            Self::Tag => "tag",
            Self::Star => "star",
            Self::Trash => "trash",
            Self::Restore => "restore",
        }
    }

    /// Reads [`ChangeKind::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// How a node was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// In a word.
    pub kind: ChangeKind,
    /// What brings it back.
    pub undo: Act,
    /// The revision of the node before.
    pub before: u64,
    /// And since; the same for a star, which is no part of the node.
    pub after: u64,
}

/// A change of one node as a part of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number within the operation. What is larger came later, or at the same time.
    pub number: u32,
    /// The node.
    pub node: FileId,
    /// How it was changed.
    pub change: Change,
    /// The operation that has undone it.
    pub undone_by: Option<OperationId>,
}

/// What somebody did in one request: one change, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Who did it.
    pub user: UserId,
    /// The folder beyond which their credential did not reach.
    pub within: Option<FileId>,
    /// When its first change was made.
    pub at: Timestamp,
    /// The operation that this one undid, or a part of it.
    pub undoes: Option<OperationId>,
    /// What its changes were, if they are all alike.
    pub kind: Option<ChangeKind>,
    /// The node of its first change.
    pub node: FileId,
    /// How many changes it made.
    pub parts: u64,
    /// How many of them are undone.
    pub undone: u64,
}

/// Which part of an operation a change is, and of whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The operation; its first change makes it.
    pub operation: OperationId,
    /// The number of the part, which no other change of the operation has.
    pub part: u32,
    /// Who acts.
    pub user: UserId,
    /// See [`Operation::within`].
    pub within: Option<FileId>,
    /// The operation of which this undoes a part.
    pub undoes: Option<OperationId>,
    /// The number of that part; without meaning where nothing is undone.
    pub undone_part: u32,
    /// When.
    pub at: Timestamp,
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// The node as it is now.
    pub node: Node,
    /// It was changed, and the change was noted.
    pub noted: bool,
}

/// Changes that can be undone, and the journal of them. A change and its note are one atomic commit, durable when the call returns. Names and tags of the
/// past stand in the journal until it is swept, also of what was deleted for good meanwhile.
#[async_trait]
pub trait JournalStore: Send + Sync {
    /// Does this to a node and notes it: as [`super::FileStore::relocate`], [`super::FileStore::trash`], [`super::FileStore::restore`],
    /// [`super::MarkStore::set_tags`] and [`super::MarkStore::set_star`] do it (a star on live nodes alone), in the name of who is named in the note, and at its
    /// time. With `revision`, only if the node still has it. What changes nothing is not noted, and succeeds, unless it undoes something.
    ///
    /// What returns to a folder that is restored is told of as moved, and is no part of the operation: undoing that leaves it there.
    ///
    /// A part is undone once: of simultaneous calls one succeeds.
    ///
    /// # Errors
    /// Those of these; `Changed` also if the part that it undoes is undone already, or is not there, or if undoing it changes nothing any more.
    async fn act(
        &self,
        node: FileId,
        revision: Option<u64>,
        act: &Act,
        note: &Note,
    ) -> Result<Acted, NodeError>;

    /// The operation with this id.
    async fn find_operation(&self, id: OperationId) -> PortResult<Option<Operation>>;

    /// The parts of an operation by ascending numbers.
    async fn list_parts(&self, id: OperationId) -> PortResult<Vec<Part>>;

    /// What `user` did, by descending ids, at most `limit` before `before`; if `within` is given, only what was done by a credential for that folder.
    async fn list_operations(
        &self,
        user: UserId,
        within: Option<FileId>,
        before: Option<OperationId>,
        limit: u32,
    ) -> PortResult<Vec<Operation>>;

    /// Forgets operations that began before `before`, at most `limit`; how many. Safe to repeat.
    async fn sweep_operations(&self, before: Timestamp, limit: u32) -> PortResult<u32>;

    /// Forgets what `user` did, at most `limit` operations; how many. Safe to repeat.
    async fn forget_operations(&self, user: UserId, limit: u32) -> PortResult<u32>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_read_as_they_were_written() {
        let parent = FileId::from_bytes([1; 12]);
        let name = NodeName::parse("a \"quoted\" näme").unwrap();
        let tags = ["x", "ÿ z"].map(|tag| Tag::parse(tag).unwrap()).to_vec();
        for act in [
            Act::Relocate { name, parent },
            Act::Tag(tags),
            Act::Tag(Vec::new()),
            Act::Star(Some(Timestamp::from_millis(5))),
            Act::Star(None),
            Act::Unstar(Timestamp::from_millis(5)),
            Act::Trash,
            Act::Restore,
        ] {
            assert_eq!(Act::parse(&act.text()), Some(act));
        }
        for wrong in ["", "{}", r#"{"act":"fly"}"#, r#"{"act":"tag","tags":[""]}"#] {
            assert_eq!(Act::parse(wrong), None, "{wrong}");
        }
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeKind::parse(kind.word()), Some(kind));
        }
    }
}
