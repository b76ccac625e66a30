use common::auth::{RefreshOutcome, RefreshStanding, RefreshToken, Session, SessionKind};
use common::{SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::engine::Tx;
use crate::row::RowExt as _;

const COLUMNS: &str = "id, user, kind, created_at, expires_at, revoked_at, device, address, refresh_hash";

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
        remember(tx, &RefreshToken { hash: *hash, given: None }, session.id)?;
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
    let Some((id, token)) = find_token(tx, presented)? else { return Ok(RefreshOutcome::Unknown) };
    let session = find(tx, id)?;
    let current = session.as_ref().and_then(|session| session.refresh_hash);
    let (Some(session), Some(current)) = (session, current) else { return Ok(RefreshOutcome::Unknown) };
    let Some((_, current)) = find_token(tx, &current)? else { return Ok(RefreshOutcome::Unknown) };
    let is_live = session.is_live(at);
    let session = match token.standing(&current, at) {
        RefreshStanding::Current if is_live => Session { refresh_hash: Some(*new), expires_at, ..session },
        RefreshStanding::Before if is_live => Session { expires_at, ..session },
        RefreshStanding::Current => return Ok(RefreshOutcome::Unknown),
        RefreshStanding::Before => return Ok(RefreshOutcome::Reused(id)),
        RefreshStanding::Used => {
            if is_live {
                revoke(tx, id, at)?;
            }
            return Ok(RefreshOutcome::Reused(id));
        }
    };
    tx.prepare_cached("UPDATE sessions SET refresh_hash = ?2, expires_at = ?3 WHERE id = ?1")?.execute((
        id.bytes(),
        session.refresh_hash,
        expires_at.millis(),
    ))?;
    remember(tx, &RefreshToken { hash: *new, given: Some((*presented, at)) }, id)?;
    Ok(RefreshOutcome::Rotated(session))
}

fn find_token(
    connection: &Connection,
    hash: &[u8; 32],
) -> rusqlite::Result<Option<(SessionId, RefreshToken)>> {
    connection
        .prepare_cached("SELECT session, given_for, given_at FROM refresh_tokens WHERE hash = ?1")?
        .query_row([hash], |row| {
            let given = row.get::<_, Option<[u8; 32]>>(1)?.zip(row.time_opt(2)?);
            Ok((row.id(0)?, RefreshToken { hash: *hash, given }))
        })
        .optional()
}

fn remember(tx: &Tx<'_>, token: &RefreshToken, session: SessionId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO refresh_tokens (hash, session, given_for, given_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((
        token.hash,
        session.bytes(),
        token.given.map(|(hash, _)| hash),
        token.given.map(|(_, at)| at.millis()),
    ))
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

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
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
