//! Changes of the tree: folders, places, trash, tombstones.

use common::files::{
    Doer, FileEvent, FileEventKind, Kind, MAX_DEPTH, NewFolder, NewNode, NewPlace, Node, NodeError, NodeName,
    NodePath, Tag, WayBack, sort_key,
};
use common::jobs::NewJob;
use common::{FileId, SpaceId, Timestamp, UserId};
use mongodb::bson::{Document, doc};

use super::node;
use super::space::{self, Change};
use super::{FilesDb, activity, names, path, search};
use crate::engine::{Tx, TxResult};
use crate::value::ToOid as _;

pub(super) async fn create_folder(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    folder: &NewFolder,
    tags: &[Tag],
) -> TxResult<Node, NodeError> {
    let parent = path::parent(db, tx, folder.parent).await?;
    let name = names::free(db, tx, space, folder.parent, &folder.name, folder.rename_if_taken).await?;
    let change = Change { nodes: 1, depth: parent.depth() + 1, events: 1, ..Change::default() };
    let seq = space::must_number(db, tx, space, change).await?;
    let new = NewNode { tags, ..NewNode::folder(folder, &parent.node, &name) };
    let made = node::insert(db, tx, &new, None).await?;
    node::count_child(db, tx, folder.parent, Kind::Folder, 1).await?;
    let doer = Doer { user: Some(folder.by), link: folder.via };
    activity::keep_made(db, tx, &made, (doer, folder.at), seq).await?;
    Ok(made)
}

/// A change of fields, by which the revision grows.
pub(super) fn changed(set: Document) -> Document {
    doc! { "$set": set, "$inc": { "revision": 1_i64 } }
}

pub(super) async fn relocate(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    revision: Option<u64>,
    name: &NodeName,
    target: FileId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let mut paths = path::find_all(db, tx, &[id, target]).await?;
    let path = paths.remove(&id).filter(|path| !path.in_trash()).ok_or(NodeError::NotFound)?;
    let node = &path.node;
    let source = node.folder()?;
    node.check_revision(revision)?;
    if source == target && node.name == *name {
        return Ok(path.node);
    }
    let mut change = Change::default();
    if source != target {
        let target = if target == id { Some(&path) } else { paths.get(&target) };
        change.depth = check_move(db, tx, &path, target).await?;
        change.moves = i64::from(node.kind == Kind::Folder);
    }
    if let Some(existing) = names::holder(db, tx, node.space, target, name).await? {
        return Err(NodeError::NameTaken { existing }.into());
    }
    space::must_apply(db, tx, node.space, change).await?;
    let mut update = changed(doc! {
        "parent": target.oid(),
        "name": name.as_str(),
        "sort_key": sort_key(name.as_str()),
        "words": search::words_of_node(name, &node.tags),
        "modified_at": at.millis(),
    });
    // what is only renamed returns under its new name
    let forgotten = if source == target { "returns.name" } else { "returns" };
    update.insert("$unset", doc! { "classic_name": "", forgotten: "" });
    let moved = node::update(db, tx, id, update).await?;
    if source != target {
        node::count_child(db, tx, source, node.kind, -1).await?;
        node::count_child(db, tx, target, node.kind, 1).await?;
    }
    Ok(moved)
}

/// Whether a node can come to lie in the folder `target`; how deep anything may lie then.
pub(super) async fn check_move(
    db: &FilesDb,
    tx: &mut Tx,
    path: &NodePath,
    target: Option<&NodePath>,
) -> TxResult<usize, NodeError> {
    let node = &path.node;
    let NewPlace { depth, deeper_by } = path.place_in(target)?;
    if deeper_by == 0 {
        return Ok(depth);
    }
    let bound = space::depth_bound(db, tx, node.space).await? + deeper_by;
    if bound > MAX_DEPTH && path::is_higher_than(db, tx, node.id, MAX_DEPTH - depth).await? {
        return Err(NodeError::TooDeep.into());
    }
    Ok(bound.min(MAX_DEPTH).max(depth))
}

