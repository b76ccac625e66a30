//! Links, which open a node to whoever has their token. The token is the `_id`, so that it is unique however the collection is sharded.

use async_trait::async_trait;
use common::files::{
    AccessOf, Doer, FileEvent, FileEventKind, Link, LinkChange, LinkNotice, LinkRole, LinkStore, LinkToken,
    LinkUse, NewLink, Node, NodeError, TakeDownload,
};
use common::jobs::NewJob;
use common::{FileId, JobId, LinkId, PortResult, SpaceId, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::link_notices::NoticeDoc;
use super::node::NodeDoc;
use super::shares::count_on;
use super::space::{self, Change};
use super::{FilesDb, activity, link_notices, path, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, binary, count, fixed, id, int};

/// The limit of a link that has none.
pub(super) const NO_LIMIT: i64 = i64::MAX;

#[derive(Serialize, Deserialize)]
pub(super) struct LinkDoc {
    #[serde(rename = "_id")]
    pub(super) token: Binary,
    pub(super) id: ObjectId,
    pub(super) node: ObjectId,
    pub(super) space: ObjectId,
    pub(super) owner: ObjectId,
    pub(super) role: String,
    pub(super) label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<i64>,
    pub(super) max_downloads: i64,
    pub(super) downloads: i64,
    pub(super) opens: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_used_at: Option<i64>,
    pub(super) by: ObjectId,
    pub(super) at: i64,
    /// Older programs do not write these.
    #[serde(default)]
    pub(super) notify: bool,
    #[serde(flatten)]
    pub(super) notice: NoticeDoc,
}

impl LinkDoc {
    fn of(new: &NewLink, node: &Node) -> Self {
        Self {
            token: binary(new.token.bytes()),
            id: new.id.oid(),
            node: node.id.oid(),
            space: node.space.oid(),
            owner: node.owner.oid(),
            role: new.role.word().to_owned(),
            label: new.label.clone(),
            password_hash: new.password_hash.clone(),
            expires_at: new.expires_at.map(Timestamp::millis),
            max_downloads: new.max_downloads.map_or(NO_LIMIT, int),
            downloads: 0,
            opens: 0,
            last_used_at: None,
            by: new.by.oid(),
            at: new.at.millis(),
            notify: new.notify,
            notice: NoticeDoc::default(),
        }
    }

    pub(super) fn read(self) -> Result<Link, Fault> {
        Ok(Link {
            id: id(self.id),
            token: LinkToken::from_bytes(fixed(&self.token)?),
            node: id(self.node),
            space: id(self.space),
            owner: id(self.owner),
            role: LinkRole::parse(&self.role).ok_or(Fault::Damaged("an unknown role of a link"))?,
            label: self.label,
            password_hash: self.password_hash,
            expires_at: self.expires_at.map(Timestamp::from_millis),
            max_downloads: if self.max_downloads == NO_LIMIT {
                None
            } else {
                Some(count(self.max_downloads)?)
            },
            downloads: count(self.downloads)?,
            opens: count(self.opens)?,
            last_used_at: self.last_used_at.map(Timestamp::from_millis),
            by: id(self.by),
            at: Timestamp::from_millis(self.at),
            notify: self.notify,
        })
    }
}

fn filter(of: &AccessOf) -> Document {
    match of {
        AccessOf::Node(node) => doc! { "node": node.oid() },
        AccessOf::Space(space) => doc! { "space": space.oid() },
        AccessOf::Maker(space, maker) => doc! { "$or": [{ "space": space.oid() }, { "by": maker.oid() }] },
    }
}

/// The fields that a change sets, and those that it takes away.
fn update(change: &LinkChange) -> Document {
    let (mut set, mut unset) = (Document::new(), Document::new());
    if let Some(role) = change.role {
        set.insert("role", role.word());
    }
    if let Some(label) = &change.label {
        set.insert("label", label);
    }
    match &change.password_hash {
        Some(Some(hash)) => drop(set.insert("password_hash", hash)),
        Some(None) => drop(unset.insert("password_hash", "")),
        None => {}
    }
    match change.expires_at {
        Some(Some(end)) => drop(set.insert("expires_at", end.millis())),
        Some(None) => drop(unset.insert("expires_at", "")),
        None => {}
    }
    if let Some(most) = change.max_downloads {
        set.insert("max_downloads", most.map_or(NO_LIMIT, int));
    }
    if let Some(notify) = change.notify {
        set.insert("notify", notify);
    }
    // an update without operators would replace the document
    let parts = [("$set", set), ("$unset", unset)];
    parts
        .into_iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(name, fields)| (name.to_owned(), fields.into()))
        .collect()
}

impl FilesDb {
    pub(super) fn links(&self) -> Collection<LinkDoc> {
        self.collection(schema::LINKS)
    }

    pub(super) async fn find_one_link(&self, filter: Document) -> PortResult<Option<Link>> {
        let found = self.read(async { Ok(self.links().find_one(filter).await?) }).await?;
        Ok(found.map(LinkDoc::read).transpose()?)
    }

    /// Changes a link's document, if there is one that the filter finds.
    pub(super) async fn update_link(&self, filter: Document, update: Document) -> PortResult<bool> {
        let changed = self.read(async { Ok(self.links().update_one(filter, update).await?) }).await?;
        Ok(changed.matched_count == 1)
    }
}

