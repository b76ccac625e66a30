use common::auth::{Address, CodeKind, MailedCode};
use common::{Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::engine::{Tx, damaged};
use crate::row::RowExt as _;

const COLUMNS: &str = "hash, kind, user, address, other_hash, expires_at";

pub(super) fn insert(tx: &Tx<'_>, code: &MailedCode) -> rusqlite::Result<()> {
    if let (CodeKind::Email, Some(user)) = (code.kind, code.user) {
        tx.prepare_cached("DELETE FROM mailed_codes WHERE user = ?1 AND kind = ?2")?
            .execute((user.bytes(), CodeKind::Email.word()))?;
    }
    tx.prepare_cached(&format!("INSERT INTO mailed_codes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"))?
        .execute((
            code.hash,
            code.kind.word(),
            code.user.map(|id| *id.bytes()),
            code.address.as_ref().map(Address::as_str),
            code.other_hash,
            code.expires_at.millis(),
        ))
        .map(drop)
}

/// Codes of nobody are never found.
pub(super) fn find(
    connection: &Connection,
    hash: &[u8; 32],
    kind: CodeKind,
    now: Timestamp,
) -> rusqlite::Result<Option<MailedCode>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM mailed_codes
             WHERE hash = ?1 AND kind = ?2 AND user IS NOT NULL AND expires_at > ?3"
        ))?
        .query_row((hash, kind.word(), now.millis()), code)
        .optional()
}

pub(super) fn remove_expired(tx: &Tx<'_>, before: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    let removed = tx
        .prepare_cached(
            "DELETE FROM mailed_codes WHERE hash IN
             (SELECT hash FROM mailed_codes WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute((before.millis(), limit))?;
    Ok(u32::try_from(removed).unwrap_or(limit))
}

/// All that an account has.
pub(in crate::auth) fn remove_of(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM mailed_codes WHERE user = ?1")?.execute([user.bytes()]).map(drop)
}

fn code(row: &Row<'_>) -> rusqlite::Result<MailedCode> {
    let address = row.get_ref(3)?.as_str_or_null()?;
    Ok(MailedCode {
        hash: row.get(0)?,
        kind: row.word(1, CodeKind::parse)?,
        user: row.id_opt(2)?,
        address: address.map(Address::parse).transpose().map_err(|_| damaged("an address that is none"))?,
        other_hash: row.get(4)?,
        expires_at: row.time(5)?,
    })
}
