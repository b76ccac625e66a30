//! Stars, tags, and who last gave content to what.

use async_trait::async_trait;
use common::files::{Dated, MarkStore, Node, NodeError, Tag, TagCount};
use common::{FileId, PortResult, SpaceId, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::node::{self, TagDoc};
use super::shares::count_on;
use super::{FilesDb, path, schema, search, space};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, count, id};

#[derive(Serialize, Deserialize)]
pub(super) struct StarDoc {
    #[serde(rename = "_id")]
    pub(super) key: StarKey,
    /// Once more, to be listed by.
    pub(super) user: ObjectId,
    pub(super) node: ObjectId,
    pub(super) at: i64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StarKey {
    pub(super) user: ObjectId,
    pub(super) node: ObjectId,
}

/// What lists read.
#[derive(Deserialize)]
struct DatedDoc {
    node: ObjectId,
    at: i64,
}

impl DatedDoc {
    fn read(self) -> Dated {
        Dated { at: Timestamp::from_millis(self.at), node: id(self.node) }
    }
}

fn key_of(user: UserId, node: FileId) -> Document {
    doc! { "_id": { "user": user.oid(), "node": node.oid() } }
}

/// What stands behind a place of a list that has the latest first.
fn behind(after: Option<Dated>, [time, node]: [&str; 2]) -> Document {
    let Some(Dated { at, node: last }) = after else { return Document::new() };
    let ties = doc! { time: at.millis(), node: { "$lt": last.oid() } };
    doc! { "$or": [{ time: { "$lt": at.millis() } }, ties] }
}

pub(super) async fn set_tags(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    revision: Option<u64>,
    tags: &[Tag],
) -> TxResult<Node, NodeError> {
    let present = path::live(db, tx, id).await?.node;
    present.check_revision(revision)?;
    if present.tags == tags {
        return Ok(present);
    }
    space::must_apply(db, tx, present.space, space::Change::default()).await?;
    let docs: Vec<Document> =
        tags.iter().map(|tag| doc! { "tag": tag.as_str(), "folded": tag.folded() }).collect();
    let words = search::words_of_node(&present.name, tags);
    let change = doc! {
        "$set": { "tags": docs, "tagged": !tags.is_empty(), "words": words }, "$inc": { "revision": 1_i64 },
    };
    Ok(node::update(db, tx, id, change).await?)
}

impl FilesDb {
    fn stars(&self) -> Collection<StarDoc> {
        self.collection(schema::STARS)
    }
}

/// Since when `user` has a star on a node.
pub(super) async fn star_of(
    db: &FilesDb,
    tx: &mut Tx,
    user: UserId,
    id: FileId,
) -> Result<Option<Timestamp>, Fault> {
    let star = db.stars().find_one(key_of(user, id)).session(tx.session()).await?;
    Ok(star.map(|star| Timestamp::from_millis(star.at)))
}

pub(super) async fn set_star(
    db: &FilesDb,
    tx: &mut Tx,
    id: FileId,
    user: UserId,
    starred_at: Option<Timestamp>,
) -> TxResult<(), NodeError> {
    let stars = db.stars();
    let Some(at) = starred_at else {
        let removed = stars.delete_one(key_of(user, id)).session(tx.session()).await?;
        if removed.deleted_count > 0 {
            count_on(db, tx, id, "stars", -1).await?;
        }
        return Ok(());
    };
    path::live(db, tx, id).await?;
    if stars.find_one(key_of(user, id)).session(tx.session()).await?.is_some() {
        return Ok(());
    }
    let (user, node) = (user.oid(), id.oid());
    let star = StarDoc { key: StarKey { user, node }, user, node, at: at.millis() };
    stars.insert_one(&star).session(tx.session()).await?;
    Ok(count_on(db, tx, id, "stars", 1).await?)
}

#[async_trait]
impl MarkStore for FilesDb {
    async fn set_tags(&self, id: FileId, revision: Option<u64>, tags: &[Tag]) -> Result<Node, NodeError> {
        let space = self.space_of(id).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move { set_tags(self, &mut tx, id, revision, tags).await }).await
    }

    async fn set_star(
        &self,
        id: FileId,
        user: UserId,
        starred_at: Option<Timestamp>,
    ) -> Result<(), NodeError> {
        let Some(space) = self.space_of(id).await? else {
            return if starred_at.is_some() { Err(NodeError::NotFound) } else { Ok(()) };
        };
        self.change(space, |mut tx| async move { set_star(self, &mut tx, id, user, starred_at).await }).await
    }

