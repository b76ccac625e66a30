//! Copies of folders, in steps.

use std::collections::HashSet;

use async_trait::async_trait;
use common::files::{
    CopyFront, CopyItem, CopyOperation, CopyState, CopyStore, Kind, NewContent, NewCopy, NewNode, Node,
    NodeError, NodeName,
};
use common::{BlobKey, FileId, OperationId, PortResult, SpaceId, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::node::{self, NodeDoc};
use super::space::{self, Change};
use super::{FilesDb, all, blobs, journal, names, path, schema, tree};
use crate::engine::{Fault, Tx, TxResult};
use crate::outbox::Ring;
use crate::value::{ToOid as _, count, id, int};

#[derive(Serialize, Deserialize)]
pub(super) struct CopyDoc {
    #[serde(rename = "_id")]
    id: ObjectId,
    user: ObjectId,
    within: Option<ObjectId>,
    source: ObjectId,
    root: ObjectId,
    /// The tree that the copy is in.
    space: ObjectId,
    state: String,
    reason: Option<String>,
    /// As `state` says; partial indexes filter by booleans.
    running: bool,
    nodes: i64,
    bytes: i64,
    at: i64,
    ended_at: Option<i64>,
}

impl CopyDoc {
    /// With the tree that the copy is in.
    pub(super) fn of(copy: &CopyOperation, space: ObjectId) -> Self {
        Self {
            id: copy.id.oid(),
            user: copy.user.oid(),
            within: copy.within.map(FileId::oid),
            source: copy.source.oid(),
            root: copy.root.oid(),
            space,
            state: copy.state.word().to_owned(),
            reason: copy.state.reason().map(str::to_owned),
            running: copy.state == CopyState::Running,
            nodes: int(copy.nodes),
            bytes: int(copy.bytes),
            at: copy.at.millis(),
            ended_at: copy.ended_at.map(Timestamp::millis),
        }
    }

    pub(super) fn read(self) -> Result<CopyOperation, Fault> {
        Ok(CopyOperation {
            id: id(self.id),
            user: id(self.user),
            within: self.within.map(id),
            source: id(self.source),
            root: id(self.root),
            state: CopyState::parse(&self.state, self.reason.as_deref())
                .ok_or(Fault::Damaged("an unknown state of a copy"))?,
            nodes: count(self.nodes)?,
            bytes: count(self.bytes)?,
            at: Timestamp::from_millis(self.at),
            ended_at: self.ended_at.map(Timestamp::from_millis),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct FrontDoc {
    pub(super) copy: ObjectId,
    target: ObjectId,
    source: ObjectId,
    after: Option<ObjectId>,
}

impl FrontDoc {
    fn new(copy: OperationId, source: FileId, target: FileId) -> Self {
        Self { copy: copy.oid(), target: target.oid(), source: source.oid(), after: None }
    }

    pub(super) fn as_it_was(copy: OperationId, front: &CopyFront) -> Self {
        Self { after: front.after.map(FileId::oid), ..Self::new(copy, front.source, front.target) }
    }

    pub(super) fn read(&self) -> CopyFront {
        CopyFront { source: id(self.source), target: id(self.target), after: self.after.map(id) }
    }
}

/// A folder that a running copy has made.
#[derive(Serialize, Deserialize)]
struct FolderDoc {
    copy: ObjectId,
    node: ObjectId,
}

impl FolderDoc {
    fn new(copy: OperationId, node: FileId) -> Self {
        Self { copy: copy.oid(), node: node.oid() }
    }
}

fn of_front(copy: OperationId, front: &CopyFront) -> Document {
    doc! { "copy": copy.oid(), "target": front.target.oid() }
}

impl FilesDb {
    fn copies(&self) -> Collection<CopyDoc> {
        self.collection(schema::COPIES)
    }

    fn copy_fronts(&self) -> Collection<FrontDoc> {
        self.collection(schema::COPY_FRONTS)
    }

    fn copy_folders(&self) -> Collection<FolderDoc> {
        self.collection(schema::COPY_FOLDERS)
    }

    /// Those of the nodes that a copy has made, or one that was begun after it. Of two copies that are made into one another, the one that was begun first
    /// does not copy what the other makes: so both end.
    async fn made_by_copies(&self, since: OperationId, nodes: &[NodeDoc]) -> Result<HashSet<FileId>, Fault> {
        let folders: Vec<ObjectId> =
            nodes.iter().filter(|node| node.is_folder()).map(|node| node.id).collect();
        if folders.is_empty() {
            return Ok(HashSet::new());
        }
        let made = doc! { "node": { "$in": folders }, "copy": { "$gte": since.oid() } };
        let made = self.copy_folders().find(made).max_time(self.engine.deadline()).await?;
        Ok(made.map_ok(|made| id::<FileId>(made.node)).try_collect().await?)
    }

    /// Rings for the jobs of these items.
    fn ring_for_items(&self, items: &[CopyItem]) -> Ring<'_> {
        let jobs: &[_] = items.iter().find(|item| !item.jobs.is_empty()).map_or(&[], |item| &item.jobs);
        self.outbox.ring_for(jobs)
    }
}

async fn begin(db: &FilesDb, tx: &mut Tx, space: SpaceId, copy: &NewCopy) -> TxResult<Node, NodeError> {
    let source = path::live(db, tx, copy.source).await?.node;
    let parent = path::parent(db, tx, copy.folder.parent).await?;
    if parent.position_of(source.id).is_some() {
        return Err(NodeError::Cycle.into());
    }
    let made = tree::create_folder(db, tx, space, &copy.folder, &copy.tags).await?;
    let doc = CopyDoc {
        id: copy.id.oid(),
        user: copy.folder.by.oid(),
        within: copy.within.map(FileId::oid),
        source: source.id.oid(),
        root: made.id.oid(),
        space: space.oid(),
        state: CopyState::Running.word().to_owned(),
        reason: None,
        running: true,
        nodes: 1,
        bytes: 0,
        at: copy.folder.at.millis(),
        ended_at: None,
    };
    db.copies().insert_one(&doc).session(tx.session()).await?;
    let front = FrontDoc::new(copy.id, source.id, made.id);
    db.copy_fronts().insert_one(&front).session(tx.session()).await?;
    let folder = FolderDoc::new(copy.id, made.id);
    db.copy_folders().insert_one(&folder).session(tx.session()).await?;
    db.outbox.push(&db.engine, tx.session(), &copy.jobs).await?;
    Ok(made)
}

async fn page(
    db: &FilesDb,
    tx: &mut Tx,
    id: OperationId,
    seen: &CopyFront,
    (items, more): (&[CopyItem], bool),
    at: Timestamp,
) -> TxResult<bool, NodeError> {
    let fronts = db.copy_fronts();
    let present = fronts.find_one(of_front(id, seen)).session(tx.session()).await?;
    let running =
        db.copies().find_one(doc! { "_id": id.oid(), "running": true }).session(tx.session()).await?;
    let (Some(running), true) = (running, present.map(|front| front.read()) == Some(*seen)) else {
        return Ok(false);
    };
    if !items.is_empty() {
        let copied = insert_all(db, tx, &running.read()?, seen, items, at).await?;
        let counted = doc! { "$inc": { "nodes": copied.nodes, "bytes": copied.used_bytes } };
        db.copies().update_one(doc! { "_id": id.oid() }, counted).session(tx.session()).await?;
    }
    match items.last().filter(|_| more) {
        Some(last) => {
            let moved = doc! { "$set": { "after": last.source.id.oid() } };
            fronts.update_one(of_front(id, seen), moved).session(tx.session()).await?;
        }
        None => {
            fronts.delete_one(of_front(id, seen)).session(tx.session()).await?;
        }
    }
    Ok(true)
}

async fn insert_all(
    db: &FilesDb,
    tx: &mut Tx,
    operation: &CopyOperation,
    front: &CopyFront,
    items: &[CopyItem],
    at: Timestamp,
) -> TxResult<Change, NodeError> {
    let parent = path::parent(db, tx, front.target).await?;
    let space = parent.node.space;
    let keys: Vec<BlobKey> =
        items.iter().filter_map(|item| item.source.content.as_ref()).map(|content| content.blob).collect();
    let known = blobs::take(db, tx, &keys).await?;
    let taken = taken_names(db, tx, (space, front.target), items).await?;
    let mut change = Change { depth: parent.depth() + 1, ..Change::default() };
    let (mut docs, mut counts) = (Vec::<NodeDoc>::new(), [0_i64; 2]);
    let (mut folders, mut fronts) = (Vec::new(), Vec::new());
    for item in items {
        let content = item.source.content.as_ref().map(NewContent::shared);
        let facts = content.as_ref().and_then(|content| known.get(&content.blob.key));
        if content.is_some() && facts.is_none() {
            continue;
        }
        change.used_bytes += content.as_ref().map_or(0, |content| int(content.blob.size));
        change.nodes += 1;
        let mut name: NodeName = item.source.name.clone();
        if taken.contains(name.as_str()) {
            name = names::free(db, tx, space, front.target, &name, true).await?;
        }
        let content = content.as_ref().map(|content| (content, operation.user));
        let new = NewNode::copy((item.id, &item.source), &parent.node, &name, content, at);
        docs.push(node::document(&new, facts));
        counts[usize::from(item.source.kind == Kind::File)] += 1;
        if item.source.kind == Kind::Folder {
            folders.push(FolderDoc::new(operation.id, item.id));
            if item.source.child_count > 0 {
                fronts.push(FrontDoc::new(operation.id, item.source.id, item.id));
            }
        }
        db.outbox.push(&db.engine, tx.session(), &item.jobs).await?;
    }
    change.must_fit = (change.used_bytes > 0).then_some(change.used_bytes);
    if !space::apply(db, tx, space, change).await? {
        return Err(NodeError::OverQuota.into());
    }
    if !docs.is_empty() {
        db.nodes().insert_many(&docs).session(tx.session()).await?;
    }
    if !folders.is_empty() {
        db.copy_folders().insert_many(&folders).session(tx.session()).await?;
    }
    if !fronts.is_empty() {
        db.copy_fronts().insert_many(&fronts).session(tx.session()).await?;
    }
    for (kind, copied) in [Kind::Folder, Kind::File].into_iter().zip(counts) {
        if copied > 0 {
            node::count_child(db, tx, front.target, kind, copied).await?;
        }
    }
    Ok(change)
}

/// Those of the names of the items that are taken in a folder: what somebody else put there.
async fn taken_names(
    db: &FilesDb,
    tx: &mut Tx,
    (space, folder): (SpaceId, FileId),
    items: &[CopyItem],
) -> Result<HashSet<String>, Fault> {
    #[derive(Deserialize)]
    struct Holder {
        name: String,
    }
    let names: Vec<&str> = items.iter().map(|item| item.source.name.as_str()).collect();
    let nodes = db.collection::<Holder>(schema::NODES);
    let held = nodes
        .find(doc! { "space": space.oid(), "parent": folder.oid(), "name": { "$in": names }, "live": true })
        .projection(doc! { "_id": 0, "name": 1 });
    Ok(all(held, tx).await?.into_iter().map(|holder| holder.name).collect())
}

#[async_trait]
impl CopyStore for FilesDb {
    async fn begin_copy(&self, copy: &NewCopy) -> Result<Node, NodeError> {
        let space = self.space_of(copy.folder.parent).await?.ok_or(NodeError::ParentGone)?;
        let _ring = self.outbox.ring_for(&copy.jobs);
        let made =
            self.change(space, |mut tx| async move { begin(self, &mut tx, space, copy).await }).await?;
        self.remember(&made);
        Ok(made)
    }

    async fn is_larger_than(&self, folder: FileId, entries: u64) -> PortResult<bool> {
        path::is_larger_than(self, folder, entries).await
    }

    async fn find_copy(&self, id: OperationId) -> PortResult<Option<CopyOperation>> {
        let found = self.read(async { Ok(self.copies().find_one(doc! { "_id": id.oid() }).await?) }).await?;
        Ok(found.map(CopyDoc::read).transpose()?)
    }

    async fn copy_front(&self, id: OperationId) -> PortResult<Option<CopyFront>> {
        self.read(async {
            let fronts = self.copy_fronts();
            // the one that was found last: a walk in depth keeps few
            let front = fronts.find_one(doc! { "copy": id.oid() }).sort(doc! { "target": -1 }).await?;
            Ok(front.map(|front| front.read()))
        })
        .await
    }

    async fn list_to_copy(
        &self,
        copy: &CopyOperation,
        front: &CopyFront,
        limit: u32,
    ) -> PortResult<Vec<Node>> {
        let limit = limit as usize;
        self.read(async {
            let (mut found, mut after) = (Vec::new(), front.after);
            loop {
                let mut filter = doc! { "parent": front.source.oid(), "live": true };
                filter.extend(after.map(|after| ("_id".to_owned(), doc! { "$gt": after.oid() }.into())));
                let wanted = limit - found.len();
                let nodes = self.nodes();
                let page = nodes.find(filter).sort(doc! { "_id": 1 }).limit(int(wanted as u64));
                let page: Vec<NodeDoc> = page.max_time(self.engine.deadline()).await?.try_collect().await?;
                let is_last = page.len() < wanted;
                after = page.last().map(NodeDoc::id);
                let mut made = self.made_by_copies(copy.id, &page).await?;
                made.insert(copy.root);
                for doc in page {
                    if !made.contains(&doc.id()) {
                        found.push(doc.node()?);
                    }
                }
                if is_last || found.len() == limit {
                    return Ok(found);
                }
            }
        })
        .await
    }

    async fn copy_page(
        &self,
        id: OperationId,
        front: &CopyFront,
        items: &[CopyItem],
        more: bool,
        at: Timestamp,
    ) -> Result<bool, NodeError> {
        let space = self.space_of(front.target).await?.ok_or(NodeError::ParentGone)?;
        let _ring = self.ring_for_items(items);
        self.change(space, |mut tx| async move { page(self, &mut tx, id, front, (items, more), at).await })
            .await
    }

    async fn end_copy(&self, id: OperationId, state: CopyState, at: Timestamp) -> PortResult<bool> {
        let found = self.read(async { Ok(self.copies().find_one(doc! { "_id": id.oid() }).await?) }).await?;
        let Some(found) = found else { return Ok(false) };
        let ended = self.write(found.space, |mut tx| async move {
            let ended = doc! { "$set": {
                "state": state.word(), "reason": state.reason(), "running": false, "ended_at": at.millis(),
            } };
            let running = doc! { "_id": id.oid(), "running": true };
            let ended = self.copies().update_one(running, ended).session(tx.session()).await?;
            self.copy_fronts().delete_many(doc! { "copy": id.oid() }).session(tx.session()).await?;
            Ok(ended.matched_count == 1)
        })
        .await?;
        // they may be more than a transaction should change; what is left of them goes with the operation
        self.read(async { Ok(self.copy_folders().delete_many(doc! { "copy": id.oid() }).await?) }).await?;
        Ok(ended)
    }

    async fn list_copies(
        &self,
        user: UserId,
        within: Option<FileId>,
        before: Option<OperationId>,
        limit: u32,
    ) -> PortResult<Vec<CopyOperation>> {
        self.read(async {
            let found = self
                .copies()
                .find(journal::listed(user, within, before))
                .sort(doc! { "_id": -1 })
                .limit(i64::from(limit))
                .max_time(self.engine.deadline())
                .await?;
            let found: Vec<CopyDoc> = found.try_collect().await?;
            Ok(found.into_iter().map(CopyDoc::read).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn sweep_copies(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        #[derive(Deserialize)]
        struct Ended {
            #[serde(rename = "_id")]
            id: ObjectId,
        }
        self.read(async {
            let ended = self
                .collection::<Ended>(schema::COPIES)
                .find(doc! { "running": false, "ended_at": { "$lt": before.millis() } })
                .projection(doc! { "_id": 1 })
                .sort(doc! { "ended_at": 1 })
                .limit(i64::from(limit))
                .await?;
            let ended: Vec<ObjectId> = ended.map_ok(|copy| copy.id).try_collect().await?;
            if ended.is_empty() {
                return Ok(0);
            }
            self.copy_folders().delete_many(doc! { "copy": { "$in": &ended } }).await?;
            let swept = self.copies().delete_many(doc! { "_id": { "$in": ended } }).await?;
            Ok(u32::try_from(swept.deleted_count).unwrap_or(u32::MAX))
        })
        .await
    }
}
