//! Rights to nodes that people were given. Each node counts its own, so that a list of files can say which are shared.

use async_trait::async_trait;
use common::files::{
    Doer, FileEvent, FileEventKind, Grant, Grantee, NewShare, NodeError, Share, ShareRole, ShareStore,
    SharesOf,
};
use common::{FileId, GroupId, PortResult, ShareId, SpaceId, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::space::{self, Change};
use super::{FilesDb, activity, path, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, id, oids};

#[derive(Serialize, Deserialize)]
pub(super) struct ShareDoc {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) node: ObjectId,
    pub(super) space: ObjectId,
    pub(super) to_group: bool,
    pub(super) grantee: ObjectId,
    pub(super) role: String,
    pub(super) by: ObjectId,
    pub(super) at: i64,
}

/// A grantee as the fields `to_group` and `grantee` have it.
pub(super) fn fields_of(grantee: Grantee) -> (bool, ObjectId) {
    match grantee {
        Grantee::User(id) => (false, id.oid()),
        Grantee::Group(id) => (true, id.oid()),
    }
}

fn grantee(to_group: bool, grantee: ObjectId) -> Grantee {
    if to_group { Grantee::Group(id(grantee)) } else { Grantee::User(id(grantee)) }
}

fn role(word: &str) -> Result<ShareRole, Fault> {
    ShareRole::parse(word).ok_or(Fault::Damaged("an unknown role of a share"))
}

impl ShareDoc {
    pub(super) fn read(self) -> Result<Share, Fault> {
        Ok(Share {
            id: id(self.id),
            node: id(self.node),
            space: id(self.space),
            grantee: grantee(self.to_group, self.grantee),
            role: role(&self.role)?,
            by: id(self.by),
            at: Timestamp::from_millis(self.at),
        })
    }
}

fn filter(of: &SharesOf) -> Document {
    match of {
        SharesOf::Node(node) => doc! { "node": node.oid() },
        SharesOf::Space(space) => doc! { "space": space.oid() },
        SharesOf::Giver(space, giver) => {
            doc! { "$or": [{ "space": space.oid() }, { "by": giver.oid() }] }
        }
        SharesOf::Receiver(user, groups) => received(*user, groups),
    }
}

fn received(user: UserId, groups: &[GroupId]) -> Document {
    let own = doc! { "grantee": user.oid(), "to_group": false };
    if groups.is_empty() {
        return own;
    }
    doc! { "$or": [own, { "grantee": { "$in": oids(groups) }, "to_group": true }] }
}

impl FilesDb {
    fn shares(&self) -> Collection<ShareDoc> {
        self.collection(schema::SHARES)
    }

    /// The filter of a list, with the space of a node, by which shares are found.
    async fn shares_filter(&self, of: &SharesOf) -> PortResult<Document> {
        let mut filter = filter(of);
        if let SharesOf::Node(node) = of
            && let Some(space) = self.space_of(*node).await?
        {
            filter.insert("space", space.oid());
        }
        Ok(filter)
    }
}

/// Counts a share or a link of a node that is still there more, or less.
pub(super) async fn count_on(
    db: &FilesDb,
    tx: &mut Tx,
    node: FileId,
    field: &str,
    change: i64,
) -> Result<(), Fault> {
    let counted = doc! { "$inc": { field: change } };
    db.nodes().update_one(doc! { "_id": node.oid() }, counted).session(tx.session()).await?;
    Ok(())
}

async fn put(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    new: &NewShare,
) -> TxResult<(Share, bool), NodeError> {
    let node = path::live(db, tx, new.node).await?.node;
    let (to_group, grantee) = fields_of(new.grantee);
    let present =
        doc! { "space": space.oid(), "node": node.id.oid(), "to_group": to_group, "grantee": grantee };
    let present = db
        .shares()
        .find_one_and_update(present, doc! { "$set": { "role": new.role.word() } })
        .return_document(ReturnDocument::After)
        .session(tx.session())
        .await?;
    if let Some(present) = present {
        // nobody else changes this tree meanwhile, or one of both begins anew
        space::must_apply(db, tx, space, Change::default()).await?;
        return Ok((present.read()?, false));
    }
    activity::tell(db, tx, &FileEvent::of(&node, FileEventKind::Shared, new.by.into(), new.at)).await?;
    let made = ShareDoc {
        id: new.id.oid(),
        node: node.id.oid(),
        space: space.oid(),
        to_group,
        grantee,
        role: new.role.word().to_owned(),
        by: new.by.oid(),
        at: new.at.millis(),
    };
    db.shares().insert_one(&made).session(tx.session()).await?;
    count_on(db, tx, node.id, "shares", 1).await?;
    Ok((made.read()?, true))
}