    async fn starred_of(&self, user: UserId, nodes: &[FileId]) -> PortResult<Vec<FileId>> {
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Document> =
            nodes.iter().map(|node| doc! { "user": user.oid(), "node": node.oid() }).collect();
        self.read(async {
            let found: Vec<StarDoc> =
                self.stars().find(doc! { "_id": { "$in": keys } }).await?.try_collect().await?;
            Ok(found.into_iter().map(|star| id(star.node)).collect())
        })
        .await
    }

    async fn list_starred(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>> {
        let mut filter = doc! { "user": user.oid() };
        filter.extend(behind(after, ["at", "node"]));
        self.read(async {
            let found = self
                .collection::<DatedDoc>(schema::STARS)
                .find(filter)
                .projection(doc! { "_id": 0, "node": 1, "at": 1 })
                .sort(doc! { "at": -1, "node": -1 })
                .limit(i64::from(limit))
                .max_time(self.engine.deadline())
                .await?;
            Ok(found.map_ok(DatedDoc::read).try_collect().await?)
        })
        .await
    }

    async fn count_starred(&self, user: UserId) -> PortResult<u64> {
        self.read(async { Ok(self.stars().count_documents(doc! { "user": user.oid() }).await?) }).await
    }

    async fn list_tagged(
        &self,
        space: SpaceId,
        tag: &Tag,
        after: Option<FileId>,
        limit: u32,
    ) -> PortResult<Vec<FileId>> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: ObjectId,
        }
        let mut filter = tagged(space, tag);
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after.oid() });
        }
        self.read(async {
            let found = self
                .collection::<Found>(schema::NODES)
                .find(filter)
                .projection(doc! { "_id": 1 })
                .sort(doc! { "_id": -1 })
                .limit(i64::from(limit))
                .max_time(self.engine.deadline())
                .await?;
            Ok(found.map_ok(|found| id::<FileId>(found.id)).try_collect().await?)
        })
        .await
    }

    async fn count_tagged(&self, space: SpaceId, tag: &Tag) -> PortResult<u64> {
        self.read(async { Ok(self.nodes().count_documents(tagged(space, tag)).await?) }).await
    }

    async fn list_tags(&self, space: SpaceId, limit: u32) -> PortResult<Vec<TagCount>> {
        #[derive(Deserialize)]
        struct Found {
            tag: String,
            nodes: i64,
        }
        let pipeline = [
            doc! { "$match": { "space": space.oid(), "tagged": true } },
            doc! { "$unwind": "$tags" },
            doc! { "$group": {
                "_id": "$tags.folded", "tag": { "$min": "$tags.tag" }, "nodes": { "$sum": 1_i64 },
            } },
            doc! { "$sort": { "_id": 1 } },
            doc! { "$limit": i64::from(limit) },
        ];
        self.read(async {
            let nodes = self.collection::<Document>(schema::NODES);
            let found = nodes.aggregate(pipeline).with_type::<Found>().max_time(self.engine.deadline());
            let found: Vec<Found> = found.await?.try_collect().await?;
            let tags = found.into_iter().map(|found| {
                let tag = TagDoc::parse(&found.tag)?;
                Ok(TagCount { tag, nodes: count(found.nodes)? })
            });
            Ok(tags.collect::<Result<_, Fault>>()?)
        })
        .await
    }

    async fn list_recent(&self, user: UserId, after: Option<Dated>, limit: u32) -> PortResult<Vec<Dated>> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: ObjectId,
            content: FoundContent,
        }
        #[derive(Deserialize)]
        struct FoundContent {
            at: i64,
        }
        let mut filter = doc! { "content.by": user.oid(), "live": true };
        filter.extend(behind(after, ["content.at", "_id"]));
        self.read(async {
            let found = self
                .collection::<Found>(schema::NODES)
                .find(filter)
                .projection(doc! { "content.at": 1 })
                .sort(doc! { "content.at": -1, "_id": -1 })
                .limit(i64::from(limit))
                .max_time(self.engine.deadline())
                .await?;
            let dated = |found: Found| DatedDoc { node: found.id, at: found.content.at }.read();
            Ok(found.map_ok(dated).try_collect().await?)
        })
        .await
    }
}

fn tagged(space: SpaceId, tag: &Tag) -> Document {
    doc! { "space": space.oid(), "tagged": true, "tags.folded": tag.folded() }
}

/// Stars on these nodes, which are removed.
pub(super) async fn remove_stars(db: &FilesDb, tx: &mut Tx, nodes: &[ObjectId]) -> Result<(), Fault> {
    db.stars().delete_many(doc! { "node": { "$in": nodes } }).session(tx.session()).await?;
    Ok(())
}
