//! What happened to nodes. The events of a space are counted in its document, which every change of its tree writes anyway: so their numbers are in the
//! order of the commits, whatever processes make them.

use std::collections::HashMap;

use async_trait::async_trait;
use common::files::{
    ActivityOf, ActivityStore, Doer, FileEvent, FileEventKind, FileEventPage, NamedPlace, Node,
};
use common::{FileId, LinkId, PortResult, SpaceId, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::node::NodeDoc;
use super::space::{self, Change};
use super::{FilesDb, schema};
use crate::engine::{Fault, Tx};
use crate::value::{ToOid as _, count, id, int, oids};

#[derive(Serialize, Deserialize)]
pub(super) struct EventDoc {
    /// The space and the number, so that the events of a space lie together in their order.
    #[serde(rename = "_id")]
    id: String,
    space: ObjectId,
    seq: i64,
    at: i64,
    kind: String,
    node: ObjectId,
    folder: bool,
    name: String,
    parent: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old_parent: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<ObjectId>,
}

/// The `_id` of an event: texts of one length, which are compared as their numbers are.
pub(super) fn place(space: SpaceId, seq: u64) -> String {
    format!("{space}{seq:016x}")
}

impl EventDoc {
    pub(super) fn new(event: &FileEvent, seq: u64) -> Self {
        let before = event.before.as_ref();
        Self {
            id: place(event.space, seq),
            space: event.space.oid(),
            seq: int(seq),
            at: event.at.millis(),
            kind: event.kind.word().to_owned(),
            node: event.node.oid(),
            folder: event.folder,
            name: event.place.name.clone(),
            parent: event.place.parent.map(FileId::oid),
            old_name: before.map(|before| before.name.clone()),
            old_parent: before.and_then(|before| before.parent).map(FileId::oid),
            user: event.user.map(UserId::oid),
            link: event.link.map(LinkId::oid),
        }
    }

    pub(super) fn read(self) -> Result<FileEvent, Fault> {
        let old_parent = self.old_parent.map(id);
        Ok(FileEvent {
            space: id(self.space),
            seq: count(self.seq)?,
            at: Timestamp::from_millis(self.at),
            kind: FileEventKind::parse(&self.kind).ok_or(Fault::Damaged("an unknown kind of event"))?,
            node: id(self.node),
            folder: self.folder,
            place: NamedPlace { name: self.name, parent: self.parent.map(id) },
            before: self.old_name.map(|name| NamedPlace { name, parent: old_parent }),
            user: self.user.map(id),
            link: self.link.map(id),
        })
    }
}

/// Writes an event with the number that its space has counted in this transaction.
pub(super) async fn keep(db: &FilesDb, tx: &mut Tx, event: &FileEvent, seq: u64) -> Result<(), Fault> {
    db.activity().insert_one(EventDoc::new(event, seq)).session(tx.session()).await?;
    Ok(())
}

/// Writes that a node was made, and that it is open to everybody if it is so from the start.
pub(super) async fn keep_made(
    db: &FilesDb,
    tx: &mut Tx,
    made: &Node,
    (doer, at): (Doer, Timestamp),
    seq: u64,
) -> Result<(), Fault> {
    keep(db, tx, &FileEvent::of(made, FileEventKind::Created, doer, at), seq).await?;
    if made.public.is_some() {
        tell(db, tx, &FileEvent::of(made, FileEventKind::Linked, doer, at)).await?;
    }
    Ok(())
}

/// Writes what this transaction has done to a node, where nothing else is changed in the document of its space. Nothing is told of a tree that is gone.
pub(super) async fn tell(db: &FilesDb, tx: &mut Tx, event: &FileEvent) -> Result<(), Fault> {
    let change = Change { events: 1, ..Change::default() };
    match space::apply_and_number(db, tx, event.space, change).await? {
        Some(seq) => keep(db, tx, event, seq).await,
        None => Ok(()),
    }
}

/// Writes what happened to a node that may be gone.
pub(super) async fn tell_of(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    kind: FileEventKind,
    doer: Doer,
    at: Timestamp,
) -> Result<(), Fault> {
    let found = db.nodes().find_one(doc! { "_id": id.oid(), "deleted": false }).session(tx.session()).await?;
    match found.map(NodeDoc::node).transpose()? {
        Some(node) => tell(db, tx, &FileEvent::of(&node, kind, doer, at)).await,
        None => Ok(()),
    }
}

impl FilesDb {
    fn activity(&self) -> Collection<EventDoc> {
        self.collection(schema::ACTIVITY)
    }

    async fn list_events(
        &self,
        filter: Document,
        sort: Document,
        limit: u32,
    ) -> Result<Vec<FileEvent>, Fault> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let events = self.activity();
        let found = events.find(filter).sort(sort).limit(i64::from(limit));
        let found: Vec<EventDoc> = found.max_time(self.engine.deadline()).await?.try_collect().await?;
        found.into_iter().map(EventDoc::read).collect()
    }

    /// Removes some of those that a filter finds.
    async fn forget_events(&self, filter: Document, sort: Document, limit: u32) -> PortResult<u32> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: String,
        }
        self.read(async {
            let events = self.collection::<Found>(schema::ACTIVITY);
            let found = events.find(filter).projection(doc! { "_id": 1 }).sort(sort).limit(i64::from(limit));
            let found: Vec<String> = found.await?.map_ok(|found| found.id).try_collect().await?;
            if found.is_empty() {
                return Ok(0);
            }
            let gone = self.activity().delete_many(doc! { "_id": { "$in": found } }).await?;
            Ok(u32::try_from(gone.deleted_count).unwrap_or(u32::MAX))
        })
        .await
    }
}

