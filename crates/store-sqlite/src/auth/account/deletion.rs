use common::auth::ChangeUserError;
use common::{Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _};

use super::{codes, devices, sessions, totp};
use crate::auth::{admin, exports, identities, users};
use crate::engine::{Tx, TxResult};
use crate::row::RowExt as _;

pub(super) fn schedule(
    tx: &Tx<'_>,
    user: UserId,
    deletes_at: Timestamp,
    at: Timestamp,
) -> TxResult<bool, ChangeUserError> {
    let Some(found) = users::find(tx, user)?.filter(|found| !found.disabled) else { return Ok(false) };
    admin::leave_an_administrator(tx, &found)?;
    tx.prepare_cached("UPDATE users SET deletes_at = ?2 WHERE id = ?1")?
        .execute((user.bytes(), deletes_at.millis()))?;
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

pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<(UserId, Timestamp)>> {
    connection
        .prepare_cached(
            "SELECT id, deletes_at FROM users WHERE deletes_at IS NOT NULL AND deletes_at <= ?1
             ORDER BY deletes_at, id LIMIT ?2",
        )?
        .query_map((now.millis(), limit), |row| Ok((row.id(0)?, row.time(1)?)))?
        .collect()
}

pub(super) fn delete(tx: &Tx<'_>, user: UserId, deletes_at: Timestamp) -> rusqlite::Result<bool> {
    let bootstrap: Option<bool> = tx
        .prepare_cached("SELECT bootstrap FROM users WHERE id = ?1 AND deletes_at = ?2")?
        .query_row((user.bytes(), deletes_at.millis()), |row| row.get(0))
        .optional()?;
    let Some(bootstrap) = bootstrap else { return Ok(false) };
    remove(tx, user, bootstrap)?;
    Ok(true)
}

/// Removes an account and everything that is kept of it.
pub(in crate::auth) fn remove(tx: &Tx<'_>, user: UserId, bootstrap: bool) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?1)",
        "DELETE FROM sessions WHERE user = ?1",
        "DELETE FROM api_tokens WHERE user = ?1",
        "DELETE FROM group_members WHERE user = ?1",
        "DELETE FROM users WHERE id = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([user.bytes()])?;
    }
    if !bootstrap {
        tx.prepare_cached("UPDATE counters SET value = value - 1 WHERE name = 'users'")?.execute([])?;
    }
    codes::remove_of(tx, user)?;
    identities::remove_of(tx, user)?;
    totp::remove_codes(tx, user)?;
    exports::remove_of(tx, user)?;
    devices::remove_of(tx, user)
}
