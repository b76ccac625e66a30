//! What changes of an upload together with what is set aside for it.

use common::files::{NodeError, Saved, Upload};
use common::{PortResult, ReservationId, SpaceId, Timestamp, UploadId};
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use mongodb::options::ReturnDocument;

use super::{UploadDoc, saving, uploads};
use crate::engine::{Fault, Tx};
use crate::files::{FilesDb, all, reservations};
use crate::value::{ToOid as _, id as read_id, int};

async fn keep(db: &FilesDb, tx: &mut Tx, upload: &Upload) -> Result<Saved, Fault> {
    let (own, change) = saving(upload);
    let saved = uploads(db)
        .find_one_and_update(own, change)
        .return_document(ReturnDocument::After)
        .session(tx.session())
        .await?;
    Ok(saved.map_or(Saved::Lost, |saved| Saved::Kept { wanted: saved.wanted }))
}

pub(super) async fn insert(
    db: &FilesDb,
    upload: &Upload,
    reservation: ReservationId,
    bytes: u64,
    until: Timestamp,
) -> Result<(), NodeError> {
    let space = upload.space;
    let new = &UploadDoc::of(upload);
    db.change(space, |mut tx| async move {
        uploads(db).insert_one(new).session(tx.session()).await?;
        reservations::reserve(db, &mut tx, space, reservation, &[], bytes, until).await
    })
    .await
}

pub(super) async fn save(
    db: &FilesDb,
    upload: &Upload,
    (reservation, merged): (ReservationId, &[ReservationId]),
    bytes: u64,
    until: Timestamp,
) -> Result<Saved, NodeError> {
    let space = upload.space;
    db.change(space, |mut tx| async move {
        let saved = keep(db, &mut tx, upload).await?;
        if saved != Saved::Lost {
            reservations::reserve(db, &mut tx, space, reservation, merged, bytes, until).await?;
        }
        Ok(saved)
    })
    .await
}

pub(super) async fn save_without_parts(
    db: &FilesDb,
    whole: &Upload,
    parts: &[UploadId],
) -> PortResult<(Saved, Vec<Upload>)> {
    let ids: Vec<ObjectId> = parts.iter().map(|part| part.oid()).collect();
    let ids = &ids;
    db.write(whole.space.oid(), |mut tx| async move {
        let saved = keep(db, &mut tx, whole).await?;
        if saved == Saved::Lost {
            return Ok((saved, Vec::new()));
        }
        let these = || doc! { "_id": { "$in": ids }, "role": "part" };
        let found = all(uploads(db).find(these()), &mut tx).await?;
        uploads(db).delete_many(these()).session(tx.session()).await?;
        let parts = found.into_iter().map(UploadDoc::upload).collect::<Result<Vec<_>, _>>()?;
        let held: Vec<ReservationId> = parts.iter().filter_map(|part| part.reservation).collect();
        reservations::release_all(db, &mut tx, whole.space, &held).await?;
        Ok((saved, parts))
    })
    .await
}

pub(super) async fn remove(db: &FilesDb, id: UploadId, generation: u64) -> PortResult<bool> {
    let own = doc! { "_id": id.oid(), "generation": int(generation) };
    let found = db.read(async { Ok(uploads(db).find_one(own.clone()).await?) }).await?;
    let Some(found) = found else { return Ok(false) };
    let Some(reservation) = found.reservation.map(read_id::<ReservationId>) else {
        return db.read(async { Ok(uploads(db).delete_one(own).await?.deleted_count > 0) }).await;
    };
    let (own, space): (_, SpaceId) = (&own, read_id(found.space));
    db.write(found.space, |mut tx| async move {
        let removed = uploads(db).delete_one(own.clone()).session(tx.session()).await?.deleted_count > 0;
        if removed {
            reservations::release_all(db, &mut tx, space, &[reservation]).await?;
        }
        Ok(removed)
    })
    .await
}
