use common::auth::AddressKey;
use common::{Timestamp, UserId};
use rusqlite::Connection;

use crate::engine::Tx;

/// Devices that are kept of an account.
const KEPT: u32 = 64;
/// Stands for devices that were forgotten. No device has this hash.
const SOME: [u8; 32] = [0; 32];

pub(super) fn is_of(connection: &Connection, key: &AddressKey, hash: &[u8; 32]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM devices WHERE hash = ?2 AND user = (SELECT id FROM users WHERE address_key = ?1))",
        )?
        .query_row((key.as_str(), hash), |row| row.get(0))
}

/// Whether it is new where others are known.
pub(super) fn note(tx: &Tx<'_>, user: UserId, hashes: &[[u8; 32]], at: Timestamp) -> rusqlite::Result<bool> {
    let any: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE user = ?1)")?
        .query_row([user.bytes()], |row| row.get(0))?;
    let mut known = false;
    for hash in hashes {
        let updated = tx
            .prepare_cached("UPDATE devices SET seen_at = ?3 WHERE user = ?1 AND hash = ?2")?
            .execute((user.bytes(), hash, at.millis()))?;
        if updated == 0 {
            tx.prepare_cached("INSERT INTO devices (user, hash, seen_at) VALUES (?1, ?2, ?3)")?.execute((
                user.bytes(),
                hash,
                at.millis(),
            ))?;
        }
        known |= updated == 1;
    }
    tx.prepare_cached(
        "DELETE FROM devices WHERE user = ?1 AND hash NOT IN
         (SELECT hash FROM devices WHERE user = ?1 ORDER BY seen_at DESC, hash LIMIT ?2)",
    )?
    .execute((user.bytes(), KEPT))?;
    Ok(any && !known && !hashes.is_empty())
}

/// Forgets all but those that go by these hashes. [`SOME`] stands for those that were known, so that the next other one is new.
pub(in crate::auth) fn forget(
    tx: &Tx<'_>,
    user: UserId,
    keep: &[[u8; 32]],
    at: Timestamp,
) -> rusqlite::Result<()> {
    let mut known =
        tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE user = ?1 AND hash = ?2)")?;
    let mut kept = Vec::new();
    for hash in keep {
        if known.query_row((user.bytes(), hash), |row| row.get(0))? {
            kept.push(*hash);
        }
    }
    let removed = tx.prepare_cached("DELETE FROM devices WHERE user = ?1")?.execute([user.bytes()])?;
    if removed > 0 {
        kept.push(SOME);
    }
    let mut insert = tx.prepare_cached("INSERT INTO devices (user, hash, seen_at) VALUES (?1, ?2, ?3)")?;
    for hash in kept {
        insert.execute((user.bytes(), hash, at.millis()))?;
    }
    Ok(())
}

pub(super) fn remove_of(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM devices WHERE user = ?1")?.execute([user.bytes()]).map(drop)
}
