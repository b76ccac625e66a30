use std::time::Duration;

use common::auth::ListedSession;
use common::{SessionId, Timestamp, UserId};
use rusqlite::Connection;

use crate::auth::sessions::{COLUMNS, session};
use crate::engine::Tx;
use crate::row::RowExt as _;

pub(super) fn list(
    connection: &Connection,
    user: UserId,
    before: Option<SessionId>,
    limit: u32,
    now: Timestamp,
) -> rusqlite::Result<Vec<ListedSession>> {
    // no id has more than twelve bytes, so this stands above all of them
    let before = before.map_or_else(|| vec![0xFF; 13], |id| id.bytes().to_vec());
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, last_used_at FROM sessions
             WHERE user = ?1 AND id < ?2 AND revoked_at IS NULL AND expires_at > ?3 ORDER BY id DESC LIMIT ?4"
        ))?
        .query_map((user.bytes(), before, now.millis(), limit), |row| {
            Ok(ListedSession { session: session(row)?, last_used_at: row.time_opt(9)? })
        })?
        .collect()
}

pub(super) fn count(connection: &Connection, user: UserId, now: Timestamp) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM sessions WHERE user = ?1 AND revoked_at IS NULL AND expires_at > ?2",
        )?
        .query_row((user.bytes(), now.millis()), |row| row.count(0))
}

pub(super) fn revoke_all(
    tx: &Tx<'_>,
    user: UserId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> rusqlite::Result<u64> {
    let ended = tx
        .prepare_cached(
            "UPDATE sessions SET revoked_at = ?2
             WHERE user = ?1 AND revoked_at IS NULL AND expires_at > ?2 AND id IS NOT ?3",
        )?
        .execute((user.bytes(), at.millis(), keep.map(|id| *id.bytes())))?;
    Ok(ended as u64)
}

pub(super) fn note_uses(
    tx: &Tx<'_>,
    uses: &[(SessionId, Timestamp)],
    apart: Duration,
) -> rusqlite::Result<()> {
    let mut update = tx.prepare_cached(
        "UPDATE sessions SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, created_at) <= ?3",
    )?;
    for (id, at) in uses {
        update.execute((id.bytes(), at.millis(), (*at - apart).millis()))?;
    }
    Ok(())
}
