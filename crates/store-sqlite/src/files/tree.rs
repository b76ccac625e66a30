//! Changes of the tree: folders, places, trash, tombstones.

use common::files::{
    Doer, FileEvent, FileEventKind, Kind, MAX_DEPTH, NewFolder, NewNode, NewPlace, Node, NodeError, NodeName,
    NodePath, Tag, WayBack, sort_key,
};
use common::jobs::NewJob;
use common::{FileId, Timestamp, UserId};

use super::node;
use super::space::{self, Change};
use super::{activity, names, path, search};
use crate::engine::{Tx, TxResult};
use crate::outbox;

pub(super) fn create_folder(tx: &Tx<'_>, folder: &NewFolder, tags: &[Tag]) -> TxResult<Node, NodeError> {
    let parent = path::parent(tx, folder.parent)?;
    let name = names::free(tx, folder.parent, &folder.name, folder.rename_if_taken)?;
    let space = parent.node.space;
    node::insert(tx, &NewNode { tags, ..NewNode::folder(folder, &parent.node, &name) })?;
    node::count_child(tx, folder.parent, Kind::Folder, 1)?;
    space::apply(tx, space, Change { nodes: 1, depth: parent.depth() + 1, ..Change::default() })?;
    let made = node::get(tx, folder.id)?;
    let doer = Doer { user: Some(folder.by), link: folder.via };
    activity::tell_made(tx, &made, doer, folder.at)?;
    Ok(made)
}

pub(super) fn relocate(
    tx: &Tx<'_>,
    id: FileId,
    revision: Option<u64>,
    name: &NodeName,
    target: FileId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let path = path::live(tx, id)?;
    let node = &path.node;
    let source = node.folder()?;
    node.check_revision(revision)?;
    if source == target && node.name == *name {
        return Ok(path.node);
    }
    if source != target {
        check_move(tx, &path, path::find(tx, target)?.as_ref())?;
    }
    if let Some(existing) = names::holder(tx, target, name)? {
        return Err(NodeError::NameTaken { existing }.into());
    }
    tx.prepare_cached(
        "UPDATE nodes SET parent = ?2, name = ?3, sort_key = ?4, classic_name = NULL, modified_at = ?5, revision = revision + 1,
                          return_to = iif(parent = ?2, return_to, NULL), return_as = NULL,
                          return_after = iif(parent = ?2, return_after, NULL)
         WHERE id = ?1",
    )?
    .execute((id.bytes(), target.bytes(), name.as_str(), sort_key(name.as_str()), at.millis()))?;
    if node.name != *name {
        search::index_node(tx, (node.space, id), name, &node.tags)?;
    }
    if source != target {
        count_move(tx, node, source, target)?;
    }
    Ok(node::get(tx, id)?)
}

/// Whether a node can come to lie in the folder `target`, with all that is below it.
pub(super) fn check_move(tx: &Tx<'_>, path: &NodePath, target: Option<&NodePath>) -> TxResult<(), NodeError> {
    let node = &path.node;
    let NewPlace { depth, deeper_by } = path.place_in(target)?;
    if deeper_by > 0 {
        let bound = space::depth_bound(tx, node.space)? + deeper_by;
        if bound > MAX_DEPTH && path::is_higher_than(tx, node.id, MAX_DEPTH - depth)? {
            return Err(NodeError::TooDeep.into());
        }
        space::apply(tx, node.space, Change { depth: bound.min(MAX_DEPTH), ..Change::default() })?;
    }
    Ok(space::apply(tx, node.space, Change { depth, ..Change::default() })?)
}

/// Counts that a live node has come from one folder into another.
pub(super) fn count_move(tx: &Tx<'_>, node: &Node, source: FileId, target: FileId) -> rusqlite::Result<()> {
    node::count_child(tx, source, node.kind, -1)?;
    node::count_child(tx, target, node.kind, 1)?;
    if node.kind == Kind::Folder { count_tree(tx, node) } else { Ok(()) }
}

fn count_tree(tx: &Tx<'_>, node: &Node) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE spaces SET tree_version = tree_version + 1 WHERE id = ?1")?
        .execute([node.space.bytes()])
        .map(drop)
}

