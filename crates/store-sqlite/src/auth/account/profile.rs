use common::UserId;
use common::auth::{Account, AddressKey, Totp};
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Map, Value};

use crate::auth::users::{COLUMNS, user};
use crate::engine::{Tx, damaged};
use crate::row::{RowExt as _, int};

pub(in crate::auth) const MORE: &str =
    "disabled, verified_at, name, preferences, revision, totp, totp_confirmed_at, totp_step, deletes_at";

pub(super) fn find(connection: &Connection, id: UserId) -> rusqlite::Result<Option<Account>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS}, {MORE} FROM users WHERE id = ?1"))?
        .query_row([id.bytes()], account)
        .optional()
}

pub(super) fn find_by_address(
    connection: &Connection,
    key: &AddressKey,
) -> rusqlite::Result<Option<Account>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS}, {MORE} FROM users WHERE address_key = ?1"))?
        .query_row([key.as_str()], account)
        .optional()
}

pub(super) fn update(
    tx: &Tx<'_>,
    id: UserId,
    revision: u64,
    name: Option<&str>,
    preferences: &Map<String, Value>,
) -> rusqlite::Result<bool> {
    let preferences =
        serde_json::to_string(preferences).map_err(|_| damaged("preferences that are no JSON"))?;
    let changed = tx
        .prepare_cached(
            "UPDATE users SET name = ?3, preferences = ?4, revision = revision + 1 WHERE id = ?1 AND revision = ?2",
        )?
        .execute((id.bytes(), int(revision), name, preferences))?;
    Ok(changed == 1)
}

pub(in crate::auth) fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let preferences = serde_json::from_str(row.get_ref(10)?.as_str()?);
    let totp = match row.get::<_, Option<Vec<u8>>>(12)? {
        Some(sealed) => Some(Totp { sealed, confirmed_at: row.time_opt(13)?, last_step: row.count(14)? }),
        None => None,
    };
    Ok(Account {
        user: user(row)?,
        blocked: row.get(7)?,
        verified_at: row.time_opt(8)?,
        name: row.get(9)?,
        preferences: preferences.map_err(|_| damaged("preferences that are no JSON"))?,
        revision: row.count(11)?,
        totp,
        deletes_at: row.time_opt(15)?,
    })
}
