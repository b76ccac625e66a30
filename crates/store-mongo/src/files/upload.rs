//! The commit that ends an upload.

use common::files::{
    Commit, CommitTarget, Committed, Doer, FileEvent, FileEventKind, Kind, NewFile, NewNode, Node, NodeError,
};
use common::{BlobKey, FileId, SpaceId};
use mongodb::Collection;
use mongodb::bson::doc;

use super::content::{self, VersionDoc};
use super::node;
use super::space::{self, Change};
use super::{FilesDb, activity, all, blobs, names, path, reservations, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, int, oids};

pub(super) fn versions(db: &FilesDb) -> Collection<VersionDoc> {
    db.collection(schema::VERSIONS)
}

pub(super) async fn commit(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    commit: &Commit,
) -> TxResult<Committed, NodeError> {
    let ((node, seq), created) = match &commit.target {
        CommitTarget::New(file) => (create(db, tx, space, commit, file).await?, true),
        CommitTarget::Existing { id, revision, keep_versions } => {
            (replace(db, tx, commit, *id, *revision, *keep_versions).await?, false)
        }
    };
    let doer = Doer { user: Some(commit.by), link: commit.via };
    if created {
        activity::keep_made(db, tx, &node, (doer, commit.at), seq).await?;
    } else {
        let updated = FileEvent::of(&node, FileEventKind::Updated, doer, commit.at);
        activity::keep(db, tx, &updated, seq).await?;
    }
    db.outbox.push(&db.engine, tx.session(), &commit.jobs).await?;
    Ok(Committed { node, created })
}

async fn create(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    commit: &Commit,
    file: &NewFile,
) -> TxResult<(Node, u64), NodeError> {
    let parent = path::parent(db, tx, file.parent).await?;
    let name = names::free(db, tx, space, file.parent, &file.name, file.rename_if_taken).await?;
    let change = Change { nodes: 1, depth: parent.depth() + 1, ..Change::default() };
    let seq = charge(db, tx, space, commit, change).await?;
    let new = NewNode::file(file, commit, &parent.node, &name);
    let facts = blobs::bring(db, tx, &commit.content).await?;
    let made = node::insert(db, tx, &new, facts.as_ref()).await?;
    node::count_child(db, tx, file.parent, Kind::File, 1).await?;
    Ok((made, seq))
}

/// Applies a change to the space together with the bytes that the commit brings: settles its reservation, and checks the quota where that
/// does not cover them. The number of the event that tells of the commit.
async fn charge(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    commit: &Commit,
    change: Change,
) -> TxResult<u64, NodeError> {
    let held = reservations::take(db, tx, space, commit.reservation).await?;
    let bytes = int(commit.content.blob.size);
    let used_bytes = change.used_bytes + bytes;
    let must_fit = (bytes > held).then_some(used_bytes - held);
    let change = Change { used_bytes, reserved_bytes: -held, must_fit, events: 1, ..change };
    let numbered = space::apply_and_number(db, tx, space, change).await?;
    Ok(numbered.ok_or(NodeError::OverQuota)?)
}

async fn replace(
    db: &FilesDb,
    tx: &mut Tx,
    commit: &Commit,
    id: FileId,
    revision: Option<u64>,
    keep_versions: u32,
) -> TxResult<(Node, u64), NodeError> {
    let node = path::live(db, tx, id).await?.node;
    let Some(old) = &node.content else { return Err(NodeError::NotAFile.into()) };
    if revision.is_some_and(|seen| seen != node.revision) {
        return Err(NodeError::Changed.into());
    }
    // the old content becomes the newest of the versions that are kept; without any it goes at once
    let mut given_up = GivenUp::default();
    if keep_versions == 0 {
        given_up.add(old.blob, old.size);
    }
    let keep_older = keep_versions.saturating_sub(1);
    // a file that had no more contents than that has none to give up
    if old.version - 1 > keep_older {
        given_up.versions_beyond(db, tx, id, keep_older).await?;
    }
    let change = Change { used_bytes: -int(given_up.bytes), ..Change::default() };
    let seq = charge(db, tx, node.space, commit, change).await?;
    // before anything is given up, which may be what is to be shared
    let facts = blobs::bring(db, tx, &commit.content).await?;
    let next = (&commit.content, facts.as_ref(), old.version + 1);
    let (file, version) = content::set_content(db, tx, id, next, commit.by, commit.at).await?;
    if keep_versions > 0 {
        versions(db).insert_one(&version).session(tx.session()).await?;
    }
    blobs::give_back(db, tx, &given_up.blobs, commit.at).await?;
    Ok((file, seq))
}

/// Contents that nodes give up, with one reference each.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    pub(super) blobs: Vec<BlobKey>,
    pub(super) bytes: u64,
}

impl GivenUp {
    pub(super) fn add(&mut self, blob: BlobKey, size: u64) {
        self.blobs.push(blob);
        self.bytes += size;
    }

    pub(super) fn add_all(&mut self, versions: &[VersionDoc]) -> Result<(), Fault> {
        for version in versions {
            self.add(version.blob()?, version.size()?);
        }
        Ok(())
    }

    /// Removes all but the newest `keep` old versions of a file.
    async fn versions_beyond(
        &mut self,
        db: &FilesDb,
        tx: &mut Tx,
        node: FileId,
        keep: u32,
    ) -> Result<(), Fault> {
        let versions = versions(db);
        let beyond = versions.find(doc! { "node": node.oid() }).sort(doc! { "version": -1 });
        let beyond = all(beyond.skip(u64::from(keep)), tx).await?;
        let Some(newest) = beyond.first() else { return Ok(()) };
        self.add_all(&beyond)?;
        versions
            .delete_many(doc! { "node": node.oid(), "version": { "$lte": newest.version() } })
            .session(tx.session())
            .await?;
        Ok(())
    }

    /// Removes all old versions of these files.
    pub(super) async fn versions_of(
        &mut self,
        db: &FilesDb,
        tx: &mut Tx,
        nodes: &[FileId],
    ) -> Result<(), Fault> {
        if nodes.is_empty() {
            return Ok(());
        }
        let of_nodes = || doc! { "node": { "$in": oids(nodes) } };
        let found = all(versions(db).find(of_nodes()), tx).await?;
        if found.is_empty() {
            return Ok(());
        }
        self.add_all(&found)?;
        versions(db).delete_many(of_nodes()).session(tx.session()).await?;
        Ok(())
    }
}
