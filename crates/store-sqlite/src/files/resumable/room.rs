//! What changes of an upload together with what is set aside for it.

use common::files::{NodeError, Saved, Upload, UploadRole, UploadState};
use common::{ReservationId, Timestamp, UploadId};
use rusqlite::OptionalExtension as _;

use super::{COLUMNS, upload};
use crate::engine::{Tx, TxResult};
use crate::files::space;
use crate::row::{RowExt as _, int};

pub(super) fn insert(tx: &Tx<'_>, upload: &Upload, bytes: u64, until: Timestamp) -> TxResult<(), NodeError> {
    super::insert(tx, upload)?;
    match upload.reservation {
        Some(reservation) => space::reserve(tx, upload.space, reservation, &[], bytes, until),
        None => Ok(()),
    }
}

pub(super) fn save(
    tx: &Tx<'_>,
    upload: &Upload,
    merged: &[ReservationId],
    bytes: u64,
    until: Timestamp,
) -> TxResult<Saved, NodeError> {
    let saved = super::save(tx, upload)?;
    if let (Saved::Kept { .. }, Some(reservation)) = (saved, upload.reservation) {
        space::reserve(tx, upload.space, reservation, merged, bytes, until)?;
    }
    Ok(saved)
}

pub(super) fn save_without_parts(tx: &Tx<'_>, whole: &Upload) -> rusqlite::Result<(Saved, Vec<Upload>)> {
    let saved = super::save(tx, whole)?;
    if saved == Saved::Lost || !matches!(whole.role, UploadRole::Final(_)) {
        return Ok((saved, Vec::new()));
    }
    let parts: Vec<Upload> = tx
        .prepare_cached(&format!(
            "DELETE FROM uploads WHERE role = 'part' AND id IN (SELECT part FROM upload_parts WHERE upload = ?1) RETURNING {COLUMNS}"
        ))?
        .query_map([whole.id.bytes()], upload)?
        .collect::<Result<_, _>>()?;
    for reservation in parts.iter().filter_map(|part| part.reservation) {
        space::release(tx, reservation)?;
    }
    Ok((saved, parts))
}

pub(super) fn remove(tx: &Tx<'_>, id: UploadId, generation: u64) -> rusqlite::Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM uploads WHERE id = ?1 AND generation = ?2 RETURNING reservation")?
        .query_row((id.bytes(), int(generation)), |row| row.id_opt::<ReservationId>(0))
        .optional()?;
    let Some(reservation) = removed else { return Ok(false) };
    tx.prepare_cached("DELETE FROM upload_parts WHERE upload = ?1")?.execute([id.bytes()])?;
    if let Some(reservation) = reservation {
        space::release(tx, reservation)?;
    }
    Ok(true)
}

/// Nobody who held an upload is there any more, to give back what is beyond [`Upload::due_bytes`].
pub(super) fn end_leases(tx: &Tx<'_>) -> rusqlite::Result<()> {
    let held: Vec<Upload> = tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM uploads WHERE lease_until IS NOT NULL AND reservation IS NOT NULL AND role != 'final'"
        ))?
        .query_map([], upload)?
        .collect::<Result<_, _>>()?;
    // that of a part which is whole may be that of the whole by now
    for upload in held.iter().filter(|upload| upload.state == UploadState::Open) {
        if let Some(reservation) = upload.reservation {
            space::lower(tx, reservation, upload.due_bytes())?;
        }
    }
    tx.prepare_cached(
        "UPDATE uploads SET lease_until = NULL, generation = generation + 1 WHERE lease_until IS NOT NULL",
    )?
    .execute([])
    .map(drop)
}
