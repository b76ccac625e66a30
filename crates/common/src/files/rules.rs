//! What every store keeps to when it changes a tree: here, so that two stores cannot differ in it.

use super::{
    ClassicType, Commit, Kind, MAX_DEPTH, NewContent, NewFile, NewFolder, Node, NodeError, NodeName,
    NodePath, Space, Tag,
};
use crate::{FileId, SpaceId, Timestamp, UserId};

impl Node {
    /// # Errors
    /// `Changed` if the node has another revision than the caller saw.
    pub fn check_revision(&self, seen: Option<u64>) -> Result<(), NodeError> {
        if seen.is_some_and(|seen| seen != self.revision) { Err(NodeError::Changed) } else { Ok(()) }
    }

    /// The folder that it is in.
    ///
    /// # Errors
    /// `Root`: a root is in none.
    pub fn folder(&self) -> Result<FileId, NodeError> {
        self.parent.ok_or(NodeError::Root)
    }
}

/// A place that a node may be moved to, as far as the paths tell. What is below a folder may still come to lie too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPlace {
    /// How deep the node will lie.
    pub depth: usize,
    /// By how much all that is below it will lie deeper; 0 for a file.
    pub deeper_by: usize,
}

impl NodePath {
    /// Whether the node can come to lie in the folder `target`; none if that is gone.
    ///
    /// # Errors
    /// `ParentGone`, also for a folder in the trash or of another space; `ParentNotFolder`, `Cycle`, `TooDeep`.
    pub fn place_in(&self, target: Option<&Self>) -> Result<NewPlace, NodeError> {
        let target = target
            .filter(|target| !target.in_trash() && target.node.space == self.node.space)
            .ok_or(NodeError::ParentGone)?;
        if target.node.kind != Kind::Folder {
            return Err(NodeError::ParentNotFolder);
        }
        if target.node.id == self.node.id || target.ancestors.iter().any(|crumb| crumb.id == self.node.id) {
            return Err(NodeError::Cycle);
        }
        let depth = target.depth() + 1;
        if depth > MAX_DEPTH {
            return Err(NodeError::TooDeep);
        }
        let deeper_by = if self.node.kind == Kind::Folder { depth.saturating_sub(self.depth()) } else { 0 };
        Ok(NewPlace { depth, deeper_by })
    }
}

/// Of those that return to a folder when it comes back from the trash, one commit takes so many along; each costs a handful of statements.
pub const RETURNING_AT_ONCE: u32 = 50;

/// Where a node goes that comes back from the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WayBack {
    /// The folder that it was in when it was trashed.
    pub old: FileId,
    /// The folder that it is put into: the old one, or the nearest above that is neither in the trash nor below something there.
    pub target: FileId,
    /// If that is not the old one: what has to come back from the trash first.
    pub after: Option<FileId>,
}

impl NodePath {
    /// Where the node goes when it is restored.
    ///
    /// # Errors
    /// `NotTrashed` if it is not in the trash by itself.
    pub fn way_back(&self) -> Result<WayBack, NodeError> {
        let (Some(old), Some(_)) = (self.node.parent, self.node.trashed) else {
            return Err(NodeError::NotTrashed);
        };
        let above = self.ancestors.iter().take_while(|crumb| !crumb.trashed).last();
        let after = self.ancestors.iter().rev().find(|crumb| crumb.trashed);
        Ok(WayBack { old, target: above.map_or(old, |crumb| crumb.id), after: after.map(|crumb| crumb.id) })
    }

    /// Of the nodes that are the reason why this one is in the trash, the nearest: what lies between them is in the trash for no other reason.
    pub fn trashed_by(&self) -> Option<FileId> {
        if self.node.trashed.is_some() {
            return Some(self.node.id);
        }
        self.ancestors.iter().rev().find(|crumb| crumb.trashed).map(|crumb| crumb.id)
    }
}

/// A live node to be inserted.
#[derive(Debug, Clone, Copy)]
pub struct NewNode<'a> {
    /// Its id.
    pub id: FileId,
    /// The tree that it belongs to.
    pub space: SpaceId,
    /// Whose it is.
    pub owner: UserId,
    /// Its folder; none for a root.
    pub parent: Option<FileId>,
    /// Its name, which is free.
    pub name: &'a NodeName,
    /// What it is.
    pub kind: Kind,
    /// When it is made.
    pub at: Timestamp,
    /// Who opens it to everybody, if it is to be open.
    pub public_by: Option<UserId>,
    /// The name that the classic API asked for, if another had to be taken.
    pub classic_name: Option<&'a str>,
    /// The type that the classic API was told.
    pub classic_type: Option<ClassicType>,
    /// A file's content, and by whom.
    pub content: Option<(&'a NewContent, UserId)>,
    /// Its tags.
    pub tags: &'a [Tag],
}

impl<'a> NewNode<'a> {
    /// The root of a space. `name` is [`NodeName::root`].
    pub fn root(space: &Space, name: &'a NodeName, at: Timestamp) -> Self {
        Self {
            id: space.root,
            space: space.id,
            owner: space.owner,
            parent: None,
            name,
            kind: Kind::Folder,
            at,
            public_by: None,
            classic_name: None,
            classic_type: None,
            content: None,
            tags: &[],
        }
    }

    /// A folder in `parent`, under the free name `name`.
    pub fn folder(folder: &'a NewFolder, parent: &Node, name: &'a NodeName) -> Self {
        Self {
            id: folder.id,
            space: parent.space,
            owner: parent.owner,
            parent: Some(parent.id),
            name,
            kind: Kind::Folder,
            at: folder.at,
            public_by: folder.public.then_some(folder.by),
            classic_name: asked_name(folder.classic_type, &folder.name, name),
            classic_type: folder.classic_type,
            content: None,
            tags: &[],
        }
    }

    /// A file in `parent`, under the free name `name`, with the content of the commit.
    pub fn file(file: &'a NewFile, commit: &'a Commit, parent: &Node, name: &'a NodeName) -> Self {
        Self {
            id: file.id,
            space: parent.space,
            owner: parent.owner,
            parent: Some(parent.id),
            name,
            kind: Kind::File,
            at: commit.at,
            public_by: file.public.then_some(commit.by),
            classic_name: asked_name(file.classic_type, &file.name, name),
            classic_type: file.classic_type,
            content: Some((&commit.content, commit.by)),
            tags: &file.tags,
        }
    }
}

impl<'a> NewNode<'a> {
    /// A copy of `source` in `parent`, under the free name `name`, with the content that they share. Nothing of what opens the original goes along.
    pub fn copy(
        (id, source): (FileId, &'a Node),
        parent: &Node,
        name: &'a NodeName,
        content: Option<(&'a NewContent, UserId)>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            space: parent.space,
            owner: parent.owner,
            parent: Some(parent.id),
            name,
            kind: source.kind,
            at,
            public_by: None,
            classic_name: None,
            classic_type: None,
            content,
            tags: &source.tags,
        }
    }
}

/// The classic API shows the name that it asked for.
fn asked_name<'a>(classic: Option<ClassicType>, asked: &'a NodeName, got: &NodeName) -> Option<&'a str> {
    (classic.is_some() && asked != got).then_some(asked.as_str())
}
