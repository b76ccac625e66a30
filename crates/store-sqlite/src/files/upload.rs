//! The commit that ends an upload.

use common::files::{
    Commit, CommitTarget, Committed, Doer, FileEvent, FileEventKind, Kind, NewFile, NewNode, NodeError,
};
use common::{BlobKey, FileId, Timestamp};
use rusqlite::OptionalExtension as _;

use super::node;
use super::space::{self, Change};
use super::{activity, blobs, names, path};
use crate::engine::{Tx, TxResult};
use crate::outbox;
use crate::row::{RowExt as _, int};

pub(super) fn commit(tx: &Tx<'_>, commit: &Commit) -> TxResult<Committed, NodeError> {
    let (id, created) = match &commit.target {
        CommitTarget::New(file) => {
            create(tx, commit, file)?;
            (file.id, true)
        }
        CommitTarget::Existing { id, revision, keep_versions } => {
            replace(tx, commit, *id, *revision, *keep_versions)?;
            (*id, false)
        }
    };
    outbox::push(tx, &commit.jobs)?;
    let node = node::get(tx, id)?;
    let doer = Doer { user: Some(commit.by), link: commit.via };
    if created {
        activity::tell_made(tx, &node, doer, commit.at)?;
    } else {
        activity::tell(tx, &FileEvent::of(&node, FileEventKind::Updated, doer, commit.at))?;
    }
    Ok(Committed { node, created })
}

fn create(tx: &Tx<'_>, commit: &Commit, file: &NewFile) -> TxResult<(), NodeError> {
    let parent = path::parent(tx, file.parent)?;
    let name = names::free(tx, file.parent, &file.name, file.rename_if_taken)?;
    let space = parent.node.space;
    let size = commit.content.blob.size;
    space::charge(tx, space, size, commit.reservation)?;
    let new = NewNode::file(file, commit, &parent.node, &name);
    blobs::bring(tx, &commit.content)?;
    node::insert(tx, &new)?;
    node::count_child(tx, file.parent, Kind::File, 1)?;
    let change = Change { used_bytes: int(size), nodes: 1, depth: parent.depth() + 1, ..Change::default() };
    Ok(space::apply(tx, space, change)?)
}

fn replace(
    tx: &Tx<'_>,
    commit: &Commit,
    id: FileId,
    revision: Option<u64>,
    keep_versions: u32,
) -> TxResult<(), NodeError> {
    let node = path::live(tx, id)?.node;
    let Some(old) = &node.content else { return Err(NodeError::NotAFile.into()) };
    if revision.is_some_and(|seen| seen != node.revision) {
        return Err(NodeError::Changed.into());
    }
    // before anything is given up, which may be what is to be shared
    blobs::bring(tx, &commit.content)?;
    tx.prepare_cached(
        "INSERT INTO versions (node, version, blob, size, mime, modified_at, at, by, replaced_at)
         SELECT id, version, blob, size, mime, content_modified_at, content_at, content_by, ?2 FROM nodes WHERE id = ?1",
    )?
    .execute((id.bytes(), commit.at.millis()))?;
    let freed = give_up_versions(tx, id, keep_versions, commit.at)?;
    space::apply(tx, node.space, Change { used_bytes: -int(freed), ..Change::default() })?;
    let size = commit.content.blob.size;
    space::charge(tx, node.space, size, commit.reservation)?;
    space::apply(tx, node.space, Change { used_bytes: int(size), ..Change::default() })?;
    tx.prepare_cached(
        "UPDATE nodes SET version = ?2, blob = ?3, size = ?4, mime = ?5, content_modified_at = ?6, content_at = ?7, content_by = ?8,
                          modified_at = ?7, revision = revision + 1
         WHERE id = ?1",
    )?
    .execute((
        id.bytes(),
        old.version + 1,
        commit.content.blob.key.bytes(),
        int(size),
        &commit.content.mime,
        commit.content.modified_at.millis(),
        commit.at.millis(),
        commit.by.bytes(),
    ))?;
    Ok(())
}

/// Gives up all but the newest `keep` old versions of a file; how many bytes they had.
pub(super) fn give_up_versions(tx: &Tx<'_>, node: FileId, keep: u32, at: Timestamp) -> rusqlite::Result<u64> {
    let newest_given_up = tx
        .prepare_cached(
            "SELECT version FROM versions WHERE node = ?1 ORDER BY version DESC LIMIT 1 OFFSET ?2",
        )?
        .query_row((node.bytes(), keep), |row| row.get::<_, u32>(0))
        .optional()?;
    let Some(newest_given_up) = newest_given_up else { return Ok(0) };
    let given_up: Vec<(BlobKey, u64)> = tx
        .prepare_cached("DELETE FROM versions WHERE node = ?1 AND version <= ?2 RETURNING blob, size")?
        .query_map((node.bytes(), newest_given_up), |row| Ok((row.id(0)?, row.count(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut freed = 0;
    for (blob, size) in given_up {
        blobs::give_back(tx, blob, at)?;
        freed += size;
    }
    Ok(freed)
}
