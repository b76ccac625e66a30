use common::auth::{RefreshOutcome, Session, SessionKind};
use common::{SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::engine::Tx;
use crate::row::RowExt as _;

pub(super) const COLUMNS: &str =
    "id, user, kind, created_at, expires_at, revoked_at, device, address, refresh_hash";

pub(super) fn insert(tx: &Tx<'_>, session: &Session) -> rusqlite::Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO sessions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    ))?
    .execute((
        session.id.bytes(),
        session.user.bytes(),
        session.kind.word(),
        session.created_at.millis(),
        session.expires_at.millis(),
        session.revoked_at.map(Timestamp::millis),
        &session.device,
        &session.address,
        session.refresh_hash,
    ))?;
    if let Some(hash) = &session.refresh_hash {
        remember(tx, hash, session.id)?;
    }
    Ok(())
}

pub(super) fn find(connection: &Connection, id: SessionId) -> rusqlite::Result<Option<Session>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))?
        .query_row([id.bytes()], session)
        .optional()
}

/// False if it is unknown, or was ended or past its time before.
pub(super) fn revoke(tx: &Tx<'_>, id: SessionId, at: Timestamp) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("UPDATE sessions SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute((id.bytes(), at.millis()))?;
    Ok(changed == 1)
}

pub(super) fn rotate(
    tx: &Tx<'_>,
    presented: &[u8; 32],
    new: &[u8; 32],
    at: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<RefreshOutcome> {
    let found = tx
        .prepare_cached("SELECT session FROM refresh_tokens WHERE hash = ?1")?
        .query_row([presented], |row| row.id::<SessionId>(0))
        .optional()?;
    let Some(id) = found else { return Ok(RefreshOutcome::Unknown) };
    let Some(session) = find(tx, id)?.filter(|session| session.is_live(at)) else {
        return Ok(RefreshOutcome::Unknown);
    };
    if session.refresh_hash.as_ref() != Some(presented) {
        revoke(tx, id, at)?;
        return Ok(RefreshOutcome::Reused(id));
    }
    tx.prepare_cached("UPDATE sessions SET refresh_hash = ?2, expires_at = ?3 WHERE id = ?1")?.execute((
        id.bytes(),
        new,
        expires_at.millis(),
    ))?;
    remember(tx, new, id)?;
    Ok(RefreshOutcome::Rotated(Session { refresh_hash: Some(*new), expires_at, ..session }))
}

fn remember(tx: &Tx<'_>, hash: &[u8; 32], session: SessionId) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO refresh_tokens (hash, session) VALUES (?1, ?2)")?
        .execute((hash, session.bytes()))
        .map(drop)
}

pub(super) fn remove_ended(tx: &Tx<'_>, before: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    let ended: Vec<SessionId> = tx
        .prepare_cached("SELECT id FROM sessions WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2")?
        .query_map((before.millis(), limit), |row| row.id(0))?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for id in ended {
        tx.prepare_cached("DELETE FROM refresh_tokens WHERE session = ?1")?.execute([id.bytes()])?;
        tx.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id.bytes()])?;
        removed += 1;
    }
    Ok(removed)
}

pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.id(0)?,
        user: row.id(1)?,
        kind: row.word(2, SessionKind::parse)?,
        created_at: row.time(3)?,
        expires_at: row.time(4)?,
        revoked_at: row.time_opt(5)?,
        device: row.get(6)?,
        address: row.get(7)?,
        refresh_hash: row.get(8)?,
    })
}