#[async_trait]
impl ActivityStore for FilesDb {
    async fn last_events(&self, spaces: &[SpaceId]) -> PortResult<Vec<u64>> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: ObjectId,
            #[serde(default)]
            events: i64,
        }
        self.read(async {
            let of_these = doc! { "_id": { "$in": oids(spaces) } };
            let found = self
                .collection::<Found>(schema::SPACES)
                .find(of_these)
                .projection(doc! { "events": 1 })
                .max_time(self.engine.deadline())
                .await?;
            let found: HashMap<ObjectId, i64> =
                found.map_ok(|found| (found.id, found.events)).try_collect().await?;
            let lasts = spaces.iter().map(|space| found.get(&space.oid()).map_or(Ok(0), |last| count(*last)));
            Ok(lasts.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn events_after(&self, space: SpaceId, after: u64, limit: u32) -> PortResult<FileEventPage> {
        // in this order: what was counted before is there, or forgotten
        let given = self.last_events(&[space]).await?.pop().unwrap_or(0);
        self.read(async {
            let behind = doc! { "_id": { "$gt": place(space, after), "$lte": place(space, u64::MAX) } };
            let events = self.list_events(behind, doc! { "_id": 1 }, limit).await?;
            Ok(FileEventPage::behind(after, given, events))
        })
        .await
    }

    async fn list_activity(
        &self,
        of: ActivityOf,
        before: Option<u64>,
        limit: u32,
    ) -> PortResult<Vec<FileEvent>> {
        let before = before.unwrap_or(u64::MAX);
        self.read(async {
            let (filter, sort) = match of {
                ActivityOf::Space(space) => {
                    let place = doc! { "$gte": place(space, 0), "$lt": place(space, before) };
                    (doc! { "_id": place }, doc! { "_id": -1 })
                }
                ActivityOf::Node(node) => {
                    (doc! { "node": node.oid(), "seq": { "$lt": int(before) } }, doc! { "seq": -1 })
                }
            };
            Ok(self.list_events(filter, sort, limit).await?)
        })
        .await
    }

    async fn sweep_activity(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.forget_events(doc! { "at": { "$lt": before.millis() } }, doc! { "at": 1 }, limit).await
    }

    async fn forget_activity(&self, space: SpaceId, limit: u32) -> PortResult<u32> {
        let all = doc! { "_id": { "$gte": place(space, 0), "$lte": place(space, u64::MAX) } };
        self.forget_events(all, doc! { "_id": 1 }, limit).await
    }
}