#[async_trait]
impl ShareStore for FilesDb {
    async fn put_share(&self, share: &NewShare) -> Result<(Share, bool), NodeError> {
        let space = self.space_of(share.node).await?.ok_or(NodeError::NotFound)?;
        self.change(space, |mut tx| async move { put(self, &mut tx, space, share).await }).await
    }

    async fn find_share(&self, id: ShareId) -> PortResult<Option<Share>> {
        let found = self.read(async { Ok(self.shares().find_one(doc! { "_id": id.oid() }).await?) }).await?;
        Ok(found.map(ShareDoc::read).transpose()?)
    }

    async fn set_share_role(&self, id: ShareId, role: ShareRole) -> PortResult<Option<Share>> {
        let changed = self
            .read(async {
                let change = doc! { "$set": { "role": role.word() } };
                let shares = self.shares();
                let changed = shares.find_one_and_update(doc! { "_id": id.oid() }, change);
                Ok(changed.return_document(ReturnDocument::After).await?)
            })
            .await?;
        Ok(changed.map(ShareDoc::read).transpose()?)
    }

    async fn remove_share(&self, id: ShareId, by: Option<UserId>, at: Timestamp) -> PortResult<bool> {
        let Some(share) = self.find_share(id).await? else { return Ok(false) };
        self.write(share.space.oid(), |mut tx| async move {
            let removed = self.shares().delete_one(doc! { "_id": id.oid() }).session(tx.session()).await?;
            if removed.deleted_count == 0 {
                return Ok(false);
            }
            count_on(self, &mut tx, share.node, "shares", -1).await?;
            let doer = Doer { user: by, link: None };
            activity::tell_of(self, &mut tx, share.node, FileEventKind::Unshared, doer, at).await?;
            Ok(true)
        })
        .await
    }

    async fn find_grants(&self, space: SpaceId, nodes: &[FileId], user: UserId) -> PortResult<Vec<Grant>> {
        #[derive(Deserialize)]
        struct Found {
            node: ObjectId,
            to_group: bool,
            grantee: ObjectId,
            role: String,
            at: i64,
        }
        let filter = doc! {
            "space": space.oid(),
            "node": { "$in": oids(nodes) },
            "$or": [{ "to_group": true }, { "to_group": false, "grantee": user.oid() }],
        };
        self.read(async {
            let found = self
                .collection::<Found>(schema::SHARES)
                .find(filter)
                .projection(doc! { "_id": 0, "node": 1, "to_group": 1, "grantee": 1, "role": 1, "at": 1 })
                .max_time(self.engine.deadline())
                .await?;
            let found: Vec<Found> = found.try_collect().await?;
            let grants = found.into_iter().map(|found| {
                let grantee = grantee(found.to_group, found.grantee);
                let at = Timestamp::from_millis(found.at);
                Ok(Grant { node: id(found.node), grantee, role: role(&found.role)?, at })
            });
            Ok(grants.collect::<Result<_, Fault>>()?)
        })
        .await
    }

    async fn list_shares(&self, of: &SharesOf, after: Option<ShareId>, limit: u32) -> PortResult<Vec<Share>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut filter = self.shares_filter(of).await?;
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after.oid() });
        }
        self.read(async {
            let shares = self.shares();
            let found = shares.find(filter).sort(doc! { "_id": -1 }).limit(i64::from(limit));
            let found: Vec<ShareDoc> = found.max_time(self.engine.deadline()).await?.try_collect().await?;
            Ok(found.into_iter().map(ShareDoc::read).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn count_shares(&self, of: &SharesOf) -> PortResult<u64> {
        let filter = self.shares_filter(of).await?;
        self.read(async { Ok(self.shares().count_documents(filter).await?) }).await
    }
}
