use common::UserId;
use common::auth::TotpConfirmation;
use rusqlite::Connection;

use super::{devices, sessions};
use crate::engine::Tx;
use crate::row::{RowExt as _, int};

pub(super) fn begin(tx: &Tx<'_>, user: UserId, sealed: &[u8]) -> rusqlite::Result<bool> {
    let begun = tx
        .prepare_cached(
            "UPDATE users SET totp = ?2, totp_step = 0 WHERE id = ?1 AND totp_confirmed_at IS NULL",
        )?
        .execute((user.bytes(), sealed))?;
    Ok(begun == 1)
}

pub(super) fn confirm(tx: &Tx<'_>, confirmation: &TotpConfirmation) -> rusqlite::Result<bool> {
    let TotpConfirmation { user, sealed, step, recovery, keep, keep_devices, at } = confirmation;
    let confirmed = tx
        .prepare_cached(
            "UPDATE users SET totp_confirmed_at = ?4, totp_step = ?3
             WHERE id = ?1 AND totp = ?2 AND totp_confirmed_at IS NULL",
        )?
        .execute((user.bytes(), sealed, int(*step), at.millis()))?;
    if confirmed == 0 {
        return Ok(false);
    }
    remove_codes(tx, *user)?;
    let mut insert = tx.prepare_cached("INSERT INTO recovery_codes (user, hash) VALUES (?1, ?2)")?;
    for hash in recovery {
        insert.execute((user.bytes(), hash))?;
    }
    sessions::revoke_all(tx, *user, *keep, *at)?;
    devices::forget(tx, *user, keep_devices, *at)?;
    Ok(true)
}

pub(super) fn use_step(tx: &Tx<'_>, user: UserId, step: u64) -> rusqlite::Result<bool> {
    let used = tx
        .prepare_cached(
            "UPDATE users SET totp_step = ?2 WHERE id = ?1 AND totp_confirmed_at IS NOT NULL AND totp_step < ?2",
        )?
        .execute((user.bytes(), int(step)))?;
    Ok(used == 1)
}

pub(super) fn use_recovery_code(tx: &Tx<'_>, user: UserId, hash: &[u8; 32]) -> rusqlite::Result<Option<u32>> {
    let used = tx
        .prepare_cached("DELETE FROM recovery_codes WHERE user = ?1 AND hash = ?2")?
        .execute((user.bytes(), hash))?;
    if used == 0 {
        return Ok(None);
    }
    let left = tx
        .prepare_cached("SELECT count(*) FROM recovery_codes WHERE user = ?1")?
        .query_row([user.bytes()], |row| row.count(0))?;
    Ok(Some(u32::try_from(left).unwrap_or(u32::MAX)))
}

pub(super) fn remove(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<bool> {
    let removed = tx
        .prepare_cached(
            "UPDATE users SET totp = NULL, totp_confirmed_at = NULL, totp_step = 0 WHERE id = ?1 AND totp IS NOT NULL",
        )?
        .execute([user.bytes()])?;
    remove_codes(tx, user)?;
    Ok(removed == 1)
}

pub(super) fn remove_codes(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM recovery_codes WHERE user = ?1")?.execute([user.bytes()]).map(drop)
}

pub(super) fn list_sealed(
    connection: &Connection,
    after: Option<UserId>,
    limit: u32,
) -> rusqlite::Result<Vec<(UserId, Vec<u8>)>> {
    // no id is empty, so this stands below all of them
    let after = after.map_or_else(Vec::new, |id| id.bytes().to_vec());
    connection
        .prepare_cached("SELECT id, totp FROM users WHERE totp IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2")?
        .query_map((after, limit), |row| Ok((row.id(0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn reseal(tx: &Tx<'_>, user: UserId, old: &[u8], new: &[u8]) -> rusqlite::Result<bool> {
    let resealed = tx.prepare_cached("UPDATE users SET totp = ?3 WHERE id = ?1 AND totp = ?2")?.execute((
        user.bytes(),
        old,
        new,
    ))?;
    Ok(resealed == 1)
}
