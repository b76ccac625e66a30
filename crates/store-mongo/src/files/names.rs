//! Free names.

use common::files::{NodeError, NodeName};
use common::{FileId, SpaceId};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::{FilesDb, any, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, id};

/// Finds the live child with this name.
pub(super) fn filter(space: SpaceId, parent: FileId, name: &str) -> Document {
    doc! { "space": space.oid(), "parent": parent.oid(), "name": name, "live": true }
}

/// The live child with this name.
pub(super) async fn holder(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    parent: FileId,
    name: &NodeName,
) -> Result<Option<FileId>, Fault> {
    #[derive(Deserialize)]
    struct Holder {
        #[serde(rename = "_id")]
        id: ObjectId,
    }
    let holder = db
        .collection::<Holder>(schema::NODES)
        .find_one(filter(space, parent, name.as_str()))
        .projection(doc! { "_id": 1 })
        .session(tx.session())
        .await?;
    Ok(holder.map(|holder| id(holder.id)))
}

/// The name itself, or the next free `name (n)` where that is allowed. It stays free until the commit: whoever else would take it also
/// writes the document of the space.
pub(super) async fn free(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    parent: FileId,
    name: &NodeName,
    rename_if_taken: bool,
) -> TxResult<NodeName, NodeError> {
    match holder(db, tx, space, parent, name).await? {
        None => Ok(name.clone()),
        Some(_) if rename_if_taken => {
            Ok(Numbers { db, space, parent, name, for_a_guest: false }.next(tx).await?)
        }
        Some(existing) => Err(NodeError::NameTaken { existing }.into()),
    }
}

/// The name itself, or the next free `name (n)`, for what leaves the folder again: what was trashed there comes back under its own name meanwhile.
pub(super) async fn free_for_a_guest(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    parent: FileId,
    name: &NodeName,
) -> Result<NodeName, Fault> {
    let numbers = Numbers { db, space, parent, name, for_a_guest: true };
    if numbers.is_name_free(tx, name).await? { Ok(name.clone()) } else { numbers.next(tx).await }
}

struct Numbers<'a> {
    db: &'a FilesDb,
    space: SpaceId,
    parent: FileId,
    name: &'a NodeName,
    /// What was trashed there has its name, too.
    for_a_guest: bool,
}

impl Numbers<'_> {
    async fn is_free(&self, tx: &mut Tx, n: u64) -> Result<bool, Fault> {
        self.is_name_free(tx, &self.name.numbered(n)).await
    }

    async fn is_name_free(&self, tx: &mut Tx, name: &NodeName) -> Result<bool, Fault> {
        let nodes = self.db.collection(schema::NODES);
        if any(&nodes, filter(self.space, self.parent, name.as_str()), tx).await? {
            return Ok(false);
        }
        let trashed = doc! {
            "space": self.space.oid(), "parent": self.parent.oid(), "name": name.as_str(), "in_trash": true,
        };
        Ok(!self.for_a_guest || !any(&nodes, trashed, tx).await?)
    }

    /// The free `name (n)` after a taken one: the first, unless someone left gaps. This process knows where it was last;
    /// else doubling, then halving: 27 looks for 10,000 taken names.
    async fn next(&self, tx: &mut Tx) -> Result<NodeName, Fault> {
        let remembered = (self.parent, self.name.as_str().to_owned());
        let (mut taken, mut free) = (1, 2);
        if let Some(last) = self.db.numbers.get(&remembered)
            && !self.is_free(tx, last).await?
        {
            (taken, free) = (last, last + 1);
        }
        let mut step = free - taken;
        while !self.is_free(tx, free).await? {
            (taken, free) = (free, free + step);
            step *= 2;
        }
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            if self.is_free(tx, middle).await? {
                free = middle;
            } else {
                taken = middle;
            }
        }
        self.db.numbers.put(remembered, free);
        Ok(self.name.numbered(free))
    }
}
