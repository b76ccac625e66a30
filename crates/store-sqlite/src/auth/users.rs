use common::UserId;
use common::auth::{Address, AddressKey, CreateUserError, Role, User};
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

use crate::engine::{Tx, TxResult, damaged};
use crate::row::RowExt as _;

// an account that waits to be deleted is disabled as well
pub(super) const COLUMNS: &str =
    "id, address, password_hash, role, disabled OR deletes_at IS NOT NULL, bootstrap, created_at";

pub(super) fn insert(tx: &Tx<'_>, user: &User) -> TxResult<(), CreateUserError> {
    // only the address may be there already: an id that is, is a fault of its maker
    let inserted = tx
        .prepare_cached(
            "INSERT INTO users (id, address, address_key, password_hash, role, disabled, bootstrap, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (address_key) DO NOTHING",
        )?
        .execute((
            user.id.bytes(),
            user.address.as_str(),
            user.address.key().as_str(),
            &user.password_hash,
            user.role.word(),
            user.disabled,
            user.bootstrap,
            user.created_at.millis(),
        ))?;
    if inserted == 0 {
        return Err(CreateUserError::AddressTaken.into());
    }
    if !user.bootstrap {
        tx.prepare_cached("UPDATE counters SET value = value + 1 WHERE name = 'users'")?.execute([])?;
    }
    Ok(())
}

/// The address of a new account is its owner's since it was made.
pub(super) fn verify(tx: &Tx<'_>, id: UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE users SET verified_at = created_at WHERE id = ?1")?
        .execute([id.bytes()])
        .map(drop)
}

pub(super) fn has_admin(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin')")?
        .query_row([], |row| row.get(0))
}

pub(super) fn find(connection: &Connection, id: UserId) -> rusqlite::Result<Option<User>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE id = ?1"))?
        .query_row([id.bytes()], user)
        .optional()
}

pub(super) fn find_all(connection: &Connection, ids: &[UserId]) -> rusqlite::Result<Vec<User>> {
    let places = vec!["?"; ids.len()].join(", ");
    connection
        .prepare(&format!("SELECT {COLUMNS} FROM users WHERE id IN ({places})"))?
        .query_map(params_from_iter(ids.iter().map(UserId::bytes)), user)?
        .collect()
}

pub(super) fn find_by_address(connection: &Connection, key: &AddressKey) -> rusqlite::Result<Option<User>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE address_key = ?1"))?
        .query_row([key.as_str()], user)
        .optional()
}

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.id(0)?,
        address: Address::parse(row.get_ref(1)?.as_str()?).map_err(|_| damaged("an address that is none"))?,
        password_hash: row.get(2)?,
        role: row.word(3, Role::parse)?,
        disabled: row.get(4)?,
        bootstrap: row.get(5)?,
        created_at: row.time(6)?,
    })
}