pub(super) async fn set_public(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    public: bool,
    by: UserId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let node = path::live(db, tx, id).await?.node;
    if node.public.is_some() == public {
        return Ok(node);
    }
    let kind = if public { FileEventKind::Linked } else { FileEventKind::Unlinked };
    activity::tell(db, tx, &FileEvent::of(&node, kind, by.into(), at)).await?;
    let update = if public {
        changed(doc! { "public_since": at.millis(), "public_by": by.oid() })
    } else {
        doc! { "$unset": { "public_since": "", "public_by": "" }, "$inc": { "revision": 1_i64 } }
    };
    Ok(node::update(db, tx, id, update).await?)
}

pub(super) async fn trash(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    revision: Option<u64>,
    by: UserId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let node = path::live(db, tx, id).await?.node;
    let parent = node.folder()?;
    node.check_revision(revision)?;
    space::must_apply(db, tx, node.space, Change { trash: 1, ..Change::default() }).await?;
    let mut update =
        changed(doc! { "live": false, "in_trash": true, "trashed_at": at.millis(), "trashed_by": by.oid() });
    update.insert("$unset", doc! { "returns": "" });
    let trashed = node::update(db, tx, id, update).await?;
    node::count_child(db, tx, parent, node.kind, -1).await?;
    Ok(trashed)
}

pub(super) async fn restore(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    at: Timestamp,
) -> TxResult<Node, NodeError> {
    let path = path::find_in(db, tx, id).await?.ok_or(NodeError::NotFound)?;
    let node = &path.node;
    // the way up was checked when it was moved or made, what was trashed counted in: the old place is never too deep, what is above even less
    let WayBack { old, target, after } = path.way_back()?;
    let name = match after {
        Some(_) => names::free_for_a_guest(db, tx, node.space, target, &node.name).await?,
        None => names::free(db, tx, node.space, target, &node.name, true).await?,
    };
    let modified_at = if target == old && name == node.name { node.modified_at } else { at };
    let moves = i64::from(target != old && node.kind == Kind::Folder);
    space::must_apply(db, tx, node.space, Change { trash: -1, moves, ..Change::default() }).await?;
    let mut set = doc! {
        "live": true,
        "in_trash": false,
        "parent": target.oid(),
        "name": name.as_str(),
        "sort_key": sort_key(name.as_str()),
        "words": search::words_of_node(&name, &node.tags),
        "modified_at": modified_at.millis(),
    };
    if let Some(after) = after {
        let mut returns = doc! { "to": old.oid(), "after": after.oid() };
        if node.name != name {
            returns.insert("name", node.name.as_str());
        }
        set.insert("returns", returns);
    }
    let mut update = changed(set);
    update.insert("$unset", doc! { "trashed_at": "", "trashed_by": "" });
    let restored = node::update(db, tx, id, update).await?;
    node::count_child(db, tx, target, node.kind, 1).await?;
    Ok(restored)
}

pub(super) async fn delete(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    revision: Option<u64>,
    by: Option<UserId>,
    at: Timestamp,
    jobs: &[NewJob],
) -> TxResult<(), NodeError> {
    let node = path::find_in(db, tx, id).await?.ok_or(NodeError::NotFound)?.node;
    let parent = node.folder()?;
    node.check_revision(revision)?;
    let was_trashed = node.trashed.is_some();
    let change = Change { nodes: -1, trash: -i64::from(was_trashed), events: 1, ..Change::default() };
    let seq = space::must_number(db, tx, node.space, change).await?;
    let doer = Doer { user: by, link: None };
    activity::keep(db, tx, &FileEvent::of(&node, FileEventKind::Deleted, doer, at), seq).await?;
    let update =
        changed(doc! { "live": false, "in_trash": false, "deleted": true, "deleted_at": at.millis() });
    node::update(db, tx, id, update).await?;
    if !was_trashed {
        node::count_child(db, tx, parent, node.kind, -1).await?;
    }
    Ok(db.outbox.push(&db.engine, tx.session(), jobs).await?)
}
