//! What happened to files and folders, in the order in which it happened.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ChangeKind, Kind, Node};
use crate::error::PortResult;
use crate::{FileId, LinkId, SpaceId, Timestamp, UserId};

/// What happened to a node, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileEventKind {
    /// It was made: uploaded, dropped, copied, or a folder made. What is in the copy of a folder is not told one by one.
    Created,
    /// A file got other content.
    Updated,
    /// Another name in the same folder.
    Renamed,
    /// Another folder, and perhaps another name.
    Moved,
    /// Other tags.
    Tagged,
    /// Into the trash, with all that is below.
    Trashed,
    /// Out of the trash.
    Restored,
    /// For good, with all that is below.
    Deleted,
    /// Somebody was given a right to it.
    Shared,
    /// Such a right ended.
    Unshared,
    /// A link to it was made, or it was opened to everybody.
    Linked,
    /// A link to it ended, or it was closed again.
    Unlinked,
}

impl FileEventKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Updated,
        Self::Renamed,
        Self::Moved,
        Self::Tagged,
        Self::Trashed,
        Self::Restored,
        Self::Deleted,
        Self::Shared,
        Self::Unshared,
        Self::Linked,
        Self::Unlinked,
    ];

    /// The word in stores and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Renamed => "renamed",
            Self::Moved => "moved",
            Self::Tagged => "tagged",
            Self::Trashed => "trashed",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
            Self::Shared => "shared",
            Self::Unshared => "unshared",
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
        }
    }

    /// Reads [`FileEventKind::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// It says whom a node is open to: a thing of those who may share it.
    pub const fn is_of_access(self) -> bool {
        matches!(self, Self::Shared | Self::Unshared | Self::Linked | Self::Unlinked)
    }
}

/// Who did something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doer {
    /// The account in whose name it was done; none where the product did it by itself.
    pub user: Option<UserId>,
    /// The link by which it was done: then `user` is who made that.
    pub link: Option<LinkId>,
}

impl From<UserId> for Doer {
    fn from(user: UserId) -> Self {
        Self { user: Some(user), link: None }
    }
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedPlace {
    /// The name.
    pub name: String,
    /// The folder; none for a root.
    pub parent: Option<FileId>,
}

impl NamedPlace {
    fn of(node: &Node) -> Self {
        Self { name: node.name.as_str().to_owned(), parent: node.parent }
    }
}

/// Something that happened to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEvent {
    /// The tree.
    pub space: SpaceId,
    /// Its number among the events of the tree, from 1 without a gap. Whoever sees one can see all before it. Stores give it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: FileEventKind,
    /// To which node.
    pub node: FileId,
    /// That is a folder.
    pub folder: bool,
    /// Where the node is since then; of one that was trashed or deleted, where it was.
    pub place: NamedPlace,
    /// Where it was before, if that is elsewhere.
    pub before: Option<NamedPlace>,
    /// See [`Doer::user`].
    pub user: Option<UserId>,
    /// See [`Doer::link`].
    pub link: Option<LinkId>,
}

impl FileEvent {
    /// What happened to this node, without its number.
    pub fn of(node: &Node, kind: FileEventKind, doer: Doer, at: Timestamp) -> Self {
        Self {
            space: node.space,
            seq: 0,
            at,
            kind,
            node: node.id,
            folder: node.kind == Kind::Folder,
            place: NamedPlace::of(node),
            before: None,
            user: doer.user,
            link: doer.link,
        }
    }

    /// Its id, by which whoever hears of it twice knows it.
    pub fn id(&self) -> String {
        format!("{}-{}", self.space, self.seq)
    }