async fn create(db: &FilesDb, tx: &mut Tx, space: SpaceId, new: &NewLink) -> TxResult<Link, NodeError> {
    let node = path::live(db, tx, new.node).await?.node;
    // nobody else changes this tree meanwhile, or one of both begins anew
    let change = Change { events: 1, ..Change::default() };
    let seq = space::must_number(db, tx, space, change).await?;
    let event = FileEvent::of(&node, FileEventKind::Linked, new.by.into(), new.at);
    activity::keep(db, tx, &event, seq).await?;
    let made = LinkDoc::of(new, &node);
    db.links().insert_one(&made).session(tx.session()).await?;
    count_on(db, tx, node.id, "links", 1).await?;
    Ok(made.read()?)
}

#[async_trait]
impl LinkStore for FilesDb {
    async fn create_link(&self, link: &NewLink) -> Result<Link, NodeError> {
        let space = self.space_of(link.node).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move { create(self, &mut tx, space, link).await }).await
    }

    async fn find_link(&self, id: LinkId) -> PortResult<Option<Link>> {
        self.find_one_link(doc! { "id": id.oid() }).await
    }

    async fn find_link_by_token(&self, token: LinkToken) -> PortResult<Option<Link>> {
        self.find_one_link(doc! { "_id": binary(token.bytes()) }).await
    }

    async fn change_link(&self, id: LinkId, change: &LinkChange) -> PortResult<Option<Link>> {
        let update = update(change);
        if update.is_empty() {
            return self.find_link(id).await;
        }
        let changed = self
            .read(async {
                let links = self.links();
                let changed = links.find_one_and_update(doc! { "id": id.oid() }, update);
                Ok(changed.return_document(ReturnDocument::After).await?)
            })
            .await?;
        Ok(changed.map(LinkDoc::read).transpose()?)
    }

    async fn remove_link(&self, id: LinkId, by: Option<UserId>, at: Timestamp) -> PortResult<bool> {
        let Some(link) = self.find_link(id).await? else { return Ok(false) };
        self.write(link.space.oid(), |mut tx| {
            let token = binary(link.token.bytes());
            async move {
                let removed = self.links().delete_one(doc! { "_id": token }).session(tx.session()).await?;
                if removed.deleted_count == 0 {
                    return Ok(false);
                }
                count_on(self, &mut tx, link.node, "links", -1).await?;
                let doer = Doer { user: by, link: None };
                activity::tell_of(self, &mut tx, link.node, FileEventKind::Unlinked, doer, at).await?;
                Ok(true)
            }
        })
        .await
    }

    async fn count_open(&self, id: LinkId, at: Timestamp) -> PortResult<()> {
        let opened = doc! { "$inc": { "opens": 1_i64 }, "$set": { "last_used_at": at.millis() } };
        self.update_link(doc! { "id": id.oid() }, opened).await.map(drop)
    }

    async fn note_drop(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<()> {
        link_notices::count(self, id, (doc! {}, doc! { "new_drops": 1_i64 }), at, used).await.map(drop)
    }

    async fn take_download(&self, id: LinkId, at: Timestamp, used: &LinkUse) -> PortResult<TakeDownload> {
        // one document, so that of simultaneous ones each sees what the others counted
        let left = doc! { "$expr": { "$lt": ["$downloads", "$max_downloads"] } };
        let counters = doc! { "downloads": 1_i64, "new_downloads": 1_i64 };
        if link_notices::count(self, id, (left, counters), at, used).await? {
            return Ok(TakeDownload::Taken);
        }
        Ok(match self.find_link(id).await? {
            Some(_) => TakeDownload::Exhausted,
            None => TakeDownload::Gone,
        })
    }

    async fn open_notice(&self, id: LinkId, job: JobId) -> PortResult<Option<LinkNotice>> {
        link_notices::open(self, id, job).await
    }

    async fn close_notice(&self, id: LinkId, job: JobId, next: &NewJob, at: Timestamp) -> PortResult<()> {
        link_notices::close(self, id, job, next, at).await
    }

    async fn list_links(&self, of: &AccessOf, after: Option<LinkId>, limit: u32) -> PortResult<Vec<Link>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut filter = filter(of);
        if let Some(after) = after {
            filter.insert("id", doc! { "$lt": after.oid() });
        }
        self.read(async {
            let links = self.links();
            let found = links.find(filter).sort(doc! { "id": -1 }).limit(i64::from(limit));
            let found: Vec<LinkDoc> = found.max_time(self.engine.deadline()).await?.try_collect().await?;
            Ok(found.into_iter().map(LinkDoc::read).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn count_links(&self, of: &AccessOf) -> PortResult<u64> {
        let filter = filter(of);
        self.read(async { Ok(self.links().count_documents(filter).await?) }).await
    }

    async fn list_public(&self, space: SpaceId, after: Option<FileId>, limit: u32) -> PortResult<Vec<Node>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut filter = public(space);
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after.oid() });
        }
        self.read(async {
            let nodes = self.nodes();
            let found = nodes.find(filter).sort(doc! { "_id": -1 }).limit(i64::from(limit));
            let found: Vec<NodeDoc> = found.max_time(self.engine.deadline()).await?.try_collect().await?;
            Ok(found.into_iter().map(NodeDoc::node).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn count_public(&self, space: SpaceId) -> PortResult<u64> {
        self.read(async { Ok(self.nodes().count_documents(public(space)).await?) }).await
    }
}

fn public(space: SpaceId) -> Document {
    doc! { "space": space.oid(), "public_since": { "$exists": true }, "deleted": false }
}