pub(super) fn set_public(
    tx: &Tx<'_>,
    id: FileId,
    public: bool,
    by: UserId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let node = path::live(tx, id)?.node;
    if node.public.is_some() == public {
        return Ok(node);
    }
    tx.prepare_cached(
        "UPDATE nodes SET public_since = ?2, public_by = ?3, revision = revision + 1 WHERE id = ?1",
    )?
    .execute((id.bytes(), public.then(|| at.millis()), public.then(|| by.bytes())))?;
    let kind = if public { FileEventKind::Linked } else { FileEventKind::Unlinked };
    activity::tell(tx, &FileEvent::of(&node, kind, by.into(), at))?;
    Ok(node::get(tx, id)?)
}

pub(super) fn trash(
    tx: &Tx<'_>,
    id: FileId,
    revision: Option<u64>,
    by: UserId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let node = path::live(tx, id)?.node;
    let parent = node.folder()?;
    node.check_revision(revision)?;
    tx.prepare_cached(
        "UPDATE nodes SET live = 0, trashed_at = ?2, trashed_by = ?3, revision = revision + 1,
                          return_to = NULL, return_as = NULL, return_after = NULL
         WHERE id = ?1",
    )?
    .execute((id.bytes(), at.millis(), by.bytes()))?;
    node::count_child(tx, parent, node.kind, -1)?;
    space::apply(tx, node.space, Change { trash: 1, ..Change::default() })?;
    Ok(node::get(tx, id)?)
}

pub(super) fn restore(tx: &Tx<'_>, id: FileId, at: Timestamp) -> TxResult<Node, NodeError> {
    let path = path::find(tx, id)?.ok_or(NodeError::NotFound)?;
    let node = &path.node;
    // the way up was checked when it was moved or made, what was trashed counted in: the old place is never too deep, what is above even less
    let WayBack { old, target, after } = path.way_back()?;
    let name = match after {
        Some(_) => names::free_for_a_guest(tx, target, &node.name)?,
        None => names::free(tx, target, &node.name, true)?,
    };
    let modified_at = if target == old && name == node.name { node.modified_at } else { at };
    tx.prepare_cached(
        "UPDATE nodes SET live = 1, trashed_at = NULL, trashed_by = NULL, parent = ?2, name = ?3, sort_key = ?4, modified_at = ?5,
                          revision = revision + 1, return_to = ?6, return_as = ?7, return_after = ?8
         WHERE id = ?1",
    )?
    .execute((
        id.bytes(),
        target.bytes(),
        name.as_str(),
        sort_key(name.as_str()),
        modified_at.millis(),
        after.map(|_| *old.bytes()),
        after.and_then(|_| (node.name != name).then_some(node.name.as_str())),
        after.as_ref().map(FileId::bytes),
    ))?;
    if node.name != name {
        search::index_node(tx, (node.space, id), &name, &node.tags)?;
    }
    node::count_child(tx, target, node.kind, 1)?;
    space::apply(tx, node.space, Change { trash: -1, ..Change::default() })?;
    if target != old && node.kind == Kind::Folder {
        count_tree(tx, node)?;
    }
    Ok(node::get(tx, id)?)
}

pub(super) fn delete(
    tx: &Tx<'_>,
    id: FileId,
    revision: Option<u64>,
    by: Option<UserId>,
    at: Timestamp,
    jobs: &[NewJob],
) -> TxResult<(), NodeError> {
    let node = path::find(tx, id)?.ok_or(NodeError::NotFound)?.node;
    let parent = node.folder()?;
    node.check_revision(revision)?;
    tx.prepare_cached("UPDATE nodes SET live = 0, deleted_at = ?2, revision = revision + 1 WHERE id = ?1")?
        .execute((id.bytes(), at.millis()))?;
    let was_trashed = node.trashed.is_some();
    if !was_trashed {
        node::count_child(tx, parent, node.kind, -1)?;
    }
    space::apply(tx, node.space, Change { nodes: -1, trash: -i64::from(was_trashed), ..Change::default() })?;
    let doer = Doer { user: by, link: None };
    activity::tell(tx, &FileEvent::of(&node, FileEventKind::Deleted, doer, at))?;
    Ok(outbox::push(tx, jobs)?)
}