    /// What a change of a node was that the journal of operations notes; none for stars, which are whose they are.
    pub fn of_change(
        kind: ChangeKind,
        (before, after): (&Node, &Node),
        user: UserId,
        at: Timestamp,
    ) -> Option<Self> {
        let kind = match kind {
            ChangeKind::Rename => FileEventKind::Renamed,
            ChangeKind::Move => FileEventKind::Moved,
            ChangeKind::Tag => FileEventKind::Tagged,
            ChangeKind::Trash => FileEventKind::Trashed,
            ChangeKind::Restore => FileEventKind::Restored,
            ChangeKind::Star => return None,
        };
        let was = Some(NamedPlace::of(before)).filter(|was| *was != NamedPlace::of(after));
        Some(Self { before: was, ..Self::of(after, kind, user.into(), at) })
    }
}

/// Events of one tree that follow one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEventPage {
    /// The oldest first.
    pub events: Vec<FileEvent>,
    /// All up to this number were looked at.
    pub last: u64,
    /// Some that would have come first are forgotten, or the numbers are those of another store.
    pub gap: bool,
}

impl FileEventPage {
    /// The page behind `after`, of the events that were found there and of the number of the last one that was given, which was read before them.
    pub fn behind(after: u64, given: u64, events: Vec<FileEvent>) -> Self {
        let gap = match events.first() {
            Some(first) => first.seq != after.saturating_add(1),
            None => given != after,
        };
        let last = events.last().map_or(given, |event| event.seq);
        Self { events, last, gap }
    }
}

/// Whose history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityOf {
    /// Of all that is, or was, in a tree.
    Space(SpaceId),
    /// Of one node.
    Node(FileId),
}

/// What happened to nodes. An event is written in the commit of the change that it tells of, durable with it: by [`super::FileStore::commit_upload`],
/// [`super::FileStore::create_folder`], [`super::FileStore::set_public`], [`super::FileStore::trash`], [`super::FileStore::delete`],
/// [`super::CopyStore::begin_copy`], [`super::JournalStore::act`], and where shares and links are made and removed. What changes nothing is no event.
#[async_trait]
pub trait ActivityStore: Send + Sync {
    /// The number of the last event of each of these trees, in their order; 0 where nothing happened, or where there is no such tree.
    async fn last_events(&self, spaces: &[SpaceId]) -> PortResult<Vec<u64>>;

    /// Events of a tree behind `after`, at most `limit`.
    async fn events_after(&self, space: SpaceId, after: u64, limit: u32) -> PortResult<FileEventPage>;

    /// The newest first, those with numbers below `before`, at most `limit`.
    async fn list_activity(
        &self,
        of: ActivityOf,
        before: Option<u64>,
        limit: u32,
    ) -> PortResult<Vec<FileEvent>>;

    /// Forgets some of what happened before `before`, looking at `limit` at most; how many. Safe to repeat.
    async fn sweep_activity(&self, before: Timestamp, limit: u32) -> PortResult<u32>;

    /// Forgets what happened in a tree, at most `limit`; how many. Safe to repeat.
    async fn forget_activity(&self, space: SpaceId, limit: u32) -> PortResult<u32>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_were_written() {
        for kind in FileEventKind::ALL {
            assert_eq!(FileEventKind::parse(kind.word()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        assert_eq!(FileEventKind::parse("flown"), None);
    }

    #[test]
    fn a_page_says_whether_something_is_missing() {
        let event = |seq| FileEvent {
            space: SpaceId::from_bytes([1; 12]),
            seq,
            at: Timestamp::default(),
            kind: FileEventKind::Created,
            node: FileId::from_bytes([2; 12]),
            folder: false,
            place: NamedPlace { name: "a".to_owned(), parent: None },
            before: None,
            user: None,
            link: None,
        };
        for (after, given, found, last, gap) in [
            (0, 0, &[][..], 0, false),
            (3, 3, &[], 3, false),
            // what came since the number was read is no reason to look for a gap
            (3, 3, &[4], 4, false),
            (3, 9, &[4, 5], 5, false),
            (3, 9, &[7, 8], 8, true),
            (3, 9, &[], 9, true),
            (9, 3, &[], 3, true),
        ] {
            let page = FileEventPage::behind(after, given, found.iter().copied().map(event).collect());
            assert_eq!((page.last, page.gap), (last, gap), "{after} {given} {found:?}");
        }
    }
}
