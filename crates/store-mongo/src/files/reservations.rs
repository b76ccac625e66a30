//! Bytes set aside for uploads under way: a document for each, and their sum in the space's.

use std::collections::BTreeMap;

use common::files::NodeError;
use common::{PortResult, ReservationId, SpaceId, Timestamp};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::space::{self, Change};
use super::{FilesDb, all, schema};
use crate::engine::{Fault, Tx, TxResult};
use crate::value::{ToOid as _, id as read_id, int};

#[derive(Serialize, Deserialize)]
struct Reservation {
    #[serde(rename = "_id")]
    id: ObjectId,
    space: ObjectId,
    bytes: i64,
    expires_at: i64,
}

fn reservations(db: &FilesDb) -> Collection<Reservation> {
    db.collection(schema::RESERVATIONS)
}

/// Sets bytes aside under `id`, in place of what that and these held.
pub(super) async fn reserve(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    id: ReservationId,
    merged: &[ReservationId],
    bytes: u64,
    expires_at: Timestamp,
) -> TxResult<(), NodeError> {
    let given = take_all(db, tx, space, id, merged).await?;
    let bytes = int(bytes);
    let new = Reservation { id: id.oid(), space: space.oid(), bytes, expires_at: expires_at.millis() };
    let old = reservations(db)
        .find_one_and_replace(doc! { "_id": id.oid() }, &new)
        .upsert(true)
        .return_document(ReturnDocument::Before)
        .session(tx.session())
        .await?;
    let held = given + settle(db, tx, space, old).await?;
    // giving some back is always possible, even under a quota that was lowered
    let must_fit = (bytes > held).then_some(bytes - held);
    let change = Change { reserved_bytes: bytes - held, must_fit, ..Change::default() };
    if space::apply(db, tx, space, change).await? {
        Ok(())
    } else if space::exists(db, tx, space).await? {
        Err(NodeError::OverQuota.into())
    } else {
        Err(NodeError::NotFound.into())
    }
}

/// Removes all of these but `id`; how many bytes they held in this space.
async fn take_all(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    id: ReservationId,
    merged: &[ReservationId],
) -> Result<i64, Fault> {
    let ids: Vec<ObjectId> = merged.iter().filter(|one| **one != id).map(|one| one.oid()).collect();
    take_these(db, tx, space, &ids).await
}

/// Removes these; how many bytes they held in this space.
async fn take_these(db: &FilesDb, tx: &mut Tx, space: SpaceId, ids: &[ObjectId]) -> Result<i64, Fault> {
    if ids.is_empty() {
        return Ok(0);
    }
    let these = || doc! { "_id": { "$in": ids } };
    let found = all(reservations(db).find(these()), tx).await?;
    reservations(db).delete_many(these()).session(tx.session()).await?;
    let mut held = 0;
    for one in found {
        held += settle(db, tx, space, Some(one)).await?;
    }
    Ok(held)
}

/// Gives back what these hold, in this space or another.
pub(super) async fn release_all(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    ids: &[ReservationId],
) -> Result<(), Fault> {
    let ids: Vec<ObjectId> = ids.iter().map(|one| one.oid()).collect();
    let held = take_these(db, tx, space, &ids).await?;
    if held == 0 {
        return Ok(());
    }
    let change = Change { reserved_bytes: -held, ..Change::default() };
    space::must_apply(db, tx, space, change).await
}

/// How much a reservation that is no more held in this space. What it held in another (which no caller does) goes back there.
async fn settle(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    reservation: Option<Reservation>,
) -> Result<i64, Fault> {
    match reservation {
        None => Ok(0),
        Some(held) if held.space == space.oid() => Ok(held.bytes),
        Some(held) => {
            let change = Change { reserved_bytes: -held.bytes, ..Change::default() };
            space::must_apply(db, tx, read_id(held.space), change).await.map(|()| 0)
        }
    }
}

/// Removes the reservation of a commit into this space; how many bytes it held there, which the caller takes off the space.
pub(super) async fn take(
    db: &FilesDb,
    tx: &mut Tx,
    space: SpaceId,
    reservation: Option<ReservationId>,
) -> Result<i64, Fault> {
    let Some(id) = reservation else { return Ok(0) };
    let taken = reservations(db).find_one_and_delete(doc! { "_id": id.oid() }).session(tx.session()).await?;
    settle(db, tx, space, taken).await
}

/// Lets a reservation last for longer.
pub(super) async fn prolong(db: &FilesDb, id: ReservationId, expires_at: Timestamp) -> PortResult<()> {
    let change = doc! { "$max": { "expires_at": expires_at.millis() } };
    db.read(async {
        reservations(db).update_one(doc! { "_id": id.oid() }, change).await?;
        Ok(())
    })
    .await
}

pub(super) async fn release(db: &FilesDb, id: ReservationId) -> PortResult<()> {
    let found = db.read(async { Ok(reservations(db).find_one(doc! { "_id": id.oid() }).await?) }).await?;
    let Some(found) = found else { return Ok(()) };
    let space: SpaceId = read_id(found.space);
    db.write(found.space, |mut tx| async move {
        let held = take(db, &mut tx, space, Some(id)).await?;
        let change = Change { reserved_bytes: -held, ..Change::default() };
        Ok(space::must_apply(db, &mut tx, space, change).await?)
    })
    .await
}

/// Reservations that expired are given back in commits of at most so many.
const SWEEP: i64 = 500;

/// Gives back what expired, space by space; how many.
pub(super) async fn sweep(db: &FilesDb, now: Timestamp) -> PortResult<u32> {
    let mut swept = 0;
    loop {
        let expired: Vec<Reservation> = db
            .read(async {
                let expired = reservations(db)
                    .find(doc! { "expires_at": { "$lt": now.millis() } })
                    .sort(doc! { "expires_at": 1 })
                    .limit(SWEEP)
                    .await?;
                Ok(expired.try_collect().await?)
            })
            .await?;
        if expired.is_empty() {
            return Ok(swept);
        }
        let mut by_space = BTreeMap::<ObjectId, Vec<ObjectId>>::new();
        for reservation in expired {
            by_space.entry(reservation.space).or_default().push(reservation.id);
        }
        for (space, ids) in by_space {
            let ids = &ids;
            swept += db.write(space, |tx| give_back(db, tx, space, ids, now)).await?;
        }
    }
}

/// What is still there of these, and expired.
async fn give_back(
    db: &FilesDb,
    mut tx: Tx,
    space: ObjectId,
    ids: &[ObjectId],
    now: Timestamp,
) -> TxResult<u32, common::PortError> {
    let expired = || doc! { "_id": { "$in": ids }, "space": space, "expires_at": { "$lt": now.millis() } };
    let expired_ones = all(reservations(db).find(expired()), &mut tx).await?;
    if expired_ones.is_empty() {
        return Ok(0);
    }
    reservations(db).delete_many(expired()).session(tx.session()).await?;
    let bytes: i64 = expired_ones.iter().map(|reservation| reservation.bytes).sum();
    let change = Change { reserved_bytes: -bytes, ..Change::default() };
    space::must_apply(db, &mut tx, read_id(space), change).await?;
    Ok(u32::try_from(expired_ones.len()).unwrap_or(u32::MAX))
}
