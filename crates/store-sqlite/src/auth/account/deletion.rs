use common::{Timestamp, UserId};
use rusqlite::OptionalExtension as _;

use super::{codes, devices, sessions, totp};
use crate::engine::Tx;

pub(super) fn schedule(
    tx: &Tx<'_>,
    user: UserId,
    deletes_at: Timestamp,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let scheduled = tx
        .prepare_cached(
            "UPDATE users SET deletes_at = ?2 WHERE id = ?1 AND deletes_at IS NULL AND NOT disabled",
        )?
        .execute((user.bytes(), deletes_at.millis()))?;
    if scheduled == 0 {
        return Ok(false);
    }
    sessions::revoke_all(tx, user, None, at)?;
    codes::remove_of(tx, user)?;
    Ok(true)
}

pub(super) fn cancel(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<bool> {
    let cancelled = tx
        .prepare_cached("UPDATE users SET deletes_at = NULL WHERE id = ?1 AND deletes_at IS NOT NULL")?
        .execute([user.bytes()])?;
    Ok(cancelled == 1)
}

pub(super) fn delete(tx: &Tx<'_>, user: UserId, deletes_at: Timestamp) -> rusqlite::Result<bool> {
    let bootstrap: Option<bool> = tx
        .prepare_cached("DELETE FROM users WHERE id = ?1 AND deletes_at = ?2 RETURNING bootstrap")?
        .query_row((user.bytes(), deletes_at.millis()), |row| row.get(0))
        .optional()?;
    let Some(bootstrap) = bootstrap else { return Ok(false) };
    if !bootstrap {
        tx.prepare_cached("UPDATE counters SET value = value - 1 WHERE name = 'users'")?.execute([])?;
    }
    tx.prepare_cached(
        "DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?1)",
    )?
    .execute([user.bytes()])?;
    tx.prepare_cached("DELETE FROM sessions WHERE user = ?1")?.execute([user.bytes()])?;
    codes::remove_of(tx, user)?;
    totp::remove_codes(tx, user)?;
    devices::forget(tx, user)?;
    Ok(true)
}
